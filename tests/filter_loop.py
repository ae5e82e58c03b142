"""The barrier filter alone in a closed loop: envelope, filter and commit of each tick, and a vehicle with a delay.

The walls are pushed by the test, so that nothing here depends on zones or objects.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numba
import numpy as np

from safetykit.core import barrier, output, planes, walls
from safetykit.core.layout import new_frames
from safetykit.core.step import start
from safetykit.core.vocabulary import State
from safetykit.policy import parse_policy
from tests.drive import BASE, Document

DT_S = 0.01
# (of, normal, gap m, speed m/s, approach m/s)
Wall = tuple[int, tuple[float, float, float], float, float, float]
AXES = ("x", "y", "z")


def policy_of(channels: Document, motion: Document, inputs: Document, **sections: Any) -> Document:
    """A policy with only what the filter needs; the first channel steers nothing, so that a wrong offset shows."""
    made = copy.deepcopy(BASE)
    made["sources"]["vehicle"]["inputs"] = {"spare": {"unit": "flag", "min": -1, "max": 1}, **inputs}
    made["channels"] = {"spare_flag": {"unit": "flag", "min": -1, "max": 1}, **channels}
    made["motion"] = motion
    made["recovery"] = [{"name": "rest", "set": dict.fromkeys(made["channels"], 0.0), "for_s": 1}]
    made["stop"]["power_off_after_s"] = 60
    return {**made, **sections}


def drone(by: str = "mps", axes: int = 3, channel: Document | None = None, **motion: Any) -> Document:
    """A drone steered by velocity set-points (`by` = mps) or accelerations (mps2)."""
    names, limit = AXES[:axes], 12.0 if by == "mps" else 6.0
    rates = {"rate_up_per_s": 6, "rate_down_per_s": 6} if by == "mps" else {"rate_up_per_s": 80, "rate_down_per_s": 80}
    channels = {f"{k}_{by}": {"unit": by, "min": -limit, "max": limit, **rates, **(channel or {})} for k in names}
    inputs: Document = {f"v{k}_mps": {"unit": "mps", "min": -40, "max": 40} for k in AXES}
    inputs |= {f"{k}_m": {"unit": "m", "min": -1000, "max": 1000} for k in AXES}
    inputs |= {"error_m": {"unit": "m", "min": 0, "max": 5}}
    section = {
        "velocity": {k: f"v{k}_mps" for k in AXES},
        "steered_by": {k: f"{k}_{by}" for k in names},
        "brake_mps2": 3,
        "accel_mps2_max": 5,
        "latency_ms": 200,
        "gain_per_s": 2,
        "ceiling_m": 900,
        **({"response_s": 0.4} if by == "mps" else {}),
        **motion,
    }
    section = {key: value for key, value in section.items() if value is not None}
    position = {k: f"{k}_m" for k in AXES} if {"floor_m", "ceiling_m"} & set(section) else None
    return policy_of(channels, section, inputs, position=position)


def car(by: str = "mps2", steer: bool = True, **motion: Any) -> Document:
    """A car steered by acceleration (mps2) or a speed set-point (mps), and curvature."""
    along: Document = {"unit": by, "min": -6, "max": 3, "rate_up_per_s": 50, "rate_down_per_s": 50}
    if by == "mps":
        along = {"unit": by, "min": -5, "max": 30, "rate_up_per_s": 5, "rate_down_per_s": 6}
    channels = {f"along_{by}": along}
    if steer:
        channels["bend_radpm"] = {"unit": "radpm", "min": -0.2, "max": 0.2}
        channels["bend_radpm"] |= {"rate_up_per_s": 0.3, "rate_down_per_s": 0.3}
    inputs: Document = {
        "v_mps": {"unit": "mps", "min": -10, "max": 60},
        "heading_rad": {"unit": "rad", "min": -7, "max": 7},
    }
    section = {
        "speed": "v_mps",
        "heading": "heading_rad",
        "steered_by": {"along": f"along_{by}", **({"steer": "bend_radpm"} if steer else {})},
        "brake_mps2": 4,
        "accel_mps2_max": 6,
        "latency_ms": 300,
        "gain_per_s": 1.5,
        "speed_mps_max": 40,
        **({"response_s": 0.4} if by == "mps" else {}),
        **motion,
    }
    return policy_of(channels, section, inputs)


class Loop:
    """One frame, ticked by hand."""

    def __init__(self, made: Document) -> None:
        self.policy = parse_policy(made)
        frames = new_frames()
        self.frame = frames.view(np.recarray)[0]
        self.state = self.frame if numba.config.DISABLE_JIT else frames[0]  # the same memory, as the core wants it
        start(self.policy.limits, self.policy.timing, self.state)
        self.frame.st_state = int(State.ENGAGED)
        self.frame.st_valid = (1 << len(self.policy.inputs)) - 1
        self.steered = [k for k, name in enumerate(self.policy.channels) if name != "spare_flag"]

    def measure(self, **values: float) -> None:
        for name, value in values.items():
            self.frame.in_value[self.policy.input_index(name)] = value

    def forget(self, name: str) -> None:
        """An input that is not valid."""
        self.frame.st_valid &= ~(1 << self.policy.input_index(name))

    def sent_before(self, values: Sequence[float]) -> None:
        for c, value in zip(self.steered, values, strict=True):
            self.frame.st_sent[c] = value

    def tick(self, ask: Sequence[float], around: Sequence[Wall], dt_s: float = DT_S, speed_max: float = 1e300) -> int:
        """Faults of one tick; the result is in `sent`."""
        limits, timing, frame = self.policy.limits, self.policy.timing, self.state
        walls.clear(frame)
        planes.remember(limits, timing, frame, dt_s)
        self.frame.st_speed_max_mps = speed_max
        for of, normal, gap, speed, approach in around:
            assert walls.push(frame, of, normal, gap, speed, approach) == 0
        for c, value in zip(self.steered, ask, strict=True):
            self.frame.st_target[c] = value
        output.limit_all(limits, timing, frame, dt_s, sum(1 << c for c in self.steered))
        self.wanted = self.out
        return int(barrier.protect(limits, timing, frame, dt_s))

    @property
    def out(self) -> list[float]:
        return [float(self.frame.out_sent[c]) for c in self.steered]

    def commit(self, dt_s: float = DT_S) -> None:
        output.commit(self.policy.limits, self.policy.timing, self.state, dt_s)


class Flight:
    """A drone whose measurements are `age` ticks old when they are used."""

    def __init__(self, made: Document, age: int = 10, velocity: Sequence[float] = (0, 0, 0)) -> None:
        self.loop = Loop(made)
        self.response = made["motion"].get("response_s", 0.0)
        self.x, self.v = np.zeros(3), np.array(velocity, float)
        self.seen = deque([(self.x.copy(), self.v.copy())] * (age + 1), maxlen=age + 1)
        self.faults = 0
        if self.response:
            self.loop.sent_before(list(velocity)[: len(self.loop.steered)])

    def fly(self, ask: Sequence[float], around: Callable[[Any], Sequence[Wall]], **options: float) -> None:
        """One tick: `around` gives the walls that a vehicle at a place sees."""
        x, v = self.seen[0]
        self.loop.measure(
            **{f"v{k}_mps": v[i] for i, k in enumerate(AXES)}, **{f"{k}_m": x[i] for i, k in enumerate(AXES)}
        )
        self.faults = self.loop.tick(ask, around(x), **options)
        self.loop.commit()
        told = np.zeros(3)
        told[: len(self.loop.steered)] = self.loop.out
        acceleration = (told - self.v) / self.response if self.response else told
        self.x = self.x + self.v * DT_S + 0.5 * acceleration * DT_S**2
        self.v = self.v + acceleration * DT_S
        self.seen.append((self.x.copy(), self.v.copy()))


class Ride:
    """A car whose measurements are `age` ticks old when they are used."""

    def __init__(self, made: Document, age: int = 10, speed: float = 0.0, heading: float = 0.0) -> None:
        self.loop = Loop(made)
        self.response = made["motion"].get("response_s", 0.0)
        self.x, self.y, self.v, self.heading = 0.0, 0.0, speed, heading
        self.seen = deque([(0.0, 0.0, speed, heading)] * (age + 1), maxlen=age + 1)
        self.faults = 0
        if self.response:
            self.loop.sent_before([speed, 0.0][: len(self.loop.steered)])

    def drive(self, ask: Sequence[float], around: Callable[[float, float], Sequence[Wall]], **options: float) -> None:
        x, y, v, heading = self.seen[0]
        self.loop.measure(v_mps=v, heading_rad=math.remainder(heading, 2 * math.pi))
        self.faults = self.loop.tick(ask, around(x, y), **options)
        self.loop.commit()
        told, *bend = self.loop.out
        acceleration = (told - self.v) / self.response if self.response else told
        if not self.response and self.v <= 0.0 and acceleration < 0.0:
            acceleration = -self.v / DT_S  # brakes do not drive backwards
        self.x += self.v * math.cos(self.heading) * DT_S
        self.y += self.v * math.sin(self.heading) * DT_S
        self.heading += self.v * (bend[0] if bend else 0.0) * DT_S
        self.v += acceleration * DT_S
        self.seen.append((self.x, self.y, self.v, self.heading))
