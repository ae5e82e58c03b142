"""The stop state machine: the table exhaustively, and stops, resets and recovery through the whole step."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from safetykit.core import stop
from safetykit.core.vocabulary import Action, Fault, State
from tests.drive import Drive, document

pytestmark = pytest.mark.core
EVERY = [(state, bits) for state in State for bits in range(1 << stop.CONDITION_BITS)]


def after(state: int, bits: int) -> State:
    return State(int(stop.NEXT_STATE[state, bits]))


def test_the_dense_table_is_the_readable_table() -> None:
    assert all(after(state, bits) == stop.next_by_rows(state, bits) for state, bits in EVERY)


def test_an_emergency_always_leads_to_emergency_stop() -> None:
    assert all(after(state, bits) is State.EMERGENCY_STOP for state, bits in EVERY if bits & stop.EMERGENCY)


def test_a_protective_stop_is_never_weaker_than_asked() -> None:
    for state, bits in EVERY:
        if bits & stop.PROTECTIVE:
            assert after(state, bits) in (State.PROTECTIVE_STOP, State.EMERGENCY_STOP)


def test_engaged_is_entered_only_with_an_engage_edge_and_nothing_against_it_and_never_from_a_latched_stop() -> None:
    against = stop.EMERGENCY | stop.PROTECTIVE | stop.RECOVER | stop.WITHDRAWN
    for state, bits in EVERY:
        if after(state, bits) is State.ENGAGED and state is not State.ENGAGED:
            assert state in (State.STANDBY, State.RECOVERY)
            assert bits & stop.ENGAGE
            assert not bits & against


def test_latched_stops_end_only_by_a_reset_and_only_in_standby() -> None:
    for state, bits in EVERY:
        if state in (State.PROTECTIVE_STOP, State.EMERGENCY_STOP) and not bits & stop.RESET:
            assert after(state, bits) >= state
        if state >= State.PROTECTIVE_STOP and after(state, bits) < State.PROTECTIVE_STOP:
            assert after(state, bits) is State.STANDBY


def test_boot_is_left_only_with_a_passed_self_test_or_into_a_stop() -> None:
    for bits in range(1 << stop.CONDITION_BITS):
        if after(State.BOOT, bits) is State.STANDBY:
            assert bits & stop.SELFTEST_OK


def test_a_person_can_always_take_over_unless_a_stop_is_due() -> None:
    for state, bits in EVERY:
        if bits & stop.WITHDRAWN and not bits & (stop.EMERGENCY | stop.PROTECTIVE):
            assert after(state, bits) not in (State.ENGAGED, State.RECOVERY)


def test_every_state_is_reachable_and_every_row_is_used() -> None:
    reached = {State.BOOT}
    for _ in State:
        reached |= {after(state, bits) for state in reached for bits in range(1 << stop.CONDITION_BITS)}
    assert reached == set(State)
    for row in stop.TRANSITIONS:
        at, all_of, none_of, to = row
        first = [r for r in stop.TRANSITIONS if r[0] == at and all_of & r[1] == r[1] and not all_of & r[2]]
        assert first[0] == row, "a row behind one that always matches first"
        assert at != to
        assert not all_of & none_of


@pytest.mark.parametrize("state", [-1, 6, 99, 2**40])
def test_an_unknown_state_is_an_emergency_stop(state: int) -> None:
    drive = Drive().engaged()
    drive.guard.frame.st_state = state
    decision = drive.tick(1.0)
    assert (decision.state, decision.power, decision.action) == (State.EMERGENCY_STOP, False, Action.EMERGENCY_STOP)


def test_a_failed_self_test_stays_in_boot() -> None:
    drive = Drive()
    drive.guard.frame.in_selftest_ok = 0
    decision = drive.ticks(5, 1.0)
    assert (decision.state, decision.power, decision.sent["a"]) == (State.BOOT, False, 0.0)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (Fault.STOP_REQUEST, State.PROTECTIVE_STOP),
        (Fault.STOP_BUTTON, State.EMERGENCY_STOP),
        (Fault.SELFTEST, State.PROTECTIVE_STOP),
        (Fault.DEADLINE, State.RECOVERY),
    ],
)
@pytest.mark.parametrize("engaged", [False, True])
def test_stops_need_no_permission(fault: Fault, state: State, engaged: bool) -> None:
    drive = Drive()
    drive.ticks(2, 0.0)
    if engaged:
        drive.engaged()
    elif state is State.RECOVERY:
        state = State.STANDBY  # nothing moves there: nothing to recover from
    assert drive.tick(1.0, conditions=[fault]).state is state


def test_an_unknown_fault_bit_from_outside_is_an_emergency_stop() -> None:
    drive = Drive().engaged()
    drive.guard.frame.in_faults = 0
    made = drive.guard
    drive.now_ns += 10_000_000
    made.frame.in_now_ns = drive.now_ns
    made.frame.in_faults = -(1 << 63)
    from safetykit.core.step import step

    step(made.policy.limits, made.policy.timing, made.frame)
    assert made.frame.st_state == State.EMERGENCY_STOP


def stopped(kind: Fault = Fault.STOP_REQUEST, **sections: Any) -> Drive:
    drive = Drive(document(**sections)).engaged()
    drive.ticks(3, 2.0)
    drive.tick(2.0, conditions=[kind])
    return drive


@pytest.mark.parametrize("kind", [Fault.STOP_REQUEST, Fault.STOP_BUTTON])
def test_a_stop_is_latched_until_reset_and_then_waits_for_engage(kind: Fault) -> None:
    drive = stopped(kind)
    latched = drive.ticks(200, 2.0)
    assert latched.state >= State.PROTECTIVE_STOP
    assert (latched.sent["a"], latched.power) == (0.0, False)
    assert drive.tick(2.0, reset=latched.stop_event).state is State.STANDBY
    assert drive.ticks(5, 2.0).sent["a"] == 0.0
    drive.engaged()
    assert drive.tick(1.0).sent["a"] == 1.0


def test_a_reset_for_another_event_is_refused() -> None:
    drive = stopped()
    decision = drive.tick(2.0, reset=drive.guard.frame.st_stop_event - 1)
    assert decision.state is State.PROTECTIVE_STOP
    assert "RESET_REFUSED" in decision.faults


def test_a_reset_while_the_cause_lasts_is_refused() -> None:
    drive = stopped(Fault.STOP_BUTTON)
    decision = drive.tick(2.0, reset=1, conditions=[Fault.STOP_BUTTON])
    assert decision.state is State.EMERGENCY_STOP
    assert "RESET_REFUSED" in decision.faults


def test_a_reset_needs_the_policys_conditions() -> None:
    need = {"power_off_after_s": 1.0, "power_in_standby": False, "reset_needs": [{"input": "speed_mps", "max": 0.1}]}
    drive = stopped(stop=need)
    drive.inputs["speed_mps"] = 3.0
    assert "RESET_REFUSED" in drive.tick(0.0, reset=1).faults
    drive.inputs["speed_mps"] = 0.0
    assert drive.tick(0.0, reset=1).state is State.STANDBY


def test_a_reset_is_refused_while_engaged_and_one_from_before_the_start_is_ignored() -> None:
    drive = Drive().engaged()
    assert "RESET_REFUSED" in drive.tick(1.0, reset=0).faults
    other = Drive()
    other.guard.frame.in_reset_seq = 5
    assert other.tick(0.0).faults == ("NOT_PERMITTED",)


def test_a_new_stop_during_the_reset_wins() -> None:
    drive = stopped()
    assert drive.tick(0.0, reset=1, conditions=[Fault.STOP_BUTTON]).state is State.EMERGENCY_STOP


def test_a_protective_stop_moves_within_the_rates_and_then_removes_power() -> None:
    drive = Drive(document({"stop": -1.0, "rate_down_per_s": 50})).engaged()
    drive.ticks(3, 2.0)
    sent = [drive.tick(2.0, conditions=[Fault.STOP_REQUEST])]
    sent += [drive.tick(2.0) for _ in range(120)]
    steps = [b.sent["a"] - a.sent["a"] for a, b in itertools.pairwise(sent)]
    assert min(steps) >= -0.5 - 1e-9
    assert sent[-1].sent["a"] == -1.0
    assert [decision.power for decision in sent].count(True) == 100


@pytest.mark.parametrize(("jumps", "first"), [(True, -2.0), (False, 1.0)])
def test_an_emergency_stop_jumps_only_where_the_policy_lets_it(jumps: bool, first: float) -> None:
    drive = Drive(document({"emergency": -2.0, "emergency_jumps": jumps})).engaged()
    drive.ticks(3, 2.0)
    decision = drive.tick(2.0, conditions=[Fault.STOP_BUTTON])
    assert decision.sent["a"] == pytest.approx(first)
    assert not decision.power
    assert drive.guard.frame.st_rate[1] == pytest.approx(0.0 if jumps else -100.0)


PHASES = [
    {"name": "hold", "hold": ["a"], "for_s": 0.03},
    {"name": "brake", "set": {"a": -1.0}, "until": {"input": "speed_mps", "max": 0.1}, "for_s": 0.5},
    {"name": "rest", "set": {"a": 0.0}, "for_s": 0.05},
]


def recovering() -> Drive:
    drive = Drive(document(recovery=PHASES), speed_mps=5.0).engaged()
    drive.ticks(3, 2.0)
    assert drive.tick(dt_ns=300_000_000).state is State.RECOVERY
    return drive


def test_the_recovery_function_goes_through_its_phases_and_ends_in_standby() -> None:
    drive = recovering()
    assert drive.ticks(2, 2.0).sent["a"] == 2.0
    assert drive.ticks(10, 2.0).sent["a"] == -1.0
    drive.inputs["speed_mps"] = 0.0
    drive.tick(2.0)
    assert drive.ticks(2, 2.0).sent["a"] == 0.0
    assert drive.ticks(6, 2.0).state is State.STANDBY
    assert drive.ticks(5, 2.0).sent["a"] == 0.0


def test_recovery_is_a_stop_event_of_its_own() -> None:
    assert recovering().guard.frame.st_stop_event == 1


def test_a_phase_ends_after_its_time_at_the_latest() -> None:
    drive = recovering()
    drive.ticks(60, 2.0)
    assert drive.guard.frame.st_phase == 2


def test_the_operator_may_engage_again_from_recovery_once_the_cause_is_gone() -> None:
    drive = recovering()
    drive.inputs["engage"] = 0.0
    drive.ticks(2)
    drive.inputs["engage"] = 1.0
    assert drive.tick().state is State.RECOVERY, "still no commands"
    drive.inputs["engage"] = 0.0
    assert drive.ticks(3, 2.0).state is State.RECOVERY, "commands alone do not resume"
    drive.inputs["engage"] = 1.0
    assert drive.tick(2.0).state is State.ENGAGED
    assert drive.ticks(3, 2.0).sent["a"] == 2.0


def test_recovery_goes_on_while_its_cause_lasts() -> None:
    drive = recovering()
    assert drive.ticks(200).state is State.RECOVERY


def test_a_large_gap_between_ticks_counts_as_the_longest_dt() -> None:
    drive = Drive(document({"rate_up_per_s": 10})).engaged()
    drive.now_ns += 80_000_000
    assert drive.tick(5.0).sent["a"] == pytest.approx(0.5)


def test_power_in_standby_is_the_policys_choice() -> None:
    made = document(stop={"power_off_after_s": 1.0, "power_in_standby": True})
    assert Drive(made).ticks(3, 0.0).power is True
