"""The barrier filter: the smallest change of the command that keeps the state where it may be.

It looks at what the envelope would send and changes it only if a plane of planes.py is broken: walls of zones and
objects, altitude, speed, tilt. The changed command stays within everything that the envelope left of each channel
but jerk (the jerk limit gives way to a wall), and within the policy's authority. Two kinds of vehicle:

* Axes (drone). Accelerations are bounded as they are. A velocity set-point s is followed with the time constant tau,
  v' = (s - v) / tau, so the distance g - tau v shrinks by s: the set-point takes the place of the velocity, its rate
  that of the acceleration, and what was sent last, which is known exactly, counts. What latency hides is known as well:
  the way of the set-points meanwhile (planes.run).
* Bicycle (car): see bicycle.py.

No allowed command, or a state that is not known, is INFEASIBLE: then the command brakes, and the policy's reaction
to INFEASIBLE (RECOVER or worse) takes over in the same tick.
"""

from __future__ import annotations

from safetykit.core import bicycle, groups, motion, planes
from safetykit.core.columns.motion import (
    AXES,
    MOTION_ACCEL,
    MOTION_BRAKE,
    MOTION_CEILING,
    MOTION_CHANNEL,
    MOTION_FLOOR,
    MOTION_GAIN,
    MOTION_GROUP,
    MOTION_LATENCY,
    MOTION_RESPONSE,
    MOTION_STEERS,
    MOTION_TILT,
    MOTION_WIND,
    NOTHING,
    WALL_APPROACH,
    WALL_GAP,
    WALL_SPEED,
    WALL_X,
    WALL_Y,
    WALL_Z,
)
from safetykit.core.interval import clip
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    GROUP_CHANNEL,
    GROUP_COLS,
    GROUP_COLS_I,
    GROUP_N,
    HARD_HI,
    HARD_LO,
    L_CHANNEL,
    L_GROUP,
    L_MOTION,
    NORM_RATE,
    POSITION_Z,
    T_GROUP,
    T_MOTION,
    UNLIMITED,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.planes import (
    GRAVITY_MPS2,
    ROUND,
    SLACK,
    add,
    add_ball,
    among,
    beyond,
    extent,
    length,
    minus,
)
from safetykit.core.projection import Vector, dot, project
from safetykit.core.walls import INFEASIBLE, OF_CEILING, OF_FLOOR, OF_GROUP, OF_GROUP_RATE, OF_SPEED, OF_TILT

CUTS_MAX = 12  # rounds of tangents; each leaves about a tenth of the error, which is small from the first
_Box = tuple[Vector, Vector, Vector]  # lo, hi, what the envelope would send
_Now = tuple[int, Vector, float]  # mask of the steered axes, what was last sent, s since then
_ZERO = (0.0, 0.0, 0.0)


