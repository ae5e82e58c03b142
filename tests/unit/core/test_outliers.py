"""Single samples that are far off: held back until the next ones confirm them."""

from __future__ import annotations

import math

import pytest

from safetykit.core import outliers
from safetykit.core.vocabulary import Action, State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core
OUTLIER = {"outlier": {"window": 5, "factor": 3, "floor": 0.5, "confirm": 3}}
WIDE = {"rate_up_per_s": 900, "rate_down_per_s": 900}


def made(**changes: float) -> Document:
    return document({"outlier": {**OUTLIER["outlier"], **changes}, **WIDE})


def asked(drive: Drive) -> float:
    return float(drive.guard.frame.st_ask[1])


@pytest.mark.parametrize("burst", [1, 2])
def test_a_glitch_never_reaches_the_output(burst: int) -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    for _ in range(burst):
        decision = drive.tick(4.0)
        assert (decision.sent["a"], decision.faults) == (1.0, ("OUTLIER",))
        assert decision.reasons == {"a": ("OUTLIER",)}
        assert (decision.action, decision.state) == (Action.CLAMP, State.ENGAGED)
    decision = drive.tick(1.0)
    assert (decision.sent["a"], decision.faults) == (1.0, ())


@pytest.mark.parametrize("confirm", [2, 3, 5])
def test_a_real_step_passes_once_it_is_confirmed(confirm: int) -> None:
    drive = Drive(made(confirm=confirm))
    drive.ticks(2, 0.0)
    drive.engaged()
    drive.ticks(9, 1.0)
    for _ in range(confirm - 1):
        assert drive.tick(4.0).sent["a"] == 1.0
    decision = drive.tick(4.0)
    assert (decision.sent["a"], decision.faults) == (4.0, ())
    assert drive.tick(4.4).faults == (), "the window began anew"
    assert drive.tick(1.0).faults == ("OUTLIER",), "what was before the step is far off now"


def test_a_ramp_that_begins_at_once_is_a_straight_line_and_passes() -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, -5.0)
    steps = [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    sent = [drive.tick(value).sent["a"] for value in steps]
    assert sent == [-5.0, -5.0, *steps[2:]]


@pytest.mark.parametrize(("beyond", "held"), [(0.0, False), (1e-9, True)])
def test_at_the_floor_a_sample_passes_and_beyond_it_waits(beyond: float, held: bool) -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    assert ("OUTLIER" in drive.tick(1.5 + beyond).faults) is held


@pytest.mark.parametrize(("beyond", "held"), [(-1e-6, False), (1e-6, True)])
def test_a_noisy_stream_is_given_more_room(beyond: float, held: bool) -> None:
    drive = Drive(made()).engaged()
    for value in (0.0, 0.4, -0.4, 0.4, -0.4):  # median 0, MAD 0.4
        drive.tick(value)
    assert ("OUTLIER" in drive.tick(3 * 1.4826 * 0.4 + beyond).faults) is held
    assert drive.guard.frame.st_outlier_allowed[0] == pytest.approx(3 * 1.4826 * 0.4)
    assert drive.guard.frame.st_outlier_residual[0] == pytest.approx(3 * 1.4826 * 0.4 + beyond)


@pytest.mark.parametrize(("apart", "passes"), [(0.5, True), (0.500001, False)])
def test_doubted_samples_agree_within_the_floor(apart: float, passes: bool) -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, 0.0)
    drive.tick(3.0)
    drive.tick(3.0 + apart)
    assert ("OUTLIER" not in drive.tick(3.0).faults) is passes


def test_samples_that_scatter_are_never_accepted_and_the_held_value_ages() -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    for k in range(20):
        decision = drive.tick((4.0, -4.0)[k % 2])
        assert (decision.sent["a"], decision.state) == (1.0, State.ENGAGED)
    decision = drive.tick(4.0)
    assert decision.faults == ("COMMAND_STALE", "OUTLIER")
    assert decision.state is State.RECOVERY


def test_it_counts_commands_and_not_ticks() -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    drive.tick(4.0)
    for _ in range(2):
        decision = drive.tick()
        assert (decision.sent["a"], decision.faults) == (1.0, ("OUTLIER",))
    drive.tick(4.0)
    assert drive.tick().sent["a"] == 1.0
    assert drive.tick(4.0).sent["a"] == 4.0


