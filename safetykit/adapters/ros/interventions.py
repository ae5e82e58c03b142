"""Every tick in which the guard did not send what was asked, reported without flooding and without losing count.

Ticks that look the same (state, action, faults, reasons per channel) are one kind. A new kind is reported at the next
report (10 a second at most), one that goes on once a second; each report carries the number of ticks since the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safetykit.core.vocabulary import Action, Fault, State, fault_names
from safetykit.runtime.blackbox.events import asked

REPORT_GAP_NS = 100_000_000
REPEAT_NS = 1_000_000_000
KINDS_MAX = 64  # kinds remembered at once; more are counted together
KINDS_PER_REPORT = 8
IDLE_FAULTS = 1 << Fault.COMMAND_MISSING  # in STANDBY nobody need send commands

LEVEL_OK, LEVEL_WARN, LEVEL_ERROR, LEVEL_STALE = 0, 1, 2, 3  # of diagnostic_msgs/DiagnosticStatus

Kind = tuple[int, ...]  # state, action, faults, refused, reasons of all channels
OTHERS: Kind = ()


@dataclass
class Report:
    """One line of the intervention topic."""

    level: int
    message: str
    values: dict[str, str]


@dataclass
class _Seen:
    count: int = 0  # ticks not reported yet
    total: int = 0
    reported_ns: int | None = None
    frame: Any = None  # the latest tick of this kind


def state_name(number: int) -> str:
    return State(number).name if number in State._value2member_map_ else f"STATE_{number}"


def action_name(number: int) -> str:
    return Action(number).name if number in Action._value2member_map_ else f"ACTION_{number}"


class Interventions:
    """Collects frames of the ring, gives reports. ``unseen`` counts ticks that the ring had overwritten."""

    def __init__(self, channels: Sequence[str], functions: Sequence[str]) -> None:
        self.total = 0
        self.unseen = 0
        self.ticks = 0
        self.by_action: dict[str, int] = {}
        self._channels = tuple(channels)
        self._functions = tuple(functions)
        self._seen: dict[Kind, _Seen] = {}
        self._reported_ns: int | None = None
        self._clear = True  # the last report said that all is as asked

    def add(self, frames: Any, lost: int) -> None:
        """New frames in order, and the number of ticks missed before them."""
        self.unseen += lost
        self.ticks += len(frames)
        count = len(self._channels)
        for frame in frames:
            reasons = frame["out_reason"][:count].tolist()
            action, faults = int(frame["out_action"]), int(frame["out_faults"])
            refused, state = int(frame["out_function_refused"]), int(frame["st_state"])
            if state == State.STANDBY and faults == IDLE_FAULTS and not refused:
                continue
            if action == Action.PASS and faults == 0 and not refused and not any(reasons):
                continue
            self._count((state, action, faults, refused, *reasons), frame)

    def _count(self, kind: Kind, frame: Any) -> None:
        self.total += 1
        name = action_name(kind[1])
        self.by_action[name] = self.by_action.get(name, 0) + 1
        if kind not in self._seen and len(self._seen) >= KINDS_MAX:
            kind = OTHERS
        seen = self._seen.setdefault(kind, _Seen())
        seen.count += 1
        seen.total += 1
        seen.frame = frame.copy()

    def reports(self, now_ns: int) -> list[Report]:
        """What is due now."""
        if self._reported_ns is not None and now_ns - self._reported_ns < REPORT_GAP_NS:
            return []
        due = [
            (kind, seen)
            for kind, seen in self._seen.items()
            if seen.count and (seen.reported_ns is None or now_ns - seen.reported_ns >= REPEAT_NS)
        ][:KINDS_PER_REPORT]
        reports = [self._report(kind, seen) for kind, seen in due]
        for _, seen in due:
            seen.count, seen.reported_ns = 0, now_ns
        self._forget(now_ns)
        if due:
            self._clear = False
        elif not self._clear and not self._seen:
            self._clear = True
            reports = [Report(LEVEL_OK, "sent as asked", self._totals())]
        if reports:
            self._reported_ns = now_ns
        return reports

    def _forget(self, now_ns: int) -> None:
        """Kinds that did not come again for a while start anew."""
        for kind, seen in list(self._seen.items()):
            if not seen.count and seen.reported_ns is not None and now_ns - seen.reported_ns >= REPEAT_NS:
                del self._seen[kind]

    def _totals(self) -> dict[str, str]:
        return {"total": str(self.total), "ticks_unseen": str(self.unseen)}

    def _report(self, kind: Kind, seen: _Seen) -> Report:
        counts = {"count": str(seen.count), **self._totals()}
        if kind == OTHERS:
            return Report(LEVEL_ERROR, f"{seen.count} ticks of further kinds", counts)
        state, action, faults, refused, *reasons = kind
        names = ", ".join(fault_names(faults)) or "none"
        values = {"seq": str(int(seen.frame["out_seq"])), "state": state_name(state), "action": action_name(action)}
        values |= {"faults": names, **counts}
        if refused:
            number = int(seen.frame["in_function"])
            known = 0 < number <= len(self._functions)
            values["function_refused"] = self._functions[number - 1] if known else "unknown"
        wanted = asked(seen.frame, len(self._channels)).tolist()
        for channel, (name, reason) in enumerate(zip(self._channels, reasons, strict=True)):
            sent = float(seen.frame["out_sent"][channel])
            if reason or wanted[channel] != sent:
                values[f"{name}.asked"] = repr(wanted[channel])
                values[f"{name}.sent"] = repr(sent)
                values[f"{name}.reason"] = ", ".join(fault_names(reason)) or action_name(action)
        level = LEVEL_ERROR if action >= Action.PROTECTIVE_STOP else LEVEL_WARN
        return Report(level, f"{action_name(action)}: {names}", values)


def granted_functions(frames: Any) -> list[int]:
    """Numbers of the functions that the guard granted in these ticks."""
    return [int(number) for number in frames["out_function"].tolist() if number > 0]


def faults_of(frames: Any) -> int:
    """Union of the fault bits of these ticks."""
    mask = 0
    for faults in frames["out_faults"].tolist():
        mask |= int(faults)
    return mask
