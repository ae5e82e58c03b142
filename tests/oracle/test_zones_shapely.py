"""The geometry of zones against shapely: at random points, and at points chosen to sit on or just beside an edge."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from shapely import LineString, Point, Polygon
from shapely.ops import nearest_points

from tests.drive import Document
from tests.fenced import KEPT, MOTION, Zones, star

# Walls are seen from a kilometre away, and the correction is none: what is pushed is the way less the margin.
ALL_WALLS: Document = {**MOTION, "gain_per_s": 0.001}
FLOOR, CEILING = -6.0, 9.0
ON_M = 1e-9  # nearer to an edge, either answer is right


def spots(chance: random.Random, corners: list[list[float]]) -> Iterator[tuple[float, float]]:
    """Points anywhere, on corners, on edges, one unit in the last place beside them, and in line with edges."""
    for _ in range(12):
        yield chance.uniform(-30, 30), chance.uniform(-30, 30)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        share = chance.choice((0.0, chance.random(), 1.0, 1.5))
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        yield x, y
        yield float(np.nextafter(x, chance.choice((-99, 99)))), y
        yield x, float(np.nextafter(y, chance.choice((-99, 99))))
        yield x + chance.uniform(-1, 1), y0  # level with a corner: where crossing counts go wrong


def heights(chance: random.Random) -> Iterator[float]:
    """Within, beyond, and exactly at floor and ceiling."""
    yield chance.uniform(FLOOR, CEILING)
    yield chance.uniform(-30, 30)
    edge = chance.choice((FLOOR, CEILING))
    yield from (edge, float(np.nextafter(edge, -99)), float(np.nextafter(edge, 99)))


def way(shape: Polygon, x: float, y: float, z: float, keep_in: bool) -> float:
    """Distance to the volume's surface, as the guard signs it: negative where the vehicle must not be."""
    climb = max(FLOOR - z, z - CEILING, 0.0)
    plan = Point(x, y)
    outside = math.hypot(shape.distance(plan), climb)
    if outside > 0:
        return -outside if keep_in else outside
    inside = min(shape.exterior.distance(plan), z - FLOOR, CEILING - z)
    return inside if keep_in else -inside


@pytest.mark.parametrize("rule", ["keep_in", "keep_out"])
@pytest.mark.parametrize("seed", range(12))
def test_inside_and_the_nearest_wall(rule: str, seed: int) -> None:
    chance = random.Random(seed)
    corners = star(chance, (0.0, 0.0), 20.0, chance.choice((3, 4, 7, 16, 24)))
    shape = Polygon(corners)
    zone = {"rule": rule, "corners_m": corners, "floor_m": FLOOR, "ceiling_m": CEILING, "correct_m": 0}
    seen = Zones.of({"zone": zone}, motion=ALL_WALLS)
    for x, y in spots(chance, corners):
        for z in heights(chance):
            seen.at(x, y, z)
            expected = way(shape, x, y, z, rule == "keep_in")
            if abs(expected) > ON_M:
                inside = shape.covers(Point(x, y)) and FLOOR <= z <= CEILING
                assert ("zone" in seen.inside) is inside, (x, y, z)
            assert seen.frame.st_zone_gap_m == pytest.approx(expected, abs=1e-7), (x, y, z)
            _feet(seen, shape, (x, y, z))


def _feet(seen: Zones, shape: Polygon, at: tuple[float, float, float]) -> None:
    """Every wall has a unit normal and stands on the surface."""
    for _, (nx, ny, nz, gap, *_) in seen.walls:
        assert math.hypot(nx, ny, nz) == pytest.approx(1.0)
        full = gap + KEPT
        foot = [k + full * n for k, n in zip(at, (nx, ny, nz), strict=True)]
        on_side = shape.exterior.distance(Point(foot[0], foot[1])) < 1e-6 and FLOOR - 1e-6 < foot[2] < CEILING + 1e-6
        on_cap = (
            shape.distance(Point(foot[0], foot[1])) < 1e-6 and min(abs(foot[2] - FLOOR), abs(foot[2] - CEILING)) < 1e-6
        )
        assert on_side or on_cap, (at, foot)


