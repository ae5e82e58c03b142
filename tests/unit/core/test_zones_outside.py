"""Zones for a vehicle that is in the wrong place: the latch, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from safetykit.core import walls
from safetykit.core.vocabulary import State
from tests.drive import Document
from tests.fenced import HALL, KEPT, LEFT, MAST, RIGHT, TOWER, Zones

pytestmark = pytest.mark.core


@pytest.mark.parametrize("fence", [TOWER, MAST, HALL])
def test_who_was_outside_before_engaging_may_only_move_back(fence: Document) -> None:
    seen = Zones.of({"new": fence})
    edge = 50 if fence is HALL else 10
    deep = edge + 1.0
    assert seen.state(State.STANDBY).at(deep, 0) == ("ZONE_OUTSIDE",)
    assert seen.state(State.ENGAGED).at(deep, 0) == ("ZONE_OUTSIDE",)
    assert seen.wall(1, 0, 0) == [0.0, 0.0], "no further"
    assert seen.at(deep + KEPT + 0.1, 0) == ("ZONE",), "much deeper than before"
    back = edge - KEPT + 0.1
    assert seen.at(back, 0) == ("ZONE_OUTSIDE",)
    assert seen.at(edge, 0) == ("ZONE_OUTSIDE",), "positions are not exact"
    assert seen.at(edge, 0, v=(4, 0, 0)) == ("ZONE",), "outward and too fast"
    assert seen.at(edge - KEPT - 0.2, 0) == ()
    assert seen.at(edge - KEPT + 0.2, 0) == ("ZONE_OUTSIDE",), "not yet inside by correct_m"
    assert seen.at(edge - KEPT - 0.6, 0) == ()
    assert seen.at(edge - KEPT + 0.2, 0) == ("ZONE",), "inside once, inside for good"


def test_the_latch_belongs_to_one_zone() -> None:
    other = {**TOWER, "corners_m": [[-20, -5], [-12, -5], [-12, 5], [-20, 5]]}
    seen = Zones.of({"tower": TOWER, "other": other})
    assert seen.state(State.BOOT).at(15, 0) == ("ZONE_OUTSIDE",)
    assert seen.state(State.ENGAGED).at(-15, 0) == ("ZONE",)


def test_who_leaves_while_engaged_is_not_let_off() -> None:
    seen = Zones.of({"hall": HALL})
    assert seen.at(51, 0) == ("ZONE",)
    assert seen.state(State.RECOVERY).at(51, 0) == ("ZONE",)
    assert seen.state(State.PROTECTIVE_STOP).at(51, 0) == ("ZONE",)


@pytest.mark.parametrize(
    ("at", "normal"),
    [
        ((19, 0, 0), (-1, 0, 0)),
        ((11, 1, 0), (1, 0, 0)),
        ((15, 4, 0), (0, -1, 0)),
        ((15, 0, 29), (0, 0, -1)),
        ((15, 0, -9), (0, 0, 1)),
    ],
)
def test_the_way_out_of_a_keep_out_zone_is_the_shortest(at: Any, normal: Any) -> None:
    seen = Zones.of({"tower": TOWER}).state(State.STANDBY)
    assert seen.at(*at) == ("ZONE_OUTSIDE",)
    seen.at(*at)
    assert seen.wall(*normal) == [0.0, 0.0]
    assert seen.frame.st_outside_depth_m[0] == pytest.approx(KEPT + 1)


@pytest.mark.parametrize(
    ("at", "normal", "deep"),
    [
        ((53, 0, 0), (1, 0, 0), 3),
        ((0, 0, 24), (0, 0, 1), 4),
        ((0, 0, -24), (0, 0, -1), 4),
        ((53, 0, 24), (0.6, 0, 0.8), 5),
        ((53, 54, 0), (0.6, 0.8, 0), 5),
    ],
)
def test_the_way_back_into_a_keep_in_zone_is_the_shortest(at: Any, normal: Any, deep: float) -> None:
    seen = Zones.of({"hall": HALL}).state(State.STANDBY)
    seen.at(*at)
    seen.at(*at)
    assert seen.wall(*normal) == [0.0, 0.0]
    assert seen.frame.st_outside_depth_m[0] == pytest.approx(KEPT + deep)


def test_the_middle_of_a_circle_has_a_way_out_too() -> None:
    seen = Zones.of({"mast": {**MAST, "floor_m": -2000, "ceiling_m": 500}}).state(State.STANDBY)
    assert seen.at(20, 0) == ("ZONE_OUTSIDE",)
    assert seen.frame.st_outside_depth_m[0] == pytest.approx(KEPT + 10)
    seen.at(20, 0)
    assert seen.wall(-1, 0, 0) == [0.0, 0.0]
    assert seen.at(20, 9, 0) == ("ZONE_OUTSIDE",)
    assert seen.wall(0, -1, 0) == [0.0, 0.0]


def test_who_was_inside_before_engaging_is_not_let_off() -> None:
    seen = Zones.of({"hall": HALL})
    assert seen.state(State.STANDBY).at(47, 0) == ()
    assert seen.frame.st_outside == 0
    assert seen.state(State.ENGAGED).at(51, 0) == ("ZONE",)


def test_who_is_too_fast_in_one_zone_and_at_rest_in_the_margin_of_another_was_inside() -> None:
    """The left zone leaves more room to stop, though the vehicle stands in its margin: the right one is legal."""
    seen = Zones.of({"left": LEFT, "right": RIGHT}).state(State.STANDBY)
    assert seen.at(9, 0, v=(-15, 0, 0)) == ("ZONE",)
    assert seen.frame.st_outside == 0


def test_the_latch_of_keep_in_zones_holds_for_the_nearest_of_them() -> None:
    seen = Zones.of({"left": LEFT, "right": RIGHT}).state(State.STANDBY)
    seen.at(55, 0)
    assert seen.state(State.ENGAGED).at(55, 0) == ("ZONE_OUTSIDE",)
    assert seen.wall(1, 0, 0) == [0.0, 0.0]
    assert seen.walls[0][0] == walls.OF_ZONE * walls.OF_KIND + 1
