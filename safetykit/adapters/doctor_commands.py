"""`safetykit doctor`: is this machine fit for a guard, and what would make it so?"""

from __future__ import annotations

import json
import os
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from safetykit.runtime.doctor import Item

MARKS = {"ok": "ok     ", "unknown": "unknown", "warn": "warn   ", "bad": "BAD    "}
COLOURS = {"ok": "green", "unknown": "blue", "warn": "yellow", "bad": "red"}
COLUMN, WIDTH, NARROWEST = 38, 120, 60


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    port: Annotated[
        str | None,
        typer.Option(help="Serial port of the microcontroller; default: /dev/safetykit-estop if it is there."),
    ] = None,
    cpu: Annotated[int | None, typer.Option(help="CPU that the guard's loop is to have.", min=0)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Check what the guard needs of this machine, and say how to mend it. Exit code 1 if something is bad.

    Nothing is changed and no port is opened.
    """
    from safetykit.runtime.doctor import examine
    from safetykit.runtime.doctor_machine import Machine, Status

    items = examine(Machine(cpu=cpu, port=port))
    if as_json:
        typer.echo(json.dumps([item.as_json() for item in items], indent=1))
    else:
        for item in items:
            _show(item)
        typer.echo(_summary(items))
    raise typer.Exit(int(any(item.status is Status.BAD for item in items)))


def _show(item: Item) -> None:
    status = item.status.value
    head = typer.style(MARKS[status], fg=COLOURS[status]) + f" {item.item}"
    padding = " " * (COLUMN - len(MARKS[status]) - 1 - len(item.item))
    first, *more = _lines(item.finding)
    typer.echo(f"{head}{padding}{first}")
    for line in more:
        typer.echo(" " * COLUMN + line)
    for number, line in enumerate(_lines(item.cure) if item.cure else []):
        typer.echo(" " * COLUMN + ("-> " if number == 0 else "   ") + line)


def _lines(text: str) -> list[str]:
    try:
        width = os.get_terminal_size().columns
    except OSError:
        width = WIDTH
    return textwrap.wrap(text, max(width - COLUMN - 4, NARROWEST), break_on_hyphens=False)


def _summary(items: list[Item]) -> str:
    counts = {status: sum(item.status.value == status for item in items) for status in MARKS}
    return f"{counts['bad']} bad, {counts['warn']} to improve, {counts['unknown']} unknown, {counts['ok']} ok"
