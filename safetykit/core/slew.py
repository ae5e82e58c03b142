"""Slew over a time window: no more than X of change within any W, kept by time and not by message count.

The window is cut into SLEW_BUCKETS buckets of W / (SLEW_BUCKETS - 1); each keeps the extremes of what was sent
(and held) in it. Together they always cover at least W, so the limit is never looser than asked and memory is
bounded whatever the tick rate.
"""

from __future__ import annotations

from safetykit.core.bounds import SLEW_BUCKETS
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    CHI_COLS,
    L_CHANNEL,
    SLEW_BUCKET_NS,
    SLEW_DELTA,
    SLEW_SLOT,
    T_CHANNEL,
    Frame,
    Limits,
    Timing,
)


@jit_apart
def window(limits: Limits, timing: Timing, frame: Frame, c: int) -> tuple[float, float]:
    """(lo, hi) that channel `c` may take now. Moves the buckets on to the present first."""
    slot = timing[T_CHANNEL + c * CHI_COLS + SLEW_SLOT]
    _advance(timing, frame, c, slot)
    low, high = frame.st_slew_min[slot, 0], frame.st_slew_max[slot, 0]
    for k in range(1, SLEW_BUCKETS):
        low = min(low, frame.st_slew_min[slot, k])
        high = max(high, frame.st_slew_max[slot, k])
    delta = limits[L_CHANNEL + c * CH_COLS + SLEW_DELTA]
    if high - low > 2.0 * delta:  # only after a jump that the policy ordered: stay until it is out of the window
        return frame.st_sent[c], frame.st_sent[c]
    return high - delta, low + delta


@jit
def _advance(timing: Timing, frame: Frame, c: int, slot: int) -> None:
    """Buckets that time has passed since hold the value last sent: the output is a held signal."""
    newest = frame.in_now_ns // timing[T_CHANNEL + c * CHI_COLS + SLEW_BUCKET_NS]
    steps = min(newest - frame.st_slew_bucket[slot], SLEW_BUCKETS)
    held = frame.st_sent[c]
    for k in range(steps):
        bucket = (newest - k) % SLEW_BUCKETS
        frame.st_slew_min[slot, bucket] = held
        frame.st_slew_max[slot, bucket] = held
    if steps > 0:
        frame.st_slew_bucket[slot] = newest


@jit
def remember(timing: Timing, frame: Frame, c: int, sent: float) -> None:
    """Takes up the value sent in this tick."""
    slot = timing[T_CHANNEL + c * CHI_COLS + SLEW_SLOT]
    bucket = frame.st_slew_bucket[slot] % SLEW_BUCKETS
    frame.st_slew_min[slot, bucket] = min(frame.st_slew_min[slot, bucket], sent)
    frame.st_slew_max[slot, bucket] = max(frame.st_slew_max[slot, bucket], sent)


@jit
def start(timing: Timing, frame: Frame, c: int, value: float) -> None:
    """All buckets at `value`."""
    slot = timing[T_CHANNEL + c * CHI_COLS + SLEW_SLOT]
    for k in range(SLEW_BUCKETS):
        frame.st_slew_min[slot, k] = value
        frame.st_slew_max[slot, k] = value
