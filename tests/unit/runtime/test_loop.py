"""What the loop makes of mailboxes, controls and time, tick by tick."""

from __future__ import annotations

import os
import socket
import threading
import time

import numpy as np
import pytest

from safetykit.core.vocabulary import Action, Fault, State
from safetykit.runtime import loop, mailbox, status
from safetykit.runtime.clock import now_ns
from tests.unit.runtime.rig import START_NS, Rig, new_page

ZERO = [0.0, 0.0, 0.0, 0.0]


@pytest.fixture
def rig() -> Rig:
    return Rig("quadrotor")


def test_a_command_passes_from_mailbox_to_mailbox(rig: Rig) -> None:
    rig.engage()
    for _ in range(80):
        rig.inputs(engage=1.0)
        rig.command([0.3, 0.0, 0.0, 0.0])
        view = rig.tick()
    assert view.sent[0] == pytest.approx(0.3)
    assert (view.state, view.action, view.power, view.fault_names) == (State.ENGAGED, Action.PASS, True, ())
    assert view.seq == rig.frame.out_seq
    assert view.stamp_ns == rig.now_ns
    assert rig.page[status.TICKS] == view.seq == 83


def test_every_tick_is_in_the_ring_as_sent(rig: Rig) -> None:
    from safetykit.core.layout import FRAME
    from safetykit.runtime import ring

    rig.engage()
    head = int(rig.ring[ring.HEAD_AT])
    assert head == rig.frame.out_seq
    base = ring.HEADER_WORDS + (head - 1) % 8 * ring.FRAME_WORDS
    kept = rig.ring[base : base + ring.FRAME_WORDS].view(FRAME)[0]
    assert kept.tobytes() == rig.w.frame_words.tobytes()


def test_the_raw_count_reaches_the_core(rig: Rig) -> None:
    rig.inputs()
    rig.command(ZERO, count=-7)
    rig.tick()
    assert rig.frame.in_command_count[0] == -7
    assert "COMMAND_SIZE" in rig.output().fault_names


def test_a_source_of_another_size_gives_no_values(rig: Rig) -> None:
    rig.inputs()
    rig.write(loop.SOURCE_SLOT, [1.0, 2.0])
    rig.tick()
    vehicle = rig.policy.sources[0]
    assert np.isnan(rig.frame.in_value[vehicle.first : vehicle.first + vehicle.count]).all()
    assert np.isfinite(rig.frame.in_value[rig.policy.sources[1].first])


def test_one_torn_read_is_nothing_new_two_are_a_fault(rig: Rig) -> None:
    rig.engage()
    rig.boxes[loop.COMMAND_SLOT][mailbox.LOCK] |= 1
    rig.inputs(engage=1.0)
    assert "COMMAND_TORN" not in rig.tick().fault_names
    rig.inputs(engage=1.0)
    assert "COMMAND_TORN" in rig.tick().fault_names
    assert rig.page[status.TORN + loop.COMMAND_SLOT] == 2
    rig.inputs(engage=1.0)
    rig.command(ZERO)
    assert "COMMAND_TORN" not in rig.tick().fault_names


def test_messages_from_before_the_start_do_not_count(rig: Rig) -> None:
    rig.inputs()
    rig.command(ZERO)
    rig.write(loop.FUNCTION_SLOT, aux=rig.policy.function_number("land"))
    again = Rig(rig.policy, boxes=rig.boxes)
    view = again.tick()
    assert {"COMMAND_MISSING", "INPUT_STALE"} <= set(view.fault_names)
    assert view.function == 0
    again.records = rig.records
    again.inputs()
    again.command(ZERO)
    assert not {"COMMAND_MISSING", "INPUT_STALE"} & set(again.tick().fault_names)


def test_a_function_is_granted_once_per_publication(rig: Rig) -> None:
    rig.tick()
    rig.write(loop.FUNCTION_SLOT, aux=rig.policy.function_number("land"))
    view = rig.tick()
    assert (view.function, view.function_refused) == (rig.policy.function_number("land"), False)
    assert rig.tick().function == 0
    rig.write(loop.FUNCTION_SLOT, aux=rig.policy.function_number("no such thing"))
    assert rig.tick().function_refused


