"""What holds for every set of zones: more of them, worse brakes or less knowledge never make the outcome milder."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core.bounds import WALLS_MAX
from safetykit.core.vocabulary import State
from tests.drive import Document
from tests.fenced import MOTION, YARD, Zones, star

SEVERITY = {"ZONE_OUTSIDE": 1, "INFEASIBLE": 2, "ZONE": 2}  # CLAMP, RECOVER
Tick = tuple[State, tuple[float, ...], tuple[float, ...]]

seeds = st.integers(0, 2**32)


def zones(chance: random.Random, count: int) -> Document:
    """Some fences of each kind."""
    made: Document = {"yard": {**YARD, "floor_m": -20, "ceiling_m": 40}}
    for k in range(count):
        where = (chance.uniform(-40, 40), chance.uniform(-40, 40))
        made[f"z{k}"] = fence(chance, where)
    return made


def fence(chance: random.Random, where: tuple[float, float]) -> Document:
    """A keep-out zone, a speed zone, or a smaller keep-in zone."""
    shape: Document
    if chance.random() < 0.3:
        shape = {"centre_m": list(where), "radius_m": chance.uniform(8, 15)}
    else:
        shape = {"corners_m": star(chance, where, chance.uniform(8, 15), chance.choice((3, 4, 8, 12)))}
    shape["correct_m"] = chance.uniform(0, 2)
    if chance.random() < 0.5:
        shape |= {"floor_m": -10, "ceiling_m": 10}
    return {**shape, **chance.choice(({"rule": "keep_out"}, {"rule": "speed", "speed_mps_max": 2, "excess_mps": 1}))}


def flight(chance: random.Random) -> list[Tick]:
    """Some ticks: in standby first, then engaged, moving about."""
    at = [chance.uniform(-60, 60), chance.uniform(-60, 60), chance.uniform(-15, 15)]
    made: list[Tick] = []
    for k in range(14):
        v = tuple(chance.choice((0.0, chance.gauss(0, 6))) for _ in at)
        made.append((State.STANDBY if k < 4 else State.ENGAGED, tuple(at), v))
        at = [a + chance.gauss(0, 3) for a in at]
    return made


def flown(seen: Zones, ticks: list[Tick]) -> list[tuple[int, list[tuple[float, ...]]]]:
    """(severity, walls) of each tick."""
    found = []
    for state, at, v in ticks:
        faults = seen.state(state).at(*at, v=v)
        found.append((max((SEVERITY[name] for name in faults), default=0), [tuple(wall) for _, wall in seen.walls]))
    return found


@given(seed=seeds)
@settings(max_examples=150, deadline=None)
def test_one_zone_more_never_makes_the_outcome_milder(seed: int) -> None:
    chance = random.Random(seed)
    made, ticks = zones(chance, chance.choice((0, 1, 3))), flight(chance)
    more = {**made, "more": fence(chance, (chance.uniform(-40, 40), chance.uniform(-40, 40)))}
    if chance.random() < 0.5:
        more = dict(reversed(more.items()))
    few, many = Zones.of(made), Zones.of(more)
    for (before, walls), (after, all_walls) in zip(flown(few, ticks), flown(many, ticks), strict=True):
        assert after >= before
        assert len(all_walls) == WALLS_MAX or set(walls) <= set(all_walls)
    assert few.frame.st_speed_max_mps >= many.frame.st_speed_max_mps


@given(seed=seeds, unknown=st.sets(st.integers(0, 5), min_size=1))
@settings(max_examples=80, deadline=None)
def test_what_is_not_a_number_is_a_violation(seed: int, unknown: set[int]) -> None:
    chance = random.Random(seed)
    seen = Zones.of(zones(chance, 2))
    for state, at, v in flight(chance):
        numbers = [math.nan if k in unknown else value for k, value in enumerate([*at, *v])]
        assert seen.state(state).at(*numbers[:3], v=tuple(numbers[3:])) == ("ZONE",)


WORSE: list[Document] = [
    {"brake_mps2": 2.0},
    {"latency_ms": 450},
    {"wind_mps": 3.0},
    {"margin_m": 3.0},
    {"position_error_m": 2.5},
]


@pytest.mark.parametrize("worse", WORSE, ids=[next(iter(worse)) for worse in WORSE])
@given(seed=seeds)
@settings(max_examples=40, deadline=None)
def test_a_vehicle_that_knows_or_brakes_less_well_is_never_let_nearer(worse: Document, seed: int) -> None:
    """Engaged from the start: the latch of a vehicle that was outside depends on the margins themselves."""
    chance = random.Random(seed)
    made, ticks = zones(chance, 2), flight(chance)
    good, bad = Zones.of(made), Zones.of(made, motion={**MOTION, **worse})
    engaged: list[Any] = [(State.ENGAGED, at, v) for _, at, v in ticks]
    for (before, _), (after, _) in zip(flown(good, engaged), flown(bad, engaged), strict=True):
        assert after >= before


@given(seed=seeds)
@settings(max_examples=80, deadline=None)
def test_a_braking_vehicle_that_was_let_through_never_reaches_a_fence(seed: int) -> None:
    """Ring 2 in motion: as long as nothing is said, straight braking after the latency stops before the fence."""
    chance = random.Random(seed)
    made = {name: zone for name, zone in zones(chance, 3).items() if zone["rule"] != "speed"}
    plain = {name: {k: v for k, v in zone.items() if k != "correct_m"} for name, zone in made.items()}
    seen, truth = Zones.of(made), Zones.of(plain, motion=None)
    for _, at, v in flight(chance):
        if seen.at(*at, v=v):
            continue
        speed = math.hypot(*v)
        whole = speed * 0.25 + speed * speed / 8
        for share in (0.25, 0.5, 0.75, 1.0):
            there = [a + share * whole * k / max(speed, 1e-9) for a, k in zip(at, v, strict=True)]
            assert truth.at(*there) == ()
