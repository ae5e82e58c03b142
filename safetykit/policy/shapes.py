"""Zones as shapes in local east, north metres: projected where they are given in degrees, and with shapely's geometry.

Degrees become metres by the azimuthal equidistant projection about the policy's origin on the WGS 84 ellipsoid: true in
distance and bearing from there, and within 1 part in 100 000 elsewhere over the 50 km that a corner may be away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

from pyproj import Proj
from shapely import MultiPolygon, Point, Polygon, make_valid, union_all
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from safetykit.policy.schema_zones import Origin, Zone

AREA_MIN_M2 = 1e-3  # smaller is a typing mistake
EDGE_MIN_M = 1e-3  # two corners nearer than this are one, given twice
FAR_M = 50_000.0  # beyond, east and north no longer fit the ground
SIDES_MIN, SIDES_MAX = 12, 64  # of a polygon that stands for a circle
_SAGITTA_M = 0.05  # such a polygon may lose this much of the radius, where the sides suffice
_QUARTER = 32  # points of a quarter circle in load-time checks

Points = list[tuple[float, float]]


def spots(zone: Zone, origin: Origin | None) -> Points:
    """The corners, or the centre alone, in local metres. Degrees need an origin."""
    if zone.corners_m is not None or zone.centre_m is not None:
        given = zone.corners_m if zone.corners_m is not None else [zone.centre_m or []]
        return [(x, y) for x, y in given]
    assert origin is not None  # checked before
    degrees = zone.corners_deg if zone.corners_deg is not None else [zone.centre_deg or []]
    return [_project(origin.lat_deg, origin.lon_deg, lat, lon) for lat, lon in degrees]


@lru_cache(maxsize=4096)
def _project(lat0: float, lon0: float, lat: float, lon: float) -> tuple[float, float]:
    x, y = _projection(lat0, lon0)(lon, lat)
    return float(x), float(y)


@lru_cache(maxsize=16)
def _projection(lat0: float, lon0: float) -> Proj:
    return Proj(proj="aeqd", lat_0=lat0, lon_0=lon0, datum="WGS84", units="m")


def is_circle(zone: Zone) -> bool:
    """Whether the zone is a circle."""
    return zone.radius_m is not None


def outline(zone: Zone, origin: Origin | None) -> Points:
    """The corners counter-clockwise. A circle becomes a polygon within it, see `within_circle`."""
    points = spots(zone, origin)
    if zone.radius_m is not None:
        return within_circle(points[0], zone.radius_m)
    return points if _turning(points) > 0 else points[::-1]


def within_circle(centre: tuple[float, float], radius: float) -> Points:
    """A regular polygon in a circle: nothing is allowed that the circle does not allow, a few centimetres are lost."""
    sides = SIDES_MIN
    while sides < SIDES_MAX and radius * (1 - math.cos(math.pi / sides)) > _SAGITTA_M:
        sides += 1
    turns = (math.tau * k / sides for k in range(sides))
    return [(centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn)) for turn in turns]


def polygon(zone: Zone, origin: Origin | None) -> Polygon:
    """The zone in plan."""
    if zone.radius_m is not None:
        return Point(spots(zone, origin)[0]).buffer(zone.radius_m, quad_segs=_QUARTER)
    return Polygon(spots(zone, origin))


def fault_of(points: Sequence[Sequence[float]]) -> str:
    """What is wrong with an outline; empty if nothing is."""
    closed = [*points, points[0]]
    if any(math.dist(a, b) < EDGE_MIN_M for a, b in pairwise(closed)):
        return "two corners in a row are the same"
    shape = Polygon(points)
    if shape.is_valid:
        return "" if shape.area >= AREA_MIN_M2 else "the outline encloses no area"
    if make_valid(shape).area < AREA_MIN_M2:
        return "the outline encloses no area"
    return f"the outline crosses or touches itself ({explain_validity(shape).lower()})"


def left_over(inside: BaseGeometry, outside_all: Iterable[BaseGeometry]) -> bool:
    """Whether there is area inside the first shape and outside all of the others."""
    return bool(inside.difference(union_all(list(outside_all))).area > AREA_MIN_M2)


def overlap(first: BaseGeometry, second: BaseGeometry) -> bool:
    """Whether two shapes share area."""
    return bool(first.intersection(second).area > AREA_MIN_M2)


def parts(shape: BaseGeometry) -> list[Polygon]:
    """The polygons of a shape that may have fallen apart."""
    whole = shape.geoms if isinstance(shape, MultiPolygon) else [shape]
    return [part for part in whole if isinstance(part, Polygon) and not part.is_empty]


def _turning(points: Points) -> float:
    """Twice the signed area: positive counter-clockwise."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True))
