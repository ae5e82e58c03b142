"""Measurements against each other, against the estimator's own word, and against time; a slow but healthy response."""

from __future__ import annotations

import math

import pytest

from safetykit.core import measurements
from safetykit.core.vocabulary import State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core
NAMES = ("wheel_mps", "gnss_mps", "radar_mps", "ratio_v", "ratio_p", "ratio_h", "ticks")


def made(needed: bool = False, **sections: Document) -> Document:
    """The base document with a source that need not be there, and sections of plausibility."""
    document_ = document(**sections)
    units = {name: "mps" if name.endswith("_mps") else "flag" for name in NAMES}
    inputs = {name: {"unit": unit, "min": -50, "max": 50} for name, unit in units.items()}
    document_["sources"]["others"] = {"age_ms": 100, "future_ms": 5, "needed": needed, "inputs": inputs}
    return document_


def driven(**sections: Document) -> Drive:
    drive = Drive(made(**sections))
    drive.inputs.update(dict.fromkeys(NAMES, 0.0))
    return drive


def pair(*inputs: str, **changes: float) -> Document:
    return {"speed": {"inputs": list(inputs), "error": 1.0, "error_share": 0.1, "for_ms": 50, **changes}}


TWO, THREE = ("wheel_mps", "gnss_mps"), ("wheel_mps", "gnss_mps", "radar_mps")


@pytest.mark.parametrize(
    ("one", "two", "agree"),
    [
        (10.0, 12.2, True),
        (10.0, 12.3, False),
        (-10.0, -12.2, True),
        (-10.0, -12.3, False),
        (0.5, -0.5, True),
        (0.6, -0.6, False),
    ],
)
def test_two_speeds_agree_within_error_and_share(one: float, two: float, agree: bool) -> None:
    for first, second in ((one, two), (two, one)):
        drive = driven(agree=pair(*TWO)).engaged()
        drive.inputs.update(wheel_mps=first, gnss_mps=second)
        decision = drive.ticks(7, 0.0)
        assert (decision.state is State.ENGAGED) is agree
        assert drive.guard.frame.st_agree_difference[0] == abs(one - two)
        assert drive.guard.frame.st_agree_odd[0] == 0, "with two nobody can tell which one lies"


def test_they_may_contradict_each_other_for_a_while_and_one_good_tick_forgives() -> None:
    drive = driven(agree=pair(*TWO)).engaged()
    for _ in range(4):
        drive.inputs["gnss_mps"] = 20.0
        assert drive.ticks(6, 0.0).faults == ()
        drive.inputs["gnss_mps"] = 0.0
        assert drive.tick(0.0).faults == ()
    drive.inputs["gnss_mps"] = 20.0
    drive.ticks(6, 0.0)
    decision = drive.tick(0.0)
    assert (decision.faults, decision.state) == (("DISAGREE",), State.RECOVERY)
    assert drive.guard.frame.st_agree_rows == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, 51.0])
def test_a_partner_that_is_not_valid_cannot_confirm(value: float) -> None:
    drive = driven(agree=pair(*TWO)).engaged()
    drive.inputs["gnss_mps"] = value
    assert drive.ticks(6, 0.0).faults == ()
    assert drive.tick(0.0).faults == ("DISAGREE",)
    assert drive.guard.frame.st_agree_difference[0] == -1.0
    assert drive.ticks(20, 0.0).state is not State.ENGAGED


def test_contradiction_speaks_against_engaging() -> None:
    drive = driven(agree=pair(*TWO))
    drive.inputs["gnss_mps"] = 20.0
    drive.ticks(9, 0.0)
    drive.inputs["engage"] = 1.0
    assert "ENGAGE_REFUSED" in drive.tick(0.0).faults


