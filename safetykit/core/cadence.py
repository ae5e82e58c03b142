"""Cadence of the actuation request bit: how often and how long a request may drop while its value is not neutral.

Some actuators (power steering) need a short drop now and then; a longer or more frequent one means that sender and
actuator disagree. Kept by time, as everything else here.
"""

from __future__ import annotations

from safetykit.core import envelope
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    CHANNEL_COUNT,
    CHI_COLS,
    FLAGS,
    HAS_REQUEST,
    L_CHANNEL,
    REQUEST_DROP_NS,
    REQUEST_UP_NS,
    T_CHANNEL,
    TOLERANCE,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault

REASON = 1 << Fault.REQUEST_CADENCE


@jit_apart
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Mask of channels that broke their cadence; their target becomes neutral. Updates the request bits' history."""
    broken = 0
    for c in range(timing[CHANNEL_COUNT]):
        row = T_CHANNEL + c * CHI_COLS
        if timing[row + FLAGS] & HAS_REQUEST == 0:
            continue
        neutral = envelope.neutral(limits, timing, frame, c)
        idle = abs(frame.st_target[c] - neutral) <= limits[L_CHANNEL + c * CH_COLS + TOLERANCE]
        if not _kept(timing, frame, c, row) and not idle:
            broken |= 1 << c
            frame.st_target[c] = neutral
    frame.st_request_sent = frame.st_request_ask
    return broken


@jit
def _kept(timing: Timing, frame: Frame, c: int, row: int) -> bool:
    """True if the request is up, or may be down now. An early drop counts as used up."""
    now_ns, since_ns = frame.in_now_ns, frame.st_request_since_ns[c]
    asked, before = frame.st_request_ask >> c & 1, frame.st_request_sent >> c & 1
    if asked:
        if not before:
            frame.st_request_since_ns[c] = now_ns
        return True
    if before:
        early = now_ns - since_ns < timing[row + REQUEST_UP_NS]
        frame.st_request_since_ns[c] = now_ns - timing[row + REQUEST_DROP_NS] - 1 if early else now_ns
    return now_ns - frame.st_request_since_ns[c] <= timing[row + REQUEST_DROP_NS]


@jit
def release(frame: Frame) -> None:
    """No request leaves the guard; a later one starts anew."""
    frame.st_request_sent = 0
