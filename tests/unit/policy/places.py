"""Short names of presets and places in them, for the tables of malformed policies."""

from __future__ import annotations

from typing import Any

Case = tuple[str, str, dict[str, Any], str]

Q, T, A, R, X = "quadrotor", "car-torque", "car-angle", "rover", "restrictive"
VX, VZ = "channels.vx_mps", "channels.vz_mps"
STEER, ANGLE = "channels.steer_torque_nm", "channels.steer_angle_rad"
AREA = "zones.flight_area"
SQUARE = [[-10, -10], [10, -10], [10, 10], [-10, 10]]