@pytest.mark.parametrize("odd", [0, 1, 2])
@pytest.mark.parametrize("value", [20.0, math.nan])
def test_of_three_the_odd_one_is_named(odd: int, value: float) -> None:
    drive = driven(agree=pair(*THREE)).engaged()
    drive.inputs.update(dict.fromkeys(THREE, 5.0))
    drive.inputs[THREE[odd]] = value
    assert drive.ticks(7, 0.0).faults == ("DISAGREE",)
    assert drive.guard.policy.inputs[drive.guard.frame.st_agree_odd[0] - 1] == THREE[odd]
    drive.inputs[THREE[odd]] = 5.0
    assert drive.tick(0.0).faults == ()
    assert drive.guard.frame.st_agree_odd[0] == 0


@pytest.mark.parametrize("values", [(0.0, 10.0, 20.0), (0.0, 1.0, 2.2), (math.nan, math.nan, 0.0)])
def test_of_three_nobody_is_named_where_it_is_not_clear(values: tuple[float, ...]) -> None:
    drive = driven(agree=pair(*THREE)).engaged()
    drive.inputs.update(zip(THREE, values, strict=True))
    assert drive.ticks(7, 0.0).faults == ("DISAGREE",)
    assert drive.guard.frame.st_agree_odd[0] == 0


def test_each_row_has_its_own_patience() -> None:
    rows = {**pair(*TWO), "other": {"inputs": ["wheel_mps", "radar_mps"], "error": 2.0, "for_ms": 30}}
    drive = driven(agree=rows).engaged()
    drive.inputs["radar_mps"] = 2.0
    assert drive.ticks(9, 0.0).faults == ()
    assert list(drive.guard.frame.st_agree_difference[:2]) == [0.0, 2.0]
    drive.inputs["wheel_mps"] = 9.0
    drive.ticks(4, 0.0)
    assert drive.guard.frame.st_agree_rows == 0
    drive.tick(0.0)
    assert drive.guard.frame.st_agree_rows == 0b10
    drive.ticks(2, 0.0)
    assert drive.guard.frame.st_agree_rows == 0b11


EKF = {
    "checks": [{"input": "ratio_v", "max": 0.8}, {"input": "ratio_p", "max": 0.8}, {"input": "ratio_h", "min": -0.8}],
    "count": 2,
    "for_ms": 100,
}


@pytest.mark.parametrize(
    ("values", "trips"),
    [
        ((0.8, 0.8, -0.8), False),
        ((0.9, 0.8, -0.8), False),
        ((0.9, 0.800001, 0.0), True),
        ((0.9, 0.0, -0.800001), True),
        ((math.nan, 0.9, 0.0), True),
        ((math.nan, 0.0, 0.0), False),
        ((math.nan, math.nan, 0.0), True),
        ((0.9, 0.9, -0.9), True),
    ],
)
def test_two_of_three_quality_flags(values: tuple[float, ...], trips: bool) -> None:
    drive = driven(integrity={"ekf": EKF}).engaged()
    drive.inputs.update(zip(("ratio_v", "ratio_p", "ratio_h"), values, strict=True))
    assert drive.ticks(11, 0.0).faults == ()
    decision = drive.tick(0.0)
    assert decision.faults == (("DISAGREE",) if trips else ())
    assert drive.guard.frame.st_integrity_rows == int(trips)


def test_flags_that_come_and_go_in_time_are_forgiven_and_named() -> None:
    drive = driven(integrity={"ekf": EKF, "second": {**EKF, "count": 3}}).engaged()
    for _ in range(3):
        drive.inputs.update(ratio_v=1.0, ratio_h=-1.0)
        assert drive.ticks(10, 0.0).faults == ()
        assert list(drive.guard.frame.st_integrity_out[:2]) == [0b101, 0b101]
        drive.inputs.update(ratio_v=0.0)
        assert drive.tick(0.0).faults == ()


