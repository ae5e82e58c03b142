"""The rover coasts without power, whatever arrives; and what the picture is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from safetykit.core.vocabulary import State
from sim.demo_estop.play import Take
from sim.demo_estop.plots import Story, board_stretches, guard_stretches, write_png
from sim.demo_estop.scenes import SCENES
from sim.demo_estop.vehicle import FRICTION_MPS2, PoweredRover

DT_S = 0.01
FULL_SPEED = np.array([1.0, 0.0])


def driving(speed_mps: float) -> PoweredRover:
    body = PoweredRover()
    body.rover.speed_mps = speed_mps
    return body


def test_without_power_friction_brings_it_to_rest_against_every_command() -> None:
    body = driving(1.0)
    for _ in range(200):
        body.step(FULL_SPEED, False, DT_S)
    assert body.speed_mps == 0.0
    assert body.way_m == pytest.approx(1.0 / (2 * FRICTION_MPS2), rel=0.02)


def test_backwards_it_comes_to_rest_too() -> None:
    body = driving(-0.5)
    for _ in range(200):
        body.step(FULL_SPEED, False, DT_S)
    assert body.speed_mps == 0.0
    assert body.rover.position_m[0] == pytest.approx(-0.25 / (2 * FRICTION_MPS2), rel=0.05)
    assert body.way_m == pytest.approx(-body.rover.position_m[0])


def test_with_power_it_follows_the_command() -> None:
    body = driving(0.0)
    for _ in range(200):
        body.step(FULL_SPEED, True, DT_S)
    assert body.speed_mps == pytest.approx(1.0, abs=0.001)
    assert body.way_m == pytest.approx(2.0 - 0.2, abs=0.02)  # the lag costs its time constant


def test_stretches_end_where_the_guard_falls_silent() -> None:
    times_s = [0.00, 0.02, 0.04, 1.00, 1.02, 1.04]
    states = [State.ENGAGED] * 3 + [State.ENGAGED, State.EMERGENCY_STOP, State.EMERGENCY_STOP]
    frames = {"in_now_ns": np.array(times_s) * 1e9, "st_state": np.array(states)}
    assert guard_stretches(frames) == [
        (0.0, pytest.approx(0.04), "ENGAGED"),
        (1.0, pytest.approx(1.02), "ENGAGED"),
        (pytest.approx(1.02), pytest.approx(1.04), "EMERGENCY_STOP"),
    ]


def test_the_boards_stretches_follow_each_other() -> None:
    assert board_stretches([(1.0, "STOPPED"), (2.0, "RUN")], 5.0) == [(1.0, 2.0, "STOPPED"), (2.0, 5.0, "RUN")]


def test_the_picture_is_small_enough_for_a_document(tmp_path: Path) -> None:
    times_s = np.arange(0.0, 40.0, DT_S)
    takes = [Take(scene, 4.0 * (k + 1), 4.0 * (k + 1) + 2.0) for k, scene in enumerate(SCENES)]
    story = Story(
        start_s=0.0,
        end_s=40.0,
        driven=np.column_stack([times_s, np.abs(np.sin(times_s)), times_s]),
        power=[(1.0, True), (4.0, False), (5.0, True)],
        guard=[(0.0, 4.0, "ENGAGED"), (7.0, 40.0, "EMERGENCY_STOP")],
        board=[(0.0, 4.0, "RUN"), (4.0, 40.0, "STOPPED")],
        takes=takes,
        title="a test",
    )
    write_png(story, tmp_path / "picture.png")
    assert 10_000 < (tmp_path / "picture.png").stat().st_size < 200_000
