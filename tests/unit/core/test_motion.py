"""What is known of the vehicle's movement, and how far it needs to stop."""

from __future__ import annotations

import math

import pytest

from safetykit.core import motion
from tests.drive import Document
from tests.filter_loop import Loop, car, drone

pytestmark = pytest.mark.core
NOTHING = (False, 0.0, 0.0, 0.0)


def known(loop: Loop) -> tuple[bool, float, float, float]:
    return motion.velocity(loop.policy.limits, loop.policy.timing, loop.state)


def test_velocity_by_axes() -> None:
    loop = Loop(drone())
    loop.measure(vx_mps=1, vy_mps=-2, vz_mps=3)
    assert known(loop) == (True, 1, -2, 3)
    for name in ("vx_mps", "vy_mps", "vz_mps"):
        loop.frame.st_valid = -1
        loop.forget(name)
        assert known(loop) == NOTHING


def test_velocity_without_a_vertical_measurement_is_level() -> None:
    made = drone(axes=2, ceiling_m=None, speed_mps_max=9, velocity={"x": "vx_mps", "y": "vy_mps"})
    loop = Loop(made)
    loop.measure(vx_mps=1, vy_mps=-2, vz_mps=3)
    assert known(loop) == (True, 1, -2, 0)


def test_velocity_by_heading() -> None:
    loop = Loop(car())
    loop.measure(v_mps=-2, heading_rad=math.pi / 2)
    assert known(loop) == (True, pytest.approx(0), pytest.approx(-2), 0)
    for name in ("v_mps", "heading_rad"):
        loop.frame.st_valid = -1
        loop.forget(name)
        assert known(loop) == NOTHING
        assert motion.speed_and_heading(loop.policy.timing, loop.state) == (False, 0, 0)


def test_a_policy_by_axes_has_no_heading() -> None:
    assert motion.speed_and_heading(Loop(drone()).policy.timing, Loop(drone()).state) == (False, 0, 0)


def test_without_the_section_nothing_is_known() -> None:
    loop = Loop({**drone(ceiling_m=None, speed_mps_max=9), "motion": None})
    assert not motion.present(loop.policy.timing)
    assert motion.present(Loop(drone()).policy.timing)
    assert known(loop) == NOTHING


@pytest.mark.parametrize(
    ("error", "heard", "valid", "expected"),
    [
        (0.5, 9.0, True, 2.5),
        ({"input": "error_m", "factor": 3}, 0.4, True, 3.2),
        ({"input": "error_m", "factor": 3}, 0.4, False, 17.0),  # its largest value is 5
    ],
)
def test_the_margin_grows_with_the_error(error: float | Document, heard: float, valid: bool, expected: float) -> None:
    loop = Loop(drone(margin_m=2, position_error_m=error))
    loop.measure(error_m=heard)
    if not valid:
        loop.forget("error_m")
    assert motion.margin(loop.policy.limits, loop.policy.timing, loop.state) == pytest.approx(expected)


def test_the_need_is_reaction_and_braking() -> None:
    policy = Loop(drone(wind_mps=1)).policy  # 0.2 s latency, 0.4 s response, 3 m/s^2
    assert motion.closing(policy.limits, 5.0) == 6
    assert motion.closing(policy.limits, -5.0) == 1
    assert motion.need(policy.limits, policy.timing, 6.0) == pytest.approx(6 * 0.6 + 36 / 6)
    assert motion.need(policy.limits, policy.timing, -1.0) == 0
