"""The demo's closing table, and the same as a document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from safetykit.core import protocol as p
from sim.demo_estop.outcome import Outcome
from sim.demo_estop.scenes import Guard

FORMAT = 1


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row for each scene."""
    result = Table(title="What stopped the vehicle, and how fast", title_justify="left")
    result.add_column("scene")
    result.add_column("in the board's event memory")
    result.add_column("board's clock: relays", justify="right")
    result.add_column("host: power off", justify="right")
    result.add_column("host: guard stopped")
    result.add_column("way", justify="right")
    result.add_column("restarted by itself")
    for number, outcome in enumerate(outcomes, start=1):
        result.add_row(
            f"{number} {outcome.title}",
            ", ".join(outcome.causes) + (" (locked)" if outcome.locked else ""),
            board_words(outcome),
            "[bold red]never[/]" if outcome.relay_ms is None else f"{outcome.relay_ms:.0f} ms",
            guard_words(outcome),
            "[bold red]no rest[/]" if outcome.way_m is None else f"{outcome.way_m:.2f} m",
            "[bold red]" + "; ".join(outcome.restarts) + "[/]" if outcome.restarts else "[green]no[/]",
        )
    return result


def board_words(outcome: Outcome) -> str:
    """The board's reaction, on its own clock."""
    if outcome.mcu_ms is None:
        return "[bold red]never[/]"
    text = f"{outcome.mcu_ms:.1f} ms after the {outcome.mcu_from}"
    return text if outcome.mcu_ms <= outcome.mcu_limit_ms else f"[bold red]{text}[/]"


def guard_words(outcome: Outcome) -> str:
    """The guard's reaction, in time and in its own ticks."""
    if outcome.guard_ms is None:
        return "[bold red]never[/]"
    if outcome.guard is Guard.DIES:
        return "dead; the new one stopped"
    if outcome.guard is Guard.FREEZES:
        return f"frozen; tick {outcome.guard_ticks} awake"
    return f"{outcome.guard_ms:.0f} ms, tick {outcome.guard_ticks}"


def legend(cycle_max_ms: float) -> str:
    """How to read the table."""
    return (
        f"Limits on the board's clock: {p.LINK_US / 1000:g} ms and one cycle after the last right answer, two cycles "
        f"after an edge. A cycle is 1 ms; the longest here, on a shared host, was {cycle_max_ms:.1f} ms. Times of the "
        "host are shown, not judged. A welded relay 1 leaves it to relay 2, whose emulated charge pump holds 100 ms."
    )


def document(outcomes: Sequence[Outcome], facts: dict[str, Any]) -> dict[str, Any]:
    """What goes into the JSON record; `facts` hold of the whole run."""
    rows = [{**asdict(outcome), "guard": outcome.guard.value, "ok": not outcome.problems} for outcome in outcomes]
    return {"format": FORMAT, **facts, "scenes": rows}
