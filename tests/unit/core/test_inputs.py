"""The input manager: freshness on both sides, order, size, finiteness, and what a refused command does."""

from __future__ import annotations

import math

import pytest

from safetykit.core import layout
from safetykit.core.vocabulary import Action, State
from tests.drive import PERIOD_NS, Drive, document

pytestmark = pytest.mark.core
MS = 1_000_000


def test_a_good_command_passes_unchanged() -> None:
    decision = Drive().engaged().tick(0.5)
    assert (decision.action, decision.faults, decision.sent["a"]) == (Action.PASS, (), 0.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_held_off_and_the_next_good_one_passes(value: float) -> None:
    drive = Drive().engaged()
    drive.tick(0.5)
    decision = drive.tick(value)
    assert decision.faults == ("COMMAND_NONFINITE",)
    assert (decision.action, decision.sent["a"]) == (Action.HOLD, 0.5)
    assert drive.tick(0.6).action is Action.PASS


@pytest.mark.parametrize("command", [(1.0, 1.0), (1.0,) * 40])
def test_a_command_of_the_wrong_size_is_not_used(command: tuple[float, ...]) -> None:
    decision = Drive().engaged().tick(*command)
    assert "COMMAND_SIZE" in decision.faults
    assert decision.sent["a"] == 0.0


def test_a_channel_that_is_not_named_counts_as_not_sent() -> None:
    drive = Drive().engaged()
    drive.now_ns += PERIOD_NS
    decision = drive.guard.step(drive.now_ns, {}, drive.inputs)
    assert set(decision.faults) == {"COMMAND_SIZE", "COMMAND_NONFINITE"}


def test_a_verdict_stands_until_the_next_publication() -> None:
    drive = Drive().engaged()
    drive.tick(math.nan)
    assert "COMMAND_NONFINITE" in drive.tick().faults
    assert drive.tick(0.0).faults == ()


@pytest.mark.parametrize(
    ("age_ms", "fault", "action"),
    [(25, None, Action.PASS), (26, "COMMAND_LATE", Action.HOLD), (201, "COMMAND_STALE", Action.RECOVER)],
)
def test_the_age_of_a_command_decides(age_ms: int, fault: str | None, action: Action) -> None:
    drive = Drive().engaged()
    drive.tick(0.5)
    decision = drive.tick(dt_ns=age_ms * MS)
    assert decision.faults == ((fault,) if fault else ())
    assert decision.action is action


@pytest.mark.parametrize(("ahead_ms", "refused"), [(5, False), (6, True)])
def test_a_stamp_from_the_future_is_as_bad_as_a_stale_one(ahead_ms: int, refused: bool) -> None:
    drive = Drive().engaged()
    decision = drive.tick(0.5, stamp_ns=drive.now_ns + PERIOD_NS + ahead_ms * MS)
    assert ("COMMAND_FUTURE" in decision.faults) is refused
    assert decision.sent["a"] == (0.0 if refused else 0.5)


def test_an_old_stamp_in_a_new_publication_is_refused() -> None:
    drive = Drive().engaged()
    decision = drive.tick(0.5, stamp_ns=drive.now_ns - 500 * MS)
    assert {"COMMAND_STALE", "COMMAND_REORDERED"} <= set(decision.faults)
    assert decision.sent["a"] == 0.0


def test_a_clock_that_falls_back_makes_the_accepted_command_future_stamped() -> None:
    drive = Drive().engaged()
    drive.tick(0.5)
    decision = drive.tick(dt_ns=-20 * MS)
    assert {"CLOCK", "COMMAND_FUTURE"} <= set(decision.faults)
    assert decision.state is State.PROTECTIVE_STOP


@pytest.mark.parametrize(
    ("step", "fault"),
    [(0, "COMMAND_REPEATED"), (-1, "COMMAND_REORDERED"), (4, None), (5, "COMMAND_LOST")],
)
def test_sequence_numbers(step: int, fault: str | None) -> None:
    drive = Drive().engaged()
    drive.tick(0.1, seq=100)
    decision = drive.tick(0.2, seq=100 + step)
    assert decision.faults == ((fault,) if fault else ())
    used = fault in (None, "COMMAND_LOST")
    assert decision.sent["a"] == (0.2 if used else 0.1)


def test_commands_refused_for_their_content_are_not_lost_ones() -> None:
    drive = Drive().engaged()
    drive.ticks(8, math.nan)
    assert drive.tick(0.2).faults == ()


def test_a_command_refused_for_its_order_does_not_move_the_count() -> None:
    drive = Drive().engaged()
    drive.tick(0.1, seq=100)
    drive.tick(0.1, seq=10_000, stamp_ns=drive.now_ns)
    assert drive.tick(0.2, seq=101).faults == ()


def test_a_frozen_stamp_is_a_repetition_even_with_a_new_sequence_number() -> None:
    drive = Drive().engaged()
    drive.tick(0.1)
    decision = drive.tick(0.2, stamp_ns=drive.now_ns)
    assert "COMMAND_REPEATED" in decision.faults
    assert decision.sent["a"] == 0.1


def test_a_restarted_sender_may_count_anew_only_while_not_engaged() -> None:
    drive = Drive()
    drive.ticks(3, 0.0, seq=None)
    drive.guard.frame.in_command_seq[0] = 1_000
    drive.tick(0.0)
    decision = drive.tick(0.0, seq=1)
    assert "COMMAND_REORDERED" not in decision.faults
    assert "COMMAND_REPEATED" in drive.tick(0.0, seq=1).faults


def test_a_torn_command_keeps_the_last_one_until_it_is_late() -> None:
    drive = Drive().engaged()
    drive.tick(0.5)
    drive.guard.frame.in_command_status[0] = layout.STATUS_TORN
    decision = drive.tick()
    assert decision.faults == ("COMMAND_TORN",)
    assert (decision.action, decision.sent["a"]) == (Action.HOLD, 0.5)


def test_no_command_ever_is_missing() -> None:
    assert "COMMAND_MISSING" in Drive().tick().faults


@pytest.mark.parametrize(
    ("heard", "fault"),
    [
        ({"speed_mps": math.nan}, "INPUT_INVALID"),
        ({"speed_mps": 51.0}, "INPUT_INVALID"),
        ({"engage": 1.0}, "INPUT_STALE"),
    ],
)
def test_needed_inputs_must_be_alive_finite_and_in_range(heard: dict[str, float], fault: str) -> None:
    drive = Drive().engaged()
    whole = {**drive.inputs, **heard} if "engage" not in heard else heard
    for _ in range(11):
        decision = drive.tick(0.0, inputs=whole)
    assert fault in decision.faults
    assert decision.state is State.RECOVERY


def test_inputs_stamped_in_the_future_are_refused() -> None:
    drive = Drive().engaged()
    drive.guard.frame.in_source_stamp_ns[0] = drive.now_ns + 1_000 * MS
    assert "INPUT_FUTURE" in drive.tick(0.0, inputs={"engage": 1.0, "brake": 0.0, "torque": 0.0}).faults


def test_a_torn_source_keeps_its_last_copy() -> None:
    drive = Drive().engaged()
    drive.guard.frame.in_source_status[0] = layout.STATUS_TORN
    decision = drive.tick(0.0, inputs={"engage": 1.0, "brake": 0.0, "torque": 0.0})
    assert decision.faults == ("INPUT_TORN",)
    assert decision.action is Action.HOLD


def test_a_source_that_is_not_needed_may_be_lost() -> None:
    made = document()
    made["sources"]["extra"] = {
        "age_ms": 50,
        "future_ms": 5,
        "needed": False,
        "inputs": {"health": {"unit": "flag", "min": 0, "max": 1}},
    }
    made["functions"] = {"land": {"when": [{"input": "health", "min": 0.5}]}}
    drive = Drive(made).engaged()
    assert drive.tick(0.0).faults == ()
    assert drive.tick(0.0, inputs={**drive.inputs, "health": 7.0}, function="land").faults == ("FUNCTION_REFUSED",)
    assert drive.tick(0.0, inputs={**drive.inputs, "health": 0.7}, function="land").function == "land"
