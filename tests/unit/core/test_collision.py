"""Time to collision, required deceleration, and the walls that objects put up."""

from __future__ import annotations

import math

import pytest

from safetykit.core.columns.motion import WALL_APPROACH, WALL_GAP, WALL_SPEED, WALL_X, WALL_Y, WALL_Z
from safetykit.core.vocabulary import Action, State
from tests.drive import Document
from tests.road import MOTION, Road, robot, thing

pytestmark = pytest.mark.core
POINT = {"length": 0.0, "width": 0.0}


def seen(made: Document, *objects: list[float], **inputs: float) -> Road:
    """One tick with the objects, from a guard that was engaged without any."""
    road = Road(made, *objects, **inputs).free()
    road.tick(0.0)
    return road


@pytest.mark.parametrize(("x", "fires"), [(4.51, False), (4.5, False), (4.49, True)])
def test_a_short_time_to_collision_is_a_fault(x: float, fires: bool) -> None:
    """4 m/s towards a point, radius 0.5 m: 1 s is 4.5 m."""
    road = seen(robot(decel_mps2_max=None), thing(x, **POINT), vx_mps=4.0)
    assert road.guard.frame.st_ttc_s == pytest.approx((x - 0.5) / 4)
    assert road.guard.frame.st_collision_object == 0
    assert bool(road.guard.frame.st_state == State.RECOVERY) is fires


@pytest.mark.parametrize(("x", "fires"), [(5.31, False), (5.29, True)])
def test_a_large_required_deceleration_is_a_fault(x: float, fires: bool) -> None:
    """4 m/s, 0.2 s to react, 2 m/s^2: 0.5 + 0.8 + 4 m."""
    road = seen(robot(ttc_s_min=None), thing(x, **POINT), vx_mps=4.0)
    assert road.guard.frame.st_decel_mps2 == pytest.approx(16 / (2 * (x - 0.5 - 0.8)))
    assert road.guard.frame.st_decel_object == 0
    assert bool(road.guard.frame.st_state == State.RECOVERY) is fires


def test_exactly_the_deceleration_that_is_allowed_is_no_fault() -> None:
    """0.25 s to react and 1.25 s to go: 4 / (2 * 1) m/s^2."""
    frame = seen(robot({"latency_ms": 250}, ttc_s_min=None), thing(5.5, **POINT), vx_mps=4.0).guard.frame
    assert (frame.st_decel_mps2, frame.out_faults) == (2.0, 0)


def test_exactly_the_reaction_time_is_too_late() -> None:
    frame = seen(robot({"latency_ms": 250}, ttc_s_min=None), thing(1.5, **POINT), vx_mps=4.0).guard.frame
    assert (frame.st_ttc_s, frame.st_decel_mps2) == (0.25, 1e300)


def test_grazing_counts_as_touching() -> None:
    frame = seen(robot(), thing(3.0, 0.5, **POINT), vx_mps=1.0).guard.frame
    assert frame.st_ttc_s == 3.0


def test_the_action_is_recovery_by_default() -> None:
    road = Road(robot(), thing(2.0, **POINT), vx_mps=4.0).free()
    decision = road.tick(1.0)
    assert (decision.faults, decision.action) == (("COLLISION",), Action.RECOVER)


@pytest.mark.parametrize(
    ("item", "velocity"),
    [
        (thing(-3.0, **POINT), (4.0, 0.0)),  # behind
        (thing(3.0, 2.0, **POINT), (4.0, 0.0)),  # passes at 2 m
        (thing(3.0, vx=4.5, **POINT), (4.0, 0.0)),  # faster ahead
        (thing(3.0, **POINT), (0.0, 0.0)),  # both stand
        (thing(0.2, **POINT), (0.0, 0.0)),  # touching, and standing
        (thing(0.2, **POINT), (-1.0, 0.0)),  # touching, and leaving
    ],
)
def test_no_collision_course_is_no_fault(item: list[float], velocity: tuple[float, float]) -> None:
    road = seen(robot(), item, vx_mps=velocity[0], vy_mps=velocity[1])
    frame = road.guard.frame
    assert (frame.out_faults, frame.st_collision_object, frame.st_decel_object) == (0, -1, -1)
    assert (frame.st_ttc_s, frame.st_decel_mps2) == (1e300, 0.0)


