"""What stops the machine, and that it does so in the very step in which it is seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.protocol import CAUSE, LOCKING, PASSED, PROGRAM, RAM, RUN, RUNNING, STOP, TIME
from tests.firmware.stand import Stand, armed, boot_record, ready, running, stands, stopped

Make = Callable[[], Stand]
OPEN = [(False, True), (True, False), (False, False)]


def silent_step(stand: Stand) -> Stand:
    return stand.step(1_000)


def both_steps_open(stand: Stand) -> bool:
    """No output in this step nor in the next: the pulsed one is on in every second step only."""
    first = stand.on
    stand.step()
    return not first and not stand.on


@pytest.mark.parametrize("channels", OPEN)
@pytest.mark.parametrize("make", [armed, running])
def test_the_first_sample_with_an_open_channel_stops(channels: tuple[bool, bool], make: Make) -> None:
    stand = make()
    stand.a, stand.b = channels
    silent_step(stand)
    assert not stand.on
    assert (stand.name, stand.cause) == ("STOPPED", "CHANNEL")


@EXAMPLES
@given(when=st.integers(0, 2**32 - 1), wait=st.integers(0, 50), a=st.booleans())
def test_a_channel_stops_at_any_time_of_the_clock_and_whatever_the_guard_says(when: int, wait: int, a: bool) -> None:
    stand = Stand(now_us=when).to_stopped().to_run().beats(wait, RUN)
    stand.a, stand.b = (False, True) if a else (True, False)
    stand.beat(RUN)
    assert not stand.on
    assert stand.cause == "CHANNEL"
    stand.a = stand.b = True
    stand.beats(30, RUN)
    assert not stand.on
    assert stand.name == "STOPPED"


@pytest.mark.parametrize(("check", "cause"), [(RAM, "RAM"), (PROGRAM, "PROGRAM"), (RUNNING, "PROGRAM")])
@pytest.mark.parametrize("make", [ready, armed, running])
def test_a_failed_check_opens_the_relays_in_the_same_step_and_locks(check: int, cause: str, make: Make) -> None:
    stand = make()
    stand.check = check
    assert both_steps_open(silent_step(stand))
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", cause, 1)


@EXAMPLES
@given(check=st.integers(0, 2**32 - 1).filter(lambda value: value != PASSED))
def test_any_result_of_the_checks_but_passed_locks(check: int) -> None:
    stand = running()
    stand.check = check
    silent_step(stand)
    assert not stand.on
    assert stand.state.locked == 1
    assert stand.cause == ("RAM" if check == RAM else "PROGRAM")


def test_a_locked_board_never_leaves_stopped_but_by_a_power_cycle() -> None:
    stand = running()
    stand.check = RAM
    silent_step(stand)
    stand.check = PASSED
    number = stand.number
    for _ in range(3):
        stand.a = stand.b = False
        stand.beats(3)
        stand.a = stand.b = True
        stand.beats(30)
        stand.press()
        stand.beats(3, RUN)
        assert not stand.on
        assert (stand.name, stand.state.locked) == ("STOPPED", 1)
    assert stand.number == number + 3  # the presses of the button are events of their own
    assert Stand(boot_record(number=stand.number)).to_stopped().to_run().name == "RUN"


def test_a_locked_board_records_no_second_locking_event() -> None:
    stand = running()
    stand.check = RAM
    stand.beats(5)
    stand.check = PROGRAM
    number = stand.number
    stand.beats(5)
    assert (stand.number, stand.cause) == (number, "RAM")


@pytest.mark.parametrize("cause", ["POWER_UP", "WATCHDOG", "RESTART"])
def test_every_start_ends_stopped_with_the_cause_of_the_start(cause: str) -> None:
    stand = Stand(boot_record(number=41, cause=CAUSE[cause]))
    assert stand.name == "SELFTEST"
    stand.to_stopped()
    assert not stand.on
    assert (stand.name, stand.cause, stand.number) == ("STOPPED", cause, 42)


@pytest.mark.parametrize("cause", sorted(LOCKING))
def test_a_lock_that_the_port_remembers_outlives_a_reset(cause: str) -> None:
    stand = Stand(boot_record(number=41, cause=CAUSE[cause])).to_stopped()
    assert (stand.name, stand.cause, stand.number, stand.state.locked) == ("STOPPED", cause, 42, 1)
    stand.beats(40).press()
    assert (stand.name, stand.on) == ("STOPPED", False)


def test_the_self_test_lasts_until_its_result_and_holds_the_relays_open() -> None:
    stand = Stand()
    stand.check = RUNNING
    for _ in range(500):
        stand.beat(RUN)
        assert stand.name == "SELFTEST"
        assert not stand.on
        assert not stand.made.led
    stand.check = PROGRAM
    stand.step()
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "PROGRAM", 1)


@pytest.mark.parametrize(("dt_us", "late"), [(TIME["CYCLE_US"], False), (TIME["CYCLE_US"] + 1, True)])
@pytest.mark.parametrize("make", [armed, running])
def test_a_cycle_that_comes_too_late_stops(dt_us: int, late: bool, make: Make) -> None:
    stand = make()
    before = stand.name
    stand.beat(RUN if before == "RUN" else STOP, dt_us=dt_us)
    assert stand.name == ("STOPPED" if late else before)
    assert not late or stand.cause == "CYCLE"


def test_the_first_cause_in_the_order_of_the_table_is_the_one_recorded() -> None:
    stand = running()
    stand.a = False
    stand.check = PROGRAM
    stand.mirrors = (True, True)
    stand.step(TIME["LINK_US"] + 1)
    assert stand.cause == "PROGRAM"
    stand = running()
    stand.a = False
    stand.mirrors = (True, False)
    stand.step(TIME["LINK_US"] + 1)
    assert stand.cause == "RELAY_DEAD"
    stand = running()
    stand.step(TIME["LINK_US"] + 1)
    assert stand.cause == "CYCLE"


# ------------------------------------------------------------------------------ two channels


def discrepant(us: int, stand: Stand) -> Stand:
    """Opens one channel for this long, in steps of 10 ms and a last one."""
    stand.a = False
    stand.wait(us, dt_us=10_000)
    return stand


def test_channels_that_differ_for_just_as_long_as_they_may_are_no_fault() -> None:
    stand = discrepant(TIME["DISCREPANCY_US"], ready())
    assert (stand.cause, stand.state.channel_fault) == ("CHANNEL", 0)
    stand.a = True
    stand.to_armed()


def test_channels_that_differ_for_longer_are_a_fault_until_both_were_seen_open() -> None:
    stand = discrepant(TIME["DISCREPANCY_US"] + 1, ready())
    assert stand.cause == "DISCREPANCY"
    stand.a = True
    stand.beats(60)
    stand.press()
    assert stand.name == "STOPPED"
    stand.a = stand.b = False
    stand.beat()
    stand.a = stand.b = True
    stand.beats(60)
    stand.press()
    assert stand.name == "ARMED"


@pytest.mark.parametrize("alone", [(True, False), (False, True)])
def test_channels_that_close_one_long_after_the_other_are_a_fault(alone: tuple[bool, bool]) -> None:
    stand = ready()
    stand.a = stand.b = False
    stand.beats(10)
    stand.a, stand.b = alone
    stand.wait(TIME["DISCREPANCY_US"] + 10_000)
    assert stand.cause == "DISCREPANCY"
    number = stand.number
    stand.wait(TIME["DISCREPANCY_US"])
    assert stand.number == number  # told once


def test_a_wire_that_touches_again_and_again_never_adds_up_to_a_discrepancy() -> None:
    stand = ready()
    for _ in range(30):
        stand.a = False
        stand.wait(100_000, dt_us=10_000)
        stand.a = True
        stand.beat()
    assert stand.cause == "CHANNEL"


def test_a_press_of_the_button_while_stopped_is_an_event_of_its_own() -> None:
    stand = ready()
    number = stand.number
    stand.a = stand.b = False
    stand.beat()
    assert (stand.number, stand.cause) == (number + 1, "CHANNEL")
    stand.beats(5)
    assert stand.number == number + 1
    stand.a = stand.b = True
    stand.step(TIME["RELEASE_US"] - 1_001)
    stand.step(1_000)
    stand.a = False
    stand.step(0)
    assert stand.number == number + 1  # contacts that bounce are no second press


# ------------------------------------------------------------------------------ relays


@pytest.mark.parametrize("mirrors", [(False, True), (True, False), (False, False)])
def test_a_relay_that_does_not_release_in_time_locks(mirrors: tuple[bool, bool]) -> None:
    stand = running()
    stand.a = False
    stand.step()
    stand.a = True
    stand.mirrors = mirrors
    stand.wait(TIME["FEEDBACK_US"] - 0, dt_us=10_000)
    assert stand.cause == "CHANNEL"
    stand.step(1)
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "RELAY_STUCK", 1)


@pytest.mark.parametrize("mirrors", [(False, True), (True, False), (True, True)])
def test_a_relay_that_does_not_pull_in_in_time_locks(mirrors: tuple[bool, bool]) -> None:
    stand = armed()
    stand.mirrors = (True, True)
    stand.beat(RUN)
    stand.mirrors = mirrors
    stand.wait(TIME["FEEDBACK_US"], RUN, dt_us=10_000)
    assert stand.name == "RUN"
    stand.step(1)
    assert not stand.on
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "RELAY_DEAD", 1)


@pytest.mark.parametrize("mirrors", [(False, True), (True, False)])
def test_a_relay_welded_since_the_start_locks(mirrors: tuple[bool, bool]) -> None:
    stand = stopped()
    stand.mirrors = mirrors
    stand.wait(2 * TIME["FEEDBACK_US"])
    assert stand.cause == "RELAY_STUCK"


def test_a_relay_that_lets_go_in_run_locks() -> None:
    stand = running()
    stand.mirrors = (True, False)
    stand.beat(RUN)
    assert not stand.on
    assert stand.cause == "RELAY_DEAD"


def test_the_pulsed_output_changes_in_every_cycle_of_run_and_rests_elsewhere() -> None:
    stand = running()
    levels = [stand.beat(RUN).made.relay_2 for _ in range(20)]
    assert all(a != b for a, b in itertools.pairwise(levels))
    assert all(stand.beat(RUN).made.relay_1 for _ in range(5))
    stand.a = False
    assert not any(stand.step().made.relay_2 for _ in range(4))


def test_relays_are_driven_in_run_only() -> None:
    for name, stand in stands():
        assert (stand.step().on or stand.step().on) == (name == "RUN")


def test_no_state_but_the_four_is_taken_for_a_state() -> None:
    for code in range(256):
        stand = running()
        stand.state.state = code
        if code in (0x33, 0xAA, 0xCC, 0x55):
            continue
        assert both_steps_open(stand.step())
        assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "RAM", 1)
