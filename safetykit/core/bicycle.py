"""The barrier filter for a vehicle on wheels: acceleration along its heading, and path curvature.

It can only brake along its heading t. Going straight on at the speed v it needs the way D = v T + v^2 / (2 b) until it
stands, of which t . n counts towards a wall with the normal n. The barrier h = gap - (t . n) D, with
d(t . n)/dt = v k (n . left) for the curvature k, gives one half-space in (a, k):

    (t . n) (T + v / b) a + D v (n . left) k <= gamma h - (t . n) v

Full braking meets it at h = 0, so it can always be met without steering; steering away is the other way to meet it.
For a speed set-point s with the time constant tau the way is tau v + (way of the set-points within the latency) +
s T + s^2 / (2 b), and a is the rate of s: see barrier.py.
The curvature counts in the projection as lateral acceleration v^2 k, at 1 m/s or the speed of now.
"""

from __future__ import annotations

import math

from safetykit.core import lateral, motion, planes
from safetykit.core.columns.motion import (
    MOTION_ACCEL,
    MOTION_BRAKE,
    MOTION_CHANNEL,
    MOTION_GAIN,
    MOTION_LATENCY,
    MOTION_RESPONSE,
    MOTION_WIND,
    WALL_APPROACH,
    WALL_GAP,
    WALL_SPEED,
    WALL_X,
    WALL_Y,
)
from safetykit.core.interval import clip
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import L_MOTION, T_MOTION, UNLIMITED, Frame, Limits, Timing
from safetykit.core.planes import SLACK, add, extent, length, minus
from safetykit.core.projection import Vector, project
from safetykit.core.walls import INFEASIBLE, OF_SPEED

SLOW_MPS = 1.0  # slower speeds count as this fast where a curvature is turned into a lateral acceleration
_ZERO = (0.0, 0.0, 0.0)
_Box = tuple[Vector, Vector, Vector]  # lo, hi, what the envelope would send: acceleration, lateral acceleration, 0
# Speed in m/s with its sign, the speed that counts for the way to stop (never negative), way in m that set-points of
# before still lead to, sign of the direction, curvature that was sent last, in 1/m
_Moves = tuple[float, float, float, float, float]


