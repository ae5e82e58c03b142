"""Responsibility-sensitive safety: which distance is looked at, which dimension answers, what channels may still do."""

from __future__ import annotations

import math

import pytest

from safetykit.core import rss
from safetykit.core.vocabulary import Action, State
from tests.drive import Document
from tests.road import ACCEL, CURVATURE, SPEED, Road, car, thing

pytestmark = pytest.mark.core
BRAKE, OPPOSITE, LEFT, RIGHT = rss.BRAKE_SAME, rss.BRAKE_OPPOSITE, rss.KEEP_FROM_LEFT, rss.KEEP_FROM_RIGHT
QUICK = {key: value for key, value in ACCEL.items() if "rate" not in key}
FAST = {key: value for key, value in CURVATURE.items() if "rate" not in key}


def road(made: Document | None = None, *objects: list[float], speed: float = 10.0, **inputs: float) -> Road:
    return Road(made or car(QUICK, FAST), *objects, speed_mps=speed, **inputs).free()


def shifted(name: str = "", **more: float) -> Road:
    """A car that was far enough in one dimension (`name`) for a tick, and is now near in both."""
    drive = road()
    far = {"along": thing(60.0, -1.0, id=5), "across": thing(5.0, -8.0, id=5)}
    if name:
        drive.objects = [far[name]]
        assert drive.tick(0.0, 0.0).faults == ()
    drive.objects = [thing(15.0, -1.0, id=5, **more)]
    return drive


def test_the_dimension_that_was_safe_last_answers() -> None:
    for name, response, changed in (("along", BRAKE, "accel_mps2"), ("across", RIGHT, "curvature_radpm")):
        drive = shifted(name)
        if name == "across":
            drive.objects = [thing(15.0, -2.1, id=5)]  # near, not in the way yet
        decision = drive.tick(1.0, -0.04)
        assert (decision.faults, decision.action) == (("RSS",), Action.CLAMP)
        assert drive.guard.frame.st_rss_response == response
        assert set(decision.reasons) == {changed}
        assert drive.tick(1.0, -0.04).reasons == decision.reasons, "it answers for as long as the situation lasts"


def test_one_that_came_from_the_side_is_braked_for_once_it_is_in_the_way() -> None:
    drive = shifted("across")
    drive.tick(1.0, -0.04)
    assert drive.guard.frame.st_rss_response == BRAKE | RIGHT


def test_a_new_object_is_answered_in_both_dimensions() -> None:
    drive = shifted()
    decision = drive.tick(1.0, -0.04)
    assert drive.guard.frame.st_rss_response == BRAKE | RIGHT
    assert decision.sent == {"accel_mps2": -4.0, "curvature_radpm": 0.0}


def test_an_object_without_identity_is_answered_in_both_dimensions() -> None:
    drive = road(None, thing(60.0, 1.0))
    drive.tick(0.0, 0.0)
    drive.objects = [thing(15.0, 2.1)]
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_response == BRAKE | LEFT


def test_the_memory_goes_with_the_identity_when_the_list_changes_its_order() -> None:
    drive = road()
    drive.objects = [thing(300.0, id=1, vx=30.0), thing(5.0, -8.0, id=5), thing(310.0, id=2, vx=30.0)]
    drive.tick(0.0, 0.0)
    drive.objects = [thing(15.0, -2.1, id=5), thing(310.0, id=2, vx=30.0), thing(300.0, id=1, vx=30.0)]
    assert drive.tick(0.0, 0.0).faults == ("RSS",)
    assert drive.guard.frame.st_rss_response == RIGHT
    drive.objects = []
    drive.tick(0.0, 0.0)
    drive.objects = [thing(15.0, -2.1, id=5)]
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_response == BRAKE | RIGHT, "one that vanished is a new one"


