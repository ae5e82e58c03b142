"""Rules over the recent past: what a comparison sees, how time goes by, what a broken rule does."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core import rules
from safetykit.core.bounds import RULE_CATCH_UP_MAX
from safetykit.core.vocabulary import Action, State
from tests.drive import PERIOD_NS, Document, Drive, document

pytestmark = pytest.mark.core

BRAKE = {"input": "brake", "min": 0.5}
PUSH = {"asked": "a", "min": 1}
AFTER_BRAKE = {"if": {"once": BRAKE, "within_s": 0.2}, "forbid": PUSH, "action": "RECOVER"}


def ruled(rule: Document, **more: Any) -> Document:
    return document(rules={"under_test": rule}, **more)


def unneeded(made: Document) -> Document:
    """The vehicle's inputs may go missing without a fault of their own."""
    made["sources"]["vehicle"]["needed"] = False
    return made


def test_if_x_within_two_tenths_then_not_y() -> None:
    drive = Drive(ruled(AFTER_BRAKE)).engaged()
    assert drive.tick(2.0).state is State.ENGAGED, "no brake: nothing is forbidden"
    drive.inputs["brake"] = 1.0
    drive.tick(0.0)
    drive.inputs["brake"] = 0.0
    assert "RULE" not in drive.ticks(19, 0.0).faults
    decision = drive.tick(2.0)
    assert (decision.state, decision.action) == (State.RECOVERY, Action.RECOVER)
    assert "RULE" in decision.faults


def test_one_period_after_the_window_it_is_allowed_again() -> None:
    drive = Drive(ruled(AFTER_BRAKE)).engaged()
    drive.inputs["brake"] = 1.0
    drive.tick(0.0)
    drive.inputs["brake"] = 0.0
    drive.ticks(20, 0.0)
    assert drive.tick(2.0).state is State.ENGAGED


@pytest.mark.parametrize("action", ["HOLD", "DEGRADE", "RECOVER", "PROTECTIVE_STOP", "EMERGENCY_STOP"])
def test_a_broken_rule_does_its_own_action(action: str) -> None:
    made = ruled({**AFTER_BRAKE, "if": BRAKE, "action": action})
    made["channels"]["a"]["degraded_scale"] = 0.5 if action == "DEGRADE" else 1.0
    drive = Drive(made).engaged()
    drive.inputs["brake"] = 1.0
    decision = drive.tick(2.0)
    assert decision.action is Action[action]
    assert "RULE" in decision.faults
    assert drive.guard.frame.st_rule_worst == 1


def test_the_worst_action_of_the_broken_rules_counts_and_is_named() -> None:
    push = {"forbid": PUSH}
    made = document(
        rules={
            "first": {**push, "action": "HOLD"},
            "second": {**push, "action": "PROTECTIVE_STOP"},
            "third": {**push, "action": "RECOVER"},
            "fourth": {**push, "action": "PROTECTIVE_STOP"},
            "kept": {"require": {"input": "brake", "max": 0.5}, "action": "EMERGENCY_STOP"},
        }
    )
    drive = Drive(made).engaged()
    frame = drive.guard.frame
    assert (frame.st_rules, frame.st_rule_worst, frame.st_rules_since_ns) == (0, 0, 0)
    decision = drive.tick(2.0)
    assert decision.state is State.PROTECTIVE_STOP
    assert (frame.st_rules, frame.st_rules_certain, frame.st_rule_worst) == (0b1111, 0b1111, 2), (
        "the first of the worst"
    )
    assert frame.st_rules_since_ns == drive.now_ns


def test_since_when_a_rule_is_broken_is_kept_until_none_is() -> None:
    drive = Drive(ruled({"forbid": BRAKE, "action": "HOLD"})).engaged()
    drive.inputs["brake"] = 1.0
    drive.tick(0.0)
    began_ns = drive.now_ns
    drive.ticks(5, 0.0)
    assert drive.guard.frame.st_rules_since_ns == began_ns
    drive.inputs["brake"] = 0.0
    drive.tick(0.0)
    assert drive.guard.frame.st_rules_since_ns == 0


def test_nothing_is_asked_outside_engaged_and_so_no_rule_about_asking_is_broken() -> None:
    made = document(
        rules={
            "never": {"forbid": PUSH, "action": "RECOVER"},
            "always": {"require": {"asked": "a", "max": 0.99}, "action": "PROTECTIVE_STOP"},
        }
    )
    drive = Drive(made)
    decision = drive.ticks(5, 3.0)
    assert (decision.state, decision.faults) == (State.STANDBY, ("NOT_PERMITTED",))
    drive.engaged()
    assert drive.tick(3.0).state is State.PROTECTIVE_STOP
    assert drive.guard.frame.st_rules == 0b11


