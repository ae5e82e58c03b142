"""Zones: in which of them is the vehicle, and may it be there?

A zone is a polygon or a circle in local east, north metres with a floor and a ceiling. The vehicle must be inside at
least one keep-in zone, if there is any, and outside all keep-out zones; a speed zone limits its speed. Unknown position
= violation. If the policy says how the vehicle moves, it must also be able to stop in time: see fences.py.
"""

from __future__ import annotations

from safetykit.core import fences, motion
from safetykit.core.columns.motion import (
    KEEP_IN,
    KEEP_OUT,
    ZONE_CEILING,
    ZONE_COLS,
    ZONE_COLS_I,
    ZONE_FLOOR,
    ZONE_RULE,
    ZONES_ENFORCED,
    ZONES_FIRST_KEEP_IN,
    ZONES_KEEP_INS,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    L_ZONE,
    POSITION_X,
    POSITION_Y,
    POSITION_Z,
    T_ZONE,
    T_ZONES,
    UNLIMITED,
    ZONE_COUNT,
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
    """ZONE where the vehicle is or cannot avoid being where it must not, or where that is not known; see fences.check.

    Sets st_zones, what decided (st_zone_...), and st_speed_max_mps.
    """
    frame.st_speed_max_mps = UNLIMITED
    if timing[ZONE_COUNT] == 0:
        return 0
    return _check_all(limits, timing, frame)


@jit_apart
def _check_all(limits: Limits, timing: Timing, frame: Frame) -> int:
    frame.st_zones = 0
    frame.st_zone_worst = frame.st_zone_fast = -1
    frame.st_zone_gap_m = frame.st_zone_needed_m = 0.0
    known = position_known(timing, frame)
    if known:
        for zone in range(timing[ZONE_COUNT]):
            if _inside(limits, timing, frame, zone):
                frame.st_zones |= 1 << zone
    if timing[T_ZONES + ZONES_ENFORCED] == 0:
        return 0
    if not known:
        return _ZONE
    if motion.present(timing):
        return fences.check(limits, timing, frame)
    return _where_it_is(timing, frame)


@jit
def _where_it_is(timing: Timing, frame: Frame) -> int:
    """Without knowledge of the motion: only where the vehicle is now counts."""
    inside_keep_in = timing[T_ZONES + ZONES_KEEP_INS] == 0
    for zone in range(timing[ZONE_COUNT]):
        rule = timing[T_ZONE + zone * ZONE_COLS_I + ZONE_RULE]
        if frame.st_zones >> zone & 1:
            if rule == KEEP_OUT:
                frame.st_zone_worst = zone
                return _ZONE
            inside_keep_in |= rule == KEEP_IN
    if inside_keep_in:
        return 0
    frame.st_zone_worst = timing[T_ZONES + ZONES_FIRST_KEEP_IN]
    return _ZONE


@jit
def _inside(limits: Limits, timing: Timing, frame: Frame, zone: int) -> bool:
    row = L_ZONE + zone * ZONE_COLS
    if timing[POSITION_Z] >= 0:
        z = frame.in_value[timing[POSITION_Z]]
        if not limits[row + ZONE_FLOOR] <= z <= limits[row + ZONE_CEILING]:
            return False
    return fences.inside_plan(
        limits, timing, zone, frame.in_value[timing[POSITION_X]], frame.in_value[timing[POSITION_Y]]
    )
