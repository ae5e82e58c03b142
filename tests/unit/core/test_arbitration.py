"""Reactions that wait, are announced, or outlast their fault."""

from __future__ import annotations

from typing import Any

import pytest

from safetykit.core.vocabulary import Action, Fault, State
from safetykit.runtime.guard import Decision
from tests.drive import Drive, document

pytestmark = pytest.mark.core
S, B = Fault.SENDER, Fault.BLACKBOX  # faults that may be ignored


def engaged(**reactions: Any) -> Drive:
    return Drive(document({"degraded_scale": 0.4}, reactions={"COMMAND_LOST": "DEGRADE", **reactions})).engaged()


def wait(drive: Drive, ticks: int, *faults: Fault, ask: float = 1.0) -> Decision:
    return drive.ticks(ticks, ask, conditions=faults)


def test_the_action_starts_after_its_delay_and_does_the_meanwhile_until_then() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "after_s": 0.05, "meanwhile": "HOLD"})
    assert wait(drive, 4, S).action == Action.HOLD
    assert wait(drive, 1, S).state is State.RECOVERY


def test_without_a_meanwhile_it_is_what_the_fault_allows() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "after_s": 0.05}, COMMAND_SIZE={"action": "RECOVER", "after_s": 0.05})
    assert wait(drive, 4, S).action == Action.PASS
    assert drive.ticks(1, 1.0, 2.0).action == Action.HOLD


def test_a_fault_that_goes_away_in_time_does_nothing() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "after_s": 0.05})
    for _ in range(9):
        wait(drive, 4, S)
        assert wait(drive, 16).action == Action.PASS
    assert drive.guard.frame.st_reaction_ns[0] == 0


def test_a_flapping_fault_still_acts() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "after_s": 0.1})
    for _ in range(12):
        wait(drive, 1, S)
        assert wait(drive, 1).state is State.ENGAGED  # one tick forth, a quarter of a tick back
    assert wait(drive, 1, S).state is State.RECOVERY


def test_a_gap_between_ticks_counts_in_full_but_gives_little_back() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "after_s": 1.0})
    assert drive.tick(1.0, conditions=[S], dt_ns=999_000_000).state is State.ENGAGED
    drive.tick(1.0, dt_ns=4_000_000_000)
    assert drive.guard.frame.st_reaction_ns[0] == 999_000_000 - 50_000_000 // 4
    assert wait(drive, 2, S).state is State.RECOVERY


def test_the_worst_of_all_reactions_wins() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "after_s": 0.05}, BLACKBOX="HOLD")
    assert wait(drive, 4, S, B).action == Action.HOLD
    assert wait(drive, 1, S, B).action == Action.RECOVER


def test_an_action_may_stay_until_the_next_engage_edge() -> None:
    drive = engaged(SENDER={"action": "HOLD", "until": "engaged_again"})
    wait(drive, 1, S)
    assert wait(drive, 20).action == Action.HOLD
    drive.inputs["engage"] = 0.0
    assert wait(drive, 2).action == Action.HOLD
    drive.inputs["engage"] = 1.0
    assert wait(drive, 2).action == Action.PASS


def test_engaging_again_ends_a_recovery_that_stayed() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "until": "engaged_again"})
    wait(drive, 1, S)
    assert wait(drive, 5).state is State.RECOVERY
    drive.engaged()


def test_no_edge_ends_an_action_whose_fault_is_there() -> None:
    drive = engaged(SENDER={"action": "HOLD", "until": "engaged_again"})
    drive.inputs["engage"] = 0.0
    wait(drive, 2, S)
    drive.inputs["engage"] = 1.0
    wait(drive, 2, S)
    assert wait(drive, 5).action == Action.HOLD


def test_an_action_may_stay_until_a_reset() -> None:
    drive = engaged(SENDER={"action": "RECOVER", "until": "reset"})
    before = int(drive.guard.frame.st_stop_event)
    event = wait(drive, 1, S).stop_event
    assert event == before + 2, "the reaction, and the recovery"
    wait(drive, 20)
    drive.inputs["engage"] = 0.0
    wait(drive, 2)
    drive.inputs["engage"] = 1.0
    assert wait(drive, 1).faults == ("ENGAGE_REFUSED",)
    assert "RESET_REFUSED" not in drive.tick(1.0, reset=event).faults
    drive.engaged()


