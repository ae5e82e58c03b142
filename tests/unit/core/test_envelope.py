"""The envelope of one channel, limit by limit, and their precedence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from safetykit.core.vocabulary import Action
from tests.drive import PERIOD_NS, Drive, document

pytestmark = pytest.mark.core
DT = PERIOD_NS * 1e-9
TABLE = {"over": "speed_mps", "points": [[0, 4], [10, 2], [20, 1]]}


def near(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("asked", "sent"), [(9.0, 5.0), (-9.0, -5.0), (5.0, 5.0), (1e308, 5.0), (-1e308, -5.0)])
def test_hard_bounds(asked: float, sent: float) -> None:
    made = document({"rate_up_per_s": None, "rate_down_per_s": None})
    decision = Drive(made).engaged().tick(asked)
    assert decision.sent["a"] == sent
    assert decision.action is (Action.PASS if asked == sent else Action.CLAMP)
    assert ("BOUND" in decision.faults) is (asked != sent)


def test_rates_up_and_down_are_separate() -> None:
    drive = Drive(document({"rate_up_per_s": 10, "rate_down_per_s": 40})).engaged()
    assert drive.tick(5.0).sent["a"] == near(0.1)
    assert drive.tick(5.0).sent["a"] == near(0.2)
    decision = drive.tick(-5.0)
    assert decision.sent["a"] == near(-0.2)
    assert decision.reasons == {"a": ("RATE",)}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_rates_away_from_and_towards_zero(sign: float) -> None:
    made = document({"rate_away_from_zero_per_s": 10, "rate_towards_zero_per_s": 30})
    drive = Drive(made).engaged()
    for expected in (0.1, 0.2, 0.3, 0.4):
        assert drive.tick(5.0 * sign).sent["a"] == near(expected * sign)
    assert drive.tick(-5.0 * sign).sent["a"] == near(0.1 * sign)
    # a third of the tick brings it to zero, the rest goes away from zero at the other rate
    assert drive.tick(-5.0 * sign).sent["a"] == near(-0.1 * 2 / 3 * sign)
    assert drive.tick(-5.0 * sign).sent["a"] == near(-(0.1 * 2 / 3 + 0.1) * sign)


@pytest.mark.parametrize(("speed", "limit"), [(-5, 4), (0, 4), (5, 3), (10, 2), (15, 1.5), (20, 1), (45, 1)])
def test_a_bound_by_table_is_interpolated_and_held_at_its_ends(speed: float, limit: float) -> None:
    made = document({"max": TABLE, "rate_up_per_s": None})
    decision = Drive(made, speed_mps=speed).engaged().tick(5.0)
    assert decision.sent["a"] == near(limit)


def test_a_table_over_an_input_that_is_not_valid_gives_its_most_restrictive_value() -> None:
    made = document({"max": TABLE, "rate_up_per_s": None})
    made["sources"]["vehicle"]["needed"] = False
    drive = Drive(made, speed_mps=math.nan).engaged()
    assert drive.tick(5.0).sent["a"] == near(1.0)


def test_a_bound_that_shrinks_below_what_is_sent_is_approached_at_the_rate() -> None:
    drive = Drive(document({"max": TABLE}), speed_mps=0.0).engaged()
    drive.ticks(10, 4.0)
    drive.inputs["speed_mps"] = 20.0
    assert drive.tick(4.0).sent["a"] == near(3.0)
    assert drive.ticks(5, 4.0).sent["a"] == near(1.0)


def test_a_rate_by_table() -> None:
    made = document({"rate_up_per_s": TABLE})
    assert Drive(made, speed_mps=10.0).engaged().tick(5.0).sent["a"] == near(0.02)


def test_slew_is_kept_by_time_and_not_by_message_count() -> None:
    made = document({"slew": {"delta": 1.0, "window_ms": 150}})
    drive = Drive(made).engaged()
    sent = [(drive.now_ns, 0.0)]
    for step_ms in [1, 3, 10, 30, 2, 2, 50, 7, 100, 160, 1] * 20:
        decision = drive.tick(5.0 if len(sent) % 40 < 20 else -5.0, dt_ns=step_ms * 1_000_000)
        sent.append((drive.now_ns, decision.sent["a"]))
    # the output is held between ticks: within any 150 ms, held value included, no more than 1.0 of change
    for k, (at_ns, value) in enumerate(sent):
        held = max((j for j in range(k + 1) if sent[j][0] <= at_ns - 150_000_000), default=0)
        assert all(abs(value - earlier) <= 1.0 + 1e-9 for _, earlier in sent[held : k + 1])
    assert max(value for _, value in sent) > 2.0  # it does get there in time


def test_a_slew_window_begins_full_of_the_neutral_value() -> None:
    made = document({"slew": {"delta": 1.0, "window_ms": 150}, "neutral": 2.0})
    made["recovery"][0]["set"] = {"a": 2.0}
    drive = Drive(made)
    drive.now_ns = 0  # a clock that has just begun: no bucket has passed yet
    assert drive.ticks(2, 2.0).sent["a"] == 2.0
    drive.inputs["engage"] = 1.0
    drive.tick(2.0)
    assert drive.tick(2.9).sent["a"] == near(2.9)
    assert drive.tick(4.0).sent["a"] == near(3.0)


def test_slew_reports_its_reason() -> None:
    drive = Drive(document({"slew": {"delta": 1.2, "window_ms": 150}})).engaged()
    drive.tick(0.9)
    assert drive.tick(1.3).reasons == {"a": ("SLEW",)}


def test_a_jump_that_the_policy_orders_is_held_until_it_leaves_the_slew_window() -> None:
    made = document(
        {
            "slew": {"delta": 1.0, "window_ms": 150},
            "on_violation": "reject",
            "fallback": "zero",
            "fallback_jumps": True,
            "min": -5,
        }
    )
    drive = Drive(made).engaged()
    for _ in range(60):
        decision = drive.tick(min(drive.guard.frame.st_sent[1] + 0.05, 2.9))
    assert decision.sent["a"] > 2.5
    assert drive.tick(9.0).sent["a"] == 0.0
    assert drive.tick(0.5).sent["a"] == 0.0  # 0.5 breaks the window again: rejected to zero
    for _ in range(20):
        decision = drive.tick(0.0)
    assert drive.tick(0.5).sent["a"] == 0.5


def test_jerk_limited_moves_come_to_rest_at_the_target_without_swinging_past() -> None:
    made = document({"rate_up_per_s": 50, "rate_down_per_s": 50, "jerk_per_s2": 100})
    drive = Drive(made).engaged()
    values = np.array([0.0] + [drive.tick(2.0).sent["a"] for _ in range(60)])
    rates = np.diff(values) / DT
    assert np.all(np.abs(np.diff(rates)) <= 100 * DT + 1e-6)
    assert values.max() <= 2.0 + 1e-9
    assert values[-1] == near(2.0)
    back = [drive.tick(-2.0).sent["a"] for _ in range(80)]
    assert min(back) >= -2.0 - 1e-9
    assert back[-1] == near(-2.0)


def test_a_rate_limit_does_not_slow_the_build_up_of_speed_under_a_jerk_limit() -> None:
    drive = Drive(document({"rate_up_per_s": 5, "rate_down_per_s": 5, "jerk_per_s2": 8})).engaged()
    values = np.array([drive.tick(4.0).sent["a"] for _ in range(200)])
    assert np.diff(values).max() / DT == pytest.approx(5.0)
    assert values[-1] == near(4.0)


def test_jerk_reports_its_reason_and_holds_without_time() -> None:
    drive = Drive(document({"jerk_per_s2": 100})).engaged()
    assert drive.tick(0.9).reasons == {"a": ("JERK",)}
    held = drive.guard.frame.st_sent[1]
    assert drive.tick(0.9, dt_ns=0, stamp_ns=drive.now_ns + 1).sent["a"] == held


LEAD = {"measured": "measured", "lead": {"error": 1.0, "samples": 3}}


def test_the_command_may_not_lead_the_recent_measured_extremes() -> None:
    drive = Drive(document(LEAD)).engaged()
    assert drive.ticks(3, 3.0).sent["a"] == near(1.0)
    drive.inputs["measured"] = 0.5
    assert drive.tick(3.0).sent["a"] == near(1.5)
    drive.inputs["measured"] = 0.0
    assert drive.tick(3.0).sent["a"] == near(1.5)  # 0.5 is still among the last three samples
    drive.tick(3.0)
    decision = drive.tick(3.0)
    assert decision.sent["a"] == near(1.0)
    assert "LEAD" in decision.reasons["a"]


def test_moving_towards_zero_is_free_of_the_lead_limit_where_the_policy_says_so() -> None:
    drive = Drive(document(LEAD), measured=4.0).engaged()
    assert drive.tick(0.0).sent["a"] == 0.0
    strict = Drive(document({**LEAD, "lead": {"error": 1.0, "samples": 3, "towards_zero_free": False}}), measured=4.0)
    assert strict.engaged().tick(0.0).sent["a"] > 0.9


@pytest.mark.parametrize(("free", "sent"), [(True, 0.0), (False, 0.5)])
def test_without_a_measurement_nothing_moves_but_towards_zero(free: bool, sent: float) -> None:
    made = document({**LEAD, "lead": {"error": 1.0, "samples": 3, "towards_zero_free": free}})
    made["sources"]["vehicle"]["needed"] = False
    drive = Drive(made).engaged()
    drive.tick(0.5)
    drive.inputs["measured"] = math.nan
    assert drive.tick(3.0).sent["a"] == 0.5
    assert drive.tick(0.0).sent["a"] == sent


def test_the_operators_opposing_torque_reduces_the_bound() -> None:
    made = document({"oppose": {"input": "torque", "allowance": 2.0, "gain": 2.0, "samples": 1}})
    drive = Drive(made).engaged()
    drive.inputs["torque"] = -3.0
    decision = drive.ticks(9, 5.0)
    assert decision.sent["a"] == near(3.0)  # 5 - 2 * (3 - 2)
    assert "OPPOSED" in decision.reasons["a"]
    drive.inputs["torque"] = 4.0
    assert drive.ticks(9, -5.0).sent["a"] == near(-1.0)
    assert drive.ticks(9, 5.0).sent["a"] == near(5.0)
    drive.inputs["torque"] = -9.0
    assert drive.ticks(9, 5.0).sent["a"] == near(0.0)


def test_an_unknown_operator_torque_leaves_only_zero() -> None:
    made = document({"oppose": {"input": "measured", "allowance": 2.0, "gain": 2.0, "samples": 1}})
    made["sources"]["vehicle"]["needed"] = False
    drive = Drive(made).engaged()
    drive.tick(1.0)
    drive.inputs["measured"] = math.nan
    assert drive.ticks(3, 1.0).sent["a"] == 0.0


@pytest.mark.parametrize("fallback", ["zero", "last", "measured"])
@pytest.mark.parametrize("jumps", [False, True])
def test_reject_replaces_the_value_by_its_fallback(fallback: str, jumps: bool) -> None:
    channel = {"on_violation": "reject", "fallback": fallback, "fallback_jumps": jumps}
    made = document({**channel, "measured": "measured"} if fallback == "measured" else channel)
    drive = Drive(made, measured=-2.0).engaged()
    for value in (0.5, 1.0, 1.5):
        drive.tick(value)
    target = {"zero": 0.0, "last": 1.5, "measured": -2.0}[fallback]
    decision = drive.tick(7.0)
    assert decision.reasons["a"][-1] == "REJECTED"
    assert decision.sent["a"] == near(target if jumps else max(target, 0.5))
    assert drive.guard.frame.st_rate[1] == near(0.0 if jumps or fallback == "last" else -100.0)


def test_a_measured_fallback_that_is_not_valid_is_the_last_sent() -> None:
    made = document({"on_violation": "reject", "fallback": "measured", "measured": "measured"})
    made["sources"]["vehicle"]["needed"] = False
    drive = Drive(made, measured=math.nan).engaged()
    drive.tick(0.7)
    assert drive.tick(9.0).sent["a"] == near(0.7)


def test_damaged_memory_is_an_internal_fault_and_starts_from_neutral() -> None:
    drive = Drive().engaged()
    drive.guard.frame.st_sent[1] = 77.0
    decision = drive.tick(1.0)
    assert "INTERNAL" in decision.faults
    assert decision.action is Action.EMERGENCY_STOP
    assert decision.sent["a"] == 0.0


def test_hard_bounds_and_rates_win_over_everything_else() -> None:
    made = document({**LEAD, "lead": {"error": 1.0, "samples": 1, "towards_zero_free": False}})
    drive = Drive(made, measured=50.0).engaged()
    assert drive.tick(0.0).sent["a"] > 0.9  # pulled towards the measurement, at the rate
    assert drive.ticks(20, 0.0).sent["a"] == 5.0  # and never beyond the hard bound
