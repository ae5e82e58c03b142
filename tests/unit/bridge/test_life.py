"""The whole life of guard and microcontroller together: production code on both sides, on one simulated clock."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from firmware_bridge.facts import DeviceFacts
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.vocabulary import State
from safetykit.runtime import loop
from tests.unit.bridge.core_board import RELAY_US, CoreBoard, Together, together

CYCLE_US = 1000
LINE_US = 3000  # sixteen bytes on the line, and the cycle that takes them
PERIOD_US = {"rover": 20_000, "quadrotor": 10_000}
POLICIES = list(PERIOD_US)


@pytest.fixture(params=POLICIES)
def both(request: pytest.FixtureRequest) -> Together:
    """At work."""
    pair = together(request.param)
    work(pair)
    return pair


def work(pair: Together) -> None:
    pair.start()
    pair.inputs = {"altitude_m": 0.0, "consent": 1.0}
    pair.engage = 1.0
    pair.ticks(3)
    assert pair.state == State.ENGAGED, pair.faults


def period_us(pair: Together) -> int:
    return pair.rig.policy.period_ns // 1000


def until_off(pair: Together, ticks: int = 20) -> int:
    """Microseconds of the microcontroller's clock until its outputs are off."""
    started_us = pair.board.now_us
    off_us: list[int] = []
    run_cycle = pair.board.run_cycle

    def run() -> None:
        run_cycle()
        if not off_us and not pair.board.driven:
            off_us.append(pair.board.now_us)

    pair.board.run_cycle = run  # type: ignore[method-assign]
    pair.ticks(ticks)
    del pair.board.run_cycle
    assert off_us, hex(pair.board.state)
    return off_us[0] - started_us


# ------------------------------------------------------------------ from the power-up to the next reset


def test_from_power_up_to_work_and_to_a_stop_and_back() -> None:
    pair = together()
    pair.tick()
    assert (pair.board.state, pair.state) == (p.STATE_STOPPED, State.EMERGENCY_STOP)
    assert pair.board.cause is p.Cause.POWER_UP
    pair.ticks(40)
    pair.turn_key()
    assert (pair.board.state, pair.board.power) == (p.STATE_ARMED, False)
    assert pair.device_faults == {"DEVICE_WAITS"}
    assert pair.reset().state == State.STANDBY
    pair.ticks(4)
    assert (pair.board.state, pair.board.power) == (p.STATE_RUN, True)
    pair.engage = 1.0
    pair.ticks(2)
    assert pair.state == State.ENGAGED
    pair.board.pressed = True
    pair.ticks(2)
    assert (pair.board.state, pair.board.power, pair.state) == (p.STATE_STOPPED, False, State.EMERGENCY_STOP)
    pair.engage, pair.board.pressed = 0.0, False
    pair.ticks(40)
    assert (pair.board.state, pair.state) == (p.STATE_STOPPED, State.EMERGENCY_STOP)
    pair.turn_key()
    pair.reset()
    pair.ticks(4)
    assert (pair.board.state, pair.board.power, pair.state) == (p.STATE_RUN, True, State.STANDBY)


def test_thousands_of_ticks_without_one_refused_heartbeat(both: Together) -> None:
    refused = int(both.board.cycle.state.refused)
    both.ticks(3000)
    assert (both.board.state, both.state) == (p.STATE_RUN, State.ENGAGED)
    assert int(both.board.cycle.state.refused) == refused
    assert int(both.board.cycle.state.damaged) == int(both.board.cycle.state.bad) == 0
    facts = both.facts()
    assert facts.counts["refused"] <= 2  # of the start, before the guard knew session and number
    assert facts.counts["damaged frames"] == facts.counts["stray bytes"] == 0


