"""The shadow model may only object: a second opinion on the ask, computed in a process of its own.

What it says comes in as an ordinary source that is not needed. Late, missing or not a number: it is not available,
which raises no fault, and takes back none.
"""

from __future__ import annotations

from safetykit.core.columns.commands import SHADOW_FOR_NS, SHADOW_INPUT, SHADOW_USED
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import CHANNEL_COUNT, DT_MAX_NS, L_SHADOW_TOLERANCE, T_SHADOW, Frame, Limits, Timing
from safetykit.core.vocabulary import Fault

_SHADOW = 1 << Fault.SHADOW


@jit
def check(limits: Limits, timing: Timing, frame: Frame, engaged: bool) -> int:
    """SHADOW once it has asked for something else for too long; only time in which it was available counts."""
    if timing[T_SHADOW + SHADOW_USED] == 0:
        return 0
    return _compare(limits, timing, frame, engaged)


@jit_apart
def _compare(limits: Limits, timing: Timing, frame: Frame, engaged: bool) -> int:
    since_ns = frame.in_now_ns - frame.st_shadow_at_ns
    frame.st_shadow_at_ns = frame.in_now_ns
    frame.st_shadow_available = _available(timing, frame)
    if not engaged or frame.st_manual:
        frame.st_shadow_differs_ns, frame.st_shadow_worst = 0, -1
        return 0
    if frame.st_shadow_available:
        frame.st_shadow_worst = _worst(limits, timing, frame)
        if frame.st_shadow_worst < 0:
            frame.st_shadow_differs_ns = 0
        else:
            gain_ns = min(max(since_ns, 0), timing[DT_MAX_NS])
            frame.st_shadow_differs_ns = min(frame.st_shadow_differs_ns + gain_ns, timing[T_SHADOW + SHADOW_FOR_NS] + 1)
    return _SHADOW if frame.st_shadow_differs_ns > timing[T_SHADOW + SHADOW_FOR_NS] else 0


@jit
def _available(timing: Timing, frame: Frame) -> int:
    """1 if every value of the model is fresh and valid."""
    for c in range(timing[CHANNEL_COUNT]):
        i = timing[T_SHADOW + SHADOW_INPUT + c]
        if i >= 0 and frame.st_valid >> i & 1 == 0:
            return 0
    return 1


@jit
def _worst(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Channel whose ask is furthest from the model's, in units of its tolerance; -1 if all are within it."""
    worst, most = -1, 1.0
    for c in range(timing[CHANNEL_COUNT]):
        i = timing[T_SHADOW + SHADOW_INPUT + c]
        if i >= 0:
            share = abs(frame.st_ask[c] - frame.in_value[i]) / limits[L_SHADOW_TOLERANCE + c]
            if share > most:
                worst, most = c, share
    return worst
