"""Malformed policies about the section motion: (name, preset, edits, expected key path)."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.policy.edits import DELETE
from tests.unit.policy.places import Case, Q

DRONE: dict[str, Any] = {
    "velocity": {"x": "vx_meas_mps", "y": "vy_meas_mps", "z": "vz_meas_mps"},
    "steered_by": {"x": "vx_mps", "y": "vy_mps", "z": "vz_mps"},
    "response_s": 0.5,
    "brake_mps2": 3,
    "accel_mps2_max": 5,
    "latency_ms": 400,
    "gain_per_s": 2,
}
CAR: dict[str, Any] = {
    "speed": "speed_mps",
    "heading": "heading_rad",
    "steered_by": {"along": "accel_mps2", "steer": "steer_angle_rad"},
    "brake_mps2": 3,
    "accel_mps2_max": 4,
    "latency_ms": 900,
    "speed_mps_max": 60,
    "gain_per_s": 1,
}
HEADING = "sources.vehicle.inputs.heading_rad"
CAR_INPUT: dict[str, Any] = {HEADING: {"unit": "rad", "min": -4, "max": 4}}
BOTH: dict[str, Any] = {
    **CAR_INPUT,
    "channels.accel_mps2.rate_up_per_s": 10,
    "channels.accel_mps2.rate_down_per_s": 10,
}


def _drone(name: str, key: str, edits: dict[str, Any]) -> Case:
    return f"motion: {name}", Q, {"motion": copy.deepcopy(DRONE), **edits}, key


def _car(name: str, key: str, edits: dict[str, Any]) -> Case:
    return f"motion of a car: {name}", "car-angle", {"motion": copy.deepcopy(CAR), **copy.deepcopy(BOTH), **edits}, key


def m(**edits: Any) -> dict[str, Any]:
    return {f"motion.{key}": value for key, value in edits.items()}


VX = "channels.vx_mps"
MOTION: list[Case] = [
    _drone("nothing measured", "motion", m(velocity=DELETE)),
    _drone("both ways of measuring", "motion", m(speed="speed_mps")),
    _drone("speed without heading", "motion.speed", m(velocity=DELETE, speed="speed_mps")),
    _drone("unknown input", "motion.velocity.x", {"motion.velocity.x": "vx_meas"}),
    _drone("input with another unit", "motion.velocity.x", {"motion.velocity.x": "x_m"}),
    _drone("velocity of a source that may be lost", "motion.velocity.x", {"sources.vehicle.needed": False}),
    _drone("unknown error input", "motion.position_error_m.input", m(position_error_m={"input": "eph_m", "factor": 2})),
    _drone("error factor 0", "motion.position_error_m.factor", m(position_error_m={"input": "x_m", "factor": 0})),
    _drone("negative error", "motion.position_error_m", m(position_error_m=-1)),
    _drone("no brakes", "motion.brake_mps2", m(brake_mps2=0)),
    _drone("no latency", "motion.latency_ms", m(latency_ms=0)),
    _drone("latency below the period", "motion.latency_ms", m(latency_ms=5, gain_per_s=1)),
    _drone("unknown channel", "motion.steered_by.x", {"motion.steered_by.x": "vx"}),
    _drone("channel given twice", "motion.steered_by.y", {"motion.steered_by.y": "vx_mps"}),
    _drone("channel that is neither", "motion.steered_by.z", {"motion.steered_by.z": "yaw_rate_radps"}),
    _drone("axes and wheels", "motion.steered_by.x", {"motion.steered_by.along": "vx_mps"}),
    _drone("along without heading", "motion.steered_by", m(steered_by={"along": "vx_mps"})),
    _drone("no response", "motion.response_s", m(response_s=DELETE)),
    _drone("no authority", "motion.accel_mps2_max", m(accel_mps2_max=DELETE)),
    _drone("authority below braking", "motion.accel_mps2_max", m(accel_mps2_max=2)),
    _drone("no gain", "motion.gain_per_s", m(gain_per_s=DELETE)),
    _drone("gain that swings over", "motion.gain_per_s", m(gain_per_s=3)),
    _drone("gain that steers nothing", "motion.gain_per_s", m(steered_by=DELETE)),
    _drone("tilt that cannot brake", "motion.tilt_rad_max", m(tilt_rad_max=0.2)),
    _drone("floor above the ceiling", "motion.floor_m", m(floor_m=9, ceiling_m=8)),
    _drone("ceiling without a way up", "motion.ceiling_m", {**m(ceiling_m=9), "motion.steered_by.z": DELETE}),
    _drone("up without a measurement", "motion.steered_by.z", {"motion.velocity.z": DELETE}),
    _drone("rate below braking", "motion.steered_by.x", {f"{VX}.rate_down_per_s": 2}),
    _drone("jerk that begins too late", "motion.steered_by.x", {f"{VX}.jerk_per_s2": 5}),
    _drone("slew", "motion.steered_by.x", {f"{VX}.slew": {"delta": 1, "window_ms": 500}}),
    _drone("lead", "motion.steered_by.x", {f"{VX}.lead": {"error": 1, "samples": 3}}),
    _drone("reject", "motion.steered_by.x", {f"{VX}.on_violation": "reject"}),
    _drone(
        "group with strangers",
        "groups.horizontal_velocity.channels",
        {"motion.steered_by.z": DELETE, "groups.horizontal_velocity.channels": ["vx_mps", "vz_mps"]},
    ),
    _drone(
        "group too slow",
        "groups.horizontal_velocity.norm_rate_per_s",
        {"groups.horizontal_velocity.norm_rate_per_s": 2},
    ),
    _drone("nothing to keep from", "motion.steered_by", {"zones.flight_area.rule": "condition"}),
    _car("response of accelerations", "motion.response_s", m(response_s=1)),
    _car("bounds that cannot brake", "motion.steered_by.along", m(brake_mps2=3.9)),
    _car("rates that begin too late", "motion.steered_by.along", m(latency_ms=300)),
    _car("steering by torque", "motion.steered_by.steer", {"motion.steered_by.steer": "accel_mps2"}),
    _car("axes without velocity", "motion.steered_by", m(steered_by={"x": "accel_mps2", "y": "steer_angle_rad"})),
    _car("tilt on wheels", "motion.tilt_rad_max", m(tilt_rad_max=0.5)),
    _car("altitude on wheels", "motion.ceiling_m", m(ceiling_m=5)),
    _car("heading with another unit", "motion.heading", m(heading="speed_mps")),
]