def trace(seed: int) -> str:
    """Everything that two hundred ticks of random acts leave on both sides."""
    rng, pair, made = random.Random(seed), together(seed=seed), hashlib.sha256()
    for _ in range(200):
        pair.board.pressed = rng.random() < 0.1
        pair.board.key = rng.random() < 0.5
        pair.tick()
        made.update(bytes(pair.board.cycle))
        made.update(pair.rig.device.link.tobytes() + pair.rig.w.frame_words.tobytes())
    return made.hexdigest()


def test_it_is_deterministic() -> None:
    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


# ------------------------------------------------------------------ stops


def test_the_button_opens_the_relays_in_the_same_cycle_and_stops_the_guard(both: Together) -> None:
    both.board.pressed = True
    assert until_off(both, ticks=1) == CYCLE_US
    both.ticks(2)
    assert both.state == State.EMERGENCY_STOP
    assert both.board.cause is p.Cause.CHANNEL


def test_a_guard_that_freezes_loses_power_within_100_ms_and_a_cycle(both: Together) -> None:
    both.frozen = True
    link_us = int(both.board.cycle.state.link_us)
    assert until_off(both) <= p.LINK_US + CYCLE_US - link_us
    assert both.board.cause is p.Cause.HOST_SILENT
    assert both.board.cycle.state.event[both.board.cycle.state.event_slot].link_us <= p.LINK_US + CYCLE_US
    both.ticks(2)
    assert not both.board.power


def test_a_cut_line_stops_both_sides(both: Together) -> None:
    both.cut = True
    assert until_off(both) <= p.LINK_US + CYCLE_US
    assert (both.board.cause, both.state) == (p.Cause.HOST_SILENT, State.EMERGENCY_STOP)
    both.cut = False
    both.ticks(50)
    assert (both.board.state, both.state) == (p.STATE_STOPPED, State.EMERGENCY_STOP)
    assert both.device_faults == {"STOP_BUTTON"}


def test_the_guard_notices_a_dead_microcontroller_in_its_own_time(both: Together) -> None:
    both.ticks(1)
    both.answering = False
    heard_ns = int(both.rig.device.link[hb.HEARD_NS])
    both.drop_answers()
    while both.state != State.EMERGENCY_STOP:
        both.tick()
        assert both.rig.now_ns - heard_ns <= hb.LINK_NS + 2 * both.rig.policy.period_ns
    assert both.device_faults == {"DEVICE_SILENT"}


def test_a_protective_stop_keeps_power_until_it_stands_and_then_opens_the_relays() -> None:
    """Stop category 1: the relays open when the guard removes power, not before."""
    both = together()
    work(both)
    both.stop()
    held = 0
    while both.rig.output().power:
        assert both.board.power
        both.tick()
        held += 1
    assert held > 3
    both.ticks(3)
    assert (both.board.state, both.board.power) == (p.STATE_STOPPED, False)
    assert both.board.cause is p.Cause.HOST_STOP


def test_a_guard_that_ends_says_stop(both: Together) -> None:
    loop.retire(both.rig.w)
    both.frozen = True
    assert until_off(both, ticks=2) <= LINE_US + CYCLE_US
    assert both.board.cause is p.Cause.HOST_STOP


def test_a_microcontroller_that_restarts_stops_the_guard(both: Together) -> None:
    both.board = CoreBoard(seed=99, cause=p.Cause.WATCHDOG)
    both.ticks(20)
    assert (both.board.state, both.state) == (p.STATE_STOPPED, State.EMERGENCY_STOP)
    assert both.board.cause is p.Cause.WATCHDOG
    both.reset()
    assert both.state == State.EMERGENCY_STOP


def test_a_second_guard_on_a_running_board_stops_it(both: Together) -> None:
    """A guard that was restarted knows neither session nor number: the first it says is STOP."""
    again = together(seed=5)
    again.board = both.board
    again.ticks(5)
    assert (again.board.state, again.board.power) == (p.STATE_STOPPED, False)


# ------------------------------------------------------------------ no way to RUN but the whole one


