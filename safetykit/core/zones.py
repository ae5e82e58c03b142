"""Geofence, first form: is the measured position inside each zone, and is that allowed?

Zones are polygons in local ENU metres with a floor and a ceiling. The vehicle must be inside at least one
keep-in zone, if there is any, and outside all keep-out zones. Unknown position = violation.
"""

from __future__ import annotations

from safetykit.core.bounds import ZONE_VERTICES_MAX
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    L_ZONE,
    POSITION_X,
    POSITION_Y,
    POSITION_Z,
    T_ZONE,
    ZONE_CEILING,
    ZONE_COLS,
    ZONE_COLS_I,
    ZONE_COUNT,
    ZONE_ENFORCED,
    ZONE_FLOOR,
    ZONE_KEEP_IN,
    ZONE_N,
    ZONE_XY,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault

_ZONE = 1 << Fault.ZONE


@jit
def position_known(timing: Timing, frame: Frame) -> bool:
    """True if x, y and, where the policy has one, z are valid."""
    x, y, z = timing[POSITION_X], timing[POSITION_Y], timing[POSITION_Z]
    if x < 0 or y < 0:
        return False
    valid = frame.st_valid >> x & frame.st_valid >> y & 1
    if z >= 0:
        valid &= frame.st_valid >> z
    return valid == 1


@jit
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """ZONE if the position is where it must not be, or unknown while a zone is enforced. Sets st_zones."""
    if timing[ZONE_COUNT] == 0:
        return 0
    return _check_all(limits, timing, frame)


@jit_apart
def _check_all(limits: Limits, timing: Timing, frame: Frame) -> int:
    frame.st_zones = 0
    enforced, keep_in, inside_keep_in, violated = 0, 0, 0, 0
    known = position_known(timing, frame)
    for zone in range(timing[ZONE_COUNT]):
        row = T_ZONE + zone * ZONE_COLS_I
        inside = 1 if known and _inside(limits, timing, frame, zone) else 0
        frame.st_zones |= inside << zone
        if timing[row + ZONE_ENFORCED]:
            enforced = 1
            if timing[row + ZONE_KEEP_IN]:
                keep_in = 1
                inside_keep_in |= inside
            else:
                violated |= inside
    if enforced and (not known or violated or (keep_in and not inside_keep_in)):
        return _ZONE
    return 0


@jit
def _inside(limits: Limits, timing: Timing, frame: Frame, zone: int) -> bool:
    """Crossing number test (each edge counted on its half-open span), at most ZONE_VERTICES_MAX edges."""
    row = L_ZONE + zone * ZONE_COLS
    if timing[POSITION_Z] >= 0:
        z = frame.in_value[timing[POSITION_Z]]
        if not limits[row + ZONE_FLOOR] <= z <= limits[row + ZONE_CEILING]:
            return False
    x, y = frame.in_value[timing[POSITION_X]], frame.in_value[timing[POSITION_Y]]
    corners = min(timing[T_ZONE + zone * ZONE_COLS_I + ZONE_N], ZONE_VERTICES_MAX)
    inside = False
    last = row + ZONE_XY + 2 * (corners - 1)
    for k in range(corners):
        here = row + ZONE_XY + 2 * k
        x0, y0, x1, y1 = limits[last], limits[last + 1], limits[here], limits[here + 1]
        if (y0 > y) != (y1 > y) and x < x0 + (x1 - x0) * ((y - y0) / (y1 - y0)):
            inside = not inside
        last = here
    return inside
