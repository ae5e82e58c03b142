"""Bad zones: name, preset, edits, key of the problem."""

from __future__ import annotations

from typing import Any

from tests.unit.policy.edits import DELETE
from tests.unit.policy.places import AREA, SQUARE, Case, Q

MOTION: dict[str, Any] = {
    "velocity": {"x": "vx_meas_mps", "y": "vy_meas_mps", "z": "vz_meas_mps"},
    "brake_mps2": 3,
    "latency_ms": 250,
    "margin_m": 2,
    "position_error_m": 1,
}
ORIGIN = {"lat_deg": 47.4, "lon_deg": 8.5}
FIELD = [[47.399, 8.499], [47.399, 8.501], [47.401, 8.501], [47.401, 8.499]]
SLOW = {"rule": "speed", "corners_m": SQUARE, "speed_mps_max": 2, "excess_mps": 0.5}
MAST = {"rule": "keep_out", "centre_m": [20, 30], "radius_m": 5}


def zone(entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Edits that add the zone `new` with changed keys."""
    return {"zones.new": {key: value for key, value in {**entry, **more}.items() if value is not None}}


def moving(entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The same for a policy with the section motion."""
    return {"motion": MOTION, **zone(entry, **more)}


ZONES: list[Case] = [
    ("zone without a shape", Q, {f"{AREA}.corners_m": DELETE}, AREA),
    ("zone with corners and centre", Q, zone(MAST, corners_m=SQUARE), "zones.new.centre_m"),
    (
        "zone with corners in both units",
        Q,
        {**zone(MAST, centre_m=None, radius_m=None, corners_m=SQUARE, corners_deg=FIELD), "origin": ORIGIN},
        "zones.new.corners_deg",
    ),
    ("circle without radius", Q, zone(MAST, radius_m=None), "zones.new.radius_m"),
    ("polygon with radius", Q, {f"{AREA}.radius_m": 5}, f"{AREA}.radius_m"),
    ("circle of no size", Q, zone(MAST, radius_m=0), "zones.new.radius_m"),
    ("circle too small", Q, zone(MAST, radius_m=0.01), "zones.new.radius_m"),
    ("circle with half a centre", Q, zone(MAST, centre_m=[3]), "zones.new.centre_m"),
    ("circle out of reach", Q, zone(MAST, centre_m=[3000, 0]), "zones.new"),
    ("circle covers everything", Q, {f"{AREA}": {"rule": "keep_in", "centre_m": [0, 0], "radius_m": 9000}}, AREA),
    ("circle not a number", Q, zone(MAST, centre_m=["20", 30]), "zones.new.centre_m[0]"),
    ("degrees without origin", Q, zone(MAST, centre_m=None, centre_deg=[47.4, 8.5]), "zones.new.centre_deg"),
    ("corners without origin", Q, {f"{AREA}.corners_m": DELETE, f"{AREA}.corners_deg": FIELD}, f"{AREA}.corners_deg"),
    ("origin for nothing", Q, {"origin": ORIGIN}, "origin"),
    ("origin at a pole", Q, {"origin": {"lat_deg": 90, "lon_deg": 0}}, "origin.lat_deg"),
    (
        "longitude first",
        Q,
        {**zone(MAST, centre_m=None, centre_deg=[8.5, 47.4]), "origin": ORIGIN},
        "zones.new.centre_deg",
    ),
    (
        "no such latitude",
        Q,
        {f"{AREA}.corners_m": DELETE, f"{AREA}.corners_deg": [[147.4, 8.5], *FIELD[1:]], "origin": ORIGIN},
        f"{AREA}.corners_deg[0][0]",
    ),
    (
        "no such longitude",
        Q,
        {f"{AREA}.corners_deg": [[47.4, 188.5], *FIELD[1:]], "origin": ORIGIN},
        f"{AREA}.corners_deg[0][1]",
    ),
    (
        "one corner far away",
        Q,
        {f"{AREA}.corners_m": DELETE, f"{AREA}.corners_deg": [*FIELD[:3], [48.4, 8.499]], "origin": ORIGIN},
        f"{AREA}.corners_deg[3]",
    ),
    (
        "degrees cross themselves",
        Q,
        {
            f"{AREA}.corners_m": DELETE,
            "origin": ORIGIN,
            f"{AREA}.corners_deg": [FIELD[0], FIELD[2], FIELD[1], FIELD[3]],
        },
        f"{AREA}.corners_deg",
    ),
    ("zone touches itself", Q, {f"{AREA}.corners_m": [[0, 0], [9, 0], [9, 9], [5, 0], [0, 9]]}, f"{AREA}.corners_m"),
    ("speed zone without motion", Q, zone(SLOW), "zones.new.rule"),
    ("speed zone without speed", Q, moving(SLOW, speed_mps_max=None), "zones.new.speed_mps_max"),
    ("speed zone without excess", Q, moving(SLOW, excess_mps=None), "zones.new.excess_mps"),
    ("speed of a fence", Q, moving(MAST, speed_mps_max=3), "zones.new.speed_mps_max"),
    ("excess of a fence", Q, moving(MAST, excess_mps=3), "zones.new.excess_mps"),
    ("speed zone of no speed", Q, moving(SLOW, speed_mps_max=0), "zones.new.speed_mps_max"),
    ("correction without motion", Q, {f"{AREA}.correct_m": 1}, f"{AREA}.correct_m"),
    ("correction of a condition", Q, {"motion": MOTION, "zones.home.correct_m": 1}, "zones.home.correct_m"),
    ("correction below zero", Q, {"motion": MOTION, f"{AREA}.correct_m": -1}, f"{AREA}.correct_m"),
    ("zone too small for its margins", Q, {"motion": {**MOTION, "margin_m": 99}}, AREA),
    ("zone too low for its margins", Q, {"motion": {**MOTION, "margin_m": 60}}, AREA),
    ("zone too small for its correction", Q, {"motion": MOTION, f"{AREA}.correct_m": 97}, AREA),
    (
        "height without a measured climb",
        Q,
        {"motion": {**MOTION, "velocity": {"x": "vx_meas_mps", "y": "vy_meas_mps"}}},
        f"{AREA}.floor_m",
    ),
    (
        "one keep-in zone lies in keep-out zones",
        Q,
        {
            "zones.yard": {"rule": "keep_in", "corners_m": [[0, 0], [9, 0], [9, 9]]},
            "zones.new": {"rule": "keep_out", "corners_m": SQUARE},
        },
        "zones.yard",
    ),
    (
        "margins leave no place to be",
        Q,
        {
            "motion": {**MOTION, "margin_m": 30},
            "zones.new": {"rule": "keep_out", "corners_m": [[-80, -80], [80, -80], [80, 80], [-80, 80]]},
        },
        "zones",
    ),
    ("reaction to a fence that has no ring", Q, {"reactions.ZONE_OUTSIDE": "CLAMP"}, "reactions.ZONE_OUTSIDE"),
    (
        "reaction to a correction that nobody makes",
        Q,
        {"motion": MOTION, "reactions.ZONE_NEAR": "CLAMP"},
        "reactions.ZONE_NEAR",
    ),
]
