"""Runs a script through the firmware and through the model and compares every output of every step."""

from __future__ import annotations

import ctypes
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.firmware.library import Driver
from tests.firmware.model import Made, Model, Seen
from tests.firmware.protocol import CAUSE, CAUSE_NAME, CODE
from tests.firmware.scripts import BOOT, Script

TRACE = struct.Struct("<4I 4B I 16s 16s 16s")
NO_FRAME = bytes(16)
STATES = ("SELFTEST", "STOPPED", "ARMED", "RUN")


@dataclass
class Tally:
    """What a run reached."""

    states: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    replies: int = 0

    @property
    def steps(self) -> int:
        return sum(self.states.values())

    def add(self, other: Tally) -> None:
        self.states += other.states
        self.moves += other.moves
        self.causes += other.causes
        self.replies += other.replies

    def missing(self) -> list[str]:
        """Causes and transitions that no step showed; an empty list is what a run of any size must give."""
        possible = {("SELFTEST", "STOPPED"), ("STOPPED", "ARMED"), ("ARMED", "STOPPED"), ("ARMED", "RUN")}
        possible |= {("RUN", "STOPPED"), *((state, state) for state in STATES)}
        lost = [f"{before} -> {after}" for before, after in sorted(possible) if not self.moves[before, after]]
        return lost + [cause for cause in CAUSE if not self.causes[cause]]


class Difference(AssertionError):
    """The firmware and the model do not say the same."""


def trace_of(library: ctypes.CDLL, script: Script) -> bytes:
    """What the firmware makes of the script, one record of `TRACE` for each step."""
    steps = len(script.lines)
    trace = ctypes.create_string_buffer(steps * TRACE.size)
    boots = script.boots_array()
    library.driver_run(ctypes.byref(Driver()), script.lines.ctypes.data, steps, boots, trace)
    return trace.raw


def compare(script: Script, trace: bytes) -> Tally:
    """Raises `Difference` at the first step in which the model does otherwise."""
    tally = Tally()
    boots = iter(script.boots)
    begins = (script.lines["flags"] & BOOT).astype(bool).tolist()
    model: Model | None = None
    for number, (begin, record) in enumerate(zip(begins, TRACE.iter_unpack(trace), strict=True)):
        if begin:
            unit, image_crc, count, event, seed, cause = next(boots)
            model = Model(unit, image_crc, count, event, seed, CAUSE_NAME[cause])
        assert model is not None, "the script does not begin with a boot"
        before, stops = model.state, len(model.events)
        seen = _seen(record)
        made = model.step(record[0], seen)
        expected = _outputs(model, seen, made)
        if expected != record[2:4] + record[5:9] + record[10:]:
            raise Difference("\n".join(_told(number, before, record, expected)))
        _count(tally, before, model, stops, made)
    return tally


def _seen(record: tuple[int, ...]) -> Seen:
    bits = record[4]
    frame: bytes = record[9]  # type: ignore[assignment]
    return Seen(
        channel_a=bool(bits & 1),
        channel_b=bool(bits & 2),
        key=bool(bits & 4),
        released_1=bool(bits & 8),
        released_2=bool(bits & 16),
        damaged=bool(bits & 32),
        frame=frame if bits & 64 else None,
        check=record[1],
    )


def _outputs(model: Model, seen: Seen, made: Made) -> tuple[int | bytes, ...]:
    """Cause and number of the latest event, outputs, state, lock, blockers, both frames: as the firmware tells them."""
    cause = CAUSE[model.events[-1].cause] if model.events else 0
    out = (
        made.relay_1 | made.relay_2 << 1 | made.led << 2 | (made.reply is not None) << 3 | (made.diag is not None) << 4
    )
    state = CODE[f"STATE_{model.state}"]
    told = (cause, model.event_number, out, state, int(model.locked), model.blockers(seen))
    return (*told, made.reply or NO_FRAME, made.diag or NO_FRAME)


def _count(tally: Tally, before: str, model: Model, stops: int, made: Made) -> None:
    tally.states[model.state] += 1
    tally.moves[before, model.state] += 1
    for stop in model.events[stops:]:
        tally.causes[stop.cause] += 1
    tally.replies += made.reply is not None


def _told(number: int, before: str, record: tuple[int, ...], expected: tuple[int | bytes, ...]) -> Iterator[str]:
    names = ("cause", "event number", "outputs", "state", "locked", "blockers", "reply", "diag")
    yield f"step {number} at {record[0]} us, before it {before}: {_seen(record)}"
    for name, want, got in zip(names, expected, record[2:4] + record[5:9] + record[10:], strict=True):
        mark = "  " if want == got else "->"
        yield f"{mark} {name}: model {_text(want)}, firmware {_text(got)}"


def _text(value: int | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else hex(value)
