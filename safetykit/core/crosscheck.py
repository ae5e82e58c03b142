"""Plausibility between what is sent and what is measured, first form: does the vehicle follow?"""

from __future__ import annotations

from safetykit.core.jit import jit
from safetykit.core.layout import (
    CH_COLS,
    CHANNEL_COUNT,
    CHI_COLS,
    FLAGS,
    FOLLOW_ERROR,
    FOLLOW_NS,
    HAS_FOLLOW,
    L_CHANNEL,
    MEASURED,
    T_CHANNEL,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault

_NOT_FOLLOWING = 1 << Fault.NOT_FOLLOWING


@jit
def follows(limits: Limits, timing: Timing, frame: Frame, engaged: bool) -> int:
    """NOT_FOLLOWING if a measured response was further than the allowed error from what was sent, for too long.

    Counts only while engaged: else a person drives, who need not follow the guard.
    A measurement that is not valid neither starts nor ends the count: its loss is a fault of its own.
    """
    faults = 0
    for c in range(timing[CHANNEL_COUNT]):
        row = T_CHANNEL + c * CHI_COLS
        if timing[row + FLAGS] & HAS_FOLLOW == 0:
            continue
        measured = timing[row + MEASURED]
        if frame.st_valid >> measured & 1:
            error = abs(frame.st_sent[c] - frame.in_value[measured])
            if not engaged or error <= limits[L_CHANNEL + c * CH_COLS + FOLLOW_ERROR]:
                frame.st_follow_since_ns[c] = 0
            elif frame.st_follow_since_ns[c] == 0:
                frame.st_follow_since_ns[c] = frame.in_now_ns
        since_ns = frame.st_follow_since_ns[c]
        if engaged and since_ns != 0 and frame.in_now_ns - since_ns > timing[row + FOLLOW_NS]:
            faults |= _NOT_FOLLOWING
    return faults
