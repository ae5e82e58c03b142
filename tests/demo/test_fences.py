"""Where the vehicle was, judged from its track: against shapely, and so that a flight without the guard is caught."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from sim.autonomy import Pilot, load_script
from sim.demo.command import HERE
from sim.demo.fences import TRACK_WIDTH, Fence, read_fences, trespasses, unguarded
from sim.demo.judge import Allowed, read_allowed
from sim.demo.show import POLICY

FloatArray = NDArray[np.float64]
HOOK = [[0, 0], [10, 0], [10, 8], [7, 8], [7, 3], [3, 3], [3, 8], [0, 8]]  # not convex


def track(*places: tuple[float, float, float]) -> FloatArray:
    rows = np.zeros((len(places), TRACK_WIDTH))
    rows[:, 0], rows[:, 1:4] = np.arange(len(places)), places
    return rows


def hook(rule: str = "keep_out", **more: float) -> tuple[Fence, ...]:
    return read_fences({"hook": {"rule": rule, "corners_m": HOOK, **more}})


@pytest.fixture(scope="module")
def allowed() -> Allowed:
    return read_allowed(POLICY)


def test_inside_and_distance_are_those_of_shapely() -> None:
    fence, polygon = hook()[0], shapely.Polygon(HOOK)
    places = np.random.default_rng(5).uniform(-5, 15, (2000, 2))
    rows = np.zeros((len(places), TRACK_WIDTH))
    rows[:, 1:3] = places
    assert fence.holds(rows).tolist() == shapely.contains_xy(polygon, places[:, 0], places[:, 1]).tolist()
    for row in rows[:200]:
        expected = polygon.exterior.distance(shapely.Point(row[1:3]))
        assert fence.nearest_m(row[None]) == pytest.approx(expected, abs=1e-9)


def test_one_row_in_a_forbidden_zone_is_seen() -> None:
    assert trespasses(track((-1, 1, 5), (5, 5, 5), (11, 1, 5)), hook()) == []  # the notch of the hook is free
    assert trespasses(track((-1, 1, 5), (1, 5, 5)), hook()) == ["the vehicle was in hook in 1 rows of its track"]


def test_above_the_ceiling_is_not_inside() -> None:
    assert trespasses(track((1, 5, 5.1)), hook(ceiling_m=5)) == []
    assert trespasses(track((1, 5, 4.9)), hook(ceiling_m=5)) != []


def test_leaving_the_area_is_seen() -> None:
    assert trespasses(track((1, 5, 0)), hook("keep_in")) == []
    assert "left its area" in trespasses(track((1, 5, 0), (5, 5, 0)), hook("keep_in"))[0]


def test_a_position_that_is_no_number_is_seen() -> None:
    assert "not a number" in trespasses(track((np.nan, 5, 0)), hook())[0]


@pytest.mark.parametrize("zone", [{"rule": "speed", "corners_m": HOOK}, {"rule": "keep_out", "radius_m": 3}])
def test_what_cannot_be_judged_is_refused(zone: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="'odd'"):
        read_fences({"odd": zone})


def test_the_same_flight_without_the_guard_ends_in_the_tower(allowed: Allowed) -> None:
    script = load_script(HERE / "script.yaml")
    pilot = Pilot(script)
    fault = next(fault for fault in script.faults if fault.name == "straight at the tower")
    times = np.arange(fault.start_s, fault.start_s + fault.duration_s, 0.02)
    asked = np.array([[time_s, *pilot.message(float(time_s)).values] for time_s in times])
    begin = track((-6.0, -4.0, 3.0))[0]
    begin[0] = fault.start_s
    flown = unguarded(begin, asked, fault.duration_s)
    assert flown[-1, 1] > 20.0
    assert any("was in tower" in text for text in trespasses(flown, allowed.fences))
