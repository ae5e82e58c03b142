"""The half-spaces of this tick, from which the barrier filter projects: see barrier.py.

A barrier is h = c_max - c: the closing speed c towards a wall may be c_max(g) = sqrt((b T)^2 + w^2 + 2 b g) - b T at
the distance g, from which the vehicle comes down to the speed w at the wall with the deceleration b, after going on
for the time T (`lead_s`). Keeping dh/dt >= -gamma h for ever keeps h >= 0 (control barrier function: Ames et al., ECC
2019). It bounds the acceleration towards the wall by gamma h - b c / sqrt(...), never less than -b while h >= 0.
"""

from __future__ import annotations

import math

from safetykit.core.bounds import PLANES_MAX, WAY_MARKS
from safetykit.core.columns.motion import (
    ACTIVE_PRICE,
    ACTIVE_ROW,
    MOTION_BRAKE,
    MOTION_CHANNEL,
    MOTION_GAIN,
    MOTION_LATENCY,
    MOTION_RESPONSE,
    MOTION_SPEED_MAX,
    PLANE_BOUND,
    PLANE_OF,
    PLANE_X,
    PLANE_Y,
    PLANE_Z,
    WALL_GAP,
    WALL_X,
    WALL_Y,
    WALL_Z,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import L_MOTION, T_MOTION, Frame, Limits, Timing
from safetykit.core.projection import Vector, dot
from safetykit.core.vocabulary import Fault
from safetykit.core.walls import ACTIVE_MAX, INFEASIBLE, OF_KIND, OF_SPEED, OF_SPEED_ZONE, OF_ZONE

_ZONE_NEAR, _BARRIER = 1 << Fault.ZONE_NEAR, 1 << Fault.BARRIER
GRAVITY_MPS2 = 9.80665
SLACK = 1e-9  # of a bound, against float noise
ROUND = 1e-6  # share by which a limit that is no plane (speed, tilt, length of a group) may be overdone
SHORT = 1e-9  # a normal that loses all but this to axes without a channel says nothing to the others


@jit
def length(v: Vector) -> float:
    """Euclidean."""
    return math.sqrt(dot(v, v))


@jit
def minus(a: Vector, b: Vector) -> Vector:
    """a - b"""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@jit
def among(v: Vector, axes: int) -> Vector:
    """The components of `v` on the axes of a mask; zero elsewhere."""
    return v[0] if axes & 1 else 0.0, v[1] if axes & 2 else 0.0, v[2] if axes & 4 else 0.0


@jit
def remember(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> None:
    """The way that the set-points went so far, and where it was in the last latency: WAY_MARKS marks cover it."""
    if limits[L_MOTION + MOTION_RESPONSE] > 0.0:
        _remember(limits, timing, frame, dt_s)


@jit_apart
def _remember(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> None:
    for k in range(3):
        c = timing[T_MOTION + MOTION_CHANNEL + k]
        if c >= 0:
            frame.st_way_m[k] += frame.st_sent[c] * dt_s
    frame.st_way_mark_s += dt_s
    if frame.st_way_mark_s * (WAY_MARKS - 1) >= limits[L_MOTION + MOTION_LATENCY]:
        frame.st_way_mark_s = 0.0
        mark = frame.st_way_marks % WAY_MARKS
        frame.st_way_marks += 1
        for k in range(3):
            frame.st_way_then_m[mark, k] = frame.st_way_m[k]


@jit_apart
def run(frame: Frame, normal: Vector) -> float:
    """Longest way in m along `normal` that set-points of the last latency asked for, never negative.

    The measured place is up to a latency old, and the newest set-points have not acted yet: together this way.
    """
    longest = 0.0
    for mark in range(WAY_MARKS):
        way = 0.0
        for k in range(3):
            way += normal[k] * (frame.st_way_m[k] - frame.st_way_then_m[mark, k])
        longest = max(longest, way)
    return longest


@jit
def speed_max(limits: Limits, frame: Frame) -> float:
    """Bound of |v| here and now in m/s: the policy's, or that of a speed zone."""
    return min(limits[L_MOTION + MOTION_SPEED_MAX], frame.st_speed_max_mps)


@jit
def lead_s(limits: Limits) -> float:
    """T of the barrier, s: the latency; half of it where the way of the set-points meanwhile is known (`run`)."""
    return limits[L_MOTION + MOTION_LATENCY] * (0.5 if limits[L_MOTION + MOTION_RESPONSE] > 0.0 else 1.0)


@jit
def allowed(limits: Limits, gap_m: float, wall_mps: float) -> tuple[float, float]:
    """(closing speed allowed at a distance in m/s, how much it falls for each m). Beyond the wall: as at the wall."""
    brake = limits[L_MOTION + MOTION_BRAKE]
    lead = brake * lead_s(limits)
    root = math.sqrt(lead * lead + wall_mps * wall_mps + 2.0 * brake * max(gap_m, 0.0))
    if root - lead < wall_mps:
        return wall_mps, 0.0
    return root - lead, brake / root


@jit
def approach_bound(limits: Limits, closing_mps: float, gap_m: float, wall_mps: float) -> float:
    """Largest acceleration towards a wall in m/s^2; at least the policy's braking is left to meet it."""
    brake = limits[L_MOTION + MOTION_BRAKE]
    most, slope = allowed(limits, gap_m, wall_mps)
    return max(limits[L_MOTION + MOTION_GAIN] * (most - closing_mps) - slope * max(closing_mps, 0.0), -brake)


@jit_apart
def extent(normal: Vector, lo: Vector, hi: Vector) -> tuple[float, float]:
    """Smallest and largest normal . u in a box."""
    least, most = 0.0, 0.0
    for axis in range(3):
        a, b = normal[axis] * lo[axis], normal[axis] * hi[axis]
        least, most = least + min(a, b), most + max(a, b)
    return least, most


@jit_apart
def add(frame: Frame, count: int, of: int, normal: Vector, bound: float) -> tuple[int, int]:
    """(planes, faults) after normal . u <= bound, brought to unit length; INFEASIBLE if no u could change it."""
    size = length(normal)
    if not size > SHORT:
        return count, 0 if bound >= -SLACK else INFEASIBLE
    if count >= PLANES_MAX:
        return count, INFEASIBLE
    frame.st_plane[count, PLANE_X], frame.st_plane[count, PLANE_Y] = normal[0] / size, normal[1] / size
    frame.st_plane[count, PLANE_Z], frame.st_plane[count, PLANE_BOUND] = normal[2] / size, bound / size
    frame.st_plane[count, PLANE_OF] = float(of)
    return count + 1, 0


@jit
def beyond(size: float, limit: float) -> float:
    """How far a size is beyond its limit. What the filter itself may overdo does not count, or it would add up."""
    over = size - limit
    return over if over > 2.0 * (ROUND * limit + SLACK) else 0.0


@jit_apart
def add_ball(frame: Frame, count: int, of: int, off: Vector, centre: Vector, radius: float) -> tuple[int, int]:
    """(planes, faults) after a cut if a point `off` = u - centre lies outside the ball: its tangent plane there.

    Cut after cut, the projection onto the tangents comes to the projection onto the ball.
    """
    size = length(off)
    if not size > radius * (1.0 + ROUND) + SLACK:
        return count, 0
    return add(frame, count, of, off, dot(off, centre) + size * radius)


@jit_apart
def blame(limits: Limits, frame: Frame, count: int, velocity: Vector) -> int:
    """Reasons of the planes that hold the command back: ZONE_NEAR or BARRIER. Writes the st_barrier_ fields."""
    reasons, held, highest = 0, 0, 0.0
    for k in range(ACTIVE_MAX):
        row, price = int(frame.st_active[k, ACTIVE_ROW]), frame.st_active[k, ACTIVE_PRICE]
        if not (0 <= row < count and price > 0.0):
            continue
        what = int(frame.st_plane[row, PLANE_OF])
        of = frame.st_wall_of[what] if what >= 0 else -what * OF_KIND
        frame.st_barrier_of[held] = of
        held += 1
        zone = of // OF_KIND in (OF_ZONE, OF_SPEED_ZONE)
        if of // OF_KIND == OF_SPEED:
            zone = frame.st_speed_max_mps < limits[L_MOTION + MOTION_SPEED_MAX]
        reasons |= _ZONE_NEAR if zone else _BARRIER
        if what >= 0 and price > highest:
            highest = price
            normal = frame.st_wall[what, WALL_X], frame.st_wall[what, WALL_Y], frame.st_wall[what, WALL_Z]
            frame.st_barrier_gap_m, frame.st_barrier_closing_mps = frame.st_wall[what, WALL_GAP], dot(normal, velocity)
    return reasons
