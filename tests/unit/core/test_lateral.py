"""Lateral acceleration and jerk, for curvature and for steering angle through the vehicle model."""

from __future__ import annotations

import math

import pytest

from tests.drive import PERIOD_NS, Drive, document

pytestmark = pytest.mark.core
DT = PERIOD_NS * 1e-9
CURVATURE = {"geometry": "curvature", "accel_mps2": 3.0, "jerk_mps3": 5.0, "speed_min_mps": 1.0}
ANGLE = {
    "geometry": "angle",
    "accel_mps2": 3.0,
    "jerk_mps3": 5.0,
    "wheelbase_m": 2.7,
    "ratio": 15.0,
    "understeer_s2pm2": 0.002,
    "speed_min_mps": 1.0,
}


def drive(
    lateral: dict[str, object], speed: float, unit: str, needed: bool = True, backward_mps: float = -10.0
) -> Drive:
    made = document({"unit": unit, "lateral": lateral, "min": -8, "max": 8})
    made["channels"] = {f"steer_{unit}": made["channels"]["a"]}
    made["recovery"][0]["set"] = {f"steer_{unit}": 0.0}
    made["speed"] = "speed_mps"
    made["sources"]["vehicle"]["needed"] = needed
    made["sources"]["vehicle"]["inputs"]["speed_mps"]["min"] = backward_mps
    return Drive(made, speed_mps=speed)


def curvature_of(angle: float, speed: float) -> float:
    return math.tan(angle / 15.0) / (2.7 * (1.0 + 0.002 * speed * speed))


@pytest.mark.parametrize("speed", [0.2, 5.0, 20.0, -8.0])
def test_curvature_is_limited_by_jerk_then_by_acceleration(speed: float) -> None:
    v = max(abs(speed), 1.0)
    car = drive(CURVATURE, speed, "radpm").engaged()
    first = car.tick(8.0)
    assert first.sent["steer_radpm"] == pytest.approx(min(5.0 * DT / v**2, 1.0, 3.0 / v**2))
    assert "LATERAL" in first.reasons["steer_radpm"]
    assert car.ticks(400, 8.0).sent["steer_radpm"] == pytest.approx(3.0 / v**2)


@pytest.mark.parametrize("speed", [5.0, 30.0])
def test_a_steering_angle_is_limited_through_the_vehicle_model(speed: float) -> None:
    car = drive(ANGLE, speed, "rad").engaged()
    first = car.tick(8.0).sent["steer_rad"]
    assert curvature_of(first, speed) * speed**2 == pytest.approx(5.0 * DT)
    last = car.ticks(400, 8.0).sent["steer_rad"]
    assert curvature_of(last, speed) * speed**2 == pytest.approx(3.0)


def test_without_a_speed_the_worst_speed_counts() -> None:
    car = drive(CURVATURE, math.nan, "radpm", needed=False).engaged()
    assert car.ticks(400, 8.0).sent["steer_radpm"] == pytest.approx(3.0 / 50.0**2)


def test_the_worst_speed_may_be_the_backward_one() -> None:
    car = drive(CURVATURE, math.nan, "radpm", needed=False, backward_mps=-60.0).engaged()
    assert car.ticks(400, 8.0).sent["steer_radpm"] == pytest.approx(3.0 / 60.0**2)


def test_speeding_up_brings_the_curve_back_within_the_rate() -> None:
    car = drive(CURVATURE, 2.0, "radpm").engaged()
    assert car.ticks(200, 8.0).sent["steer_radpm"] == pytest.approx(0.75)
    car.inputs["speed_mps"] = 20.0
    assert car.tick(8.0).sent["steer_radpm"] == pytest.approx(3.0 / 20.0**2)
