"""Redundant senders: whatever one of them does, the command that counts lies between those of the others."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core.vocabulary import Fault, State
from safetykit.runtime.guard import Command
from tests.drive import PERIOD_NS
from tests.unit.core.test_manual import Cab, driven
from tests.unit.core.test_vote import Voters, redundant

anything = st.one_of(
    st.floats(-5, 5), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.5, -0.5, 1e308, -1e308, -0.0])
)
honest = st.floats(-4, 4)
stamps = st.one_of(st.just(0), st.integers(-(10**9), 10**7), st.integers(-(2**61), 2**61))
numbers = st.one_of(st.none(), st.integers(-(2**62), 2**62))
lies = st.lists(st.tuples(anything, stamps, numbers), min_size=1, max_size=25)


def told(drive: Voters, lie: tuple[float, int, int | None], values: int = 3) -> Command:
    value, off_ns, seq = lie
    return Command([0.0, value, 0.0][:values], stamp_ns=drive.now_ns + PERIOD_NS + off_ns, seq=seq)


@given(script=lies, liar=st.integers(0, 2), asked=honest, gap=st.floats(0, 0.5))
@settings(max_examples=150, deadline=None)
def test_one_liar_of_three_never_moves_the_command_out_of_the_span_of_the_others(
    script: list[Any], liar: int, asked: float, gap: float
) -> None:
    drive = Voters(redundant()).engaged()
    low, high = sorted((asked, asked + gap))
    if high - low > 0.5:
        return  # rounding: they would not agree
    for lie in script:
        others: list[Any] = [low, high]
        others.insert(liar, told(drive, lie))
        decision = drive.ask(*others)
        assert low <= float(drive.guard.frame.st_ask[1]) <= high
        assert decision.state is State.ENGAGED
        assert set(decision.faults) <= {"VOTE", "BOUND", "RATE"}


@given(script=st.lists(st.lists(st.tuples(anything, stamps, numbers), min_size=3, max_size=3), min_size=1, max_size=25))
@settings(max_examples=150, deadline=None)
def test_what_is_chosen_is_finite_and_between_those_that_count(script: list[Any]) -> None:
    drive = Voters({**redundant(), "reactions": {"VOTE_LOST": "HOLD"}}).engaged()
    frame = drive.guard.frame
    for lie in script:
        before = float(frame.st_ask[1])
        drive.ask(*(told(drive, one) for one in lie))
        inside = [float(frame.st_offer[r, 1]) for r in range(3) if int(frame.st_vote_mask) >> r & 1]
        ask = float(frame.st_ask[1])
        assert math.isfinite(ask)
        assert min(inside) <= ask <= max(inside) if len(inside) >= 2 else ask == before


@given(script=lies, asked=honest)
@settings(max_examples=100, deadline=None)
def test_a_voter_more_that_is_never_right_changes_nothing(script: list[Any], asked: float) -> None:
    """Two that agree and a third one whose every command is refused: as if there were only two."""
    two, three = Voters(redundant(2)).engaged(), Voters(redundant(3)).engaged()
    for lie in script:
        bad = told(three, (math.nan, *lie[1:]))
        assert two.ask(asked, asked).sent == three.ask(asked, asked, bad).sent


@given(script=st.lists(st.tuples(anything, stamps, numbers, st.booleans()), min_size=1, max_size=25))
@settings(max_examples=150, deadline=None)
def test_whatever_the_operator_sends_stays_inside_the_envelope(script: list[Any]) -> None:
    cab = Cab(driven(reactions={"MANUAL_LOST": "HOLD"})).taken()
    last = float(cab.guard.frame.st_sent[1])
    for value, off_ns, seq, more in script:
        cab.inputs["take"] = float(more or cab.inputs["take"])
        own = Command((0.0, value), stamp_ns=cab.now_ns + PERIOD_NS + off_ns, seq=seq)
        sent = cab.drive(3.0, own).sent["a"]
        assert -5 <= sent <= 5
        assert abs(sent - last) <= 0.2 + 1e-12
        last = sent


def test_the_autonomy_never_drives_while_the_switch_is_on() -> None:
    """Its commands leave no trace in what is sent, whatever becomes of the operator's."""
    sent = []
    for autonomy in (5.0, -5.0):
        cab = Cab(driven(reactions={"MANUAL_LOST": "HOLD"})).taken()
        values = [0.5, None, math.nan, None, 1.0, *[None] * 20, 0.3]
        sent.append([cab.drive(autonomy, value).sent["a"] for value in values])
        assert int(cab.guard.frame.st_vote_faults[3]) & 1 << Fault.COMMAND_STALE == 0
    assert sent[0] == sent[1]
