"""Fills the MOTION block."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as at
from safetykit.core.columns import motion as col
from safetykit.policy.report import Names
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_motion import Bicycle, Motion, ScaledError


def fill(document: PolicyDocument, names: Names, limits: NDArray[np.float64], timing: NDArray[np.int64]) -> None:
    """Write it; without the section nothing is measured and nothing is steered."""
    row = timing[at.T_MOTION : at.T_MOTION + col.MOTION_COLS_I]
    row[col.MOTION_FORM], row[col.MOTION_STEERS] = col.NO_MOTION, col.NOTHING
    row[col.MOTION_VX : col.MOTION_ERROR_INPUT + 1] = -1
    row[col.MOTION_CHANNEL : col.MOTION_GROUP + 1] = -1
    motion = document.motion
    if motion is not None:
        _measured(motion, names, row)
        _steered(motion, document, names, row)
        _numbers(motion, names, limits)


def _measured(motion: Motion, names: Names, row: NDArray[np.int64]) -> None:
    number = names.input_numbers
    given: tuple[str | None, ...]
    if motion.velocity is not None:
        given = (motion.velocity.x, motion.velocity.y, motion.velocity.z)
    else:
        given = (motion.speed, motion.heading, None)
    row[col.MOTION_FORM] = col.BY_AXES if motion.velocity is not None else col.BY_HEADING
    for k, name in enumerate(given):
        row[col.MOTION_VX + k] = -1 if name is None else number[name]
    if isinstance(motion.position_error_m, ScaledError):
        row[col.MOTION_ERROR_INPUT] = number[motion.position_error_m.input]


def steered_channels(motion: Motion) -> list[str | None]:
    """Names of the three steered channels: x, y, z, or along, steer and none."""
    by = motion.steered_by
    if by is None:
        return [None, None, None]
    return [by.along, by.steer, None] if isinstance(by, Bicycle) else [by.x, by.y, by.z]


def _steered(motion: Motion, document: PolicyDocument, names: Names, row: NDArray[np.int64]) -> None:
    if motion.steered_by is None:
        return
    row[col.MOTION_STEERS] = col.BICYCLE if isinstance(motion.steered_by, Bicycle) else col.AXES
    steered = steered_channels(motion)
    for k, name in enumerate(steered):
        row[col.MOTION_CHANNEL + k] = -1 if name is None else names.channel_numbers[name]
    for number, group in enumerate(document.groups.values()):
        if set(group.channels) & set(steered):
            row[col.MOTION_GROUP] = number


def _numbers(motion: Motion, names: Names, limits: NDArray[np.float64]) -> None:
    latency_s, response_s = motion.latency_ms / 1000, motion.response_s or 0.0
    error = motion.position_error_m
    constant, factor, worst = (error, 0.0, error) if not isinstance(error, ScaledError) else (0.0, error.factor, 0.0)
    if isinstance(error, ScaledError):
        worst = error.factor * max(names.inputs[error.input].max, 0.0)
    columns = {
        col.MOTION_RESPONSE: response_s,
        col.MOTION_BRAKE: motion.brake_mps2,
        col.MOTION_ACCEL: motion.accel_mps2_max,
        col.MOTION_LATENCY: latency_s,
        col.MOTION_REACTION: latency_s + response_s,
        col.MOTION_ERROR: constant,
        col.MOTION_ERROR_FACTOR: factor,
        col.MOTION_ERROR_WORST: worst,
        col.MOTION_WIND: motion.wind_mps,
        col.MOTION_MARGIN: motion.margin_m,
        col.MOTION_SPEED_MAX: motion.speed_mps_max,
        col.MOTION_GAIN: motion.gain_per_s,
        col.MOTION_TILT: None if motion.tilt_rad_max is None else math.tan(motion.tilt_rad_max),
        col.MOTION_CEILING: motion.ceiling_m,
    }
    for column, value in columns.items():
        limits[at.L_MOTION + column] = at.UNLIMITED if value is None else value
    limits[at.L_MOTION + col.MOTION_FLOOR] = -at.UNLIMITED if motion.floor_m is None else motion.floor_m
