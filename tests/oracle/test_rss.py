"""Safety distances and collision checks against worked examples, a simulation of the worst case, and plain Python.

The examples are computed by hand from the definitions of Shalev-Shwartz et al. 2017 (arXiv 1708.06374). The simulation
moves both cars as the definitions say and looks at the gap between them at every moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core import rss
from tests.road import RSS, Road, car, robot, thing

ACCEL, LEAST, MOST, CORRECT, TIME = 2.0, 4.0, 8.0, 3.0, 0.5
SIDE_ACCEL, SIDE_BRAKE, MARGIN = 0.2, 0.8, 0.2


def looking(**more: float) -> Road:
    """A guard in STANDBY: it looks at objects all the same."""
    return Road(car(**more))


@dataclass
class Seen:
    gap: float
    needed: float
    across: float
    needed_across: float
    response: int


def look(road: Road, item: list[float], speed: float, lateral: float = 0.0) -> Seen:
    road.inputs["speed_mps"], road.inputs["lateral_mps"] = speed, lateral
    road.objects = [item]
    road.tick(0.0, 0.0)
    f = road.guard.frame
    gaps = f.st_rss_gap_m, f.st_rss_needed_m, f.st_rss_lateral_gap_m, f.st_rss_lateral_needed_m
    return Seen(*map(float, gaps), int(f.st_rss_response))


@pytest.mark.parametrize(
    ("speed", "other", "needed"),
    [
        # lemma 2: 20 * 0.5 + 0.5 * 2 * 0.25 + (20 + 1)^2 / 8 - 20^2 / 16 = 10 + 0.25 + 55.125 - 25
        (20.0, 20.0, 40.375),
        # towards a standing car: 10 * 0.5 + 0.25 + 11^2 / 8 = 5 + 0.25 + 15.125
        (10.0, 0.0, 20.375),
        # [.]+ : the car ahead is far faster: 2.5 + 0.25 + 36 / 8 - 900 / 16 < 0
        (5.0, 30.0, 0.0),
        # standing still needs what may be driven in the response time: 0.25 + 1 / 8
        (0.0, 0.0, 0.375),
        # opposite directions: (10 + 11) / 2 * 0.5 + 121 / 6 + (5 + 6) / 2 * 0.5 + 36 / 8 = 5.25 + 20.1667 + 2.75 + 4.5
        (10.0, -5.0, 32.0 + 2 / 3),
    ],
)
def test_worked_examples_along_the_road(speed: float, other: float, needed: float) -> None:
    assert look(looking(), thing(200.0, vx=other), speed).needed == pytest.approx(needed, rel=1e-14)


@pytest.mark.parametrize(
    ("own", "other", "needed"),
    [
        # both sway only: 0.2 + 2 * (0.1 / 2 * 0.5 + 0.1^2 / 1.6) = 0.2 + 2 * (0.025 + 0.00625)
        (0.0, 0.0, 0.2625),
        # each moves at 0.5 m/s towards the other: 0.2 + 2 * (0.55 * 0.5 + 0.6^2 / 1.6) = 0.2 + 2 * (0.275 + 0.225)
        (0.5, -0.5, 1.2),
        # the other leaves at 0.5 m/s: its way is (-0.5 - 0.4) / 2 * 0.5 - 0.4^2 / 1.6 = -0.325, own 0.03125: [.]+ = 0
        (0.0, 0.5, 0.2),
    ],
)
def test_worked_examples_across_the_road(own: float, other: float, needed: float) -> None:
    assert look(looking(), thing(200.0, 9.0, vy=other), 10.0, own).needed_across == pytest.approx(needed, rel=1e-14)
    assert look(looking(), thing(200.0, -9.0, vy=-other), 10.0, -own).needed_across == pytest.approx(needed, rel=1e-14)


# ---------------------------------------------------------------------------------------- worst cases, moment by moment
Way = Callable[[float], float]


def phases(speed: float, *pieces: tuple[float, float]) -> tuple[Way, float]:
    """(way at a time, end time) of a motion that accelerates by (m/s^2, for s) one after another, then stands."""

    def way(t: float) -> float:
        at, v = 0.0, speed
        for accel, time in pieces:
            here = min(t, time)
            at, v, t = at + v * here + accel * here * here / 2, v + accel * here, t - here
        return at

    return way, sum(time for _, time in pieces)


def speeding_up_then_braking(speed: float, brake: float, cap: float = math.inf) -> tuple[Way, float]:
    up = min(TIME, max(0.0, (cap - speed) / ACCEL))
    fast = speed + ACCEL * up
    return phases(speed, (ACCEL, up), (0.0, TIME - up), (-brake, fast / brake))


def braking(speed: float) -> tuple[Way, float]:
    return phases(speed, (-MOST, speed / MOST))


def moving_over(towards: float) -> tuple[Way, float]:
    fast = towards + SIDE_ACCEL * TIME
    return phases(towards, (SIDE_ACCEL, TIME), (math.copysign(SIDE_BRAKE, -fast), abs(fast) / SIDE_BRAKE))


def closest(*motions: tuple[Way, float]) -> float:
    """Least change of a gap that shrinks by all these ways, over every moment until everything stands."""
    ends = [end for _, end in motions] + [TIME]
    moments = sorted({*ends, *np.linspace(0.0, max(ends), 401).tolist()})
    return min(-sum(way(t) for way, _ in motions) for t in moments)


def away(motion: tuple[Way, float]) -> tuple[Way, float]:
    return (lambda t: -motion[0](t)), motion[1]


speeds = st.one_of(st.floats(0, 45), st.sampled_from([0.0, 1e-9, 10.0, 29.999999999, 30.0, 45.0]))
sides = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, -0.1, 0.1, -0.1000001, 3.0, -3.0]))
caps = st.one_of(st.none(), st.floats(1, 45), st.sampled_from([30.0, 44.0]))
GUARDS: dict[float | None, Road] = {}


def capped(cap: float | None) -> Road:
    """One guard for each cap, of the vehicle and of the others; a policy takes longer to load than to ask."""
    if cap not in GUARDS:
        GUARDS[cap] = looking(speed_mps_max=cap, others_speed_mps_max=cap)
    return GUARDS[cap]


@given(speed=speeds, other=speeds, cap=caps, case=st.sampled_from(["behind", "ahead", "oncoming"]))
@settings(max_examples=400, deadline=None)
def test_the_distance_along_is_where_the_worst_case_just_touches(
    speed: float, other: float, cap: float | None, case: str
) -> None:
    limit = math.inf if cap is None else cap
    if case == "behind":
        seen = look(capped(cap), thing(400.0, vx=other), speed)
        least = closest(speeding_up_then_braking(speed, LEAST, limit), away(braking(other)))
    elif case == "ahead":
        seen = look(capped(cap), thing(-400.0, vx=other), speed)
        least = closest(speeding_up_then_braking(other, LEAST, limit), away(braking(speed)))
    else:
        other = max(other, 1e-9)
        seen = look(capped(cap), thing(400.0, vx=-other), speed)
        least = closest(speeding_up_then_braking(speed, CORRECT, limit), speeding_up_then_braking(other, LEAST, limit))
    assert seen.needed == pytest.approx(max(-least, 0.0), rel=1e-9, abs=1e-9)


@given(own=sides, other=sides)
@settings(max_examples=400, deadline=None)
def test_the_distance_across_is_where_the_worst_case_leaves_the_margin(own: float, other: float) -> None:
    """`own` and `other`: speed towards each other."""
    seen = look(capped(None), thing(400.0, 50.0, vy=-other), 10.0, own)
    least = closest(moving_over(own), moving_over(other))
    assert seen.needed_across == pytest.approx(MARGIN + max(-least, 0.0), rel=1e-9, abs=1e-9)


@given(own=st.floats(-0.1, 3), other=st.floats(-0.1, 3))
@settings(max_examples=200, deadline=None)
def test_moving_towards_each_other_the_closed_form_of_the_paper_holds(own: float, other: float) -> None:
    """Lemma 4, for two that move towards each other at the end of the response time."""
    one, two = own + TIME * SIDE_ACCEL, other + TIME * SIDE_ACCEL
    ways = (own + one) / 2 * TIME + one**2 / (2 * SIDE_BRAKE) + (other + two) / 2 * TIME + two**2 / (2 * SIDE_BRAKE)
    seen = look(capped(None), thing(400.0, 50.0, vy=-other), 10.0, own)
    assert seen.needed_across == pytest.approx(MARGIN + max(ways, 0.0), rel=1e-12)


def edge(dangerous: Callable[[float], bool], near: float, far: float) -> tuple[float, float]:
    """The two neighbouring floats between which the answer changes."""
    while math.nextafter(near, far) != far:
        middle = near + (far - near) / 2
        if middle in (near, far):
            middle = math.nextafter(near, far)
        near, far = (middle, far) if dangerous(middle) else (near, middle)
    return near, far


@given(speed=speeds, other=st.floats(-30, 30), way=st.sampled_from([1.0, -1.0]))
@settings(max_examples=40, deadline=None)
def test_exactly_the_needed_distance_is_safe_and_one_unit_less_is_not(speed: float, other: float, way: float) -> None:
    road = capped(None)
    if way < 0 and other <= 0:
        return  # behind and leaving: nothing is needed
    needed = look(road, thing(way * 450.0, vx=other), speed).needed
    if needed >= 446.0:
        return  # the edge lies beyond what is looked at

    def dangerous(x: float) -> bool:
        # y = -1: on the right, in the way. The response of a new object has the lateral bit where it is dangerous.
        return look(road, thing(way * x, -1.0, vx=other), speed).response != 0

    near, far = edge(dangerous, 4.0 - 1e-6, 450.0)
    assert near - 4.0 < needed <= far - 4.0


@given(y=st.sampled_from([1.0, -1.0]), own=st.floats(-2, 2), other=st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_exactly_the_needed_distance_across_is_safe(y: float, own: float, other: float) -> None:
    road = capped(None)
    needed = look(road, thing(5.0, y * 60.0, vy=other), 10.0, own).needed_across
    near, far = edge(lambda d: look(road, thing(5.0, y * d, vy=other), 10.0, own).response != 0, 1.0, 60.0)
    assert near - 2.0 < needed <= far - 2.0


# ------------------------------------------------------------------------------------------------- who answers, and how
def naive(speed: float, lateral: float, item: list[float], known: dict[float, set[str]]) -> Iterator[str]:
    """Answers to one object, in words; `known` keeps the dimensions that were safe when it was last not dangerous."""
    x, y, _, vx, vy, _, length, width, _, identity = item
    gap, across = abs(x) - (RSS_LENGTH + length) / 2, abs(y) - (RSS_WIDTH + width) / 2
    way = 1 if speed >= 0 else -1
    ahead, own, other = x * way, speed * way, vx * way
    duty = ""
    if ahead >= 0 and other >= 0:
        needed, duty = -closest(speeding_up_then_braking(own, LEAST), away(braking(other))), "same"
    elif ahead >= 0:
        needed = -closest(speeding_up_then_braking(own, CORRECT), speeding_up_then_braking(-other, LEAST))
        duty = "opposite"
    elif other >= 0:
        needed = -closest(speeding_up_then_braking(other, LEAST), away(braking(own)))
    else:
        needed = 0.0
    side = 1 if y >= 0 else -1
    needed_across = MARGIN + max(0.0, -closest(moving_over(side * lateral), moving_over(-side * vy)))
    safe = {name for name, much in (("along", gap - max(needed, 0.0)), ("across", across - needed_across)) if much >= 0}
    remembered = known.get(identity, {"along", "across"})
    if identity:
        known[identity] = safe or remembered
    if safe:
        return
    if duty and ("along" in remembered or across < 0):
        yield ("" if speed >= 0 else "back ") + duty
    if "across" in remembered:
        yield "left" if y >= 0 else "right"


RSS_LENGTH, RSS_WIDTH = float(str(RSS["length_m"])), float(str(RSS["width_m"]))
BITS = {
    "same": rss.BRAKE_SAME,
    "opposite": rss.BRAKE_OPPOSITE,
    "back same": rss.BACK_SAME,
    "back opposite": rss.BACK_OPPOSITE,
    "left": rss.KEEP_FROM_LEFT,
    "right": rss.KEEP_FROM_RIGHT,
}


@pytest.mark.parametrize("seed", range(12))
def test_a_whole_day_of_traffic(seed: int) -> None:
    """Objects come, wander, change places in the list, vanish and come back."""
    chance = np.random.default_rng(seed)
    road, known = looking(), {}  # type: ignore[var-annotated]
    things: dict[float, list[float]] = {}
    bits_seen = 0
    for _ in range(250):
        if len(things) < 5 and chance.random() < 0.3:
            identity = float(chance.integers(0, 9)) if seed % 3 else float(chance.integers(1, 9))
            things[identity] = thing(chance.normal(0, 25), chance.normal(0, 5), id=identity)
        for identity, item in list(things.items()):
            item[3], item[4] = chance.normal(0, 8), chance.normal(0, 0.6)
            item[0] += chance.normal(0, 4) + item[3] * 0.1
            item[1] += chance.normal(0, 0.5)
            item[:2] = [min(max(value, -400.0), 400.0) for value in item[:2]]
            if chance.random() < 0.03:
                del things[identity]
        speed, lateral = float(chance.uniform(-6, 30)), float(chance.uniform(-1, 1))
        order = (
            [things[key] for key in chance.permutation(list(things))] if chance.random() < 0.3 else [*things.values()]
        )
        road.objects = [list(item) for item in order]
        road.inputs["speed_mps"], road.inputs["lateral_mps"] = speed, lateral
        road.tick(0.0, 0.0)
        before, known_now = known, {}
        wanted = 0
        for item in order:
            mine = {item[9]: before[item[9]]} if item[9] in before else {}
            for answer in naive(speed, lateral, item, mine):
                wanted |= BITS[answer]
            known_now |= mine
        known = known_now
        assert road.guard.frame.st_rss_response == wanted
        bits_seen |= wanted
    assert bits_seen >= 0b110011


# ------------------------------------------------------------------------------------------------------------ collision
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_time_to_collision_by_moving_step_by_step(data: st.DataObject) -> None:
    draw = lambda lo, hi: data.draw(st.floats(lo, hi))  # noqa: E731
    item = thing(draw(-20, 20), draw(-20, 20), vx=draw(-5, 5), vy=draw(-5, 5), length=draw(0, 3), width=draw(0, 3))
    vx, vy = draw(-5, 5), draw(-5, 5)
    road = GUARDS.setdefault(-1.0, Road(robot()))
    road.objects, road.inputs["vx_mps"], road.inputs["vy_mps"] = [item], vx, vy
    road.tick(0.0)
    frame = road.guard.frame
    reach = 0.5 + math.hypot(item[6], item[7]) / 2
    times = np.linspace(0.0, 30.0, 30001)
    wx, wy = item[3] - vx, item[4] - vy
    apart = np.hypot(item[0] + wx * times, item[1] + wy * times) - reach
    if abs(apart.min()) < 1e-3:
        return  # grazing: between two steps either answer is right
    nearing = item[0] * wx + item[1] * wy < 0
    hit = np.flatnonzero(apart <= 0) if nearing else np.array([], int)
    if not len(hit):
        assert frame.st_ttc_s > 29.9
        return
    assert frame.st_ttc_s == pytest.approx(times[hit[0]], abs=2e-3)
    check_deceleration(float(frame.st_ttc_s), float(frame.st_decel_mps2), math.hypot(wx, wy))


def check_deceleration(ttc_s: float, decel: float, speed: float) -> None:
    """After 0.2 s of reaction, this deceleration stops the approach exactly where they would touch."""
    way = speed * ttc_s
    if decel > 1e6:
        assert ttc_s <= 0.2 + 1e-3
        return
    steps = np.arange(0.0, 0.2 + speed / decel, 1e-3)
    travelled = np.where(steps < 0.2, speed * steps, speed * steps - decel * np.maximum(steps - 0.2, 0.0) ** 2 / 2)
    assert travelled.max() <= way + 1e-6
    assert travelled.max() >= way - speed * 2e-3
