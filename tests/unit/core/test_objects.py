"""The list of objects: late, torn, too long, or with numbers that cannot be."""

from __future__ import annotations

import math

import pytest

from safetykit.core.columns import objects as of
from safetykit.core.vocabulary import Action, State
from tests.drive import Drive
from tests.road import Road, car, robot, thing

pytestmark = pytest.mark.core
MS = 1_000_000
FAR = thing(400.0, vx=30.0)


def drive(**changes: object) -> Road:
    made = car()
    made["objects"] |= changes
    return Road(made, FAR, speed_mps=10.0).free()


def test_a_good_list_is_no_fault() -> None:
    road = drive()
    assert road.ticks(3, 1.0, 0.0).faults == ()
    assert road.guard.frame.st_objects_count == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((column, bad) for column in range(of.OBJ_X, of.OBJ_ID + 1) for bad in (math.nan, math.inf, -math.inf)),
        *((column, bad) for column in (of.OBJ_X, of.OBJ_Y, of.OBJ_Z) for bad in (500.1, -500.1)),
        *((column, bad) for column in (of.OBJ_VX, of.OBJ_VY, of.OBJ_VZ) for bad in (70.1, -70.1)),
        *((column, bad) for column in (of.OBJ_LENGTH, of.OBJ_WIDTH, of.OBJ_HEIGHT) for bad in (500.1, -1e-9)),
        *((of.OBJ_ID, bad) for bad in (-1.0, 0.5, 2.0**52 + 1)),
    ],
)
def test_a_number_that_cannot_be_is_a_fault_and_the_others_still_count(column: int, value: float) -> None:
    road = drive()
    road.objects = [list(FAR), thing(22.0, id=7)]
    road.objects[0][column] = value
    decision = road.tick(0.0, 0.0)
    assert decision.faults == ("OBJECTS", "RSS")
    assert (decision.action, decision.state) == (Action.RECOVER, State.RECOVERY)
    frame = road.guard.frame
    assert (frame.st_objects_count, frame.st_objects_unsound, frame.st_objects_first_unsound) == (2, 1, 0)
    assert decision.sent["accel_mps2"] == pytest.approx(-0.4), "the second object makes recovery brake too"


@pytest.mark.parametrize("column", [of.OBJ_X, of.OBJ_VX, of.OBJ_LENGTH])
def test_numbers_at_the_edge_of_their_range_are_sound(column: int) -> None:
    road = drive()
    road.objects[0][column] = 70.0 if column == of.OBJ_VX else 500.0
    road.objects[0][of.OBJ_ID] = 2.0**52
    road.objects.append(thing(400.0, vx=30.0, length=0.0, width=0.0))
    assert "OBJECTS" not in road.tick(0.0, 0.0).faults


def test_the_first_of_several_unsound_objects_is_kept() -> None:
    road = drive()
    road.objects = [FAR, thing(math.nan), thing(math.nan)]
    road.tick(0.0, 0.0)
    assert (road.guard.frame.st_objects_unsound, road.guard.frame.st_objects_first_unsound) == (2, 1)


@pytest.mark.parametrize(("count", "looked_at"), [(-1, 0), (3, 2), (2**40, 2), (-(2**40), 0)])
def test_a_count_that_cannot_be(count: int, looked_at: int) -> None:
    road = drive(count_max=2)
    road.objects = [FAR, FAR]
    assert road.tick(0.0, 0.0).faults == (), "as many as are allowed"
    road.guard.frame.in_objects_count = count
    assert road.tick(0.0, 0.0, objects=None).faults == ("OBJECTS",)
    assert road.guard.frame.st_objects_count == looked_at


def test_a_policy_without_objects_looks_at_none() -> None:
    plain = Drive()
    plain.guard.frame.in_objects_count, plain.guard.frame.in_objects_status = 99, 1
    assert plain.tick(0.0).faults == ("NOT_PERMITTED",)
    assert plain.guard.frame.st_objects_count == 0


def test_an_empty_list_says_that_nothing_is_there() -> None:
    road = drive()
    road.objects = []
    assert road.tick(0.0, 0.0).faults == ()


@pytest.mark.parametrize(("age_ms", "faults"), [(100, ()), (101, ("INPUT_STALE",)), (-5, ()), (-6, ("INPUT_FUTURE",))])
def test_age_counts_on_both_sides(age_ms: int, faults: tuple[str, ...]) -> None:
    road = drive()
    road.tick(0.0, 0.0)
    road.guard.frame.in_objects_stamp_ns = road.now_ns + 10 * MS - age_ms * MS
    decision = road.tick(0.0, 0.0, objects=None)
    assert decision.faults == faults
    assert road.guard.frame.st_objects_count == (0 if faults else 1)
    assert decision.state is (State.RECOVERY if faults else State.ENGAGED)


def test_a_torn_list_is_held_and_the_last_good_copy_counts() -> None:
    road = drive()
    road.objects = [thing(22.0, id=1)]
    road.tick(0.0, 0.0)
    road.guard.frame.in_objects_status = 2
    decision = road.tick(0.0, 0.0, objects=None)
    assert decision.faults == ("INPUT_TORN", "RSS")
    assert decision.action is Action.HOLD


def test_a_list_that_never_came() -> None:
    road = Road(robot(), speed_mps=0.0)
    assert "INPUT_STALE" in road.tick(0.0, objects=None).faults


def test_a_list_that_is_not_needed_may_be_missing() -> None:
    made = robot()
    del made["collision"], made["motion"]
    made["objects"]["needed"] = False
    road = Road(made, thing(math.nan)).free()
    assert road.tick(0.0).faults == ("OBJECTS",)
    road.guard.frame.in_objects_status = 0
    assert road.ticks(3, 0.0, objects=None).faults == ()