@pytest.mark.parametrize(
    ("edge", "near", "response"),
    [
        (thing(24.375, -2.125, id=5), thing(24.0, -2.125, id=5), BRAKE),  # 10 m/s need 5.25 + 121 / 8 = 20.375 m
        (thing(15.0, -2.25, id=5), thing(15.0, -2.125, id=5), RIGHT),
        (thing(15.0, -2.25, id=5), thing(15.0, -2.0, id=5), RIGHT),  # touching is not in the way yet
    ],
)
def test_exactly_the_needed_distance_was_safe(edge: list[float], near: list[float], response: int) -> None:
    made = car(QUICK, FAST, lateral_speed=None, lateral_accel_mps2_max=0.0, lateral_margin_m=0.25)
    drive = road(made, edge)
    assert drive.tick(0.0, 0.0).faults == ()
    drive.objects = [near]
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_response == response


def test_an_unsound_object_loses_its_memory() -> None:
    drive = shifted("across")
    drive.objects[0][2] = math.nan
    drive.tick(0.0, 0.0)
    drive.objects = [thing(15.0, -2.1, id=5)]
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_response == BRAKE | RIGHT


def test_two_objects_with_one_identity_are_a_fault_for_as_long_as_they_are_there() -> None:
    drive = road(None, thing(300.0, id=3, vx=30.0), thing(350.0, id=4, vx=30.0), thing(320.0, id=3, vx=30.0))
    for _ in range(3):
        assert drive.tick(0.0, 0.0).faults == ("OBJECTS",)
    drive.objects = [thing(300.0, vx=30.0), thing(320.0, vx=30.0), thing(340.0, vx=30.0, id=8)]
    assert drive.tick(0.0, 0.0).faults == ()


@pytest.mark.parametrize(
    ("speed", "item", "response"),
    [
        (10.0, thing(15.0), BRAKE | LEFT),
        (10.0, thing(15.0, vx=-1.0), OPPOSITE | LEFT),
        (10.0, thing(-15.0, vx=20.0), LEFT),  # the one behind brakes
        (10.0, thing(-15.0, vx=-20.0), 0),  # behind and leaving
        (10.0, thing(0.5, 2.1), BRAKE | LEFT),  # side by side
        (10.0, thing(0.0, 2.1), BRAKE | LEFT),
        (-4.0, thing(-6.0), rss.BACK_SAME | LEFT),
        (-4.0, thing(-6.0, vx=1.0), rss.BACK_OPPOSITE | LEFT),
        (0.0, thing(-4.3), LEFT),  # near behind, both standing
        (-4.0, thing(6.0), 0),  # reverses away from it
        (-4.0, thing(4.2, vx=-9.0), LEFT),  # followed while it reverses
    ],
)
def test_who_must_do_what(speed: float, item: list[float], response: int) -> None:
    drive = road(None, item, speed=speed)
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_response == response


def test_whoever_is_ahead_owes_nothing_along_the_road() -> None:
    drive = road(None, thing(-60.0, id=1, vx=12.0))
    drive.tick(2.0, 0.0)
    drive.objects = [thing(-5.0, id=1, vx=12.0)]
    decision = drive.tick(2.0, 0.0)
    assert (decision.faults, decision.sent["accel_mps2"]) == ((), 2.0)


@pytest.mark.parametrize(
    ("speed", "item", "accel"),
    [
        (10.0, thing(15.0), -4.0),
        (10.0, thing(15.0, vx=-1.0), -3.0),
        (0.0, thing(2.5), 0.0),
        (-4.0, thing(-6.0), 4.0),
        (-4.0, thing(-6.0, vx=1.0), 3.0),
    ],
)
def test_braking_by_acceleration(speed: float, item: list[float], accel: float) -> None:
    made = car({**QUICK, "max": 5}, FAST, accel_mps2_max=5.0)
    drive = road(made, item, speed=speed)
    asked = 5.0 if speed >= 0 else -5.0
    decision = drive.tick(asked, 0.0)
    assert decision.sent["accel_mps2"] == pytest.approx(accel)
    assert drive.tick(accel * 1.2, 0.0).sent["accel_mps2"] == pytest.approx(accel * 1.2), "harder is allowed"


def test_the_stricter_of_two_answers_holds() -> None:
    drive = road(None, thing(20.0, vx=-2.0), thing(18.0))
    assert drive.tick(1.0, 0.0).sent["accel_mps2"] == pytest.approx(-4.0)


