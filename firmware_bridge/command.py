"""The `safetykit bridge` commands: what the microcontroller says, through a running guard or straight from its port."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from firmware_bridge.facts import DeviceFacts

INSTANCE = Annotated[str, typer.Option(help="Name of the guard, where several run on one machine.")]
PORT = Annotated[str | None, typer.Option(help="Serial port, when no guard uses it. Default: ask the running guard.")]
UNIT = Annotated[int, typer.Option(help="Number of the microcontroller on --port.", min=0, max=255)]
JSON = Annotated[bool, typer.Option("--json", help="One JSON object.")]
WATCH_S = 0.1
STALE_NS = 1_000_000_000  # a guard that runs has ticked since


def register(app: typer.Typer) -> None:
    """Adds ``safetykit bridge``."""
    group = typer.Typer(help="The emergency-stop microcontroller.", no_args_is_help=True)
    group.command()(status)
    group.command()(events)
    group.command()(monitor)
    group.command()(selftest)
    app.add_typer(group, name="bridge")


def status(instance: INSTANCE = "default", port: PORT = None, unit: UNIT = 1, as_json: JSON = False) -> None:
    """State, contacts and counts. Exit code 1 if the microcontroller does not answer."""
    seen = _once(instance, port, unit)
    if as_json:
        state = seen.facts.state.name if seen.facts.state is not None else None
        typer.echo(
            json.dumps({**asdict(seen.facts), "state": state, "alive": not seen.trouble, "trouble": seen.trouble})
        )
    else:
        _console().print(_state_table(seen))
    raise typer.Exit(1 if seen.trouble else 0)


def events(instance: INSTANCE = "default", port: PORT = None, unit: UNIT = 1, as_json: JSON = False) -> None:
    """The stop events that the microcontroller remembers, newest first. Exit code 1 if it does not answer."""
    seen = _once(instance, port, unit)
    if as_json:
        typer.echo(json.dumps([asdict(event) for event in seen.facts.events]))
    else:
        _console().print(_event_table(seen.facts))
        if seen.trouble:
            typer.echo(f"the microcontroller {seen.trouble}", err=True)
    raise typer.Exit(1 if seen.trouble else 0)


def monitor(
    instance: INSTANCE = "default",
    port: PORT = None,
    unit: UNIT = 1,
    seconds: Annotated[float | None, typer.Option(help="End after this time; default: Ctrl-C.", min=0)] = None,
) -> None:
    """State and events again and again."""
    from rich.console import Group
    from rich.live import Live

    end_s = float("inf") if seconds is None else time.monotonic() + seconds
    with Live(console=_console(), auto_refresh=False, transient=False) as live:
        for seen in _again(instance, port, unit):
            live.update(Group(_state_table(seen), _event_table(seen.facts)), refresh=True)
            if time.monotonic() > end_s:
                break


def selftest(
    port: Annotated[str, typer.Option(help="Serial port; no guard may be using it.")],
    unit: UNIT = 1,
) -> None:
    """Check the microcontroller on its real line, while it is stopped. Exit code 1 if a check fails."""
    from rich.table import Table

    from firmware_bridge.selftest import selftest as run
    from firmware_bridge.session import Session

    table = Table("check", "result", "detail", title=f"microcontroller at {port}", title_justify="left")
    with Session(port, unit) as session:
        findings = list(run(session))
    for finding in findings:
        table.add_row(finding.what, "[green]passed" if finding.passed else "[bold red]FAILED", finding.detail)
    _console().print(table)
    raise typer.Exit(0 if all(finding.passed for finding in findings) else 1)


# ------------------------------------------------------------------ where the facts come from


@dataclass(frozen=True)
class Seen:
    """What is known, and what is wrong with it: "" while the microcontroller answers."""

    facts: DeviceFacts
    trouble: str


def _direct(facts: DeviceFacts) -> Seen:
    from firmware_bridge.facts import diagnosis

    return Seen(facts, "" if facts.alive else diagnosis(facts))


def _once(instance: str, port: str | None, unit: int) -> Seen:
    """Facts of this moment. Raises SafetykitError when there is nobody to ask."""
    if port is None:
        return _guarded(instance)
    from firmware_bridge.session import Session

    with Session(port, unit) as session:
        return _direct(session.identify())


def _again(instance: str, port: str | None, unit: int) -> Iterator[Seen]:
    """Facts every WATCH_S, for as long as they are wanted."""
    if port is None:
        while True:
            yield _guarded(instance)
            time.sleep(WATCH_S)
    from firmware_bridge.session import Session

    with Session(port, unit) as session:
        session.identify()
        while True:
            yield _direct(session.until(lambda facts: False, WATCH_S))


def _guarded(instance: str) -> Seen:
    """What a running guard hears. Raises MailboxError: no such guard, or it has no microcontroller."""
    from firmware_bridge.facts import read_page
    from safetykit.core.vocabulary import Device
    from safetykit.errors import MailboxError
    from safetykit.runtime import paths

    page = read_page(paths.run_dir(instance, create=False) / paths.BRIDGE)
    if page.kind != Device.MICROCONTROLLER:
        raise MailboxError(f"guard {instance!r} runs without a microcontroller; start it with --bridge, or give --port")
    now_ns = time.monotonic_ns()
    seen = _direct(page.facts(now_ns))
    if not 0 <= now_ns - page.tick_ns <= STALE_NS:
        return Seen(seen.facts, f"is not asked: guard {instance!r} has ended or is frozen")
    if not page.connected:
        return Seen(seen.facts, "has no line: the guard could not open its port, and says why")
    return seen


# ------------------------------------------------------------------ what people read


def _console() -> Any:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=120)


def _state_table(seen: Seen) -> Table:
    from rich.table import Table

    table = Table(show_header=False, title="emergency-stop microcontroller", title_justify="left")
    for name, value in _lines(seen.facts, seen.trouble):
        table.add_row(name, value)
    return table


def _lines(facts: DeviceFacts, trouble: str) -> Iterator[tuple[str, str]]:
    heard = "never" if facts.heard_ms is None else f"{facts.heard_ms:.0f} ms ago"
    state = facts.state.name if facts.state is not None else "not known yet"
    yield "state", f"[bold red]SILENT[/] (answered {heard}; last state {state})" if trouble else state
    if trouble:
        yield "trouble", trouble
    yield "contacts", ", ".join(facts.inputs) or "none closed"
    yield "reset key", "; ".join(facts.blockers) or "nothing in its way"
    yield "round trip", f"{facts.round_trip_ms:.2f} ms, longest {facts.round_trip_max_ms:.2f} ms"
    yield "line", ", ".join(f"{count} {name}" for name, count in facts.counts.items())
    if facts.ident is not None:
        ident = facts.ident
        yield "firmware", f"{ident.firmware}, protocol {ident.protocol}, program CRC {ident.program_crc:08x}"
    if facts.uptime_s is not None and facts.cycle_max_ms is not None:
        yield "running", f"for {facts.uptime_s:.0f} s, longest cycle {facts.cycle_max_ms:.2f} ms"


def _event_table(facts: DeviceFacts) -> Table:
    from rich.table import Table

    table = Table("stop", "cause", "meaning", "what to do", "last answer before", "at", title_justify="left")
    for event in facts.events:
        before = f"{event.link_ms:.1f} ms" if event.link_ms < 6553.5 else "-"
        table.add_row(str(event.number), event.cause, event.text, event.cure, before, f"{event.at_s:.1f} s")
    return table
