"""Vector norms: shortened vectors keep their direction, on the way and at the end."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core
NORM_TABLE = {"over": "speed_mps", "points": [[0, 4], [10, 2]]}


def plane(group: Document | None = None, channel: Document | None = None) -> Document:
    made = document(channel)
    one = made["channels"].pop("a")
    made["channels"] = {"x": one, "y": dict(one)}
    made["recovery"][0]["set"] = {"x": 0.0, "y": 0.0}
    made["groups"] = {"horizontal": {"channels": ["x", "y"], "norm": 4.0, **(group or {})}}
    return made


def vector(decision: object) -> np.ndarray:
    return np.array(list(decision.sent.values()))  # type: ignore[attr-defined]


@pytest.mark.parametrize("asked", [(4.9, 4.9), (-3.0, 4.5), (1e308, -1e308), (30.0, 3.0)])
def test_a_vector_that_is_too_long_keeps_its_direction(asked: tuple[float, float]) -> None:
    drive = Drive(plane()).engaged()
    for _ in range(10):
        decision = drive.tick(*asked)
    sent = vector(decision)
    assert math.hypot(*sent) == pytest.approx(4.0)
    assert math.atan2(*sent) == pytest.approx(math.atan2(*asked))
    assert "NORM" in decision.faults


def test_a_component_beyond_its_own_bound_shortens_the_whole_vector() -> None:
    drive = Drive(plane({"norm": 7.0})).engaged()
    for _ in range(10):
        decision = drive.tick(6.9, 0.69)
    assert vector(decision) == pytest.approx([5.0, 0.5])
    assert decision.faults == ("BOUND",)
    for _ in range(20):
        decision = drive.tick(-6.9, 0.69)
    assert vector(decision) == pytest.approx([-5.0, 0.5])


def test_the_move_to_a_new_vector_is_straight_when_one_channel_is_at_its_rate() -> None:
    drive = Drive(plane(channel={"rate_up_per_s": 10, "rate_down_per_s": 10})).engaged()
    for _ in range(5):
        sent = vector(drive.tick(3.0, 1.0))
        assert sent[1] / sent[0] == pytest.approx(1.0 / 3.0)


def test_the_norm_of_the_change_is_limited() -> None:
    drive = Drive(plane({"norm_rate_per_s": 10.0})).engaged()
    decision = drive.tick(3.0, 1.0)
    assert math.hypot(*vector(decision)) == pytest.approx(0.1)
    assert decision.reasons == {"x": ("RATE",), "y": ("RATE",)}


def test_a_norm_by_table_that_shrinks_is_approached() -> None:
    drive = Drive(plane({"norm": NORM_TABLE})).engaged()
    for _ in range(5):
        drive.tick(4.0, 0.0)
    drive.inputs["speed_mps"] = 10.0
    first = vector(drive.tick(4.0, 0.0))
    assert first == pytest.approx([3.0, 0.0])
    assert vector(drive.ticks(3, 4.0, 0.0)) == pytest.approx([2.0, 0.0])


@pytest.mark.parametrize(
    ("at", "rate", "asked"),
    [((3.62, -1.64), (8.0, -2.4), (-0.9, -4.3)), ((-1.33, 3.67), (-17.9, 16.8), (-0.2, 3.9))],
)
def test_momentum_that_would_carry_out_of_the_ball_ends_at_its_surface(
    at: tuple[float, float], rate: tuple[float, float], asked: tuple[float, float]
) -> None:
    """A jerk limit that still moves one channel away from its target, near the surface."""
    made = plane(channel={"rate_up_per_s": 40, "rate_down_per_s": 40, "jerk_per_s2": 400})
    drive = Drive(made).engaged()
    drive.guard.frame.st_sent[1:3], drive.guard.frame.st_rate[1:3] = at, rate
    assert math.hypot(*vector(drive.tick(*asked))) <= 4.0 * (1 + 1e-12)
    assert math.hypot(*at) < 4.0 * (1 - 1e-3)


def test_a_component_at_a_bound_by_table_does_not_hold_up_the_other() -> None:
    made = plane({"norm": 7.0})
    made["channels"]["x"]["max"] = NORM_TABLE
    drive = Drive(made, speed_mps=10.0).engaged()
    assert vector(drive.ticks(9, 4.0, 1.0)) == pytest.approx([2.0, 0.5])
    assert vector(drive.ticks(9, 4.0, -2.0)) == pytest.approx([2.0, -1.0])


def test_a_component_that_may_not_move_does_not_hold_up_the_other() -> None:
    made = plane({"norm": 7.0})
    made["channels"]["x"].update(measured="measured", lead={"error": 1.0, "samples": 1})
    drive = Drive(made).engaged()
    drive.ticks(9, 1.0, 1.0)
    assert vector(drive.ticks(9, 2.0, -1.0)) == pytest.approx([1.0, -1.0])


def test_the_degraded_bounds_keep_direction_too() -> None:
    made = plane({"norm": 7.0})
    made["channels"]["x"]["degraded_scale"] = made["channels"]["y"]["degraded_scale"] = 0.4
    made["breakers"] = {"b": {"faults": ["BOUND"], "count": 1, "window_ms": 100, "action": "DEGRADE"}}
    drive = Drive(made).engaged()
    drive.tick(9.0, 0.0)
    decision = drive.ticks(9, 4.0, 1.0)
    assert vector(decision) == pytest.approx([2.0, 0.5])
    assert decision.reasons == {"x": ("DEGRADED",), "y": ("DEGRADED",)}


def test_each_group_has_its_own_norm_and_its_own_rate() -> None:
    made = plane({"norm": 4.0, "norm_rate_per_s": 50.0})
    made["channels"] |= {"p": dict(made["channels"]["x"]), "q": dict(made["channels"]["y"])}
    made["recovery"][0]["set"] = dict.fromkeys("xypq", 0.0)
    second = {"channels": ["p", "q"], "norm": NORM_TABLE, "norm_rate_per_s": 100.0}
    made["groups"]["second"] = second
    drive = Drive(made, speed_mps=10.0).engaged()
    first = vector(drive.tick(3.0, 4.0, 3.0, 4.0))
    assert first == pytest.approx([0.3, 0.4, 0.6, 0.8])
    last = vector(drive.ticks(20, 3.0, 4.0, 3.0, 4.0))
    assert last == pytest.approx([2.4, 3.2, 1.2, 1.6])


def test_a_group_at_rest_has_no_direction_to_keep() -> None:
    assert vector(Drive(plane()).engaged().tick(0.0, 0.0)) == pytest.approx([0.0, 0.0])
