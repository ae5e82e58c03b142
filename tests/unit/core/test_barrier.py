"""The barrier filter in single ticks: what it changes, what it leaves, what it says, and when it gives up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core import planes, walls
from safetykit.core.bounds import PLANES_MAX
from safetykit.core.vocabulary import Fault
from safetykit.core.walls import (
    OF_CEILING,
    OF_FLOOR,
    OF_GROUP,
    OF_GROUP_RATE,
    OF_KIND,
    OF_OBJECT,
    OF_SPEED,
    OF_SPEED_ZONE,
    OF_TILT,
    OF_ZONE,
)
from tests.drive import Document
from tests.filter_loop import DT_S, Loop, Wall, car, drone

pytestmark = pytest.mark.core
ZONE_NEAR, BARRIER, INFEASIBLE = 1 << Fault.ZONE_NEAR, 1 << Fault.BARRIER, 1 << Fault.INFEASIBLE
EAST, WEST = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0)


def wall(
    gap: float, normal: tuple[float, float, float] = EAST, of: int = OF_OBJECT, speed: float = 0.0, nearing: float = 0.0
) -> Wall:
    return of * OF_KIND + 7, normal, gap, speed, nearing


def moving(made: Document, velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Loop:
    loop = Loop(made)
    loop.measure(vx_mps=velocity[0], vy_mps=velocity[1], vz_mps=velocity[2])
    if "response_s" in made["motion"]:
        loop.sent_before(velocity[: len(loop.steered)])
    return loop


def held(loop: Loop) -> list[int]:
    return [int(of) // OF_KIND for of in loop.frame.st_barrier_of if of != -1]


def test_without_the_section_nothing_is_changed() -> None:
    loop = Loop({**drone(), "motion": None, "position": None})
    assert loop.tick((9, 9, 9), [wall(0.0)]) == 0
    assert loop.out == loop.wanted


def test_a_far_wall_changes_nothing() -> None:
    loop = moving(drone(), (5, 0, 0))
    assert loop.tick((9, 0, 0), [wall(100)]) == 0
    assert loop.out == loop.wanted == [pytest.approx(5 + 6 * DT_S), 0, 0]
    assert held(loop) == []
    assert loop.frame.st_barrier_change == 0


def test_only_the_part_towards_the_wall_is_taken_away() -> None:
    loop = moving(drone(), (5, 0, 0))
    assert loop.tick((9, 9, 0), [wall(6)]) == BARRIER
    assert loop.out[0] < 5 < loop.wanted[0]
    assert loop.out[1:] == loop.wanted[1:]
    assert loop.frame.st_barrier_change == pytest.approx(loop.wanted[0] - loop.out[0])
    assert held(loop) == [OF_OBJECT]
    assert loop.frame.st_barrier_gap_m == 6
    assert loop.frame.st_barrier_closing_mps == 5
    assert [loop.frame.out_reason[c] & BARRIER for c in loop.steered] == [BARRIER] * 3


def test_a_command_that_already_brakes_is_left_alone() -> None:
    loop = moving(drone(), (5, 0, 0))
    assert loop.tick((0, 0, 0), [wall(6)]) == 0
    assert loop.out == loop.wanted


def test_braking_is_never_asked_for_beyond_what_is_surely_reached() -> None:
    loop = moving(drone(), (9, 0, 0))
    assert loop.tick((9, 0, 0), [wall(0.1)]) == BARRIER
    assert loop.out[0] == pytest.approx(9 - 3 * DT_S)


def test_beyond_the_wall_only_the_way_back_is_open() -> None:
    loop = moving(drone())
    assert loop.tick((9, 0, 0), [wall(-2)]) == BARRIER
    assert loop.out[0] == pytest.approx(0, abs=1e-9)
    assert loop.tick((-9, 0, 0), [wall(-2)]) == 0
    assert loop.out == loop.wanted


def test_wind_and_an_approaching_wall_count_as_closing() -> None:
    for made, nearing in ((drone(wind_mps=2.0), 0.0), (drone(), 2.0)):
        loop = moving(made)
        assert loop.tick((0, 0, 0), [wall(0.5, nearing=nearing)]) == BARRIER
        assert loop.out[0] < 0


def test_a_wall_that_leaves_gives_nothing() -> None:
    one, two = moving(drone(), (5, 0, 0)), moving(drone(), (5, 0, 0))
    one.tick((9, 0, 0), [wall(6, nearing=-5)])
    two.tick((9, 0, 0), [wall(6)])
    assert one.out == two.out


def test_a_wall_may_be_crossed_at_its_speed() -> None:
    loop = moving(drone(), (2, 0, 0))
    assert loop.tick((9, 0, 0), [wall(-1, of=OF_SPEED_ZONE, speed=2)]) == ZONE_NEAR
    assert loop.out[0] == pytest.approx(2)
    assert loop.tick((9, 0, 0), [wall(50, of=OF_SPEED_ZONE, speed=2)]) == 0


def test_what_was_sent_within_the_latency_counts_as_travelled() -> None:
    loop = moving(drone(), (3, 0, 0))
    for _ in range(30):
        loop.tick((3, 0, 0), [])
        loop.commit()
    late = loop.tick((3, 0, 0), [wall(3.4)]), loop.out[0]
    early = moving(drone(), (3, 0, 0))
    assert (early.tick((3, 0, 0), [wall(3.4)]), early.out[0]) != late
    assert late[0] == BARRIER


def test_reasons_of_zones_are_zone_near() -> None:
    loop = moving(drone(), (5, 5, 0))
    assert loop.tick((9, 9, 0), [wall(6, of=OF_ZONE)]) == ZONE_NEAR
    assert loop.tick((9, 9, 0), [wall(6, of=OF_ZONE), wall(6, (0.0, 1.0, 0.0))]) == ZONE_NEAR | BARRIER
    assert sorted(held(loop)) == [OF_ZONE, OF_OBJECT]


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_floor_and_ceiling(by: str) -> None:
    loop = moving(drone(by, floor_m=2, ceiling_m=50, margin_m=1, position_error_m=0.5), (0, 0, -2))
    loop.measure(z_m=4)
    assert loop.tick((0, 0, -9), []) == BARRIER
    assert held(loop) == [OF_FLOOR]
    loop = moving(drone(by, floor_m=2, ceiling_m=50, margin_m=1, position_error_m=0.5), (0, 0, 2))
    loop.measure(z_m=48)
    assert loop.tick((0, 0, 9), []) == BARRIER
    assert held(loop) == [OF_CEILING]
    loop.forget("z_m")
    assert loop.tick((0, 0, 9), []) == INFEASIBLE


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_speed(by: str) -> None:
    made = drone(by, speed_mps_max=5)
    loop = moving(made, (3.999, 2.999, 0))
    assert loop.tick((9, 9, 0), []) == BARRIER
    assert held(loop) == [OF_SPEED]
    if by == "mps":
        assert math.dist(loop.out, (0, 0, 0)) == pytest.approx(5)
    assert loop.tick((9, 9, 0), [], speed_max=4) == ZONE_NEAR
    assert np.dot(loop.out, (4, 3, 0)) < np.dot(loop.wanted, (4, 3, 0))
    assert moving(made).tick((9, 9, 0), []) == 0


def test_tilt_of_accelerations() -> None:
    loop = moving(drone("mps2", tilt_rad_max=0.2, brake_mps2=1))
    assert loop.tick((6, 6, 0), [], dt_s=0.1) == BARRIER
    assert held(loop) == [OF_TILT]
    across, lift = math.hypot(*loop.out[:2]), 9.80665 + loop.out[2]
    assert math.atan2(across, lift) == pytest.approx(0.2)
    flat = moving(drone("mps2", axes=2, tilt_rad_max=0.2, brake_mps2=1, ceiling_m=None))
    assert flat.tick((6, 6), [], dt_s=0.1) == BARRIER
    assert math.hypot(*flat.out) == pytest.approx(9.80665 * math.tan(0.2))


def test_tilt_of_set_points_comes_from_what_they_are_ahead_of_the_velocity() -> None:
    loop = moving(drone(tilt_rad_max=0.1, brake_mps2=0.9))
    loop.sent_before((0.39, 0, 0))  # 0.4 s * 9.8 m/s^2 * tan(0.1) = 0.394 m/s
    assert loop.tick((9, 0, 0), []) == BARRIER
    assert loop.out[0] - 0.4 * math.tan(0.1) * (9.80665 + loop.out[2] / 0.4) == pytest.approx(0, abs=1e-6)
    loop.sent_before((3, 0, 0))  # already too far: no further, and no fault for coming back
    assert loop.tick((9, 0, 0), []) == BARRIER
    assert loop.tick((0, 0, 0), []) == 0


def test_a_group_stays_in_its_ball_when_a_wall_pushes() -> None:
    groups = {"flat": {"channels": ["x_mps", "y_mps"], "norm": 5}}
    loop = moving({**drone(), "groups": groups}, (0, 4.999, 0))
    assert loop.tick((0, 9, 0), [wall(0.2, nearing=5)]) & BARRIER
    assert loop.out[0] < 0
    assert math.hypot(*loop.out[:2]) <= 5 + 1e-6
    assert OF_GROUP in held(loop)


def test_a_group_turns_no_faster_than_it_may_when_a_wall_pushes() -> None:
    groups = {"flat": {"channels": ["x_mps", "y_mps"], "norm": 9, "norm_rate_per_s": 4}}
    loop = moving({**drone(), "groups": groups})
    assert loop.tick((0, 9, 0), [wall(0.2, nearing=5)]) & BARRIER
    assert loop.out[0] == pytest.approx(-3 * DT_S)
    assert math.hypot(*loop.out[:2]) == pytest.approx(4 * DT_S)
    assert OF_GROUP_RATE in held(loop)


# ------------------------------------------------------------------------------------------------ when it gives up


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_an_unknown_velocity_is_infeasible_and_brakes(by: str) -> None:
    loop = moving(drone(by), (3, 0, 0))
    loop.forget("vz_mps")
    assert loop.tick((9, 0, 0), []) == INFEASIBLE
    assert loop.out == ([pytest.approx(3 - 3 * DT_S), 0, 0] if by == "mps" else [0, 0, 0])


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_walls_that_leave_nothing_are_infeasible_and_brake(by: str) -> None:
    loop = moving(drone(by), (2, 0, 0))
    assert loop.tick((9, 0, 0), [wall(0.1, nearing=9), wall(0.1, WEST, nearing=9)]) == INFEASIBLE
    assert loop.out[0] == pytest.approx(2 - 3 * DT_S if by == "mps" else -0.8)
    assert loop.tick((9, 0, 0), [wall(0.1, nearing=9), wall(0.1, WEST, nearing=9)], dt_s=0.1) == INFEASIBLE
    assert loop.out[0] == pytest.approx(1.7 if by == "mps" else -3)


def test_a_wall_across_an_axis_without_a_channel_is_infeasible_once_it_demands_something() -> None:
    loop = moving(drone(axes=2, ceiling_m=None, speed_mps_max=30))
    assert loop.tick((1, 0), [wall(5, (0.0, 0.0, 1.0))]) == 0
    assert loop.tick((1, 0), [wall(0.0, (0.0, 0.0, 1.0), nearing=3)]) == INFEASIBLE


def test_a_window_that_keeps_from_braking_is_infeasible() -> None:
    made = drone()
    made["channels"]["x_mps"]["min"] = -1
    loop = moving(made, (-1, 0, 0))
    assert loop.tick((0, 0, 0), [wall(0.1, nearing=9)]) == INFEASIBLE


def test_accelerations_may_take_the_latency_to_turn() -> None:
    loop = moving(drone("mps2"), (9, 0, 0))
    loop.sent_before((5, 0, 0))
    assert loop.tick((5, 0, 0), [wall(1)]) == BARRIER
    assert loop.out[0] == pytest.approx(5 - 80 * DT_S)


def test_bounds_that_cannot_turn_an_acceleration_are_infeasible() -> None:
    slanted = (math.sqrt(0.5), 0.0, -math.sqrt(0.5))
    made = drone("mps2")
    made["channels"]["x_mps2"] |= {"min": -3}
    loop = moving(made, (9, 0, 0))
    limits = loop.policy.limits.copy()
    limits[np.flatnonzero(limits == -6)] = -0.5  # a table may do this; a policy that says so outright is refused
    limits[np.flatnonzero(limits == -3)] = -0.5
    loop.policy = type("Changed", (), {"limits": limits, "timing": loop.policy.timing})
    assert loop.tick((5, 0, 0), [wall(0.1, slanted), wall(0.1)]) == INFEASIBLE


def test_no_time_since_the_last_tick_moves_nothing() -> None:
    loop = moving(drone(), (5, 0, 0))
    loop.tick((9, 0, 0), [wall(1)], dt_s=0.0)
    assert loop.out == [5, 0, 0]


def test_as_many_walls_as_there_can_be_with_all_other_limits() -> None:
    loop = moving(drone("mps2", floor_m=-5, speed_mps_max=1, tilt_rad_max=0.32), (0.9, 0, 0))
    around = [wall(0.3, (math.cos(k / 20), math.sin(k / 20), 0.0)) for k in range(64)]
    assert loop.tick((6, 6, 6), around, dt_s=0.1) == BARRIER


def test_more_planes_than_there_is_room_for_are_infeasible() -> None:
    loop = moving(drone())
    assert planes.add(loop.state, PLANES_MAX - 1, 0, EAST, 1.0) == (PLANES_MAX, 0)
    assert planes.add(loop.state, PLANES_MAX, 0, EAST, 1.0) == (PLANES_MAX, INFEASIBLE)


def test_round_limits_that_need_more_tangents_than_there_are_count_as_infeasible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if getattr(planes.add, "py_func", None) is not None:
        return  # compiled code has these numbers built in
    for name, number in (("barrier.CUTS_MAX", 1), ("planes.PLANES_MAX", 0)):
        with monkeypatch.context() as changed:
            changed.setattr(f"safetykit.core.{name}", number)
            loop = moving(drone(speed_mps_max=5), (3.999, 2.999, 0))
            assert loop.tick((9, 9, 0), []) == INFEASIBLE


def test_two_axes_that_take_the_latency_to_turn() -> None:
    loop = moving(drone("mps2", axes=2, ceiling_m=None, speed_mps_max=30), (9, 0, 0))
    loop.sent_before((5, 0))
    assert loop.tick((5, 0), [wall(1)]) == BARRIER
    assert loop.out[0] == pytest.approx(5 - 80 * DT_S)


def test_a_car_steered_by_an_angle_does_what_one_steered_by_curvature_does() -> None:
    by_curvature, made = Loop(car()), car()
    wheel = made["channels"].pop("bend_radpm")
    lateral = {"geometry": "angle", "accel_mps2": 30, "wheelbase_m": 2.5, "ratio": 10, "speed_min_mps": 1}
    made["channels"]["wheel_rad"] = {**wheel, "unit": "rad", "min": -8, "max": 8, "lateral": lateral}
    made["channels"]["wheel_rad"] |= {"rate_up_per_s": 300, "rate_down_per_s": 300}
    made["recovery"] = [{"name": "rest", "set": dict.fromkeys(made["channels"], 0.0), "for_s": 1}]
    made["motion"]["steered_by"]["steer"] = "wheel_rad"
    by_angle = Loop({**made, "speed": "v_mps"})
    for loop in (by_curvature, by_angle):
        loop.measure(v_mps=15)
    left = wall(0.4, (0.0, 1.0, 0.0))
    angle = 10 * math.atan(0.002 * 2.5)
    by_angle.sent_before((0, angle))
    by_curvature.sent_before((0, 0.002))
    assert by_angle.tick((1, 2 * angle), [left]) == by_curvature.tick((1, 0.004), [left]) == BARRIER
    assert by_angle.out[1] < angle
    assert by_angle.out[0] == pytest.approx(by_curvature.out[0], abs=1e-6)


def test_a_car_without_a_bound_of_its_speed() -> None:
    made = car()
    del made["motion"]["speed_mps_max"]
    made["sources"]["vehicle"]["inputs"] |= {k: {"unit": "m", "min": -500, "max": 500} for k in ("x_m", "y_m")}
    made["position"] = {"x": "x_m", "y": "y_m"}
    made["zones"] = {"yard": {"rule": "keep_in", "corners_m": [[-90, -90], [90, -90], [90, 90], [-90, 90]]}}
    loop = Loop(made)
    loop.measure(v_mps=30)
    assert loop.tick((3, 0), []) == 0
    assert loop.tick((3, 0), [wall(80, of=OF_ZONE)]) == ZONE_NEAR


# ------------------------------------------------------------------------------------------------ properties

vectors = st.tuples(*[st.floats(-12, 12)] * 3)


@st.composite
def some_walls(draw: Any) -> list[Wall]:
    made = []
    for k in range(draw(st.integers(0, 6))):
        n = np.add(draw(vectors), (1e-3, 0, 0))
        n = n / np.linalg.norm(n)
        gap, nearing = draw(st.floats(-3, 30)), draw(st.floats(-2, 3))
        made.append((OF_OBJECT * OF_KIND + k, (float(n[0]), float(n[1]), float(n[2])), gap, 0.0, nearing))
    return made


@pytest.mark.parametrize("by", ["mps", "mps2"])
@given(v=vectors, sent=vectors, ask=vectors, around=some_walls(), more=some_walls())
@settings(max_examples=60, deadline=None)
def test_more_walls_never_loosen_one_and_nothing_leaves_the_bounds(
    by: str, v: Any, sent: Any, ask: Any, around: Any, more: Any
) -> None:
    made = drone(by, speed_mps_max=10)
    limit = 12.0 if by == "mps" else 6.0
    sent = tuple(max(-limit, min(limit, value)) for value in sent)
    loop = moving(made, v)
    loop.sent_before(sent)
    few = loop.tick(ask, around)
    faults = loop.tick(ask, [*around, *more])
    assert all(abs(value) <= limit for value in loop.out)
    assert few & INFEASIBLE == 0 or faults & INFEASIBLE
    assert faults in (0, BARRIER, ZONE_NEAR | BARRIER, INFEASIBLE)
    rate = 6 if by == "mps" else 80
    assert all(abs(out - old) <= rate * DT_S + 1e-9 for out, old in zip(loop.out, sent, strict=True))


@pytest.mark.parametrize("by", ["mps", "mps2"])
@given(v=vectors, ask=vectors, around=some_walls())
@settings(max_examples=60, deadline=None)
def test_each_wall_alone_is_kept_by_all_together(by: str, v: Any, ask: Any, around: Any) -> None:
    loop = moving(drone(by), v)
    if loop.tick(ask, around) & INFEASIBLE:
        return
    together = np.array(loop.out)
    for one in around:
        alone = moving(drone(by), v)
        if alone.tick(np.array(one[1]) * 100, [one]) & BARRIER:  # as fast towards it as it allows
            assert together @ one[1] <= np.array(alone.out) @ one[1] + 1e-6


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_wall_that_is_no_number_is_infeasible(bad: float) -> None:
    loop = moving(drone())
    for place in range(6):
        numbers = [*EAST, 6.0, 0.0, 0.0]
        numbers[place] = bad
        normal = (numbers[0], numbers[1], numbers[2])
        assert walls.push(loop.state, 7, normal, numbers[3], numbers[4], numbers[5]) == INFEASIBLE
    assert loop.frame.st_wall_count == 0


def test_more_walls_than_can_be_looked_at_are_infeasible() -> None:
    loop = moving(drone())
    assert [walls.push(loop.state, 7, EAST, 9.0, 0.0, 0.0) for _ in range(65)] == [0] * 64 + [INFEASIBLE]


def test_a_car_without_its_state_gives_up() -> None:
    for name in ("v_mps", "heading_rad"):
        loop = Loop(car())
        loop.measure(v_mps=5)
        loop.forget(name)
        assert loop.tick((3, 0), []) == INFEASIBLE
