"""When was a message made, in CLOCK_MONOTONIC? The guard judges ages; here stamps only change their clock.

The order of stamps survives the change of clock exactly: the same stamp again stays the same, a later one stays later.
So a repeated or frozen stamp reaches the guard as what it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safetykit.adapters.ros.binding import BoundStamp
from safetykit.adapters.ros.schema import RECEIPT, SOURCE

STAMP_MAX_NS = 2**62  # keeps every difference of two stamps inside int64
PAIR_NS_MAX = 200_000  # two clocks read further apart than this are read again
PAIR_TRIES = 4


@dataclass(frozen=True)
class ClockPair:
    """One moment in two clocks."""

    clock_ns: int  # ROS time or system time
    monotonic_ns: int

    def to_monotonic(self, clock_ns: int) -> int:
        """A time of the first clock in CLOCK_MONOTONIC, by its age."""
        age_ns = min(max(self.clock_ns - clock_ns, -STAMP_MAX_NS), STAMP_MAX_NS)
        return self.monotonic_ns - age_ns


def read_pair(clock: Callable[[], int]) -> ClockPair:
    """Reads a clock between two readings of CLOCK_MONOTONIC; reads again if the process was interrupted meanwhile."""
    best: tuple[int, ClockPair] | None = None
    for _ in range(PAIR_TRIES):
        before = time.monotonic_ns()
        clock_ns = clock()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = after - before, ClockPair(clock_ns, (before + after) // 2)
        if after - before <= PAIR_NS_MAX:
            break
    assert best is not None
    return best[1]


def received_ns(info: dict[str, Any], system: ClockPair) -> int:
    """When the middleware received the message; now, where it does not say or says nonsense."""
    received = info.get("received_timestamp") or 0
    if received <= 0:
        return system.monotonic_ns
    return min(system.to_monotonic(received), system.monotonic_ns)


class StampClock:
    """Converts the stamps of one topic. ``zeros`` counts messages without a stamp."""

    def __init__(self, stamp: BoundStamp) -> None:
        self.stamp = stamp
        self.zeros = 0
        self._last: tuple[int, int] | None = None  # stamp, its CLOCK_MONOTONIC

    def convert(self, message: Any, info: dict[str, Any], ros: ClockPair, system: ClockPair) -> int:
        """Stamp of a message in CLOCK_MONOTONIC ns."""
        if self.stamp.origin == RECEIPT:
            return received_ns(info, system)
        if self.stamp.origin == SOURCE:
            raw, pair = int(info.get("source_timestamp") or 0), system
        else:
            assert self.stamp.read is not None
            raw, pair = self.stamp.read(message), ros
        if raw == 0:
            self.zeros += 1
            if self.stamp.zero_is_receipt:
                return received_ns(info, system)
        return self._ordered(raw, pair.to_monotonic(raw))

    def _ordered(self, raw: int, monotonic: int) -> int:
        """Removes the jitter of reading two clocks from the order of stamps."""
        if self._last is not None:
            last_raw, last = self._last
            if raw == last_raw:
                return last
            monotonic = max(monotonic, last + 1) if raw > last_raw else min(monotonic, last - 1)
        self._last = raw, monotonic
        return monotonic
