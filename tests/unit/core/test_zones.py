"""Zones: where the vehicle is, the two rings before each fence, the way back from outside, and speed zones."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core import walls, zones
from safetykit.core.vocabulary import State, fault_names
from safetykit.policy import parse_policy
from safetykit.runtime.guard import Guard
from tests.drive import Document, document
from tests.fenced import HALL, KEPT, LEFT, MAST, MOTION, RIGHT, SCHOOL, TOWER, YARD, Zones, stopping_m, world

pytestmark = pytest.mark.core

FARSIGHTED: Document = {**MOTION, "gain_per_s": 0.05}  # sees walls from afar
UNSTEERED: Document = {k: v for k, v in MOTION.items() if k not in ("steered_by", "accel_mps2_max", "gain_per_s")}
E = 1e-6


@pytest.mark.parametrize("fence", [TOWER, MAST])
@pytest.mark.parametrize(
    ("x", "y", "z", "inside"),
    [(15, 0, 0, True), (9, 0, 0, False), (15, 0, 30, True), (15, 0, 31, False), (15, 0, -11, False), (0, 40, 0, False)],
)
def test_inside_in_plan_and_in_height(fence: Document, x: float, y: float, z: float, inside: bool) -> None:
    seen = Zones.of({"new": fence}, motion=None)
    assert (seen.at(x, y, z) == ("ZONE",)) is inside
    assert seen.inside == ({"new"} if inside else set())
    assert seen.frame.st_zone_worst == (0 if inside else -1)
    assert seen.walls == []


def test_a_corner_of_the_box_around_a_circle_is_outside_of_it() -> None:
    seen = Zones.of({"mast": MAST}, motion=None)
    assert seen.at(20 + 7.0, 7.0) == ("ZONE",)
    assert seen.at(20 + 7.2, 7.2) == ()


def test_without_motion_only_the_position_counts() -> None:
    seen = Zones.of({"yard": YARD, "tower": TOWER}, motion=None)
    assert seen.at(9.99, 0, v=(30, 0, 0)) == ()
    assert seen.at(60, 0) == ("ZONE",)
    assert seen.frame.st_zone_worst == 0
    assert seen.state(State.STANDBY).at(60, 0) == ("ZONE",)
    assert seen.at(math.nan, 0) == ("ZONE",)


def test_zones_for_conditions_are_no_fences() -> None:
    made = {"pad": {**TOWER, "rule": "condition"}}
    seen = Zones.of(made, motion=UNSTEERED, functions={"land": {"when": [{"inside": "pad"}]}})
    assert seen.at(15, 0, v=(30, 0, 0)) == ()
    assert seen.inside == {"pad"}
    assert seen.at(math.nan, 0) == ()
    assert seen.walls == []


@pytest.mark.parametrize("unknown", ["position", "velocity"])
def test_what_is_not_known_is_a_violation(unknown: str) -> None:
    seen = Zones.of({"tower": TOWER})
    if unknown == "position":
        assert seen.at(0, math.nan) == ("ZONE",)
    else:
        assert seen.at(-500, 0, v=(0, math.nan, 0)) == ("ZONE",)
    assert seen.walls == []


@pytest.mark.parametrize("speed", [0.0, 1.0, 5.0, 12.0])
def test_it_must_be_able_to_stop_before_a_keep_out_zone(speed: float) -> None:
    seen = Zones.of({"tower": TOWER})
    x = 10 - stopping_m(speed)
    assert seen.at(x - E, 0, v=(speed, 0, 0)) == ()
    assert seen.at(x + E, 0, v=(speed, 0, 0)) == ("ZONE",)
    assert seen.frame.st_zone_needed_m == pytest.approx(stopping_m(speed))
    assert seen.frame.st_zone_gap_m == pytest.approx(stopping_m(speed) - E)
    assert seen.frame.st_zone_worst == 0


@pytest.mark.parametrize("way", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
def test_it_must_be_able_to_stop_before_each_side_of_a_keep_in_zone(way: tuple[int, int, int]) -> None:
    seen = Zones.of({"hall": HALL})
    room = 20 if way[2] else 50
    for speed in (0.0, 6.0):
        at = [k * (room - stopping_m(speed)) for k in way]
        v = (speed * way[0], speed * way[1], speed * way[2])
        assert seen.at(*(x - E * k for x, k in zip(at, way, strict=True)), v=v) == ()
        assert seen.at(*(x + E * k for x, k in zip(at, way, strict=True)), v=v) == ("ZONE",)


def test_a_slanting_motion_is_stopped_along_its_own_line() -> None:
    seen = Zones.of({"tower": TOWER})
    v = (3.0, 4.0, 0.0)
    x = 10 - stopping_m(5.0, towards=3.0)
    assert seen.at(x - E, 0, v=v) == ()
    assert seen.at(x + E, 0, v=v) == ("ZONE",)
    slanting = 3.0 * (5.0 - 3.0) / (2 * 4.0)
    assert seen.wall(1, 0, 0)[0] == pytest.approx(10 - x - KEPT - 0.5 - slanting - E)


def test_moving_away_or_along_needs_the_margin_only() -> None:
    seen = Zones.of({"tower": TOWER})
    assert seen.at(10 - KEPT - E, 0, v=(-20, 0, 0)) == ()
    assert seen.at(10 - KEPT + E, 0, v=(-20, 0, 0)) == ("ZONE",)
    assert seen.at(10 - KEPT - E, 0, v=(0, 20, 0)) == ()


def test_wind_and_the_reported_position_error_move_the_ring() -> None:
    made = {**MOTION, "wind_mps": 2, "position_error_m": {"input": "eph_m", "factor": 3}}
    sources = {
        "gps": {"age_ms": 100, "future_ms": 5, "needed": False, "inputs": {"eph_m": {"unit": "m", "min": 0, "max": 5}}}
    }
    seen = Zones.of({"tower": TOWER}, motion=made, sources=sources)
    eph = seen.policy.input_index("eph_m")
    for error, valid in ((0.5, True), (1.5, True), (5.0, False)):
        x = 10 - (1 + 3 * error + 2 * 0.25 + 4 / 8)
        for dx, faults in ((-E, ()), (E, ("ZONE",))):
            seen.frame.in_value[eph] = error if valid else math.nan
            assert _at_with(seen, eph, valid, x + dx) == faults


def _at_with(seen: Zones, extra: int, valid: bool, x: float) -> tuple[str, ...]:
    """As `at`, with one more valid input."""
    seen.at(x, 0)
    walls.clear(seen.frame)
    seen.frame.st_valid |= int(valid) << extra
    return fault_names(int(zones.check(seen.policy.limits, seen.policy.timing, seen.frame)))


@pytest.mark.parametrize(
    ("at", "normal", "gap"),
    [
        ((0, 0, 0), (1, 0, 0), 10),
        ((6, -8, 0), (0.8, 0.6, 0), 5),  # at a corner: one wall for both edges
        ((15, 0, 36), (0, 0, -1), 6),
        ((15, 0, -16), (0, 0, 1), 6),
        ((6, 0, 33), (0.8, 0, -0.6), 5),  # over the rim
    ],
)
def test_the_wall_stands_at_the_nearest_point(at: Any, normal: Any, gap: float) -> None:
    seen = Zones.of({"tower": TOWER}, motion=FARSIGHTED)
    assert seen.at(*at) == ()
    assert seen.wall(*normal) == pytest.approx([gap - KEPT - 0.5, 0])
    assert {of for of, _ in seen.walls} == {walls.OF_ZONE * walls.OF_KIND}
    assert len(seen.walls) == 1


@pytest.mark.parametrize(
    ("at", "normal", "gap"),
    [
        ((5, 0, 0), (1, 0, 0), 5),
        ((20, 14, 0), (0, -1, 0), 4),
        ((24, 0, 34), (0, 0, -1), 4),
        ((6, 0, 33), (0.8, 0, -0.6), 5),
    ],
)
def test_a_circle_has_one_wall(at: Any, normal: Any, gap: float) -> None:
    seen = Zones.of({"mast": MAST}, motion=FARSIGHTED)
    assert seen.at(*at) == ()
    assert seen.wall(*normal) == pytest.approx([gap - KEPT - 0.5, 0])
    assert len(seen.walls) == 1


def test_within_a_concave_keep_in_zone_every_near_edge_is_a_wall() -> None:
    seen = Zones.of({"yard": {"rule": "keep_in", "corners_m": [[0, 0], [20, 0], [20, 20], [10, 6], [0, 20]]}})
    assert seen.at(10, 3) == ()
    assert seen.wall(0, -1, 0)[0] == pytest.approx(0.5)
    assert seen.wall(0, 1, 0)[0] == pytest.approx(0.5), "the corner that comes in, once"


@pytest.mark.parametrize("made", [{"tower": TOWER}, {"mast": MAST}, {"hall": HALL}, {"slow": SCHOOL}])
def test_far_away_nothing_is_looked_at(made: Document) -> None:
    seen = Zones.of(made)
    where = (0, 0) if "hall" in made else (-200, 0)
    assert seen.at(*where, v=(5, 0, 0)) == ()
    assert seen.walls == []


def test_walls_are_there_before_they_are_needed() -> None:
    """The fastest change of the velocity that is possible meets every wall before it binds."""
    seen = Zones.of({"tower": TOWER})
    for speed in (0.0, 5.0, 10.0):
        soonest = 0.5 + stopping_m(speed + 5 * 0.25)
        seen.at(10 - soonest, 0, v=(speed, 0, 0))
        assert seen.walls != []


def test_without_channels_to_steer_nobody_needs_walls() -> None:
    seen = Zones.of({"tower": TOWER}, motion=UNSTEERED)
    assert seen.at(10 - stopping_m(5.0) + E, 0, v=(5, 0, 0)) == ("ZONE",)
    assert seen.walls == []


def test_of_two_keep_in_zones_the_roomier_one_counts() -> None:
    seen = Zones.of(
        {
            "left": LEFT,
            "pad": {**TOWER, "rule": "keep_out", "corners_m": [[40, 40], [45, 40], [45, 45]]},
            "right": RIGHT,
        }
    )
    assert seen.at(9.5, 0) == ()
    assert {of for of, _ in seen.walls} <= {walls.OF_ZONE * walls.OF_KIND + 2}
    assert seen.at(-9.5, 0) == ()
    assert seen.at(9.5, 0, v=(10, 0, 0)) == (), "in the right one there is room to stop"
    assert seen.at(4, 0, v=(25, 0, 0)) == ("ZONE",)
    assert seen.at(60, 0) == ("ZONE",)


@pytest.mark.parametrize(
    ("fence", "x", "normal"), [(HALL, 50.0, (1, 0, 0)), (TOWER, 10.0, (1, 0, 0)), (MAST, 10.0, (1, 0, 0))]
)
def test_on_the_fence_itself_the_wall_keeps_its_direction(fence: Document, x: float, normal: Any) -> None:
    seen = Zones.of({"new": fence})
    for beside in (-1e-12, 0.0, 1e-12):
        assert seen.at(x + beside, 0) == ("ZONE",)
        assert seen.wall(*normal)[0] == pytest.approx(-KEPT - 0.5)


@pytest.mark.parametrize(("z", "normal"), [(20.0, (0, 0, 1)), (-20.0, (0, 0, -1))])
def test_on_floor_and_ceiling_too(z: float, normal: Any) -> None:
    seen = Zones.of({"hall": HALL})
    for beside in (-1e-12, 0.0, 1e-12):
        assert seen.at(0, 0, z + beside) == ("ZONE",)
        assert seen.wall(*normal)[0] == pytest.approx(-KEPT - 0.5)


def test_before_a_speed_zone_stands_a_wall_with_its_speed() -> None:
    seen = Zones.of({"school": SCHOOL})
    assert seen.at(5, 0, v=(1, 0, 0)) == ()
    assert seen.wall(1, 0, 0) == pytest.approx([5 - KEPT - 0.5, 2])
    assert seen.walls[0][0] == walls.OF_SPEED_ZONE * walls.OF_KIND
    assert seen.frame.st_speed_max_mps > 1e299
    assert seen.at(9.9, 0, v=(20, 0, 0)) == (), "slowing down is the barrier filter's part"
    assert seen.frame.st_zone_worst == -1


def test_in_a_speed_zone_its_speed_holds_in_every_direction() -> None:
    seen = Zones.of({"school": SCHOOL, "yard": YARD, "crossing": {**SCHOOL, "speed_mps_max": 1}})
    assert seen.at(15, 0, v=(0.6, 0.6, 0.5)) == ()
    assert seen.frame.st_speed_max_mps == 1
    assert seen.at(15, 0, v=(0.9, 0.9, 0.9)) == ("ZONE",)
    assert seen.frame.st_zone_fast == 2
    assert seen.at(15, 0, v=(0, 0, 3)) == ("ZONE",)
    assert seen.at(0, 0, v=(0, 0, 3)) == ()
    assert seen.frame.st_zone_fast == -1


def test_more_walls_than_can_be_looked_at_are_infeasible() -> None:
    posts = {
        f"p{k}": {"rule": "keep_out", "corners_m": [[x, y] for x, y in _ring(k)], "correct_m": 5} for k in range(6)
    }
    seen = Zones.of(
        {"yard": {"rule": "keep_in", "centre_m": [0, 0], "radius_m": 60, "correct_m": 0}, **posts}, motion=FARSIGHTED
    )
    assert "INFEASIBLE" in seen.at(0, 0, v=(15, 0, 0))
    assert len(seen.walls) == 64


def _ring(k: int) -> list[tuple[float, float]]:
    """A comb round the middle: many edges face it."""
    turns = [math.tau * (k + j / 33) / 6 for j in range(31)]
    inner = [((14 - j % 2) * math.cos(t), (14 - j % 2) * math.sin(t)) for j, t in enumerate(turns)]
    outer = [(20 * math.cos(t), 20 * math.sin(t)) for t in (turns[-1], turns[0])]
    return [*inner, *outer]


def test_zones_in_degrees_lie_where_the_local_coordinates_say() -> None:
    """One minute of latitude is one nautical mile, 1852 m, to within 0.5 %; one of longitude that times cos."""
    lat, lon = 48.0, 11.0
    corners = [[lat - 1 / 60, lon - 1 / 60], [lat - 1 / 60, lon + 1 / 60], [lat + 1 / 60, lon]]
    made = {"rule": "keep_out", "corners_deg": corners}
    seen = Zones.of({"field": made}, motion=None, origin={"lat_deg": lat, "lon_deg": lon})
    east, north = 1852 * math.cos(math.radians(lat)), 1852
    for share, inside in ((0.99, True), (1.01, False)):
        assert (seen.at(-east * share + 10, -north * 0.99) == ("ZONE",)) is inside
        assert (seen.at(0, north * share - 8) == ("ZONE",)) is inside


def test_without_height_a_zone_reaches_from_the_ground_to_the_sky() -> None:
    made = world({"yard": YARD, "tower": {"rule": "keep_out", "corners_m": TOWER["corners_m"]}})
    del made["position"]["z"]
    del made["motion"]["velocity"]["z"]
    del made["motion"]["steered_by"]["z"]
    seen = Zones.over(made)
    assert seen.at(0, 0, 1900) == ()
    assert seen.at(10 - KEPT + E, 0, 1900) == ("ZONE",)
    assert {wall[2] for _, wall in seen.walls} == {0.0}


def test_without_zones_nothing_is_checked() -> None:
    guard = Guard(parse_policy(document()))
    assert zones.check(guard.policy.limits, guard.policy.timing, guard.frame) == 0
    assert guard.frame.st_speed_max_mps > 1e299


def test_without_motion_being_in_another_kind_of_zone_is_not_being_in_a_keep_in_zone() -> None:
    made = {"yard": YARD, "pad": {**TOWER, "rule": "condition", "corners_m": [[60, 0], [80, 0], [80, 20]]}}
    seen = Zones.of(made, motion=None, functions={"land": {"when": [{"inside": "pad"}]}})
    assert seen.at(78, 10) == ("ZONE",)
    assert seen.inside == {"pad"}
