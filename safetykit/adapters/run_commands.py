"""`safetykit run`, `status`, `stop` and `reset`: the guard's process and the operator's hand on it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from safetykit.runtime.actuator import ActuatorReader, ActuatorView

INSTANCE = Annotated[str, typer.Option(help="Name of the guard, where several run on one machine.")]
ANSWER_S = 1.0  # a guard that runs has acted long before
WATCH_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("status")(status)
    app.command("stop")(stop)
    app.command("reset")(reset)


def run(
    policy: Annotated[str, typer.Option(help="Name of a preset, or path of a policy file.")],
    instance: INSTANCE = "default",
    fd_target: Annotated[
        str | None, typer.Option(help="Also send every output to udp://HOST:PORT, a serial port, a pipe or a file.")
    ] = None,
    log_dir: Annotated[Path | None, typer.Option(help="Directory of the black box.")] = None,
    key: Annotated[Path | None, typer.Option(help="Ed25519 key (PEM) that signs closed log segments.")] = None,
    cpu: Annotated[int | None, typer.Option(help="Run the loop on this CPU only.", min=0)] = None,
    stay: Annotated[bool, typer.Option(help="With a bad policy: keep running with stopped outputs.")] = False,
) -> None:
    """Run the guard until SIGTERM or Ctrl-C.

    A bad policy is listed problem by problem; the outputs are stopped and the exit code is 2. The black box cannot be
    switched off.
    """
    from safetykit.runtime.process import Options, run_guard

    options = Options(policy, instance, output=fd_target, log_dir=log_dir, key=key, cpu=cpu, stay=stay)
    raise typer.Exit(run_guard(options, lambda line: typer.echo(line, err=True)))


def status(
    instance: INSTANCE = "default",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    watch: Annotated[bool, typer.Option(help="Again and again, until Ctrl-C.")] = False,
) -> None:
    """Show what the guard does now. Exit code 1 when it does not run."""
    while True:
        facts = _facts(instance)
        typer.echo(json.dumps(facts) if as_json else _readable(facts))
        if not watch:
            raise typer.Exit(0 if facts["running"] else 1)
        time.sleep(WATCH_S)


def stop(instance: INSTANCE = "default") -> None:
    """Ask for a protective stop. Needs no right and no running guard; exit code 1 if the guard has not acted."""
    from safetykit.core.vocabulary import State
    from safetykit.runtime import paths

    directory = paths.run_dir(instance, create=False)
    control = _control(directory / paths.control_name("cli"))
    control.stop()
    control.close()
    view = _wait_for(directory, lambda view: view.state > State.RECOVERY)
    if view is None:
        typer.echo("stop requested, but the guard has not answered: it may not be running", err=True)
        raise typer.Exit(1)
    typer.echo(f"stopped: {view.state.name}, stop event {view.stop_event}, power {'on' if view.power else 'removed'}")


def reset(
    event: Annotated[int | None, typer.Option(help="Number of the stop event; the present one if not given.")] = None,
    instance: INSTANCE = "default",
) -> None:
    """Leave a latched stop, if its conditions allow it. The vehicle then stands by; engaging is a separate act."""
    from safetykit.core.vocabulary import State
    from safetykit.runtime import paths
    from safetykit.runtime.actuator import ActuatorReader

    directory = paths.run_dir(instance, create=False)
    before = _live(ActuatorReader(directory / paths.ACTUATOR))
    if before is None:
        typer.echo("the guard does not run", err=True)
        raise typer.Exit(1)
    event = before.stop_event if event is None else event
    typer.echo(
        f"{before.state.name}, stop event {before.stop_event} ({_listed(before.fault_names)}); resetting {event}"
    )
    control = _control(directory / paths.control_name("cli"))
    control.reset(event)
    control.close()
    after = _wait_for(directory, lambda view: view.state < State.RECOVERY)
    if after is None:
        typer.echo("refused: another stop event, its conditions do not hold, or its cause is still there", err=True)
        raise typer.Exit(1)
    typer.echo(f"reset: {after.state.name}")


def _control(path: Path) -> Any:
    """The command line's own control mailbox; another `stop` or `reset` holds it for a moment at most."""
    from safetykit.errors import MailboxError
    from safetykit.runtime.mailbox import ControlWriter

    give_up_s = time.monotonic() + ANSWER_S
    while True:
        try:
            return ControlWriter(path)
        except MailboxError:
            if not path.exists() or time.monotonic() > give_up_s:
                raise
            time.sleep(0.01)


def _live(reader: ActuatorReader) -> ActuatorView | None:
    """The latest output, if a guard still makes new ones."""
    first, end_s = reader.read(), time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        time.sleep(0.005)
        latest = reader.read()
        if latest is not None and (first is None or latest.seq != first.seq):
            return latest
    return None


def _wait_for(directory: Path, reached: Any) -> ActuatorView | None:
    """The first live output for which `reached` holds, or None."""
    from safetykit.runtime import paths
    from safetykit.runtime.actuator import ActuatorReader

    reader = ActuatorReader(directory / paths.ACTUATOR)
    end_s = time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        view = _live(reader)
        if view is not None and reached(view):
            return view
    return None


def _facts(instance: str) -> dict[str, Any]:
    from dataclasses import asdict

    from safetykit.core.vocabulary import fault_names
    from safetykit.errors import MailboxError
    from safetykit.runtime import paths
    from safetykit.runtime.actuator import ActuatorReader
    from safetykit.runtime.status import read_status

    directory = paths.run_dir(instance, create=False)
    counts = read_status(directory / paths.STATUS)
    view = _live(ActuatorReader(directory / paths.ACTUATOR))
    try:
        info = paths.guard_info(directory)
    except MailboxError:
        info = {}
    facts = {"instance": instance, "running": view is not None, **asdict(counts)}
    facts |= {"state": counts.state.name, "faults": list(fault_names(counts.faults)), "guard": info}
    if view is not None:
        names = info.get("channels", [])
        sent = [float(value) for value in view.sent]
        facts |= {"action": view.action.name, "power": view.power, "stop_event": view.stop_event}
        facts["sent"] = dict(zip(names, sent, strict=False)) or sent
    return facts


def _readable(facts: dict[str, Any]) -> str:
    if not facts["running"]:
        return f"guard {facts['instance']!r} does not run"
    policy = facts["guard"].get("policy", {})
    wake = facts["wake_us"]
    torn = {name: count for name, count in facts["torn"].items() if count}
    lines = [
        f"guard {facts['instance']!r}: {facts['state']}, action {facts['action']}, "
        f"power {'on' if facts['power'] else 'removed'}, stop event {facts['stop_event']}",
        f"  policy {policy.get('name')} {policy.get('version')} {str(policy.get('digest'))[:12]}",
        f"  faults {_listed(facts['faults'])}",
        f"  sent {facts['sent']}",
        f"  {facts['ticks']} ticks, {facts['misses']} missed, {facts['write_failed']} outputs not taken, "
        f"torn reads {torn or 0}",
        f"  wake-up latency p50 {wake['p50']:.0f} us, p99 {wake['p99']:.0f} us, p99.9 {wake['p99.9']:.0f} us, "
        f"max {facts['wake_max_ns'] / 1000:.0f} us",
    ]
    return "\n".join(lines)


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
