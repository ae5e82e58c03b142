"""What the emergency stop device adds to a tick of the guard, in compiled code.

Two guards, one with a microcontroller on a terminal and one without any device, tick in turn, one tick at a time as in
real life: both see the same caches and the same load. In every tick of the first a status frame lies ready, and a
heartbeat goes out.
"""

from __future__ import annotations

import os
import select
import tempfile
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firmware_bridge.wire import Diag, McuState, Status, encode
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.jit import jit
from safetykit.core.layout import PERIOD_NS
from safetykit.core.vocabulary import Device
from safetykit.policy import load_policy
from safetykit.runtime import device, loop
from safetykit.runtime.clock import new_timespec, now_ns, write_words
from safetykit.runtime.wiring import Station
from tests.bench.measure import Row, Section, nanoseconds_each, percentiles
from tests.bench.tick import TICKS, clock_reads

POLICY = "rover"
SAMPLES = 2_000  # of each
FIRST = 50  # not counted: the first ones fault pages in
SESSION, UNIT = 0x1234, 1
ARRIVAL_MS = 1_000
WHAT = ("tick, no device", "tick, microcontroller", "of it listen", "of it answer", "write(2) alone")


@jit
def whole_tick(w: Any, now: int, out: Any) -> None:
    """Time of a tick without its write(2) to an actuator."""
    begin = now_ns(w.timespec)
    loop.tick(w, now)
    out[0] = now_ns(w.timespec) - begin


@jit
def device_alone(w: Any, now: int, out: Any) -> None:
    """Times of its two parts that belong to the device."""
    begin = now_ns(w.timespec)
    device.listen(w.device, now)
    heard = now_ns(w.timespec)
    device.answer(w.device, w.timing, w.frame, now)
    out[0], out[1] = heard - begin, now_ns(w.timespec) - heard


@jit
def write_alone(w: Any, now: int, out: Any) -> None:
    """Time of the write(2) of that heartbeat to the same terminal."""
    begin = now_ns(w.timespec)
    write_words(w.device.line[device.FD], w.device.sending)
    out[0] = now_ns(w.timespec) - begin


class Line:
    """A terminal with somebody at its far end who answers every heartbeat as the microcontroller does."""

    def __init__(self) -> None:
        self._far, self.near = os.openpty()
        tty.setraw(self.near)
        os.set_blocking(self.near, False)
        self._answered = 0

    def take(self) -> bytes:
        """The heartbeat that was sent."""
        return os.read(self._far, p.FRAME_BYTES)

    def reply(self) -> None:
        """Takes it, sends what answers it, and waits until that has arrived."""
        beat = self.take()
        seq, self._answered = int.from_bytes(beat[6:8], "little"), self._answered + 1
        frames = encode(Status(McuState.STOPPED, 0, SESSION, seq, self._answered), UNIT)
        if self._answered % p.DIAG_EVERY == 1:
            frames += encode(Diag(p.PAGE_IDENT, p.VERSION, 0, 1, 0), UNIT)
        os.write(self._far, frames)
        poll = select.poll()
        poll.register(self.near, select.POLLIN)
        if not poll.poll(ARRIVAL_MS):
            raise RuntimeError("a status frame does not arrive on the terminal")

    def close(self) -> None:
        os.close(self.near)
        os.close(self._far)


@contextmanager
def stations() -> Iterator[tuple[Station, Station]]:
    """Two guards of one policy, compiled: one that has a microcontroller and one that has no device."""
    policy = load_policy(POLICY)
    sources = [source.name for source in policy.sources]
    with tempfile.TemporaryDirectory(prefix="safetykit-bench-", dir="/dev/shm") as base:
        made = []
        try:
            for kind in (Device.MICROCONTROLLER, Device.NONE):
                directory = Path(base) / kind.name
                directory.mkdir()
                made.append(Station(directory, policy.limits, policy.timing, sources, kind))
                loop.warm_up(made[-1].wiring)
                made[-1].wiring.memory[loop.SELFTEST_OK] = 1
            yield made[0], made[1]
        finally:
            for station in made:
                station.close()


def times(samples: int) -> dict[str, np.ndarray[Any, Any]]:
    """ns of every tick without and with the device, of the device's parts of a tick, and of the write(2) alone."""
    bare, connected, write, parts = (np.zeros((samples + FIRST, width), np.int64) for width in (1, 1, 1, 2))
    line = Line()
    try:
        with stations() as (with_device, without):
            w = with_device.wiring
            period = now = int(w.timing[PERIOD_NS])
            device.hand_over(w.device, line.near)
            whole_tick(w, now, connected[0])  # sends the first heartbeat
            for k in range(samples + FIRST):
                for measure, out in ((device_alone, parts[k]), (whole_tick, connected[k])):
                    now += period
                    line.reply()
                    measure(w, now, out)
                whole_tick(without.wiring, now, bare[k])
                write_alone(w, now, write[k])
                line.take()
            if w.device.link[hb.ANSWERS] != w.device.link[hb.BEATS] - 1 or w.device.line[device.WRITE_FAILED]:
                raise RuntimeError("not every tick had a heartbeat and its answer")
    finally:
        line.close()
    columns = (bare[:, 0], connected[:, 0], parts[:, 0], parts[:, 1], write[:, 0])
    return {what: column[FIRST:] for what, column in zip(WHAT, columns, strict=True)}


def run(samples: int = SAMPLES) -> list[Section]:
    """The table."""
    timespec = new_timespec()
    clock = nanoseconds_each(lambda n: clock_reads(timespec, n), TICKS)
    found = {what: percentiles(values.astype(np.float64)) for what, values in times(samples).items()}
    rows = [Row(f"{what}, {level}", found[what][level], "ns", clock) for what in WHAT for level in ("p50", "p99")]
    note = (
        f"{POLICY}, {samples} ticks of each kind in turn, one at a time from Python, so with colder caches than in the "
        "table of the tick. Every tick hears a status frame (every fourth a diagnostic one, too) and sends a "
        "heartbeat, over a pseudo terminal: a driver of a real port costs something else. Nothing is written to an "
        "actuator."
    )
    reference = "one `clock_gettime(CLOCK_MONOTONIC)` from compiled code"
    return [Section("Emergency stop: the microcontroller in the guard's tick", reference, tuple(rows), note)]
