"""Redundant commands: which one counts, who is outvoted, when nobody is left."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.layout import STATUS_TORN
from safetykit.core.vocabulary import Action, State, fault_names
from safetykit.runtime.guard import Command, Decision, Guard
from tests.drive import PERIOD_NS, Document, Drive, document

pytestmark = pytest.mark.core

DISAGREE_TICKS = 5


def redundant(voters: int = 3, needed: int = 2, **sections: Any) -> Document:
    """Channel a and the decoy, voted on within 0.5; a disagreement may last five ticks."""
    names = ["primary", "secondary", "tertiary"][:voters]
    vote = {"voters": names, "needed": needed, "align_ms": 20, "disagree_ms": DISAGREE_TICKS * 10}
    return document({"vote_tolerance": 0.5}, **{"commands": vote, **sections})


class Voters(Drive):
    """`ask(a, b, c)`: one tick in which each voter asks this of channel a; None = it says nothing new."""

    def __init__(self, made: Document) -> None:
        made["channels"]["b"] = {"unit": "flag", "min": -5, "max": 5, "vote_tolerance": 0.5}
        made["recovery"] = [{"name": "rest", "set": {"a": 0.0, "b": 0.0, "decoy": 0.0}, "for_s": 0.1}]
        super().__init__(made)

    def ask(self, *asked: float | Command | None, **options: Any) -> Decision:
        made = [self.command(one) for one in asked]
        names = self.guard.policy.voters
        others = {name: one for name, one in zip(names[1:], made[1:], strict=False) if one is not None}
        options.setdefault("inputs", self.inputs)
        self.now_ns += PERIOD_NS
        heard = options.pop("inputs")
        return self.guard.step(self.now_ns, made[0], heard, others={**others, **options.pop("others", {})}, **options)

    @staticmethod
    def command(asked: float | Command | None) -> Command | None:
        return asked if asked is None or isinstance(asked, Command) else Command((0.0, asked, 0.0))

    def asks(self, ticks: int, *asked: float | Command | None) -> Decision:
        for _ in range(ticks):
            decision = self.ask(*asked)
        return decision

    def engaged(self) -> Voters:
        rest = [0.0] * len(self.guard.policy.voters)
        self.inputs["engage"] = 0.0
        self.asks(2, *rest)
        self.inputs["engage"] = 1.0
        assert self.ask(*rest).state is State.ENGAGED
        return self

    def faults_of(self, voter: int) -> tuple[str, ...]:
        return fault_names(int(self.guard.frame.st_vote_faults[voter]))


def test_the_mid_value_of_three_counts_in_each_channel() -> None:
    drive = Voters(redundant()).engaged()
    decision = drive.ask(Command((0.0, 0.1, 0.3)), Command((0.0, 0.2, 0.1)), Command((0.0, 0.3, 0.2)))
    assert (decision.sent["a"], decision.sent["b"]) == (0.2, 0.2)
    assert (decision.faults, decision.action) == ((), Action.PASS)
    assert drive.guard.frame.st_vote_mask == 0b111
    assert drive.guard.frame.st_vote_spread[1] == pytest.approx(0.2)


@pytest.mark.parametrize("liar", [0, 1, 2])
@pytest.mark.parametrize("lie", [4.0, -4.0])
def test_a_liar_is_outvoted_and_comes_back_when_it_agrees(liar: int, lie: float) -> None:
    drive = Voters(redundant()).engaged()
    asked = [0.1, 0.1, 0.1]
    asked[liar] = lie
    for _ in range(DISAGREE_TICKS):
        decision = drive.ask(*asked)
        assert (decision.sent["a"], decision.faults) == (0.1, ())
    drive.ask(*asked)
    decision = drive.ask(*asked)
    assert (decision.faults, decision.action) == (("VOTE",), Action.PASS)
    assert drive.guard.frame.st_vote_mask == 0b111 & ~(1 << liar)
    assert drive.faults_of(liar) == ("VOTE",)
    assert drive.asks(DISAGREE_TICKS, 0.1, 0.1, 0.1).faults == ("VOTE",)
    assert drive.asks(2, 0.1, 0.1, 0.1).faults == ()
    assert drive.guard.frame.st_vote_mask == 0b111


def test_a_short_difference_has_no_consequence() -> None:
    drive = Voters(redundant()).engaged()
    for _ in range(4):
        assert drive.asks(DISAGREE_TICKS, 0.0, 0.0, 4.0).faults == ()
        assert drive.ask(0.0, 0.0, 0.4).faults == ()


def test_one_silent_voter_does_not_stop_the_vehicle() -> None:
    drive = Voters(redundant()).engaged()
    decision = drive.asks(40, 0.2, None, 0.3)
    assert (decision.state, decision.action, decision.faults) == (State.ENGAGED, Action.PASS, ("VOTE",))
    assert decision.sent["a"] == 0.2  # the first in order
    assert drive.faults_of(1) == ("COMMAND_STALE", "VOTE")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_voter_that_sends_no_number_is_not_heard(bad: float) -> None:
    drive = Voters(redundant()).engaged()
    decision = drive.ask(bad, 0.2, 0.3)
    assert (decision.sent["a"], decision.faults) == (0.2, ("VOTE",))
    assert drive.faults_of(0) == ("COMMAND_NONFINITE", "VOTE")
    assert drive.ask(0.3, 0.3, 0.3).faults == ()


def test_a_torn_mailbox_of_one_voter_is_its_own_affair() -> None:
    drive = Voters(redundant()).engaged()
    drive.guard.frame.in_command_status[2] = STATUS_TORN
    assert drive.ask(0.1, 0.2, None).faults == ("VOTE",)
    assert drive.faults_of(2) == ("COMMAND_TORN", "VOTE")


def test_lost_numbers_are_told_and_the_command_is_used() -> None:
    drive = Voters(redundant()).engaged()
    decision = drive.ask(0.1, 0.2, Command((0.0, 0.3, 0.0), seq=90))
    assert (decision.sent["a"], decision.faults) == (0.2, ("VOTE",))
    assert drive.guard.frame.st_vote_mask == 0b111


def test_a_command_from_another_time_is_left_out() -> None:
    drive = Voters(redundant()).engaged()
    drive.asks(3, 0.1, 0.1, 0.1)
    for age_ns, faults in ((16_000_000, ()), (16_000_001, ("VOTE",))):
        drive.asks(3, 0.1, 0.1, 0.1)
        now_ns = drive.now_ns + PERIOD_NS
        early = Command((0.0, 0.2, 0.0), stamp_ns=now_ns + 4_000_000)
        drive.guard.frame.st_command_stamp_ns[2] = now_ns - 24_000_000
        old = Command((0.0, 0.3, 0.0), stamp_ns=now_ns - age_ns)
        assert drive.ask(early, 0.2, old).faults == faults
    assert drive.guard.frame.st_vote_mask == 0b011
    assert drive.faults_of(2) == ("VOTE",)


def test_two_that_agree_send_the_first_ones_value() -> None:
    drive = Voters(redundant(2)).engaged()
    assert drive.ask(0.2, 0.7).sent["a"] == 0.2
    assert drive.ask(0.6, 0.2).sent["a"] == 0.6


def test_two_that_disagree_hold_the_last_value_and_are_lost_in_time() -> None:
    drive = Voters(redundant(2)).engaged()
    drive.ask(0.3, 0.3)
    for _ in range(DISAGREE_TICKS):
        decision = drive.ask(0.0, 0.9)
        assert (decision.sent["a"], decision.faults) == (0.3, ())
    decision = drive.ask(0.0, 0.9)
    assert decision.faults == ("VOTE_LOST",)
    assert (decision.action, decision.state) == (Action.RECOVER, State.RECOVERY)


def test_what_is_held_is_moved_to_lie_between_the_two() -> None:
    drive = Voters(redundant(2)).engaged()
    drive.ask(0.1, 0.1)
    assert drive.ask(0.3, 0.9).sent["a"] == 0.3
    assert drive.ask(-0.9, -0.1).sent["a"] == -0.1


def test_one_of_two_may_drive_alone_where_one_is_enough() -> None:
    drive = Voters(redundant(2, needed=1)).engaged()
    decision = drive.asks(40, None, 0.4)
    assert (decision.sent["a"], decision.state, decision.faults) == (0.4, State.ENGAGED, ("VOTE",))


def test_too_few_voters_count_with_their_own_faults_first() -> None:
    drive = Voters(redundant(2)).engaged()
    decision = drive.ask(0.1, math.nan)
    assert (decision.action, decision.sent["a"]) == (Action.HOLD, 0.0)
    assert decision.faults == ("COMMAND_NONFINITE", "VOTE")
    assert drive.ask(0.1, 0.1).faults == ()
    decision = drive.asks(DISAGREE_TICKS + 1, 0.1, math.nan)
    assert "VOTE_LOST" in decision.faults
    assert decision.state is State.RECOVERY


def test_three_that_all_disagree_are_lost_in_time_and_none_is_outvoted() -> None:
    drive = Voters(redundant()).engaged()
    decision = drive.asks(DISAGREE_TICKS, -2.0, 0.0, 2.0)
    assert decision.faults == ()
    decision = drive.ask(-2.0, 0.0, 2.0)
    assert (decision.faults, decision.state) == (("VOTE_LOST",), State.RECOVERY)
    assert drive.guard.frame.st_vote_out == 0


def test_nothing_is_engaged_before_enough_have_agreed() -> None:
    drive = Voters(redundant())
    drive.inputs["engage"] = 0.0
    drive.asks(3, -2.0, 0.0, 2.0)
    drive.inputs["engage"] = 1.0
    decision = drive.ask(-2.0, 0.0, 2.0)
    assert decision.state is State.STANDBY
    assert {"VOTE_LOST", "ENGAGE_REFUSED"} <= set(decision.faults)


def test_at_rest_the_outvoted_stands_in_for_one_that_died() -> None:
    drive = Voters(redundant()).engaged()
    drive.asks(DISAGREE_TICKS + 2, 0.0, 0.0, 4.0)
    assert drive.guard.frame.st_vote_out == 0b100
    seen = [drive.ask(0.0, None, 0.0) for _ in range(DISAGREE_TICKS + 5)]
    assert "VOTE_LOST" in {fault for decision in seen for fault in decision.faults}
    assert seen[-1].state is State.RECOVERY
    assert (seen[-1].faults, drive.guard.frame.st_vote_mask) == (("VOTE",), 0b101)


def test_an_open_breaker_keeps_a_voter_out() -> None:
    drive = Voters(redundant()).engaged()
    drive.guard.frame.st_voter_excluded = 0b001
    decision = drive.ask(0.4, 0.2, 0.3)
    assert (decision.sent["a"], decision.faults) == (0.2, ("VOTE",))


def test_the_majority_of_the_requests_counts() -> None:
    drive = Voters(redundant()).engaged()
    up, down = Command((0.0, 0.0, 0.0), request=["a"]), Command((0.0, 0.0, 0.0), request=[])
    bits = []
    for asked in ((up, up, down), (up, down, up), (down, up, up), (up, down, down), (down, down, down)):
        drive.ask(*asked)
        bits.append(int(drive.guard.frame.st_request_ask) >> 1 & 1)
    assert bits == [1, 1, 1, 0, 0]


def test_two_must_both_request() -> None:
    drive = Voters(redundant(2)).engaged()
    drive.ask(Command((0.0, 0.0, 0.0), request=["a"]), Command((0.0, 0.0, 0.0), request=["b"]))
    assert drive.guard.frame.st_request_ask == 0


def test_zeros_keep_the_sign_of_the_sender_compiled_or_not() -> None:
    drive = Voters(redundant()).engaged()
    drive.ask(-0.0, 0.0, -0.0)
    signs = math.copysign(1.0, float(drive.guard.frame.st_ask[1]))
    assert signs == -1.0


def test_a_sender_that_the_policy_does_not_have_is_refused() -> None:
    guard = Guard(Voters(redundant(2)).guard.policy)
    with pytest.raises(ValueError, match="no sender 'tertiary' of commands; known: secondary"):
        guard.step(0, None, others={"tertiary": [0.0, 0.0, 0.0]})
    with pytest.raises(ValueError, match="has no 'nose'"):
        guard.step(0, None, others={"secondary": {"nose": 0.0}})
