"""The emergency-stop microcontroller on an emulated board: the real firmware image in QEMU, behind a real serial port.

For tests and demos. Around the machine this module puts what a bench would have: the emergency-stop button with two
channels, the reset key, and two relays whose contacts switch the actuators' supply and report back through mirror
contacts. The bench follows the outputs in a thread of its own. The button works through the firmware only: in a real
vehicle its contacts lie in series with the coils as well.

    with QemuBoard() as board:
        ...                     # let something send heartbeats to board.port
        board.turn_key()
        board.wait_power(True)
        board.press()
        board.wait_power(False)
"""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

from firmware_bridge.qemu.machine import BoardError, Machine, go_first
from firmware_bridge.qemu.relays import PUMP_NS, Pump, Relay
from firmware_bridge.qemu.symbols import read_symbols, record_fields
from safetykit.core.protocol import EVENTS

IMAGE = Path(__file__).resolve().parents[1] / "out" / "firmware" / "lm3s6965evb.elf"

LOOK_S = 0.002  # the bench looks at the outputs this often; edges in between are not lost, QEMU reports each

LOOKS_PER_LINE_CHECK = 25

PORT_E = "/machine/unattached/device[12]"
PORT_B = "/machine/unattached/device[9]"
PORT_B_DIR, PORT_B_DATA = 0x4000_5400, 0x4000_53FC
RELAY_1, RELAY_2 = 0, 1  # pins of port B

RESET_REASON = 0x400F_E05C  # RESC: QEMU has the register, but does not fill it
REASON_RESET_LINE, REASON_POWER_ON = 1, 2
RAM, RAM_BYTES = 0x2000_0000, 0x1_0000


class Contact(IntEnum):
    """Inputs of the board: pins of port E."""

    CHANNEL_A = 0
    CHANNEL_B = 1
    KEY = 2
    RELEASED_1 = 3
    RELEASED_2 = 4


@dataclass(frozen=True)
class PowerChange:
    """When the actuators got or lost their supply, on this computer's monotonic clock."""

    at_ns: int
    on: bool


@dataclass(frozen=True)
class StopEvent:
    """A stop event as it lies in the firmware's memory."""

    cause: int
    number: int
    link_us: int
    at_ms: int


