"""Drones and cars at full ask towards everything that the barrier filter keeps them from, with a delay in the loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from safetykit.core.vocabulary import Fault
from tests.filter_loop import DT_S, Flight, Ride, Wall, car, drone

pytestmark = pytest.mark.core
INFEASIBLE = 1 << Fault.INFEASIBLE
OF = 2000
TOUCH_M = 2e-3  # a tick is 10 ms: the last of it
AGES = (0, 10, 19)  # ticks; the drones' latency is 20


def ahead(n: tuple[float, float, float], place: float, x: Any) -> Wall:
    """A fixed plane at n . x = place, seen from x."""
    return OF, n, place - float(np.dot(n, x)), 0.0, 0.0


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", AGES)
def test_a_drone_never_crosses_a_wall_and_flies_on_along_it(by: str, age: int) -> None:
    n = (math.cos(0.4), math.sin(0.4), 0.0)
    flight = Flight(drone(by), age)
    for _ in range(1200):
        flight.fly((12, -4, 0) if by == "mps" else (6, -1, 0), lambda x: [ahead(n, 30, x)])
        assert np.dot(n, flight.x) <= 30 + TOUCH_M
        assert flight.faults & INFEASIBLE == 0
    assert np.dot(n, flight.x) > 29
    assert flight.x[1] < -15


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", AGES)
def test_a_drone_stops_in_a_corner(by: str, age: int) -> None:
    corner = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    flight = Flight(drone(by), age)
    for _ in range(1200):
        flight.fly((9, 9, 9) if by == "mps" else (5, 5, 5), lambda x: [ahead(n, 10.0, x) for n in corner])
        assert max(np.dot(n, flight.x) for n in corner) <= 10 + TOUCH_M
        assert flight.faults & INFEASIBLE == 0
    assert flight.x == pytest.approx([10, 10, 10], abs=0.2)


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", AGES)
def test_a_drone_flies_past_a_ball_and_not_into_it(by: str, age: int) -> None:
    centre, radius = np.array([20.0, 0.5, 0.0]), 4.0

    def around(x: Any) -> list[Wall]:
        off = centre - x
        distance = float(np.linalg.norm(off))
        return [(OF, tuple(map(float, off / distance)), distance - radius, 0.0, 0.0)]

    flight = Flight(drone(by), age)
    for _ in range(1500):
        flight.fly((12, 0, 0) if by == "mps" else (3, -0.05, 0), around)
        assert np.linalg.norm(flight.x - centre) >= radius - 0.02
        assert flight.faults & INFEASIBLE == 0
    assert flight.x[0] > 15


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", AGES)
def test_a_drone_stays_between_floor_and_ceiling(by: str, age: int) -> None:
    made = drone(by, floor_m=-10, ceiling_m=15, margin_m=1)
    for up in (12, -12) if by == "mps" else (6, -6):
        flight = Flight(made, age)
        for _ in range(900):
            flight.fly((0, 0, up), lambda x: [])
            assert -9 - TOUCH_M <= flight.x[2] <= 14 + TOUCH_M
        assert flight.x[2] == pytest.approx(14 if up > 0 else -9, abs=0.1)


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", AGES)
def test_a_drone_keeps_its_speed_and_its_tilt(by: str, age: int) -> None:
    flight = Flight(drone(by, speed_mps_max=7, tilt_rad_max=0.32), age)
    fastest = 0.0
    for k in range(1500):
        turn = k / 150
        asked = 12 if by == "mps" else 6
        flight.fly((asked * math.cos(turn), asked * math.sin(turn), asked / 4), lambda x: [])
        fastest = max(fastest, float(np.linalg.norm(flight.v)))
        assert fastest <= 7 + 1e-3
        assert flight.faults & INFEASIBLE == 0
        if by == "mps2":
            told = flight.loop.out
            assert math.hypot(*told[:2]) <= math.tan(0.32) * (9.80665 + told[2]) + 1e-5
    assert fastest > 6.5


def test_a_drone_slows_down_when_a_speed_zone_begins() -> None:
    flight = Flight(drone(), 10, (8, 0, 0))
    for k in range(600):
        flight.fly((12, 0, 0), lambda x: [], speed_max=3.0 if k > 100 else 1e300)
        assert flight.faults & INFEASIBLE == 0
    assert np.linalg.norm(flight.v) == pytest.approx(3, abs=0.02)


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_a_drone_evades_what_comes_towards_it(by: str) -> None:
    flight, start = Flight(drone(by), 10), 40.0
    for k in range(1200):
        place = start - 2.5 * DT_S * k
        flight.fly(
            (9, 0, 0) if by == "mps" else (3, 0, 0), lambda x, at=place: [(*ahead((1.0, 0.0, 0.0), at, x)[:4], 2.5)]
        )
        assert flight.x[0] <= place + TOUCH_M
    assert flight.v[0] == pytest.approx(-2.5, abs=0.05)


def test_a_drone_that_is_already_outside_may_only_come_back() -> None:
    flight = Flight(drone(), 10)
    for k in range(400):
        flight.fly((9, 0, 0) if k < 200 else (-1, 0, 0), lambda x: [ahead((1.0, 0.0, 0.0), -2, x)])
        assert flight.x[0] <= 1e-6
    assert flight.x[0] < -1


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", [0, 10, 29])
@pytest.mark.parametrize(("steer", "slant"), [(False, 0.0), (False, 0.5), (True, 0.0), (True, 0.3), (True, -0.8)])
def test_a_car_never_crosses_a_wall(by: str, age: int, steer: bool, slant: float) -> None:
    n = (math.cos(slant), math.sin(slant), 0.0)
    ride = Ride(car(by, steer), age)
    ask = [25.0 if by == "mps" else 3.0, 0.0][: 2 if steer else 1]
    for _ in range(2500):
        ride.drive(ask, lambda x, y: [ahead(n, 150, (x, y, 0))])
        assert n[0] * ride.x + n[1] * ride.y <= 150 + TOUCH_M
        assert ride.faults & INFEASIBLE == 0
    if not steer:
        assert n[0] * ride.x + n[1] * ride.y == pytest.approx(150, abs=0.1)


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("age", [0, 10, 29])
def test_a_car_that_turns_into_a_wall_straightens_and_drives_along_it(by: str, age: int) -> None:
    ride = Ride(car(by), age)
    for _ in range(2500):
        ride.drive((20 if by == "mps" else 1, 0.02), lambda x, y: [ahead((0.0, 1.0, 0.0), 20, (x, y, 0))])
        assert ride.y <= 20
        assert ride.faults & INFEASIBLE == 0
    assert ride.v > 10
    assert abs(math.remainder(ride.heading, 2 * math.pi)) < 0.02


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_a_car_keeps_its_speed(by: str) -> None:
    ride = Ride(car(by, speed_mps_max=12), 10)
    for _ in range(1500):
        ride.drive((25 if by == "mps" else 3, 0), lambda x, y: [])
        assert ride.v <= 12 + 1e-3
    assert ride.v == pytest.approx(12, abs=0.1)
    for _ in range(600):
        ride.drive((25 if by == "mps" else 3, 0), lambda x, y: [], speed_max=5)
    assert ride.v == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_a_car_enters_a_speed_zone_at_its_speed(by: str) -> None:
    ride, entered = Ride(car(by), 10), 0.0
    for _ in range(2500):
        ride.drive(
            (25 if by == "mps" else 3, 0), lambda x, y: [(OF, (1.0, 0.0, 0.0), 120 - x, 6.0, 0.0)] if x < 120 else []
        )
        if ride.x < 120:
            entered = ride.v
    assert ride.x > 120
    assert 5 < entered <= 6.05


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_a_car_does_not_back_into_a_wall_behind_it(by: str) -> None:
    made = car(by)
    made["channels"][f"along_{by}"] |= {"max": 6}
    ride = Ride(made, 10)
    ride.response = ride.response or 0.0
    for _ in range(1500):
        x, y, v, heading = ride.seen[0]
        ride.loop.measure(v_mps=v, heading_rad=heading)
        ride.faults = ride.loop.tick((-5 if by == "mps" else -1, 0), [ahead((-1.0, 0.0, 0.0), 15, (x, y, 0))])
        ride.loop.commit()
        told = ride.loop.out[0]
        ride.x += ride.v * DT_S
        ride.v += ((told - ride.v) / ride.response if ride.response else told) * DT_S
        ride.seen.append((ride.x, 0.0, ride.v, 0.0))
        assert ride.x >= -15 - TOUCH_M
    assert ride.x == pytest.approx(-15, abs=0.1)


def test_a_standing_car_is_not_sent_back_by_what_stands_too_near() -> None:
    ride = Ride(car(), 0)
    for _ in range(50):
        ride.drive((3, 0), lambda x, y: [ahead((1.0, 0.0, 0.0), -0.5, (x, y, 0))])
    assert (ride.x, ride.v) == (0, 0)
    assert ride.loop.out[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_a_car_between_walls_that_close_in_gives_up_and_brakes(by: str) -> None:
    ride = Ride(car(by), 0, 8.0)
    sides = ((0.6, 0.8, 0.0), (0.6, -0.8, 0.0), (-1.0, 0.0, 0.0))
    for _ in range(20):
        ride.drive((25 if by == "mps" else 3, 0), lambda x, y: [(OF, n, -0.5, 0.0, 0.0) for n in sides])
    assert ride.loop.out[0] < (8 if by == "mps" else -3)
