"""The envelope of one channel: bounds, rates, slew, lateral limits, operator opposition, lead, jerk.

`limit` moves from the value last sent towards `st_target` as far as every limit allows. Precedence, first to
last: hard bounds, rates, slew window, what the checks leave (windows.py), bounds by table, lateral, opposed, lead,
jerk. The first two always meet, because what was last sent is inside the hard bounds; later ones can only narrow (see
interval.narrow). A degraded envelope moves the goal: it is entered as smoothly as any target.
"""

from __future__ import annotations

import math

from safetykit.core import lateral, slew
from safetykit.core.inputs import recent_extremes
from safetykit.core.interval import clip, narrow, outside
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    CHI_COLS,
    CHI_TABLE,
    DEGRADED_SCALE,
    FALLBACK,
    FLAGS,
    HARD_HI,
    HARD_LO,
    HAS_JERK,
    HAS_LATERAL,
    HAS_TABLE,
    HAS_ZERO_RATES,
    HI,
    JERK,
    JUMPS,
    L_CHANNEL,
    LEAD_ERROR,
    LEAD_SLOT,
    LEAD_TOWARD_ZERO,
    LO,
    MEASURED,
    NEUTRAL,
    NEUTRAL_TRACKS,
    OPPOSE_ALLOWANCE,
    OPPOSE_GAIN,
    OPPOSE_SLOT,
    RATE_AWAY,
    RATE_DOWN,
    RATE_TOWARD,
    RATE_UP,
    REJECTS,
    SLEW_SLOT,
    T_CHANNEL,
    TOLERANCE,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.tables import look_up
from safetykit.core.vocabulary import Fallback, Fault, State

_BOUND, _RATE, _JERK, _SLEW = 1 << Fault.BOUND, 1 << Fault.RATE, 1 << Fault.JERK, 1 << Fault.SLEW
_LEAD, _OPPOSED, _REJECTED = 1 << Fault.LEAD, 1 << Fault.OPPOSED, 1 << Fault.REJECTED
DEGRADED, TRIAL, _INTERNAL = 1 << Fault.DEGRADED, 1 << Fault.BREAKER_TRIAL, 1 << Fault.INTERNAL
_WAY_MAX = 1e15  # steps; beyond it the jerk limit does not matter, and whole numbers would get inexact
_ENGAGED, _RECOVERY = int(State.ENGAGED), int(State.RECOVERY)
_LAST, _MEASURED = int(Fallback.LAST), int(Fallback.MEASURED)


@jit
def limit(limits: Limits, timing: Timing, frame: Frame, c: int, dt_s: float, asked: bool) -> int:
    """Writes out_sent[c]; returns the reasons, which count only where the target was `asked` for.

    A channel that rejects falls back when its ask breaks any limit; ramped, or at once if the policy says so.
    """
    row, row_i = L_CHANNEL + c * CH_COLS, T_CHANNEL + c * CHI_COLS
    flags, target, last = timing[row_i + FLAGS], frame.st_target[c], frame.st_sent[c]
    tolerance = limits[row + TOLERANCE]
    up, down = _rates(limits, timing, frame, row, row_i, flags, last, dt_s)
    lo, hi = max(limits[row + HARD_LO], last - down), min(limits[row + HARD_HI], last + up)
    reasons = _RATE if outside(target, last - down, last + up, tolerance) else 0
    if timing[row_i + SLEW_SLOT] >= 0:
        low, high = slew.window(limits, timing, frame, c)
        reasons |= _SLEW if outside(target, low, high, tolerance) else 0
        lo, hi = narrow(lo, hi, low, high)
    if frame.st_window_why[c] and frame.st_state in (_ENGAGED, _RECOVERY):
        low, high = frame.st_window_lo[c], frame.st_window_hi[c]
        reasons |= frame.st_window_why[c] if outside(target, low, high, tolerance) else 0
        lo, hi = narrow(lo, hi, low, high)
    low, high = _bounds(limits, timing, frame, row, row_i, flags)
    reasons |= _BOUND if outside(target, low, high, tolerance) else 0
    lo, hi = narrow(lo, hi, low, high)
    if flags & HAS_LATERAL:
        lo, hi, why = lateral.limit(limits, timing, frame, c, row, dt_s, lo, hi)
        reasons |= why
    if timing[row_i + OPPOSE_SLOT] >= 0:
        a, b = _opposed(limits, timing, frame, row, row_i, low, high)
        reasons |= _OPPOSED if outside(target, a, b, tolerance) else 0
        lo, hi = narrow(lo, hi, a, b)
    if timing[row_i + LEAD_SLOT] >= 0:
        a, b = _lead(limits, timing, frame, row, row_i, flags, last)
        reasons |= _LEAD if outside(target, a, b, tolerance) else 0
        lo, hi = narrow(lo, hi, a, b)
    frame.st_reach_lo[c], frame.st_reach_hi[c] = lo, hi
    a, b = rest_bounds(limits, timing, frame, c, asked)
    goal = clip(target, a, b)
    reasons |= lessened(limits, frame, row) if clip(target, low, high) != goal else 0
    sent = clip(goal, lo, hi)
    if flags & HAS_JERK:
        jerk = _value(limits, timing, frame, row, row_i, JERK)
        smooth = clip(_jerk_limited(goal, last, frame.st_rate[c], jerk, dt_s), lo, hi)
        reasons |= _JERK if abs(smooth - sent) > tolerance else 0
        sent = smooth
    if asked and flags & REJECTS and reasons:
        reasons |= _REJECTED
        sent = clip(fallback(limits, timing, frame, c), lo, hi)
        if flags & JUMPS:
            sent = clip(fallback(limits, timing, frame, c), limits[row + HARD_LO], limits[row + HARD_HI])
    frame.out_sent[c] = sent
    return reasons if asked else 0


