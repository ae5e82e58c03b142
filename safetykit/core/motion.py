"""How the vehicle moves: its measured velocity, what it keeps from a fence, and how far it travels until it stands.

Every number comes from the policy's section `motion`. Without that section nothing is known (`present` is False).
"""

from __future__ import annotations

import math

from safetykit.core.columns.motion import (
    BY_HEADING,
    MOTION_BRAKE,
    MOTION_ERROR,
    MOTION_ERROR_FACTOR,
    MOTION_ERROR_INPUT,
    MOTION_ERROR_WORST,
    MOTION_FORM,
    MOTION_HEADING,
    MOTION_MARGIN,
    MOTION_REACTION,
    MOTION_SPEED_INPUT,
    MOTION_VX,
    MOTION_VY,
    MOTION_VZ,
    MOTION_WIND,
    NO_MOTION,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import L_MOTION, T_MOTION, Frame, Limits, Timing


@jit
def present(timing: Timing) -> bool:
    """True if the policy says how the vehicle moves."""
    return timing[T_MOTION + MOTION_FORM] != NO_MOTION


@jit_apart
def velocity(limits: Limits, timing: Timing, frame: Frame) -> tuple[bool, float, float, float]:
    """(known, x, y, z) in m/s, in the axes of the position. Not known = an input is not valid, or no such section."""
    if not present(timing):
        return False, 0.0, 0.0, 0.0
    a, b = timing[T_MOTION + MOTION_VX], timing[T_MOTION + MOTION_VY]
    known = frame.st_valid >> a & frame.st_valid >> b & 1
    if timing[T_MOTION + MOTION_FORM] == BY_HEADING:
        if known == 0:
            return False, 0.0, 0.0, 0.0
        speed, heading = frame.in_value[a], frame.in_value[b]
        return True, speed * math.cos(heading), speed * math.sin(heading), 0.0
    z = timing[T_MOTION + MOTION_VZ]
    up = 0.0
    if z >= 0:
        known &= frame.st_valid >> z
        up = frame.in_value[z]
    if known == 0:
        return False, 0.0, 0.0, 0.0
    return True, frame.in_value[a], frame.in_value[b], up


@jit
def speed_and_heading(timing: Timing, frame: Frame) -> tuple[bool, float, float]:
    """(known, m/s along the heading, rad) of a policy that measures these two."""
    a, b = timing[T_MOTION + MOTION_SPEED_INPUT], timing[T_MOTION + MOTION_HEADING]
    known = frame.st_valid >> a & frame.st_valid >> b & 1
    if timing[T_MOTION + MOTION_FORM] != BY_HEADING or known == 0:
        return False, 0.0, 0.0
    return True, frame.in_value[a], frame.in_value[b]


@jit
def margin(limits: Limits, timing: Timing, frame: Frame) -> float:
    """Distance in m that is kept from every fence: the policy's margin, and the error that the position may have."""
    error, i = limits[L_MOTION + MOTION_ERROR], timing[T_MOTION + MOTION_ERROR_INPUT]
    if i >= 0:
        error = limits[L_MOTION + MOTION_ERROR_WORST]
        if frame.st_valid >> i & 1:
            error = limits[L_MOTION + MOTION_ERROR_FACTOR] * max(frame.in_value[i], 0.0)
    return limits[L_MOTION + MOTION_MARGIN] + error


@jit
def closing(limits: Limits, speed_mps: float) -> float:
    """Speed in m/s at which a wall may come nearer: the part of the velocity towards it, and wind."""
    return max(speed_mps, 0.0) + limits[L_MOTION + MOTION_WIND]


@jit
def need(limits: Limits, timing: Timing, closing_mps: float) -> float:
    """Distance in m travelled from a closing speed (wind included) until standing, without `margin`.

    Reaction time at that speed, then braking: v T + v^2 / (2 b).
    """
    v = max(closing_mps, 0.0)
    return v * limits[L_MOTION + MOTION_REACTION] + v * v / (2.0 * limits[L_MOTION + MOTION_BRAKE])
