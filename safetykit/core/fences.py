"""Zones for a vehicle of which it is known how it moves: it must be able to stop before each fence.

Every edge of an outline is a wall from the zone's floor to its ceiling; floor, ceiling and a circle's mantle are
fences too. For each one that is near, two rings: walls for the barrier filter, which corrects the command at
`correct_m` ahead of the margin (see barrier.py), and the fault ZONE as soon as the measured motion can no longer stop
at the margin.

Stopping is counted along the straight line of the motion: brakes act against the velocity, not against the fence's
normal. With v the speed and v_n its part towards the fence this takes v_n T + v v_n / (2 b), which is more than
v_n T + v_n^2 / (2 b); the walls are moved nearer by the difference.

Who was outside already when nobody drove, may only move back: ZONE_OUTSIDE instead of ZONE, and not deeper.
"""

from __future__ import annotations

import math

from safetykit.core import geometry, motion, walls
from safetykit.core.bounds import ZONE_VERTICES_MAX
from safetykit.core.columns.motion import (
    KEEP_IN,
    KEEP_OUT,
    MOTION_ACCEL,
    MOTION_BRAKE,
    MOTION_GAIN,
    MOTION_REACTION,
    MOTION_STEERS,
    NOTHING,
    SLOW,
    ZONE_CEILING,
    ZONE_COLS,
    ZONE_COLS_I,
    ZONE_CORRECT,
    ZONE_EXCESS,
    ZONE_FLOOR,
    ZONE_N,
    ZONE_RADIUS,
    ZONE_RULE,
    ZONE_SPEED,
    ZONE_X,
    ZONE_X_MAX,
    ZONE_X_MIN,
    ZONE_XY,
    ZONE_Y,
    ZONE_Y_MAX,
    ZONE_Y_MIN,
    ZONES_FIRST_KEEP_IN,
    ZONES_KEEP_INS,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    L_MOTION,
    L_ZONE,
    POSITION_X,
    POSITION_Y,
    POSITION_Z,
    T_MOTION,
    T_ZONE,
    T_ZONES,
    UNLIMITED,
    ZONE_COUNT,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault, State

# What is seen from the vehicle: x, y, z in m; velocity x, y, z and speed in m/s; margin and reach in m, beyond
# which no fence matters; and what a vehicle at rest must keep from a fence.
Seen = tuple[float, float, float, float, float, float, float, float, float, float]
Wall = tuple[float, float, float, float]  # unit normal towards a fence, and the way to it in m; negative = beyond it

_ZONE, _OUTSIDE = 1 << Fault.ZONE, 1 << Fault.ZONE_OUTSIDE
_STANDBY = int(State.STANDBY)
_OF_ZONE, _OF_SPEED_ZONE = walls.OF_ZONE * walls.OF_KIND, walls.OF_SPEED_ZONE * walls.OF_KIND


@jit_apart
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """ZONE, ZONE_OUTSIDE and INFEASIBLE of all zones, and the walls of those that are near. The position is known."""
    known, vx, vy, vz = motion.velocity(limits, timing, frame)
    if not known:
        return _ZONE
    z = frame.in_value[timing[POSITION_Z]] if timing[POSITION_Z] >= 0 else 0.0
    x, y = frame.in_value[timing[POSITION_X]], frame.in_value[timing[POSITION_Y]]
    speed, margin = math.sqrt(vx * vx + vy * vy + vz * vz), motion.margin(limits, timing, frame)
    rest = margin + motion.need(limits, timing, motion.closing(limits, 0.0))
    seen = (x, y, z, vx, vy, vz, speed, margin, _reach(limits, timing, speed) + margin, rest)
    faults = 0
    for zone in range(timing[ZONE_COUNT]):
        rule = timing[T_ZONE + zone * ZONE_COLS_I + ZONE_RULE]
        if rule == KEEP_OUT:
            short, depth, why = look(limits, timing, frame, zone, seen, True)
            correct = limits[L_ZONE + zone * ZONE_COLS + ZONE_CORRECT]
            faults |= why | _judge(frame, zone, short, depth, correct, margin)
        elif rule == SLOW:
            faults |= _slow(limits, timing, frame, zone, seen)
    if timing[T_ZONES + ZONES_KEEP_INS] > 0:
        faults |= _keep_in(limits, timing, frame, seen)
    return faults


@jit
def _keep_in(limits: Limits, timing: Timing, frame: Frame, seen: Seen) -> int:
    """Being in one keep-in zone is enough: the one that leaves the most room to stop counts."""
    first = timing[T_ZONES + ZONES_FIRST_KEEP_IN]
    best, shortest, shallowest = first, UNLIMITED, UNLIMITED
    if timing[T_ZONES + ZONES_KEEP_INS] > 1:
        for zone in range(first, timing[ZONE_COUNT]):
            if timing[T_ZONE + zone * ZONE_COLS_I + ZONE_RULE] == KEEP_IN:
                short, depth, _ = look(limits, timing, frame, zone, seen, False)
                shallowest = min(shallowest, depth)
                if short < shortest:
                    best, shortest = zone, short
    short, depth, faults = look(limits, timing, frame, best, seen, True)
    correct = limits[L_ZONE + best * ZONE_COLS + ZONE_CORRECT]
    return faults | _judge(frame, first, short, min(shallowest, depth), correct, seen[7])


@jit_apart
def _judge(frame: Frame, zone: int, short: float, depth: float, correct: float, tolerance: float) -> int:
    """Ring 2, and the latch of a vehicle that was outside before it was engaged.

    The latch goes by itself once the vehicle is inside again with its margin and `correct`. While it holds, the
    vehicle may be as deep as it was at its best since, and `tolerance` more: positions are not exact.
    """
    bit = 1 << zone
    if frame.st_state <= _STANDBY and depth > 0.0:
        frame.st_outside |= bit
        frame.st_outside_depth_m[zone] = depth
    elif depth <= -correct:
        frame.st_outside &= ~bit
    if frame.st_outside & bit == 0:
        return _ZONE if short > 0.0 else 0
    frame.st_outside_depth_m[zone] = min(frame.st_outside_depth_m[zone], depth)
    if short > frame.st_outside_depth_m[zone] + tolerance:
        return _ZONE
    return _OUTSIDE if short > 0.0 else 0


@jit
def _slow(limits: Limits, timing: Timing, frame: Frame, zone: int, seen: Seen) -> int:
    """A speed zone: walls with its speed outside, a limit for the barrier filter inside, ZONE if that is not kept."""
    if frame.st_zones >> zone & 1 == 0:
        _, _, faults = look(limits, timing, frame, zone, seen, True)
        return faults
    row = L_ZONE + zone * ZONE_COLS
    frame.st_speed_max_mps = min(frame.st_speed_max_mps, limits[row + ZONE_SPEED])
    if seen[6] <= limits[row + ZONE_SPEED] + limits[row + ZONE_EXCESS]:
        return 0
    frame.st_zone_fast = zone
    return _ZONE


@jit_apart
def look(limits: Limits, timing: Timing, frame: Frame, zone: int, seen: Seen, push: bool) -> tuple[float, float, int]:
    """(short, depth, faults) of one zone, in m; its walls are handed to the barrier filter if `push`.

    `short` is how much room is missing to stop before the worst fence; `depth` is the same for a vehicle at rest, so
    how deep in the margin, or beyond the fence, it is. Negative: so much room is left; -UNLIMITED: no fence is near.
    """
    keep_in = timing[T_ZONE + zone * ZONE_COLS_I + ZONE_RULE] == KEEP_IN
    inside = frame.st_zones >> zone & 1 == 1
    if inside != keep_in:
        return _fence(limits, timing, frame, zone, _way_back(limits, timing, zone, seen, inside), seen, push)
    if keep_in:
        return _from_inside(limits, timing, frame, zone, seen, push)
    return _from_outside(limits, timing, frame, zone, seen, push)


@jit
def _from_inside(
    limits: Limits, timing: Timing, frame: Frame, zone: int, seen: Seen, push: bool
) -> tuple[float, float, int]:
    """Floor, ceiling and every edge: all of them are ahead."""
    row, z = L_ZONE + zone * ZONE_COLS, seen[2]
    floor = (0.0, 0.0, -1.0, z - limits[row + ZONE_FLOOR])
    ceiling = (0.0, 0.0, 1.0, limits[row + ZONE_CEILING] - z)
    one, depth_one, why_one = _fence(limits, timing, frame, zone, floor, seen, push)
    two, depth_two, why_two = _fence(limits, timing, frame, zone, ceiling, seen, push)
    short, depth, why = _edges(limits, timing, frame, zone, seen, 0.0, push)
    return max(one, two, short), max(depth_one, depth_two, depth), why_one | why_two | why


@jit
def _from_outside(
    limits: Limits, timing: Timing, frame: Frame, zone: int, seen: Seen, push: bool
) -> tuple[float, float, int]:
    """The floor from below, the ceiling from above; beside the zone its walls, or a circle's nearest point."""
    row, x, y = L_ZONE + zone * ZONE_COLS, seen[0], seen[1]
    reach = seen[8] + limits[row + ZONE_CORRECT]
    climb = geometry.climb(seen[2], limits[row + ZONE_FLOOR], limits[row + ZONE_CEILING])
    if (
        x < limits[row + ZONE_X_MIN] - reach
        or x > limits[row + ZONE_X_MAX] + reach
        or y < limits[row + ZONE_Y_MIN] - reach
        or y > limits[row + ZONE_Y_MAX] + reach
        or climb > reach
        or climb < -reach
    ):
        return -UNLIMITED, -UNLIMITED, 0
    corners = timing[T_ZONE + zone * ZONE_COLS_I + ZONE_N]
    if climb != 0.0 and inside_plan(limits, timing, zone, x, y):
        wall = (0.0, 0.0, 1.0, climb) if climb > 0.0 else (0.0, 0.0, -1.0, -climb)
        return _fence(limits, timing, frame, zone, wall, seen, push)
    if corners > 0:
        return _edges(limits, timing, frame, zone, seen, climb, push)
    dx, dy = limits[row + ZONE_X] - x, limits[row + ZONE_Y] - y
    centre = math.sqrt(dx * dx + dy * dy)
    share = (centre - limits[row + ZONE_RADIUS]) / centre
    wall = geometry.direction(dx * share, dy * share, climb, (dx, dy))
    return _fence(limits, timing, frame, zone, wall, seen, push)


@jit_apart
def inside_plan(limits: Limits, timing: Timing, zone: int, x: float, y: float) -> bool:
    """Whether (x, y) is inside the zone's outline or circle, whatever the height."""
    row = L_ZONE + zone * ZONE_COLS
    if not (
        limits[row + ZONE_X_MIN] <= x <= limits[row + ZONE_X_MAX]
        and limits[row + ZONE_Y_MIN] <= y <= limits[row + ZONE_Y_MAX]
    ):
        return False
    corners = timing[T_ZONE + zone * ZONE_COLS_I + ZONE_N]
    if corners > 0:
        return geometry.inside_outline(limits, row + ZONE_XY, corners, x, y)
    return geometry.inside_circle(x - limits[row + ZONE_X], y - limits[row + ZONE_Y], limits[row + ZONE_RADIUS])


@jit_apart
def _edges(
    limits: Limits, timing: Timing, frame: Frame, zone: int, seen: Seen, climb: float, push: bool
) -> tuple[float, float, int]:
    """Every edge that faces the vehicle and is near. Those that face away are hidden behind others."""
    row, x, y = L_ZONE + zone * ZONE_COLS, seen[0], seen[1]
    side = 1.0 if timing[T_ZONE + zone * ZONE_COLS_I + ZONE_RULE] == KEEP_IN else -1.0
    reach = seen[8] + limits[row + ZONE_CORRECT]
    corners = min(timing[T_ZONE + zone * ZONE_COLS_I + ZONE_N], ZONE_VERTICES_MAX)
    short, depth, faults = -UNLIMITED, -UNLIMITED, 0
    last_x, last_y = UNLIMITED, UNLIMITED
    for k in range(corners):
        edge = _edge(limits, row, k, corners)
        if geometry.behind(x, y, edge, side):
            continue
        px, py = geometry.nearest_on_edge(x, y, edge)
        dx, dy = px - x, py - y
        if dx * dx + dy * dy + climb * climb > reach * reach or (px == last_x and py == last_y):
            continue  # too far, or the corner between two edges, which is one wall
        last_x, last_y = px, py
        wall = geometry.direction(dx, dy, climb, (side * (edge[3] - edge[1]), side * (edge[0] - edge[2])))
        one, deep, why = _fence(limits, timing, frame, zone, wall, seen, push)
        short, depth, faults = max(short, one), max(depth, deep), faults | why
    return short, depth, faults


@jit
def _edge(limits: Limits, row: int, k: int, corners: int) -> tuple[float, float, float, float]:
    """Ends of the edge that leads to corner `k`."""
    here = row + ZONE_XY + 2 * k
    last = here - 2 if k > 0 else row + ZONE_XY + 2 * (corners - 1)
    return limits[last], limits[last + 1], limits[here], limits[here + 1]


@jit_apart
def _way_back(limits: Limits, timing: Timing, zone: int, seen: Seen, inside: bool) -> Wall:
    """The wall that forbids going further from the nearest legal point; its distance is negative.

    From inside a keep-out zone this point lies on the nearest edge, mantle, floor or ceiling; from outside a keep-in
    zone it is the zone's nearest point.
    """
    row, x, y, z = L_ZONE + zone * ZONE_COLS, seen[0], seen[1], seen[2]
    climb = geometry.climb(z, limits[row + ZONE_FLOOR], limits[row + ZONE_CEILING])
    if not inside and inside_plan(limits, timing, zone, x, y):
        return (0.0, 0.0, -1.0, -climb) if climb > 0.0 else (0.0, 0.0, 1.0, climb)
    if timing[T_ZONE + zone * ZONE_COLS_I + ZONE_N] > 0:
        dx, dy, instead = _nearest(limits, timing, zone, x, y, inside)
    else:
        out_x, out_y = x - limits[row + ZONE_X], y - limits[row + ZONE_Y]
        centre = math.sqrt(out_x * out_x + out_y * out_y)
        left = limits[row + ZONE_RADIUS] - centre
        if centre < geometry.TOUCH_M:  # at the centre every way out is as long
            out_x, out_y, centre = 1.0, 0.0, 1.0
        share = left / centre
        dx, dy, instead = out_x * share, out_y * share, (-out_x, -out_y)
    nx, ny, nz, way = geometry.direction(-dx, -dy, -climb, instead)
    if inside and z - limits[row + ZONE_FLOOR] < way:
        nx, ny, nz, way = 0.0, 0.0, 1.0, z - limits[row + ZONE_FLOOR]
    if inside and limits[row + ZONE_CEILING] - z < way:
        nx, ny, nz, way = 0.0, 0.0, -1.0, limits[row + ZONE_CEILING] - z
    return nx, ny, nz, -way


@jit
def _nearest(
    limits: Limits, timing: Timing, zone: int, x: float, y: float, inside: bool
) -> tuple[float, float, tuple[float, float]]:
    """(dx, dy) to the outline's nearest point, and the direction across its edge that leads on from there."""
    row = L_ZONE + zone * ZONE_COLS
    corners = min(timing[T_ZONE + zone * ZONE_COLS_I + ZONE_N], ZONE_VERTICES_MAX)
    side = -1.0 if inside else 1.0
    least, dx, dy, across = UNLIMITED, 0.0, 0.0, (1.0, 0.0)
    for k in range(corners):
        edge = _edge(limits, row, k, corners)
        px, py = geometry.nearest_on_edge(x, y, edge)
        far = (px - x) * (px - x) + (py - y) * (py - y)
        if far < least:
            least, dx, dy = far, px - x, py - y
            across = (side * (edge[3] - edge[1]), side * (edge[0] - edge[2]))
    return dx, dy, across


@jit_apart
def _fence(
    limits: Limits, timing: Timing, frame: Frame, zone: int, wall: Wall, seen: Seen, push: bool
) -> tuple[float, float, int]:
    """(short, depth, faults) of one fence, see `look`; its wall, if the motion can come to it soon enough to matter."""
    row, rule = L_ZONE + zone * ZONE_COLS, timing[T_ZONE + zone * ZONE_COLS_I + ZONE_RULE]
    nx, ny, nz, way = wall
    onward = max(nx * seen[3] + ny * seen[4] + nz * seen[5], 0.0)
    closing = motion.closing(limits, onward)
    slanting = onward * max(seen[6] - onward, 0.0) / (2.0 * limits[L_MOTION + MOTION_BRAKE])
    needed = seen[7] + motion.need(limits, timing, closing) + slanting
    depth = seen[9] - way
    if not push:
        return needed - way, depth, 0
    if rule != SLOW and (frame.st_zone_worst < 0 or needed - way > frame.st_zone_needed_m - frame.st_zone_gap_m):
        frame.st_zone_worst, frame.st_zone_gap_m, frame.st_zone_needed_m = zone, way, needed
    room = way - seen[7] - limits[row + ZONE_CORRECT] - slanting
    if timing[T_MOTION + MOTION_STEERS] == NOTHING or room > _reach(limits, timing, onward):
        return needed - way, depth, 0
    latch = timing[T_ZONES + ZONES_FIRST_KEEP_IN] if rule == KEEP_IN else zone
    if frame.st_outside >> latch & 1:
        room = max(room, 0.0)  # the way back is the driver's; only further out is closed
    of = (_OF_SPEED_ZONE if rule == SLOW else _OF_ZONE) + zone
    return needed - way, depth, walls.push(frame, of, (nx, ny, nz), room, limits[row + ZONE_SPEED], 0.0)


@jit_apart
def _reach(limits: Limits, timing: Timing, speed_mps: float) -> float:
    """Room in m beyond which a fence decides nothing yet, for a speed towards it (or any speed: then for all fences).

    Until the brakes act the vehicle may gain acceleration times reaction time, and must still be able to stop; and the
    barrier filter slows it from where (v + a (T + v / b)) / gain is left.
    """
    accel, reaction = limits[L_MOTION + MOTION_ACCEL], limits[L_MOTION + MOTION_REACTION]
    if timing[T_MOTION + MOTION_STEERS] == NOTHING:
        accel = 0.0  # nobody would look at the walls
    v = motion.closing(limits, speed_mps)
    swing = v + accel * (reaction + v / limits[L_MOTION + MOTION_BRAKE])
    slanting = v * v / (8.0 * limits[L_MOTION + MOTION_BRAKE])  # at most, see _fence
    return motion.need(limits, timing, v + accel * reaction) + swing / limits[L_MOTION + MOTION_GAIN] + slanting
