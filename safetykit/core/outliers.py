"""Single samples far from their neighbours: held back until the following ones confirm them.

A Hampel test, causal: a new ask is doubted when |x - median| > max(floor, factor * 1.4826 * MAD) over the last accepted
ones (Hampel 1974; 1.4826 makes the median absolute deviation a standard deviation for Gaussian noise). While a sample
waits, the last accepted one stands for it. `confirm` doubted samples in a row that agree, level or on a straight
line, are a real step or ramp and are accepted; any lone or scattered ones never are.

A value that is held ages as a command does: older than the policy's limit it is stale. Before anything was confirmed
there is no command. A person who drives need not confirm anything; afterwards everything is confirmed anew.
"""

from __future__ import annotations

import math

from safetykit.core.columns.commands import MANUAL_ROW
from safetykit.core.columns.watch import (
    OUTLIER_CHANNEL,
    OUTLIER_COLS,
    OUTLIER_COLS_I,
    OUTLIER_CONFIRM,
    OUTLIER_COUNT,
    OUTLIER_FLOOR,
    OUTLIER_GAIN,
    OUTLIER_WINDOW,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CHANNEL_COUNT,
    COMMAND_STALE_NS,
    L_OUTLIER,
    T_OUTLIER,
    T_WATCH,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault

REASON = 1 << Fault.OUTLIER
_MISSING, _STALE = 1 << Fault.COMMAND_MISSING, 1 << Fault.COMMAND_STALE


@jit
def confirm(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Replaces an unconfirmed value in st_ask by the last confirmed one; OUTLIER then."""
    if timing[T_WATCH + OUTLIER_COUNT] == 0:
        return 0
    return _confirm_all(limits, timing, frame)


@jit
def blame(timing: Timing, frame: Frame, asked: int) -> None:
    """Books the reason on the asked channels whose value is held back."""
    if frame.st_outlier_held & asked:
        for c in range(timing[CHANNEL_COUNT]):
            if frame.st_outlier_held & asked & 1 << c:
                frame.out_reason[c] |= REASON


@jit_apart
def _confirm_all(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Judges each new command once; holds what waits in every tick until then."""
    newest_ns = 0
    for r in range(MANUAL_ROW):
        newest_ns = max(newest_ns, frame.st_command_stamp_ns[r])
    is_new = newest_ns != frame.st_outlier_stamp_ns
    frame.st_outlier_stamp_ns = newest_ns
    faults, held = 0, 0
    for s in range(timing[T_WATCH + OUTLIER_COUNT]):
        if frame.st_manual:
            frame.st_outlier_doubts[s] = frame.st_outlier_count[s] = 0
            continue
        c = timing[T_OUTLIER + s * OUTLIER_COLS_I + OUTLIER_CHANNEL]
        if is_new or _changed(timing, frame, s, frame.st_ask[c]):
            _judge(limits, timing, frame, s, frame.st_ask[c])
        if frame.st_outlier_doubts[s] > 0 or frame.st_outlier_count[s] == 0:
            held |= 1 << c
            faults |= _hold(timing, frame, s, c)
    frame.st_outlier_held = held
    return faults


@jit
def _changed(timing: Timing, frame: Frame, s: int, value: float) -> bool:
    """True if another value counts without a new command: the vote may choose another sender."""
    doubts, count = frame.st_outlier_doubts[s], frame.st_outlier_count[s]
    if doubts > 0:
        return value != frame.st_outlier_doubted[s, doubts - 1]
    return count > 0 and value != _latest(timing, frame, s, count)


@jit
def _hold(timing: Timing, frame: Frame, s: int, c: int) -> int:
    """The last accepted value stands for the new one; nothing accepted yet = no command, what was sent stays."""
    count = frame.st_outlier_count[s]
    if count == 0:
        frame.st_ask[c] = frame.st_sent[c]
        return REASON | _MISSING
    frame.st_ask[c] = _latest(timing, frame, s, count)
    if frame.in_now_ns - frame.st_outlier_ns[s] > timing[COMMAND_STALE_NS]:
        return REASON | _STALE
    return REASON


@jit
def _latest(timing: Timing, frame: Frame, s: int, count: int) -> float:
    """The value accepted last."""
    return frame.st_outlier_window[s, (count - 1) % timing[T_OUTLIER + s * OUTLIER_COLS_I + OUTLIER_WINDOW]]


@jit_apart
def _judge(limits: Limits, timing: Timing, frame: Frame, s: int, value: float) -> None:
    """Accepts the value or lets it wait. A NaN compares false, so it waits."""
    row = L_OUTLIER + s * OUTLIER_COLS
    n = min(frame.st_outlier_count[s], timing[T_OUTLIER + s * OUTLIER_COLS_I + OUTLIER_WINDOW])
    if n > 0:
        middle = _median(frame, s, n, 0.0, False)
        allowed = max(limits[row + OUTLIER_FLOOR], limits[row + OUTLIER_GAIN] * _median(frame, s, n, middle, True))
        residual = abs(value - middle)
        frame.st_outlier_residual[s], frame.st_outlier_allowed[s] = residual, allowed
        if residual <= allowed:
            _accept(timing, frame, s, value)
            frame.st_outlier_doubts[s] = 0
            return
    _doubt(limits, timing, frame, s, value)


@jit
def _doubt(limits: Limits, timing: Timing, frame: Frame, s: int, value: float) -> None:
    """Lets the value wait with those that it agrees with; enough of them are accepted, and the window begins anew."""
    k = frame.st_outlier_doubts[s]
    if not _agrees(timing, frame, s, k, value, limits[L_OUTLIER + s * OUTLIER_COLS + OUTLIER_FLOOR]):
        k = 0
    frame.st_outlier_doubted[s, k] = value
    k += 1
    frame.st_outlier_doubts[s] = k
    if k >= timing[T_OUTLIER + s * OUTLIER_COLS_I + OUTLIER_CONFIRM]:
        frame.st_outlier_doubts[s] = frame.st_outlier_count[s] = 0
        for i in range(k):
            _accept(timing, frame, s, frame.st_outlier_doubted[s, i])


@jit
def _agrees(timing: Timing, frame: Frame, s: int, k: int, value: float, floor: float) -> bool:
    """Level with the value that waits already, or on a straight line with the two before; within the floor."""
    if k == 0:
        return False
    before, count = frame.st_outlier_doubted[s, k - 1], frame.st_outlier_count[s]
    earlier = before
    if k > 1:
        earlier = frame.st_outlier_doubted[s, k - 2]
    elif count > 0:
        earlier = _latest(timing, frame, s, count)
    ahead = value - before
    return abs(ahead) <= floor or abs(ahead - (before - earlier)) <= floor


@jit
def _accept(timing: Timing, frame: Frame, s: int, value: float) -> None:
    """The value enters the ring. The count runs between one and two windows, so that it never overflows."""
    window, count = timing[T_OUTLIER + s * OUTLIER_COLS_I + OUTLIER_WINDOW], frame.st_outlier_count[s]
    frame.st_outlier_window[s, count % window] = value
    count += 1
    frame.st_outlier_count[s] = window if count == 2 * window else count
    frame.st_outlier_ns[s] = frame.st_outlier_stamp_ns


@jit_apart
def _median(frame: Frame, s: int, n: int, about: float, folded: bool) -> float:
    """Median of the first `n` values of the ring, or of their distances from `about`; by rank, so without a copy.

    At most OUTLIER_WINDOW_MAX^2 comparisons. NaN if a value is NaN, which no accepted one is.
    """
    low = high = math.nan
    for i in range(n):
        value = _entry(frame, s, i, about, folded)
        less = equal = 0
        for j in range(n):
            other = _entry(frame, s, j, about, folded)
            less += other < value
            equal += other == value
        if less <= (n - 1) // 2 < less + equal:
            low = value
        if less <= n // 2 < less + equal:
            high = value
    return 0.5 * low + 0.5 * high


@jit
def _entry(frame: Frame, s: int, i: int, about: float, folded: bool) -> float:
    value = frame.st_outlier_window[s, i]
    return abs(value - about) if folded else value
