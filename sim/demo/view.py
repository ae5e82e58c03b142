"""The live terminal view: asked against sent. Plain lines, one a second, where the output is not a terminal."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from safetykit.core.vocabulary import Action, State, fault_names
from sim.demo.judge import Allowed

BESIDE_BARS = 56  # columns of the terminal that names and numbers take
BAR_CELLS_MIN, BAR_CELLS_MAX = 9, 41
REFRESH_PER_S = 12
FAULTS_SHOWN = 4


def name_of(kind: type[Action] | type[State], value: int) -> str:
    """Name of an action or state; a number without a name reads as itself."""
    return kind(value).name if value in kind._value2member_map_ else str(value)


def bar(value: float, low: float, high: float, cells: int) -> Text:
    """A value within [low, high] as a mark on a line with a tick at zero; beyond the ends the line is red."""
    if not math.isfinite(value):
        return Text(f"{'not a number':^{cells}.{cells}}", style="bold red")

    def place(at: float) -> int:
        return round((at - low) / (high - low) * (cells - 1))

    line = ["─"] * cells
    line[min(max(place(0.0), 0), cells - 1)] = "┼"
    inside = low <= value <= high
    line[min(max(place(value), 0), cells - 1)] = "●" if inside else ("▶" if value > high else "◀")
    return Text("".join(line), style="" if inside else "bold red")


def picture(frame: Any, allowed: Allowed, time_s: float, what: str, columns: int) -> Group:
    """The whole view for one frame of the guard, for a terminal of that many columns."""
    cells = min(max((columns - BESIDE_BARS) // 2, BAR_CELLS_MIN), BAR_CELLS_MAX)
    state, action = name_of(State, int(frame["st_state"])), name_of(Action, int(frame["out_action"]))
    calm = action in ("PASS", "CLAMP")
    head = Text.assemble(
        f"{time_s:5.1f} s   ",
        ("script: ", "dim"),
        (f"{what or 'all well':<26}", "bold yellow" if what else "dim"),
        ("guard: ", "dim"),
        (f"{state} ", "bold green" if state == "ENGAGED" else "bold magenta"),
        (action, "green" if calm else "bold magenta"),
    )
    table = Table(box=None, pad_edge=False)
    for title in ("channel", "asked", "", "sent", "", "allowed"):
        table.add_column(title, justify="right" if title in ("asked", "sent") else "left", style="")
    for channel, name in enumerate(allowed.channels):
        low, high = float(allowed.low[channel]), float(allowed.high[channel])
        asked, sent = float(frame["in_ask"][0, channel]), float(frame["out_sent"][channel])
        table.add_row(
            f"{name:<14}",
            f"{asked:8.2f}",
            bar(asked, low, high, cells),
            f"{sent:8.2f}",
            bar(sent, low, high, cells),
            f"[{low:g}, {high:g}]",
        )
    names = fault_names(int(frame["out_faults"]))
    more = f" and {len(names) - FAULTS_SHOWN} more" if len(names) > FAULTS_SHOWN else ""
    return Group(head, table, Text(f"reasons: {', '.join(names[:FAULTS_SHOWN]) or 'none'}{more}", style="dim"))


class View:
    """Shows frames as they come; use as a context."""

    def __init__(self, console: Console, allowed: Allowed) -> None:
        self.console = console
        self.allowed = allowed
        self._live = Live(console=console, refresh_per_second=REFRESH_PER_S) if console.is_terminal else None
        self._next_line_s = 0.0

    def __enter__(self) -> View:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, frame: Any, time_s: float, what: str) -> None:
        """Shows one frame; `what` is the fault that the script has active now."""
        if self._live:
            self._live.update(picture(frame, self.allowed, time_s, what, self.console.width))
            return
        if time_s < self._next_line_s:
            return
        self._next_line_s = time_s + 1.0
        count = len(self.allowed.channels)
        asked, sent = (
            " ".join(f"{value:6.2f}" for value in part[:count]) for part in (frame["in_ask"][0], frame["out_sent"])
        )
        state, action = name_of(State, int(frame["st_state"])), name_of(Action, int(frame["out_action"]))
        self.console.print(
            f"{time_s:5.1f} s  {what or 'all well':<26} asked {asked}  sent {sent}  {state} {action}",
            highlight=False,
            soft_wrap=True,
        )
