"""The walls of this tick: planes that the vehicle may not cross, gathered from zones and objects.

A wall is the plane through the nearest point of a convex body, at right angles to the line from the vehicle to it: as
long as the vehicle stays on its side, it does not touch the body.
"""

from __future__ import annotations

import math

from safetykit.core.bounds import WALLS_MAX
from safetykit.core.columns.motion import (
    WALL_APPROACH,
    WALL_GAP,
    WALL_SPEED,
    WALL_X,
    WALL_Y,
    WALL_Z,
)
from safetykit.core.jit import jit
from safetykit.core.layout import UNLIMITED, Frame
from safetykit.core.vocabulary import Fault

# What made a wall: kind * OF_KIND + its number
OF_KIND = 1000
OF_ZONE, OF_OBJECT, OF_SPEED_ZONE = 1, 2, 3
OF_FLOOR, OF_CEILING, OF_SPEED, OF_TILT, OF_GROUP, OF_GROUP_RATE = 4, 5, 6, 7, 8, 9  # see barrier.py
NOTHING = -1
ACTIVE_MAX = 3  # in three dimensions no more planes than that hold a point
INFEASIBLE = 1 << Fault.INFEASIBLE


@jit
def clear(frame: Frame) -> None:
    """No walls, no speed zone, nothing held back."""
    frame.st_wall_count = 0
    for k in range(ACTIVE_MAX):
        frame.st_barrier_of[k] = NOTHING
    frame.st_barrier_gap_m = frame.st_barrier_closing_mps = frame.st_barrier_change = 0.0
    frame.st_speed_max_mps = UNLIMITED


@jit
def push(
    frame: Frame, of: int, normal: tuple[float, float, float], gap_m: float, speed_mps: float, approach_mps: float
) -> int:
    """Adds a wall; 0, or INFEASIBLE if there are more than can be looked at, or if it is not made of numbers.

    `normal` points from the vehicle to the wall and has length 1; `gap_m` is what is left after all margins;
    `speed_mps` is the speed allowed at the wall, `approach_mps` the speed at which the wall itself comes nearer.
    """
    n, (x, y, z) = frame.st_wall_count, normal
    if n >= WALLS_MAX or not math.isfinite(x + y + z + gap_m + speed_mps + approach_mps):
        return INFEASIBLE
    frame.st_wall_of[n] = of
    frame.st_wall[n, WALL_X], frame.st_wall[n, WALL_Y], frame.st_wall[n, WALL_Z] = normal
    frame.st_wall[n, WALL_GAP], frame.st_wall[n, WALL_SPEED] = gap_m, speed_mps
    frame.st_wall[n, WALL_APPROACH] = approach_mps
    frame.st_wall_count = n + 1
    return 0