def test_an_ask_that_is_not_finite_is_unknown() -> None:
    drive = Drive(ruled({"forbid": PUSH, "action": "RECOVER"})).engaged()
    policy, frame = drive.guard.policy, drive.guard.frame
    for value, may in ((0.0, 0), (math.nan, 1), (-math.inf, 1)):
        frame.st_ask[1] = value
        rules.check(policy.limits, policy.timing, frame)
        assert (frame.st_rules, frame.st_rules_certain) == (may, 0)


def test_what_was_sent_counts_one_tick_later() -> None:
    made = ruled({"forbid": {"sent": "a", "min": 2}, "action": "RECOVER"})
    made["channels"]["a"].update(rate_up_per_s=1000)
    drive = Drive(made).engaged()
    assert drive.tick(3.0).sent["a"] == 3.0
    assert drive.tick(3.0).state is State.RECOVERY


@pytest.mark.parametrize("state", [State.STANDBY, State.ENGAGED, State.RECOVERY])
def test_a_rule_may_look_at_the_state_of_the_guard(state: State) -> None:
    drive = Drive(ruled({"require": {"not": {"state": state.name.lower()}}, "action": "HOLD"}))
    policy, frame = drive.guard.policy, drive.guard.frame
    for other in State:
        frame.st_state = other
        rules.check(policy.limits, policy.timing, frame)
        assert frame.st_rules == frame.st_rules_certain == int(other is state)


HOME = {"home": {"rule": "condition", "corners_m": [[0, 0], [9, 0], [9, 9], [0, 9]]}}


@pytest.mark.parametrize(("form", "at", "broken"), [("inside", 5, 1), ("inside", 20, 0), ("outside", 20, 1)])
def test_a_rule_may_look_at_a_zone(form: str, at: float, broken: int) -> None:
    made = ruled({"forbid": {form: "home"}, "action": "HOLD"}, zones=HOME, position={"x": "x_m", "y": "y_m"})
    place = {name: {"unit": "m", "min": -99, "max": 99} for name in ("x_m", "y_m")}
    made["sources"]["place"] = {"age_ms": 100, "future_ms": 5, "needed": False, "inputs": place}
    drive = Drive(made, x_m=at, y_m=5.0)
    drive.tick(0.0)
    assert drive.guard.frame.st_rules == drive.guard.frame.st_rules_certain == broken
    drive.inputs["x_m"] = math.nan
    drive.tick(0.0)
    assert (drive.guard.frame.st_rules, drive.guard.frame.st_rules_certain) == (1, 0), "where it is, is not known"


def test_an_input_that_is_not_valid_breaks_the_rule_it_may_break() -> None:
    rule = {"forbid": {"input": "measured", "min": 10}, "action": "PROTECTIVE_STOP"}
    drive = Drive(unneeded(ruled(rule))).engaged()
    drive.inputs["measured"] = math.nan
    assert drive.tick(0.0).state is State.PROTECTIVE_STOP


def test_unknown_from_the_start_withholds_permission_and_does_not_stop() -> None:
    rule = {"forbid": {"input": "measured", "min": 10}, "action": "PROTECTIVE_STOP"}
    drive = Drive(unneeded(ruled(rule)), measured=math.nan)
    decision = drive.ticks(5, 0.0)
    assert (decision.state, decision.action) == (State.STANDBY, Action.HOLD)
    assert "RULE" in decision.faults
    drive.inputs["engage"] = 1.0
    assert "ENGAGE_REFUSED" in drive.tick(0.0).faults
    drive.inputs["measured"] = 0.0
    assert "RULE" not in drive.tick(0.0).faults
    drive.inputs["measured"] = math.nan
    assert drive.tick(0.0).state is State.PROTECTIVE_STOP, "known once: from now on unknown counts in full"


def test_while_engaged_unknown_counts_in_full_even_if_the_rule_was_never_judged() -> None:
    rule = {"forbid": {"input": "measured", "min": 10}, "action": "PROTECTIVE_STOP"}
    drive = Drive(unneeded(ruled(rule))).engaged()
    drive.guard.frame.st_rules_armed = 0  # damaged memory: permission needs a judgement
    drive.inputs["measured"] = math.nan
    assert drive.tick(0.0).state is State.PROTECTIVE_STOP


def test_a_rule_that_is_surely_broken_at_the_start_stops() -> None:
    rule = {"forbid": {"input": "measured", "min": 10}, "action": "PROTECTIVE_STOP"}
    assert Drive(ruled(rule), measured=20.0).ticks(2, 0.0).state is State.PROTECTIVE_STOP


def test_a_reset_is_refused_while_a_rule_asks_for_a_stop() -> None:
    drive = Drive(ruled({"forbid": BRAKE, "action": "PROTECTIVE_STOP"})).engaged()
    drive.inputs["brake"] = 1.0
    decision = drive.tick(0.0)
    refused = drive.tick(0.0, reset=decision.stop_event)
    assert (refused.state, "RESET_REFUSED" in refused.faults) == (State.PROTECTIVE_STOP, True)
    drive.inputs["brake"] = 0.0
    assert drive.tick(0.0, reset=decision.stop_event).state is State.STANDBY


