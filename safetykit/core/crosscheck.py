"""Plausibility between what is sent and what is measured: does the vehicle follow?

With a time constant a model answers beside the vehicle: a first-order response to what was sent, begun at the measured
value when the guard engages. A healthy vehicle is between that model and what was sent, so one that is slow is not
blamed, and one that stands still is left behind by the model. Without a time constant the model answers at once.
"""

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
    L_FOLLOW,
    MEASURED,
    T_CHANNEL,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault

_NOT_FOLLOWING = 1 << Fault.NOT_FOLLOWING


@jit
def follows(limits: Limits, timing: Timing, frame: Frame, engaged: bool, dt_s: float) -> int:
    """NOT_FOLLOWING if a measured response was further than the allowed error from what it should be, for too long.

    Counts only while engaged: else a person drives, who need not follow the guard.
    A measurement that is not valid neither starts nor ends the count: its loss is a fault of its own.
    """
    faults = 0
    for c in range(timing[CHANNEL_COUNT]):
        row = T_CHANNEL + c * CHI_COLS
        if timing[row + FLAGS] & HAS_FOLLOW == 0:
            continue
        measured = timing[row + MEASURED]
        valid = frame.st_valid >> measured & 1 == 1
        _respond(limits, frame, c, measured, valid and not engaged, dt_s)
        if valid:
            error = _error(frame, c, frame.in_value[measured])
            frame.st_follow_error[c] = error
            if not engaged or error <= limits[L_CHANNEL + c * CH_COLS + FOLLOW_ERROR]:
                frame.st_follow_since_ns[c] = 0
            elif frame.st_follow_since_ns[c] == 0:
                frame.st_follow_since_ns[c] = frame.in_now_ns
        since_ns = frame.st_follow_since_ns[c]
        if engaged and since_ns != 0 and frame.in_now_ns - since_ns > timing[row + FOLLOW_NS]:
            faults |= _NOT_FOLLOWING
    return faults


@jit
def _respond(limits: Limits, frame: Frame, c: int, measured: int, begins: bool, dt_s: float) -> None:
    """One tick of the model of channel `c`: m += (sent - m) * dt / (tau + dt), stable for every dt."""
    tau_s, sent = limits[L_FOLLOW + c], frame.st_sent[c]
    if tau_s > 0.0 and begins:
        frame.st_follow_model[c] = frame.in_value[measured]
    elif tau_s > 0.0:
        frame.st_follow_model[c] += (sent - frame.st_follow_model[c]) * (dt_s / (tau_s + dt_s))
    else:
        frame.st_follow_model[c] = sent


@jit
def _error(frame: Frame, c: int, value: float) -> float:
    """Distance of the measured value from the range between the model and what was sent."""
    model, sent = frame.st_follow_model[c], frame.st_sent[c]
    return max(min(model, sent) - value, value - max(model, sent), 0.0)
