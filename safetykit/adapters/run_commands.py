"""`safetykit run` and `status`: the guard's process, and what it does now."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from safetykit.adapters.output_watch import latest_live

INSTANCE = Annotated[str, typer.Option(help="Name of the guard, where several run on one machine.")]
WATCH_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("status")(status)


def run(
    policy: Annotated[str, typer.Option(help="Name of a preset, or path of a policy file.")],
    instance: INSTANCE = "default",
    fd_target: Annotated[
        str | None, typer.Option(help="Also send every output to udp://HOST:PORT, a serial port, a pipe or a file.")
    ] = None,
    log_dir: Annotated[Path | None, typer.Option(help="Directory of the black box.")] = None,
    key: Annotated[Path | None, typer.Option(help="Ed25519 key (PEM) that signs closed log segments.")] = None,
    cpu: Annotated[int | None, typer.Option(help="Run the loop on this CPU only.", min=0)] = None,
    bridge: Annotated[
        str | None,
        typer.Option(help="Serial port of the emergency-stop microcontroller, and @UNIT if its number is not 1."),
    ] = None,
    stay: Annotated[bool, typer.Option(help="With a bad policy: keep running with stopped outputs.")] = False,
) -> None:
    """Run the guard until SIGTERM or Ctrl-C.

    A bad policy is listed problem by problem; the outputs are stopped and the exit code is 2. The black box cannot be
    switched off.
    """
    from safetykit.runtime.process import Options, run_guard

    def say(text: str) -> None:
        typer.echo(text, err=True)

    line = None
    if bridge is not None:
        from firmware_bridge.serial_port import SerialLine, split_unit

        line = SerialLine(*split_unit(bridge), say)
    options = Options(policy, instance, output=fd_target, log_dir=log_dir, key=key, cpu=cpu, stay=stay, line=line)
    raise typer.Exit(run_guard(options, say))


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


def _facts(instance: str) -> dict[str, Any]:
    from dataclasses import asdict

    from safetykit.core.vocabulary import fault_names
    from safetykit.errors import MailboxError
    from safetykit.runtime import paths
    from safetykit.runtime.actuator import ActuatorReader
    from safetykit.runtime.status import read_status

    directory = paths.run_dir(instance, create=False)
    counts = read_status(directory / paths.STATUS)
    view = latest_live(ActuatorReader(directory / paths.ACTUATOR))
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
    facts["device"] = _device(directory)
    return facts


def _device(directory: Path) -> dict[str, Any] | None:
    """The emergency stop device in a few words; None if the guard has none."""
    from firmware_bridge.facts import read_page
    from safetykit.core.vocabulary import Device
    from safetykit.runtime import paths

    page = read_page(directory / paths.BRIDGE)
    if page.kind != Device.MICROCONTROLLER:
        return None if page.kind == Device.NONE else {"kind": Device(page.kind).name}
    facts = page.facts(time.monotonic_ns())
    state = facts.state.name if facts.alive and facts.state else "SILENT"
    cause = facts.events[0].text if facts.events else None
    return {"kind": "MICROCONTROLLER", "state": state, "connected": page.connected, "latest_cause": cause}


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
    if (device := facts["device"]) is not None:
        state = f" {device['state']}, latest stop: {device['latest_cause']}" if "state" in device else ""
        lines.insert(3, f"  emergency stop device: {device['kind'].lower()}{state}")
    return "\n".join(lines)


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
