"""Vector norms: horizontal speed, tilt. A vector that is too long is shortened and keeps its direction.

Both the value last sent and the shortened target lie inside the ball and inside the channels' windows; these
are convex, so every point between the two does as well. `straighten` moves along that line.
"""

from __future__ import annotations

import math

from safetykit.core.envelope import lessened, rest_bounds, share_left
from safetykit.core.interval import outside
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    GROUP_CHANNEL,
    GROUP_COLS,
    GROUP_COLS_I,
    GROUP_N,
    GROUP_TABLE,
    L_CHANNEL,
    L_GROUP,
    NORM,
    NORM_RATE,
    T_GROUP,
    TOLERANCE,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.tables import look_up
from safetykit.core.vocabulary import Fault

_NORM, _RATE, _BOUND = 1 << Fault.NORM, 1 << Fault.RATE, 1 << Fault.BOUND
_SLACK = 1.0 + 1e-12  # of a norm, against float noise


@jit_apart
def shorten(limits: Limits, timing: Timing, frame: Frame, g: int, asked: bool) -> int:
    """Scales the group's targets into the ball and the bounds of now, keeping direction; returns the reasons."""
    row, n = T_GROUP + g * GROUP_COLS_I, timing[T_GROUP + g * GROUP_COLS_I + GROUP_N]
    reasons = 0
    scale = 1.0
    for k in range(n):
        c = timing[row + GROUP_CHANNEL + k]
        lo, hi = rest_bounds(limits, timing, frame, c, asked)
        target = frame.st_target[c]
        channel = L_CHANNEL + c * CH_COLS
        if outside(target, lo, hi, limits[channel + TOLERANCE]):
            low, high = rest_bounds(limits, timing, frame, c, False)
            reasons |= _BOUND if outside(target, low, high, limits[channel + TOLERANCE]) else 0
            reasons |= lessened(limits, frame, channel) if share_left(limits, frame, channel) < 1.0 else 0
        if target > hi > 0.0:
            scale = min(scale, hi / target)
        elif target < lo < 0.0:
            scale = min(scale, lo / target)
    length = _length(timing, frame.st_target, row, n)
    longest = norm(limits, timing, frame, g)
    if length > longest * _SLACK:
        reasons |= _NORM
        scale = min(scale, longest / length)
    if scale < 1.0:
        for k in range(n):
            frame.st_target[timing[row + GROUP_CHANNEL + k]] *= scale
    return reasons


@jit_apart
def straighten(limits: Limits, timing: Timing, frame: Frame, g: int, dt_s: float) -> int:
    """Makes the group's move a straight one: the share of it that all channels, and the norm of the rate, allow.

    Returns RATE if the norm of the rate cut it short.
    """
    row, n = T_GROUP + g * GROUP_COLS_I, timing[T_GROUP + g * GROUP_COLS_I + GROUP_N]
    share, move_squared = 1.0, 0.0
    for k in range(n):
        c = timing[row + GROUP_CHANNEL + k]
        last, move = frame.st_sent[c], frame.st_target[c] - frame.st_sent[c]
        if move != 0.0:
            share = min(share, (frame.out_sent[c] - last) / move)
    if 0.0 < share < 1.0:  # a channel that is forced back, or may not move at all, does not hold up the others
        for k in range(n):
            c = timing[row + GROUP_CHANNEL + k]
            frame.out_sent[c] = frame.st_sent[c] + share * (frame.st_target[c] - frame.st_sent[c])
    for k in range(n):
        c = timing[row + GROUP_CHANNEL + k]
        move = frame.out_sent[c] - frame.st_sent[c]
        move_squared += move * move
    length, longest = math.sqrt(move_squared), limits[L_GROUP + g * GROUP_COLS + NORM_RATE] * dt_s
    if length > longest * _SLACK:
        _pull_back(timing, frame, row, n, longest / length)
        return _RATE
    return 0


@jit_apart
def enforce(limits: Limits, timing: Timing, frame: Frame, g: int) -> None:
    """Last word of the norm: a move that left the ball (a jerk limit or a forced move) ends at its surface."""
    row, n = T_GROUP + g * GROUP_COLS_I, timing[T_GROUP + g * GROUP_COLS_I + GROUP_N]
    longest = norm(limits, timing, frame, g)
    before, after = _length(timing, frame.st_sent, row, n), _length(timing, frame.out_sent, row, n)
    if after <= longest * _SLACK or before > longest:
        return
    along, move_squared = 0.0, 0.0
    for k in range(n):
        c = timing[row + GROUP_CHANNEL + k]
        move = frame.out_sent[c] - frame.st_sent[c]
        along += frame.st_sent[c] * move
        move_squared += move * move
    room = longest * longest - before * before
    share = (math.sqrt(along * along + move_squared * room) - along) / move_squared
    _pull_back(timing, frame, row, n, min(max(share, 0.0), 1.0))


@jit
def _pull_back(timing: Timing, frame: Frame, row: int, n: int, share: float) -> None:
    """Only `share` of the move from what was last sent."""
    for k in range(n):
        c = timing[row + GROUP_CHANNEL + k]
        frame.out_sent[c] = frame.st_sent[c] + share * (frame.out_sent[c] - frame.st_sent[c])


@jit_apart
def norm(limits: Limits, timing: Timing, frame: Frame, g: int) -> float:
    """The longest vector allowed now."""
    table = timing[T_GROUP + g * GROUP_COLS_I + GROUP_TABLE]
    if table < 0:
        return limits[L_GROUP + g * GROUP_COLS + NORM]
    return look_up(limits, timing, frame, table)


@jit_apart
def _length(timing: Timing, values: Limits, row: int, n: int) -> float:
    """Euclidean length, scaled by the largest component so that no finite vector overflows on the way."""
    largest, total = 0.0, 0.0
    for k in range(n):
        largest = max(largest, abs(values[timing[row + GROUP_CHANNEL + k]]))
    if largest == 0.0:
        return 0.0
    for k in range(n):
        part = values[timing[row + GROUP_CHANNEL + k]] / largest
        total += part * part
    return largest * math.sqrt(total)