@jit
def rest_bounds(limits: Limits, timing: Timing, frame: Frame, c: int, asked: bool) -> tuple[float, float]:
    """Where the channel may come to rest now: its bounds, for an ask shrunk towards neutral by `share_left`."""
    row, row_i = L_CHANNEL + c * CH_COLS, T_CHANNEL + c * CHI_COLS
    lo, hi = _bounds(limits, timing, frame, row, row_i, timing[row_i + FLAGS])
    scale, rest = share_left(limits, frame, row), limits[row + NEUTRAL]
    if not asked or scale >= 1.0:
        return lo, hi
    return rest + (lo - rest) * scale, rest + (hi - rest) * scale


@jit
def share_left(limits: Limits, frame: Frame, row: int) -> float:
    """Share of a channel's bounds while degraded, and while a breaker is half-open: the smaller one, 1 = all."""
    left = limits[row + DEGRADED_SCALE] if frame.st_degraded else 1.0
    if frame.st_breaker_trial:
        left = min(left, frame.st_trial_share) if frame.st_trial_share >= 0.0 else 0.0
    return left


@jit
def lessened(limits: Limits, frame: Frame, row: int) -> int:
    """The reason for a share below 1."""
    trial = frame.st_breaker_trial and not frame.st_trial_share > share_left(limits, frame, row)
    return TRIAL if trial else DEGRADED


@jit
def sound(limits: Limits, frame: Frame, c: int) -> int:
    """0, or INTERNAL if what was last sent is not inside the hard bounds: memory was damaged; start from neutral."""
    row = L_CHANNEL + c * CH_COLS
    if limits[row + HARD_LO] <= frame.st_sent[c] <= limits[row + HARD_HI]:
        return 0
    frame.st_sent[c] = limits[row + NEUTRAL]
    frame.st_rate[c] = 0.0
    return _INTERNAL


@jit
def neutral(limits: Limits, timing: Timing, frame: Frame, c: int) -> float:
    """The value at rest: constant, or where the vehicle is now, so that engaging does not begin with a jump."""
    row_i = T_CHANNEL + c * CHI_COLS
    if timing[row_i + FLAGS] & NEUTRAL_TRACKS and frame.st_valid >> timing[row_i + MEASURED] & 1:
        return frame.in_value[timing[row_i + MEASURED]]
    return limits[L_CHANNEL + c * CH_COLS + NEUTRAL]


@jit_apart
def fallback(limits: Limits, timing: Timing, frame: Frame, c: int) -> float:
    """The value that stands in for one that may not be used."""
    row_i = T_CHANNEL + c * CHI_COLS
    kind, measured = timing[row_i + FALLBACK], timing[row_i + MEASURED]
    if kind == _MEASURED and measured >= 0 and frame.st_valid >> measured & 1:
        return frame.in_value[measured]
    if kind in (_LAST, _MEASURED):
        return frame.st_sent[c]
    return neutral(limits, timing, frame, c)


