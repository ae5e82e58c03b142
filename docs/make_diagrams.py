"""Writes docs/stop-states.md from the transition table in safetykit/core/stop.py: ``python docs/make_diagrams.py``."""

from __future__ import annotations

from pathlib import Path

from safetykit.core import stop
from safetykit.core.vocabulary import State

PAGE = Path(__file__).with_name("stop-states.md")
BITS = ("SELFTEST_OK", "ENGAGE", "WITHDRAWN", "RECOVER", "PROTECTIVE", "EMERGENCY", "RESET", "RECOVERED")
MEANING = {
    State.BOOT: "self-test not passed; neutral values, no power",
    State.STANDBY: "healthy, not permitted; neutral values",
    State.ENGAGED: "commands pass through the checks",
    State.RECOVERY: "the recovery function drives",
    State.PROTECTIVE_STOP: "latched; stops under control, then removes power",
    State.EMERGENCY_STOP: "latched; power removed at once",
}


def page() -> str:
    """The whole page, from the table."""
    return "\n".join([*_head(), *_diagram(), *_states(), *_rows(), ""])


def _head() -> list[str]:
    return [
        "# Stop states",
        "",
        "Written by `python docs/make_diagrams.py` from the table in `safetykit/core/stop.py`; a test checks it.",
        "In each state the first row that matches wins; a state that is not in the table is EMERGENCY_STOP.",
        "",
    ]


def _diagram() -> list[str]:
    edges: dict[tuple[State, State], list[str]] = {}
    for at, all_of, none_of, to in stop.TRANSITIONS:
        edges.setdefault((at, to), []).append(_guard(all_of, none_of))
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> BOOT"]
    lines += [f"    {at.name} --> {to.name}: {' / '.join(guards)}" for (at, to), guards in edges.items()]
    return [*lines, "```", ""]


def _states() -> list[str]:
    rows = [f"| {state.name} | {MEANING[state]} |" for state in State]
    return ["| state | meaning |", "|---|---|", *rows, ""]


def _rows() -> list[str]:
    rows = [f"| {at.name} | {_guard(all_of, none_of)} | {to.name} |" for at, all_of, none_of, to in stop.TRANSITIONS]
    return ["| from | when | to |", "|---|---|---|", *rows]


def _guard(all_of: int, none_of: int) -> str:
    text = " and ".join(name for name in BITS if all_of & getattr(stop, name))
    but = " or ".join(name for name in BITS if none_of & getattr(stop, name))
    return f"{text}, not {but}" if but else text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
