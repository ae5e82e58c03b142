"""Circuit breakers that heal themselves, and all that may trip one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import Action, Fault, State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core
COUNTS: Document = {"faults": ["BOUND"], "count": 3, "window_ms": 100}
HEALS: Document = {"level": "self", "cool_down_s": 0.5, "trial_share": 0.5, "widen_s": 1.0, "reopen_max": 1}
COOL, WIDEN = 50, 100  # ticks


def with_breaker(**breaker: Any) -> Document:
    lost = {"COMMAND_LOST": "DEGRADE"}  # so that the scale is used, whatever the breaker does
    return document({"degraded_scale": 0.4}, reactions=lost, breakers={"b": {"action": "DEGRADE", **breaker}})


def tripped(**more: Any) -> Drive:
    drive = Drive(with_breaker(**COUNTS, **HEALS, **more)).engaged()
    drive.ticks(3, 9.0)
    assert "BREAKER" in drive.tick(0.0).faults
    return drive


def fail_a_trial(drive: Drive) -> None:
    drive.ticks(COOL, 0.0)
    assert drive.guard.frame.st_breaker_trial == 1
    drive.tick(9.0)
    assert drive.guard.frame.st_breaker == 1


def test_it_is_tried_after_the_cool_down_and_given_back_step_by_step() -> None:
    drive = tripped()
    decision = drive.ticks(COOL - 2, 4.5)
    assert (decision.action, decision.sent["a"]) == (Action.DEGRADE, 2.0)
    assert {"BREAKER", "DEGRADED"} < set(decision.faults)
    assert "BREAKER" not in drive.tick(4.5).faults
    decision = drive.tick(4.5)
    assert (decision.action, decision.sent["a"]) == (Action.CLAMP, 2.5)
    assert "BREAKER_TRIAL" in decision.reasons["a"]
    assert "DEGRADED" not in decision.reasons["a"]
    assert drive.ticks(WIDEN // 2, 4.5).sent["a"] == pytest.approx(5 * 0.75)
    decision = drive.ticks(WIDEN // 2, 4.5)
    assert (decision.faults, decision.sent["a"]) == ((), 4.5)
    assert drive.guard.frame.st_breaker_trial == 0


def test_a_cause_starts_the_cool_down_anew() -> None:
    drive = tripped()
    drive.ticks(COOL - 2, 0.0)
    drive.tick(9.0)
    assert "BREAKER" in drive.ticks(COOL - 1, 0.0).faults
    assert "BREAKER" not in drive.tick(0.0).faults


def test_a_failed_trial_opens_it_again_and_one_too_many_latches() -> None:
    drive = tripped()
    event = int(drive.guard.frame.st_stop_event)
    fail_a_trial(drive)
    assert drive.guard.frame.st_stop_event == event + 1, "a reset for the first trip must not close this one"
    fail_a_trial(drive)
    assert "BREAKER" in drive.ticks(5 * COOL, 0.0).faults
    assert drive.guard.frame.st_breaker_latched == 1


def test_trials_fail_in_a_row_only_until_one_succeeds() -> None:
    drive = tripped()
    fail_a_trial(drive)
    drive.ticks(COOL + WIDEN, 0.0)
    assert drive.guard.frame.st_breaker_trial == 0
    drive.tick(0.0)
    drive.ticks(3, 9.0)
    fail_a_trial(drive)
    assert "BREAKER" not in drive.ticks(COOL, 0.0).faults


def test_a_gap_between_ticks_proves_nothing() -> None:
    drive = tripped()
    assert "BREAKER" in drive.tick(0.0, dt_ns=10_000_000_000).faults


def test_good_time_counts_only_while_engaged() -> None:
    drive = tripped(action="RECOVER")
    assert drive.ticks(COOL, 0.0).state in (State.RECOVERY, State.STANDBY)
    assert "BREAKER" not in drive.ticks(2 * WIDEN, 0.0).faults
    assert drive.guard.frame.st_breaker_trial == 1
    drive.engaged()
    assert drive.ticks(9, 4.5).sent["a"] == pytest.approx(5 * 0.54)


def test_nobody_fails_a_trial_without_driving() -> None:
    more = {"faults": ["COMMAND_NONFINITE"], "count": 3, "window_ms": 100, "action": "RECOVER"}
    drive = Drive(with_breaker(**{**HEALS, **more})).engaged()
    drive.ticks(3, math.nan)
    assert "BREAKER" in drive.ticks(2 * COOL, math.nan).faults, "the cause is still there"
    assert "BREAKER" not in drive.ticks(COOL + 1, 0.0).faults
    drive.ticks(9, math.nan)
    assert drive.guard.frame.st_breaker_trial == 1


def test_the_smaller_of_two_reductions_counts() -> None:
    made = with_breaker(**COUNTS, **HEALS)
    made["breakers"]["c"] = {"faults": ["RATE"], "count": 1, "window_ms": 10, "action": "DEGRADE"}
    drive = Drive(made).engaged()
    drive.ticks(3, 9.0)
    drive.ticks(COOL + 1, 0.0)
    decision = drive.ticks(9, 4.5)
    assert drive.guard.frame.st_breaker == 0b10
    assert decision.sent["a"] == 2.0
    assert "DEGRADED" in decision.reasons["a"]
    assert "BREAKER_TRIAL" not in decision.reasons["a"]


def test_a_reset_closes_a_trial_too() -> None:
    drive = tripped(action="RECOVER")
    drive.ticks(2 * COOL, 0.0)
    drive.tick(0.0, reset=int(drive.guard.frame.st_stop_event))
    assert drive.guard.frame.st_breaker_trial == 0


def test_without_a_window_every_violation_since_the_reset_counts() -> None:
    drive = Drive(with_breaker(faults=["BOUND"], count=70)).engaged()
    for _ in range(69):
        drive.tick(9.0)
        assert drive.ticks(20, 0.0).faults == ()
    assert "BREAKER" in drive.tick(9.0).faults
    drive.ticks(3, 9.0)
    assert drive.guard.frame.st_violation_count[0] == 70


def test_it_trips_on_severity() -> None:
    drive = Drive(with_breaker(at_action="HOLD")).engaged()
    assert "BREAKER" not in drive.tick(9.0).faults
    decision = drive.tick(math.nan)
    assert "BREAKER" in decision.faults
    assert decision.action == Action.DEGRADE
    quiet = Drive(with_breaker(at_action="HOLD"))
    assert "BREAKER" not in quiet.ticks(9, math.nan).faults, "nobody drives"


def linked(**more: Any) -> Document:
    made = with_breaker(sources=["link"], for_ms=200, **more)
    made["sources"]["link"] = {
        "age_ms": 50,
        "future_ms": 5,
        "needed": False,
        "inputs": {"heartbeat": {"unit": "flag", "min": 0, "max": 1}},
    }
    return made


def test_it_trips_on_the_loss_of_a_source_that_nothing_else_needs() -> None:
    drive = Drive(linked()).engaged()
    drive.inputs["heartbeat"] = 1.0
    drive.ticks(30, 0.0)
    del drive.inputs["heartbeat"]
    assert drive.ticks(25, 0.0).faults == (), "50 ms old, and then 200 ms"
    assert "BREAKER" in drive.tick(0.0).faults


def test_a_source_that_was_never_heard_is_lost() -> None:
    assert "BREAKER" in Drive(linked()).engaged().tick(0.0).faults


def test_the_loss_of_a_source_keeps_a_breaker_open() -> None:
    drive = Drive(linked(**HEALS)).engaged()
    assert "BREAKER" in drive.ticks(5 * COOL, 0.0).faults
    drive.inputs["heartbeat"] = 1.0
    assert "BREAKER" in drive.ticks(COOL - 1, 0.0).faults
    assert "BREAKER" not in drive.tick(0.0).faults


def test_a_clock_that_goes_back_wins_no_time_for_a_lost_source() -> None:
    drive = Drive(linked()).engaged()
    drive.inputs["heartbeat"] = 1.0
    drive.ticks(3, 0.0)
    del drive.inputs["heartbeat"]
    drive.tick(0.0, dt_ns=-10_000_000_000)
    assert drive.guard.frame.st_breaker_heard_ns[0] == drive.now_ns


def test_a_degraded_envelope_does_not_take_the_place_of_holding() -> None:
    made = with_breaker(**COUNTS)
    made["channels"]["a"]["fallback"] = "zero"
    drive = Drive(made).engaged()
    drive.ticks(3, 9.0)
    drive.ticks(9, 1.5)
    decision = drive.ticks(3, math.nan)
    assert (decision.action, decision.sent["a"]) == (Action.DEGRADE, 0.0)


def test_degraded_by_a_fault_lasts_until_a_reset_even_where_something_worse_was_done() -> None:
    made = document({"degraded_scale": 0.4}, reactions={"BLACKBOX": "DEGRADE"})
    drive = Drive(made).engaged()
    drive.tick(0.0, conditions=[Fault.BLACKBOX, Fault.DEADLINE])
    drive.ticks(20, 0.0)
    drive.engaged()
    assert drive.ticks(9, 4.5).sent["a"] == 2.0


def test_a_share_that_is_not_a_number_leaves_nothing() -> None:
    drive = tripped()
    drive.ticks(COOL, 0.0)
    drive.guard.frame.st_trial_share = math.nan
    assert drive.tick(4.5).sent["a"] == 0.0


def test_a_source_is_heard_even_while_something_else_trips_the_breaker() -> None:
    made = linked(at_action="HOLD", **HEALS)
    drive = Drive(made).engaged()
    drive.inputs["heartbeat"] = 1.0
    drive.ticks(30, math.nan)
    assert drive.guard.frame.st_breaker_heard_ns[0] == drive.now_ns
