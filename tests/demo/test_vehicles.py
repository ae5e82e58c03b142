"""Vehicle models against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.vehicles import Car, Quadrotor, Rover, lag


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_lag_is_exact_whatever_the_step(steps: int) -> None:
    value = 0.0
    for _ in range(steps):
        value = lag(value, 2.0, 0.5, 1.0 / steps)
    assert value == pytest.approx(2.0 * (1.0 - math.exp(-2.0)), rel=1e-12)


def test_quadrotor_reaches_its_velocity_and_stays_off_the_ground() -> None:
    vehicle = Quadrotor()
    for _ in range(1000):
        vehicle.step(np.array([1.0, -2.0, 0.5, 0.1]), 0.01)
    assert vehicle.velocity_mps == pytest.approx([1.0, -2.0, 0.5], abs=1e-6)
    # Distance of a first-order lag: v * (t - lag), the lag's tail being gone after 10 s.
    assert vehicle.position_m[:2] == pytest.approx([1.0 * (10 - 0.35), -2.0 * (10 - 0.35)], abs=0.02)
    for _ in range(5000):
        vehicle.step(np.array([0.0, 0.0, -1.0, 0.0]), 0.01)
    assert vehicle.position_m[2] == 0.0
    assert vehicle.velocity_mps.tolist() == [0.0, 0.0, 0.0]


def test_nan_ruins_a_vehicle_for_good() -> None:
    vehicle = Quadrotor()
    vehicle.position_m[2] = 10.0
    vehicle.step(np.array([np.nan, 0.0, 0.0, 0.0]), 0.01)
    vehicle.step(np.zeros(4), 0.01)
    assert math.isnan(vehicle.position_m[0])


def test_rover_drives_a_circle() -> None:
    vehicle = Rover(speed_lag_s=1e-9, yaw_lag_s=1e-9)
    for _ in range(int(math.tau / 0.5 / 0.001)):
        vehicle.step(np.array([1.0, 0.5]), 0.001)
    assert vehicle.position_m == pytest.approx([0.0, 0.0], abs=0.01)  # radius v / yaw rate = 2 m, once round


def test_car_lateral_acceleration_is_speed_squared_times_curvature() -> None:
    vehicle = Car(speed_mps=20.0, steering_lag_s=1e-9)
    vehicle.step(np.array([0.05, 0.0]), 0.01)
    assert vehicle.lateral_accel_mps2 == pytest.approx(400.0 * math.tan(0.05) / 2.7)
    for _ in range(2000):
        vehicle.step(np.array([0.0, -5.0]), 0.01)
    assert vehicle.speed_mps == 0.0
