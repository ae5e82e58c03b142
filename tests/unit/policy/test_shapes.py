"""Shapes of zones: sound or not, left over or not, and degrees as metres."""

from __future__ import annotations

import math

import pytest
from pyproj import Geod
from shapely import Polygon

from safetykit.policy import shapes
from safetykit.policy.schema_zones import Origin, Zone

SQUARE = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]


def moved(dx: float, dy: float = 0.0, scale: float = 1.0) -> Polygon:
    return Polygon([(x * scale + dx, y * scale + dy) for x, y in SQUARE])


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (SQUARE, ""),
        ([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], ""),
        ([[0, 0], [2, 0], [4, 0], [4, 4]], ""),  # straight on is fine
        ([[0, 0], [4, 5], [4, 0], [0, 4]], "crosses or touches itself (self-intersection[1.77"),
        ([[0, 0], [4, 0], [4, 0], [0, 4]], "the same"),
        ([[0, 0], [4, 0], [4, 0.0005], [0, 4]], "the same"),
        ([[0, 0], [4, 0], [2, 0], [2, 4]], "crosses"),  # folds back
        ([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]], "crosses"),  # a corner on an edge
        ([[0, 0], [4, 4], [9, 9]], "no area"),
        ([[0, 0], [0.01, 0], [0, 0.01]], "no area"),
    ],
)
def test_what_is_wrong_with_an_outline(points: list[list[float]], words: str) -> None:
    for k in range(len(points)):
        for turned in (points[k:] + points[:k], (points[k:] + points[:k])[::-1]):
            found = shapes.fault_of(turned)
            assert words in found
            assert bool(words) is bool(found)


def test_overlap_and_rest() -> None:
    square = moved(0)
    assert shapes.overlap(square, moved(2, 2))
    assert not shapes.overlap(square, moved(4)), "neighbours share an edge, no area"
    assert not shapes.overlap(square, moved(9))
    assert shapes.overlap(square, moved(1, 1, 0.5))
    assert not shapes.left_over(square, [square])
    assert not shapes.left_over(square, [moved(0, 0, 2)])
    assert not shapes.left_over(square, [moved(-2), moved(2)])
    assert shapes.left_over(square, [moved(-2), moved(2.01)])
    assert shapes.left_over(square, [])


@pytest.mark.parametrize("corners", [SQUARE, SQUARE[::-1]])
def test_outlines_run_counter_clockwise(corners: list[list[float]]) -> None:
    made = Polygon(shapes.outline(Zone(rule="keep_in", corners_m=corners), None))
    assert made.exterior.is_ccw
    assert made.equals(moved(0))


@pytest.mark.parametrize(("radius", "sides"), [(0.5, 12), (5.0, 23), (60.0, 64), (5000.0, 64)])
def test_a_keep_in_circle_is_a_polygon_within_it(radius: float, sides: int) -> None:
    made = shapes.outline(Zone(rule="keep_in", centre_m=[3.0, -7.0], radius_m=radius), None)
    assert len(made) == sides
    assert max(math.dist(corner, (3, -7)) for corner in made) <= radius * (1 + 1e-12)
    nearest = Polygon(made).exterior.distance(shapes.Point(3, -7))
    assert radius - nearest <= max(0.05, radius * 0.0013)


@pytest.mark.parametrize("latitude", [0.0, 48.0, -33.0, 75.0])
def test_degrees_are_metres_east_and_north_of_the_origin(latitude: float) -> None:
    """Against geodesics on the ellipsoid: distances from the origin are exact, others nearly so."""
    origin = Origin(lat_deg=latitude, lon_deg=179.9)  # across the date line
    corners = [[latitude + 0.01, 179.9], [latitude, 179.93], [latitude - 0.02, -179.95]]
    made = shapes.spots(Zone(rule="keep_out", corners_deg=corners), origin)
    earth = Geod(ellps="WGS84")
    for (lat, lon), (x, y) in zip(corners, made, strict=True):
        bearing, _, far = earth.inv(179.9, latitude, lon, lat)
        assert math.hypot(x, y) == pytest.approx(far, abs=1e-6)
        assert (x, y) == pytest.approx(
            (far * math.sin(math.radians(bearing)), far * math.cos(math.radians(bearing))), abs=1e-6
        )
    for k in range(3):
        _, _, far = earth.inv(corners[k - 1][1], corners[k - 1][0], corners[k][1], corners[k][0])
        assert math.dist(made[k - 1], made[k]) == pytest.approx(far, rel=1e-5)


def test_a_circle_in_degrees() -> None:
    zone = Zone(rule="keep_out", centre_deg=[47.401, 8.5], radius_m=30)
    (x, y) = shapes.spots(zone, Origin(lat_deg=47.4, lon_deg=8.5))[0]
    assert x == pytest.approx(0, abs=1e-6)
    assert y == pytest.approx(111.18, abs=0.02)
    assert shapes.polygon(zone, Origin(lat_deg=47.4, lon_deg=8.5)).area == pytest.approx(math.pi * 900, rel=1e-3)
