"""Malformed objects, rss and collision sections: (name, preset, edits, expected key path)."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.policy.edits import DELETE
from tests.unit.policy.places import A, Case, Q

LIST: dict[str, Any] = {
    "age_ms": 100,
    "future_ms": 5,
    "needed": True,
    "count_max": 64,
    "frame": "road",
    "ranges": {"distance_m_max": 300, "speed_mps_max": 70},
}
SECTION: dict[str, Any] = {
    "speed": "speed_mps",
    "length_m": 4.7,
    "width_m": 1.9,
    "response_s": 3.0,  # the preset's ramp at 20 m/s is 2.5 m/s^3
    "accel_mps2_max": 2,
    "brake_mps2_min": 3,
    "brake_mps2_max": 8,
    "brake_mps2_min_correct": 2,
    "lateral_accel_mps2_max": 0.2,
    "lateral_brake_mps2_min": 0.8,
    "lateral_margin_m": 0.2,
    "along": "accel_mps2",
    "steer": "steer_angle_rad",
}
CAR: dict[str, Any] = {"objects": LIST, "rss": SECTION}
MOTION: dict[str, Any] = {
    "velocity": {"x": "vx_meas_mps", "y": "vy_meas_mps", "z": "vz_meas_mps"},
    "brake_mps2": 3,
    "latency_ms": 250,
}
MEASURED: dict[str, Any] = {
    f"sources.vehicle.inputs.v{axis}_meas_mps": {"unit": "mps", "min": -6, "max": 6} for axis in "xyz"
}
DRONE: dict[str, Any] = {
    "objects": {**LIST, "frame": "world"},
    "collision": {"radius_m": 0.5, "ttc_s_min": 2, "decel_mps2_max": 2},
    "motion": MOTION,
    **MEASURED,
}
SPEED: dict[str, Any] = {  # a car that is sent a speed
    "channels.set_mps": {
        "unit": "mps",
        "min": 0,
        "max": 30,
        "rate_up_per_s": 2,
        "rate_down_per_s": 4,
    },
    "recovery[0].set.set_mps": 0,
    "stop.power_off_after_s": 30,
}


SECTIONS = ("objects", "rss", "collision", "motion")


def fresh(edits: dict[str, Any]) -> dict[str, Any]:
    """A copy: what one case edits, the next must not see."""
    kept = {path: value for path, value in edits.items() if value is not DELETE or path not in SECTIONS}
    return {path: value if value is DELETE else copy.deepcopy(value) for path, value in kept.items()}


def _car(name: str, edits: dict[str, Any], key: str) -> Case:
    return f"rss: {name}", A, fresh({**CAR, **edits}), key


def _drone(name: str, edits: dict[str, Any], key: str) -> Case:
    return f"collision: {name}", Q, fresh({**DRONE, **edits}), key


OBJECTS: list[Case] = [
    _car("list older than a period", {"objects.age_ms": 10}, "objects.age_ms"),
    _car("list of the future", {"objects.future_ms": 100}, "objects.future_ms"),
    _car("no object", {"objects.count_max": 0}, "objects.count_max"),
    _car("too many objects", {"objects.count_max": 65}, "objects.count_max"),
    _car("unknown frame", {"objects.frame": "map"}, "objects.frame"),
    _car("no range", {"objects.ranges.distance_m_max": DELETE}, "objects.ranges.distance_m_max"),
    _car("range of zero", {"objects.ranges.speed_mps_max": 0}, "objects.ranges.speed_mps_max"),
    _car("list not needed", {"objects.needed": False}, "objects.needed"),
    _car("frame of a robot", {"objects.frame": "world"}, "objects.frame"),
    _car("no list", {"objects": DELETE}, "rss"),
    _car("unknown speed", {"rss.speed": "sped_mps"}, "rss.speed"),
    _car("speed with another unit", {"rss.speed": "accel_meas_mps2"}, "rss.speed"),
    _car("unknown lateral speed", {"rss.lateral_speed": "side_mps"}, "rss.lateral_speed"),
    _car("lateral speed along", {"rss.lateral_speed": "speed_mps"}, "rss.lateral_speed"),
    _car("bend with another unit", {"rss.curvature": "speed_mps"}, "rss.curvature"),
    _car(
        "bend without steering",
        {
            "rss.steer": DELETE,
            "rss.curvature": "bend_radpm",
            "sources.vehicle.inputs.bend_radpm": {"unit": "radpm", "min": -1, "max": 1},
        },
        "rss.curvature",
    ),
    _car("braking less hard than others at most", {"rss.brake_mps2_max": 2.9}, "rss.brake_mps2_min"),
    _car("braking harder in its own lane", {"rss.brake_mps2_min_correct": 3.1}, "rss.brake_mps2_min_correct"),
    _car("cap never reached", {"rss.speed_mps_max": 76}, "rss.speed_mps_max"),
    _car("cap of the others never reached", {"rss.others_speed_mps_max": 76}, "rss.others_speed_mps_max"),
    _car("unknown braking channel", {"rss.along": "brake_mps2"}, "rss.along"),
    _car("braking channel with another unit", {"rss.along": "steer_angle_rad"}, "rss.along"),
    _car("unknown steering channel", {"rss.steer": "wheel_rad"}, "rss.steer"),
    _car("steering by what brakes", {"rss.steer": "accel_mps2"}, "rss.steer"),
    _car("steering without geometry", {"channels.steer_angle_rad.lateral": DELETE, "speed": DELETE}, "rss.steer"),
    _car(
        "a channel that jumps past the response",
        {"channels.accel_mps2.on_violation": "reject", "channels.accel_mps2.fallback_jumps": True},
        "rss.along",
    ),
    _car("the channel does not brake that hard", {"rss.brake_mps2_min": 3.6}, "rss.brake_mps2_min"),
    _car("the channel speeds up harder", {"rss.accel_mps2_max": 1.9}, "rss.accel_mps2_max"),
    _car("response shorter than the ramp", {"rss.response_s": 2.1}, "rss.response_s"),
    _car("response shorter than jerk allows", {"channels.accel_mps2.jerk_per_s2": 0.9}, "rss.response_s"),
    _car(
        "response shorter than slew allows",
        {"channels.accel_mps2.slew": {"delta": 1, "window_ms": 500}},
        "rss.response_s",
    ),
    _car(
        "the set-point falls too slowly",
        {**SPEED, "rss.along": "set_mps", "rss.brake_mps2_min": 4.1},
        "rss.brake_mps2_min",
    ),
    _car(
        "the set-point rises too fast",
        {**SPEED, "rss.along": "set_mps", "rss.accel_mps2_max": 1.5},
        "rss.accel_mps2_max",
    ),
    _car(
        "a set-point without a rate",
        {**SPEED, "channels.set_mps.rate_up_per_s": DELETE, "rss.along": "set_mps"},
        "rss.accel_mps2_max",
    ),
    _car(
        "the set-point goes beyond the cap",
        {**SPEED, "rss.along": "set_mps", "rss.speed_mps_max": 29},
        "rss.speed_mps_max",
    ),
    _car(
        "a set-point that never stands",
        {**SPEED, "channels.set_mps.min": 1, "channels.set_mps.neutral": 1, "rss.along": "set_mps"},
        "rss.along",
    ),
    _car(
        "response shorter than the set-point's jerk allows",
        {**SPEED, "channels.set_mps.jerk_per_s2": 1, "rss.along": "set_mps"},
        "rss.response_s",
    ),
    _drone("list not needed", {"objects.needed": False}, "objects.needed"),
    _drone("frame of a road", {"objects.frame": "road"}, "objects.frame"),
    _drone("no list", {"objects": DELETE}, "collision"),
    _drone("no motion", {"motion": DELETE}, "collision"),
    _drone("no limit", {"collision.ttc_s_min": DELETE, "collision.decel_mps2_max": DELETE}, "collision"),
    _drone("no radius", {"collision.radius_m": 0}, "collision.radius_m"),
    _drone("more than the brakes reach", {"collision.decel_mps2_max": 3.1}, "collision.decel_mps2_max"),
    _drone("a wall that nothing keeps", {"collision.clearance_m": 1}, "collision.clearance_m"),
    _drone("no time to react", {"collision.ttc_s_min": 0.25}, "collision.ttc_s_min"),
    _drone("further than the list", {"collision.ttc_s_min": 36}, "collision.ttc_s_min"),
    _drone("a list within the vehicle", {"objects.ranges.distance_m_max": 0.4}, "collision.ttc_s_min"),
    _drone("latency below the age of the list", {"motion.latency_ms": 105}, "motion.latency_ms"),
    _drone("unknown velocity", {"motion.velocity.x": "vxx_mps"}, "motion.velocity.x"),
    ("objects: a fault without its section", Q, {"reactions.OBJECTS": "RECOVER"}, "reactions.OBJECTS"),
    _car("a reaction that is too mild", {"reactions.OBJECTS": "HOLD"}, "reactions.OBJECTS"),
]
