"""Is this machine fit for a guard? Every item is a row of a table; `doctor_machine` is all that a check may look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from safetykit.runtime import doctor_kernel, doctor_port, doctor_rights
from safetykit.runtime.doctor_machine import Machine, Status, Verdict

Checks = tuple[tuple[str, Callable[[Machine], Verdict]], ...]


@dataclass(frozen=True)
class Item:
    """One row of the result."""

    item: str
    status: Status
    finding: str
    cure: str

    def as_json(self) -> dict[str, str]:
        return {"item": self.item, "status": self.status.value, "finding": self.finding, "cure": self.cure}


def examine(machine: Machine) -> list[Item]:
    """Every check; those of the port only if one is given or plugged in under its stable name."""
    cpu = doctor_kernel.NO_CPU_CHECKS if machine.cpu is None else doctor_kernel.CPU_CHECKS
    checks: Checks = (*doctor_kernel.CHECKS, *cpu, *doctor_rights.CHECKS)
    if machine.port is not None or machine.at(doctor_port.STABLE).exists():
        checks += doctor_port.CHECKS
    return [Item(name, verdict.status, verdict.finding, verdict.cure) for name, verdict in _verdicts(machine, checks)]


def _verdicts(machine: Machine, checks: Checks) -> list[tuple[str, Verdict]]:
    """A file with unexpected content makes one item unknown, not the doctor fail."""
    found = []
    for name, check in checks:
        try:
            verdict = check(machine)
        except (OSError, ValueError, IndexError) as error:
            verdict = Verdict(Status.UNKNOWN, f"cannot be told: {error}")
        found.append((name, verdict))
    return found