@jit
def protect(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> int:
    """Changes out_sent, after the envelope, so that the walls are kept; books and returns the reasons."""
    if timing[T_MOTION + MOTION_STEERS] == NOTHING:
        return 0
    return _protect(limits, timing, frame, dt_s)


@jit_apart
def _protect(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> int:
    if timing[T_MOTION + MOTION_STEERS] == AXES:
        faults = _by_axes(limits, timing, frame, dt_s)
    else:
        faults = bicycle.keep(limits, timing, frame, dt_s)
    for k in range(3):
        c = timing[T_MOTION + MOTION_CHANNEL + k]
        if c >= 0:
            frame.out_reason[c] |= faults
    return faults


@jit
def _by_axes(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> int:
    known, vx, vy, vz = motion.velocity(limits, timing, frame)
    v = vx, vy, vz
    now, box = _state(limits, timing, frame, dt_s, v)
    count, faults = 0, INFEASIBLE
    if known:
        count, faults = _gather(limits, timing, frame, v, now, box)
    feasible, u = False, _ZERO
    if faults == 0:
        feasible, count, u = _solve(limits, timing, frame, v, now, box, count)
    if not feasible:
        _brake(limits, timing, frame, v, now)
        return INFEASIBLE
    change = length(minus(u, box[2]))
    if not change > SLACK * (1.0 + length(u)):
        return 0
    frame.st_barrier_change = change
    for k in range(3):
        c = timing[T_MOTION + MOTION_CHANNEL + k]
        if c >= 0:
            frame.out_sent[c] = clip(u[k], box[0][k], box[1][k])
    return planes.blame(limits, frame, count, v)


@jit_apart
def _state(limits: Limits, timing: Timing, frame: Frame, dt_s: float, v: Vector) -> tuple[_Now, _Box]:
    """What was sent, and the box of what may be sent now. An axis without a channel goes on as measured."""
    by_velocity, authority = limits[L_MOTION + MOTION_RESPONSE] > 0.0, limits[L_MOTION + MOTION_ACCEL]
    steered, sent = 0, _ZERO
    if by_velocity:
        sent = v
    lo, hi, wanted = sent, sent, sent
    for k in range(3):
        c = timing[T_MOTION + MOTION_CHANNEL + k]
        if c < 0:
            continue
        steered |= 1 << k
        last, ask = frame.st_sent[c], frame.out_sent[c]
        low, high = -authority, authority
        if by_velocity:
            low, high = last - authority * dt_s, last + authority * dt_s
        sent = _with(sent, k, last)
        lo = _with(lo, k, min(ask, max(frame.st_reach_lo[c], low)))
        hi = _with(hi, k, max(ask, min(frame.st_reach_hi[c], high)))
        wanted = _with(wanted, k, ask)
    return (steered, sent, dt_s), (lo, hi, wanted)


@jit
def _with(v: Vector, k: int, value: float) -> Vector:
    """`v` with another component k."""
    return value if k == 0 else v[0], value if k == 1 else v[1], value if k == 2 else v[2]


@jit_apart
def _gather(limits: Limits, timing: Timing, frame: Frame, v: Vector, now: _Now, box: _Box) -> tuple[int, int]:
    """(planes, faults) of walls, altitude and, where accelerations are commanded, speed."""
    count, faults, wind = 0, 0, limits[L_MOTION + MOTION_WIND]
    for w in range(frame.st_wall_count):
        normal = frame.st_wall[w, WALL_X], frame.st_wall[w, WALL_Y], frame.st_wall[w, WALL_Z]
        nearing = max(frame.st_wall[w, WALL_APPROACH], 0.0) + wind
        closing, used = _moving(limits, frame, v, now[1], normal, nearing)
        gap, at_wall = frame.st_wall[w, WALL_GAP] - used, frame.st_wall[w, WALL_SPEED]
        bound = planes.approach_bound(limits, closing, gap, at_wall)
        count, why = _plane(limits, timing, frame, now, box, (count, w), (normal, bound))
        faults |= why
    floor, ceiling = limits[L_MOTION + MOTION_FLOOR], limits[L_MOTION + MOTION_CEILING]
    if floor > -UNLIMITED or ceiling < UNLIMITED:
        z, kept = timing[POSITION_Z], motion.margin(limits, timing, frame)
        if frame.st_valid >> z & 1 == 0:
            return count, INFEASIBLE
        for side in range(2):
            normal = 0.0, 0.0, -1.0 if side == 0 else 1.0
            gap = frame.in_value[z] - floor if side == 0 else ceiling - frame.in_value[z]
            closing, used = _moving(limits, frame, v, now[1], normal, wind)
            bound = planes.approach_bound(limits, closing, gap - kept - used, 0.0)
            what = -OF_FLOOR if side == 0 else -OF_CEILING
            count, why = _plane(limits, timing, frame, now, box, (count, what), (normal, bound))
            faults |= why
    if limits[L_MOTION + MOTION_RESPONSE] == 0.0 and planes.speed_max(limits, frame) < UNLIMITED:
        count, why = _speed(limits, timing, frame, v, now, box, count)
        faults |= why
    return count, faults


@jit_apart
def _speed(
    limits: Limits, timing: Timing, frame: Frame, v: Vector, now: _Now, box: _Box, count: int
) -> tuple[int, int]:
    """(planes, faults) of the speed: along the velocity, and along the one that the latency may hide in a turn."""
    fastest, latency, faults = planes.speed_max(limits, frame), limits[L_MOTION + MOTION_LATENCY], 0
    sent = now[1]
    soon = v[0] + latency * sent[0], v[1] + latency * sent[1], v[2] + latency * sent[2]
    speed = max(length(v), length(soon))
    bound = max(limits[L_MOTION + MOTION_GAIN] * (fastest - speed), -limits[L_MOTION + MOTION_BRAKE])
    for late in range(2):
        way = soon if late else v
        size = length(way)
        if size > 0.0:
            normal = way[0] / size, way[1] / size, way[2] / size
            count, why = _plane(limits, timing, frame, now, box, (count, -OF_SPEED), (normal, bound))
            faults |= why
    return count, faults


@jit
def _moving(
    limits: Limits, frame: Frame, v: Vector, sent: Vector, normal: Vector, nearing: float
) -> tuple[float, float]:
    """(closing speed in m/s, distance in m that is used up already) towards a wall that itself comes nearer."""
    own, response = dot(normal, v), limits[L_MOTION + MOTION_RESPONSE]
    if response > 0.0:
        hidden = planes.run(frame, normal) + nearing * limits[L_MOTION + MOTION_LATENCY]
        return dot(normal, sent) + nearing, response * max(own + nearing, 0.0) + hidden
    return own + max(dot(normal, sent), 0.0) * limits[L_MOTION + MOTION_LATENCY] + nearing, 0.0


@jit_apart
def _plane(
    limits: Limits,
    timing: Timing,
    frame: Frame,
    now: _Now,
    box: _Box,
    place: tuple[int, int],
    plane: tuple[Vector, float],
) -> tuple[int, int]:
    """(planes, faults) after a bound of the acceleration along a normal, if the box reaches beyond it.

    `place`: planes so far, and what made this one. An acceleration that its rate limit keeps from braking in full at
    once may take the time: the latency covers it.
    """
    by_velocity = limits[L_MOTION + MOTION_RESPONSE] > 0.0
    normal, bound = among(plane[0], now[0]), plane[1]
    if by_velocity:
        bound = dot(normal, now[1]) + now[2] * bound
    least, most = extent(normal, box[0], box[1])
    if most <= bound:
        return place[0], 0
    if not by_velocity and bound < dot(normal, now[1]):
        lo, hi = _authority(limits, timing)
        if extent(normal, lo, hi)[0] > bound + SLACK:
            return place[0], INFEASIBLE
        bound = max(bound, _on_the_way(limits, normal, now[1], box), least)
    return add(frame, place[0], place[1], normal, bound)


@jit
def _on_the_way(limits: Limits, normal: Vector, sent: Vector, box: _Box) -> float:
    """Acceleration along `normal`, as far on the straight way from what was sent to full braking as the box lets it.

    Every point of that way keeps the tilt, because both of its ends do.
    """
    brake, share = limits[L_MOTION + MOTION_BRAKE], 1.0
    for k in range(3):
        left = -brake * normal[k] - sent[k]
        if left != 0.0:
            room = box[1][k] - sent[k] if left > 0.0 else box[0][k] - sent[k]
            share = min(share, max(room / left, 0.0))
    return dot(normal, sent) * (1.0 - share) - brake * dot(normal, normal) * share


@jit
def _authority(limits: Limits, timing: Timing) -> tuple[Vector, Vector]:
    """(lo, hi) of the accelerations that the channels can ever be told to give."""
    lo, hi, authority = _ZERO, _ZERO, limits[L_MOTION + MOTION_ACCEL]
    for k in range(3):
        c = timing[T_MOTION + MOTION_CHANNEL + k]
        if c >= 0:
            row = L_CHANNEL + c * CH_COLS
            lo, hi = (
                _with(lo, k, max(limits[row + HARD_LO], -authority)),
                _with(hi, k, min(limits[row + HARD_HI], authority)),
            )
    return lo, hi


@jit_apart
def _solve(
    limits: Limits, timing: Timing, frame: Frame, v: Vector, now: _Now, box: _Box, count: int
) -> tuple[bool, int, Vector]:
    """(feasible, planes, command): projections, with tangents of the round limits until all of these are kept."""
    for _ in range(CUTS_MAX):
        feasible, x, y, z = project(frame.st_plane, count, box[0], box[1], box[2], frame.st_active)
        u = x, y, z
        if not feasible:
            return False, count, u
        before = count
        count, faults = _cut(limits, timing, frame, v, now, u, count)
        if faults or count == before:
            return faults == 0, count, u
    return False, count, box[2]


@jit_apart
def _cut(limits: Limits, timing: Timing, frame: Frame, v: Vector, now: _Now, u: Vector, count: int) -> tuple[int, int]:
    """(planes, faults) after tangents of speed, group and tilt where `u` lies outside.

    What was sent last may be outside as well, after a limit became smaller: then no further out, and the speed comes
    down by braking.
    """
    steered, sent, dt_s = now
    by_velocity, faults = limits[L_MOTION + MOTION_RESPONSE] > 0.0, 0
    fastest = planes.speed_max(limits, frame)
    if by_velocity and fastest < UNLIMITED:
        radius = max(fastest, length(sent) - limits[L_MOTION + MOTION_BRAKE] * dt_s)
        count, why = add_ball(frame, count, -OF_SPEED, among(u, steered), _ZERO, radius)
        faults |= why
    g = timing[T_MOTION + MOTION_GROUP]
    if g >= 0:
        axes = _axes_of(timing, g)
        radius = groups.norm(limits, timing, frame, g)
        radius += beyond(length(among(sent, axes)), radius)
        count, why = add_ball(frame, count, -OF_GROUP, among(u, axes), _ZERO, radius)
        rate = limits[L_GROUP + g * GROUP_COLS + NORM_RATE]
        faults |= why
        if rate < UNLIMITED:
            count, why = add_ball(frame, count, -OF_GROUP_RATE, among(minus(u, sent), axes), sent, rate * dt_s)
            faults |= why
    if limits[L_MOTION + MOTION_TILT] < UNLIMITED:
        count, why = _cut_tilt(limits, frame, v if by_velocity else _ZERO, now, u, count)
        faults |= why
    return count, faults


@jit
def _axes_of(timing: Timing, g: int) -> int:
    """Mask of the steered axes whose channels are in group `g`."""
    row, axes = T_GROUP + g * GROUP_COLS_I, 0
    for i in range(timing[row + GROUP_N]):
        for k in range(3):
            if timing[row + GROUP_CHANNEL + i] == timing[T_MOTION + MOTION_CHANNEL + k]:
                axes |= 1 << k
    return axes


@jit
def _cut_tilt(limits: Limits, frame: Frame, level: Vector, now: _Now, u: Vector, count: int) -> tuple[int, int]:
    """The cone |a_xy| <= tan(tilt) (g + a_z), with a = (u - level) / response, or u where accelerations are sent."""
    slope, response = limits[L_MOTION + MOTION_TILT], limits[L_MOTION + MOTION_RESPONSE]
    lift = GRAVITY_MPS2 * (response if response > 0.0 else 1.0)
    before, off = minus(now[1], level), minus(u, level)
    flat = among(off, 3)
    size, lifted = length(flat), slope * (lift + off[2])
    allowed = lifted + beyond(length(among(before, 3)), slope * (lift + before[2]))
    if not size > allowed * (1.0 + ROUND) + SLACK:
        return count, 0
    normal = flat[0] / size, flat[1] / size, -slope if now[0] & 4 else 0.0
    return add(frame, count, -OF_TILT, normal, dot(normal, u) - (size - allowed))


@jit_apart
def _brake(limits: Limits, timing: Timing, frame: Frame, v: Vector, now: _Now) -> None:
    """No allowed command: set-points go to zero, accelerations against the velocity, as far as the envelope lets."""
    brake, by_velocity = limits[L_MOTION + MOTION_BRAKE], limits[L_MOTION + MOTION_RESPONSE] > 0.0
    along = now[1] if by_velocity else v
    size = length(along)
    reach = brake * now[2] if by_velocity else brake
    stops = size if by_velocity else size / limits[L_MOTION + MOTION_LATENCY]
    share = min(reach, stops) / size if size > 0.0 else 0.0
    for k in range(3):
        c = timing[T_MOTION + MOTION_CHANNEL + k]
        if c >= 0:
            goal = along[k] * (1.0 - share) if by_velocity else -along[k] * share
            frame.out_sent[c] = clip(goal, frame.st_reach_lo[c], frame.st_reach_hi[c])
