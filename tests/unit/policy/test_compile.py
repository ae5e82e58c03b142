"""Numbers of the document at the right offsets of the two arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from safetykit.core import bounds as b
from safetykit.core import layout as at
from safetykit.core.columns import breakers, motion
from safetykit.core.vocabulary import Action, ConditionKind, Fallback, Fault, Geometry
from safetykit.policy import Policy, load_policy, parse_policy
from safetykit.policy.reactions import DEFAULT, FIXED, FLOOR
from tests.unit.policy.edits import DELETE, edited


def channel(policy: Policy, name: str) -> tuple[Any, Any]:
    """Columns of one channel in limits and timing."""
    c = policy.channel_index(name)
    row, row_i = at.L_CHANNEL + c * at.CH_COLS, at.T_CHANNEL + c * at.CHI_COLS
    return policy.limits[row : row + at.CH_COLS], policy.timing[row_i : row_i + at.CHI_COLS]


def row(array: np.ndarray, block: int, columns: int, number: int) -> np.ndarray:
    return array[block + number * columns : block + (number + 1) * columns]


def test_head() -> None:
    timing = load_policy("quadrotor").timing
    expected = {
        at.PERIOD_NS: 10_000_000,
        at.DT_MAX_NS: 20_000_000,
        at.COMMAND_LATE_NS: 100_000_000,
        at.COMMAND_STALE_NS: 500_000_000,
        at.COMMAND_FUTURE_NS: 5_000_000,
        at.COMMAND_LOST_MAX: 5,
        at.CHANNEL_COUNT: 4,
        at.INPUT_COUNT: 9,
        at.SOURCE_COUNT: 2,
        at.GROUP_COUNT: 1,
        at.OVERRIDE_COUNT: 0,
        at.FUNCTION_COUNT: 13,
        at.ZONE_COUNT: 3,
        at.BREAKER_COUNT: 2,
        at.PHASE_COUNT: 3,
        at.SAMPLE_COUNT: 0,
        at.HOLD_TO_RUN: 1,
        at.POSITION_X: 0,
        at.POSITION_Y: 1,
        at.POSITION_Z: 2,
        at.SPEED_INPUT: -1,
        at.STOP_TIME_NS: 180_000_000_000,
        at.POWER_IN_STANDBY: 1,
        at.ALL_CHANNELS: 0b1111,
        at.CADENCE_USED: 0,
    }
    assert {column: int(timing[column]) for column in expected} == expected


def test_constant_limits_and_their_absence() -> None:
    limits, timing = channel(load_policy("quadrotor"), "vx_mps")
    assert list(limits[:7]) == [-5, 5, 5, 5, at.UNLIMITED, at.UNLIMITED, 8]
    assert (limits[at.HARD_LO], limits[at.HARD_HI]) == (-5, 5)
    assert limits[at.SLEW_DELTA] == limits[at.LEAD_ERROR] == limits[at.LATERAL_ACCEL] == at.UNLIMITED
    assert limits[at.FOLLOW_ERROR] == 3
    assert limits[at.DEGRADED_SCALE] == 0.4
    assert limits[at.TOLERANCE] == 1e-9 * 10
    assert list(timing[at.CHI_TABLE : at.CHI_TABLE + 7]) == [-1] * 7
    assert timing[at.FLAGS] == at.HAS_JERK | at.HAS_FOLLOW | at.EMERGENCY_JUMPS
    assert timing[at.FOLLOW_NS] == 2_000_000_000
    assert timing[at.MEASURED] == 3
    assert timing[at.LEAD_SLOT] == timing[at.OPPOSE_SLOT] == timing[at.SLEW_SLOT] == -1
    assert timing[at.GROUP_OF] == 0


def test_set_points() -> None:
    policy = parse_policy(
        edited(
            "rover",
            {"channels.linear_mps.neutral": 0.1, "channels.linear_mps.stop": 0.2, "channels.linear_mps.emergency": 0.3},
        )
    )
    limits, _ = channel(policy, "linear_mps")
    assert (limits[at.NEUTRAL], limits[at.STOP], limits[at.EMERGENCY]) == (0.1, 0.2, 0.3)


def test_tables() -> None:
    policy = load_policy("rover")
    limits, timing = channel(policy, "angular_radps")
    assert (limits[at.HARD_LO], limits[at.HARD_HI]) == (-2.5, 2.5)  # outermost
    assert (limits[at.LO], limits[at.HI]) == (-1, 1)  # most restrictive
    assert list(timing[at.CHI_TABLE : at.CHI_TABLE + 7]) == [0, 1, -1, -1, -1, -1, -1]
    assert timing[at.FLAGS] & at.HAS_TABLE
    low, high = (row(policy.limits, at.L_TABLE, at.TABLE_COLS, number) for number in (0, 1))
    assert list(low[at.TABLE_X : at.TABLE_X + 4]) == [0, 0.5, 1, 1]  # the last point repeats
    assert list(low[at.TABLE_Y : at.TABLE_Y + 4]) == [-2.5, -2, -1, -1]
    assert low[at.TABLE_WORST] == -1  # the largest lower bound
    assert high[at.TABLE_WORST] == 1  # the smallest upper bound
    assert list(row(policy.timing, at.T_TABLE, at.TABLE_COLS_I, 0)) == [3, policy.input_index("speed_mps")]


def test_worst_of_rate_tables_is_the_slowest() -> None:
    policy = load_policy("car-angle")
    limits, timing = channel(policy, "steer_angle_rad")
    assert limits[at.RATE_AWAY] == 0.262
    assert limits[at.RATE_TOWARD] == 0.698
    away = timing[at.CHI_TABLE + at.RATE_AWAY]
    assert policy.limits[at.L_TABLE + away * at.TABLE_COLS + at.TABLE_WORST] == 0.262
    assert timing[at.FLAGS] & at.HAS_ZERO_RATES


def test_group_table_and_norm_rate() -> None:
    table = {"over": "altitude_m", "points": [[0, 1], [5, 5]]}
    policy = parse_policy(edited("quadrotor", {"groups.horizontal_velocity.norm": table}))
    assert list(row(policy.limits, at.L_GROUP, at.GROUP_COLS, 0)) == [1, 5]
    assert list(row(policy.timing, at.T_GROUP, at.GROUP_COLS_I, 0)) == [2, 0, 1, -1, 1]
    assert row(policy.limits, at.L_TABLE, at.TABLE_COLS, 1)[at.TABLE_WORST] == 1


def test_torque_steering() -> None:
    policy = load_policy("car-torque")
    limits, timing = channel(policy, "steer_torque_nm")
    assert list(limits[at.RATE_UP : at.JERK]) == [at.UNLIMITED, at.UNLIMITED, 3, 5]
    assert limits[at.SLEW_DELTA] == 0.9
    assert limits[at.LEAD_ERROR] == 0.7
    assert (limits[at.OPPOSE_ALLOWANCE], limits[at.OPPOSE_GAIN]) == (0.4, 2)
    assert (timing[at.LEAD_SLOT], timing[at.OPPOSE_SLOT], timing[at.SLEW_SLOT]) == (0, 1, 0)
    assert (timing[at.REQUEST_DROP_NS], timing[at.REQUEST_UP_NS]) == (15_000_000, 171_000_000)
    assert timing[at.FALLBACK] == Fallback.ZERO
    assert timing[at.FLAGS] == at.HAS_ZERO_RATES | at.HAS_REQUEST | at.EMERGENCY_JUMPS | at.LEAD_TOWARD_ZERO
    assert policy.timing[at.CADENCE_USED] == 1
    assert policy.timing[at.SAMPLE_COUNT] == 2
    assert list(row(policy.timing, at.T_SAMPLE, at.SAMPLE_COLS, 0)) == [policy.input_index("steer_torque_meas_nm"), 6]


@pytest.mark.parametrize("window_ms", [11, 100, 250, 250.1, 333.333])
def test_slew_buckets_always_cover_the_window(window_ms: float) -> None:
    policy = parse_policy(
        edited("car-torque", {"channels.steer_torque_nm.slew": {"delta": 0.05, "window_ms": window_ms}})
    )
    _, timing = channel(policy, "steer_torque_nm")
    assert timing[at.SLEW_BUCKET_NS] * (b.SLEW_BUCKETS - 1) >= round(window_ms * 1e6)
    assert timing[at.SLEW_BUCKET_NS] == math.ceil(round(window_ms * 1e6) / (b.SLEW_BUCKETS - 1))


def test_sample_slots_are_shared_and_as_deep_as_the_deepest() -> None:
    edits = {
        "channels.accel_mps2.oppose": {"input": "driver_torque_nm", "allowance": 1, "gain": 1, "samples": 4},
        "channels.steer_torque_nm.oppose.samples": 9,
    }
    policy = parse_policy(edited("car-torque", edits))
    assert policy.timing[at.SAMPLE_COUNT] == 2
    assert list(row(policy.timing, at.T_SAMPLE, at.SAMPLE_COLS, 1)) == [policy.input_index("driver_torque_nm"), 9]
    assert (
        channel(policy, "accel_mps2")[1][at.OPPOSE_SLOT] == channel(policy, "steer_torque_nm")[1][at.OPPOSE_SLOT] == 1
    )


def test_lateral() -> None:
    policy = load_policy("car-angle")
    limits, timing = channel(policy, "steer_angle_rad")
    assert list(limits[at.LATERAL_ACCEL : at.SPEED_MIN + 1]) == [3, 5, 2.89, 12, 0.00058, 1]
    assert timing[at.GEOMETRY] == Geometry.ANGLE
    assert timing[at.FLAGS] & at.HAS_LATERAL
    assert timing[at.FLAGS] & at.NEUTRAL_TRACKS
    assert not channel(load_policy("car-torque"), "steer_torque_nm")[1][at.FLAGS] & at.NEUTRAL_TRACKS
    assert timing[at.FALLBACK] == Fallback.MEASURED
    assert policy.timing[at.SPEED_INPUT] == policy.input_index("speed_mps")


def test_curvature() -> None:
    document = edited("car-angle", {"channels.steer_angle_rad.follow": {"error": 0.1, "for_ms": 500}})
    steer = document["channels"].pop("steer_angle_rad")
    for key in ("rate_away_from_zero_per_s", "rate_towards_zero_per_s"):
        del steer[key]
    steer.update(unit="radpm", min=-0.2, max=0.2, measured="curvature_radpm")
    steer["lateral"] = {"geometry": "curvature", "accel_mps2": 3, "speed_min_mps": 1}
    document["channels"]["curvature_radpm"] = steer
    document["sources"]["vehicle"]["inputs"]["curvature_radpm"] = {"unit": "radpm", "min": -1, "max": 1}
    document["recovery"][0]["hold"] = ["curvature_radpm"]
    policy = parse_policy(document)
    limits, timing = channel(policy, "curvature_radpm")
    assert timing[at.GEOMETRY] == Geometry.CURVATURE
    assert (limits[at.LATERAL_ACCEL], limits[at.LATERAL_JERK]) == (3, at.UNLIMITED)


def test_tracking_is_a_use_of_the_measured_value() -> None:
    edits = {"channels.linear_mps.follow": DELETE, "channels.linear_mps.neutral_tracks_measured": True}
    _, timing = channel(parse_policy(edited("rover", edits)), "linear_mps")
    assert timing[at.FLAGS] & at.NEUTRAL_TRACKS
    assert timing[at.FLAGS] & at.HAS_FOLLOW == 0


def test_reject_and_jump() -> None:
    edits = {
        "channels.linear_mps.on_violation": "reject",
        "channels.linear_mps.fallback": "measured",
        "channels.linear_mps.fallback_jumps": True,
        "channels.linear_mps.emergency_jumps": False,
    }
    _, timing = channel(parse_policy(edited("rover", edits)), "linear_mps")
    assert timing[at.FLAGS] & (at.REJECTS | at.JUMPS) == at.REJECTS | at.JUMPS
    assert timing[at.FLAGS] & at.EMERGENCY_JUMPS == 0
    assert timing[at.FALLBACK] == Fallback.MEASURED


def test_sources_and_inputs() -> None:
    policy = load_policy("quadrotor")
    assert list(row(policy.timing, at.T_SOURCE, at.SOURCE_COLS, 1)) == [500_000_000, 5_000_000, 1]
    number = policy.input_index("consent")
    assert policy.timing[at.T_INPUT + number * at.INPUT_COLS_I + at.SOURCE_OF] == 1
    altitude = policy.input_index("altitude_m")
    assert list(row(policy.limits, at.L_INPUT, at.INPUT_COLS, altitude)) == [-10, 150]


def condition(policy: Policy, number: int) -> tuple[int, int, int, float, float]:
    kind, operand, within_ns = (int(word) for word in row(policy.timing, at.T_COND, at.COND_COLS_I, number))
    low, high = (float(word) for word in row(policy.limits, at.L_COND, at.COND_COLS, number))
    return kind, operand, within_ns, low, high


def test_conditions_are_shared() -> None:
    policy = load_policy("quadrotor")
    texts = list(policy.conditions)
    assert len(texts) == len(set(texts)) == policy.timing[at.CONDITION_COUNT] == 9
    assert condition(policy, int(policy.timing[at.ENGAGE_CONDITION])) == (ConditionKind.RANGE, 7, 0, 0.5, 1)
    recent = texts.index("consent in [0.5, 1] since at most 10 s")
    assert condition(policy, recent) == (ConditionKind.RECENT, 8, 10_000_000_000, 0.5, 1)
    home = texts.index("in home")
    assert condition(policy, home)[:2] == (ConditionKind.ZONE_INSIDE, 1)
    arm, take_off, land = (
        [int(word) for word in row(policy.timing, at.T_FUNCTION, at.FUNCTION_COLS, number)] for number in (0, 1, 2)
    )
    assert take_off == [1 << recent | 1 << home, 0]
    assert arm[0] >> recent & 1
    assert land == [0, 0]
    never = policy.function_number("disarm_in_air") - 1
    assert list(row(policy.timing, at.T_FUNCTION, at.FUNCTION_COLS, never)) == [0, 1]
    slow, low = texts.index("speed_mps in [0, 0.3] m/s"), texts.index("altitude_m in [-10, 0.5] m")
    assert policy.timing[at.RESET_CONDITIONS] == 1 << slow | 1 << low


def test_outside_a_zone() -> None:
    policy = parse_policy(edited("quadrotor", {"functions.hold": {"when": [{"outside": "home"}]}}))
    number = policy.conditions.index("out of home")
    assert condition(policy, number)[:2] == (ConditionKind.ZONE_OUTSIDE, 1)


def test_a_withdrawal_becomes_the_condition_that_keeps() -> None:
    """So that an input that is not valid withdraws permission."""
    policy = load_policy("car-torque")
    brake, accelerator, steering = (
        [int(word) for word in row(policy.timing, at.T_OVERRIDE, at.OVERRIDE_COLS, number)] for number in range(3)
    )
    assert condition(policy, brake[at.OVERRIDE_KEEP])[3:] == (0, 0.5)
    assert brake[1:] == [0b11, 1]
    assert accelerator[1:] == [0b10, 0]
    assert steering[1:] == [0b01, 0]
    assert condition(policy, steering[at.OVERRIDE_KEEP])[3:] == (-4, 4)


def test_keep_is_taken_as_written() -> None:
    edits = {
        "permission.overrides.brake": {
            "keep": {"input": "speed_mps", "max": 30},
            "channels": "all",
            "until": "released",
        }
    }
    policy = parse_policy(edited("car-torque", edits))
    assert condition(policy, int(policy.timing[at.T_OVERRIDE]))[1:] == (policy.input_index("speed_mps"), 0, 0, 30)


def test_zones() -> None:
    policy = load_policy("quadrotor")
    area = row(policy.limits, at.L_ZONE, motion.ZONE_COLS, 0)
    assert list(area[:6]) == [-5, 100, -100, -100, 100, 100], "floor, ceiling, and what it lies in"
    assert list(area[motion.ZONE_XY :][:8]) == [-100, -100, 100, -100, 100, 100, -100, 100]
    assert list(row(policy.timing, at.T_ZONE, motion.ZONE_COLS_I, 0)) == [4, motion.KEEP_IN]
    assert list(row(policy.timing, at.T_ZONE, motion.ZONE_COLS_I, 1)) == [4, motion.CONDITION_ONLY]
    assert list(policy.timing[at.T_ZONES : at.T_ZONES + motion.ZONES_COLS]) == [1, 1, 0]
    document = edited("quadrotor", {"zones.tower": {"rule": "keep_out", "corners_m": [[20, 20], [30, 30], [30, 20]]}})
    policy = parse_policy(document)
    assert list(row(policy.timing, at.T_ZONE, motion.ZONE_COLS_I, 3)) == [3, motion.KEEP_OUT]
    tower = row(policy.limits, at.L_ZONE, motion.ZONE_COLS, 3)
    assert list(tower[:2]) == [-at.UNLIMITED, at.UNLIMITED]
    assert list(tower[motion.ZONE_XY :][:6]) == [30, 20, 30, 30, 20, 20], "counter-clockwise"
    assert list(tower[motion.ZONE_CORRECT : motion.ZONE_EXCESS + 1]) == [0.5, 0, 0]


def test_zones_that_are_circles() -> None:
    mast = {"rule": "keep_out", "centre_m": [20, 30], "radius_m": 5}
    yard = {"rule": "keep_in", "centre_m": [20, 30], "radius_m": 50}
    policy = parse_policy(edited("quadrotor", {"zones.mast": mast, "zones.yard": yard}))
    assert list(row(policy.timing, at.T_ZONE, motion.ZONE_COLS_I, 3)) == [0, motion.KEEP_OUT]
    assert list(row(policy.limits, at.L_ZONE, motion.ZONE_COLS, 3)[2:9]) == [15, 25, 25, 35, 20, 30, 5]
    assert list(row(policy.timing, at.T_ZONE, motion.ZONE_COLS_I, 4)) == [64, motion.KEEP_IN]
    corners = row(policy.limits, at.L_ZONE, motion.ZONE_COLS, 4)[motion.ZONE_XY :]
    assert max(abs(math.hypot(x - 20, y - 30) - 50) for x, y in corners.reshape(-1, 2)) < 1e-9
    assert list(policy.timing[at.T_ZONES : at.T_ZONES + motion.ZONES_COLS]) == [1, 2, 0]


def test_recovery() -> None:
    policy = parse_policy(edited("quadrotor", {"recovery[1].set.yaw_rate_radps": 0.1, "recovery[2].hold": []}))
    assert list(policy.limits[at.L_PHASE + b.CHANNELS_MAX : at.L_PHASE + b.CHANNELS_MAX + 4]) == [0, 0, -0.7, 0.1]
    hover, land = (list(row(policy.timing, at.T_PHASE, at.PHASE_COLS, number)) for number in (0, 1))
    assert hover == [5_000_000_000, -1, 0]
    assert land == [0, policy.conditions.index("altitude_m in [-10, 0.2] m"), 0]
    held = load_policy("car-angle").timing
    assert held[at.T_PHASE + at.PHASE_HOLD] == 0b01


def test_breakers_and_reactions() -> None:
    policy = parse_policy(edited("quadrotor", {"reactions.COMMAND_LATE": "RECOVER"}))
    mask, count, window_ns, *_ = row(policy.timing, at.T_BREAKER, breakers.BREAKER_COLS_I, 0)
    assert mask == 1 << Fault.BOUND | 1 << Fault.NORM
    assert (count, window_ns) == (60, 1_000_000_000)
    actions = {
        Fault(bit): Action(number)
        for number in range(len(Action))
        for bit in range(64)
        if int(policy.timing[at.T_ACTION + number]) >> bit & 1
    }
    assert set(actions) == set(Fault)
    expected = {**DEFAULT, Fault.COMMAND_LATE: Action.RECOVER}
    assert actions == expected
    assert sum(int(policy.timing[at.T_ACTION + number]).bit_count() for number in range(len(Action))) == len(Fault)


def test_every_fault_has_a_default_no_milder_than_its_floor() -> None:
    assert set(DEFAULT) == set(FLOOR) == set(Fault)
    assert all(DEFAULT[fault] >= FLOOR[fault] for fault in Fault)
    assert all(DEFAULT[fault] == FLOOR[fault] for fault in FIXED)