# ---------------------------------------------------------------------- controls


@pytest.mark.parametrize("client", ["cli", "ros", "console", "bridge"])
def test_every_client_can_stop(rig: Rig, client: str) -> None:
    rig.engage()
    rig.control(client, bits=mailbox.CONTROL_STOP, stops=1.0)
    view = rig.tick()
    assert view.state == State.PROTECTIVE_STOP
    assert view.stop_event == 1
    assert "STOP_REQUEST" in view.fault_names
    assert "STOP_REQUEST" not in rig.tick().fault_names  # acts once per publication ...
    assert rig.output().state == State.PROTECTIVE_STOP  # ... and latches


def test_a_stop_that_was_overwritten_before_the_tick_still_counts(rig: Rig) -> None:
    rig.engage()
    rig.control(bits=mailbox.CONTROL_STOP, stops=1.0)
    rig.control(bits=mailbox.CONTROL_RESET, stops=1.0, aux=0)
    assert rig.tick().state == State.PROTECTIVE_STOP


def test_reset_needs_the_present_event(rig: Rig) -> None:
    rig.engage()
    rig.control(bits=mailbox.CONTROL_STOP, stops=1.0)
    rig.tick()
    for event, state in ((0, State.PROTECTIVE_STOP), (2, State.PROTECTIVE_STOP), (1, State.STANDBY)):
        rig.inputs()
        rig.control("ros", bits=mailbox.CONTROL_RESET, aux=event)
        assert rig.tick().state == state


def test_the_button_is_a_level(rig: Rig) -> None:
    rig.engage()
    rig.control("bridge", bits=mailbox.CONTROL_BUTTON)
    for _ in range(3):
        view = rig.tick()
        assert (view.state, view.power) == (State.EMERGENCY_STOP, False)
        assert "STOP_BUTTON" in view.fault_names
    rig.inputs()
    rig.control(bits=mailbox.CONTROL_RESET, aux=1)
    assert rig.tick().state == State.EMERGENCY_STOP  # still pressed
    rig.control("bridge", bits=0)
    rig.inputs()
    rig.control(bits=mailbox.CONTROL_RESET, aux=1)
    assert rig.tick().state == State.STANDBY


def test_a_control_mailbox_that_stays_torn_is_a_stop(rig: Rig) -> None:
    rig.engage()
    box = rig.boxes[loop.CONTROL_SLOT]
    box[mailbox.LOCK] |= 1
    for tick in range(1, loop.CONTROL_TORN_TICKS + 3):
        rig.inputs(engage=1.0)
        rig.command(ZERO)
        rig.tick()
        assert ("STOP_REQUEST" in rig.in_faults()) == (tick >= loop.CONTROL_TORN_TICKS)


def test_a_stop_given_while_no_guard_ran_counts_an_old_reset_does_not(rig: Rig) -> None:
    rig.tick()
    rig.control("cli", bits=mailbox.CONTROL_STOP, stops=1.0)
    rig.control("ros", bits=mailbox.CONTROL_RESET, aux=1)
    again = Rig(rig.policy, boxes=rig.boxes, page=new_page(rig.page))
    assert again.tick().state == State.PROTECTIVE_STOP
    assert again.w.memory[loop.RESET_SEQ] == 0


def test_a_stop_that_the_guard_before_saw_is_not_taken_again(rig: Rig) -> None:
    rig.control("cli", bits=mailbox.CONTROL_STOP, stops=1.0)
    rig.tick()
    again = Rig(rig.policy, boxes=rig.boxes, page=new_page(rig.page))
    assert again.tick().state == State.STANDBY


def test_a_refused_second_sender_is_reported_once(rig: Rig) -> None:
    rig.boxes[loop.COMMAND_SLOT][mailbox.REFUSED] += 1
    rig.tick()
    assert "SENDER" in rig.in_faults()
    rig.tick()
    assert "SENDER" not in rig.in_faults()


# ---------------------------------------------------------------------- own faults, time, output