def set_speed(item: list[float], at: float, measured: float) -> Road:
    drive = road(car(SPEED, FAST, steer=None), speed=measured)
    drive.ticks(2000, at, 0.0)
    assert drive.guard.frame.st_sent[1] == pytest.approx(at)
    drive.objects = [item]
    return drive


@pytest.mark.parametrize(
    ("at", "measured", "first", "second"),
    [
        (10.0, 10.0, 9.96, 9.92),
        (10.0, 12.0, 9.96, 9.92),  # the set-point leads
        (10.0, 9.0, 9.92, 9.84),  # the vehicle is slower already: as fast as the channel's own rate allows
        (0.02, 0.02, 0.0, 0.0),
    ],
)
def test_braking_by_speed(at: float, measured: float, first: float, second: float) -> None:
    drive = set_speed(thing(2.5), at, measured)
    assert drive.tick(at, 0.0).sent["set_mps"] == pytest.approx(first)
    assert drive.tick(at, 0.0).sent["set_mps"] == pytest.approx(second)


def test_a_late_tick_brakes_for_the_time_that_passed() -> None:
    drive = set_speed(thing(4.5), 10.0, 10.0)
    assert drive.tick(10.0, 0.0, dt_ns=30_000_000).sent["set_mps"] == pytest.approx(9.88)


def test_braking_by_speed_while_reversing() -> None:
    drive = set_speed(thing(-3.0), -2.0, -2.0)
    assert drive.tick(-2.0, 0.0).sent["set_mps"] == pytest.approx(-1.98), "as fast as the channel's own rate allows"
    assert drive.guard.frame.st_window_lo[1] == pytest.approx(-1.96)
    drive = set_speed(thing(-3.0), -2.0, -1.5)
    drive.tick(-2.0, 0.0)
    assert drive.guard.frame.st_window_lo[1] == pytest.approx(-1.46)


@pytest.mark.parametrize(("dt_ms", "most"), [(80, 9.8), (-10, 10.0)])
def test_time_that_jumps_brakes_neither_more_nor_backwards(dt_ms: int, most: float) -> None:
    drive = set_speed(thing(4.5), 10.0, 10.0)
    drive.tick(10.0, 0.0, dt_ns=dt_ms * 1_000_000)
    assert drive.guard.frame.st_window_hi[1] == pytest.approx(most)


def test_steering_while_reversing() -> None:
    drive = road(None, thing(-6.0, 2.1), speed=-4.0, lateral_mps=0.5)
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_window_hi[2] == pytest.approx(-0.8 / 16)


@pytest.mark.parametrize(
    ("lateral", "y", "lo", "hi"),
    [
        (0.0, 2.1, None, 0.0),
        (0.5, 2.1, None, -0.8),
        (0.004, 2.1, None, -0.4),  # stands after one tick
        (-0.2, 2.1, None, 0.8),  # leaves: it may stop that as hard as it must brake elsewhere
        (-2.0, 2.1, None, 4.0),  # ... or as slowly as the response time allows
        (-0.004, 2.1, None, 0.4),
        (0.0, -2.1, 0.0, None),
        (-0.5, -2.1, 0.8, None),
    ],
)
@pytest.mark.parametrize("bend", [0.0, 0.01])
def test_steering(lateral: float, y: float, lo: float | None, hi: float | None, bend: float) -> None:
    """Relative to the road: a = v^2 (curvature - bend)."""
    item = thing(15.0, y, id=1, vy=-1.0 if y > 0 else 1.0)
    drive = road(car(QUICK, FAST, curvature="bend_radpm"), item, lateral_mps=lateral, bend_radpm=bend)
    drive.tick(0.0, bend)
    frame = drive.guard.frame
    for bound, wanted, none in ((frame.st_window_lo[2], lo, -1e300), (frame.st_window_hi[2], hi, 1e300)):
        assert bound == (none if wanted is None else pytest.approx(bend + wanted / 100.0))


def test_between_two_there_is_always_a_way_left() -> None:
    for lateral in (-3.0, -0.5, -0.004, 0.0, 0.001, 0.3, 2.0):
        drive = road(None, thing(0.0, 2.1), thing(0.0, -2.1), lateral_mps=lateral)
        assert drive.tick(0.0, 0.0).faults == ("RSS",)


