"""Runs the demo: starts the processes, does what the script has the operator and the kernel do, judges, reports."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from safetykit.core.vocabulary import State
from safetykit.errors import MailboxError, SafetykitError
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import ControlWriter
from sim.autonomy import Script, load_script
from sim.demo import pilot, vehicle
from sim.demo.crew import Crew
from sim.demo.domain import ros_environment
from sim.demo.fences import TRACK_WIDTH
from sim.demo.judge import Allowed
from sim.demo.record import read_rows
from sim.demo.trace import Trace
from sim.demo.view import View

INSTANCE = "demo"
READY_WITHIN_S = 90.0  # compiling from nothing on a slow machine
FRAME_EVERY_S = 0.05
LEAD_IN_S = {"ros2": 2.5, "shm": 1.5}  # the pilot's own start, before the script's zero


class DemoError(SafetykitError):
    """The demo could not be carried out; says which process failed and what it wrote last."""


@dataclass(frozen=True)
class Stage:
    """Where and with what the demo runs."""

    console: Console
    transport: str
    policy: Path
    mapping: Path  # from ROS 2 topics to the policy
    script: Path
    out: Path  # logs, records, pictures


@dataclass(frozen=True)
class Performance:
    """What is left of a finished demo."""

    script: Script
    transport: str
    start_s: float
    trace: Trace
    frames: Mapping[str, Any]  # columns of the guard's frames
    guard_status: int
    deeds_s: Mapping[str, float]  # when each fault that is done from outside really was, monotonic seconds
    sent: Any  # rows of the pilot's own record
    received: Any  # rows of the vehicle's own record
    track: Any  # rows of where the vehicle was, from the script's zero on


@contextmanager
def run_directory() -> Iterator[Path]:
    """A private run directory, so that a guard that really runs on this machine is never touched."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="safetykit-demo-", dir=base))
    before = os.environ.get(paths.RUN_DIR_VARIABLE)
    os.environ[paths.RUN_DIR_VARIABLE] = str(path)
    try:
        yield path
    finally:
        os.environ.pop(paths.RUN_DIR_VARIABLE)
        if before is not None:
            os.environ[paths.RUN_DIR_VARIABLE] = before
        shutil.rmtree(path, ignore_errors=True)


def perform(stage: Stage, allowed: Allowed) -> Performance:
    """The whole show. Raises DemoError when a process does not start or ends by itself."""
    shutil.rmtree(stage.out / "blackbox", ignore_errors=True)  # of the demo before; nobody's evidence
    stage.out.mkdir(parents=True, exist_ok=True)
    script = load_script(stage.script)
    with run_directory(), Crew(stage.out, ros_environment()) as crew:
        _start_guard(stage, crew)
        start_s = _start_cast(stage, crew)
        trace = Trace(paths.run_dir(INSTANCE, create=False) / paths.RING)
        with View(stage.console, allowed) as view:
            deeds_s = _play(script, crew, trace, view, start_s)
        stage.console.print("the script is over; stopping the guard")
        status = crew.end("guard")
    sent = read_rows(stage.out / "pilot.f64", pilot.WIDTH)
    received = read_rows(stage.out / "vehicle.f64", vehicle.WIDTH)
    # What arrives after the script is the guard's own farewell (power off, neutral) and no part of it.
    received = received[received[:, 0] < start_s + script.seconds]
    track = read_rows(stage.out / "track.f64", TRACK_WIDTH)
    track = track[(track[:, 0] >= start_s) & (track[:, 0] < start_s + script.seconds)]
    return Performance(script, stage.transport, start_s, trace, trace.columns(), status, deeds_s, sent, received, track)


def _start_guard(stage: Stage, crew: Crew) -> None:
    """Starts the guard, waits until it sends. The first start compiles."""
    log = str(stage.out / "blackbox")
    crew.start("guard", "safetykit", "run", "--policy", str(stage.policy), "--instance", INSTANCE, "--log-dir", log)
    started_s = time.monotonic()
    stage.console.print("guard: starting; the first start compiles it, which takes a while")
    with stage.console.status("guard: starting") as line:
        while _latest() is None:
            seconds = time.monotonic() - started_s
            line.update(f"guard: compiling and testing itself, {seconds:.0f} s (the first start takes longest)")
            _all_alive(crew)
            if seconds > READY_WITHIN_S:
                raise DemoError(f"the guard was not ready within {READY_WITHIN_S:.0f} s:\n{crew.tail('guard')}")
            time.sleep(0.1)
    if (view := _latest()) is None or view.state not in (State.STANDBY, State.BOOT):
        raise DemoError(f"the guard does not arm:\n{crew.tail('guard')}")
    stage.console.print(f"guard: ready after {time.monotonic() - started_s:.1f} s, policy {stage.policy.name}")