class QemuBoard:
    """A board under power, with its button released and its relays open. Every method may be called from any thread."""

    def __init__(self, image: Path = IMAGE, pump_ns: int = PUMP_NS) -> None:
        self.relays = (Relay(), Relay())
        self.power_changes: list[PowerChange] = []
        self._pump = Pump(pump_ns)
        self._wanted = {contact: contact is not Contact.KEY for contact in Contact}
        self._shown: dict[Contact, bool] = {}
        self._resets = 0
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._failure: BoardError | None = None
        self._machine = Machine(image)
        try:
            self._symbols = read_symbols(image)
            self._fields = record_fields("estop_state_t")
            self._machine.test(f"irq_intercept_out {PORT_B}")
            self._wake_ram()
            self._machine.write(RESET_REASON, REASON_POWER_ON)
            self._show_contacts()
            self.thaw()
        except BaseException:
            self._machine.close()
            raise
        self._bench = threading.Thread(target=self._follow, name="bench", daemon=True)
        self._bench.start()

    def __enter__(self) -> QemuBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Takes the power away for good."""
        self._ending.set()
        self._bench.join()
        self._machine.close()

    @property
    def port(self) -> str:
        """The serial port. Whoever opens it must also read it: QEMU waits for room in it."""
        return self._machine.port

    @property
    def process_id(self) -> int:
        """QEMU's."""
        return self._machine.process_id

    # ------------------------------------------------------------------ button, key, relays

    def press(self, a: bool = True, b: bool = True) -> int:
        """Opens the chosen channels of the emergency stop; returns when, in ns of the monotonic clock."""
        chosen = {Contact.CHANNEL_A: a, Contact.CHANNEL_B: b}
        return self._set({contact: False for contact, yes in chosen.items() if yes})

    def release(self, a: bool = True, b: bool = True) -> int:
        """Closes the chosen channels again."""
        chosen = {Contact.CHANNEL_A: a, Contact.CHANNEL_B: b}
        return self._set({contact: True for contact, yes in chosen.items() if yes})

    def key(self, down: bool) -> int:
        """Presses or lets go of the reset key."""
        return self._set({Contact.KEY: down})

    def turn_key(self, seconds: float = 0.3) -> None:
        """Holds the reset key for so long."""
        self.key(True)
        time.sleep(seconds)
        self.key(False)

    def weld(self, relay: int) -> None:
        """Welds the power contact of relay 1 or 2: once closed, it stays closed."""
        self.relays[relay - 1].welded = True

    def cut_mirror(self, relay: int) -> None:
        """Cuts the wire of a mirror contact: the relay is never again shown released."""
        self.relays[relay - 1].mirror_cut = True

    def disable(self, relay: int) -> None:
        """The relay never pulls in."""
        self.relays[relay - 1].dead = True

    def repair(self, relay: int) -> None:
        """Undoes every fault of a relay."""
        repaired = self.relays[relay - 1]
        repaired.welded = repaired.mirror_cut = repaired.dead = False

    @property
    def power(self) -> bool:
        """Both relays closed: the actuators have their supply."""
        self._check()
        return all(relay.closed for relay in self.relays)

    def wait_power(self, on: bool, timeout_s: float = 2.0) -> int:
        """Waits until the supply is on or off; returns when it last changed, in ns of the monotonic clock."""
        self.wait(lambda: self.power == on, f"power {'on' if on else 'off'}", timeout_s)
        return self.power_changes[-1].at_ns if self.power_changes else 0

    # ------------------------------------------------------------------ the machine

    def freeze(self) -> None:
        """The microcontroller's clock stops. Its outputs stay, so the pump lets relay 2 go."""
        self._machine.control("stop")

    def thaw(self) -> None:
        """Its clock goes on; to itself no time has passed."""
        self._machine.control("cont")

    def stall(self, seconds: float) -> None:
        """The processor stands still while its clock goes on."""
        self._machine.signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self._machine.signal(signal.SIGCONT)

    def reset(self) -> None:
        """Reset line: RAM keeps its content."""
        with self._lock:
            self.freeze()
            self._restart(REASON_RESET_LINE)
            self.thaw()

    def power_cycle(self) -> None:
        """Supply off and on again: RAM wakes up with noise in it. The serial port stays the same one."""
        with self._lock:
            self.freeze()
            self._wake_ram()
            self._restart(REASON_POWER_ON)
            self.thaw()

    def _wake_ram(self) -> None:
        """RAM that gets power holds noise; the firmware draws its first session number from it."""
        noise = base64.b64encode(os.urandom(RAM_BYTES)).decode()
        self._machine.test(f"b64write {RAM:#x} {RAM_BYTES:#x} {noise}")

    def _restart(self, reason: int) -> None:
        self._machine.write(RESET_REASON, reason)
        self._machine.control("system_reset")
        self._look()

    # ------------------------------------------------------------------ memory

    def read(self, address: int) -> int:
        """One word of memory or of a register."""
        self._check()
        return self._machine.read(address)[0]

    def write(self, address: int, value: int) -> None:
        """One word of memory or of a register: injects a fault."""
        self._check()
        self._machine.write(address, value)

    def address(self, symbol: str) -> int:
        """Where a variable of the firmware lies."""
        try:
            return self._symbols[symbol]
        except KeyError:
            raise BoardError(f"the image has no symbol {symbol!r}") from None

    def state_address(self, field: str) -> int:
        """Where a word of the firmware's state (estop_state_t) lies. The state is the first member of the cycle."""
        try:
            return self.address("cycle") + 4 * self._fields.index(field)
        except ValueError:
            raise BoardError(f"the firmware's state has no field {field!r}") from None

    def state(self, field: str) -> int:
        """A word of the firmware's state, as of the last cycle."""
        return self.read(self.state_address(field))

    def event(self) -> StopEvent:
        """The latest stop event."""
        return self._event_at(self.state("event_slot"))

    def events(self) -> list[StopEvent]:
        """Everything in the event memory, by place. A place that was never used has the number 0."""
        return [self._event_at(slot) for slot in range(EVENTS)]

    def _event_at(self, slot: int) -> StopEvent:
        """The event memory is the last member of the state."""
        self._check()
        at = self.address("cycle") + 4 * len(self._fields) + 16 * slot
        return StopEvent(*self._machine.read(at, at + 4, at + 8, at + 12))

    def wait_state(self, state: int, timeout_s: float = 2.0) -> None:
        """Waits until the firmware is in this state."""
        self.wait(lambda: self.state("state") == state, f"state 0x{state:02X}", timeout_s)

    def wait(self, reached: Callable[[], bool], what: str, timeout_s: float = 2.0) -> None:
        """Waits until something is so; an error names it if it never is."""
        latest = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > latest:
                at = self.event()
                raise BoardError(f"no {what} after {timeout_s} s; state 0x{self.state('state'):02X}, last event {at}")
            time.sleep(LOOK_S)

    # ------------------------------------------------------------------ the bench

    def _follow(self) -> None:
        go_first(threading.get_native_id())
        looks = 0
        try:
            while not self._ending.wait(LOOK_S):
                with self._lock:
                    self._look()
                looks += 1
                if looks % LOOKS_PER_LINE_CHECK == 0:
                    self._machine.free_line()
        except BoardError as error:
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _set(self, levels: dict[Contact, bool]) -> int:
        self._check()
        with self._lock:
            self._wanted.update(levels)
            self._show_contacts()
            return time.monotonic_ns()

    def _look(self) -> None:
        """Lets the relays follow the outputs, and the inputs the contacts."""
        resets = self._machine.look_for_resets()
        if resets != self._resets:
            self._resets = resets
            self._shown.clear()  # QEMU's pins forget their levels in a reset
        # A pin in reset is an input, and QEMU reports no edge then: the resistor on the board pulls it down.
        direction, data = self._machine.read(PORT_B_DIR, PORT_B_DATA)
        edges = self._machine.take_edges().count(RELAY_2)
        now_ns = time.monotonic_ns()
        before = all(relay.closed for relay in self.relays)
        self.relays[0].follow(bool(direction & data & 1 << RELAY_1), now_ns)
        self.relays[1].follow(self._pump.follow(edges, now_ns), now_ns)
        after = all(relay.closed for relay in self.relays)
        if after != before:
            self.power_changes.append(PowerChange(now_ns, after))
        self._wanted[Contact.RELEASED_1] = self.relays[0].released
        self._wanted[Contact.RELEASED_2] = self.relays[1].released
        self._show_contacts()

    def _show_contacts(self) -> None:
        changed = {contact: level for contact, level in self._wanted.items() if self._shown.get(contact) != level}
        if changed:
            names = (f"set_irq_in {PORT_E} unnamed-gpio-in {contact:d} {level:d}" for contact, level in changed.items())
            self._machine.test(*names)
            self._shown.update(changed)