def test_steering_by_angle_goes_through_the_vehicle_model() -> None:
    lateral = {"geometry": "angle", "accel_mps2": 5, "speed_min_mps": 1, "wheelbase_m": 2.9, "ratio": 12}
    wheel = {**FAST, "unit": "rad", "min": -6, "max": 6, "lateral": {**lateral, "understeer_s2pm2": 0.002}}
    drive = road(car(QUICK, wheel), thing(15.0, 2.1), lateral_mps=0.5)
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_window_hi[2] == pytest.approx(12 * math.atan(-0.008 * 2.9 * (1 + 0.002 * 100)))


def test_steering_by_lateral_acceleration() -> None:
    plain = {**{k: v for k, v in FAST.items() if k != "lateral"}, "unit": "mps2", "min": -5, "max": 5}
    drive = road(car(QUICK, plain, curvature="bend_radpm"), thing(15.0, 2.1), lateral_mps=0.5, bend_radpm=0.02)
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_window_hi[2] == pytest.approx(0.02 * 100 - 0.8)


def test_without_a_steering_channel_every_answer_brakes() -> None:
    drive = road(car(QUICK, FAST, steer=None), thing(5.0, -8.0, id=5))
    drive.tick(0.0, 0.0)
    drive.objects = [thing(15.0, -2.1, id=5)]
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_response == BRAKE


def loose(made: Document) -> Document:
    """No source is needed, so that an input that is not valid is no fault by itself."""
    made["sources"]["vehicle"]["needed"] = False
    return made


def test_an_unknown_speed_counts_as_the_worst() -> None:
    made = loose(car(QUICK, FAST, steer=None))
    drive = road(made, thing(300.0), speed=10.0)
    assert drive.tick(0.0, 0.0).faults == ()
    drive.inputs["speed_mps"] = math.nan
    decision = drive.tick(0.0, 0.0)
    assert (decision.faults, decision.sent["accel_mps2"]) == (("RSS",), pytest.approx(-4.0))
    # the largest speed of the range: 50 m/s. 50 * 0.5 + 0.25 + 51^2 / 8
    assert drive.guard.frame.st_rss_needed_m == pytest.approx(25.25 + 51**2 / 8)
    drive.objects = [thing(30.0), thing(-10.0)]
    assert "INFEASIBLE" in drive.tick(0.0, 0.0).faults, "it may reverse into the one behind as well"
    assert drive.guard.frame.st_state == State.RECOVERY


def test_an_unknown_speed_leaves_the_set_point_as_the_only_word() -> None:
    drive = set_speed(thing(100.0), 10.0, 8.0)
    loosened = road(loose(car(SPEED, FAST, steer=None)), speed=8.0)
    loosened.ticks(600, 10.0, 0.0)
    loosened.objects = [thing(30.0)]
    loosened.inputs["speed_mps"] = math.nan
    assert loosened.tick(10.0, 0.0).sent["set_mps"] == pytest.approx(9.96)
    assert drive.tick(10.0, 0.0).faults == ()


def test_a_speed_that_is_never_negative_leaves_what_is_behind_alone() -> None:
    made = loose(car(QUICK, FAST, steer=None))
    made["sources"]["vehicle"]["inputs"]["speed_mps"] = {"unit": "mps", "min": 0, "max": 50}
    drive = road(made, thing(-4.2, id=1), speed=math.nan)
    assert drive.tick(0.0, 0.0).faults == ()
    made["sources"]["vehicle"]["inputs"]["speed_mps"] = {"unit": "mps", "min": -50, "max": -1}
    made["channels"]["curvature_radpm"]["lateral"]["accel_mps2"] = 50
    drive = road(made, thing(10.0, id=1), speed=math.nan)
    assert drive.tick(0.0, 0.0).faults == ()


@pytest.mark.parametrize("name", ["speed_mps", "bend_radpm"])
def test_without_speed_or_bend_nobody_can_say_how_to_steer(name: str) -> None:
    drive = road(loose(car(QUICK, FAST, curvature="bend_radpm")), thing(15.0, 2.1))
    drive.inputs[name] = math.nan
    decision = drive.tick(0.0, 0.0)
    assert "INFEASIBLE" in decision.faults
    assert decision.state is State.RECOVERY