def _latest() -> ActuatorView | None:
    """What the guard sent last; None before it is ready."""
    try:
        directory = paths.run_dir(INSTANCE, create=False)
        paths.guard_info(directory)
        return ActuatorReader(directory / paths.ACTUATOR).read()
    except MailboxError:
        return None


def _start_cast(stage: Stage, crew: Crew) -> float:
    """Starts everything around the guard; returns the script's zero in monotonic seconds."""
    common = ("--transport", stage.transport, "--instance", INSTANCE)
    if stage.transport == "ros2":
        bound = ("--policy", str(stage.policy), "--mapping", str(stage.mapping))
        crew.start("ros", "safetykit", "ros", *bound, "--instance", INSTANCE, "--attach")
    record, track = str(stage.out / "vehicle.f64"), str(stage.out / "track.f64")
    crew.start("vehicle", "sim.demo.vehicle", *common, "--record", record, "--track", track)
    crew.start("operator", "sim.demo.operator", *common)
    with stage.console.status("vehicle, operator and autonomy: starting"):
        until_s = time.monotonic() + READY_WITHIN_S
        while len(read_rows(Path(record), vehicle.WIDTH)) == 0:
            _all_alive(crew)
            if time.monotonic() > until_s:
                raise DemoError(f"nothing arrives at the vehicle:\n{crew.tail('vehicle')}")
            time.sleep(0.1)
    start_s = time.monotonic() + LEAD_IN_S[stage.transport]
    arguments = ("--script", str(stage.script), "--record", str(stage.out / "pilot.f64"), "--start-s", repr(start_s))
    crew.start("pilot", "sim.demo.pilot", *common, *arguments)
    return start_s


def _all_alive(crew: Crew, *expected: str) -> None:
    gone = crew.gone(*expected)
    if gone is not None:
        raise DemoError(f"the {gone} process ended by itself:\n{crew.tail(gone)}")


def _play(script: Script, crew: Crew, trace: Trace, view: View, start_s: float) -> dict[str, float]:
    """From the script's zero to its end; returns when each deed was done."""
    done_s: dict[str, float] = {}
    todo = _deeds(script, crew)
    dead: tuple[str, ...] = ()
    while (now_s := time.monotonic() - start_s) < script.seconds:
        while todo and todo[0].at_s <= now_s:
            deed = todo.pop(0)
            dead += deed.ends
            done_s.setdefault(deed.fault, time.monotonic())
            deed.do()
        trace.drain()
        if trace.latest is not None:
            active = next((fault.name for fault in script.faults if fault.active(now_s)), "")
            view.show(trace.latest, max(now_s, 0.0), active)
        _all_alive(crew, *dead)
        time.sleep(FRAME_EVERY_S)
    trace.drain()
    return done_s


@dataclass(frozen=True)
class Deed:
    """Something done to the cast from outside; `ends` names the process that does not survive it."""

    at_s: float
    fault: str
    do: Callable[[], None]
    ends: tuple[str, ...] = ()


def _deeds(script: Script, crew: Crew) -> list[Deed]:
    """What the script has the operator and the kernel do, in order of time."""
    directory = paths.run_dir(INSTANCE, create=False)
    console = ControlWriter(directory / paths.control_name("console"))
    actuator = ActuatorReader(directory / paths.ACTUATOR)

    def reset() -> None:
        view = actuator.read()
        if view is not None:
            console.reset(view.stop_event)

    deeds = []
    for fault in script.faults:
        if fault.kind == "kill":
            deeds.append(Deed(fault.start_s, fault.name, crew.processes["pilot"].kill, ("pilot",)))
        if fault.kind == "false_altitude":
            for at_s, word in ((fault.start_s, vehicle.LIE), (fault.start_s + fault.duration_s, vehicle.TRUTH)):
                deeds.append(Deed(at_s, fault.name, partial(crew.processes["vehicle"].send_signal, word)))
        if fault.kind == "stop_request":
            deeds.append(Deed(fault.start_s, fault.name, console.stop))
            deeds.append(Deed(fault.start_s + fault.duration_s, fault.name, reset))
    return sorted(deeds, key=lambda deed: deed.at_s)
