"""The demo's stage: board, cable, guard, autonomy and vehicle, and what a person can do to them."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console

from firmware_bridge.facts import DeviceFacts, read_page
from firmware_bridge.qemu_board import QemuBoard
from firmware_bridge.wire import McuState
from safetykit.core import protocol as p
from safetykit.core.heartbeat import HEARD_NS
from safetykit.core.vocabulary import Fault, State
from safetykit.errors import MailboxError, SafetykitError
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader, ActuatorView
from safetykit.runtime.mailbox import ControlWriter
from sim.demo.crew import Crew
from sim.demo.trace import Trace
from sim.demo_estop import mcu
from sim.demo_estop.autonomy import SPEED_MPS
from sim.demo_estop.cable import Cable
from sim.demo_estop.vehicle import Vehicle

INSTANCE = "demo-estop"
POLICY = "rover"
READY_S = 120.0  # compiling from nothing on a slow machine
STEP_S = 5.0  # for anything that a person waits for
ATTEMPTS = 6  # of bringing the vehicle to driving
PRESSES = 5  # of the engage button; the guard refuses while a busy host makes commands late
PRESSED_S = 0.4
KEY_S = 0.15
AGAIN_S = 0.1  # between two tries of the guard's reset
ENGAGE_PAUSE_S = 0.15  # the button up for longer than a few ticks
CRUISE_S = 0.4
LOOK_S = 0.005
SHOWN_EVERY_S = 0.1
REST_MPS = 0.005
DEVICE_FAULTS = 1 << Fault.STOP_BUTTON | 1 << Fault.DEVICE_SILENT


class StageError(SafetykitError):
    """Something on the stage does not do what it must; says what and what is in the way."""


class NotDriving(StageError):
    """The vehicle had stopped before the cause: the scene has not been played."""


@dataclass(frozen=True)
class Mark:
    """A moment: on this computer's clock and, where it is known, on the microcontroller's."""

    at_ns: int
    mcu_us: int | None = None


class Stage:
    """A context. Everything on it ends with it."""

    def __init__(self, console: Console, board: QemuBoard, run: Path, out: Path) -> None:
        self.console = console
        self.board = board
        self.out = out
        self.unasked: list[str] = []  # stops that nobody caused
        self.mcu_states: list[tuple[float, str]] = []  # from when on (monotonic s), and what
        self._crew = Crew(out, {"PYTHONUNBUFFERED": "1"})
        self._cable = Cable(board.port, run / "cable")
        self._status = console.status("starting")
        self._shown_s = 0.0
        self._expected_gone: tuple[str, ...] = ()

    def __enter__(self) -> Stage:
        self._status.start()
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _open(self) -> None:
        self.start_guard()
        directory = paths.run_dir(INSTANCE, create=False)
        self.trace = Trace(directory / paths.RING)
        self.control = ControlWriter(directory / paths.control_name("console"))
        self.vehicle = Vehicle(directory, lambda: self.board.power)
        self._crew.start("autonomy", "sim.demo_estop.autonomy", "--instance", INSTANCE)
        self.wait(lambda: self.facts().alive, "answer from the microcontroller", READY_S)
        self.wait(lambda: not self.view().faults & 1 << Fault.COMMAND_MISSING, "command from the autonomy", READY_S)

    def _close(self) -> None:
        self._status.stop()
        vehicle: Vehicle | None = getattr(self, "vehicle", None)
        if vehicle is not None:
            vehicle.close()
        self._crew.__exit__(None, None, None)
        self._cable.close()

    # ------------------------------------------------------------------ looking

    def view(self) -> ActuatorView:
        """What the guard sent last."""
        view = ActuatorReader(paths.run_dir(INSTANCE, create=False) / paths.ACTUATOR).read()
        if view is None:
            raise StageError("the guard's output cannot be read")
        return view

    def facts(self) -> DeviceFacts:
        """What the guard knows of the microcontroller."""
        return read_page(paths.run_dir(INSTANCE, create=False) / paths.BRIDGE).facts(time.monotonic_ns())

    def heard_ns(self) -> int:
        """When the guard last heard the microcontroller answer."""
        return int(read_page(paths.run_dir(INSTANCE, create=False) / paths.BRIDGE).link[HEARD_NS])

    @property
    def at_rest(self) -> bool:
        return abs(self.vehicle.body.speed_mps) < REST_MPS

    def say(self, text: str) -> None:
        """One line of what happens."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def wait(self, reached: Callable[[], Any], what: str, limit_s: float = STEP_S) -> None:
        """Looks on until something is so. Raises StageError if it never is."""
        end_s = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() > end_s:
                raise StageError(f"no {what} within {limit_s:g} s; {self.describe()}")
            self._look()

    def wait_armed(self, reached: Callable[[], Any], what: str, limit_s: float = STEP_S) -> None:
        """The same, but a stop of the microcontroller ends it at once."""

        def stopped() -> bool:
            return self.mcu_states[-1][1] not in ("ARMED", "RUN")

        self.wait(lambda: stopped() or reached(), what, limit_s)
        if stopped():
            raise StageError(f"a stop while waiting for {what}; {self.describe()}")

    def watch(self, seconds: float) -> None:
        """Looks on for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._look()

    def describe(self) -> str:
        """Everybody's state, in one line."""
        try:
            view = self.view()
            guard = f"{view.state.name} ({', '.join(view.fault_names) or 'no faults'})"
        except MailboxError:
            guard = "not there"
        latest = self.board.event()
        return f"guard {guard}; microcontroller {mcu.state_name(self.board)}, last event {latest}"

    def _look(self) -> None:
        """One look at everything; then a short sleep."""
        trace: Trace | None = getattr(self, "trace", None)
        if trace is not None:
            trace.drain()
        self._note_mcu()
        self._all_alive()
        now_s = time.monotonic()
        if self.console.is_terminal and trace is not None and now_s > self._shown_s + SHOWN_EVERY_S:
            self._shown_s = now_s
            self._show()
        time.sleep(LOOK_S)

    def _note_mcu(self) -> None:
        name = mcu.state_name(self.board)
        if not self.mcu_states or self.mcu_states[-1][1] != name:
            self.mcu_states.append((time.monotonic(), name))

    def _show(self) -> None:
        view = ActuatorReader(paths.run_dir(INSTANCE, create=False) / paths.ACTUATOR).read()
        silent = view is None or view.age_ns() > 200_000_000
        guard = "[bold red]silent[/]" if silent or view is None else view.state.name
        power = "[bold green]ON[/]" if self.board.power else "[bold red]OFF[/]"
        speed = self.vehicle.body.speed_mps if hasattr(self, "vehicle") else 0.0
        microcontroller = self.mcu_states[-1][1]
        self._status.update(f"{speed:4.2f} m/s   power {power}   guard {guard}   microcontroller {microcontroller}")

    def _all_alive(self) -> None:
        gone = self._crew.gone(*self._expected_gone)
        if gone is not None:
            raise StageError(f"the {gone} process ended by itself:\n{self._crew.tail(gone)}")
        vehicle: Vehicle | None = getattr(self, "vehicle", None)
        if not self._cable.alive or (vehicle is not None and not vehicle.alive):
            raise StageError("a thread of the demo ended by itself")

    # ------------------------------------------------------------------ what a person does

    @contextmanager
    def moment(self) -> Iterator[int]:
        """The moment of a cause: the microcontroller's clock stands still at the given time, its relays are closed.

        Raises NotDriving if a busy host has made it stop before.
        """
        with mcu.instant(self.board):
            if self.board.state("state") != p.STATE_RUN or not self.board.power:
                raise NotDriving(f"stopped before the cause; last event {self.board.event()}")
            yield self.board.state("now_us")

    def press(self, a: bool = True, b: bool = True, welded: int = 0) -> Mark:
        """The emergency-stop button, or one of its two channels; the contact of relay `welded` does not open then."""
        with self.moment() as before_us:
            if welded:
                self.board.weld(welded)
            return Mark(self.board.press(a, b), before_us)

    def release(self) -> None:
        """Both channels closed again."""
        self.board.release()

    def cut_cable(self) -> Mark:
        with self.moment():
            return Mark(self._cable.cut())

    def mend_cable(self) -> None:
        self._cable.mend()

    def spoil_cable(self, bytes_per_s: float) -> Mark:
        with self.moment():
            return Mark(self._cable.spoil(bytes_per_s))

    def calm_cable(self) -> None:
        self._cable.spoil(0)

    def strike_guard(self, number: signal.Signals) -> Mark:
        """A signal to the guard that it does not survive, or not for now."""
        with self.moment():
            self._expected_gone = ("guard",)
            os.kill(self._crew.processes["guard"].pid, number)
            return Mark(time.monotonic_ns())

    def wake_guard(self) -> None:
        """A frozen guard goes on."""
        os.kill(self._crew.processes["guard"].pid, signal.SIGCONT)
        self._expected_gone = ()

    def start_guard(self) -> None:
        """A guard, until it is at work. The first start ever compiles it."""
        arguments = ["run", "--policy", POLICY, "--instance", INSTANCE, "--bridge", self._cable.port]
        process = self._crew.start("guard", "safetykit", *arguments, "--log-dir", str(self.out / "blackbox"))
        self._expected_gone = ()

        def at_work() -> bool:
            try:
                directory = paths.run_dir(INSTANCE, create=False)
                mine = paths.guard_info(directory)["pid"] == process.pid
                return mine and self.view().age_ns() < 100_000_000
            except (MailboxError, StageError):
                return False

        self.wait(at_work, "guard at work", READY_S)

    def reset_guard(self) -> None:
        """What `safetykit reset` does, without its patience."""
        self.control.reset(self.view().stop_event)

    def ask_to_stop(self) -> Mark:
        """What `safetykit stop` does."""
        with self.moment():
            self.control.stop()
            return Mark(time.monotonic_ns())

    def try_key(self, held_s: float, watch_s: float) -> None:
        """The reset key, held for so long, then a reset of the guard: where it must not help."""
        self.board.key(True)
        self.watch(held_s)
        self.board.key(False)
        self.watch(watch_s / 2)
        self.reset_guard()
        self.watch(watch_s / 2)

    def press_engage(self) -> None:
        """The operator lets go of the engage button and presses it again."""
        self.vehicle.engage = False
        self.watch(ENGAGE_PAUSE_S)
        self.vehicle.engage = True

    def drive(self) -> None:
        """From wherever the stage is to a vehicle that drives: release, key, reset, engage."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if not self.board.power:
                    self._make_ready()
                    self._turn_key_and_reset()
                self._set_off()
                return
            except StageError as error:
                if attempt == ATTEMPTS:
                    raise
                self.unasked.append(str(error))

    def _make_ready(self) -> None:
        """Nothing speaks against a reset any more."""
        self.vehicle.engage = False
        self.release()
        if self.board.state("channel_fault"):
            self.board.press()
            self.watch(0.05)
            self.release()

        def ready() -> bool:
            state = self.board.state
            linked = state("streak") >= p.STREAK_MIN and state("host_command") == p.COMMAND_STOP
            settled = state("host_rest") == p.REST_YES and state("closed_us") > p.RELEASE_US
            return linked and settled and state("state") == p.STATE_STOPPED and self.facts().alive

        self.wait(ready, "microcontroller ready for its key", 2 * STEP_S)

    def _turn_key_and_reset(self) -> None:
        self.board.turn_key(KEY_S)
        self.wait(lambda: self.mcu_states[-1][1] == "ARMED", "effect of the reset key", 1.0)
        reset = (McuState.ARMED, McuState.RUN)
        self.wait_armed(
            lambda: self.facts().state in reset and not self.view().faults & DEVICE_FAULTS, "news at the guard"
        )
        next_s = 0.0

        def stands_by() -> bool:
            nonlocal next_s
            if time.monotonic() > next_s:  # a person presses again, too
                next_s = time.monotonic() + AGAIN_S
                self.reset_guard()
            return self.view().state == State.STANDBY

        self.wait_armed(stands_by, "reset of the guard")
        self.wait_armed(lambda: self.board.power, "power after the reset")

    def _set_off(self) -> None:
        for _ in range(PRESSES):
            self.press_engage()
            end_s = time.monotonic() + PRESSED_S
            while self.view().state != State.ENGAGED and time.monotonic() < end_s:
                self._look()
            if self.view().state == State.ENGAGED:
                break
        self.wait_armed(lambda: self.vehicle.body.speed_mps > 0.95 * SPEED_MPS, "driving vehicle")
        self.watch(CRUISE_S)
        if not self.board.power or self.view().state != State.ENGAGED:
            raise StageError(f"stopped while driving; {self.describe()}")


def fresh_folder(out: Path) -> None:
    """Makes the folder; what the demo before left of its black box is nobody's evidence. Raises StageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StageError(f"--out {out}: {error.strerror}") from error
    shutil.rmtree(out / "blackbox", ignore_errors=True)