def test_without_a_passed_self_test_nothing_leaves_boot(rig: Rig) -> None:
    rig.w.memory[loop.SELFTEST_OK] = 0
    for engaged in (0.0, 1.0, 1.0):
        rig.inputs(engage=engaged)
        rig.command([1.0] * 4)
        view = rig.tick()
        assert (view.state, view.power, view.sent.tolist()) == (State.BOOT, False, ZERO)
    rig.raise_fault(Fault.SELFTEST)
    assert rig.tick().state == State.PROTECTIVE_STOP


def test_deadline_is_raised_from_the_limit_on_and_for_one_window(rig: Rig) -> None:
    limit = int(rig.w.memory[loop.MISS_LIMIT])
    assert limit == 5
    rig.tick()
    loop.book_misses(rig.w, rig.now_ns, limit - 1)
    rig.tick()
    assert "DEADLINE" not in rig.in_faults()
    loop.book_misses(rig.w, rig.now_ns, 1)
    rig.tick()
    assert "DEADLINE" in rig.in_faults()
    rig.tick(loop.MISS_WINDOW_NS)
    assert "DEADLINE" not in rig.in_faults()
    assert rig.page[status.MISSES] == limit


def test_the_same_record_goes_to_the_descriptor(rig: Rig) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with here, there:
        rig.w.memory[loop.OUT_FD] = here.fileno()
        rig.engage()
        assert [there.recv(4096) for _ in range(3)][-1] == rig.actuator.tobytes()
    assert rig.page[status.WRITE_FAILED] == 0


def test_a_descriptor_that_takes_nothing_is_counted_and_never_waited_for(rig: Rig) -> None:
    read_end, write_end = os.pipe2(os.O_NONBLOCK)
    rig.w.memory[loop.OUT_FD] = write_end
    for _ in range(200):  # a pipe holds 16 pages of 6 whole records
        rig.tick()
    assert rig.page[status.WRITE_FAILED] == 200 - 96
    assert rig.page[status.TICKS] == 200
    os.close(read_end)
    os.close(write_end)


def test_the_last_word_removes_power(rig: Rig) -> None:
    rig.engage([1.0, 0.0, 0.0, 0.0])
    last = rig.tick()
    loop.retire(rig.w)
    view = rig.output()
    assert (view.power, view.action, view.state) == (False, Action.EMERGENCY_STOP, State.EMERGENCY_STOP)
    assert view.sent.tolist() == ZERO
    assert (view.request_bits, view.function, view.seq) == (0, 0, last.seq + 1)


def test_run_keeps_the_period_until_told_to_quit(rig: Rig) -> None:
    loop.warm_up(rig.w)
    ticks = int(rig.page[status.TICKS])
    thread = threading.Thread(target=loop.run, args=(rig.w,))
    began = time.monotonic_ns()
    thread.start()
    while rig.page[status.TICKS] < ticks + 50:
        time.sleep(0.001)
    took_ns = time.monotonic_ns() - began
    rig.w.memory[loop.QUIT] = 1
    thread.join(5.0)
    assert not thread.is_alive()
    assert took_ns >= 50 * rig.policy.period_ns
    periods = took_ns // rig.policy.period_ns
    assert abs(periods - int(rig.page[status.TICKS]) - int(rig.page[status.MISSES])) <= 2
    assert rig.page[status.WAKE_BUCKETS :].sum() == rig.page[status.TICKS] - ticks
    assert abs(int(rig.frame.in_now_ns) - now_ns(rig.w.timespec)) < 10_000_000_000
    assert rig.frame.in_now_ns != START_NS


def test_the_loop_allocates_nothing_and_runs_while_the_interpreter_is_busy(rig: Rig) -> None:
    """A thread that never gives the interpreter away does not delay a tick: the loop does not hold its lock."""
    loop.warm_up(rig.w)
    thread = threading.Thread(target=loop.run, args=(rig.w,))
    thread.start()
    end, count = time.monotonic() + 0.5, 0
    while time.monotonic() < end:
        count += sum(range(200_000))  # one call, no switch inside
    ticks = int(rig.page[status.TICKS])
    rig.w.memory[loop.QUIT] = 1
    thread.join(5.0)
    assert ticks + int(rig.page[status.MISSES]) >= 40