def test_an_action_may_stay_for_ever() -> None:
    drive = engaged(SENDER={"action": "PROTECTIVE_STOP", "until": "never"})
    event = wait(drive, 1, S).stop_event
    wait(drive, 5)
    assert "RESET_REFUSED" in drive.tick(1.0, reset=event).faults
    assert drive.tick(1.0).state is State.PROTECTIVE_STOP


def test_nothing_stays_that_nobody_was_engaged_for() -> None:
    drive = Drive(document(reactions={"SENDER": {"action": "RECOVER", "until": "never"}}))
    wait(drive, 5, S)
    drive.engaged()


def test_a_delay_that_ends_the_action_leaves_the_envelope_whole() -> None:
    drive = engaged(SENDER={"action": "DEGRADE", "after_s": 0.05})
    decision = wait(drive, 9, S, ask=4.5)
    assert (decision.action, decision.sent["a"]) == (Action.DEGRADE, 2.0)
    assert wait(drive, 9, ask=4.5).sent["a"] == 4.5


TAKEOVER = {"action": "RECOVER", "after_s": 0.02, "takeover_s": 0.05}


def test_an_announced_action_holds_and_then_starts() -> None:
    drive = engaged(SENDER=TAKEOVER)
    decision = wait(drive, 1, S)
    assert (decision.action, decision.faults) == (Action.HOLD, ("SENDER",))
    decision = wait(drive, 1, S)
    frame = drive.guard.frame
    assert decision.faults == ("INTERVENTION", "SENDER")
    assert (frame.out_window_action, frame.out_window_ns) == (Action.RECOVER, 50_000_000)
    assert wait(drive, 4, S).state is State.ENGAGED
    assert frame.out_window_ns == 10_000_000
    assert wait(drive, 1, S).state is State.RECOVERY
    assert (frame.out_window_action, frame.out_window_ns) == (0, 0)


def test_the_worst_and_the_next_announced_action_is_shown() -> None:
    later = {**TAKEOVER, "takeover_s": 0.2}
    drive = engaged(FUNCTION_UNKNOWN={**later, "action": "PROTECTIVE_STOP"}, SENDER=later, BLACKBOX=TAKEOVER)
    frame = drive.guard.frame
    wait(drive, 3, S, B)
    assert (frame.out_window_action, frame.out_window_ns) == (Action.RECOVER, 40_000_000)
    wait(drive, 3, S, B, Fault.FUNCTION_UNKNOWN)
    assert frame.out_window_action == Action.PROTECTIVE_STOP
    wait(drive, 1, S, Fault.FUNCTION_UNKNOWN)
    assert frame.out_window_action == Action.PROTECTIVE_STOP


MANUAL = {"take": {"input": "torque", "min": 5}, "late_ms": 50, "stale_ms": 100}


def driven(**reactions: Any) -> Drive:
    drive = Drive(document(reactions=reactions, manual=MANUAL)).engaged()
    frame = drive.guard.frame
    frame.in_command_status[3], frame.in_command_count[3] = 1, 2
    drive.inputs["torque"] = 6.0
    return drive


def by_hand(drive: Drive, ticks: int, *faults: Fault) -> Decision:
    frame = drive.guard.frame
    for _ in range(ticks):
        frame.in_command_published[3] += 1
        frame.in_command_seq[3] += 1
        frame.in_command_stamp_ns[3] = drive.now_ns + 10_000_000
        decision = drive.tick(1.0, conditions=faults)
    return decision


def test_an_announced_action_waits_while_the_operator_drives() -> None:
    drive = driven(SENDER=TAKEOVER)
    decision = by_hand(drive, 50, S)
    assert (decision.state, decision.action) == (State.ENGAGED, Action.PASS)
    assert "INTERVENTION" in decision.faults


def test_an_operator_who_takes_over_late_keeps_the_time_that_is_left() -> None:
    drive = driven(SENDER=TAKEOVER)
    drive.inputs["torque"] = 0.0
    by_hand(drive, 5, S)
    left_ns = int(drive.guard.frame.out_window_ns)
    drive.inputs["torque"] = 6.0
    by_hand(drive, 50, S)
    assert drive.guard.frame.out_window_ns == left_ns == 20_000_000


def test_some_actions_do_not_wait_for_the_operator() -> None:
    drive = driven(SENDER={**TAKEOVER, "takeover": "never"})
    assert by_hand(drive, 6, S).state is State.ENGAGED
    assert by_hand(drive, 1, S).state is State.RECOVERY