def test_two_estimators_have_their_own_limits() -> None:
    second = {"checks": [{"input": "ticks", "min": 1, "max": 2}], "count": 1, "for_ms": 30}
    drive = driven(integrity={"ekf": EKF, "other": second})
    drive.inputs["ticks"] = 1.5
    drive.engaged()
    assert drive.ticks(20, 0.0).faults == ()
    for value in (0.9, 2.1):
        drive.inputs["ticks"] = value
        drive.ticks(4, 0.0)
        assert drive.guard.frame.st_integrity_rows == 0
        drive.tick(0.0)
        assert drive.guard.frame.st_integrity_rows == 0b10
        drive.inputs["ticks"] = 1.5
        drive.tick(0.0)


COUNTER = {"input": "ticks", "for_ms": 150}
MOVING = {"only_while": [{"input": "wheel_mps", "min": 0.5}, {"input": "gnss_mps", "min": 0.5}]}


def test_a_value_that_never_changes_is_stuck() -> None:
    drive = driven(stuck={"counter": COUNTER}).engaged()
    for k in range(20):
        drive.inputs["ticks"] = float((k + 1) % 2)
        assert drive.ticks(16, 0.0).faults == ()
    assert drive.tick(0.0).faults == ("STUCK",)
    assert (drive.guard.frame.st_stuck_rows, drive.guard.frame.st_stuck_value[0]) == (1, 0.0)
    drive.inputs["ticks"] = 1.0
    assert drive.tick(0.0).faults == ()


def test_it_may_rest_while_it_need_not_change() -> None:
    drive = driven(stuck={"counter": {**COUNTER, **MOVING}}).engaged()
    assert drive.ticks(50, 0.0).faults == ()
    drive.inputs.update(wheel_mps=1.0)
    assert drive.ticks(50, 0.0).faults == ()
    drive.inputs.update(gnss_mps=1.0)
    assert drive.ticks(16, 0.0).faults == ()
    assert drive.tick(0.0).faults == ("STUCK",)


def test_what_is_not_valid_has_not_changed() -> None:
    drive = driven(stuck={"counter": {**COUNTER, **MOVING}}).engaged()
    drive.inputs.update(wheel_mps=1.0, gnss_mps=1.0)
    drive.ticks(8, 0.0)
    drive.inputs.update(ticks=math.nan, wheel_mps=math.nan)
    assert drive.ticks(8, 0.0).faults == ()
    assert drive.tick(0.0).faults == ("STUCK",)
    drive.inputs.update(ticks=0.0, wheel_mps=1.0)
    assert drive.tick(0.0).faults == ("STUCK",)
    drive.inputs.update(ticks=1.0)
    assert drive.tick(0.0).faults == ()


def test_a_value_that_was_never_valid_is_stuck_until_it_is_seen_to_change() -> None:
    drive = driven(stuck={"counter": COUNTER})
    drive.inputs.update(ticks=math.nan)
    assert "STUCK" not in drive.ticks(16, 0.0).faults
    assert "STUCK" in drive.tick(0.0).faults
    drive.inputs.update(ticks=7.0)
    assert "STUCK" in drive.tick(0.0).faults
    drive.inputs.update(ticks=8.0)
    assert "STUCK" not in drive.tick(0.0).faults


def test_a_value_that_changes_outside_its_range_has_not_changed() -> None:
    drive = driven(stuck={"counter": COUNTER})
    for k in range(30):
        drive.inputs.update(ticks=51.0 + k)
        drive.tick(0.0)
    assert drive.guard.frame.st_stuck_rows == 1


def test_two_values_have_their_own_patience() -> None:
    second = {"input": "ratio_v", "for_ms": 300, "only_while": [{"input": "gnss_mps", "min": 0.5}]}
    drive = driven(stuck={"counter": {**COUNTER, **MOVING}, "other": second})
    drive.inputs.update(gnss_mps=1.0)
    drive.ticks(31, 0.0)
    assert drive.guard.frame.st_stuck_rows == 0
    drive.tick(0.0)
    assert drive.guard.frame.st_stuck_rows == 0b10
    drive.inputs.update(wheel_mps=1.0, ratio_v=1.0)
    drive.ticks(17, 0.0)
    assert drive.guard.frame.st_stuck_rows == 0b01


