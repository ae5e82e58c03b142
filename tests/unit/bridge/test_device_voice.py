"""What the guard's loop says to its microcontroller is what it does: RUN, rest and the answer."""

from __future__ import annotations

from firmware_bridge.wire import McuState
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Fault, State
from safetykit.runtime import loop
from tests.unit.bridge.bench import Bench, bench


def heartbeats(b: Bench) -> list[tuple[int, int]]:
    """(command, rest) of the heartbeats since the last look."""
    taken = [(beat.command, beat.rest) for beat in b.peer.beats]
    b.peer.beats.clear()
    return taken


RUN, STOP = p.COMMAND_RUN, p.COMMAND_STOP


def test_stop_is_said_from_the_very_tick_of_an_emergency_stop(at_work: Bench) -> None:
    heartbeats(at_work)
    at_work.ticks(3)
    assert {command for command, _ in heartbeats(at_work)} == {RUN}
    at_work.say(McuState.STOPPED)
    at_work.ticks(3)
    assert at_work.state == State.EMERGENCY_STOP
    assert {command for command, _ in heartbeats(at_work)} == {STOP}


def test_run_is_said_in_standby() -> None:
    with bench() as b:
        b.ready()
        heartbeats(b)
        b.ticks(5)
        assert b.state == State.STANDBY
        assert set(heartbeats(b)) == {(RUN, p.REST_YES)}


def test_run_is_said_in_a_stop_under_control_only_while_it_needs_power(at_work: Bench) -> None:
    """Stop category 1: power stays until the vehicle stands, and then goes for good."""
    at_work.stop()
    heartbeats(at_work)
    said = []
    for _ in range(80):
        view = at_work.tick()
        assert view.state == State.PROTECTIVE_STOP
        said += [(view.power, command) for command, _ in heartbeats(at_work)]
    assert set(said) == {(True, RUN), (False, STOP)}
    assert said == sorted(said, reverse=True, key=lambda pair: pair[0])  # power never comes back by itself


def test_run_is_said_while_the_recovery_function_drives(at_work: Bench) -> None:
    heartbeats(at_work)
    said = set()
    for _ in range(60):  # no fresh commands: the policy brakes
        at_work.rig.inputs(engage=1.0)
        at_work.rig.tick()
        at_work.answer()
        said |= {(State(at_work.state), command) for command, _ in heartbeats(at_work)}
    assert said == {(State.ENGAGED, RUN), (State.RECOVERY, RUN)}


def test_no_run_before_the_self_test_has_passed() -> None:
    with bench() as b:
        b.rig.w.memory[loop.SELFTEST_OK] = 0
        b.rig.raise_fault(Fault.SELFTEST)
        b.peer.be(McuState.RUN)
        b.ticks(30)
        b.reset()
        b.ticks(5)
        assert {command for command, _ in heartbeats(b)} == {STOP}


def test_rest_follows_the_conditions_of_the_policy(at_work: Bench) -> None:
    for speed, rest in ((0.0, p.REST_YES), (0.04, p.REST_YES), (0.06, p.REST_NO), (-0.3, p.REST_NO), (0.0, p.REST_YES)):
        at_work.inputs = {"speed_mps": speed}
        at_work.tick()
        heartbeats(at_work)
        at_work.tick()
        assert {said for _, said in heartbeats(at_work)} == {rest}, speed


def test_rest_is_not_said_without_a_fresh_measurement(at_work: Bench) -> None:
    heartbeats(at_work)
    said = []
    for _ in range(20):
        at_work.rig.command([0.0, 0.0])
        at_work.rig.tick()
        at_work.answer()
        said += [rest for _, rest in heartbeats(at_work)]
    assert said[-1] == p.REST_NO


def test_the_last_word_of_a_loop_that_ends_is_stop(at_work: Bench) -> None:
    at_work.tick()
    heartbeats(at_work)
    loop.retire(at_work.rig.w)
    at_work.peer(at_work.sent())
    assert [command for command, _ in heartbeats(at_work)] == [STOP]


def test_every_answer_is_right_and_numbered_one_after_the_other(at_work: Bench) -> None:
    at_work.ticks(2)
    before = at_work.peer.status
    at_work.peer.beats.clear()
    at_work.tick()
    (beat,) = at_work.peer.beats
    assert (beat.session, beat.seq) == (before.session, before.seq + 1)
    assert beat.answer == hb.answer(1, progress.whole(before.challenge), beat.session, beat.seq)
