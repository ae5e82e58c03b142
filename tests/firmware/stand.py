"""The firmware on a test stand: contacts that stay as they are set, relays that follow, a guard that answers rightly.

`Stand` drives the step function; `LineStand` drives whole cycles, with bytes on the line.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.firmware.library import Board, Boot, Cycle, Inputs, Outputs, State, library
from tests.firmware.protocol import CAUSE_NAME, CODE, PASSED, RUN, RUNNING, STOP, YES, answer, crc, heartbeat

STATE_NAME = {code: name.removeprefix("STATE_") for name, code in CODE.items() if name.startswith("STATE_")}
BEAT_US = 5_000
PRESS_US = 200_000


def boot_record(unit: int = 1, seed: int = 0x5EED, number: int = 0, cause: int = 12) -> Boot:
    """A start after power-up."""
    return Boot(unit=unit, image_crc=0xC0FFEE00, boots=1, event_number=number, seed=seed, cause=cause)


class Told:
    """What a state of the firmware says in words."""

    state: State

    @property
    def name(self) -> str:
        """State."""
        return STATE_NAME[int(self.state.state)]

    @property
    def cause(self) -> str:
        """Cause of the latest event."""
        return CAUSE_NAME[int(self.state.event[self.state.event_slot].cause)]


class Stand(Told):
    """The step function with everything around it well-behaved until the test says otherwise."""

    def __init__(self, boot: Boot | None = None, now_us: int = 0) -> None:
        self.core = library()
        self.state = State()
        self.made = Outputs()
        self.now_us = now_us
        self.a = self.b = True
        self.key = False
        self.damaged = False
        self.mirrors: tuple[bool, bool] | None = None  # None: they follow the relays
        self.check = PASSED
        self.core.estop_init(ctypes.byref(self.state), ctypes.byref(boot or boot_record()))

    # -------------------------------------------------------------- looking

    @property
    def number(self) -> int:
        """Number of the latest event."""
        return int(self.state.event_number)

    @property
    def on(self) -> bool:
        """Relays driven: the static output, and the pulsed one in this step or the one before."""
        return bool(self.made.relay_1 or self.made.relay_2)

    def blockers(self) -> int:
        """Why the key would do nothing now."""
        return int(self.core.estop_blockers(ctypes.byref(self.state), ctypes.byref(self.inputs(None))))

    # -------------------------------------------------------------- acting

    def inputs(self, frame: bytes | None) -> Inputs:
        """What the next step would see."""
        released = (not self.state.relay_on,) * 2 if self.mirrors is None else self.mirrors
        seen = Inputs(self.a, self.b, self.key, *released, self.damaged, frame is not None)
        if frame is not None:
            seen.frame[:] = frame
        seen.check = self.check
        return seen

    def step(self, dt_us: int = 1_000, frame: bytes | None = None) -> Stand:
        """One cycle."""
        self.now_us = (self.now_us + dt_us) % 2**32
        seen = self.inputs(frame)
        self.core.estop_step(ctypes.byref(self.state), ctypes.byref(seen), self.now_us, ctypes.byref(self.made))
        return self

    def right(self, command: int = STOP, rest: int = YES) -> bytes:
        """What a good guard sends now."""
        s = self.state
        seq = (s.seq + 1) % 65536
        return heartbeat(s.unit, command, rest, s.session, seq, answer(s.unit, s.challenge, s.session, seq))

    def beat(self, command: int = STOP, rest: int = YES, dt_us: int = BEAT_US) -> Stand:
        """One cycle with a right answer."""
        return self.step(dt_us, self.right(command, rest))

    def beats(self, count: int, command: int = STOP, rest: int = YES) -> Stand:
        for _ in range(count):
            self.beat(command, rest)
        return self

    def wait(self, us: int, command: int = STOP, dt_us: int = BEAT_US) -> Stand:
        """Lets time pass with a good guard."""
        for _ in range(us // dt_us):
            self.beat(command, dt_us=dt_us)
        if us % dt_us:
            self.step(us % dt_us)
        return self

    def press(self, us: int = PRESS_US) -> Stand:
        """Presses the key in one step and releases it in the one that comes `us` later."""
        self.key = True
        self.beat()
        self.wait(us - BEAT_US)
        self.key = False
        return self.beat()

    # -------------------------------------------------------------- states

    def to_stopped(self) -> Stand:
        self.check = RUNNING
        self.step()
        self.check = PASSED
        return self.step()

    def to_ready(self) -> Stand:
        """Stopped, and only the key is missing."""
        self.a = self.b = True
        self.key = False
        self.step().beats(25)
        assert (self.name, self.blockers()) == ("STOPPED", 0)
        return self

    def to_armed(self) -> Stand:
        self.to_ready().press()
        assert self.name == "ARMED", self.name
        return self

    def to_run(self) -> Stand:
        self.to_armed().beat(RUN)
        assert (self.name, self.on) == ("RUN", True)
        self.beat(RUN)
        self.wait(60_000, RUN)  # the relays have pulled in for longer than they may take
        return self

    def copy(self) -> Stand:
        """Another stand in the same state."""
        twin = Stand.__new__(Stand)
        twin.__dict__.update(self.__dict__)
        twin.state = State.from_buffer_copy(self.state)
        twin.made = Outputs.from_buffer_copy(self.made)
        return twin


@cache
def _prepared(where: str) -> Stand:
    stand = Stand().to_stopped()
    go = {"STOPPED": stand.beat, "READY": stand.to_ready, "ARMED": stand.to_armed, "RUN": stand.to_run}[where]
    go()
    return stand


def forget() -> None:
    """Another library is under test from now on."""
    _prepared.cache_clear()


def stopped() -> Stand:
    """A stand that has just finished its self-test."""
    return _prepared("STOPPED").copy()


def ready() -> Stand:
    """A stand in which only the key is missing."""
    return _prepared("READY").copy()


def armed() -> Stand:
    return _prepared("ARMED").copy()


def running() -> Stand:
    return _prepared("RUN").copy()


def stands() -> Iterator[tuple[str, Stand]]:
    """One in each state after the self-test."""
    yield from (("STOPPED", ready()), ("ARMED", armed()), ("RUN", running()))


# ------------------------------------------------------------------------------ whole cycles


@dataclass(frozen=True)
class Status:
    """A status frame, read."""

    state: str
    inputs: int
    session: int
    seq: int
    challenge: int


def statuses(sent: bytes, unit: int = 1) -> tuple[list[Status], list[bytes]]:
    """Status frames and diagnostic frames in what the board sent; every one must be whole and sealed."""
    found, diags = [], []
    for at in range(0, len(sent), 16):
        frame = sent[at : at + 16]
        assert frame[0] == CODE["SYNC_MCU"]
        assert frame[12:] == crc(unit, frame[:12]).to_bytes(4, "little"), frame.hex()
        if frame[1] == CODE["TYPE_STATUS"]:
            words = [int.from_bytes(frame[a:b], "little") for a, b in ((4, 6), (6, 8), (8, 12))]
            found.append(Status(STATE_NAME[frame[2]], frame[3], *words))
        else:
            diags.append(frame)
    return found, diags


class LineStand(Told):
    """Whole cycles of a millisecond with a line between board and guard; the guard knows only what comes over it."""

    def __init__(self, image: bytes = bytes(range(200)), unit: int = 1, ram_sound: bool = True, seed: int = 7) -> None:
        self.core = library()
        self.board = Board.in_dll(self.core, "board")
        ctypes.memset(ctypes.byref(self.board), 0, ctypes.sizeof(self.board))
        self.unit = unit
        self.cycle = Cycle()
        self.image = (ctypes.c_uint8 * len(image))(*image)
        self.expected = crc(image[0], image[1:])  # the unit's place is taken by the first byte
        self.seed = seed
        self.begin(ram_sound)
        self.a = self.b = True
        self.key = False
        self.mirrors: tuple[bool, bool] | None = None
        self.seq = 0
        self.last: Status | None = None
        self.diags: list[bytes] = []

    def begin(self, ram_sound: bool) -> None:
        """What main() does at a start."""
        program, image = ctypes.byref(self.cycle.program), ctypes.addressof(self.image)
        self.core.selfcheck_init(program, image, len(self.image), self.expected)
        boot = boot_record(unit=self.unit, seed=self.seed)
        self.core.cycle_init(ctypes.byref(self.cycle), ctypes.byref(boot), ram_sound)

    @property
    def state(self) -> State:
        state: State = self.cycle.state
        return state

    @property
    def on(self) -> bool:
        return bool(self.board.driven.relay_1 or self.board.driven.relay_2)

    @property
    def now_us(self) -> int:
        return int(self.board.now_us)

    def send(self, data: bytes) -> None:
        """Puts bytes on the line."""
        if self.board.received_at == self.board.received_count:
            self.board.received_at = self.board.received_count = 0
        at = self.board.received_count
        self.board.received[at : at + len(data)] = data
        self.board.received_count = at + len(data)

    def run(self, dt_us: int = 1_000) -> list[Status]:
        """One cycle; returns what came back and remembers the last status."""
        released = (not self.state.relay_on,) * 2 if self.mirrors is None else self.mirrors
        self.board.contacts = Inputs(self.a, self.b, self.key, *released)
        self.board.now_us = (self.board.now_us + dt_us) % 2**32
        self.board.sent_count = 0
        self.core.cycle_run(ctypes.byref(self.cycle))
        found, diags = statuses(bytes(self.board.sent[: self.board.sent_count]), self.unit)
        self.diags += diags
        if found:
            self.last = found[-1]
        return found

    def frame(self, command: int = STOP, rest: int = YES) -> bytes:
        """The guard's next heartbeat, made from the last status that it got."""
        if self.last is None:
            return heartbeat(self.unit, command, rest, 0, 0, 0)  # only to be told session and challenge
        seq = (self.last.seq + 1) % 65536
        reply = answer(self.unit, self.last.challenge, self.last.session, seq)
        return heartbeat(self.unit, command, rest, self.last.session, seq, reply)

    def talk(self, cycles: int, command: int = STOP, rest: int = YES, every: int = 5) -> LineStand:
        """Cycles with a good guard that sends every `every` milliseconds."""
        for k in range(cycles):
            if k % every == 0:
                self.send(self.frame(command, rest))
            self.run()
        return self

    def quiet(self, cycles: int) -> LineStand:
        """Cycles with nothing on the line."""
        for _ in range(cycles):
            self.run()
        return self

    def to_stopped(self) -> LineStand:
        self.quiet(len(self.image) // 64 + 2)
        assert self.name == "STOPPED", self.name
        return self

    def to_run(self) -> LineStand:
        self.talk(150)
        self.key = True
        self.talk(200)
        self.key = False
        self.talk(5)
        assert self.name == "ARMED", self.name
        self.talk(80, RUN)
        assert (self.name, self.on) == ("RUN", True)
        return self


def line_running(unit: int = 1) -> LineStand:
    """A board in RUN with a guard on its line."""
    return LineStand(unit=unit).to_stopped().to_run()