ONCE = {"forbid": {"once": BRAKE, "within_s": 0.1}, "action": "HOLD"}


def pulse(rule: Document) -> Drive:
    """The brake was on in the latest tick."""
    drive = Drive(ruled(rule))
    drive.tick(0.0)
    drive.inputs["brake"] = 1.0
    drive.tick(0.0)
    drive.inputs["brake"] = 0.0
    return drive


def broken(drive: Drive, *periods: float) -> int:
    for count in periods:
        drive.tick(0.0, dt_ns=round(count * PERIOD_NS))
    return int(drive.guard.frame.st_rules)


def test_missed_periods_count_and_what_was_last_known_holds_in_them() -> None:
    # Four periods were missed: the brake counts as on in all of them, for the last time one period ago.
    assert broken(pulse(ONCE), 5, *[1] * 9) == 1
    assert broken(pulse(ONCE), 5, *[1] * 10) == 0
    assert broken(pulse(ONCE), 1, 5, 4) == 1
    assert broken(pulse(ONCE), 1, 5, 4, 1) == 0, "eleven periods ago"


def test_a_rule_that_was_broken_in_a_missed_period_is_broken_now() -> None:
    rule = {"forbid": {"once": BRAKE, "within_s": 0.02, "after_s": 0.02}, "action": "HOLD"}
    drive = pulse(rule)
    drive.inputs["brake"] = 0.0
    assert broken(drive, 1) == 0
    assert broken(drive, 3) == 1, "it was so in the first of the two missed periods"
    assert broken(drive, 1) == 0


@pytest.mark.parametrize(("late", "after"), [(1.4, 10), (1.6, 9)])
def test_a_late_tick_is_rounded_to_whole_periods(late: float, after: int) -> None:
    rule = {"forbid": {"once": {"all": [BRAKE, {"input": "torque", "min": 1}]}, "within_s": 0.1}, "action": "HOLD"}
    drive = pulse(rule)
    drive.inputs.update(brake=1.0, torque=2.0)
    drive.tick(0.0)
    drive.inputs.update(brake=0.0, torque=0.0)
    assert broken(drive, *[1] * 2) == 1
    # The grid of periods goes on at its own pace: the late tick does not shift it.
    assert broken(drive, late, *[1] * (after - 3)) == 1
    assert broken(drive, 1) == 0


def test_ticks_that_are_always_late_are_counted_by_time() -> None:
    drive = pulse(ONCE)
    assert broken(drive, *[1.3] * 7) == 1, "9.1 periods"
    assert broken(drive, 1.3, 1.3) == 0, "11.7 periods"


def test_an_early_tick_is_a_period_and_hides_no_later_gap() -> None:
    drive = pulse(ONCE)
    assert broken(drive, *[0.1] * 10) == 1
    assert broken(drive, 0.1) == 0
    drive = pulse(ONCE)
    assert broken(drive, *[0.1] * 5, 5) == 1
    assert broken(drive, 1) == 0, "eleven periods"


def test_a_clock_that_goes_back_is_one_period() -> None:
    drive = pulse(ONCE)
    assert broken(drive, -40, *[1] * 9) == 1
    assert broken(drive, 1) == 0


AGO = {"forbid": {"once": BRAKE, "within_s": 0.1, "after_s": 0.05}, "action": "HOLD"}


@pytest.mark.parametrize("rule", [ONCE, AGO])
def test_after_a_long_gap_the_past_is_unknown(rule: Document) -> None:
    drive = Drive(ruled(rule))
    drive.ticks(30, 0.0)
    assert broken(drive, RULE_CATCH_UP_MAX + 1) == 0, "all of it is made up for"
    assert broken(drive, RULE_CATCH_UP_MAX + 2) == 1
    assert drive.guard.frame.st_rules_certain == 0
    assert broken(drive, *[1] * 9) == 1, "the brake may have been on in the gap"
    assert broken(drive, 1) == 0


def test_a_long_gap_does_not_forget_what_is_so_now() -> None:
    drive = Drive(
        ruled({"require": {"since": BRAKE, "from": {"input": "torque", "min": 1}, "within_s": 0.1}, "action": "HOLD"})
    )
    drive.inputs.update(brake=1.0, torque=2.0)
    assert broken(drive, 1, 500) == 0
    drive.inputs["torque"] = 0.0
    assert broken(drive, 1) == 0
    assert broken(drive, 500) == 1


def test_memory_goes_on_in_every_state() -> None:
    drive = Drive(ruled({**AFTER_BRAKE, "action": "PROTECTIVE_STOP"}))
    drive.inputs["brake"] = 1.0
    drive.tick(0.0)
    drive.inputs["brake"] = 0.0
    drive.engaged()
    assert drive.tick(2.0).state is State.PROTECTIVE_STOP, "braked in STANDBY, three periods ago"


def test_a_policy_without_rules_leaves_the_fields_alone() -> None:
    drive = Drive().engaged()
    assert drive.guard.frame.st_rule_periods == 0
