"""Limits as a function of a state, by linear interpolation between break points."""

from __future__ import annotations

from safetykit.core.bounds import TABLE_POINTS_MAX
from safetykit.core.jit import jit_apart
from safetykit.core.layout import (
    L_TABLE,
    T_TABLE,
    TABLE_COLS,
    TABLE_COLS_I,
    TABLE_INPUT,
    TABLE_POINTS,
    TABLE_WORST,
    TABLE_X,
    TABLE_Y,
    Frame,
    Limits,
    Timing,
)


@jit_apart
def look_up(limits: Limits, timing: Timing, frame: Frame, table: int) -> float:
    """Value of `table` at its input; ends held outside; the most restrictive value if the input is not valid.

    Bounded by TABLE_POINTS_MAX comparisons.
    """
    row, row_i = L_TABLE + table * TABLE_COLS, T_TABLE + table * TABLE_COLS_I
    source = timing[row_i + TABLE_INPUT]
    if frame.st_valid >> source & 1 == 0:
        return limits[row + TABLE_WORST]
    x, points = frame.in_value[source], timing[row_i + TABLE_POINTS]
    if x <= limits[row + TABLE_X]:
        return limits[row + TABLE_Y]
    for k in range(1, min(points, TABLE_POINTS_MAX)):
        right = limits[row + TABLE_X + k]
        if x < right:
            left = limits[row + TABLE_X + k - 1]
            y0, y1 = limits[row + TABLE_Y + k - 1], limits[row + TABLE_Y + k]
            return y0 + (y1 - y0) * ((x - left) / (right - left))
    return limits[row + TABLE_Y + points - 1]
