"""Lateral acceleration and lateral jerk limits for steering, through a vehicle model.

At speed v a path of curvature k gives the lateral acceleration v^2 k. For a steering angle d the single-track
model at steady state gives k = tan(d / ratio) / (L (1 + K v^2)), with wheelbase L and understeer coefficient K
(Rajamani, Vehicle Dynamics and Control, 2nd ed., ch. 3). If the speed input is not valid, the worst speed it may
have counts.
"""

from __future__ import annotations

import math

from safetykit.core.interval import narrow, outside
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    CHI_COLS,
    GEOMETRY,
    INPUT_COLS,
    INPUT_HI,
    INPUT_LO,
    L_CHANNEL,
    L_INPUT,
    LATERAL_ACCEL,
    LATERAL_JERK,
    RATIO,
    SPEED_INPUT,
    SPEED_MIN,
    T_CHANNEL,
    TOLERANCE,
    UNDERSTEER,
    WHEELBASE,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault, Geometry

_LATERAL = 1 << Fault.LATERAL
_CURVATURE = int(Geometry.CURVATURE)
_ANGLE_MAX = 1.5  # rad at the road wheel: beyond it tan() has no meaning for a vehicle


@jit_apart
def limit(
    limits: Limits, timing: Timing, frame: Frame, c: int, row: int, dt_s: float, lo: float, hi: float
) -> tuple[float, float, int]:
    """(lo, hi, reasons): [lo, hi] narrowed by lateral acceleration, then by lateral jerk from the value last sent.

    `row` is the channel's offset in `limits`.
    """
    v = max(_speed(limits, timing, frame), limits[row + SPEED_MIN])
    model = _model(limits, timing, frame, row)
    curved = timing[T_CHANNEL + c * CHI_COLS + GEOMETRY] == _CURVATURE
    k_max = limits[row + LATERAL_ACCEL] / (v * v)
    edge = _value(k_max, limits[row + RATIO], model, curved)
    target, tolerance = frame.st_target[c], limits[row + TOLERANCE]
    reasons = _LATERAL if outside(target, -edge, edge, tolerance) else 0
    lo, hi = narrow(lo, hi, -edge, edge)
    k_last = _curvature(frame.st_sent[c], limits[row + RATIO], model, curved)
    dk = limits[row + LATERAL_JERK] / (v * v) * dt_s
    low = _value(k_last - dk, limits[row + RATIO], model, curved)
    high = _value(k_last + dk, limits[row + RATIO], model, curved)
    if outside(target, low, high, tolerance):
        reasons |= _LATERAL
    lo, hi = narrow(lo, hi, low, high)
    return lo, hi, reasons


@jit
def _speed(limits: Limits, timing: Timing, frame: Frame) -> float:
    """Speed in m/s, never negative."""
    i = timing[SPEED_INPUT]
    if frame.st_valid >> i & 1:
        return abs(frame.in_value[i])
    row = L_INPUT + i * INPUT_COLS
    return max(abs(limits[row + INPUT_LO]), abs(limits[row + INPUT_HI]))


@jit
def _value(curvature: float, ratio: float, model: float, curved: bool) -> float:
    """Channel value for a path curvature in 1/m."""
    if curved:
        return curvature
    return ratio * math.atan(curvature * model)


@jit
def _curvature(value: float, ratio: float, model: float, curved: bool) -> float:
    """Path curvature in 1/m for a channel value."""
    if curved:
        return value
    return math.tan(min(max(value / ratio, -_ANGLE_MAX), _ANGLE_MAX)) / model


@jit
def _model(limits: Limits, timing: Timing, frame: Frame, row: int) -> float:
    """tan(angle) for each 1/m of curvature, at the speed of now."""
    v = max(_speed(limits, timing, frame), limits[row + SPEED_MIN])
    return limits[row + WHEELBASE] * (1.0 + limits[row + UNDERSTEER] * v * v)


@jit_apart
def to_curvature(limits: Limits, timing: Timing, frame: Frame, c: int, value: float) -> float:
    """Path curvature in 1/m that a value of steering channel `c` gives now."""
    row = L_CHANNEL + c * CH_COLS
    if timing[T_CHANNEL + c * CHI_COLS + GEOMETRY] == _CURVATURE:
        return value
    return _curvature(value, limits[row + RATIO], _model(limits, timing, frame, row), False)


@jit_apart
def from_curvature(limits: Limits, timing: Timing, frame: Frame, c: int, curvature: float) -> float:
    """Value of steering channel `c` that gives a path curvature in 1/m now."""
    row = L_CHANNEL + c * CH_COLS
    if timing[T_CHANNEL + c * CHI_COLS + GEOMETRY] == _CURVATURE:
        return curvature
    return _value(curvature, limits[row + RATIO], _model(limits, timing, frame, row), False)
