"""What the checks of this tick leave of each channel's range: one interval a channel, narrowed check by check.

The envelope intersects it with its own limits (see envelope.py). An interval that comes out empty is INFEASIBLE.
"""

from __future__ import annotations

import math

from safetykit.core.jit import jit
from safetykit.core.layout import CHANNEL_COUNT, UNLIMITED, Frame, Timing
from safetykit.core.vocabulary import Fault

INFEASIBLE = 1 << Fault.INFEASIBLE


@jit
def clear(timing: Timing, frame: Frame) -> None:
    """Everything allowed."""
    for c in range(timing[CHANNEL_COUNT]):
        frame.st_window_lo[c], frame.st_window_hi[c], frame.st_window_why[c] = -UNLIMITED, UNLIMITED, 0


@jit
def narrow(frame: Frame, c: int, lo: float, hi: float, reason: int) -> int:
    """Intersects channel `c` with [lo, hi]; 0, or INFEASIBLE if nothing is left or a bound is not a number."""
    if not (math.isfinite(lo) and math.isfinite(hi)):
        return INFEASIBLE
    low, high = max(frame.st_window_lo[c], lo), min(frame.st_window_hi[c], hi)
    if low > high:
        return INFEASIBLE
    if low > frame.st_window_lo[c] or high < frame.st_window_hi[c]:
        frame.st_window_why[c] |= reason
    frame.st_window_lo[c], frame.st_window_hi[c] = low, high
    return 0
