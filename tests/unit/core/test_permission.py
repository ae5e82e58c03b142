"""Permission: the engage edge, overrides, dead-man operation. Stopping never needs it; resuming always does."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import Action, State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core


def permission(**more: Any) -> Document:
    return {"permission": {"engage": {"input": "engage", "min": 0.5}, **more}}


def override(channels: object = "all", until: str = "engaged_again") -> Document:
    entry = {"withdraw": {"input": "brake", "above": 0.1}, "channels": channels, "until": until}
    return permission(overrides={"brake": entry})


def test_nothing_moves_before_the_engage_edge() -> None:
    drive = Drive()
    decision = drive.ticks(20, 1.0)
    assert (decision.state, decision.sent["a"], decision.power) == (State.STANDBY, 0.0, False)
    assert decision.faults == ("NOT_PERMITTED",)


def test_an_engage_input_that_is_on_from_the_start_has_no_edge() -> None:
    drive = Drive(engage=1.0)
    assert drive.ticks(20, 1.0).state is State.STANDBY


def test_an_engage_input_that_comes_back_after_a_drop_out_has_no_edge() -> None:
    drive = Drive()
    drive.ticks(3, 0.0)
    drive.inputs["engage"] = math.nan
    drive.ticks(3, 0.0)
    drive.inputs["engage"] = 1.0
    assert drive.ticks(3, 0.0).state is State.STANDBY


def test_the_tick_that_engages_still_sends_neutral() -> None:
    drive = Drive()
    drive.ticks(3, 1.0)
    drive.inputs["engage"] = 1.0
    first = drive.tick(1.0)
    assert first.faults == ()
    assert (first.state, first.sent["a"], first.power) == (State.ENGAGED, 0.0, True)
    assert drive.tick(1.0).sent["a"] == 1.0


@pytest.mark.parametrize("reason", ["stale", "invalid", "brake"])
def test_engaging_is_refused_while_anything_speaks_against_it(reason: str) -> None:
    drive = Drive(document(**override()))
    drive.ticks(3, 0.0)
    drive.inputs.update({"engage": 1.0, **({"invalid": {"speed_mps": 99.0}, "brake": {"brake": 1.0}}.get(reason, {}))})
    options = {"stamp_ns": drive.now_ns - 10**9} if reason == "stale" else {}
    refused = drive.tick(0.0, **options)
    assert refused.state is State.STANDBY
    assert "ENGAGE_REFUSED" in refused.faults
    drive.inputs.update(speed_mps=0.0, brake=0.0)
    assert drive.ticks(5, 0.0).state is State.STANDBY, "the edge is over: a new one is needed"
    drive.inputs["engage"] = 0.0
    drive.tick(0.0)
    drive.inputs["engage"] = 1.0
    assert drive.tick(0.0).state is State.ENGAGED


def test_the_brake_takes_everything_back() -> None:
    drive = Drive(document(**override())).engaged()
    drive.tick(1.0)
    drive.inputs["brake"] = 0.2
    decision = drive.tick(1.0)
    assert (decision.state, decision.sent["a"]) == (State.STANDBY, 0.0)
    drive.inputs["brake"] = 0.0
    assert drive.ticks(5, 1.0).state is State.STANDBY


@pytest.mark.parametrize(("until", "back"), [("released", 1.0), ("engaged_again", 0.0)])
def test_an_override_may_take_some_channels_only(until: str, back: float) -> None:
    made = document(**override(["b"], until))
    made["channels"]["b"] = dict(made["channels"]["a"])
    made["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(made).engaged()
    drive.tick(1.0, 1.0)
    drive.inputs["brake"] = 0.2
    decision = drive.tick(1.0, 1.0)
    assert decision.state is State.ENGAGED
    assert decision.sent == {"a": 1.0, "b": 0.0}
    assert decision.reasons == {"b": ("OVERRIDDEN",)}
    assert decision.action is Action.PASS
    drive.inputs["brake"] = 0.0
    assert drive.tick(1.0, 1.0).sent == {"a": 1.0, "b": back}


@pytest.mark.parametrize(("pressed", "state"), [("torque", State.ENGAGED), ("brake", State.STANDBY)])
def test_each_of_several_overrides_takes_its_own(pressed: str, state: State) -> None:
    overrides = {
        "hand": {"withdraw": {"input": "torque", "above": 0.5}, "channels": ["a"], "until": "released"},
        "brake": {"withdraw": {"input": "brake", "above": 0.1}, "channels": "all", "until": "engaged_again"},
    }
    drive = Drive(document(**permission(overrides=overrides))).engaged()
    assert drive.tick(1.0).faults == ()
    drive.inputs[pressed] = 1.0
    assert drive.tick(1.0).state is state
    drive.inputs[pressed] = 0.0
    assert (drive.tick(1.0).sent["a"] == 1.0) is (state is State.ENGAGED)


@pytest.mark.parametrize("until", ["released", "engaged_again"])
def test_an_override_wins_over_holding_the_last_value(until: str) -> None:
    """The operator takes a channel while the commands are late: it goes to neutral, it is not held."""
    made = document(**override(["b"], until))
    made["channels"]["b"] = dict(made["channels"]["a"])
    made["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(made).engaged()
    drive.tick(1.0, 1.0)
    drive.inputs["brake"] = 0.2
    decision = drive.tick(dt_ns=30_000_000)
    assert (decision.action, decision.sent) == (Action.HOLD, {"a": 1.0, "b": 0.0})


def test_an_engage_edge_that_engages_nothing_gives_no_channel_back() -> None:
    made = document(**override(["b"]))
    made["channels"]["b"] = dict(made["channels"]["a"])
    made["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(made).engaged()
    drive.inputs["brake"] = 0.2
    drive.tick(1.0, 1.0)
    drive.inputs["brake"] = 0.0
    drive.guard.frame.st_state = State.BOOT
    drive.guard.frame.in_selftest_ok = 0
    for level in (0.0, 1.0):
        drive.inputs["engage"] = level
        drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_inhibit != 0


def test_engaging_again_gives_latched_channels_back() -> None:
    made = document(**override(["b"]))
    made["channels"]["b"] = dict(made["channels"]["a"])
    made["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(made).engaged()
    drive.inputs["brake"] = 0.2
    drive.tick(1.0, 1.0)
    drive.inputs["brake"] = 0.0
    drive.tick(1.0, 1.0, conditions=[])
    drive.guard.frame.st_state = State.STANDBY
    drive.engaged()
    assert drive.tick(1.0, 1.0).sent == {"a": 1.0, "b": 1.0}


def test_an_override_that_cannot_be_heard_is_a_fault_and_not_a_persons_choice() -> None:
    made = document(**override())
    drive = Drive(made).engaged()
    drive.inputs["brake"] = math.nan
    decision = drive.tick(1.0)
    assert decision.state is State.RECOVERY
    assert "OVERRIDDEN" in decision.faults


def test_hold_to_run_stops_when_let_go_and_recovers_when_not_heard() -> None:
    drive = Drive(document(**permission(hold_to_run=True))).engaged()
    drive.inputs["engage"] = 0.0
    assert drive.tick(1.0).state is State.STANDBY
    drive.engaged()
    drive.inputs["engage"] = math.nan
    assert drive.tick(1.0).state is State.RECOVERY


def test_without_hold_to_run_engage_is_a_moment() -> None:
    drive = Drive().engaged()
    drive.inputs["engage"] = 0.0
    assert drive.ticks(3, 1.0).state is State.ENGAGED


def test_a_policy_that_never_permits() -> None:
    drive = Drive(document(permission={"engage": "never"}))
    drive.ticks(3, 0.0)
    drive.inputs["engage"] = 1.0
    assert drive.ticks(3, 0.0).state is State.STANDBY


def test_a_channel_at_rest_may_follow_what_is_measured() -> None:
    """A steering angle that starts from where the wheel is, not from straight ahead."""
    drive = Drive(document({"measured": "measured", "neutral_tracks_measured": True}), measured=2.0)
    assert drive.ticks(5, 0.0).sent["a"] == 2.0
    drive.engaged()
    assert drive.guard.frame.st_sent[1] == 2.0
    drive.inputs["measured"] = math.nan
    drive.guard.frame.st_state = State.STANDBY
    assert drive.ticks(5, 0.0).sent["a"] == 0.0
