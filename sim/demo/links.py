"""The seams between the demo's processes and their transport: ROS 2 or shared memory.

All times are CLOCK_MONOTONIC nanoseconds of this machine; a link converts them where its transport has another clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from sim.vehicles import Quadrotor

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Received:
    """One command as it arrived at the vehicle."""

    arrival_ns: int
    stamp_ns: int  # the guard's own time stamp inside the message
    values: FloatArray


class PilotLink(Protocol):
    """The autonomy's way out."""

    def send(self, values: FloatArray, stamp_ns: int) -> None: ...

    def request(self, function: str) -> None: ...


class VehicleLink(Protocol):
    """The vehicle's way in for commands and out for measurements."""

    def receive(self) -> list[Received]: ...

    def publish(self, vehicle: Quadrotor, altitude_2_m: float) -> None:
        """The vehicle's own estimate, and what its second altimeter says."""


class OperatorLink(Protocol):
    """The operator's button."""

    def engage(self, pressed: bool) -> None: ...


def transport_here(wanted: str) -> tuple[str, str]:
    """The transport to use and why: ROS 2 where rclpy imports, else shared memory.

    Raises ValueError when ROS 2 is asked for and does not import.
    """
    if wanted == "shm":
        return "shm", "asked for"
    if find_spec("rclpy") is None:
        reason = "rclpy is not installed"
    else:
        try:
            import_module("sim.demo.ros_link")
            return "ros2", "asked for" if wanted == "ros2" else "rclpy imports"
        except (ImportError, OSError) as error:  # a wheel whose libraries do not load on this machine
            reason = f"rclpy does not import ({error})"
    if wanted == "ros2":
        raise ValueError(f"ROS 2 was asked for, but {reason}")
    return "shm", reason


def _link(transport: str, name: str, instance: str) -> Any:
    module = import_module({"ros2": "sim.demo.ros_link", "shm": "sim.demo.shm_link"}[transport])
    return getattr(module, name)(instance)


def pilot_link(transport: str, instance: str) -> PilotLink:
    return cast(PilotLink, _link(transport, "Pilot", instance))


def vehicle_link(transport: str, instance: str) -> VehicleLink:
    return cast(VehicleLink, _link(transport, "Vehicle", instance))


def operator_link(transport: str, instance: str) -> OperatorLink:
    return cast(OperatorLink, _link(transport, "Operator", instance))


def measurements(vehicle: Quadrotor) -> dict[str, float]:
    """The vehicle's state under the names that the policy gives its inputs."""
    names = ("x_m", "y_m", "altitude_m", "vx_meas_mps", "vy_meas_mps", "vz_meas_mps")
    values = dict(zip(names, (*vehicle.position_m.tolist(), *vehicle.velocity_mps.tolist()), strict=True))
    return {**values, "speed_mps": float(np.linalg.norm(vehicle.velocity_mps))}
