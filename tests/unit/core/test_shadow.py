"""The shadow model: it may object, no more."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import Action, State
from safetykit.runtime.guard import Decision
from tests.drive import BASE, PERIOD_NS, Document, Drive, document

pytestmark = pytest.mark.core

FOR_TICKS = 5
MODEL = {
    "age_ms": 30,
    "future_ms": 5,
    "needed": False,
    "inputs": {"model_a": {"unit": "flag", "min": -5, "max": 5}},
}
SHADOW = {"source": "model", "map": {"a": {"input": "model_a", "tolerance": 0.5}}, "for_ms": FOR_TICKS * 10}


def shadowed(**sections: Any) -> Document:
    return document(sources={**BASE["sources"], "model": MODEL}, **{"shadow": SHADOW, **sections})


class Watched(Drive):
    """`ask(asked, model)`: one tick; None = the model says nothing new."""

    def __init__(self, made: Document | None = None) -> None:
        super().__init__(made or shadowed())
        self.inputs = {name: value for name, value in self.inputs.items() if name != "model_a"}

    def ask(self, asked: float, model: float | None) -> Decision:
        said = {} if model is None else {"model_a": model}
        return self.tick(asked, inputs={**self.inputs, **said})

    def asks(self, ticks: int, asked: float, model: float | None) -> Decision:
        for _ in range(ticks):
            decision = self.ask(asked, model)
        return decision


def test_a_model_that_asks_for_something_else_for_long_objects() -> None:
    drive = Watched().engaged()
    assert drive.asks(FOR_TICKS, 1.0, 1.6).faults == ()
    assert drive.guard.frame.st_shadow_worst == 1
    decision = drive.ask(1.0, 1.6)
    assert (decision.faults, decision.action, decision.state) == (("SHADOW",), Action.RECOVER, State.RECOVERY)


@pytest.mark.parametrize("model", [1.5, 0.5, 1.0])
def test_within_the_tolerance_it_agrees(model: float) -> None:
    drive = Watched().engaged()
    assert drive.asks(30, 1.0, model).faults == ()
    assert (drive.guard.frame.st_shadow_available, drive.guard.frame.st_shadow_worst) == (1, -1)


def test_a_short_objection_is_forgotten_once_it_agrees() -> None:
    drive = Watched().engaged()
    for _ in range(5):
        assert drive.asks(FOR_TICKS, 1.0, 2.0).faults == ()
        assert drive.ask(1.0, 1.0).faults == ()


@pytest.mark.parametrize("said", [None, math.nan, math.inf, 9.0])
def test_a_model_that_is_missing_late_or_says_no_number_is_no_fault(said: float | None) -> None:
    drive = Watched().engaged()
    drive.asks(2, 1.0, 1.0)
    assert drive.asks(30, 1.0, said).faults == ()
    assert drive.guard.frame.st_shadow_available == 0


@pytest.mark.parametrize("said", [None, math.nan])
def test_a_model_that_falls_silent_takes_nothing_back(said: float | None) -> None:
    drive = Watched(shadowed_degraded()).engaged()
    assert drive.asks(FOR_TICKS + 1, 1.0, 2.0).faults == ("SHADOW",)
    decision = drive.asks(50, 1.0, said)
    assert (decision.faults, decision.action) == (("SHADOW",), Action.DEGRADE)
    assert drive.asks(2, 1.0, 1.0).faults == ()


def test_time_without_the_model_is_not_counted_and_not_forgotten() -> None:
    drive = Watched().engaged()
    drive.asks(FOR_TICKS - 1, 1.0, 2.0)
    assert drive.asks(50, 1.0, math.nan).faults == ()
    assert drive.ask(1.0, 2.0).faults == ()
    assert drive.ask(1.0, 2.0).faults == ("SHADOW",)


def test_only_the_drive_is_watched() -> None:
    drive = Watched()
    drive.asks(50, 1.0, 4.0)
    assert drive.guard.frame.st_shadow_differs_ns == 0
    assert drive.engaged().guard.frame.st_shadow_differs_ns == 0


def test_a_gap_in_the_ticks_counts_at_most_the_longest_step_and_a_clock_that_runs_back_nothing() -> None:
    drive = Watched(shadowed(shadow={**SHADOW, "for_ms": 200})).engaged()
    drive.ask(1.0, 2.0)
    for dt_ns, differs_ms in ((40 * PERIOD_NS, 60), (-PERIOD_NS, 60), (PERIOD_NS, 70)):
        drive.guard.frame.st_state = State.ENGAGED
        drive.tick(1.0, inputs={**drive.inputs, "model_a": 2.0}, dt_ns=dt_ns)
        assert drive.guard.frame.st_shadow_differs_ns == differs_ms * 1_000_000


def shadowed_degraded() -> Document:
    made = shadowed(reactions={"SHADOW": "DEGRADE"})
    made["channels"]["a"]["degraded_scale"] = 0.5
    return made