def test_an_ask_that_never_changes_is_stuck_while_engaged() -> None:
    drive = driven(stuck={"planner": {"asked": "a", "for_ms": 250}})
    drive.ticks(50, 1.0)
    drive.engaged()
    for k in range(60):
        assert drive.tick(0.01 * (k % 2)).faults == ()
    assert drive.ticks(25, 1.0).faults == ()
    assert drive.ticks(2, 1.0).faults == ("STUCK",)
    assert drive.tick(1.0).faults == (), "in recovery nobody asks"


def test_an_ask_need_not_change_while_a_person_drives() -> None:
    drive = driven(stuck={"planner": {"asked": "a", "for_ms": 250}}).engaged()
    drive.ticks(20, 1.0)
    assert drive.guard.frame.st_stuck_since_ns[0] > 0
    drive.guard.frame.st_manual = 1
    policy = drive.guard.policy
    assert measurements.check(policy.limits, policy.timing, drive.guard._argument) == 0
    assert drive.guard.frame.st_stuck_since_ns[0] == 0


def test_an_ask_that_is_not_a_number_changes_nothing() -> None:
    """No such value is ever accepted as a command; this is damaged memory."""
    drive = driven(stuck={"planner": {"asked": "a", "for_ms": 250}}).engaged()
    since = drive.ticks(3, 1.0) and drive.guard.frame.st_stuck_since_ns[0]
    drive.guard.frame.st_offer[0, 1] = math.nan
    drive.tick()
    assert drive.guard.frame.st_stuck_since_ns[0] == since


FOLLOW = {"measured": "measured", "rate_up_per_s": 900, "rate_down_per_s": 900}


def follower(tau_s: float) -> Drive:
    return Drive(document({**FOLLOW, "follow": {"error": 0.5, "for_ms": 50, "tau_s": tau_s}})).engaged()


def respond(drive: Drive, tau_s: float, ticks: int, ask: float) -> set[str]:
    """A first-order vehicle; every fault that was seen."""
    seen: set[str] = set()
    for _ in range(ticks):
        sent = float(drive.guard.frame.st_sent[1])
        drive.inputs["measured"] += (sent - drive.inputs["measured"]) * 0.01 / (tau_s + 0.01)
        seen |= set(drive.tick(ask).faults)
    return seen


def test_a_slow_but_healthy_vehicle_is_not_blamed() -> None:
    assert "NOT_FOLLOWING" in respond(follower(0.0), 0.3, 100, 4.0)
    for tau_s in (0.02, 0.1, 0.3):
        drive = follower(0.3)
        assert not respond(drive, tau_s, 100, 4.0) | respond(drive, tau_s, 100, -4.0)


def test_a_vehicle_that_is_slower_or_stands_still_is_blamed() -> None:
    assert "NOT_FOLLOWING" in respond(follower(0.3), 1.0, 100, 4.0)
    drive = follower(0.3)
    decision = drive.ticks(9, 4.0)
    assert (decision.faults, drive.guard.frame.st_follow_error[1]) == ((), pytest.approx(4 * (1 - (0.3 / 0.31) ** 8)))
    assert drive.ticks(4, 4.0).state is State.RECOVERY


def test_the_model_begins_where_the_vehicle_is() -> None:
    drive = Drive(document({**FOLLOW, "follow": {"error": 0.5, "for_ms": 50, "tau_s": 0.3}}), measured=4.0).engaged()
    drive.inputs["measured"] = 4.0
    assert not respond(drive, 0.3, 100, 0.0)
    assert drive.guard.frame.st_follow_model[1] == pytest.approx(0.0, abs=0.2)


def test_a_vehicle_that_overshoots_is_blamed() -> None:
    drive = follower(0.3)
    respond(drive, 0.3, 100, 4.0)
    drive.inputs["measured"] = 4.6
    assert drive.ticks(7, 4.0).faults == ("NOT_FOLLOWING",)
