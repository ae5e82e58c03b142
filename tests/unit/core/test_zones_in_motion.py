"""Both rings at work: whatever the autonomy asks for, the vehicle keeps out of the second ring by the first."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from safetykit.core.vocabulary import State
from safetykit.policy import parse_policy
from safetykit.runtime.guard import Command, Decision, Guard
from tests.drive import Document
from tests.fenced import YARD, world

pytestmark = pytest.mark.core
PERIOD_S, DELAY_TICKS = 0.01, 5  # the command acts 50 ms later; the policy counts on 250 ms
AXES = ("ax_mps2", "ay_mps2", "az_mps2")
ZONES: Document = {
    "yard": {**YARD, "floor_m": -30, "ceiling_m": 30},
    "tower": {"rule": "keep_out", "corners_m": [[10, -5], [20, -5], [20, 5], [10, 5]]},
    "mast": {"rule": "keep_out", "centre_m": [-20, 10], "radius_m": 6},
    "school": {
        "rule": "speed",
        "corners_m": [[-10, -40], [10, -40], [10, -25], [-10, -25]],
        "speed_mps_max": 2,
        "excess_mps": 1,
    },
}


class Flight:
    """A point that follows accelerations, with a guard between it and who asks for them."""

    def __init__(self, made: Document, at: tuple[float, float, float]) -> None:
        self.guard = Guard(parse_policy(world(made)))
        self.now_ns = 10**12
        self.at, self.v = list(at), [0.0, 0.0, 0.0]
        self.under_way = [[0.0] * 3] * DELAY_TICKS

    def tick(self, asked: list[float], engage: float = 1.0) -> Decision:
        """One period later."""
        self.now_ns += int(PERIOD_S * 1e9)
        heard: dict[str, Any] = dict.fromkeys(self.guard.policy.inputs, 0.0) | {"engage": engage}
        for k, axis in enumerate("xyz"):
            heard |= {f"{axis}_m": self.at[k], f"v{axis}_meas_mps": self.v[k]}
        decision = self.guard.step(self.now_ns, Command((0.0, *asked)), heard)
        self.under_way = [*self.under_way[1:], [decision.sent[name] for name in AXES]]
        self.v = [v + a * PERIOD_S for v, a in zip(self.v, self.under_way[0], strict=True)]
        self.at = [x + v * PERIOD_S for x, v in zip(self.at, self.v, strict=True)]
        return decision

    def engaged(self) -> Flight:
        """After the operator's edge."""
        for engage in (0.0, 0.0, 1.0):
            decision = self.tick([0.0] * 3, engage)
        assert decision.state is State.ENGAGED, decision
        return self


@pytest.mark.parametrize("seed", range(4))
def test_random_commands_with_full_authority_never_reach_the_second_ring(seed: int) -> None:
    chance = random.Random(seed)
    flight, corrected = Flight(ZONES, (0.0, 0.0, 0.0)).engaged(), 0
    for k in range(1200):
        if k % 60 == 0:
            asked = [chance.uniform(-5, 5), chance.uniform(-5, 5), chance.uniform(-1.5, 1.5)]
        decision = flight.tick(asked)
        assert decision.state is State.ENGAGED, decision
        assert set(decision.faults) <= {"ZONE_NEAR"}
        corrected += decision.faults == ("ZONE_NEAR",)
    assert corrected > 50


def test_from_outside_the_way_back_is_open_and_the_way_out_is_not() -> None:
    flight = Flight({"yard": YARD}, (55.0, 0.0, 0.0)).engaged()
    for _ in range(200):
        decision = flight.tick([3.0, 0.0, 0.0])
        assert decision.state is State.ENGAGED
        assert "ZONE_OUTSIDE" in decision.faults
    assert flight.at[0] < 55.1
    for _ in range(400):
        asked = -2.0 if flight.v[0] > -3 else 0.0
        decision = flight.tick([asked, 0.0, 0.0])
        assert decision.state is State.ENGAGED
    assert flight.at[0] < 47
    assert decision.faults == ()
    assert flight.guard.frame.st_outside == 0


def test_blown_out_of_its_zone_it_recovers() -> None:
    flight = Flight({"yard": YARD}, (40.0, 0.0, 0.0)).engaged()
    flight.v = [9.0, 0.0, 0.0]
    decision = flight.tick([0.0] * 3)
    assert (decision.state, decision.faults[0]) == (State.RECOVERY, "ZONE")
    gap, needed = float(flight.guard.frame.st_zone_gap_m), float(flight.guard.frame.st_zone_needed_m)
    assert math.isclose(gap, 50 - 40, abs_tol=0.1)
    assert needed > gap
