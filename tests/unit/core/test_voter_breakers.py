"""A circuit breaker for one command sender: open, it keeps the sender out of the vote."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import State
from tests.unit.core.test_vote import DISAGREE_TICKS, Voters, redundant

pytestmark = pytest.mark.core
SELF = {"level": "self", "cool_down_s": 0.2, "widen_s": 0.3, "reopen_max": 1}


def watched(**more: Any) -> Voters:
    second = {"of": "secondary", "faults": ["COMMAND_NONFINITE"], "count": 3, "window_ms": 1000, **more}
    return Voters(redundant(breakers={"second": second})).engaged()


def test_a_sender_with_too_many_faults_is_kept_out() -> None:
    drive = watched()
    for _ in range(3):
        drive.ask(1.0, math.nan, 1.0)
        drive.asks(5, 1.0, 1.0, 1.0)
    decision = drive.asks(5, 1.0, 1.0, 1.0)
    assert {"BREAKER", "VOTE"} <= set(decision.faults)
    assert (decision.state, drive.guard.frame.st_vote_mask) == (State.ENGAGED, 0b101)
    drive.asks(500, 1.0, 1.0, 1.0)
    assert drive.guard.frame.st_voter_excluded == 0b010, "latched"


def test_faults_of_another_sender_do_not_count() -> None:
    drive = watched()
    drive.asks(20, math.nan, 1.0, 1.0)
    assert drive.guard.frame.st_breaker == 0


def test_a_sender_that_keeps_still_long_enough_is_heard_again() -> None:
    drive = watched(**SELF)
    drive.asks(3, 1.0, math.nan, 1.0)
    drive.asks(19, 1.0, 1.0, 1.0)
    assert drive.guard.frame.st_voter_excluded == 0b010
    drive.asks(2, 1.0, 1.0, 1.0)
    assert (drive.guard.frame.st_voter_excluded, drive.guard.frame.st_vote_mask) == (0, 0b111)
    assert drive.guard.frame.st_breaker_trial == 1
    decision = drive.asks(40, 4.5, 4.5, 4.5)
    assert decision.faults == ()
    assert drive.guard.frame.st_breaker_trial == 0


def test_being_kept_out_is_no_cause_to_be_kept_out() -> None:
    drive = watched(faults=["VOTE"], **SELF)
    drive.asks(DISAGREE_TICKS + 6, 1.0, 4.0, 1.0)
    assert drive.guard.frame.st_voter_excluded == 0b010
    drive.asks(21, 1.0, 1.0, 1.0)
    assert drive.guard.frame.st_voter_excluded == 0


def test_a_reset_lets_a_sender_back_at_once() -> None:
    drive = watched()
    drive.asks(3, 1.0, math.nan, 1.0)
    drive.guard.frame.st_state = State.STANDBY
    drive.ask(1.0, 1.0, 1.0, reset=int(drive.guard.frame.st_stop_event))
    drive.ask(1.0, 1.0, 1.0)
    assert drive.guard.frame.st_vote_mask == 0b111


def test_an_action_of_its_own_is_demanded_too() -> None:
    drive = watched(action="RECOVER")
    assert drive.asks(3, 1.0, math.nan, 1.0).state is State.RECOVERY