def test_an_unknown_lateral_speed_counts_as_towards_the_object() -> None:
    drive = road(loose(car(QUICK, FAST)), thing(15.0, 4.0, id=1))
    assert drive.tick(0.0, 0.0).faults == ()
    drive.inputs["lateral_mps"] = math.nan
    drive.objects = [thing(15.0, 4.0, id=2)]
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_window_hi[2] == pytest.approx(-0.008)
    drive.objects.append(thing(15.0, -4.0, id=3))
    assert "INFEASIBLE" in drive.tick(0.0, 0.0).faults, "it cannot move to both sides at once"


def test_without_a_lateral_speed_it_counts_as_zero() -> None:
    drive = road(car(QUICK, FAST, lateral_speed=None), thing(15.0, 2.1))
    drive.tick(0.0, 0.1)
    assert drive.guard.frame.st_window_hi[2] == 0.0
    # 0.2 + twice (0.5 * 0.1 * 0.5 + 0.1^2 / 1.6)
    assert drive.guard.frame.st_rss_lateral_needed_m == pytest.approx(0.2 + 2 * (0.025 + 0.00625))


@pytest.mark.parametrize(
    ("cap", "speed", "needed"),
    [
        (None, 10.0, 5.25 + 11**2 / 8),
        (10.5, 10.0, 10.25 * 0.25 + 10.5 * 0.25 + 10.5**2 / 8),
        (8.0, 10.0, 5.0 + 10.0**2 / 8),  # beyond the cap already: no faster
    ],
)
def test_the_cap_bounds_what_the_response_time_adds(cap: float | None, speed: float, needed: float) -> None:
    drive = road(car(QUICK, FAST, speed_mps_max=cap), thing(100.0), speed=speed)
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_needed_m == pytest.approx(needed)


def test_the_cap_of_the_others() -> None:
    drive = road(car(QUICK, FAST, others_speed_mps_max=10.0), thing(200.0, vx=-10.0))
    drive.tick(0.0, 0.0)
    own = 5.25 + 11**2 / 6
    assert drive.guard.frame.st_rss_needed_m == pytest.approx(own + 5.0 + 10**2 / 8)


def test_the_object_nearest_to_danger_is_kept_with_its_numbers() -> None:
    drive = road(None, thing(100.0, id=1), thing(60.0, id=2), thing(50.0, 9.0, id=3))
    drive.tick(0.0, 0.0)
    frame = drive.guard.frame
    assert (frame.st_rss_object, frame.st_rss_gap_m, frame.st_rss_lateral_gap_m) == (2, 46.0, 7.0)
    drive.objects = []
    drive.tick(0.0, 0.0)
    assert (frame.st_rss_object, frame.st_rss_gap_m, frame.st_rss_needed_m) == (-1, 0.0, 0.0)


def test_of_two_that_are_equally_near_the_first_is_kept() -> None:
    drive = road(None, thing(60.0, id=1), thing(60.0, id=2))
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_object == 0


def test_straight_ahead_counts_as_left() -> None:
    drive = road(None, thing(60.0), lateral_mps=0.5)
    drive.tick(0.0, 0.0)
    # 0.2 + own (0.55 * 0.5 + 0.6^2 / 1.6) + the other's 0.025 + 0.00625
    assert drive.guard.frame.st_rss_lateral_needed_m == pytest.approx(0.2 + 0.5 + 0.03125)


def test_the_centre_of_the_vehicle_counts() -> None:
    drive = road(car(QUICK, FAST, centre_m=1.5), thing(20.0))
    drive.tick(0.0, 0.0)
    assert drive.guard.frame.st_rss_gap_m == 20.0 - 1.5 - 4.0


def test_recovery_brakes_as_hard_as_the_answer_demands() -> None:
    drive = road(None, thing(15.0, id=1))
    decision = drive.tick(math.nan, 0.0)
    assert decision.action is Action.HOLD
    assert decision.sent["accel_mps2"] == pytest.approx(-4.0)
    drive.ticks(40)
    assert drive.guard.frame.st_state in (State.RECOVERY, State.STANDBY)
