"""Zones: sound shapes, keys that fit the rule, a known position, and somewhere left to be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from shapely import Polygon, box
from shapely.geometry.base import BaseGeometry

from safetykit.policy import shapes
from safetykit.policy.formulas import zones_in_rules
from safetykit.policy.paths import Path
from safetykit.policy.report import Names, Report, all_conditions
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_parts import Condition
from safetykit.policy.schema_zones import Zone

_SHAPES = ("corners_m", "corners_deg", "centre_m", "centre_deg")
Level = tuple[float, float]  # floor and ceiling


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """Every zone, then all of them together."""
    used = _zones_in_conditions(document) | zones_in_rules(document)
    sound = True
    for name, zone in document.zones.items():
        path: Path = ("zones", name)
        _rule(path, zone, document, report)
        sound &= _given_once(path, zone, document, report) and _shape(path, zone, document, report)
        sound &= _heights(path, zone, document, report)
        if document.position is None:
            report.add(path, "needs the key position: without it the zone can never be checked")
        if zone.rule == "condition" and name not in used:
            report.add((*path, "rule"), "no condition names this zone, so it is never used", zone.rule)
    in_degrees = any(zone.corners_deg is not None or zone.centre_deg is not None for zone in document.zones.values())
    if document.origin is not None and not in_degrees:
        report.add(("origin",), "no zone is given in degrees, so the origin is never used")
    room = _room(document, names)
    if sound and room is not None:
        _reach(document, room, report)
        _margins(document, names, report)
        _space(document, room, kept_m(document, names), report)


def _zones_in_conditions(document: PolicyDocument) -> set[str]:
    specs = [spec for _, spec in all_conditions(document) if isinstance(spec, Condition)]
    return {name for spec in specs for name in (spec.inside, spec.outside) if name is not None}


def _rule(path: Path, zone: Zone, document: PolicyDocument, report: Report) -> None:
    """Keys that belong to some rules only."""
    for key in ("speed_mps_max", "excess_mps"):
        value = getattr(zone, key)
        if zone.rule == "speed" and value is None:
            report.add((*path, key), "is needed by a speed zone")
        elif zone.rule != "speed" and value is not None:
            report.add((*path, key), "belongs to speed zones only", value)
    if zone.rule == "speed" and document.motion is None:
        report.add((*path, "rule"), "a speed zone needs the section motion", zone.rule)
    if zone.correct_m is not None:
        if zone.rule == "condition":
            report.add((*path, "correct_m"), "a zone for conditions corrects nothing", zone.correct_m)
        elif document.motion is None:
            report.add((*path, "correct_m"), "needs the section motion", zone.correct_m)


def _given_once(path: Path, zone: Zone, document: PolicyDocument, report: Report) -> bool:
    """One polygon or one circle, in metres or in degrees."""
    given = [key for key in _SHAPES if getattr(zone, key) is not None]
    if len(given) != 1:
        where = (*path, given[1]) if given else path
        report.add(where, "needs exactly one of " + ", ".join(_SHAPES) + (f": {given[0]} is there" if given else ""))
        return False
    key = given[0]
    if key.startswith("centre") and zone.radius_m is None:
        report.add((*path, "radius_m"), "is needed by a circle")
        return False
    if key.startswith("corners") and zone.radius_m is not None:
        report.add((*path, "radius_m"), "belongs to a circle, which has a centre and no corners", zone.radius_m)
        return False
    return not key.endswith("_deg") or _degrees((*path, key), zone, document, report)


def _degrees(path: Path, zone: Zone, document: PolicyDocument, report: Report) -> bool:
    """Latitudes that exist, about an origin that is near."""
    pairs = zone.corners_deg if zone.corners_deg is not None else [zone.centre_deg or []]
    index: tuple[tuple[int, ...], ...] = tuple((k,) if zone.corners_deg is not None else () for k in range(len(pairs)))
    fits = True
    for (latitude, _), at in zip(pairs, index, strict=True):
        if abs(latitude) > 90:
            report.add((*path, *at, 0), "is no latitude; the order is latitude, longitude", latitude, "-90 to 90")
            fits = False
    if document.origin is None:
        report.add(path, "degrees need the key origin: where the local coordinates begin")
        return False
    if not fits:
        return False
    for spot, at in zip(shapes.spots(zone, document.origin), index, strict=True):
        away = math.hypot(*spot)
        if not away <= shapes.FAR_M:
            message = f"lies {away / 1000:.0f} km from the origin; the order is latitude, longitude"
            report.add((*path, *at), message, allowed=f"at most {shapes.FAR_M / 1000:g} km away")
            fits = False
    return fits


def _shape(path: Path, zone: Zone, document: PolicyDocument, report: Report) -> bool:
    """Whether the outline can be used further."""
    if zone.radius_m is not None:
        if math.pi * zone.radius_m**2 >= shapes.AREA_MIN_M2:
            return True
        report.add((*path, "radius_m"), "the circle encloses no area", zone.radius_m, f">= {shapes.AREA_MIN_M2:g} m^2")
        return False
    wrong = shapes.fault_of(shapes.spots(zone, document.origin))
    if wrong:
        allowed = f">= {shapes.AREA_MIN_M2:g} m^2" if "area" in wrong else ""
        report.add((*path, "corners_m" if zone.corners_m is not None else "corners_deg"), wrong, allowed=allowed)
    return not wrong


def _heights(path: Path, zone: Zone, document: PolicyDocument, report: Report) -> bool:
    key = "floor_m" if zone.floor_m is not None else "ceiling_m"
    if zone.floor_m is None and zone.ceiling_m is None:
        return True
    if document.position is None or document.position.z is None:
        report.add((*path, key), "needs the key position.z", getattr(zone, key))
    velocity = document.motion.velocity if document.motion is not None else None
    if velocity is not None and velocity.z is None and zone.rule != "condition":
        report.add((*path, key), "needs the key motion.velocity.z: nothing else tells a climb", getattr(zone, key))
    if zone.floor_m is not None and zone.ceiling_m is not None and zone.floor_m >= zone.ceiling_m:
        report.add((*path, "floor_m"), "must be below the ceiling", zone.floor_m, f"< {zone.ceiling_m:g}")
        return False
    return True


Room = tuple[Polygon, Level]  # everything that the position inputs can say


def _room(document: PolicyDocument, names: Names) -> Room | None:
    """None if the position's inputs are not all known."""
    position = document.position
    if position is None:
        return None
    wanted = [position.x, position.y, *([position.z] if position.z is not None else [])]
    if any(name not in names.inputs for name in wanted):
        return None
    x, y = names.inputs[position.x], names.inputs[position.y]
    if x.min >= x.max or y.min >= y.max:
        return None
    z = names.inputs[position.z] if position.z is not None else None
    return box(x.min, y.min, x.max, y.max), (z.min, z.max) if z is not None else (0.0, 1.0)