def stopped(pair: Together) -> None:
    pair.board.pressed = True
    pair.ticks(3)
    pair.engage, pair.board.pressed = 0.0, False
    pair.ticks(30)


@pytest.mark.parametrize(
    ("act", "blocker"),
    [
        (lambda pair: pair.inputs.update(speed_mps=0.5), "the guard does not say that the vehicle is at rest"),
        (lambda pair: setattr(pair.board, "pressed", True), "the emergency-stop channels are not both closed"),
        (lambda pair: setattr(pair, "cut", True), "not enough right answers in a row"),
        (lambda pair: None, ""),
    ],
    ids=["moving", "pressed", "cut", "nothing"],
)
def test_what_keeps_the_key_from_doing_anything(act: Callable[[Together], None], blocker: str) -> None:
    pair = together()
    work(pair)
    stopped(pair)
    act(pair)
    pair.ticks(60)
    facts: DeviceFacts = pair.facts()
    pair.turn_key()
    if not blocker:
        assert pair.board.state == p.STATE_ARMED
        return
    assert pair.board.state == p.STATE_STOPPED
    if blocker != "not enough right answers in a row":
        assert any(blocker in text for text in facts.blockers), facts.blockers


def test_a_reset_of_the_guard_alone_runs_nothing(both: Together) -> None:
    stopped(both)
    for _ in range(5):
        both.reset()
        both.ticks(10)
    assert (both.board.state, both.state) == (p.STATE_STOPPED, State.EMERGENCY_STOP)


def test_a_key_alone_arms_and_expires(both: Together) -> None:
    stopped(both)
    both.turn_key()
    assert both.board.state == p.STATE_ARMED
    both.ticks(p.ARMED_US // period_us(both) + 2)
    assert (both.board.state, both.board.cause) == (p.STATE_STOPPED, p.Cause.EXPIRED)
    both.reset()
    both.ticks(5)
    assert not both.board.power


def test_a_key_that_was_turned_before_the_stop_does_not_count(both: Together) -> None:
    both.board.key = True
    both.ticks(5)
    stopped(both)
    both.board.key = False
    both.ticks(5)
    assert both.board.state == p.STATE_STOPPED


@pytest.mark.parametrize("seed", range(4))
def test_random_lives_keep_the_rules(seed: int) -> None:
    """Button, key, reset, stop, cut and freeze at random: power only after key and reset, and never for long without
    a guard that grants it."""
    rng, pair = random.Random(seed), together(seed=seed + 1)
    pair.ticks(30)
    key_since_stop = reset_since_stop = False
    not_granted_us, runs = 0, 0
    for _ in range(1500):
        before = pair.board.state
        if rng.random() < 0.04:
            pair.board.pressed = rng.random() < 0.3
        pair.cut = rng.random() < (0.9 if pair.cut else 0.004)
        pair.frozen = rng.random() < (0.8 if pair.frozen else 0.003)
        if not pair.board.pressed and rng.random() < 0.1:
            pair.turn_key(rng.randrange(1, 20))
            key_since_stop = True
        if rng.random() < 0.3 and not pair.frozen:
            pair.reset()
            reset_since_stop = True
        if rng.random() < 0.01:
            pair.stop()
        pair.tick()
        if pair.board.state == p.STATE_RUN:
            assert key_since_stop
            assert reset_since_stop
            runs += before != p.STATE_RUN
        elif before == p.STATE_RUN or pair.board.state == p.STATE_SELFTEST:
            key_since_stop = reset_since_stop = False
        granted = not pair.frozen and not pair.cut and bool(hb.may_run(pair.rig.frame))
        not_granted_us = 0 if granted else not_granted_us + period_us(pair)
        if not_granted_us > p.LINK_US + 2 * period_us(pair):
            assert not pair.board.driven
            assert not pair.board.power
    assert runs > 3


def test_the_relays_of_the_simulated_board_follow_in_time() -> None:
    assert RELAY_US < p.FEEDBACK_US