def test_an_object_that_comes_is_as_bad_as_one_that_is_driven_at() -> None:
    for item, vx in ((thing(3.0, vx=-4.0, **POINT), 0.0), (thing(3.0, vx=-2.0, **POINT), 2.0)):
        assert seen(robot(), item, vx_mps=vx).guard.frame.st_ttc_s == pytest.approx(2.5 / 4)


def test_touching_and_coming_nearer_is_no_time_at_all() -> None:
    frame = seen(robot(), thing(0.4, **POINT), vx_mps=0.1).guard.frame
    assert (frame.st_ttc_s, frame.st_decel_mps2) == (0.0, 1e300)
    assert frame.st_state == State.RECOVERY


def test_within_the_reaction_time_no_deceleration_is_enough() -> None:
    frame = seen(robot(ttc_s_min=None), thing(1.0, **POINT), vx_mps=4.0).guard.frame
    assert (frame.st_decel_mps2, frame.st_state) == (1e300, State.RECOVERY)


def test_the_shortest_time_and_the_largest_deceleration_may_be_two_objects() -> None:
    items = thing(3.5, vx=-5.0, **POINT), thing(30.0, **POINT), thing(-1.5, vx=0.8, **POINT)
    frame = seen(robot(ttc_s_min=0.9), *items).guard.frame
    assert (frame.st_collision_object, frame.st_decel_object) == (0, 0)
    items = thing(8.0, vx=-8.0, **POINT), thing(-0.9, vx=0.45, **POINT)
    frame = seen(robot(ttc_s_min=0.9), *items).guard.frame
    assert (frame.st_collision_object, frame.st_decel_object) == (1, 0)
    assert frame.st_state == State.RECOVERY


def test_heights_count_only_where_the_vehicle_has_a_vertical_velocity() -> None:
    item = thing(4.0, z=30.0, vz=3.0, height=10.0, **POINT)
    assert seen(robot(), item, vx_mps=4.0).guard.frame.st_ttc_s == pytest.approx(3.5 / 4)
    flies = robot({"velocity": {"x": "vx_mps", "y": "vy_mps", "z": "vz_mps"}})
    assert seen(flies, item, vx_mps=4.0).guard.frame.st_ttc_s == 1e300
    above = thing(0.0, z=10.0, height=2.0, **POINT)
    assert seen(flies, above, vz_mps=4.0).guard.frame.st_ttc_s == pytest.approx((10 - 0.5 - 1) / 4)


def test_an_object_reaches_to_the_corners_of_its_box() -> None:
    frame = seen(robot(), thing(10.0, length=6.0, width=8.0), vx_mps=4.0).guard.frame
    assert frame.st_ttc_s == pytest.approx((10 - 0.5 - 5) / 4)


def test_an_unknown_velocity_is_infeasible_once_there_is_an_object() -> None:
    for objects, faults in (([], ("INPUT_INVALID",)), ([thing(100.0)], ("INPUT_INVALID", "INFEASIBLE"))):
        road = Road(robot(), *objects).free()
        road.inputs["vx_mps"] = math.nan
        decision = road.tick(0.0)
        assert (decision.faults, decision.state) == (faults, State.RECOVERY)


def test_an_unsound_object_is_passed_over_and_the_next_one_seen() -> None:
    road = Road(robot(), thing(1.9, id=0.5), thing(2.0, **POINT), vx_mps=4.0).free()
    assert road.tick(0.0).faults == ("OBJECTS", "COLLISION")
    assert road.guard.frame.st_collision_object == 1