@jit_apart
def keep(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> int:
    """Changes out_sent of the two channels as little as the walls demand; returns the reasons."""
    along, steer = timing[T_MOTION + MOTION_CHANNEL], timing[T_MOTION + MOTION_CHANNEL + 1]
    known, v, heading = motion.speed_and_heading(timing, frame)
    scale = max(abs(v), SLOW_MPS) * max(abs(v), SLOW_MPS)
    moves = _moves(limits, timing, frame, v)
    box = _box(limits, timing, frame, dt_s, scale)
    count, faults = 0, INFEASIBLE
    if known:
        count, faults = _gather(limits, frame, dt_s, heading, scale, moves, box)
    feasible, u = False, _ZERO
    if faults == 0:
        feasible, a, q, unused = project(frame.st_plane, count, box[0], box[1], box[2], frame.st_active)
        u = a, q, unused
    if not feasible:
        _brake(limits, frame, dt_s, along, v)
        return INFEASIBLE
    change = length(minus(u, box[2]))
    if not change > SLACK * (1.0 + length(u)):
        return 0
    frame.st_barrier_change = change
    _send(limits, frame, dt_s, along, u[0])
    if steer >= 0 and u[1] != box[2][1]:
        value = lateral.from_curvature(limits, timing, frame, steer, u[1] / scale)
        frame.out_sent[steer] = clip(value, frame.st_reach_lo[steer], frame.st_reach_hi[steer])
    return planes.blame(limits, frame, count, (v * math.cos(heading), v * math.sin(heading), 0.0))


@jit
def _moves(limits: Limits, timing: Timing, frame: Frame, v: float) -> _Moves:
    """What counts of the present movement. An acceleration that was sent goes on for the latency."""
    sent = frame.st_sent[timing[T_MOTION + MOTION_CHANNEL]]
    steer, curvature = timing[T_MOTION + MOTION_CHANNEL + 1], 0.0
    if steer >= 0:
        curvature = lateral.to_curvature(limits, timing, frame, steer, frame.st_sent[steer])
    response = limits[L_MOTION + MOTION_RESPONSE]
    if response > 0.0:
        sign = 1.0 if sent >= 0.0 else -1.0
        return v, abs(sent), response * max(sign * v, 0.0) + planes.run(frame, (sign, 0.0, 0.0)), sign, curvature
    sign = 1.0 if v >= 0.0 else -1.0
    return v, abs(v) + max(sign * sent, 0.0) * limits[L_MOTION + MOTION_LATENCY], 0.0, sign, curvature


@jit_apart
def _box(limits: Limits, timing: Timing, frame: Frame, dt_s: float, scale: float) -> _Box:
    """Accelerations that the envelope leaves, within the policy's authority."""
    along, steer = timing[T_MOTION + MOTION_CHANNEL], timing[T_MOTION + MOTION_CHANNEL + 1]
    authority = limits[L_MOTION + MOTION_ACCEL]
    low, high, ask = frame.st_reach_lo[along], frame.st_reach_hi[along], frame.out_sent[along]
    if limits[L_MOTION + MOTION_RESPONSE] > 0.0:
        last, rate = frame.st_sent[along], 1.0 / dt_s if dt_s > 0.0 else 0.0
        low, high, ask = (low - last) * rate, (high - last) * rate, (ask - last) * rate
    low, high = min(ask, max(low, -authority)), max(ask, min(high, authority))
    if steer < 0:
        return (low, 0.0, 0.0), (high, 0.0, 0.0), (ask, 0.0, 0.0)
    left = scale * lateral.to_curvature(limits, timing, frame, steer, frame.st_reach_hi[steer])
    right = scale * lateral.to_curvature(limits, timing, frame, steer, frame.st_reach_lo[steer])
    turn = scale * lateral.to_curvature(limits, timing, frame, steer, frame.out_sent[steer])
    left, right = max(turn, min(left, authority)), min(turn, max(right, -authority))
    return (low, right, 0.0), (high, left, 0.0), (ask, turn, 0.0)


@jit_apart
def _gather(
    limits: Limits, frame: Frame, dt_s: float, heading: float, scale: float, moves: _Moves, box: _Box
) -> tuple[int, int]:
    """(planes, faults) of walls and speed."""
    count, faults, sign = 0, 0, moves[3]
    for w in range(frame.st_wall_count):
        normal = _wall(limits, frame, w, heading, scale, moves)
        count, why = _plane(frame, count, w, (normal[0], normal[1], 0.0), normal[2], box)
        faults |= why
    fastest = planes.speed_max(limits, frame)
    if fastest < UNLIMITED:
        room = fastest - moves[1]
        bound = limits[L_MOTION + MOTION_GAIN] * room
        if limits[L_MOTION + MOTION_RESPONSE] > 0.0:
            bound = room / dt_s if dt_s > 0.0 else 0.0
        bound = max(bound, -_braking(limits, moves[1]))
        count, why = _plane(frame, count, -OF_SPEED, (sign, 0.0, 0.0), bound, box)
        faults |= why
    return count, faults


@jit
def _braking(limits: Limits, speed: float) -> float:
    """Deceleration that is asked for at most: the policy's, and not so much that the vehicle would turn back."""
    return min(limits[L_MOTION + MOTION_BRAKE], speed / limits[L_MOTION + MOTION_LATENCY])


@jit_apart
def _wall(
    limits: Limits, frame: Frame, w: int, heading: float, scale: float, moves: _Moves
) -> tuple[float, float, float]:
    """(along, across, bound): along * a + across * lateral acceleration <= bound keeps wall `w`."""
    v, speed, lag, sign, curvature = moves
    nx, ny = frame.st_wall[w, WALL_X], frame.st_wall[w, WALL_Y]
    gap, at_wall = frame.st_wall[w, WALL_GAP], frame.st_wall[w, WALL_SPEED]
    ahead = sign * (nx * math.cos(heading) + ny * math.sin(heading))
    left = ny * math.cos(heading) - nx * math.sin(heading)
    brake, latency, gain = (
        limits[L_MOTION + MOTION_BRAKE],
        limits[L_MOTION + MOTION_LATENCY],
        limits[L_MOTION + MOTION_GAIN],
    )
    soon = min(ahead + max(left * curvature * abs(v) * latency, 0.0), 1.0)
    if soon <= 0.0:  # it leaves the wall behind; backing up or turning towards it is what may not be overdone
        most = planes.allowed(limits, gap, at_wall)[0]
        return sign * ahead, left * (v * v) / scale, max(gain * (most - ahead * speed), 0.0)
    if at_wall > 0.0:  # the way along the heading
        bound = planes.approach_bound(limits, speed, (gap - soon * lag) / soon, at_wall)
        return sign, 0.0, max(bound, -_braking(limits, speed))
    nearing = max(frame.st_wall[w, WALL_APPROACH], 0.0) + limits[L_MOTION + MOTION_WIND]
    lead = planes.lead_s(limits)
    way, lasts = lag + speed * lead + speed * speed / (2.0 * brake), lead + speed / brake
    h = gap - soon * way - nearing * (latency + limits[L_MOTION + MOTION_RESPONSE] + speed / brake)
    weight = soon * lasts + nearing / brake
    bound = max(gain * h - soon * speed - nearing, -weight * _braking(limits, speed))
    return sign * weight, way * abs(v) * left / scale, bound


@jit_apart
def _plane(frame: Frame, count: int, of: int, normal: Vector, bound: float, box: _Box) -> tuple[int, int]:
    """(planes, faults) after a bound, if the box reaches beyond it.

    What the rate limits keep out of reach in this tick may take its time: the latency covers it.
    """
    least, most = extent(normal, box[0], box[1])
    if most <= bound:
        return count, 0
    return add(frame, count, of, normal, max(bound, least))


@jit
def _send(limits: Limits, frame: Frame, dt_s: float, along: int, a: float) -> None:
    """Writes an acceleration, or the set-point that it leads to."""
    goal = a
    if limits[L_MOTION + MOTION_RESPONSE] > 0.0:
        goal = frame.st_sent[along] + a * dt_s
    frame.out_sent[along] = clip(goal, frame.st_reach_lo[along], frame.st_reach_hi[along])


@jit
def _brake(limits: Limits, frame: Frame, dt_s: float, along: int, v: float) -> None:
    """No allowed command: brake as far as the envelope lets, go on steering as asked."""
    moving = frame.st_sent[along] if limits[L_MOTION + MOTION_RESPONSE] > 0.0 else v
    a = _braking(limits, abs(moving))
    _send(limits, frame, dt_s, along, -a if moving > 0.0 else a)
