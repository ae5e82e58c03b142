"""The production core of the firmware in simulated time, one cycle per millisecond, with a button, a key and relays.

Everything is deterministic: no thread, no sleep, no clock of the computer. The line is that of a UART at 115200 baud:
eleven bytes in a millisecond, in each direction.
"""

from __future__ import annotations

import ctypes
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from safetykit.core import protocol as p
from safetykit.core.vocabulary import Device
from safetykit.policy import Policy
from safetykit.runtime import device
from safetykit.runtime.actuator import ActuatorView
from tests.firmware.library import Board, Boot, Cycle, library
from tests.unit.bridge.bench import Bench
from tests.unit.runtime.rig import Rig

CYCLE_US = 1000
BYTES_PER_CYCLE = 11
RELAY_US = 5000  # a relay needs this long to follow
IMAGE = bytes(range(256)) * 4  # the program that the self-test goes through: 16 slices

Spoil = Callable[[bytes], bytes]  # what the line makes of the bytes of one cycle or one tick


def whole(data: bytes) -> bytes:
    """A line that loses nothing."""
    return data


class CoreBoard:
    """One microcontroller. Only one can live at a time: the library has one board of variables."""

    def __init__(self, unit: int = 1, seed: int = 0x1234_5678, cause: p.Cause = p.Cause.POWER_UP) -> None:
        self._library = library()
        self.board = Board.in_dll(self._library, "board")
        self.cycle = Cycle()
        self._image = ctypes.create_string_buffer(IMAGE, len(IMAGE))
        ctypes.memset(ctypes.byref(self.board), 0, ctypes.sizeof(self.board))
        self.board.step_us = CYCLE_US
        self._library.selfcheck_init(ctypes.byref(self.cycle.program), self._image, len(IMAGE), _program_crc())
        boot = Boot(unit=unit, image_crc=_program_crc(), boots=1, event_number=0, seed=seed, cause=cause)
        self._library.cycle_init(ctypes.byref(self.cycle), ctypes.byref(boot), True)
        self.pressed, self.key = False, False
        self.relays = [Relay(), Relay()]
        self._pulse_us = 0
        self._level = False
        self._to_host = b""
        self._from_host = b""
        self.spoil: Spoil = whole  # what the line makes of the frames to the host

    # ------------------------------------------------------------------ time and line

    def run_cycle(self) -> None:
        """One millisecond."""
        contacts = self.board.contacts
        contacts.channel_a = contacts.channel_b = not self.pressed
        contacts.key = self.key
        contacts.released_1, contacts.released_2 = (not relay.closed for relay in self.relays)
        arriving, self._from_host = self._from_host[:BYTES_PER_CYCLE], self._from_host[BYTES_PER_CYCLE:]
        ctypes.memmove(self.board.received, arriving, len(arriving))
        self.board.received_at, self.board.received_count = 0, len(arriving)
        self.board.sent_count = 0
        self._library.cycle_run(ctypes.byref(self.cycle))
        self._to_host += self.spoil(bytes(self.board.sent[: self.board.sent_count]))
        self._follow()

    def _follow(self) -> None:
        """Relay 1 by the level of its output, relay 2 only while its output keeps changing."""
        driven = self.board.driven
        self._pulse_us = 0 if driven.relay_2 != self._level else self._pulse_us + CYCLE_US
        self._level = driven.relay_2
        self.relays[0].follow(driven.relay_1)
        self.relays[1].follow(self._pulse_us < 3 * CYCLE_US and self.board.now_us > 3 * CYCLE_US)

    def take(self, data: bytes) -> None:
        """Bytes on their way from the host."""
        self._from_host += data

    def give(self) -> bytes:
        """Bytes that have reached the host within one millisecond."""
        data, self._to_host = self._to_host[:BYTES_PER_CYCLE], self._to_host[BYTES_PER_CYCLE:]
        return data

    # ------------------------------------------------------------------ what it is

    @property
    def state(self) -> int:
        return int(self.cycle.state.state)

    @property
    def now_us(self) -> int:
        return int(self.board.now_us)

    @property
    def driven(self) -> bool:
        """An output to a relay is on, or was within the last cycles."""
        return bool(self.board.driven.relay_1) or bool(self.board.driven.relay_2)

    @property
    def power(self) -> bool:
        """Both relays closed: the actuators have their supply."""
        return all(relay.closed for relay in self.relays)

    @property
    def cause(self) -> p.Cause:
        """Of the latest stop."""
        return p.Cause(self.cycle.state.event[self.cycle.state.event_slot].cause)


class LiveCore:
    """The core as the far end of a real port: as many cycles as milliseconds have passed."""

    def __init__(self) -> None:
        self.board = CoreBoard()
        self._cycles, self._began_s = 0, time.monotonic()

    def __call__(self, data: bytes) -> bytes:
        self.board.take(data)
        answer = b""
        while self._cycles < (time.monotonic() - self._began_s) * 1000:
            self._cycles += 1
            self.board.run_cycle()
            answer += self.board.give()
        return answer


@dataclass
class Relay:
    """Follows its coil after RELAY_US."""

    closed: bool = False
    differing_us: int = 0

    def follow(self, on: bool) -> None:
        self.differing_us = self.differing_us + CYCLE_US if on != self.closed else 0
        if self.differing_us >= RELAY_US:
            self.closed, self.differing_us = on, 0


def _program_crc() -> int:
    """As the build seals it: without a unit number."""
    crc = 0xFFFFFFFF
    for byte in IMAGE:
        crc = int(library().wire_crc_byte(crc, byte))
    return crc ^ 0xFFFFFFFF


@dataclass
class Together(Bench):
    """The production loop of the guard and the production core of the firmware, on one simulated clock."""

    board: CoreBoard = field(default_factory=CoreBoard)
    cut: bool = False  # the line is cut
    frozen: bool = False  # the guard's process does nothing more
    spoil: Spoil = whole  # what the line makes of the frames to the board

    def tick(self, after_ns: int | None = None) -> ActuatorView:
        if self.frozen:
            self.rig.now_ns += self.rig.policy.period_ns
            self.answer()
            return self.rig.output()
        return super().tick(after_ns)

    def answer(self) -> None:
        """The milliseconds until the guard's next tick, on the board and on the line."""
        for _ in range(self.rig.policy.period_ns // (CYCLE_US * 1000)):
            data = self.sent()
            self.board.take(b"" if self.cut else self.spoil(data))
            self.board.run_cycle()
            data = self.board.give()
            self.send(b"" if self.cut else data)

    def turn_key(self, ticks: int = 12) -> None:
        self.board.key = True
        self.ticks(ticks)
        self.board.key = False
        self.ticks(2)

    def start(self) -> None:
        """From the power-up to RUN: key, then reset of the guard."""
        self.ticks(40)
        self.turn_key()
        assert self.board.state == p.STATE_ARMED, (self.board.state, self.board.cause)
        self.reset()
        self.ticks(4)
        assert (self.board.state, self.board.power) == (p.STATE_RUN, True)
        assert self.device_faults == set(), self.device_faults


def together(policy: Policy | str = "rover", seed: int = 0x1234_5678) -> Together:
    """Both, just switched on. The sockets live as long as the result."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    rig = Rig(policy, kind=Device.MICROCONTROLLER)
    device.hand_over(rig.device, near.fileno())
    return Together(rig, near, far, board=CoreBoard(seed=seed))