@jit
def _value(limits: Limits, timing: Timing, frame: Frame, row: int, row_i: int, column: int) -> float:
    """A limit that is a constant or a table."""
    table = timing[row_i + CHI_TABLE + column]
    if table < 0:
        return limits[row + column]
    return look_up(limits, timing, frame, table)


@jit
def _rates(
    limits: Limits, timing: Timing, frame: Frame, row: int, row_i: int, flags: int, last: float, dt_s: float
) -> tuple[float, float]:
    """(up, down): how far the value may move in dt_s, both >= 0."""
    if flags & (HAS_TABLE | HAS_ZERO_RATES) == 0:
        return limits[row + RATE_UP] * dt_s, limits[row + RATE_DOWN] * dt_s
    up = _value(limits, timing, frame, row, row_i, RATE_UP) * dt_s
    down = _value(limits, timing, frame, row, row_i, RATE_DOWN) * dt_s
    if flags & HAS_ZERO_RATES:
        away = _value(limits, timing, frame, row, row_i, RATE_AWAY) * dt_s
        toward = _value(limits, timing, frame, row, row_i, RATE_TOWARD) * dt_s
        if last >= 0.0:
            up, down = min(up, away), min(down, _through_zero(last, away, toward))
        else:
            up, down = min(up, _through_zero(-last, away, toward)), min(down, away)
    return up, down


@jit
def _through_zero(distance: float, away: float, toward: float) -> float:
    """Furthest move from `distance` to and past zero: the share of time left after zero goes at the other rate."""
    if toward <= distance:
        return toward
    return distance + away * (1.0 - distance / toward)


@jit
def _bounds(limits: Limits, timing: Timing, frame: Frame, row: int, row_i: int, flags: int) -> tuple[float, float]:
    """(lo, hi) by constant or table."""
    if flags & HAS_TABLE == 0:
        return limits[row + LO], limits[row + HI]
    return (
        _value(limits, timing, frame, row, row_i, LO),
        _value(limits, timing, frame, row, row_i, HI),
    )


@jit
def _opposed(
    limits: Limits, timing: Timing, frame: Frame, row: int, row_i: int, lo: float, hi: float
) -> tuple[float, float]:
    """Bounds reduced by what the operator does against them; beyond the allowance each unit costs `gain` units.

    Not valid = the operator may be doing anything: only zero is left. As in opendbc's driver torque check.
    """
    known, low, high = recent_extremes(timing, frame, timing[row_i + OPPOSE_SLOT])
    if not known:
        return 0.0, 0.0
    allowance, gain = limits[row + OPPOSE_ALLOWANCE], limits[row + OPPOSE_GAIN]
    return min(0.0, lo - gain * min(0.0, allowance - high)), max(0.0, hi + gain * min(0.0, allowance + low))


@jit
def _lead(
    limits: Limits, timing: Timing, frame: Frame, row: int, row_i: int, flags: int, last: float
) -> tuple[float, float]:
    """Bounds around the recent measured extremes. Not measured = no movement, but towards zero where allowed."""
    known, low, high = recent_extremes(timing, frame, timing[row_i + LEAD_SLOT])
    error = limits[row + LEAD_ERROR]
    if not known:
        low, high, error = last, last, 0.0
    low, high = low - error, high + error
    if flags & LEAD_TOWARD_ZERO:
        return min(low, 0.0), max(high, 0.0)
    return low, high


@jit
def _jerk_limited(target: float, last: float, rate: float, jerk: float, dt_s: float) -> float:
    """Next value on the way to `target`: the rate changes by at most jerk * dt and comes to rest at the target.

    Braking by j dt a step from the rate (n + f) j dt, 0 <= f < 1, covers (n (n + 1) / 2 + f (n + 1)) j dt^2. The
    largest rate whose way still fits into the distance is chosen, so the value never swings past its target.
    """
    change = jerk * dt_s
    if change <= 0.0:
        return last
    way = min(abs(target - last) / (change * dt_s), _WAY_MAX)
    n = math.floor(0.5 * (math.sqrt(1.0 + 8.0 * way) - 1.0))
    speed = min((n + (way - 0.5 * n * (n + 1.0)) / (n + 1.0)) * change, abs(target - last) / dt_s)
    wanted = speed if target >= last else -speed
    return last + clip(wanted, rate - change, rate + change) * dt_s
