"""Plane geometry of zones: what is inside an outline, and the nearest point of an edge, a wall or a round.

Outlines run counter-clockwise (the policy sees to that), so that their inside lies to the left of each edge. A zone is
such an outline, or a circle, carried from its floor up to its ceiling; an edge carried up is a wall.
"""

from __future__ import annotations

import math

from safetykit.core.bounds import ZONE_VERTICES_MAX
from safetykit.core.jit import jit
from safetykit.core.layout import Limits

TOUCH_M = 1e-6  # nearer, the line to the nearest point has no direction of its own


@jit
def inside_outline(limits: Limits, xy: int, corners: int, x: float, y: float) -> bool:
    """Crossing number test: each edge counts on its half-open span, so that a corner counts once.

    `limits` holds x, y of each corner from `xy` on. On the outline itself either answer may come out.
    """
    inside = False
    count = min(corners, ZONE_VERTICES_MAX)
    last = xy + 2 * (count - 1)
    for k in range(count):
        here = xy + 2 * k
        x0, y0, x1, y1 = limits[last], limits[last + 1], limits[here], limits[here + 1]
        if (y0 > y) != (y1 > y) and x < x0 + (x1 - x0) * ((y - y0) / (y1 - y0)):
            inside = not inside
        last = here
    return inside


@jit
def inside_circle(x: float, y: float, radius: float) -> bool:
    """Whether the point, seen from the centre, is in the circle or on it."""
    return x * x + y * y <= radius * radius


@jit
def climb(z: float, floor: float, ceiling: float) -> float:
    """The way up (down: negative) from `z` into [floor, ceiling]; 0 within."""
    if z < floor:
        return floor - z
    if z > ceiling:
        return ceiling - z
    return 0.0


@jit
def behind(x: float, y: float, edge: tuple[float, float, float, float], side: float) -> bool:
    """Whether the point lies clearly on the other side of the edge's line: right of it for side = 1, else left."""
    x0, y0, x1, y1 = edge
    along, across = x1 - x0, y1 - y0
    turn = side * (along * (y - y0) - across * (x - x0))
    return turn < 0.0 and turn * turn > TOUCH_M * TOUCH_M * (along * along + across * across)


@jit
def nearest_on_edge(x: float, y: float, edge: tuple[float, float, float, float]) -> tuple[float, float]:
    """The edge's point nearest to (x, y); at an end it is that corner to the last bit."""
    x0, y0, x1, y1 = edge
    along, across = x1 - x0, y1 - y0
    share = (x - x0) * along + (y - y0) * across
    whole = along * along + across * across
    if share <= 0.0:
        return x0, y0
    if share >= whole:
        return x1, y1
    return x0 + along * (share / whole), y0 + across * (share / whole)


@jit
def direction(dx: float, dy: float, dz: float, instead: tuple[float, float]) -> tuple[float, float, float, float]:
    """(unit vector, length) of a way; `instead`, of any length, leads in the plane where the way is too short to."""
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    if length < TOUCH_M:
        x, y = instead
        whole = math.sqrt(x * x + y * y)
        return x / whole, y / whole, 0.0, length
    return dx / length, dy / length, dz / length, length
