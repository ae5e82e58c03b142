"""The plausibility sections as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator

from safetykit.policy.report import Names
from safetykit.policy.rows import condition_row
from safetykit.policy.schema import PolicyDocument

HEADS = ("check", "fault", "of", "must", "patience ms")
Row = tuple[str, str, str, str, float]


def rows(document: PolicyDocument, names: Names) -> Iterator[Row]:
    """One row for each entry, cells in the order of HEADS."""
    for name, agree in document.agree.items():
        share = f" + {agree.error_share:g} of the larger" if agree.error_share else ""
        yield name, "DISAGREE", ", ".join(agree.inputs), f"agree within {agree.error:g}{share}", agree.for_ms
    for name, integrity in document.integrity.items():
        flags = ", ".join(_flag(check.input, check.min, check.max) for check in integrity.checks)
        yield name, "DISAGREE", flags, f"have fewer than {integrity.count} out", integrity.for_ms
    for name, stuck in document.stuck.items():
        what = stuck.input if stuck.input is not None else f"ask of {stuck.asked}"
        given = " and ".join(condition_row(spec, names).text for spec in stuck.only_while)
        yield name, "STUCK", str(what), "change" + (f" while {given}" if given else ""), stuck.for_ms


def _flag(name: str, low: float | None, high: float | None) -> str:
    left = "" if low is None else f"{low:g} <= "
    return left + name + ("" if high is None else f" <= {high:g}")
