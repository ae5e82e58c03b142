"""The point of {u: n_k . u <= b_k, lo <= u <= hi} that lies nearest to a wanted one, in up to three dimensions.

Dual active set method of Goldfarb and Idnani (Mathematical Programming 27, 1983) for the identity as Hessian: start at
the wanted point, take in the constraint that is broken most, let go of those whose price would turn negative. Each
step is exact, so the result is the true projection up to rounding. In three dimensions at most three constraints are
active at once; their normals are made orthonormal anew in every step (Gram-Schmidt, twice), which costs little and
carries no error from step to step.

Tolerances: a constraint counts as kept within `TOLERANCE` x (1 + |b|); a normal whose part outside the span of the
active ones is shorter than `INDEPENDENT` counts as inside it. More than `STEPS_MAX` constraints taken in or let go, or
anything not finite, is reported as infeasible: the caller then brakes.
"""

from __future__ import annotations

import math

from safetykit.core.columns.motion import (
    ACTIVE_COLS,
    ACTIVE_PRICE,
    ACTIVE_ROW,
    ACTIVE_X,
    ACTIVE_Y,
    ACTIVE_Z,
    PLANE_BOUND,
    PLANE_X,
    PLANE_Y,
    PLANE_Z,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import Limits
from safetykit.core.walls import ACTIVE_MAX

Vector = tuple[float, float, float]

TOLERANCE = 1e-10
INDEPENDENT = 1e-10
STEPS_MAX = 64
NONE = -1
_PRICE_FALLS = 1e-12  # a price that falls slower than this does not fall
_ZERO = (0.0, 0.0, 0.0)
_INF = math.inf


@jit
def dot(a: Vector, b: Vector) -> float:
    """a . b"""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@jit_apart
def project(
    planes: Limits, count: int, lo: Vector, hi: Vector, wanted: Vector, active: Limits
) -> tuple[bool, float, float, float]:
    """(feasible, x, y, z): the nearest point.

    `planes` (count or more, PLANE_COLS): unit normals and bounds. An axis that is not used has lo = hi = wanted = 0.
    `active` (ACTIVE_MAX, ACTIVE_COLS) is written: the constraints that hold the point, ACTIVE_ROW = NONE where there
    is none; rows count.. are the sides of the box: hi x, lo x, hi y, ... Not feasible: the point means nothing.
    """
    u, held = wanted, 0
    for k in range(ACTIVE_MAX):
        _set(active, k, _ZERO, 0.0, NONE)
    if not _finite(planes, count, lo, hi, wanted):
        return False, u[0], u[1], u[2]
    row, excess, price, normal = NONE, 0.0, 0.0, _ZERO
    for _ in range(STEPS_MAX):
        if row == NONE:
            row, excess, normal = _worst(planes, count, lo, hi, u)
            price = 0.0
            if row == NONE:
                return True, u[0], u[1], u[2]
        shares, rest = _split(active, normal)
        room = dot(rest, rest) if held < ACTIVE_MAX else 0.0
        full = excess / room if room > INDEPENDENT * INDEPENDENT else _INF
        weakest, part = _first_to_leave(active, held, shares)
        step = min(full, part)
        if not step < _INF:
            return False, u[0], u[1], u[2]
        for k in range(held):
            active[k, ACTIVE_PRICE] = max(active[k, ACTIVE_PRICE] - step * shares[k], 0.0)
        price += step
        if full < _INF:
            u = u[0] - step * rest[0], u[1] - step * rest[1], u[2] - step * rest[2]
            excess -= step * room
        if full <= part:
            _set(active, held, normal, price, row)
            held, row = held + 1, NONE
        else:
            held = _let_go(active, held, weakest)
    return False, u[0], u[1], u[2]


@jit
def _set(active: Limits, k: int, normal: Vector, price: float, row: int) -> None:
    active[k, ACTIVE_X], active[k, ACTIVE_Y], active[k, ACTIVE_Z] = normal
    active[k, ACTIVE_PRICE], active[k, ACTIVE_ROW] = price, float(row)


@jit_apart
def _finite(planes: Limits, count: int, lo: Vector, hi: Vector, wanted: Vector) -> bool:
    """True if every number of the problem is one."""
    for k in range(count):
        for column in (PLANE_X, PLANE_Y, PLANE_Z, PLANE_BOUND):
            if not math.isfinite(planes[k, column]):
                return False
    total = 0.0
    for axis in range(3):
        total += lo[axis] * 0.0 + hi[axis] * 0.0 + wanted[axis] * 0.0
    return total == 0.0


@jit_apart
def _worst(planes: Limits, count: int, lo: Vector, hi: Vector, u: Vector) -> tuple[int, float, Vector]:
    """(row, excess, normal) of the constraint that `u` breaks most; NONE if it keeps all."""
    row, worst = NONE, 0.0
    for k in range(count):
        bound = planes[k, PLANE_BOUND]
        excess = planes[k, PLANE_X] * u[0] + planes[k, PLANE_Y] * u[1] + planes[k, PLANE_Z] * u[2] - bound
        if excess > max(worst, TOLERANCE * (1.0 + abs(bound))):
            row, worst = k, excess
    for axis in range(3):
        if u[axis] - hi[axis] > max(worst, TOLERANCE * (1.0 + abs(hi[axis]))):
            row, worst = count + 2 * axis, u[axis] - hi[axis]
        if lo[axis] - u[axis] > max(worst, TOLERANCE * (1.0 + abs(lo[axis]))):
            row, worst = count + 2 * axis + 1, lo[axis] - u[axis]
    if row == NONE:
        return NONE, 0.0, _ZERO
    if row < count:
        return row, worst, (planes[row, PLANE_X], planes[row, PLANE_Y], planes[row, PLANE_Z])
    axis, sign = (row - count) // 2, 1.0 if (row - count) % 2 == 0 else -1.0
    return row, worst, (sign if axis == 0 else 0.0, sign if axis == 1 else 0.0, sign if axis == 2 else 0.0)


@jit
def _strip(v: Vector, e: Vector) -> tuple[float, Vector]:
    """(share, rest): v = share * e + rest, rest at right angles to the unit (or zero) vector e."""
    first = dot(e, v)
    w = v[0] - first * e[0], v[1] - first * e[1], v[2] - first * e[2]
    second = dot(e, w)
    return first + second, (w[0] - second * e[0], w[1] - second * e[1], w[2] - second * e[2])


@jit
def _unit(v: Vector) -> tuple[float, Vector]:
    """(length, v / length); (1, 0) for a zero vector, which stands for no constraint."""
    length = math.sqrt(dot(v, v))
    if not length > 0.0:
        return 1.0, _ZERO
    return length, (v[0] / length, v[1] / length, v[2] / length)


@jit_apart
def _split(active: Limits, normal: Vector) -> tuple[Vector, Vector]:
    """(shares, rest): normal = sum of shares * active normals + rest, rest at right angles to all of them."""
    r00, e0 = _unit((active[0, ACTIVE_X], active[0, ACTIVE_Y], active[0, ACTIVE_Z]))
    r01, w = _strip((active[1, ACTIVE_X], active[1, ACTIVE_Y], active[1, ACTIVE_Z]), e0)
    r11, e1 = _unit(w)
    r02, w = _strip((active[2, ACTIVE_X], active[2, ACTIVE_Y], active[2, ACTIVE_Z]), e0)
    r12, w = _strip(w, e1)
    r22, e2 = _unit(w)
    y0, rest = _strip(normal, e0)
    y1, rest = _strip(rest, e1)
    y2, rest = _strip(rest, e2)
    s2 = y2 / r22
    s1 = (y1 - r12 * s2) / r11
    s0 = (y0 - r01 * s1 - r02 * s2) / r00
    return (s0, s1, s2), rest


@jit
def _first_to_leave(active: Limits, held: int, shares: Vector) -> tuple[int, float]:
    """(place, step) of the active constraint whose price reaches zero first; infinite if none falls."""
    weakest, step = NONE, _INF
    for k in range(held):
        if shares[k] > _PRICE_FALLS and active[k, ACTIVE_PRICE] / shares[k] < step:
            weakest, step = k, active[k, ACTIVE_PRICE] / shares[k]
    return weakest, step


@jit
def _let_go(active: Limits, held: int, place: int) -> int:
    """Takes one constraint out and closes the gap; how many are left."""
    for k in range(place, held - 1):
        for column in range(ACTIVE_COLS):
            active[k, column] = active[k + 1, column]
    _set(active, held - 1, _ZERO, 0.0, NONE)
    return held - 1
