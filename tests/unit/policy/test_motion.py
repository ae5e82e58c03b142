"""The section motion: what a policy with it looks like to the core, what it makes possible, how it differs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core import layout as at
from safetykit.core.columns import motion as col
from safetykit.core.vocabulary import Fault
from safetykit.policy import parse_policy
from safetykit.policy.checks import producible
from safetykit.policy.diff import differences
from safetykit.policy.tables import tables
from tests.unit.policy.cases_motion import BOTH, CAR, DRONE
from tests.unit.policy.edits import edited


def drone(**edits: Any) -> Any:
    return parse_policy(edited("quadrotor", {"motion": {**DRONE, **edits}}))


def numbers(policy: Any) -> Any:
    return policy.limits[at.L_MOTION : at.L_MOTION + col.MOTION_COLS]


def columns(policy: Any) -> Any:
    return policy.timing[at.T_MOTION : at.T_MOTION + col.MOTION_COLS_I]


def test_a_drone_as_the_core_sees_it() -> None:
    policy = drone(margin_m=2, position_error_m={"input": "altitude_m", "factor": 0.5}, tilt_rad_max=0.4, ceiling_m=80)
    seen, row = numbers(policy), columns(policy)
    assert row[col.MOTION_FORM] == col.BY_AXES
    assert [policy.inputs[i] for i in row[col.MOTION_VX : col.MOTION_VZ + 1]] == list(DRONE["velocity"].values())
    assert policy.inputs[row[col.MOTION_ERROR_INPUT]] == "altitude_m"
    steered = row[col.MOTION_CHANNEL : col.MOTION_CHANNEL + 3]
    assert [policy.channels[c] for c in steered] == list(DRONE["steered_by"].values())
    assert (row[col.MOTION_STEERS], row[col.MOTION_GROUP]) == (col.AXES, 0)
    assert seen[col.MOTION_REACTION] == pytest.approx(0.9)
    assert seen[col.MOTION_ERROR_WORST] == 75
    assert seen[col.MOTION_TILT] == pytest.approx(math.tan(0.4))
    assert (seen[col.MOTION_FLOOR], seen[col.MOTION_CEILING]) == (-at.UNLIMITED, 80)
    assert seen[col.MOTION_SPEED_MAX] == at.UNLIMITED


def test_a_car_as_the_core_sees_it() -> None:
    policy = parse_policy(edited("car-angle", {"motion": {**CAR, "position_error_m": 0.3}, **BOTH}))
    row = columns(policy)
    assert (row[col.MOTION_FORM], row[col.MOTION_STEERS]) == (col.BY_HEADING, col.BICYCLE)
    assert [policy.inputs[row[k]] for k in (col.MOTION_SPEED_INPUT, col.MOTION_HEADING)] == ["speed_mps", "heading_rad"]
    assert [policy.channels[c] for c in row[6:8]] == ["accel_mps2", "steer_angle_rad"]
    assert (row[8], row[col.MOTION_GROUP], row[col.MOTION_VZ]) == (-1, -1, -1)
    assert numbers(policy)[col.MOTION_RESPONSE] == 0
    assert numbers(policy)[col.MOTION_ERROR] == 0.3


def test_without_the_section_nothing_is_measured_and_nothing_steered() -> None:
    row = columns(parse_policy(edited("quadrotor", {})))
    assert (row[col.MOTION_FORM], row[col.MOTION_STEERS]) == (col.NO_MOTION, col.NOTHING)
    assert set(row[col.MOTION_VX : col.MOTION_ERROR_INPUT + 1]) == {-1}
    assert set(row[col.MOTION_CHANNEL :]) == {-1}


def test_only_measuring_is_a_policy_too() -> None:
    measured = {key: DRONE[key] for key in ("velocity", "brake_mps2", "latency_ms")}
    policy = parse_policy(edited("quadrotor", {"motion": measured}))
    assert columns(policy)[col.MOTION_STEERS] == col.NOTHING
    assert not {Fault.BARRIER, Fault.INFEASIBLE, Fault.ZONE_NEAR} & producible(policy.document)


def test_what_the_filter_can_say() -> None:
    assert {Fault.INFEASIBLE, Fault.ZONE_NEAR} <= producible(drone().document)
    assert Fault.BARRIER not in producible(drone().document)
    for more in ({"ceiling_m": 50}, {"speed_mps_max": 5}, {"tilt_rad_max": 0.4}):
        assert Fault.BARRIER in producible(drone(**more).document)


@pytest.mark.parametrize(
    ("key", "before", "after", "verdict"),
    [
        ("brake_mps2", 2.5, 3, "looser"),
        ("latency_ms", 400, 500, "tighter"),
        ("margin_m", 1, 2, "tighter"),
        ("wind_mps", 3, 2, "looser"),
        ("speed_mps_max", 5, 4, "tighter"),
        ("floor_m", 1, 2, "tighter"),
        ("ceiling_m", 50, 60, "looser"),
        ("gain_per_s", 1, 2, "looser"),
        ("position_error_m", 1, 2, "other"),
    ],
)
def test_differences(key: str, before: float, after: float, verdict: str) -> None:
    (found,) = differences(drone(**{key: before}), drone(**{key: after}))
    assert (found.key, found.verdict) == (f"motion.{key}", verdict)


def test_show_prints_what_the_section_says() -> None:
    shown = {table.title: table for table in tables(drone(margin_m=2))}
    keys, values = (map(str, column.cells) for column in shown["Motion"].columns)
    printed = dict(zip(keys, values, strict=True))
    assert printed["margin_m"] == "2"
    assert printed["velocity.x"] == "vx_meas_mps"
    assert "floor_m" not in printed
    assert "Motion" not in {table.title for table in tables(parse_policy(edited("quadrotor", {})))}
