"""What the guard's loop hears from its microcontroller: a stop acts within the tick, silence after 100 ms."""

from __future__ import annotations

import pytest

from firmware_bridge.wire import Diag, McuState, Status, encode
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Action, State
from safetykit.runtime import device
from tests.unit.bridge.bench import Bench, bench
from tests.unit.bridge.peer import Peer

MS = 1_000_000


def test_a_line_on_which_nothing_was_heard_stops_from_the_first_tick() -> None:
    with bench() as b:
        view = b.tick()
        assert (view.state, view.power) == (State.EMERGENCY_STOP, False)
        assert b.device_faults == {"DEVICE_SILENT"}


def test_no_line_at_all_stops_from_the_first_tick_and_says_nothing() -> None:
    with bench() as b:
        device.hand_over(b.rig.device, -1)
        view = b.tick()
        assert (view.state, b.device_faults) == (State.EMERGENCY_STOP, {"DEVICE_SILENT"})
        assert b.line[device.WRITE_FAILED] == b.facts().counts["heartbeats"] == 0
        assert b.rig.device.page[device.PAGE_CONNECTED] == 0


@pytest.mark.parametrize("state", [McuState.STOPPED, McuState.SELFTEST])
def test_a_stop_acts_in_the_tick_that_reads_it(at_work: Bench, state: McuState) -> None:
    at_work.say(state)
    view = at_work.tick()
    assert (view.state, view.power) == (State.EMERGENCY_STOP, False)
    assert at_work.device_faults == {"STOP_BUTTON"}


@pytest.mark.parametrize("seq", [0, 999])
def test_a_stop_needs_no_proof_but_a_whole_frame(at_work: Bench, seq: int) -> None:
    at_work.send(encode(Status(McuState.STOPPED, 0, 77, seq, 5), 1))
    assert at_work.tick().state == State.EMERGENCY_STOP


def test_a_stop_of_another_unit_or_with_a_damaged_bit_is_none(at_work: Bench) -> None:
    stop = encode(Status(McuState.STOPPED, 0, 77, 1, 5), 2)
    at_work.send(stop)
    for bit in range(0, 128, 5):
        at_work.send((int.from_bytes(encode(at_work.peer.status, 1), "little") ^ 1 << bit).to_bytes(16, "little"))
    at_work.tick()
    assert at_work.state == State.ENGAGED
    assert at_work.facts().counts["damaged frames"] > 10


def test_silent_after_more_than_100_ms_and_not_before(at_work: Bench) -> None:
    at_work.tick()
    heard_ns = at_work.rig.now_ns - 20 * MS  # this tick read the answer to the heartbeat of the tick before
    assert at_work.rig.device.link[hb.HEARD_NS] == heard_ns
    at_work.answering = False
    at_work.drop_answers()
    for _ in range(4):
        at_work.tick(20 * MS)
    assert at_work.rig.now_ns - heard_ns == 100 * MS
    assert (at_work.state, at_work.device_faults) == (State.ENGAGED, set())
    assert at_work.tick(1).state == State.EMERGENCY_STOP
    assert at_work.device_faults == {"DEVICE_SILENT"}


def test_every_answer_moves_the_limit(at_work: Bench) -> None:
    """Every second heartbeat unanswered: the limit counts from the sending of the latest that was answered."""
    for _ in range(50):
        at_work.answering = False
        at_work.tick()
        at_work.answering = True
        at_work.ticks(2)
        assert at_work.state == State.ENGAGED, at_work.faults


def test_armed_is_no_permission() -> None:
    with bench() as b:
        b.peer.be(McuState.ARMED)
        b.ticks(15)
        assert b.reset().state == State.STANDBY
        b.engage = 1.0
        b.ticks(3)
        assert b.state == State.STANDBY
        assert "DEVICE_WAITS" in b.faults
        b.engage = 0.0
        b.peer.be(McuState.RUN)
        b.ticks(3)
        assert b.state == State.STANDBY  # the edge came while it was refused; another one is needed
        b.engage = 1.0
        b.ticks(2)
        assert b.state == State.ENGAGED


def test_a_guard_is_not_reset_while_the_microcontroller_is_stopped() -> None:
    with bench() as b:
        b.ticks(15)
        assert b.device_faults == {"STOP_BUTTON"}
        b.reset()
        assert b.state == State.EMERGENCY_STOP
        assert "RESET_REFUSED" in b.faults


def test_back_to_armed_at_work_holds_but_never_passes_a_command(at_work: Bench) -> None:
    """No microcontroller does this without a stop in between; if one did, nothing would move."""
    at_work.peer.be(McuState.ARMED)
    at_work.ticks(3)
    assert at_work.device_faults == {"DEVICE_WAITS"}
    assert at_work.rig.frame.out_action == Action.HOLD
    assert at_work.facts().counts["stops"] == 1


def test_a_new_connection_must_say_anew_who_it_is(at_work: Bench) -> None:
    at_work.peer.pages = [page for page in at_work.peer.pages if page.page != p.PAGE_IDENT]
    at_work.line[device.EPOCH] += 1
    at_work.tick()
    assert (at_work.state, at_work.device_faults) == (State.EMERGENCY_STOP, {"DEVICE_SILENT"})
    at_work.ticks(30)
    assert at_work.device_faults == {"DEVICE_SILENT"}  # it answers, and RUN is believed, but who is it?
    at_work.send(encode(Diag(p.PAGE_IDENT, p.VERSION, 0x0100, 1, 1), 1))
    at_work.ticks(2)
    assert at_work.device_faults == set()
    assert at_work.state == State.EMERGENCY_STOP  # latched until a reset


def test_an_unplugged_line_stops_and_one_plugged_in_again_needs_a_reset(at_work: Bench) -> None:
    fd = int(at_work.line[device.FD])
    device.hand_over(at_work.rig.device, -1)
    assert at_work.tick().state == State.EMERGENCY_STOP
    at_work.ticks(10)
    device.hand_over(at_work.rig.device, fd)
    at_work.ticks(30)
    assert at_work.device_faults == set()
    assert at_work.state == State.EMERGENCY_STOP
    assert at_work.reset().state == State.STANDBY


@pytest.mark.parametrize("version", [0, p.VERSION + 1, 255])
def test_another_version_of_the_protocol_never_runs(version: int) -> None:
    with bench(peer=Peer(version=version)) as b:
        b.peer.be(McuState.RUN)
        b.ticks(60)
        b.reset()
        assert b.state == State.EMERGENCY_STOP
        assert "DEVICE_SILENT" in b.faults
        assert b.facts().version_seen == version