@pytest.mark.parametrize("rule", ["keep_in", "keep_out"])
@pytest.mark.parametrize("seed", range(12))
def test_no_straight_way_reaches_the_surface_before_it_crosses_a_wall(rule: str, seed: int) -> None:
    chance = random.Random(100 + seed)
    corners = star(chance, (0.0, 0.0), 20.0, chance.choice((3, 4, 7, 16, 24)))
    shape = Polygon(corners)
    zone = {"rule": rule, "corners_m": corners, "floor_m": FLOOR, "ceiling_m": CEILING, "correct_m": 0}
    seen = Zones.of({"zone": zone}, motion=ALL_WALLS)
    met = 0
    for x, y in spots(chance, corners):
        at = (x, y, chance.choice((chance.uniform(-20, 20), chance.uniform(FLOOR, CEILING))))
        if way(shape, *at, rule == "keep_in") < ON_M:
            continue  # the way back is another matter
        seen.at(*at)
        for _ in range(20):
            turn, up = chance.uniform(0, math.tau), chance.choice((0.0, chance.uniform(-2, 2)))
            d = [math.cos(turn), math.sin(turn), up]
            far = _first_contact(shape, at, d, rule == "keep_in")
            if far is not None:
                met += 1
                crossed = [
                    far * (nx * d[0] + ny * d[1] + nz * d[2]) - (gap + KEPT) for _, (nx, ny, nz, gap, *_) in seen.walls
                ]
                assert max(crossed, default=-1.0) > -1e-6, (at, d, far)
    assert met >= 20


def _first_contact(shape: Polygon, at: tuple[float, ...], d: list[float], keep_in: bool) -> float | None:
    """How many times `d` it is to the surface; None if it is never met within 100 times."""
    end = 100.0
    path = LineString([at[:2], (at[0] + end * d[0], at[1] + end * d[1])])
    reach = path.length
    if keep_in:
        out = path.difference(shape)
        climbs = [((CEILING if d[2] > 0 else FLOOR) - at[2]) / d[2]] if d[2] else []
        return min([*_shares(out, at, reach, end), *climbs])
    low, high = 0.0, end
    if d[2]:
        low, high = sorted(((FLOOR - at[2]) / d[2], (CEILING - at[2]) / d[2]))
    elif not FLOOR <= at[2] <= CEILING:
        return None
    within = path.intersection(shape)
    for piece in getattr(within, "geoms", [within]):
        ends = _shares(piece, at, reach, end)
        if ends and max(low, min(ends), 0.0) <= min(high, max(ends)):
            return max(low, min(ends), 0.0)
    return None


def _shares(piece: Any, at: tuple[float, ...], reach: float, end: float) -> list[float]:
    """Where the corners of a piece of the path lie on it, as multiples of the direction."""
    parts = getattr(piece, "geoms", [piece])
    points = [xy for part in parts if not part.is_empty for xy in part.coords]
    return sorted(math.dist(at[:2], xy) / reach * end for xy in points)


@pytest.mark.parametrize("seed", range(6))
def test_the_way_back_leads_to_the_nearest_legal_point(seed: int) -> None:
    chance = random.Random(200 + seed)
    corners = star(chance, (0.0, 0.0), 20.0, 9)
    shape = Polygon(corners)
    seen = Zones.of({"zone": {"rule": "keep_in", "corners_m": corners}}, motion=ALL_WALLS)
    for x, y in spots(chance, corners):
        if shape.distance(Point(x, y)) < 1e-5:
            continue
        seen.at(x, y)
        _, back = nearest_points(Point(x, y), shape)
        (_, (nx, ny, nz, *_)) = seen.walls[0]
        far = math.dist((x, y), (back.x, back.y))
        assert (nx, ny, nz) == pytest.approx(((x - back.x) / far, (y - back.y) / far, 0.0), abs=1e-6)


@pytest.mark.parametrize("rule", ["keep_in", "keep_out"])
def test_circles(rule: str) -> None:
    chance = random.Random(7)
    zone = {"rule": rule, "centre_m": [3, -4], "radius_m": 12, "floor_m": FLOOR, "ceiling_m": CEILING, "correct_m": 0}
    seen = Zones.of({"zone": zone}, motion=ALL_WALLS)
    for _ in range(300):
        x, y, z = chance.uniform(-30, 30), chance.uniform(-30, 30), chance.uniform(-20, 20)
        far, climb = math.hypot(x - 3, y + 4), max(FLOOR - z, z - CEILING, 0.0)
        seen.at(x, y, z)
        if far <= 12 and climb == 0:
            expected = -min(12 - far, z - FLOOR, CEILING - z)
        else:
            expected = math.hypot(max(far - 12, 0.0), climb)
        sign = -1 if rule == "keep_in" else 1
        lost = 0.06 if rule == "keep_in" else 1e-9  # a keep-in circle is a polygon within it
        assert sign * expected - lost <= seen.frame.st_zone_gap_m <= sign * expected + 1e-9