def _level(zone: Zone, room: Room) -> Level:
    """Floor and ceiling within the position's range."""
    low, high = room[1]
    floor = low if zone.floor_m is None else max(low, zone.floor_m)
    ceiling = high if zone.ceiling_m is None else min(high, zone.ceiling_m)
    return floor, ceiling


def _reach(document: PolicyDocument, room: Room, report: Report) -> None:
    """A zone that the position can never be in, or never be out of, decides nothing."""
    for name, zone in document.zones.items():
        floor, ceiling = _level(zone, room)
        plan = shapes.polygon(zone, document.origin)
        if floor >= ceiling or not shapes.overlap(plan, room[0]):
            report.add(("zones", name), "lies outside the range of the position inputs", allowed=_range(room))
        elif (floor, ceiling) == room[1] and not shapes.left_over(room[0], [plan]):
            report.add(("zones", name), "covers the whole range of the position inputs: it decides nothing")


def kept_m(document: PolicyDocument, names: Names) -> float:
    """What the vehicle keeps from every fence at the least, m."""
    motion = document.motion
    if motion is None:
        return 0.0
    error = motion.position_error_m
    if isinstance(error, float):
        return motion.margin_m + error
    entry = names.inputs.get(error.input)
    return motion.margin_m + error.factor * max(entry.min if entry is not None else 0.0, 0.0)


def _margins(document: PolicyDocument, names: Names, report: Report) -> None:
    """A keep-in zone must be larger than what is kept from its fences."""
    if document.motion is None:
        return
    for name, zone in document.zones.items():
        if zone.rule != "keep_in":
            continue
        kept = kept_m(document, names) + zone.ahead_m
        plan = shapes.polygon(zone, document.origin).buffer(-kept)
        low = zone.floor_m is not None and zone.ceiling_m is not None and zone.ceiling_m - zone.floor_m <= 2 * kept
        if low or plan.area < shapes.AREA_MIN_M2:
            what = "too low" if low else "too small"
            message = f"is {what}: {kept:g} m are kept from each fence (margin, position error, correct_m)"
            report.add(("zones", name), message, allowed="something must be left")


def _space(document: PolicyDocument, room: Room, kept: float, report: Report) -> None:
    """Somewhere must be left: inside at least one keep-in zone and outside every keep-out zone."""
    keep_out = [zone for zone in document.zones.values() if zone.rule == "keep_out"]
    if not keep_out:
        return
    taken = [
        (shapes.polygon(zone, document.origin).buffer(kept), (low - kept, high + kept))
        for zone in keep_out
        for low, high in [_level(zone, room)]
    ]
    free: dict[str, tuple[BaseGeometry, Level]] = {
        name: (shapes.polygon(zone, document.origin), _level(zone, room))
        for name, zone in document.zones.items()
        if zone.rule == "keep_in"
    }
    barren = _barren(free or {"": room}, taken)
    if len(barren) == max(len(free), 1):
        report.add(("zones",), "the keep-out zones leave no place to be")
        return
    for name in barren:
        report.add(("zones", name), "the keep-out zones leave nothing of it")


def _barren(free: Mapping[str, tuple[BaseGeometry, Level]], taken: list[tuple[BaseGeometry, Level]]) -> list[str]:
    """Which of the volumes lie within others, layer by layer."""
    found = []
    for name, (plan, (floor, ceiling)) in free.items():
        levels = sorted({floor, ceiling, *(z for _, level in taken for z in level if floor < z < ceiling)})
        layers = (
            [shape for shape, (bottom, top) in taken if bottom <= low and high <= top] for low, high in pairwise(levels)
        )
        if not any(shapes.left_over(plan, in_the_way) for in_the_way in layers):
            found.append(name)
    return found


def _range(room: Room) -> str:
    x0, y0, x1, y1 = room[0].bounds
    return f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g}, z {room[1][0]:g} to {room[1][1]:g} m"
