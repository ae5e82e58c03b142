"""Small honest vehicle models: first-order lags and kinematics, nothing that pretends to be more.

Every vehicle has ``step(command, dt_s)`` and public state in SI units. None protects itself: a NaN that reaches one
ruins its state for good, which is exactly what a test wants to see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Vehicle(Protocol):
    """What the demo and tests need of a vehicle."""

    def step(self, command: FloatArray, dt_s: float) -> None: ...


def lag(value: float, target: float, time_constant_s: float, dt_s: float) -> float:
    """First-order lag, exact for a target that is constant over ``dt_s``."""
    return target + (value - target) * math.exp(-dt_s / time_constant_s)


@dataclass
class Quadrotor:
    """A multirotor under a velocity controller: each axis follows its set-point with a first-order lag.

    Command: east, north, up velocity (m/s) and yaw rate (rad/s). It rests on the ground: z stays at 0 or above.
    """

    horizontal_lag_s: float = 0.35
    vertical_lag_s: float = 0.25
    yaw_lag_s: float = 0.15
    position_m: FloatArray = field(default_factory=lambda: np.zeros(3))  # east, north, up
    velocity_mps: FloatArray = field(default_factory=lambda: np.zeros(3))  # east, north, up
    yaw_rad: float = 0.0
    yaw_rate_radps: float = 0.0

    def step(self, command: FloatArray, dt_s: float) -> None:
        lags_s = (self.horizontal_lag_s, self.horizontal_lag_s, self.vertical_lag_s)
        axes = zip(self.velocity_mps, command[:3], lags_s, strict=True)
        self.velocity_mps = np.array([lag(now, target, lag_s, dt_s) for now, target, lag_s in axes])
        self.position_m = self.position_m + dt_s * self.velocity_mps
        self.yaw_rate_radps = lag(self.yaw_rate_radps, command[3], self.yaw_lag_s, dt_s)
        self.yaw_rad = math.remainder(self.yaw_rad + self.yaw_rate_radps * dt_s, math.tau)
        if self.position_m[2] <= 0.0 and self.velocity_mps[2] <= 0.0:
            self.position_m[2] = 0.0
            self.velocity_mps[:] = 0.0


@dataclass
class Rover:
    """A differential-drive base. Command: speed (m/s) and yaw rate (rad/s), each followed with a first-order lag."""

    speed_lag_s: float = 0.2
    yaw_lag_s: float = 0.1
    position_m: FloatArray = field(default_factory=lambda: np.zeros(2))
    yaw_rad: float = 0.0
    speed_mps: float = 0.0
    yaw_rate_radps: float = 0.0

    def step(self, command: FloatArray, dt_s: float) -> None:
        self.speed_mps = lag(self.speed_mps, command[0], self.speed_lag_s, dt_s)
        self.yaw_rate_radps = lag(self.yaw_rate_radps, command[1], self.yaw_lag_s, dt_s)
        self.yaw_rad = math.remainder(self.yaw_rad + self.yaw_rate_radps * dt_s, math.tau)
        heading = np.array([math.cos(self.yaw_rad), math.sin(self.yaw_rad)])
        self.position_m = self.position_m + dt_s * self.speed_mps * heading


@dataclass
class Car:
    """Kinematic bicycle with steering and drive lags. Command: road-wheel angle (rad), acceleration (m/s^2)."""

    wheelbase_m: float = 2.7
    steering_lag_s: float = 0.1
    drive_lag_s: float = 0.3
    position_m: FloatArray = field(default_factory=lambda: np.zeros(2))
    yaw_rad: float = 0.0
    speed_mps: float = 0.0
    steering_rad: float = 0.0
    accel_mps2: float = 0.0

    @property
    def lateral_accel_mps2(self) -> float:
        return self.speed_mps**2 * math.tan(self.steering_rad) / self.wheelbase_m

    def step(self, command: FloatArray, dt_s: float) -> None:
        self.steering_rad = lag(self.steering_rad, command[0], self.steering_lag_s, dt_s)
        self.accel_mps2 = lag(self.accel_mps2, command[1], self.drive_lag_s, dt_s)
        self.speed_mps = max(0.0, self.speed_mps + self.accel_mps2 * dt_s)
        self.yaw_rad += self.speed_mps * math.tan(self.steering_rad) / self.wheelbase_m * dt_s
        heading = np.array([math.cos(self.yaw_rad), math.sin(self.yaw_rad)])
        self.position_m = self.position_m + dt_s * self.speed_mps * heading
