"""Responsibility-sensitive safety: what is left of braking and steering.

Source: Shalev-Shwartz, Shammah, Shashua, On a Formal Model of Safe and Scalable Self-driving Cars, 2017,
arXiv 1708.06374: safe distance along the road in the same (definition 1, lemma 2) and in opposite directions, safe
distance across (definition 6), dangerous situation, dangerous threshold and proper response. Nobody gets faster than
a cap within the response time.

Three points where this is stricter than the paper, or more exact:

* The proper response starts at once; the response time covers age of the list, tick and actuators.
* A car that moves away across the road brakes that motion. The paper's closed form adds its way where its
  definition subtracts it; here the definition counts.
* An object without identity, new, or seen as dangerous from the first is answered in both dimensions; so is one that is
  already in the vehicle's path, whoever is to blame. Without a steering channel the answer is always to brake.

The vehicle drives on its own side: towards oncoming traffic it need brake with the smaller deceleration only.
"""

from __future__ import annotations

import math

from safetykit.core import objects, windows
from safetykit.core.columns.objects import (
    ALONG_ACCEL,
    OBJ_ID,
    OBJ_LENGTH,
    OBJ_VX,
    OBJ_VY,
    OBJ_WIDTH,
    OBJ_X,
    OBJ_Y,
    RSS_ACCEL,
    RSS_ALONG,
    RSS_ALONG_KIND,
    RSS_BRAKE_CORRECT,
    RSS_BRAKE_MAX,
    RSS_BRAKE_MIN,
    RSS_CAP,
    RSS_CAP_OTHERS,
    RSS_CENTRE,
    RSS_CURVATURE,
    RSS_LAT_ACCEL,
    RSS_LAT_BRAKE,
    RSS_LAT_MARGIN,
    RSS_LAT_SPEED,
    RSS_LENGTH,
    RSS_RATIO,
    RSS_RESPONSE_S,
    RSS_SPEED,
    RSS_SPEED_MIN,
    RSS_STEER,
    RSS_STEER_KIND,
    RSS_UNDERSTEER,
    RSS_USED,
    RSS_WHEELBASE,
    RSS_WIDTH,
    STEER_ACCEL,
    STEER_CURVATURE,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    DT_MAX_NS,
    INPUT_COLS,
    INPUT_HI,
    INPUT_LO,
    L_INPUT,
    L_RSS,
    PERIOD_NS,
    T_RSS,
    UNLIMITED,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault
from safetykit.core.windows import INFEASIBLE

RSS, _OBJECTS = 1 << Fault.RSS, 1 << Fault.OBJECTS
# What the vehicle must do: brake (behind another, or towards an oncoming one), the same while it reverses, and not
# come nearer to its left or right
BRAKE_SAME, BRAKE_OPPOSITE, BACK_SAME, BACK_OPPOSITE, KEEP_FROM_LEFT, KEEP_FROM_RIGHT = 1, 2, 4, 8, 16, 32
_BRAKE, _BACK, _KEEP = BRAKE_SAME | BRAKE_OPPOSITE, BACK_SAME | BACK_OPPOSITE, KEEP_FROM_LEFT | KEEP_FROM_RIGHT
_LONG, _LAT, _BOTH = 1, 2, 3  # dimensions that were safe when an object was last not dangerous
_NONE = (-1.0, 0.0, 0.0)  # no motion in this direction
_NS = 1e-9
_Own = tuple[float, float, float]
_Ego = tuple[_Own, _Own, float, float]


@jit
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """RSS while a proper response is in force; narrows the windows of its channels. INFEASIBLE where none is left."""
    if timing[T_RSS + RSS_USED] == 0:
        return 0
    return _check(limits, timing, frame)


@jit_apart
def _check(limits: Limits, timing: Timing, frame: Frame) -> int:
    dt_ns = min(max(frame.in_now_ns - frame.st_rss_now_ns, 0), timing[DT_MAX_NS])
    frame.st_rss_now_ns = frame.in_now_ns
    known, v, forward, backward = _speed(limits, timing, frame)
    left, right = _lateral_speeds(limits, timing, frame)
    ego = forward, backward, _lateral_way(limits, left), _lateral_way(limits, right)
    response, faults = _look_at_all(limits, timing, frame, ego)
    frame.st_rss_response = response
    if response & (_BRAKE | _BACK):
        faults |= RSS | _brake(limits, timing, frame, response, known, v, dt_ns * _NS)
    if response & _KEEP:
        faults |= RSS | _keep_away(limits, timing, frame, response, known, v, left, right)
    return faults


@jit
def _speed(limits: Limits, timing: Timing, frame: Frame) -> tuple[bool, float, _Own, _Own]:
    """(known, speed, own distances forward, and backward). Unknown: every speed of the range may be."""
    i = timing[T_RSS + RSS_SPEED]
    known = frame.st_valid >> i & 1 == 1
    if known:
        lo = hi = frame.in_value[i]
    else:
        lo, hi = limits[L_INPUT + i * INPUT_COLS + INPUT_LO], limits[L_INPUT + i * INPUT_COLS + INPUT_HI]
    forward = _own(limits, max(lo, 0.0), hi) if hi >= 0.0 else _NONE
    backward = _own(limits, max(-hi, 0.0), -lo) if lo < 0.0 else _NONE
    return known, hi, forward, backward


@jit
def _own(limits: Limits, slowest: float, fastest: float) -> _Own:
    """Metres that the vehicle itself needs: (behind another, towards an oncoming one, stopping at its hardest)."""
    way, end = _accelerated(limits, fastest, limits[L_RSS + RSS_CAP])
    rear = way + end * end / (2.0 * limits[L_RSS + RSS_BRAKE_MIN])
    opposite = way + end * end / (2.0 * limits[L_RSS + RSS_BRAKE_CORRECT])
    return rear, opposite, slowest * slowest / (2.0 * limits[L_RSS + RSS_BRAKE_MAX])


@jit
def _accelerated(limits: Limits, speed: float, cap: float) -> tuple[float, float]:
    """(way in m, speed in m/s) after the response time at full acceleration, no faster than the cap."""
    response_s, accel = limits[L_RSS + RSS_RESPONSE_S], limits[L_RSS + RSS_ACCEL]
    end, top = speed + response_s * accel, max(speed, cap)
    if end <= top:
        return 0.5 * (speed + end) * response_s, end
    until_s = (top - speed) / accel
    return 0.5 * (speed + top) * until_s + top * (response_s - until_s), top


@jit
def _lateral_speeds(limits: Limits, timing: Timing, frame: Frame) -> tuple[float, float]:
    """The vehicle's own speed to its left and to its right, m/s: opposite numbers, unless it is not known."""
    i = timing[T_RSS + RSS_LAT_SPEED]
    if i < 0:
        return 0.0, 0.0
    if frame.st_valid >> i & 1:
        return frame.in_value[i], -frame.in_value[i]
    return limits[L_INPUT + i * INPUT_COLS + INPUT_HI], -limits[L_INPUT + i * INPUT_COLS + INPUT_LO]


@jit
def _lateral_way(limits: Limits, towards: float) -> float:
    """Metres to one side until the speed to that side (m/s) is zero: full acceleration, then the least braking."""
    response_s = limits[L_RSS + RSS_RESPONSE_S]
    end = towards + response_s * limits[L_RSS + RSS_LAT_ACCEL]
    return 0.5 * (towards + end) * response_s + end * abs(end) / (2.0 * limits[L_RSS + RSS_LAT_BRAKE])


@jit
def _look_at_all(limits: Limits, timing: Timing, frame: Frame, ego: _Ego) -> tuple[int, int]:
    """(what must be done, faults), over every object; remembers which dimension of each was safe."""
    count, bank = frame.st_objects_count, frame.st_rss_bank
    response, changed, least, nearest = 0, False, UNLIMITED, -1
    for k in range(count):
        memory = 0
        if frame.st_objects_unsound == 0 or objects.sound(limits, frame, k):
            safe, moved = _remembered(frame, k)
            changed = changed or moved
            duty, safe, spare = _judge(limits, timing, frame, k, ego, safe)
            response |= duty
            memory = int(frame.in_object[k, OBJ_ID]) << 2 | safe
            if spare < least:
                least, nearest = spare, k
        frame.st_rss_memory[1 - bank, k] = memory
    twins = changed and _has_twins(frame, 1 - bank, count)
    frame.st_rss_memory_count = 0 if twins else count  # so that the next tick looks again
    frame.st_rss_bank = 1 - bank
    _explain(limits, frame, nearest, ego)
    return response, _OBJECTS if twins else 0


@jit
def _remembered(frame: Frame, k: int) -> tuple[int, bool]:
    """(dimensions that were safe, whether the list is not as before) of object `k`. Unknown: both."""
    bank, count = frame.st_rss_bank, frame.st_rss_memory_count
    identity = int(frame.in_object[k, OBJ_ID])
    if identity == 0:
        return _BOTH, False
    if k < count and frame.st_rss_memory[bank, k] >> 2 == identity:
        return frame.st_rss_memory[bank, k] & _BOTH, False
    for j in range(count):
        if frame.st_rss_memory[bank, j] >> 2 == identity:
            return frame.st_rss_memory[bank, j] & _BOTH, True
    return _BOTH, True


@jit_apart
def _has_twins(frame: Frame, bank: int, count: int) -> bool:
    """True if two objects have one identity. Looked at only when the list has changed."""
    for k in range(count):
        identity = frame.st_rss_memory[bank, k] >> 2
        for j in range(k):
            if identity and frame.st_rss_memory[bank, j] >> 2 == identity:
                return True
    return False


@jit
def _judge(limits: Limits, timing: Timing, frame: Frame, k: int, ego: _Ego, safe: int) -> tuple[int, int, float]:
    """(duty, dimensions to remember, metres to spare) for object `k`; `safe`: what is remembered of it.

    A situation is dangerous while neither distance is safe; the dimension that was safe last must be made safe again.
    """
    gap, needed, act, across, needed_across = _distances(limits, frame, k, ego)
    spare = max(gap - needed, across - needed_across)
    if spare >= 0.0:
        return 0, (_LONG if gap >= needed else 0) | (_LAT if across >= needed_across else 0), spare
    steers = timing[T_RSS + RSS_STEER] >= 0
    duty = act if safe & _LONG or across < 0.0 or not steers else 0
    if steers and safe & _LAT:
        duty |= KEEP_FROM_LEFT if frame.in_object[k, OBJ_Y] >= 0.0 else KEEP_FROM_RIGHT
    return duty, safe, spare


@jit
def _distances(limits: Limits, frame: Frame, k: int, ego: _Ego) -> tuple[float, float, int, float, float]:
    """(gap, needed, duty along the road; gap, needed across it), metres between the edges; negative = side by side."""
    forward, backward, own_left, own_right = ego
    ahead = frame.in_object[k, OBJ_X] - limits[L_RSS + RSS_CENTRE]
    speed, y, vy = frame.in_object[k, OBJ_VX], frame.in_object[k, OBJ_Y], frame.in_object[k, OBJ_VY]
    gap = abs(ahead) - 0.5 * (limits[L_RSS + RSS_LENGTH] + frame.in_object[k, OBJ_LENGTH])
    needed, act = 0.0, 0
    if forward[0] >= 0.0:
        needed, act = _along(limits, ahead, speed, forward)
    if backward[0] >= 0.0:
        more, back = _along(limits, -ahead, -speed, backward)
        needed, act = max(needed, more), act | back << 2
    across = abs(y) - 0.5 * (limits[L_RSS + RSS_WIDTH] + frame.in_object[k, OBJ_WIDTH])
    if y >= 0.0:
        way = own_left + _lateral_way(limits, -vy)
    else:
        way = own_right + _lateral_way(limits, vy)
    return gap, needed, act, across, limits[L_RSS + RSS_LAT_MARGIN] + max(way, 0.0)


@jit
def _along(limits: Limits, ahead: float, speed: float, own: _Own) -> tuple[float, int]:
    """(metres needed along the road, duty). Positive is where the vehicle goes; `own` is what it needs itself."""
    rear, opposite, front = own
    if ahead >= 0.0 and speed >= 0.0:
        return max(rear - speed * speed / (2.0 * limits[L_RSS + RSS_BRAKE_MAX]), 0.0), BRAKE_SAME
    if ahead < 0.0 and speed < 0.0:
        return 0.0, 0  # behind, and it goes the other way
    way, end = _accelerated(limits, abs(speed), limits[L_RSS + RSS_CAP_OTHERS])
    way += end * end / (2.0 * limits[L_RSS + RSS_BRAKE_MIN])
    if ahead >= 0.0:
        return opposite + way, BRAKE_OPPOSITE
    return max(way - front, 0.0), 0  # the one behind has to brake


@jit_apart
def _explain(limits: Limits, frame: Frame, nearest: int, ego: _Ego) -> None:
    """Keeps the numbers of the object that is nearest to danger, or in it."""
    gap = needed = across = needed_across = 0.0
    if nearest >= 0:
        gap, needed, _, across, needed_across = _distances(limits, frame, nearest, ego)
    frame.st_rss_object = nearest
    frame.st_rss_gap_m, frame.st_rss_needed_m = gap, needed
    frame.st_rss_lateral_gap_m, frame.st_rss_lateral_needed_m = across, needed_across


@jit_apart
def _brake(limits: Limits, timing: Timing, frame: Frame, response: int, known: bool, v: float, dt_s: float) -> int:
    """Proper response along the road: at least the least deceleration until the vehicle stands."""
    c, sent = timing[T_RSS + RSS_ALONG], frame.st_sent[timing[T_RSS + RSS_ALONG]]
    accelerates = timing[T_RSS + RSS_ALONG_KIND] == ALONG_ACCEL
    faults = 0
    if response & _BRAKE:
        brake = limits[L_RSS + (RSS_BRAKE_MIN if response & BRAKE_SAME else RSS_BRAKE_CORRECT)]
        if accelerates:
            most = -brake if v > 0.0 else 0.0
        else:
            most = max((min(sent, v) if known else sent) - brake * dt_s, 0.0)
        faults |= windows.narrow(frame, c, -UNLIMITED, most, RSS)
    if response & _BACK:
        brake = limits[L_RSS + (RSS_BRAKE_MIN if response & BACK_SAME else RSS_BRAKE_CORRECT)]
        least = brake if accelerates else min((max(sent, v) if known else sent) + brake * dt_s, 0.0)
        faults |= windows.narrow(frame, c, least, UNLIMITED, RSS)
    return faults


@jit_apart
def _keep_away(
    limits: Limits, timing: Timing, frame: Frame, response: int, known: bool, v: float, left: float, right: float
) -> int:
    """Proper response across the road: brake the motion towards the object, then do not begin it again."""
    i, curve, c = timing[T_RSS + RSS_CURVATURE], 0.0, timing[T_RSS + RSS_STEER]
    if i >= 0:
        known = known and frame.st_valid >> i & 1 == 1
        curve = frame.in_value[i]
    if not known:
        return INFEASIBLE  # which way is away, and how far to steer, nobody can say
    faults = 0
    if response & KEEP_FROM_LEFT:
        most = _steering(limits, timing, _allowed(limits, timing, left), curve, v)
        faults |= windows.narrow(frame, c, -UNLIMITED, most, RSS)
    if response & KEEP_FROM_RIGHT:
        least = _steering(limits, timing, -_allowed(limits, timing, right), curve, v)
        faults |= windows.narrow(frame, c, least, UNLIMITED, RSS)
    return faults


@jit
def _allowed(limits: Limits, timing: Timing, towards: float) -> float:
    """Largest acceleration (m/s^2) towards an object for a speed towards it.

    Moving towards it: brake, and stand after one tick at the earliest. Moving away: slow down no faster than that
    braking, or than it takes to be still moving away when the response time is over.
    """
    brake = limits[L_RSS + RSS_LAT_BRAKE]
    period_s = timing[PERIOD_NS] * _NS
    if towards >= 0.0:
        return -min(brake, towards / period_s)
    return max(min(brake, -towards / period_s), -towards / limits[L_RSS + RSS_RESPONSE_S])


@jit
def _steering(limits: Limits, timing: Timing, accel: float, curve: float, v: float) -> float:
    """Value of the steering channel for an acceleration (m/s^2) to the left, relative to the road (1/m)."""
    if timing[T_RSS + RSS_STEER_KIND] == STEER_ACCEL:
        return accel + v * v * curve
    v = max(abs(v), limits[L_RSS + RSS_SPEED_MIN])
    curvature = curve + accel / (v * v)
    if timing[T_RSS + RSS_STEER_KIND] == STEER_CURVATURE:
        return curvature
    model = limits[L_RSS + RSS_WHEELBASE] * (1.0 + limits[L_RSS + RSS_UNDERSTEER] * v * v)
    return limits[L_RSS + RSS_RATIO] * math.atan(curvature * model)
