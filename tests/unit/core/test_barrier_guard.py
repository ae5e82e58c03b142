"""The barrier filter within the whole guard: reasons, HOLD, recovery, and inputs that are no numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import Action, State
from safetykit.policy import parse_policy
from safetykit.runtime.guard import Command, Guard
from tests.drive import PERIOD_NS, START_NS, Document
from tests.unit.policy.cases_motion import DRONE
from tests.unit.policy.edits import edited

pytestmark = pytest.mark.core
QUIET = {"altitude_m": 50.0, "engage": 0.0, "consent": 0.0}


class Flight:
    """The preset quadrotor, whose velocity follows its set-points with half a second."""

    def __init__(self, **motion: Any) -> None:
        made: Document = edited("quadrotor", {"motion": {**DRONE, "ceiling_m": 80, **motion}})
        self.guard, self.now_ns = Guard(parse_policy(made)), START_NS
        self.inputs = {**dict.fromkeys(self.guard.policy.inputs, 0.0), **QUIET}
        for engage in (0.0, 0.0, 1.0):
            self.inputs["engage"] = engage
            decision = self.tick(0.0, 0.0, 0.0)
        assert decision.state is State.ENGAGED

    def tick(self, *ask: float, heard: Document | None = None) -> Any:
        self.now_ns += PERIOD_NS
        asked = Command((*ask, 0.0)) if ask else None
        decision = self.guard.step(self.now_ns, asked, {**self.inputs, **(heard or {})})
        for axis, place in (("x", "x_m"), ("y", "y_m"), ("z", "altitude_m")):
            speed = self.inputs[f"v{axis}_meas_mps"]
            self.inputs[place] += speed * 0.01
            self.inputs[f"v{axis}_meas_mps"] += (decision.sent[f"v{axis}_mps"] - speed) / 0.5 * 0.01
        self.inputs["speed_mps"] = math.hypot(*(self.inputs[f"v{axis}_meas_mps"] for axis in "xyz"))
        return decision


def test_a_climb_ends_below_the_ceiling_and_says_why() -> None:
    flight, faults = Flight(), set[str]()
    for _ in range(2500):
        decision = flight.tick(0.0, 0.0, 3.0)
        faults |= set(decision.faults)
        assert flight.inputs["altitude_m"] <= 80
        assert decision.state is State.ENGAGED
        if "BARRIER" in decision.faults:
            assert decision.action is Action.CLAMP
            assert "BARRIER" in decision.reasons["vz_mps"]
    assert flight.inputs["altitude_m"] > 79
    assert faults <= {"BARRIER", "JERK", "RATE", "NORM", "COMMAND_REPEATED"}
    assert "BARRIER" in faults


def test_a_command_that_is_held_is_filtered_too() -> None:
    flight = Flight()
    while flight.inputs["altitude_m"] < 78:
        flight.tick(0.0, 0.0, 3.0)
    for _ in range(40):
        decision = flight.tick(0.0, math.nan, 3.0)  # HOLD: the last one goes on
        assert decision.action is Action.HOLD
    assert flight.inputs["altitude_m"] <= 80
    assert "BARRIER" in decision.reasons["vz_mps"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e6])
@pytest.mark.parametrize("name", ["vx_meas_mps", "vz_meas_mps", "altitude_m"])
def test_a_state_that_is_no_number_recovers(bad: float, name: str) -> None:
    flight = Flight()
    for _ in range(100):
        flight.tick(3.0, 0.0, 0.0)
    sent = flight.guard.frame.st_sent[0]
    decision = flight.tick(5.0, 0.0, 0.0, heard={name: bad})
    assert "INFEASIBLE" in decision.faults
    assert decision.state is State.RECOVERY
    assert decision.sent["vx_mps"] <= sent + 0.02  # the jerk limit lets go of what was begun
    assert all(math.isfinite(value) for value in decision.sent.values())
