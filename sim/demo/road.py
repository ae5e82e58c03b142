"""A short scene on the road: a car cuts in and brakes hard, in front of an autonomy that does not look.

The guard runs inside this process; every run is the same to the last digit. The same scene without the guard is the
contrast. The distance is taken from the two vehicles themselves, not from anything that the guard says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safetykit.core.bounds import OBJECT_COLS
from safetykit.core.columns import objects as of
from safetykit.core.vocabulary import State
from safetykit.policy import Policy, load_policy
from safetykit.runtime.guard import Guard
from sim.vehicles import Car

FloatArray = NDArray[np.float64]

POLICY = Path(__file__).resolve().parent / "road.yaml"
PERIOD_S, SECONDS, START_NS = 0.01, 18.0, 1_000_000_000
CUT_IN_S = 2.0  # when the other car begins to change the lane
CRUISE_MPS = 30.0
LENGTH_M, WIDTH_M, LANE_M = 4.5, 1.9, 3.5
SEED, SCENES = 20, 20


@dataclass(frozen=True)
class CutIn:
    """What the other car does. Speeds m/s, decelerations m/s^2, times s, distances m."""

    gap_m: float  # between the bumpers, as it begins to change the lane
    speed_mps: float
    change_s: float  # how long it takes to cross over
    waits_s: float  # between having crossed over and braking
    brake_mps2: float


@dataclass(frozen=True)
class Scene:
    """One run, as it was. `rows`: time (s), gap (m), own speed, other's speed (m/s), asked, driven (m/s^2)."""

    cut_in: CutIn
    rows: FloatArray
    rss_ticks: int  # in which the guard named RSS

    @property
    def gap_m(self) -> float:
        """The smallest distance between the bumpers; negative = crash."""
        return float(self.rows[:, 1].min())

    @property
    def impact_mps(self) -> float:
        """Difference of the speeds as they touch; 0 = they do not."""
        touched = np.flatnonzero(self.rows[:, 1] < 0.0)
        return float(self.rows[touched[0], 2] - self.rows[touched[0], 3]) if touched.size else 0.0


def cut_ins(seed: int = SEED, count: int = SCENES) -> list[CutIn]:
    """Cars that cut in, each a little different."""
    chance = np.random.default_rng(seed)
    return [
        CutIn(
            gap_m=chance.uniform(20.0, 30.0),
            speed_mps=chance.uniform(25.0, 29.0),
            change_s=chance.uniform(2.0, 3.0),
            waits_s=chance.uniform(0.5, 2.0),
            brake_mps2=chance.uniform(6.0, 8.0),
        )
        for _ in range(count)
    ]


class OtherCar:
    """Centre (m, along the road and to the left), and speeds (m/s), at a time that only moves on."""

    def __init__(self, cut_in: CutIn) -> None:
        self.cut_in = cut_in
        self.speed_mps = cut_in.speed_mps
        # As far ahead that the gap is `gap_m` when the change of lanes begins.
        self.x_m = cut_in.gap_m + LENGTH_M + (CRUISE_MPS - cut_in.speed_mps) * CUT_IN_S
        self.y_m, self.drift_mps = -LANE_M, 0.0

    def step(self, time_s: float) -> None:
        cut_in = self.cut_in
        across_s = CUT_IN_S + cut_in.change_s
        if time_s >= across_s + cut_in.waits_s:
            self.speed_mps = max(self.speed_mps - cut_in.brake_mps2 * PERIOD_S, 0.0)
        self.drift_mps = LANE_M / cut_in.change_s if CUT_IN_S <= time_s < across_s else 0.0
        self.x_m += self.speed_mps * PERIOD_S
        self.y_m += self.drift_mps * PERIOD_S

    def seen_from(self, x_m: float) -> FloatArray:
        """This car as the list of objects has it, shape (1, OBJECT_COLS)."""
        row = np.zeros((1, OBJECT_COLS))
        row[0, [of.OBJ_X, of.OBJ_Y]] = self.x_m - x_m, self.y_m
        row[0, [of.OBJ_VX, of.OBJ_VY]] = self.speed_mps, self.drift_mps
        row[0, [of.OBJ_LENGTH, of.OBJ_WIDTH, of.OBJ_ID]] = LENGTH_M, WIDTH_M, 1.0
        return row


def drive(cut_in: CutIn, policy: Policy | None) -> Scene:
    """One scene; without a policy the autonomy's word goes straight to the car."""
    car, other = Car(speed_mps=CRUISE_MPS), OtherCar(cut_in)
    guard = None if policy is None else Guard(policy)
    rows, rss_ticks = [], 0
    for tick in range(int(SECONDS / PERIOD_S)):
        time_s = tick * PERIOD_S
        asked = float(np.clip(0.8 * (CRUISE_MPS - car.speed_mps), -2.0, 2.0))  # keeps its speed, sees nobody
        driven = asked
        if guard is not None:
            inputs = {"speed_mps": car.speed_mps, "engage": float(tick > 0)}
            now_ns = START_NS + tick * int(PERIOD_S * 1e9)
            decision = guard.step(now_ns, {"accel_mps2": asked}, inputs, objects=other.seen_from(car.position_m[0]))
            # The guard has no say before it is engaged: in the first two ticks the car rolls.
            driven = decision.sent["accel_mps2"] if decision.state != State.STANDBY else 0.0
            rss_ticks += "RSS" in decision.faults
        car.step(np.array([0.0, driven]), PERIOD_S)
        other.step(time_s)
        gap_m = other.x_m - car.position_m[0] - LENGTH_M
        if abs(other.y_m) >= WIDTH_M:
            gap_m = max(gap_m, 0.0)  # beside each other they do not touch
        rows.append((time_s, gap_m, car.speed_mps, other.speed_mps, asked, driven))
        if gap_m < 0.0:
            break
    return Scene(cut_in, np.array(rows), rss_ticks)


@dataclass(frozen=True)
class RoadShow:
    """All scenes, with the guard and without it."""

    guarded: tuple[Scene, ...]
    bare: tuple[Scene, ...]

    @property
    def problems(self) -> list[str]:
        """What may not be: a crash with the guard, or a scene that would have shown nothing."""
        crashed = [number for number, scene in enumerate(self.guarded) if scene.gap_m < 0.0]
        found = [f"road: scene {number} ended in a crash, guard or not" for number in crashed]
        if not any(scene.gap_m < 0.0 for scene in self.bare):
            found.append("road: nothing happened without the guard either: the scenes show nothing")
        if any(scene.rss_ticks == 0 for scene in self.guarded):
            found.append("road: the guard did not name RSS in every scene")
        return found

    def lines(self) -> list[str]:
        """The numbers, for a terminal."""
        crashes = [scene.impact_mps for scene in self.bare if scene.gap_m < 0.0]
        kept = [scene for scene in self.guarded if scene.gap_m >= 0.0]
        nearest = min((scene.gap_m for scene in self.guarded), default=0.0)
        return [
            f"road: {len(self.guarded)} cars cut in and brake hard, in front of an autonomy that keeps its speed",
            f"  with the guard (RSS): {len(kept)} of {len(self.guarded)} kept, never nearer than {nearest:.1f} m",
            f"  without it:           {len(crashes)} crashes, at up to {max(crashes, default=0.0):.0f} m/s",
        ]


def perform() -> RoadShow:
    """Every scene twice."""
    policy = load_policy(POLICY)
    scenes = cut_ins()
    return RoadShow(tuple(drive(one, policy) for one in scenes), tuple(drive(one, None) for one in scenes))