def test_nothing_can_be_engaged_before_a_first_value_is_confirmed() -> None:
    drive = Drive(made())
    drive.inputs["engage"] = 0.0
    assert drive.tick().faults == ("COMMAND_MISSING", "OUTLIER")
    for value in (4.0, -2.0, 2.0):
        decision = drive.tick(value)
        assert {"COMMAND_MISSING", "OUTLIER"} <= set(decision.faults)
        assert asked(drive) == decision.sent["a"] == 0.0
    drive.inputs["engage"] = 1.0
    assert drive.tick(-2.0).state is State.STANDBY
    drive.inputs["engage"] = 0.0
    drive.ticks(2, -2.0)
    drive.inputs["engage"] = 1.0
    assert drive.tick(-2.0).state is State.ENGAGED


def test_channels_without_the_key_are_left_alone() -> None:
    two = made()
    two["channels"]["b"] = {key: part for key, part in two["channels"]["a"].items() if key != "outlier"}
    two["recovery"][0]["set"]["b"] = 0.0
    drive = Drive(two).engaged()
    drive.ticks(9, 1.0, 1.0)
    decision = drive.tick(4.0, 4.0)
    assert decision.sent == {"a": 1.0, "b": 4.0}
    assert decision.reasons == {"a": ("OUTLIER",)}


def test_a_value_that_is_not_a_number_waits_and_is_confirmed_by_nothing() -> None:
    """No such value is ever accepted as a command; this is damaged memory."""
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    drive.guard.frame.st_offer[0, 1] = math.nan
    for _ in range(6):
        drive.tick()
        assert asked(drive) == 1.0
    drive.guard.frame.st_outlier_window[0, :] = math.nan
    drive.ticks(2, 1.0)
    assert "OUTLIER" in drive.tick(2.0).faults


def test_another_value_without_a_new_command_is_judged_too() -> None:
    """The vote may choose another sender when one falls silent."""
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    drive.guard.frame.st_offer[0, 1] = 4.0
    assert (drive.tick().faults, asked(drive)) == (("OUTLIER",), 1.0)
    drive.guard.frame.st_offer[0, 1] = -4.0
    drive.tick()
    drive.guard.frame.st_offer[0, 1] = 1.0
    assert (drive.tick().faults, asked(drive)) == (("COMMAND_LATE",), 1.0)


def test_the_last_accepted_value_stands_for_the_one_that_waits() -> None:
    drive = Drive(made()).engaged()
    for k in range(12):
        drive.tick(0.125 * k)
        drive.tick(-4.0)
        assert asked(drive) == 0.125 * k


def test_the_ring_goes_round() -> None:
    drive = Drive(made()).engaged()
    for k in range(40):
        assert drive.tick(0.1 * (k % 5)).faults == ()
        assert drive.guard.frame.st_outlier_count[0] < 10


def test_a_person_who_drives_need_not_confirm_and_hands_back_without_a_bump() -> None:
    drive = Drive(made()).engaged()
    drive.ticks(9, 1.0)
    frame = drive.guard.frame
    frame.st_manual = frame.st_outlier_doubts[0] = 1
    policy = drive.guard.policy
    frame.st_ask[1] = 4.0
    assert outliers.confirm(policy.limits, policy.timing, drive.guard._argument) == 0
    assert (asked(drive), frame.st_outlier_held) == (4.0, 0)
    frame.st_manual, frame.st_sent[1] = 0, 3.5
    assert outliers.confirm(policy.limits, policy.timing, drive.guard._argument) != 0
    assert asked(drive) == 3.5


def test_two_channels_have_their_own_windows_and_numbers() -> None:
    two = made()
    keys = {"window": 9, "factor": 6, "floor": 1.0, "confirm": 2}
    two["channels"]["b"] = {**two["channels"]["a"], "outlier": keys}
    two["recovery"][0]["set"]["b"] = 0.0
    drive = Drive(two).engaged()
    for value in (0.0, 0.4, -0.4, 0.4, -0.4, 0.4, -0.4, 0.4, -0.4):
        drive.tick(0.0, value)
    assert drive.tick(0.5, 6 * 1.4826 * 0.4 - 1e-6).faults == ()
    assert drive.tick(0.500001 + 0.5, 0.0).reasons == {"a": ("OUTLIER",)}
    drive.ticks(9, 0.0, 0.0)
    assert drive.tick(0.0, 1.000001).reasons == {"b": ("OUTLIER",)}
    decision = drive.tick(3.0, 2.0)
    assert (decision.sent, decision.reasons) == ({"a": 0.0, "b": 2.0}, {"a": ("OUTLIER",)})
    assert drive.tick(3.0, 2.0).sent == {"a": 0.0, "b": 2.0}
    assert drive.tick(3.0, 2.0).sent == {"a": 3.0, "b": 2.0}
