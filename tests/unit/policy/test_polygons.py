"""Plane geometry against brute force on points."""

from __future__ import annotations

import random

import pytest

from safetykit.policy.polygons import area, crosses_itself, shares_area, space_left

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


def moved(points: list[list[float]], dx: float, dy: float = 0.0, scale: float = 1.0) -> list[list[float]]:
    return [[x * scale + dx, y * scale + dy] for x, y in points]


@pytest.mark.parametrize(
    ("points", "crosses"),
    [
        (SQUARE, False),
        ([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], False),
        ([[0, 0], [4, 4], [4, 0], [0, 4]], True),
        ([[0, 0], [4, 0], [4, 0], [0, 4]], True),  # a corner twice
        ([[0, 0], [4, 0], [2, 0], [2, 4]], True),  # folds back
        ([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]], True),  # a corner on an edge
        ([[0, 0], [2, 0], [4, 0], [4, 4]], False),  # straight on is fine
    ],
)
def test_crosses_itself(points: list[list[float]], crosses: bool) -> None:
    assert crosses_itself(points) is crosses
    assert crosses_itself(points[::-1]) is crosses
    for k in range(len(points)):
        assert crosses_itself(points[k:] + points[:k]) is crosses


def test_area() -> None:
    assert area(SQUARE) == area(SQUARE[::-1]) == 16


def test_overlap_and_rest() -> None:
    assert shares_area(SQUARE, moved(SQUARE, 2, 2))
    assert not shares_area(SQUARE, moved(SQUARE, 4))  # neighbours share an edge, no area
    assert not shares_area(SQUARE, moved(SQUARE, 9))
    assert shares_area(SQUARE, moved(SQUARE, 1, 1, 0.5))
    assert not space_left(SQUARE, [SQUARE])
    assert not space_left(SQUARE, [moved(SQUARE, 0, 0, 2)])
    assert not space_left(SQUARE, [moved(SQUARE, -2), moved(SQUARE, 2)])
    assert space_left(SQUARE, [moved(SQUARE, -2), moved(SQUARE, 2.01)])
    assert space_left(SQUARE, [])


def inside(points: list[list[float]], x: float, y: float) -> bool:
    found = False
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (x1 - x0) * (y - y0) / (y1 - y0):
            found = not found
    return found


def test_against_points() -> None:
    chance = random.Random(5)
    seen = {True: 0, False: 0}
    for _ in range(300):
        shapes = [[[chance.uniform(0, 9), chance.uniform(0, 9)] for _ in range(3)] for _ in range(3)]
        spots = [(chance.uniform(0, 9), chance.uniform(0, 9)) for _ in range(400)]
        shared = any(inside(shapes[0], *spot) and inside(shapes[1], *spot) for spot in spots)
        rest = any(inside(shapes[0], *spot) and not any(inside(s, *spot) for s in shapes[1:]) for spot in spots)
        # Points can only prove that there is area, never that there is none.
        assert shares_area(shapes[0], shapes[1]) or not shared
        assert space_left(shapes[0], shapes[1:]) or not rest
        seen[shares_area(shapes[0], shapes[1])] += 1
    assert min(seen.values()) > 30
