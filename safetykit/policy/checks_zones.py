"""Zones: simple polygons, a known position, and somewhere left to be."""

from __future__ import annotations

from itertools import pairwise

from safetykit.policy.paths import Path
from safetykit.policy.polygons import AREA_MIN_M2, area, crosses_itself, shares_area, space_left
from safetykit.policy.report import Names, Report, all_conditions
from safetykit.policy.schema import PolicyDocument, Zone
from safetykit.policy.schema_parts import Condition


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """Every zone, then all of them together."""
    sound = True
    used = _zones_in_conditions(document)
    for name, zone in document.zones.items():
        path: Path = ("zones", name)
        sound &= _shape(path, zone, document, report)
        if document.position is None:
            report.add(path, "needs the key position: without it the zone can never be checked")
        if zone.rule == "condition" and name not in used:
            report.add((*path, "rule"), "no condition names this zone, so it is never used", zone.rule)
    box = _box(document, names)
    if sound and box is not None:
        _reach(document, box, report)
        _space(document, box, report)


def _zones_in_conditions(document: PolicyDocument) -> set[str]:
    specs = [spec for _, spec in all_conditions(document) if isinstance(spec, Condition)]
    return {name for spec in specs for name in (spec.inside, spec.outside) if name is not None}


def _shape(path: Path, zone: Zone, document: PolicyDocument, report: Report) -> bool:
    """Whether the polygon can be used further."""
    corners = zone.corners_m
    sound = True
    if crosses_itself(corners):
        report.add((*path, "corners_m"), "the outline crosses or touches itself")
        sound = False
    elif area(corners) < AREA_MIN_M2:
        report.add((*path, "corners_m"), "the outline encloses no area", allowed=f">= {AREA_MIN_M2:g} m^2")
        sound = False
    has_height = zone.floor_m is not None or zone.ceiling_m is not None
    if has_height and (document.position is None or document.position.z is None):
        key = "floor_m" if zone.floor_m is not None else "ceiling_m"
        report.add((*path, key), "needs the key position.z", getattr(zone, key))
    if zone.floor_m is not None and zone.ceiling_m is not None and zone.floor_m >= zone.ceiling_m:
        report.add((*path, "floor_m"), "must be below the ceiling", zone.floor_m, f"< {zone.ceiling_m:g}")
        sound = False
    return sound


Box = tuple[list[list[float]], tuple[float, float]]  # outline of the position's range, and its heights


def _box(document: PolicyDocument, names: Names) -> Box | None:
    """Everything that the position inputs can say; None if they are not all known."""
    position = document.position
    if position is None:
        return None
    wanted = [position.x, position.y, *([position.z] if position.z is not None else [])]
    if any(name not in names.inputs for name in wanted):
        return None
    x, y = names.inputs[position.x], names.inputs[position.y]
    if x.min >= x.max or y.min >= y.max:
        return None
    outline = [[x.min, y.min], [x.max, y.min], [x.max, y.max], [x.min, y.max]]
    z = names.inputs[position.z] if position.z is not None else None
    return outline, (z.min, z.max) if z is not None else (0.0, 1.0)


def _heights(zone: Zone, box: Box) -> tuple[float, float]:
    """Floor and ceiling within the position's range."""
    low, high = box[1]
    floor = low if zone.floor_m is None else max(low, zone.floor_m)
    ceiling = high if zone.ceiling_m is None else min(high, zone.ceiling_m)
    return floor, ceiling


def _reach(document: PolicyDocument, box: Box, report: Report) -> None:
    """A zone that the position can never be in, or never be out of, decides nothing."""
    outline = box[0]
    for name, zone in document.zones.items():
        floor, ceiling = _heights(zone, box)
        if floor >= ceiling or not shares_area(zone.corners_m, outline):
            report.add(("zones", name), "lies outside the range of the position inputs", allowed=_range(box))
        elif (floor, ceiling) == box[1] and not space_left(outline, [zone.corners_m]):
            report.add(("zones", name), "covers the whole range of the position inputs: it decides nothing")


def _space(document: PolicyDocument, box: Box, report: Report) -> None:
    """Somewhere must be left: inside at least one keep-in zone and outside every keep-out zone."""
    keep_in = {name: zone for name, zone in document.zones.items() if zone.rule == "keep_in"}
    keep_out = [zone for zone in document.zones.values() if zone.rule == "keep_out"]
    if not keep_out:
        return
    wholes = [(zone.corners_m, *_heights(zone, box)) for zone in keep_in.values()] or [(box[0], *box[1])]
    for corners, floor, ceiling in wholes:
        levels = sorted({floor, ceiling, *(z for zone in keep_out for z in _heights(zone, box) if floor < z < ceiling)})
        for low, high in pairwise(levels):
            in_the_way = [
                zone.corners_m for zone in keep_out if _heights(zone, box)[0] <= low and high <= _heights(zone, box)[1]
            ]
            if space_left(corners, in_the_way):
                return
    report.add(("zones",), "the keep-out zones leave no place to be")


def _range(box: Box) -> str:
    (x0, y0), _, (x1, y1), _ = box[0]
    return f"x {x0:g} to {x1:g}, y {y0:g} to {y1:g}, z {box[1][0]:g} to {box[1][1]:g} m"
