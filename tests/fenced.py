"""A vehicle among zones: a small policy with the section motion, and what zones say of a position and a velocity."""

from __future__ import annotations

import copy
import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from safetykit.core import walls, zones
from safetykit.core.vocabulary import State, fault_names
from safetykit.policy import Policy, parse_policy
from safetykit.runtime.guard import Guard
from tests.drive import Document, document

YARD: Document = {"rule": "keep_in", "corners_m": [[-50, -50], [50, -50], [50, 50], [-50, 50]]}
TOWER: Document = {
    "rule": "keep_out",
    "corners_m": [[10, -5], [20, -5], [20, 5], [10, 5]],
    "floor_m": -10,
    "ceiling_m": 30,
}
MAST: Document = {"rule": "keep_out", "centre_m": [20, 0], "radius_m": 10, "floor_m": -10, "ceiling_m": 30}
HALL: Document = {**YARD, "floor_m": -20, "ceiling_m": 20}
SCHOOL: Document = {**TOWER, "rule": "speed", "speed_mps_max": 2, "excess_mps": 0.5}
LEFT: Document = {"rule": "keep_in", "corners_m": [[-50, -50], [10, -50], [10, 50], [-50, 50]]}
RIGHT: Document = {"rule": "keep_in", "corners_m": [[-10, -50], [50, -50], [50, 50], [-10, 50]]}
MOTION: Document = {
    "velocity": {"x": "vx_meas_mps", "y": "vy_meas_mps", "z": "vz_meas_mps"},
    "steered_by": {"x": "ax_mps2", "y": "ay_mps2", "z": "az_mps2"},
    "brake_mps2": 4,
    "accel_mps2_max": 5,
    "latency_ms": 250,
    "position_error_m": 1.0,
    "margin_m": 1.0,
    "gain_per_s": 2,
}
KEPT = 2.0  # margin and position error
BRAKE, REACTION = 4.0, 0.25


def world(made_of: Document, motion: Document | None = MOTION, **sections: Any) -> Document:
    """The document of a drone with these zones; `motion` None leaves the section out."""
    channels = {
        name: {"unit": "mps2", "min": -10, "max": 10, "rate_up_per_s": 1000, "rate_down_per_s": 1000}
        for name in ("ax_mps2", "ay_mps2", "az_mps2")
    }
    made = document(zones=copy.deepcopy(made_of), **sections)
    made["channels"].update(channels)
    made["recovery"] = [{"name": "rest", "set": dict.fromkeys(made["channels"], 0.0), "for_s": 0.1}]
    for name, unit, most in (
        *((f"{axis}_m", "m", 2000.0) for axis in "xyz"),
        *((f"v{axis}_meas_mps", "mps", 40.0) for axis in "xyz"),
    ):
        made["sources"]["vehicle"]["inputs"][name] = {"unit": unit, "min": -most, "max": most}
    made["position"] = {"x": "x_m", "y": "y_m", "z": "z_m"}
    if motion is not None:
        made["motion"] = copy.deepcopy(motion)
    return made


@dataclass
class Zones:
    """The zone check alone, tick by tick."""

    policy: Policy
    frame: Any

    @classmethod
    def of(cls, made_of: Document, motion: Document | None = MOTION, **sections: Any) -> Zones:
        """The zones of such a policy; the vehicle is engaged."""
        return cls.over(world(made_of, motion, **sections))

    @classmethod
    def over(cls, made_of: Document) -> Zones:
        """The same for a whole document."""
        guard = Guard(parse_policy(made_of))
        made = cls(guard.policy, guard.frame)
        made.frame.st_state = int(State.ENGAGED)
        return made

    def at(self, *position: float, v: tuple[float, ...] = (0.0, 0.0, 0.0)) -> tuple[str, ...]:
        """Faults of one tick at this position with this velocity; NaN = that input is not valid."""
        names = ("x_m", "y_m", "z_m", "vx_meas_mps", "vy_meas_mps", "vz_meas_mps")
        self.frame.st_valid = 0
        for name, value in zip(names, [*[*position, 0.0][:3], *v], strict=True):
            i = self.policy.input_index(name)
            self.frame.in_value[i] = value
            self.frame.st_valid |= int(value == value) << i
        walls.clear(self.frame)
        return fault_names(int(zones.check(self.policy.limits, self.policy.timing, self.frame)))

    def state(self, state: State) -> Zones:
        """Another state of the guard."""
        self.frame.st_state = int(state)
        return self

    @property
    def inside(self) -> set[str]:
        """Zones that the vehicle is in."""
        return {name for k, name in enumerate(self.policy.zones) if int(self.frame.st_zones) >> k & 1}

    @property
    def walls(self) -> list[tuple[int, list[float]]]:
        """(what made it, [normal x, y, z, gap, speed, approach]) of each wall."""
        count = int(self.frame.st_wall_count)
        return [(int(self.frame.st_wall_of[k]), [float(v) for v in self.frame.st_wall[k]]) for k in range(count)]

    def wall(self, *normal: float) -> list[float]:
        """[gap, speed] of the one wall with this normal."""
        found = [wall[3:5] for _, wall in self.walls if np.allclose(wall[:3], normal, atol=1e-9)]
        assert len(found) == 1, self.walls
        return found[0]


def stopping_m(speed: float, towards: float | None = None) -> float:
    """What stopping takes along a fence's normal, margins and all."""
    part = speed if towards is None else towards
    return KEPT + part * REACTION + speed * part / (2 * BRAKE)


def star(chance: random.Random, centre: tuple[float, float], radius: float, corners: int) -> list[list[float]]:
    """A simple outline about a centre, convex or not; either way round."""
    turns = sorted(math.tau * (k + chance.uniform(0.1, 0.9)) / corners for k in range(corners))
    reach = [radius * (1.0 if corners < 5 else chance.choice((1.0, chance.uniform(0.3, 1.0)))) for _ in turns]
    points = [
        [centre[0] + r * math.cos(turn), centre[1] + r * math.sin(turn)] for r, turn in zip(reach, turns, strict=True)
    ]
    return points if chance.random() < 0.5 else points[::-1]