def walled(**motion: object) -> Document:
    """A robot with acceleration channels whose barrier filter keeps 0.3 m from objects."""
    channel = {"unit": "mps2", "min": -3, "max": 3, "rate_up_per_s": 100, "rate_down_per_s": 100}
    made = robot(
        {"steered_by": {"x": "ax_mps2", "y": "ay_mps2"}, "accel_mps2_max": 3.0, "gain_per_s": 2.0, **motion},
        clearance_m=0.3,
        ttc_s_min=None,
        decel_mps2_max=3.0,
    )
    made["channels"] = {name: {**channel, "emergency_jumps": False} for name in ("ax_mps2", "ay_mps2")}
    made["recovery"] = [{"name": "rest", "set": {"ax_mps2": 0.0, "ay_mps2": 0.0}, "for_s": 0.1}]
    return made


def test_a_near_object_puts_up_a_wall() -> None:
    road = Road(walled(), thing(-6.0, 8.0, vx=0.5, vy=0.25, **POINT), vx_mps=-0.1).free()
    road.tick(0.0, 0.0)
    frame = road.guard.frame
    assert (frame.st_wall_count, frame.st_wall_of[0]) == (1, 2000)
    wall = frame.st_wall[0]
    assert [wall[WALL_X], wall[WALL_Y], wall[WALL_Z]] == pytest.approx([-0.6, 0.8, 0.0])
    assert wall[WALL_GAP] == pytest.approx(10 - 0.5 - 0.3)
    assert (wall[WALL_SPEED], wall[WALL_APPROACH]) == (0.0, pytest.approx(0.6 * 0.5 - 0.8 * 0.25))


def test_a_far_object_puts_up_none() -> None:
    """Top speed sqrt(50) m/s: 1.41 m in 0.2 s, 8.33 m of braking; the object's own speed comes on top."""
    top = math.sqrt(50)
    need = top * 0.2 + 50 / 6
    edge = need + 0.8
    assert count(edge - 0.01) == 1
    assert count(edge + 0.01) == 0
    assert count(edge - 0.01, vx=5.0) == 1, "it may stop at once"
    assert count(edge + 0.01, vx=5.0) == 0
    faster = (top + 5) * 0.2 + (top + 5) ** 2 / 6 + 0.8
    assert count(faster - 0.01, vx=-5.0) == 1
    assert count(faster + 0.01, vx=-5.0) == 0


def test_a_slow_barrier_looks_further() -> None:
    edge = math.sqrt(50) / 0.5 + 0.8
    assert count(edge - 0.01, gain_per_s=0.5) == 1
    assert count(edge + 0.01, gain_per_s=0.5) == 0


def count(x: float, vx: float = 0.0, **motion: float) -> int:
    road = Road(walled(**motion), thing(x, vx=vx, **POINT)).free()
    road.tick(0.0, 0.0)
    return int(road.guard.frame.st_wall_count)


def test_an_object_at_the_very_centre_has_no_side() -> None:
    road = Road(walled(), thing(0.0, **POINT), thing(30.0, **POINT)).free()
    assert "INFEASIBLE" in road.tick(0.0, 0.0).faults


def test_without_clearance_objects_are_no_walls() -> None:
    road = seen(robot(), thing(1.0, **POINT))
    assert road.guard.frame.st_wall_count == 0


def test_a_ground_vehicle_by_speed_and_heading() -> None:
    made = robot()
    made["sources"]["vehicle"]["inputs"]["heading_rad"] = {"unit": "rad", "min": -7, "max": 7}
    made["motion"] = {k: v for k, v in MOTION.items() if k != "velocity"}
    made["motion"] |= {"speed": "speed_mps", "heading": "heading_rad"}
    road = Road(made, thing(0.0, 5.0, z=9.0, **POINT), speed_mps=4.0, heading_rad=math.pi / 2).free()
    road.tick(0.0)
    assert road.guard.frame.st_ttc_s == pytest.approx(4.5 / 4)
