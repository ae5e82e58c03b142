"""The operator takes over, drives, lets go, and is lost."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import Action, Fault, State
from safetykit.runtime.guard import Command, Decision
from tests.drive import BASE, PERIOD_NS, Document, Drive, document

pytestmark = pytest.mark.core

OPERATOR = BASE["sources"]["operator"]
SOURCES = {
    **BASE["sources"],
    "operator": {**OPERATOR, "inputs": {**OPERATOR["inputs"], "take": {"unit": "flag", "min": 0, "max": 1}}},
    "weather": {
        "age_ms": 100,
        "future_ms": 5,
        "needed": True,
        "inputs": {"rain": {"unit": "flag", "min": 0, "max": 1}},
    },
}
MANUAL = {"take": {"input": "take", "min": 0.5}, "late_ms": 30, "stale_ms": 100}


def driven(**sections: Any) -> Document:
    """Channel a may be driven by the operator; input rain is in a source of its own."""
    manual = {**MANUAL, **sections.pop("manual", {})}
    return document({"rate_up_per_s": 20, "rate_down_per_s": 20}, sources=SOURCES, manual=manual, **sections)


class Cab(Drive):
    """`drive(autonomy, operator)`: one tick with what both ask of channel a; None = nothing new."""

    def __init__(self, made: Document | None = None) -> None:
        super().__init__(made or driven(), take=0.0, rain=0.0)

    def drive(self, autonomy: float | None, operator: float | Command | None, **options: Any) -> Decision:
        self.now_ns += PERIOD_NS
        own = Command((0.0, operator)) if isinstance(operator, float) else operator
        others = {} if own is None else {"manual": own}
        command = None if autonomy is None else (0.0, autonomy)
        heard = options.pop("inputs", self.inputs)
        return self.guard.step(self.now_ns, command, heard, others=others, **options)

    def drives(self, ticks: int, autonomy: float | None, operator: float | Command | None) -> Decision:
        for _ in range(ticks):
            decision = self.drive(autonomy, operator)
        return decision

    def silent(self, source: str) -> dict[str, float]:
        """Inputs without those of one source."""
        missing = SOURCES[source]["inputs"]
        return {name: value for name, value in self.inputs.items() if name not in missing}

    def engaged(self) -> Cab:
        super().engaged()
        return self

    def taken(self, autonomy: float | None = 0.0, operator: float = 0.0) -> Cab:
        self.engaged()
        self.drive(autonomy, operator)
        self.inputs["take"] = 1.0
        assert self.drive(autonomy, operator).state is State.ENGAGED
        assert self.guard.frame.st_manual == 1
        return self


def test_the_switch_hands_over_without_a_jump_and_letting_go_stops_actuating() -> None:
    cab = Cab().engaged()
    assert cab.drives(20, 1.0, -1.0).sent["a"] == 1.0
    cab.inputs["take"] = 1.0
    sent = [cab.drive(1.0, -1.0).sent["a"] for _ in range(12)]
    assert sent == pytest.approx([max(1.0 - 0.2 * k, -1.0) for k in range(1, 13)])
    cab.inputs["take"] = 0.0
    decision = cab.drive(1.0, -1.0)
    assert decision.state is State.STANDBY
    assert decision.sent["a"] == pytest.approx(-0.8)
    decision = cab.drives(20, 1.0, -1.0)
    assert (decision.state, decision.sent["a"]) == (State.STANDBY, 0.0)
    cab.inputs["engage"] = 0.0
    cab.drive(1.0, -1.0)
    cab.inputs["engage"] = 1.0
    assert cab.drive(1.0, -1.0).state is State.ENGAGED
    assert cab.drive(1.0, -1.0).sent["a"] == pytest.approx(0.2)


def test_the_envelope_stays_on() -> None:
    decision = Cab().taken().drives(60, 0.0, 9.0)
    assert (decision.sent["a"], decision.faults) == (5.0, ("BOUND", "RATE"))


def test_faults_of_the_autonomy_do_not_count_while_the_operator_drives() -> None:
    cab = Cab().taken()
    decision = cab.drives(50, None, 0.5)
    assert (decision.state, decision.faults, decision.sent["a"]) == (State.ENGAGED, (), 0.5)
    assert cab.guard.frame.st_vote_faults[0] == 1 << Fault.COMMAND_STALE
    assert cab.drive(math.nan, 0.5).faults == ()


def test_the_loss_of_the_operator_never_gives_the_drive_back() -> None:
    cab = Cab().taken()
    assert cab.drives(3, 1.0, None).faults == ()
    decision = cab.drive(1.0, None)
    assert (decision.faults, decision.action, decision.sent["a"]) == (("COMMAND_LATE",), Action.HOLD, 0.0)
    decision = cab.drives(7, 1.0, None)
    assert (decision.faults, decision.state) == (("MANUAL_LOST",), State.RECOVERY)
    assert cab.drives(5, 1.0, None).sent["a"] == 0.0


def test_the_policy_may_hold_instead() -> None:
    cab = Cab(driven(reactions={"MANUAL_LOST": "HOLD"})).taken(operator=0.1)
    decision = cab.drives(40, 1.0, None)
    assert (decision.state, decision.action, decision.sent["a"]) == (State.ENGAGED, Action.HOLD, 0.1)
    assert cab.drive(1.0, 0.2).sent["a"] == 0.2


def test_an_unreadable_switch_is_a_loss_and_no_letting_go() -> None:
    cab = Cab().taken()
    for _ in range(10):
        assert cab.drive(0.0, 0.3, inputs=cab.silent("operator")).state is State.ENGAGED
    decision = cab.drive(0.0, 0.3, inputs=cab.silent("operator"))
    assert (decision.faults, decision.state) == (("INPUT_STALE", "MANUAL_LOST"), State.RECOVERY)


def test_a_bad_value_of_the_operator_is_not_used() -> None:
    decision = Cab().taken(operator=0.1).drive(1.0, math.nan)
    assert (decision.faults, decision.action, decision.sent["a"]) == (("COMMAND_NONFINITE",), Action.HOLD, 0.1)


def test_a_fault_that_the_operator_overrules_only_corrects() -> None:
    cab = Cab(driven(manual={"overrules": ["INPUT_STALE"]})).taken()
    decision = [cab.drive(0.0, 0.3, inputs=cab.silent("weather")) for _ in range(20)][-1]
    assert (decision.faults, decision.action) == (("INPUT_STALE",), Action.CLAMP)
    assert (decision.state, decision.sent["a"]) == (State.ENGAGED, 0.3)
    cab = Cab(driven(manual={"overrules": ["INPUT_STALE"]})).engaged()
    decision = [cab.drive(0.0, 0.3, inputs=cab.silent("weather")) for _ in range(20)][-1]
    assert (decision.faults, decision.state) == (("INPUT_STALE",), State.RECOVERY)


def test_an_overruled_fault_does_not_trip_a_breaker_either() -> None:
    breaker = {"faults": ["INPUT_STALE"], "count": 2, "window_ms": 1000, "action": "PROTECTIVE_STOP"}
    cab = Cab(driven(manual={"overrules": ["INPUT_STALE"]}, breakers={"b": breaker})).taken()
    decision = [cab.drive(0.0, 0.3, inputs=cab.silent("weather")) for _ in range(20)][-1]
    assert (decision.faults, decision.state) == (("INPUT_STALE",), State.ENGAGED)


def test_a_breaker_of_a_voter_does_not_count_while_the_operator_drives() -> None:
    vote = {"voters": ["left", "right"], "needed": 1, "align_ms": 20, "disagree_ms": 50}
    breaker = {"of": "left", "faults": ["COMMAND_NONFINITE"], "count": 1, "action": "PROTECTIVE_STOP"}
    made = driven(commands=vote, breakers={"b": breaker})
    made["channels"]["a"]["vote_tolerance"] = 0.5
    cab = Cab(made).taken()
    decision = cab.drives(3, math.nan, 0.5)
    assert (decision.state, decision.sent["a"], decision.faults) == (State.ENGAGED, 0.5, ("BREAKER",))
    cab.inputs["take"] = 0.0
    assert cab.drives(2, 0.0, 0.5).state is State.PROTECTIVE_STOP


def test_a_stop_is_never_overruled() -> None:
    cab = Cab().taken()
    assert cab.drive(0.0, 0.0, conditions=[Fault.STOP_REQUEST]).state is State.PROTECTIVE_STOP
    cab.inputs["take"] = 0.0
    cab.drive(0.0, 0.0)
    cab.inputs["take"] = 1.0
    assert cab.drive(0.0, 0.0).state is State.PROTECTIVE_STOP
    assert cab.guard.frame.st_manual == 0


def recovering() -> Cab:
    """Out of recovery the autonomy cannot come, it is silent; the operator can."""
    made = driven(recovery=[{"name": "rest", "set": {"a": -1.0}, "for_s": 1.0}])
    cab = Cab(made).engaged()
    for _ in range(40):
        decision = cab.drive(None, 0.0)
        if decision.state is State.RECOVERY:
            break
    cab.drives(5, None, 0.0)
    return cab


def test_the_operator_takes_over_out_of_recovery() -> None:
    cab = recovering()
    last = float(cab.guard.frame.st_sent[1])
    assert last < -0.5
    cab.inputs["take"] = 1.0
    decision = cab.drive(None, 2.0)
    assert (decision.state, decision.faults) == (State.ENGAGED, ())
    assert abs(decision.sent["a"] - last) <= 0.2 + 1e-9
    assert cab.drive(None, 2.0).sent["a"] == pytest.approx(decision.sent["a"] + 0.2)


def test_a_switch_that_was_on_already_takes_nothing_out_of_recovery() -> None:
    cab = Cab().taken()
    cab.drives(12, None, None)
    assert cab.guard.frame.st_state == State.RECOVERY
    cab.drives(3, None, 0.0)
    assert cab.guard.frame.st_state != State.ENGAGED


def test_recovery_is_not_left_for_an_operator_who_does_not_send() -> None:
    cab = recovering()
    cab.drives(20, None, None)
    cab.inputs["take"] = 1.0
    decision = cab.drive(None, None)
    assert decision.state is State.RECOVERY
    assert {"MANUAL_LOST", "ENGAGE_REFUSED"} <= set(decision.faults)


def test_the_operator_may_engage_without_any_autonomy() -> None:
    cab = Cab()
    cab.inputs["take"] = 1.0
    cab.drives(3, None, 0.5)
    cab.inputs["engage"] = 1.0
    assert cab.drive(None, 0.5).state is State.ENGAGED
    assert cab.drives(5, None, 0.5).sent["a"] == 0.5


def test_engaging_in_recovery_with_the_switch_on_gives_the_drive_to_the_operator() -> None:
    cab = Cab().taken()
    cab.drives(12, None, None)
    assert cab.guard.frame.st_state == State.RECOVERY
    cab.inputs["engage"] = 0.0
    cab.drive(None, 0.4)
    cab.inputs["engage"] = 1.0
    assert cab.drive(None, 0.4).state is State.ENGAGED
    assert cab.drive(None, 0.4).sent["a"] > 0


def test_the_operators_own_program_may_start_anew_while_it_does_not_drive() -> None:
    cab = Cab().engaged()
    cab.drive(0.0, Command((0.0, 0.0), seq=700))
    cab.drive(0.0, Command((0.0, 0.2), seq=1))
    cab.inputs["take"] = 1.0
    assert cab.drive(0.0, Command((0.0, 0.2), seq=2)).faults == ()
    assert "COMMAND_REORDERED" in cab.drive(0.0, Command((0.0, 0.2), seq=1)).faults


def test_a_policy_without_the_section_has_no_such_sender() -> None:
    with pytest.raises(ValueError, match="no sender 'manual' of commands; known: none"):
        Drive().guard.step(0, None, others={"manual": [0.0, 0.0]})
