"""Measurements against each other, against the estimator's own doubts, and against time.

Each row has a patience: it must be bad for longer than that without a single good tick between. What is not valid
cannot confirm anything: two values of which one is missing do not agree, a flag that is missing is up.
"""

from __future__ import annotations

import math

from safetykit.core.columns.watch import (
    AGREE_COLS,
    AGREE_COLS_I,
    AGREE_COUNT,
    AGREE_ERROR,
    AGREE_INPUT,
    AGREE_N,
    AGREE_NS,
    AGREE_SHARE,
    INTEGRITY_COLS,
    INTEGRITY_COLS_I,
    INTEGRITY_COUNT,
    INTEGRITY_HI,
    INTEGRITY_INPUT,
    INTEGRITY_K,
    INTEGRITY_LO,
    INTEGRITY_N,
    INTEGRITY_NS,
    STUCK_CHANNEL,
    STUCK_COLS_I,
    STUCK_COUNT,
    STUCK_INPUT,
    STUCK_NS,
    STUCK_WHILE,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    L_AGREE,
    L_INTEGRITY,
    T_AGREE,
    T_INTEGRITY,
    T_STUCK,
    T_WATCH,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault, State

_DISAGREE, _STUCK = 1 << Fault.DISAGREE, 1 << Fault.STUCK
_ENGAGED = int(State.ENGAGED)


@jit
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """DISAGREE and STUCK."""
    faults = 0
    if timing[T_WATCH + AGREE_COUNT]:
        faults |= _agree_all(limits, timing, frame)
    if timing[T_WATCH + INTEGRITY_COUNT]:
        faults |= _integrity_all(limits, timing, frame)
    if timing[T_WATCH + STUCK_COUNT]:
        faults |= _stuck_all(timing, frame)
    return faults


@jit_apart
def _agree_all(limits: Limits, timing: Timing, frame: Frame) -> int:
    """DISAGREE if independent measurements contradict each other for too long."""
    rows = 0
    for r in range(timing[T_WATCH + AGREE_COUNT]):
        if _contradict(limits, timing, frame, r):
            if frame.st_agree_since_ns[r] == 0:
                frame.st_agree_since_ns[r] = frame.in_now_ns
            rows |= _over(frame, frame.st_agree_since_ns[r], timing[T_AGREE + r * AGREE_COLS_I + AGREE_NS]) << r
        else:
            frame.st_agree_since_ns[r] = 0
    frame.st_agree_rows = rows
    return _DISAGREE if rows else 0


@jit
def _over(frame: Frame, since_ns: int, patience_ns: int) -> int:
    """1 if it has lasted for longer than the row's patience."""
    return 1 if frame.in_now_ns - since_ns > patience_ns else 0


@jit
def _contradict(limits: Limits, timing: Timing, frame: Frame, r: int) -> bool:
    """True if any two of the inputs differ too much. Keeps the largest difference and the one that stands alone.

    The odd one out is in every pair that contradicts, and in two of them: with two inputs nobody can tell.
    """
    row = T_AGREE + r * AGREE_COLS_I
    largest, pairs, suspects, complete = 0.0, 0, -1, True
    for j in range(1, timing[row + AGREE_N]):
        for i in range(j):
            a, b = timing[row + AGREE_INPUT + i], timing[row + AGREE_INPUT + j]
            both = frame.st_valid >> a & frame.st_valid >> b & 1 == 1
            if both:
                largest = max(largest, abs(frame.in_value[a] - frame.in_value[b]))
            if not (both and _near(limits, frame, r, a, b)):
                pairs += 1
                suspects &= 1 << i | 1 << j
            complete = complete and both
    odd = 0
    if pairs == 2:
        for i in range(timing[row + AGREE_N]):
            if suspects >> i & 1:
                odd = timing[row + AGREE_INPUT + i] + 1
    frame.st_agree_odd[r] = odd
    frame.st_agree_difference[r] = largest if complete else -1.0
    return pairs > 0


@jit
def _near(limits: Limits, frame: Frame, r: int, a: int, b: int) -> bool:
    """True if two valid inputs differ by no more than error + share * the larger magnitude."""
    one, two, row = frame.in_value[a], frame.in_value[b], L_AGREE + r * AGREE_COLS
    allowed = limits[row + AGREE_ERROR] + limits[row + AGREE_SHARE] * max(abs(one), abs(two))
    return abs(one - two) <= allowed


@jit_apart
def _integrity_all(limits: Limits, timing: Timing, frame: Frame) -> int:
    """DISAGREE if k of n quality flags of an estimator are out of their limits for too long.

    ArduPilot's EKF failsafe is such a vote: two of compass, position and velocity variance for a second.
    """
    rows = 0
    for r in range(timing[T_WATCH + INTEGRITY_COUNT]):
        row, span = T_INTEGRITY + r * INTEGRITY_COLS_I, L_INTEGRITY + r * INTEGRITY_COLS
        out, count = 0, 0
        for k in range(timing[row + INTEGRITY_N]):
            i = timing[row + INTEGRITY_INPUT + k]
            lo, hi = limits[span + INTEGRITY_LO + k], limits[span + INTEGRITY_HI + k]
            if not (frame.st_valid >> i & 1 == 1 and lo <= frame.in_value[i] <= hi):
                out |= 1 << k
                count += 1
        frame.st_integrity_out[r] = out
        if count >= timing[row + INTEGRITY_K]:
            if frame.st_integrity_since_ns[r] == 0:
                frame.st_integrity_since_ns[r] = frame.in_now_ns
            rows |= _over(frame, frame.st_integrity_since_ns[r], timing[row + INTEGRITY_NS]) << r
        else:
            frame.st_integrity_since_ns[r] = 0
    frame.st_integrity_rows = rows
    return _DISAGREE if rows else 0


@jit_apart
def _stuck_all(timing: Timing, frame: Frame) -> int:
    """STUCK if a value that must change has been the same for too long.

    An ask must change only while the guard is engaged and no person drives. A measurement that is not valid has not
    changed, and only a condition that is validly false lets a value rest.
    """
    rows = 0
    for r in range(timing[T_WATCH + STUCK_COUNT]):
        row = T_STUCK + r * STUCK_COLS_I
        i, c = timing[row + STUCK_INPUT], timing[row + STUCK_CHANNEL]
        rests = timing[row + STUCK_WHILE] & ~frame.st_conditions & frame.st_low
        if rests or (c >= 0 and (frame.st_state != _ENGAGED or frame.st_manual)):
            frame.st_stuck_since_ns[r] = 0
            continue
        value = math.nan
        if c >= 0:
            value = frame.st_ask[c]
        elif frame.st_valid >> i & 1:
            value = frame.in_value[i]
        _look(frame, r, value)
        rows |= _over(frame, frame.st_stuck_since_ns[r], timing[row + STUCK_NS]) << r
    frame.st_stuck_rows = rows
    return _STUCK if rows else 0


@jit
def _look(frame: Frame, r: int, value: float) -> None:
    """Another value starts the count anew; one that is not a number, or the first number after it, does not."""
    before = frame.st_stuck_value[r]
    if frame.st_stuck_since_ns[r] == 0:
        frame.st_stuck_value[r], frame.st_stuck_since_ns[r] = value, frame.in_now_ns
    elif math.isfinite(value) and value != before:
        frame.st_stuck_value[r] = value
        if math.isfinite(before):
            frame.st_stuck_since_ns[r] = frame.in_now_ns
