"""The sections `objects`, `rss` and `collision`: what they compile to, what `show` and `diff` say of them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from safetykit.core import layout as at
from safetykit.core.columns import objects as of
from safetykit.core.vocabulary import Fault
from safetykit.policy import Policy, load_policy, parse_policy
from safetykit.policy.checks import producible
from safetykit.policy.diff import differences
from safetykit.policy.tables import tables
from tests.road import car, inputs_of, robot
from tests.unit.policy.cases_objects import CAR, DRONE, SPEED, fresh
from tests.unit.policy.edits import edited


def of_car(**edits: Any) -> Policy:
    return parse_policy(edited("car-angle", fresh({**CAR, **edits})))


def of_drone(**edits: Any) -> Policy:
    return parse_policy(edited("quadrotor", fresh({**DRONE, **edits})))


def test_without_the_sections_every_check_is_off() -> None:
    policy = load_policy("car-angle")
    for start, length in (
        (at.T_OBJECTS, of.OBJECTS_COLS_I),
        (at.T_RSS, of.RSS_COLS_I),
        (at.T_COLLISION, of.COLLISION_COLS_I),
    ):
        assert policy.timing[start] == 0
        assert (policy.timing[start : start + length] <= 0).all()
    assert (policy.limits[at.L_OBJECTS : at.L_COLLISION + of.COLLISION_COLS] == 0).all()
    for column in (of.RSS_SPEED, of.RSS_LAT_SPEED, of.RSS_CURVATURE, of.RSS_ALONG, of.RSS_STEER):
        assert policy.timing[at.T_RSS + column] == -1


def test_a_car_compiles_to_its_numbers() -> None:
    policy = of_car(**{"rss.speed_mps_max": 40, "rss.centre_m": 1.3})
    limits, timing = policy.limits, policy.timing
    objects = [timing[at.T_OBJECTS + k] for k in range(of.OBJECTS_COLS_I)]
    assert objects == [1, 100_000_000, 5_000_000, 1, 64]
    assert [limits[at.L_OBJECTS + k] for k in range(of.OBJECTS_COLS)] == [300, 70]
    wanted = [3, 2, 3, 8, 2, 0.2, 0.8, 0.2, 40, at.UNLIMITED, 4.7, 1.9, 1.3, 2.89, 12, 0.00058, 1]
    assert [limits[at.L_RSS + k] for k in range(of.RSS_COLS)] == wanted
    speed, along, steer = (
        policy.input_index("speed_mps"),
        policy.channel_index("accel_mps2"),
        policy.channel_index("steer_angle_rad"),
    )
    rss = [timing[at.T_RSS + k] for k in range(of.RSS_COLS_I)]
    assert rss == [1, speed, -1, -1, along, of.ALONG_ACCEL, steer, of.STEER_ANGLE]


def test_inputs_and_kinds_of_channel() -> None:
    policy = parse_policy(car(None, None, curvature="bend_radpm"))
    timing = policy.timing[at.T_RSS :]
    assert timing[of.RSS_LAT_SPEED] == policy.input_index("lateral_mps")
    assert timing[of.RSS_CURVATURE] == policy.input_index("bend_radpm")
    assert timing[of.RSS_STEER_KIND] == of.STEER_CURVATURE
    speeds = of_car(**SPEED, **{"rss.along": "set_mps", "rss.steer": None}).timing[at.T_RSS :]
    assert (speeds[of.RSS_ALONG_KIND], speeds[of.RSS_STEER]) == (of.ALONG_SPEED, -1)
    plain = {"unit": "mps2", "min": -5, "max": 5, "emergency_jumps": False}
    assert parse_policy(car(None, plain)).timing[at.T_RSS + of.RSS_STEER_KIND] == of.STEER_ACCEL


def test_a_robot_compiles_to_its_numbers() -> None:
    policy = of_drone(**{"collision.decel_mps2_max": None})
    limits = [policy.limits[at.L_COLLISION + k] for k in range(of.COLLISION_COLS)]
    assert limits == [0.5, 2, at.UNLIMITED, 0, pytest.approx(108**0.5)]
    assert [policy.timing[at.T_COLLISION + k] for k in range(of.COLLISION_COLS_I)] == [1, 0, 0]
    steers = {"steered_by": {axis: f"v{axis}_mps" for axis in "xyz"}, "response_s": 0.5, "accel_mps2_max": 3}
    filtered = {f"motion.{key}": value for key, value in {**steers, "gain_per_s": 2, "speed_mps_max": 4}.items()}
    filtered |= {f"channels.v{axis}_mps.jerk_per_s2": None for axis in "xyz"}
    bounded = of_drone(**filtered, **{"collision.ttc_s_min": None, "collision.clearance_m": 1})
    assert bounded.timing[at.T_COLLISION + of.COLLISION_WALLS] == 1
    assert bounded.limits[at.L_COLLISION + of.COLLISION_CLEARANCE] == 1
    assert bounded.limits[at.L_COLLISION + of.COLLISION_SPEED] == 4
    assert bounded.limits[at.L_COLLISION + of.COLLISION_TTC_S] == 0
    assert parse_policy(robot()).timing[at.T_COLLISION + of.COLLISION_FLAT] == 1


def test_a_vehicle_by_speed_and_heading() -> None:
    made = robot()
    made["sources"]["vehicle"] = inputs_of(heading_rad=("rad", -7, 7), vx_mps=("mps", -5, 5), vy_mps=("mps", -5, 5))
    made["motion"] = {"speed": "speed_mps", "heading": "heading_rad", "brake_mps2": 3, "latency_ms": 200}
    policy = parse_policy(made)
    assert policy.limits[at.L_COLLISION + of.COLLISION_SPEED] == 50
    assert policy.timing[at.T_COLLISION + of.COLLISION_FLAT] == 1


def test_the_ramp_of_the_channel_counts_towards_the_response_time() -> None:
    """5 m/s^2 at 2.5 m/s^3 is 2 s, the list 0.1 s, a period 0.01 s."""
    assert of_car(**{"rss.response_s": 2.11}).name == "car-angle"
    free = {"channels.accel_mps2.rate_down_per_s": None, "channels.accel_mps2.rate_up_per_s": None}
    assert of_car(**free, **{"rss.response_s": 0.11}).name == "car-angle"
    jerk = {**free, "channels.accel_mps2.jerk_per_s2": 20}
    assert of_car(**jerk, **{"rss.response_s": 0.62}).name == "car-angle"  # sqrt(5 / 20) = 0.5


def test_faults_that_can_occur() -> None:
    none = producible(load_policy("car-angle").document)
    assert not {Fault.OBJECTS, Fault.RSS, Fault.COLLISION} & none
    assert {Fault.OBJECTS, Fault.RSS, Fault.INFEASIBLE} <= producible(of_car().document)
    assert {Fault.OBJECTS, Fault.COLLISION, Fault.INFEASIBLE} <= producible(of_drone().document)


def test_a_list_alone_is_checked_and_recorded() -> None:
    made = robot()
    del made["collision"], made["motion"]
    made["objects"]["needed"] = False
    for source in made["sources"].values():
        source["needed"] = source is made["sources"]["operator"]
    policy = parse_policy(made)
    assert Fault.OBJECTS in producible(policy.document)
    assert policy.timing[at.T_OBJECTS + of.OBJECTS_NEEDED] == 0


def test_the_table_shows_every_key() -> None:
    console = Console(file=io.StringIO(), width=200)
    for table in tables(of_car()):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for word in ("ranges.distance_m_max", "brake_mps2_min_correct", "steer_angle_rad", "count_max"):
        assert word in shown
    assert "others_speed_mps_max" not in shown


@pytest.mark.parametrize(
    ("edits", "verdict"),
    [
        ({"rss.response_s": 3.5}, "tighter"),
        ({"rss.brake_mps2_min": 2.5}, "tighter"),
        ({"rss.brake_mps2_max": 7}, "looser"),
        ({"rss.speed_mps_max": 40}, "looser"),
        ({"rss.lateral_margin_m": 0.1}, "looser"),
        ({"rss.length_m": 5}, "tighter"),
        ({"objects.age_ms": 90}, "tighter"),
        ({"objects.count_max": 32}, "tighter"),
        ({"objects.ranges.speed_mps_max": 80}, "looser"),
        ({"rss.centre_m": 1}, "other"),
    ],
)
def test_diff_knows_what_allows_more_on_a_road(edits: dict[str, Any], verdict: str) -> None:
    assert [found.verdict for found in differences(of_car(), of_car(**edits))] == [verdict]


@pytest.mark.parametrize(
    ("edits", "verdict"),
    [
        ({"collision.radius_m": 0.4}, "looser"),
        ({"collision.ttc_s_min": 3}, "tighter"),
        ({"collision.ttc_s_min": None}, "looser"),
        ({"collision.decel_mps2_max": None}, "looser"),
        ({"collision.decel_mps2_max": 1.5}, "tighter"),
    ],
)
def test_diff_knows_what_allows_more_in_the_open(edits: dict[str, Any], verdict: str) -> None:
    assert [found.verdict for found in differences(of_drone(), of_drone(**edits))] == [verdict]


def test_a_whole_section_takes_something_away() -> None:
    found = {d.key: d.verdict for d in differences(load_policy("car-angle"), of_car())}
    assert found == {"objects": "tighter", "rss": "tighter"}
    bare = {key: value for key, value in DRONE.items() if key not in ("objects", "collision")}
    before = parse_policy(edited("quadrotor", fresh(bare)))
    assert {d.key: d.verdict for d in differences(of_drone(), before)} == {"objects": "looser", "collision": "looser"}
