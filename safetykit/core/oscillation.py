"""Commands that swing to and fro: the energy of the swings, forgotten exponentially.

A swing is the way between two turning points; a turn counts once the ask has come back by more than the deadband
(the hysteresis of rainflow counting, so that noise has no turns). Each swing adds its square; the sum decays with
the policy's time constant. Constant work per tick.
"""

from __future__ import annotations

import math

from safetykit.core.columns.watch import (
    OSCILLATION_COUNT,
    SWING_CHANNEL,
    SWING_COLS,
    SWING_COLS_I,
    SWING_DEADBAND,
    SWING_ENERGY,
    SWING_WINDOW_S,
)
from safetykit.core.interval import clip
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    HARD_HI,
    HARD_LO,
    L_CHANNEL,
    L_SWING,
    T_SWING,
    T_WATCH,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault

_OSCILLATION = 1 << Fault.OSCILLATION


@jit
def check(limits: Limits, timing: Timing, frame: Frame, engaged: bool, dt_s: float) -> int:
    """OSCILLATION while the energy of the swings is above its limit. A person's own asks do not count."""
    if timing[T_WATCH + OSCILLATION_COUNT] == 0:
        return 0
    return _check_all(limits, timing, frame, engaged, dt_s)


@jit_apart
def _check_all(limits: Limits, timing: Timing, frame: Frame, engaged: bool, dt_s: float) -> int:
    faults = 0
    for s in range(timing[T_WATCH + OSCILLATION_COUNT]):
        c = timing[T_SWING + s * SWING_COLS_I + SWING_CHANNEL]
        if engaged and frame.st_manual == 0:
            _swing(limits, frame, s, c, dt_s)
            if not (math.isfinite(frame.st_ask[c]) and frame.st_swing_energy[s] <= limits[_row(s) + SWING_ENERGY]):
                faults |= _OSCILLATION
        else:
            frame.st_swing_energy[s], frame.st_swing_way[s] = 0.0, 0
            frame.st_swing_start[s] = frame.st_swing_edge[s] = frame.st_sent[c]
    return faults


@jit
def _row(s: int) -> int:
    return L_SWING + s * SWING_COLS


@jit
def _swing(limits: Limits, frame: Frame, s: int, c: int, dt_s: float) -> None:
    """One more ask: the energy decays by 1 / (1 + dt / window), a turn adds the square of the swing that it ends.

    The ask counts as far as the hard bounds reach: further it is never sent. One that is not finite changes nothing.
    """
    if not math.isfinite(frame.st_ask[c]):
        return
    row, bounds = _row(s), L_CHANNEL + c * CH_COLS
    value = clip(frame.st_ask[c], limits[bounds + HARD_LO], limits[bounds + HARD_HI])
    deadband, way, edge = limits[row + SWING_DEADBAND], frame.st_swing_way[s], frame.st_swing_edge[s]
    frame.st_swing_energy[s] /= 1.0 + dt_s / limits[row + SWING_WINDOW_S]
    if way == 0:
        if abs(value - edge) > deadband:
            frame.st_swing_way[s] = 1 if value > edge else -1
            frame.st_swing_edge[s] = value
    elif (value - edge) * way > 0.0:
        frame.st_swing_edge[s] = value
    elif (edge - value) * way > deadband:
        swing = edge - frame.st_swing_start[s]
        frame.st_swing_energy[s] += swing * swing
        frame.st_swing_start[s], frame.st_swing_edge[s], frame.st_swing_way[s] = edge, value, -way
