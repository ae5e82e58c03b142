"""`safetykit stop` and `reset`: the operator's hand on a running guard. Stopping needs no right; a reset needs a person
at the vehicle where a microcontroller stands behind the guard."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safetykit.adapters.output_watch import ANSWER_S, latest_live, wait_for

if TYPE_CHECKING:
    from firmware_bridge.facts import DeviceFacts

INSTANCE = Annotated[str, typer.Option(help="Name of the guard, where several run on one machine.")]
LOOK_S = 0.02
RUN_S = 2.0  # after a reset of the guard the microcontroller closes its relays at the next heartbeats


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("stop")(stop)
    app.command("reset")(reset)


def stop(instance: INSTANCE = "default") -> None:
    """Ask for a protective stop. Needs no right and no running guard; exit code 1 if the guard has not acted."""
    from safetykit.core.vocabulary import State
    from safetykit.runtime import paths

    directory = paths.run_dir(instance, create=False)
    control = _control(directory / paths.control_name("cli"))
    control.stop()
    control.close()
    view = wait_for(directory, lambda view: view.state > State.RECOVERY)
    if view is None:
        typer.echo("stop requested, but the guard has not answered: it may not be running", err=True)
        raise typer.Exit(1)
    typer.echo(f"stopped: {view.state.name}, stop event {view.stop_event}, power {'on' if view.power else 'removed'}")


def reset(
    event: Annotated[int | None, typer.Option(help="Number of the stop event; the present one if not given.")] = None,
    instance: INSTANCE = "default",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the reset key at the vehicle.", min=0)] = 30.0,
) -> None:
    """Leave a latched stop, if its conditions allow it. The vehicle then stands by; engaging is a separate act.

    Where an emergency-stop microcontroller stands behind the guard, somebody must release the button and press the
    reset key at the vehicle first; this command waits for that and says what is missing.
    """
    from safetykit.core.vocabulary import State
    from safetykit.runtime import paths
    from safetykit.runtime.actuator import ActuatorReader

    directory = paths.run_dir(instance, create=False)
    reader = ActuatorReader(directory / paths.ACTUATOR)
    before = latest_live(reader)
    if before is None:
        typer.echo("the guard does not run", err=True)
        raise typer.Exit(1)
    device = _device(directory)
    if device is not None:
        _wait_for_key(device, wait)
        before = latest_live(reader) or before
    event = before.stop_event if event is None else event
    reasons = ", ".join(before.fault_names) or "none"
    typer.echo(f"{before.state.name}, stop event {before.stop_event} ({reasons}); resetting {event}")
    control = _control(directory / paths.control_name("cli"))
    control.reset(event)
    control.close()
    after = wait_for(directory, lambda view: view.state < State.RECOVERY)
    if after is None:
        typer.echo("refused: another stop event, its conditions do not hold, or its cause is still there", err=True)
        raise typer.Exit(1)
    typer.echo(f"reset: {after.state.name}")
    if device is not None:
        _wait_for_power(device)


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


def _device(directory: Path) -> Callable[[], DeviceFacts] | None:
    """How to look at the guard's microcontroller; None if it has none."""
    from firmware_bridge.facts import read_page
    from safetykit.core.vocabulary import Device
    from safetykit.runtime import paths

    page = directory / paths.BRIDGE
    if read_page(page).kind != Device.MICROCONTROLLER:
        return None
    return lambda: read_page(page).facts(time.monotonic_ns())


def _wait_for_key(device: Callable[[], DeviceFacts], wait_s: float) -> None:
    """Until the microcontroller is reset by its key. Says what is missing; exit code 1 after `wait_s`."""
    from firmware_bridge.wire import McuState

    end_s, said = time.monotonic() + wait_s, ""
    while True:
        facts = device()
        if facts.alive and facts.state in (McuState.ARMED, McuState.RUN):
            return
        missing = _missing(facts)
        if missing != said:
            typer.echo(missing)
            said = missing
        if time.monotonic() > end_s:
            typer.echo("not reset: the microcontroller is still stopped", err=True)
            raise typer.Exit(1)
        time.sleep(LOOK_S)


def _missing(facts: DeviceFacts) -> str:
    if not facts.alive:
        return "the microcontroller does not answer; see `safetykit bridge status`"
    cause = f" ({facts.events[0].text})" if facts.events else ""
    if facts.blockers:
        return f"the microcontroller is stopped{cause}; in the way: {'; '.join(facts.blockers)}"
    return f"the microcontroller is stopped{cause}; now press its reset key for 0.1 to 3 s and let go"


def _wait_for_power(device: Callable[[], DeviceFacts]) -> None:
    from firmware_bridge.wire import McuState

    end_s = time.monotonic() + RUN_S
    while time.monotonic() < end_s:
        facts = device()
        if facts.alive and facts.state == McuState.RUN:
            typer.echo("the microcontroller has closed its relays")
            return
        time.sleep(LOOK_S)
    typer.echo("the guard is reset, but the microcontroller has not closed its relays", err=True)
    raise typer.Exit(1)
