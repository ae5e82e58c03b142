"""Time to collision and required deceleration, for vehicles without a lane; the walls of obstacles.

Vehicle and object are spheres (circles where heights do not count) around their centres; an object's reaches the
corners of its box, whichever way it lies. Both keep their velocity. With the relative position p, relative velocity w
and the sum of radii r, they touch at the smaller root of |p + w t| = r. The deceleration that just prevents it, after
the reaction time T, on the remaining way s = |w| t, is |w|^2 / (2 (s - |w| T)): the deceleration rate to avoid a crash
(DRAC) of Cooper and Ferguson, Traffic studies at T-junctions, 1976.
"""

from __future__ import annotations

import math

from safetykit.core import motion, objects, walls
from safetykit.core.columns.motion import MOTION_GAIN, MOTION_REACTION
from safetykit.core.columns.objects import (
    COLLISION_CLEARANCE,
    COLLISION_DECEL,
    COLLISION_FLAT,
    COLLISION_RADIUS,
    COLLISION_SPEED,
    COLLISION_TTC_S,
    COLLISION_USED,
    COLLISION_WALLS,
    OBJ_HEIGHT,
    OBJ_LENGTH,
    OBJ_VX,
    OBJ_VY,
    OBJ_VZ,
    OBJ_WIDTH,
    OBJ_X,
    OBJ_Y,
    OBJ_Z,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import L_COLLISION, L_MOTION, T_COLLISION, UNLIMITED, Frame, Limits, Timing
from safetykit.core.vocabulary import Fault
from safetykit.core.windows import INFEASIBLE

COLLISION = 1 << Fault.COLLISION
_Vector = tuple[float, float, float]


@jit
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """COLLISION where a limit is exceeded; pushes the walls of obstacles. INFEASIBLE if the velocity is not known."""
    if timing[T_COLLISION + COLLISION_USED] == 0:
        return 0
    return _check(limits, timing, frame)


@jit_apart
def _check(limits: Limits, timing: Timing, frame: Frame) -> int:
    frame.st_collision_object = frame.st_decel_object = -1
    frame.st_ttc_s, frame.st_decel_mps2 = UNLIMITED, 0.0
    known, vx, vy, vz = motion.velocity(limits, timing, frame)
    if not known:
        return INFEASIBLE if frame.st_objects_count > 0 else 0
    faults = 0
    for k in range(frame.st_objects_count):
        if frame.st_objects_unsound and not objects.sound(limits, frame, k):
            continue
        position, velocity, reach = _seen(limits, timing, frame, k)
        relative = velocity[0] - vx, velocity[1] - vy, velocity[2] - vz
        ttc_s, decel = _course(limits, position, relative, reach)
        if ttc_s < frame.st_ttc_s:
            frame.st_ttc_s, frame.st_collision_object = ttc_s, k
        if decel > frame.st_decel_mps2:
            frame.st_decel_mps2, frame.st_decel_object = decel, k
        if timing[T_COLLISION + COLLISION_WALLS]:
            faults |= _wall(limits, timing, frame, k, position, velocity, reach)
    if frame.st_ttc_s < limits[L_COLLISION + COLLISION_TTC_S]:
        faults |= COLLISION
    if frame.st_decel_mps2 > limits[L_COLLISION + COLLISION_DECEL]:
        faults |= COLLISION
    return faults


@jit
def _seen(limits: Limits, timing: Timing, frame: Frame, k: int) -> tuple[_Vector, _Vector, float]:
    """(position, velocity, sum of the radii in m) of object `k`."""
    row = frame.in_object[k]
    z, vz, height = row[OBJ_Z], row[OBJ_VZ], row[OBJ_HEIGHT]
    if timing[T_COLLISION + COLLISION_FLAT]:
        z = vz = height = 0.0
    length, width = row[OBJ_LENGTH], row[OBJ_WIDTH]
    radius = 0.5 * math.sqrt(length * length + width * width + height * height)
    return (row[OBJ_X], row[OBJ_Y], z), (row[OBJ_VX], row[OBJ_VY], vz), limits[L_COLLISION + COLLISION_RADIUS] + radius


@jit
def _course(limits: Limits, p: _Vector, w: _Vector, reach: float) -> tuple[float, float]:
    """(time to collision in s, required deceleration in m/s^2); (UNLIMITED, 0) for an object on another course.

    Touching already counts only while they come nearer, so that a vehicle can leave.
    """
    nearing = -(p[0] * w[0] + p[1] * w[1] + p[2] * w[2])
    if not nearing > 0.0:
        return UNLIMITED, 0.0
    apart = p[0] * p[0] + p[1] * p[1] + p[2] * p[2] - reach * reach
    if apart <= 0.0:
        return 0.0, UNLIMITED
    square = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
    root = nearing * nearing - square * apart
    if root < 0.0:
        return UNLIMITED, 0.0
    ttc_s = apart / (nearing + math.sqrt(root))
    left_s = ttc_s - limits[L_MOTION + MOTION_REACTION]
    if left_s <= 0.0:
        return ttc_s, UNLIMITED
    return ttc_s, math.sqrt(square) / (2.0 * left_s)


@jit
def _wall(
    limits: Limits, timing: Timing, frame: Frame, k: int, position: _Vector, velocity: _Vector, reach: float
) -> int:
    """Pushes the plane that touches the object, if the vehicle could come to need it; INFEASIBLE without a side."""
    x, y, z = position
    distance = math.sqrt(x * x + y * y + z * z)
    if distance <= 0.0:
        return INFEASIBLE
    nx, ny, nz = x / distance, y / distance, z / distance
    gap = distance - reach - limits[L_COLLISION + COLLISION_CLEARANCE]
    approach = -(nx * velocity[0] + ny * velocity[1] + nz * velocity[2])
    closing = motion.closing(limits, limits[L_COLLISION + COLLISION_SPEED] + max(approach, 0.0))
    if gap > max(motion.need(limits, timing, closing), closing / limits[L_MOTION + MOTION_GAIN]):
        return 0
    return walls.push(frame, walls.OF_OBJECT * walls.OF_KIND + k, (nx, ny, nz), gap, 0.0, approach)
