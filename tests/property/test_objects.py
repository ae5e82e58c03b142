"""More objects, or worse ones, never make the outcome less safe; and a car that obeys does not hit one that cuts in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safetykit.core.vocabulary import Action, State
from tests.road import COLLISION, MOTION, Road, car, robot, thing

QUIET: dict[str, Road] = {}

coordinates = st.one_of(st.floats(-60, 60), st.sampled_from([0.0, -0.0, 2.0, -2.0, 4.0, -4.0, 500.0]))
velocities = st.one_of(st.floats(-30, 30), st.sampled_from([0.0, -0.0, 70.0, -70.0]))


@st.composite
def things(draw: st.DrawFn) -> list[float]:
    """One sound object, mostly near."""
    item = thing(draw(coordinates), draw(st.one_of(st.floats(-6, 6), coordinates)))
    item[3], item[4] = draw(velocities), draw(st.floats(-3, 3))
    item[6], item[7] = draw(st.floats(0, 12)), draw(st.floats(0, 4))
    return item


lists = st.lists(things(), max_size=6)


def robot_with_walls() -> Road:
    channel = {"unit": "mps2", "min": -3, "max": 3, "rate_up_per_s": 100, "rate_down_per_s": 100}
    motion = {**MOTION, "steered_by": {"x": "ax_mps2", "y": "ay_mps2"}, "accel_mps2_max": 3.0, "gain_per_s": 2.0}
    made = robot(motion, **{**COLLISION, "clearance_m": 0.3})
    made["channels"] = {name: {**channel, "emergency_jumps": False} for name in ("ax_mps2", "ay_mps2")}
    made["recovery"] = [{"name": "rest", "set": {"ax_mps2": 0.0, "ay_mps2": 0.0}, "for_s": 0.1}]
    return Road(made)


def engaged(name: str, **inputs: float) -> Road:
    """A guard that has just been engaged on an empty road, the same each time."""
    if name not in QUIET:
        QUIET[name] = Road(car(), speed_mps=0.0) if name == "car" else robot_with_walls()
        QUIET[name].free()
        QUIET[name].kept = (QUIET[name].guard.frame.copy(), QUIET[name].now_ns)  # type: ignore[attr-defined]
    road = QUIET[name]
    frame, road.now_ns = road.kept  # type: ignore[attr-defined]
    for field in frame.dtype.names:
        road.guard.frame[field] = frame[field]
    road.inputs |= inputs
    return road


def outcome(
    name: str, ask: tuple[float, float], objects: list[list[list[float]]], **inputs: float
) -> dict[str, object]:
    """One tick for each list of `objects`; what the last one allowed, did and sent."""
    road = engaged(name, **inputs)
    for items in objects:
        road.objects = items
        decision = road.tick(*ask)
    frame = road.guard.frame
    return {
        "lo": frame.st_window_lo[:3].copy(),
        "hi": frame.st_window_hi[:3].copy(),
        "action": decision.action,
        "state": decision.state,
        "sent": decision.sent,
        "ttc": float(frame.st_ttc_s),
        "decel": float(frame.st_decel_mps2),
        "walls": sorted(map(tuple, frame.st_wall[: frame.st_wall_count].tolist())),
        "faults": int(frame.out_faults),
    }


def no_wider(one: dict[str, object], two: dict[str, object]) -> None:
    """`two` allows no more than `one`."""
    assert (two["lo"] >= one["lo"]).all()  # type: ignore[operator, attr-defined]
    assert (two["hi"] <= one["hi"]).all()  # type: ignore[operator, attr-defined]
    assert two["action"] >= one["action"]  # type: ignore[operator]


@given(
    items=lists,
    extra=things(),
    at=st.integers(0, 6),
    speed=st.floats(-9, 50),
    lateral=st.floats(-3, 3),
    ask=st.tuples(st.floats(-8, 2), st.floats(-0.2, 0.2)),
    earlier=st.booleans(),
    named=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_another_object_leaves_a_car_no_more(
    items: list[list[float]],
    extra: list[float],
    at: int,
    speed: float,
    lateral: float,
    ask: tuple[float, float],
    earlier: bool,
    named: bool,
) -> None:
    if named:
        items = [[*item[:9], float(k + 1)] for k, item in enumerate(items)]
        extra = [*extra[:9], 99.0]
    more = [*items[:at], extra, *items[at:]]
    inputs = {"speed_mps": speed, "lateral_mps": lateral}
    one = outcome("car", ask, [items, items], **inputs)
    two = outcome("car", ask, [more if earlier else items, more], **inputs)
    assume(one["state"] is State.ENGAGED)
    no_wider(one, two)
    if two["state"] is State.ENGAGED and speed >= 0:
        assert two["sent"]["accel_mps2"] <= one["sent"]["accel_mps2"] + 1e-9  # type: ignore[index]


@given(items=lists, extra=things(), at=st.integers(0, 6), vx=st.floats(-5, 5), vy=st.floats(-5, 5))
@settings(max_examples=200, deadline=None)
def test_another_object_leaves_a_robot_no_more(
    items: list[list[float]], extra: list[float], at: int, vx: float, vy: float
) -> None:
    more = [*items[:at], extra, *items[at:]]
    one = outcome("robot", (0.0, 0.0), [items], vx_mps=vx, vy_mps=vy)
    two = outcome("robot", (0.0, 0.0), [more], vx_mps=vx, vy_mps=vy)
    assert two["action"] >= one["action"]  # type: ignore[operator]
    assert two["ttc"] <= one["ttc"]  # type: ignore[operator]
    assert two["decel"] >= one["decel"]  # type: ignore[operator]
    if two["state"] is State.ENGAGED:
        assert set(one["walls"]) <= set(two["walls"])  # type: ignore[call-overload]


@given(
    items=st.lists(things(), min_size=1, max_size=6),
    at=st.integers(0, 5),
    column=st.integers(0, 9),
    bad=st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300]),
    kind=st.sampled_from(["car", "robot"]),
    speed=st.floats(-5, 5),
)
@settings(max_examples=300, deadline=None)
def test_a_number_that_cannot_be_never_leaves_more(
    items: list[list[float]], at: int, column: int, bad: float, kind: str, speed: float
) -> None:
    at %= len(items)
    broken = [list(item) for item in items]
    broken[at][column] = bad
    inputs = {"speed_mps": speed} if kind == "car" else {"vx_mps": speed}
    good, two = outcome(kind, (0.5, 0.0), [items], **inputs), outcome(kind, (0.5, 0.0), [broken], **inputs)
    without = outcome(kind, (0.5, 0.0), [[*items[:at], *items[at + 1 :]]], **inputs)
    assert two["action"] >= max(good["action"], Action.RECOVER)  # type: ignore[type-var]
    no_wider(without, two)


@given(
    items=st.lists(things(), min_size=1, max_size=4),
    kind=st.sampled_from(["car", "robot"]),
    name=st.integers(0, 1),
    bad=st.sampled_from([math.nan, math.inf, -math.inf, 1e300]),
    speed=st.floats(-5, 5),
)
@settings(max_examples=300, deadline=None)
def test_an_unknown_speed_never_leaves_more(
    items: list[list[float]], kind: str, name: int, bad: float, speed: float
) -> None:
    """Sources are needed here, so that recovery drives; the windows alone must be no wider either."""
    names = ("speed_mps", "lateral_mps") if kind == "car" else ("vx_mps", "vy_mps")
    known = {names[0]: speed, names[1]: 0.0}
    one = outcome(kind, (0.5, 0.0), [items], **known)
    two = outcome(kind, (0.5, 0.0), [items], **{**known, names[name]: bad})
    assert two["action"] >= max(one["action"], Action.RECOVER)  # type: ignore[type-var]
    if kind == "car" and name == 1:
        assert (two["hi"][1:2] <= one["hi"][1:2]).all()  # type: ignore[index]


# ---------------------------------------------------------------------------------------------------------- closed loop
TICK, DELAY_TICKS, LENGTH, WIDTH = 0.01, 5, 4.0, 2.0


class Cutter:
    """A car from the next lane that keeps the rules: it comes near only while the distance behind it is safe."""

    def __init__(self, chance: np.random.Generator, speed: float) -> None:
        self.speed = max(speed + chance.uniform(-8, 0), 1.0)
        self.x, self.y = float(chance.uniform(40, 140)), 5.0 * float(chance.choice([-1, 1]))
        self.over = float(chance.uniform(0.5, 1.2))  # m/s across
        self.brakes_at = float(chance.choice([0.0, 1.0, 1.9]))  # m from the middle of the other's lane
        self.braking = self.near = False

    def drive(self, x: float, speed: float) -> None:
        """One tick later; `x`, `speed` of the one behind."""
        needed = speed * 0.5 + 0.25 + (speed + 1) ** 2 / 8 - self.speed**2 / 16
        safe = self.x - x - LENGTH > max(needed, 0.0)
        fast = self.over + 0.1
        across = 0.2 + 0.03125 + (self.over + fast) / 4 + fast**2 / 1.6
        self.near = self.near or abs(self.y) - self.over * TICK < WIDTH + across
        if safe or not self.near or abs(self.y) < WIDTH:
            self.y -= math.copysign(min(self.over * TICK, abs(self.y)), self.y)
        self.braking = self.braking or abs(self.y) <= self.brakes_at
        self.speed = max(self.speed - (8.0 * TICK if self.braking else 0.0), 0.0)
        self.x += self.speed * TICK


def hit(seed: int, obeys: bool) -> bool:
    """A planner that wants 30 m/s at once, against one car that cuts in and then brakes as hard as it can.

    The list is 50 ms old, the brakes act 50 ms late, the channel takes 150 ms to full braking.
    """
    chance = np.random.default_rng(seed)
    speed, x = float(chance.uniform(5, 30)), 0.0
    other = Cutter(chance, speed)
    road = Road(car(), speed_mps=speed).free()
    heard, sent = [thing(other.x, other.y, vx=other.speed, id=1)] * DELAY_TICKS, [0.0] * DELAY_TICKS
    for _ in range(3000):
        before = other.y
        other.drive(x, speed)
        heard.append(thing(other.x - x, other.y, vx=other.speed, vy=(other.y - before) / TICK, id=1))
        road.objects, road.inputs["speed_mps"] = [heard.pop(0)], speed
        asked = 2.0 if speed < 30 else 0.0
        decision = road.tick(asked, 0.0)
        assert decision.state is State.ENGAGED, decision
        sent.append(decision.sent["accel_mps2"] if obeys else asked)
        speed = max(speed + sent.pop(0) * TICK, 0.0)
        x += speed * TICK
        if abs(other.x - x) < LENGTH and abs(other.y) < WIDTH:
            return True
        if x - other.x > 20 or (other.braking and speed == other.speed == 0.0):
            break
    assert other.braking or other.x < x, "it never cut in"
    return False


@pytest.mark.parametrize("seed", range(8))
def test_a_car_that_cuts_in_and_brakes_is_never_hit(seed: int) -> None:
    assert not hit(seed, obeys=True)


def test_without_the_guard_it_would_be() -> None:
    assert any(hit(seed, obeys=False) for seed in range(5))
