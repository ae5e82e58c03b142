"""When was a fault first seen, when was it answered: on frames made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core.vocabulary import Action, Fault, State
from sim import autonomy
from sim.demo.outcome import contained, latch_broken

PERIOD_S = 0.01
TICKS = 200
BURST = autonomy.Fault("burst", "burst", 0.5, 0.5, ("BOUND",), {})
STOP = autonomy.Fault("stop", "stop_request", 0.5, 1.0, ("STOP_REQUEST",), {})


def frames(**changed: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Two seconds of an engaged guard that passes everything."""
    columns: dict[str, NDArray[Any]] = {
        "in_now_ns": (np.arange(TICKS) * PERIOD_S * 1e9).astype(np.int64),
        "out_faults": np.zeros(TICKS, np.int64),
        "out_action": np.full(TICKS, Action.PASS),
        "out_function_refused": np.zeros(TICKS, np.int64),
        "st_state": np.full(TICKS, State.ENGAGED),
    }
    return {**columns, **changed}


def from_tick(tick: int, value: int, before: int = 0) -> NDArray[Any]:
    return np.where(np.arange(TICKS) >= tick, value, before)


def test_the_tick_of_the_first_answer_counts() -> None:
    seen = frames(out_faults=from_tick(57, 1 << Fault.BOUND), out_action=from_tick(57, Action.CLAMP))
    assert contained(BURST, 50, seen, 1.5) == (7, "CLAMP: BOUND")


def test_another_reason_is_no_answer() -> None:
    seen = frames(out_faults=from_tick(50, 1 << Fault.ZONE), out_action=from_tick(50, Action.CLAMP))
    assert contained(BURST, 50, seen, 1.5) == (None, "was not answered")


def test_naming_a_fault_and_passing_it_is_no_answer() -> None:
    seen = frames(out_faults=from_tick(50, 1 << Fault.BOUND))
    assert contained(BURST, 50, seen, 1.5) == (None, "was not answered")


def test_an_answer_after_the_stretch_is_too_late() -> None:
    seen = frames(out_faults=from_tick(160, 1 << Fault.BOUND), out_action=from_tick(160, Action.CLAMP))
    assert contained(BURST, 50, seen, 1.5)[0] is None


def test_a_fault_that_never_came_is_said_to_be_unseen() -> None:
    assert contained(BURST, None, frames(), 1.5) == (None, "was never seen by the guard")


def test_a_guard_that_is_not_engaged_uses_nothing() -> None:
    ticks, answer = contained(BURST, 50, frames(st_state=np.full(TICKS, State.RECOVERY)), 1.5)
    assert ticks == 0
    assert answer.startswith("guard not engaged (RECOVERY)")


def states(*stretches: tuple[int, State]) -> dict[str, NDArray[Any]]:
    values = np.full(TICKS, State.ENGAGED)
    for tick, state in stretches:
        values[tick:] = state
    return frames(st_state=values)


def test_a_stop_that_holds_until_its_reset_is_whole() -> None:
    seen = states((51, State.PROTECTIVE_STOP), (151, State.STANDBY), (170, State.ENGAGED))
    assert latch_broken(STOP, seen, 50, 0.0) == []


def test_a_stop_that_lets_go_early_is_broken() -> None:
    seen = states((51, State.PROTECTIVE_STOP), (100, State.STANDBY), (120, State.ENGAGED))
    assert "the stop did not stay latched" in latch_broken(STOP, seen, 50, 0.0)


def test_a_stop_that_never_came_is_broken() -> None:
    assert "the stop did not stay latched" in latch_broken(STOP, states(), 50, 0.0)


def test_a_guard_that_cannot_be_engaged_again_is_broken() -> None:
    seen = states((51, State.PROTECTIVE_STOP))
    assert latch_broken(STOP, seen, 50, 0.0) == ["the guard was not engaged again after the reset"]
