"""The circuit breaker, the degraded envelope, request cadence, and a response that does not follow."""

from __future__ import annotations

import math

import pytest

from safetykit.core.vocabulary import Action, State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core
MS = 1_000_000


def breaker(action: str, count: int = 3, window_ms: float = 100.0) -> Document:
    return {"breakers": {"bounds": {"faults": ["BOUND"], "count": count, "window_ms": window_ms, "action": action}}}


def violate(drive: Drive, every: int, times: int) -> State:
    for _ in range(times):
        drive.ticks(every - 1, 0.0) if every > 1 else None
        state = drive.tick(9.0).state
    return state


@pytest.mark.parametrize(("every", "trips"), [(1, True), (5, True), (6, False)])
def test_it_trips_on_k_violations_within_the_window(every: int, trips: bool) -> None:
    drive = Drive(document(**breaker("PROTECTIVE_STOP"))).engaged()
    assert (violate(drive, every, 3) is State.PROTECTIVE_STOP) is trips


def test_it_stays_open_until_reset_and_then_counts_anew() -> None:
    drive = Drive(document(**breaker("PROTECTIVE_STOP"))).engaged()
    violate(drive, 1, 3)
    decision = drive.ticks(50, 0.0)
    assert "BREAKER" in decision.faults
    assert drive.tick(0.0, reset=decision.stop_event).state is State.STANDBY
    drive.engaged()
    assert violate(drive, 1, 2) is State.ENGAGED
    assert violate(drive, 1, 1) is State.PROTECTIVE_STOP


def test_an_open_breaker_blocks_engaging_until_reset() -> None:
    drive = Drive(document(**breaker("RECOVER"))).engaged()
    violate(drive, 1, 3)
    decision = drive.ticks(50, 0.0)
    assert (decision.state, decision.action) == (State.RECOVERY, Action.RECOVER)
    assert drive.tick(0.0, reset=decision.stop_event).state in (State.RECOVERY, State.STANDBY)
    drive.ticks(20, 0.0)
    drive.engaged()


def test_a_breaker_that_degrades_leaves_a_smaller_envelope_until_reset() -> None:
    made = document({"degraded_scale": 0.4, "min": -5}, **breaker("DEGRADE"))
    drive = Drive(made).engaged()
    violate(drive, 1, 3)
    decision = drive.ticks(5, 4.0)
    assert (decision.action, decision.state) == (Action.DEGRADE, State.ENGAGED)
    assert decision.sent["a"] == pytest.approx(2.0)
    assert "DEGRADED" in decision.reasons["a"]
    violate(drive, 1, 3)
    assert drive.guard.frame.st_stop_event == decision.stop_event, "open already: no new event"
    event = decision.stop_event
    drive.guard.frame.st_state = State.STANDBY
    drive.tick(0.0, reset=event)
    assert drive.tick(0.0).faults == ("NOT_PERMITTED",)
    drive.engaged()
    assert drive.ticks(5, 4.0).sent["a"] == pytest.approx(4.0)


def test_a_jerk_limited_channel_enters_the_degraded_envelope_without_swinging_through_it() -> None:
    smooth = {"degraded_scale": 0.4, "rate_up_per_s": 5, "rate_down_per_s": 5, "jerk_per_s2": 8}
    drive = Drive(document(smooth, **breaker("DEGRADE"))).engaged()
    drive.ticks(300, -4.5)
    for _ in range(3):
        drive.tick(-9.0)
    sent = [drive.tick(-4.5).sent["a"] for _ in range(400)]
    assert max(sent) <= -2.0 + 1e-9
    assert sent[-1] == pytest.approx(-2.0)


REQUEST = {"request": {"drop_ms_max": 30, "up_ms_min": 100}}


def test_a_short_drop_of_the_request_is_tolerated_once_it_was_up_long_enough() -> None:
    drive = Drive(document(REQUEST)).engaged()
    drive.ticks(12, 2.0)
    for _ in range(4):
        decision = drive.tick(2.0, request=[])
        assert (decision.faults, decision.request_bits, decision.sent["a"]) == ((), 0, 2.0)
    decision = drive.tick(2.0, request=[])
    assert decision.reasons == {"a": ("REQUEST_CADENCE",)}
    assert decision.sent["a"] == 1.0
    assert drive.tick(2.0).request_bits == 1


def test_an_early_drop_is_not_tolerated_at_all() -> None:
    drive = Drive(document(REQUEST)).engaged()
    drive.ticks(12, 2.0)
    drive.tick(2.0, request=[])
    drive.ticks(3, 2.0)
    assert "REQUEST_CADENCE" in drive.tick(2.0, request=[]).faults
    assert "REQUEST_CADENCE" in drive.tick(2.0, request=[]).faults


def test_without_a_value_to_actuate_the_request_may_be_down() -> None:
    drive = Drive(document(REQUEST)).engaged()
    assert drive.ticks(50, 0.0, request=[]).faults == ()


def test_channels_without_cadence_are_left_alone() -> None:
    made = document(REQUEST)
    made["channels"]["b"] = {k: v for k, v in made["channels"]["a"].items() if k != "request"}
    made["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(made).engaged()
    drive.ticks(12, 2.0, 2.0)
    decision = drive.ticks(9, 2.0, 2.0, request=[])
    assert decision.reasons == {"a": ("REQUEST_CADENCE",)}
    assert decision.sent == {"a": 0.0, "b": 2.0}


FOLLOW = {"measured": "measured", "follow": {"error": 0.5, "for_ms": 50}, "rate_up_per_s": 100}


def test_a_response_that_does_not_follow_for_too_long() -> None:
    drive = Drive(document(FOLLOW)).engaged()
    assert drive.ticks(7, 1.0).state is State.ENGAGED  # sent once, then 50 ms
    decision = drive.tick(1.0)
    assert (decision.state, decision.faults) == (State.RECOVERY, ("NOT_FOLLOWING",))


def test_a_response_that_comes_back_in_time_starts_the_count_anew() -> None:
    drive = Drive(document(FOLLOW)).engaged()
    for _ in range(5):
        drive.inputs["measured"] = 0.0
        drive.ticks(4, 1.0)
        drive.inputs["measured"] = 1.0
        assert drive.ticks(2, 1.0).faults == ()


def test_a_measurement_that_is_not_valid_neither_starts_nor_ends_the_count() -> None:
    made = document(FOLLOW)
    made["sources"]["vehicle"]["needed"] = False
    drive = Drive(made).engaged()
    drive.ticks(4, 1.0)
    drive.inputs["measured"] = math.nan
    assert drive.ticks(4, 1.0).faults == ("NOT_FOLLOWING",)
    fresh = Drive(made).engaged()
    fresh.inputs["measured"] = math.nan
    assert fresh.ticks(20, 1.0).faults == ()


def test_nothing_has_to_follow_while_a_person_drives() -> None:
    assert Drive(document(FOLLOW), measured=20.0).ticks(30, 0.0).faults == ("NOT_PERMITTED",)
