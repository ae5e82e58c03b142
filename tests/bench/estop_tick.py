"""What the emergency stop device adds to a tick of the guard, in compiled code.

Two guards side by side, one with a microcontroller on a real terminal and one without any device. They tick in turn, one
tick at a time as in real life, so both see the same caches and the same load. A status frame lies ready in every tick
of the first, and every tick of it sends a heartbeat.
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
from safetykit.runtime.clock import new_timespec, now_ns
from safetykit.runtime.wiring import Station
from tests.bench.measure import Row, Section, nanoseconds_each, percentiles
from tests.bench.tick import TICKS, clock_reads

POLICY = "rover"
SAMPLES = 2_000  # of each
FIRST = 50  # not counted: the first ones fault pages in
SESSION, UNIT = 0x1234, 1
ARRIVAL_MS = 1_000


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


class Line:
    """A terminal with somebody at its far end who answers every heartbeat as the microcontroller does."""

    def __init__(self) -> None:
        self._far, self.near = os.openpty()
        tty.setraw(self.near)
        os.set_blocking(self.near, False)
        self._answered = 0

    def reply(self) -> None:
        """Takes the heartbeat, sends what answers it, and waits until that has arrived."""
        beat = os.read(self._far, p.FRAME_BYTES)
        seq, self._answered = int.from_bytes(beat[6:8], "little"), self._answered + 1
        frames = encode(Status(McuState.STOPPED, 0, SESSION, seq, self._answered), UNIT)
        if self._answered % p.DIAG_EVERY == 1:
            frames += encode(Diag(p.PAGE_IDENT, p.VERSION, p.FIRMWARE, 1, 0), UNIT)
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
    """ns of every tick with and without the device, and of the device's parts of a tick."""
    connected, bare, parts = (np.zeros((samples + FIRST, width), np.int64) for width in (1, 1, 2))
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
            if w.device.link[hb.ANSWERS] != w.device.link[hb.BEATS] - 1 or w.device.line[device.WRITE_FAILED]:
                raise RuntimeError("not every tick had a heartbeat and its answer")
    finally:
        line.close()
    counted = {"with": connected[FIRST:, 0], "without": bare[FIRST:, 0]}
    return {**counted, "listen": parts[FIRST:, 0], "answer": parts[FIRST:, 1]}


def run(samples: int = SAMPLES) -> list[Section]:
    """The table."""
    timespec = new_timespec()
    clock = nanoseconds_each(lambda n: clock_reads(timespec, n), TICKS)
    found = {name: percentiles(values.astype(float)) for name, values in times(samples).items()}
    names = {
        "without": "tick without a device",
        "with": "tick with a microcontroller on the line",
        "listen": "of it `device.listen`: read(2), one status frame",
        "answer": "of it `device.answer`: heartbeat, write(2)",
    }
    rows = [
        Row(f"{what}, {level}", found[name][level], "ns", clock)
        for name, what in names.items()
        for level in ("p50", "p99")
    ]
    added = found["with"]["p50"] - found["without"]["p50"]
    rows.append(Row("what the device adds, p50", added, "ns", clock))
    note = (
        f"{POLICY}, {samples} ticks of each kind in turn, one at a time from Python, so with cold caches: a tick here is "
        "dearer than in the table of the tick. Both system calls go to a pseudo terminal. Every "
        f"{p.DIAG_EVERY}th tick also reads a diagnostic frame. Nothing is written to an actuator."
    )
    reference = "one `clock_gettime(CLOCK_MONOTONIC)` from compiled code, many in a row"
    return [Section("Emergency stop: the microcontroller in the guard's tick", reference, tuple(rows), note)]
