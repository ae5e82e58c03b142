"""Trigger and reset answer with what the guard did, never with what was hoped."""

from __future__ import annotations

from safetykit.adapters.ros.estop import ANSWER_NS_MAX, TICKS_TO_SEE, GuardTick, StopServices
from safetykit.core.vocabulary import Fault, State

STOPPED, STANDBY = State.PROTECTIVE_STOP, State.STANDBY
REFUSED = 1 << Fault.RESET_REFUSED


class Control:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def stop(self) -> None:
        self.asked.append("stop")

    def reset(self, stop_event: int) -> None:
        self.asked.append(f"reset {stop_event}")


def tick(seq: int, state: State = STOPPED, faults: int = 0) -> GuardTick:
    return GuardTick(seq, state, 7, faults)


def services(latest: GuardTick | None) -> tuple[StopServices, Control]:
    control = Control()
    made = StopServices(control)
    made.update(latest, 0)
    return made, control


def test_a_trigger_succeeds_only_after_the_guard_shows_the_stop() -> None:
    made, control = services(tick(5, State.ENGAGED))
    request = made.trigger(0)
    assert control.asked == ["stop"]
    made.update(tick(6, State.ENGAGED), 1)
    assert not request.done
    made.update(tick(7), 2)
    assert (request.done, request.success) == (True, True)
    assert "stop event 7" in request.message


def test_a_trigger_without_an_answer_fails_in_time() -> None:
    made, _ = services(tick(5, State.ENGAGED))
    request = made.trigger(0)
    made.update(tick(900, State.ENGAGED), ANSWER_NS_MAX + 1)
    assert (request.done, request.success) == (True, False)
    assert "ENGAGED" in request.message
    silent = made.trigger(0)
    made.update(None, ANSWER_NS_MAX + 1)
    assert "does not answer" in silent.message


def test_without_a_guard_nothing_is_promised() -> None:
    made = StopServices()
    assert (made.trigger(0).success, made.reset(0).success) == (False, False)


def test_a_reset_names_the_present_stop_event_and_waits_for_the_guard() -> None:
    made, control = services(tick(5))
    request = made.reset(0)
    assert control.asked == ["reset 7"]
    made.update(tick(5), 1)
    made.update(tick(5 + TICKS_TO_SEE - 1, STANDBY), 2)
    assert not request.done
    made.update(tick(5 + TICKS_TO_SEE, STANDBY), 3)
    assert (request.success, "STANDBY" in request.message) == (True, True)


def test_a_refused_reset_says_why() -> None:
    made, _ = services(tick(5))
    request = made.reset(0)
    made.update(tick(6, STOPPED, REFUSED | 1 << Fault.INPUT_STALE), 1)
    assert (request.done, request.success) == (True, False)
    assert "INPUT_STALE" in request.message


def test_a_reset_that_the_guard_ignores_fails_in_time() -> None:
    made, _ = services(tick(5))
    request = made.reset(0)
    made.update(tick(99), ANSWER_NS_MAX + 1)
    assert (request.done, request.success) == (True, False)
    assert "still PROTECTIVE_STOP" in request.message


def test_a_trigger_during_a_reset_wins() -> None:
    made, control = services(tick(5))
    reset = made.reset(0)
    trigger = made.trigger(0)
    assert (reset.done, reset.success) == (True, False)
    assert "aborted" in reset.message
    assert control.asked == ["reset 7", "stop"]
    made.update(tick(9), 1)
    assert trigger.success


def test_a_reset_never_overtakes_a_trigger() -> None:
    made, control = services(tick(5))
    made.trigger(0)
    assert "a stop trigger is under way" in made.reset(0).message
    assert control.asked == ["stop"]


def test_one_reset_at_a_time() -> None:
    made, control = services(tick(5))
    made.reset(0)
    assert "a reset is under way" in made.reset(0).message
    assert control.asked == ["reset 7"]
