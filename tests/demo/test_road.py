"""The scene on the road: kept with the guard, a crash without it, and judged so that it can fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from safetykit.policy import load_policy
from sim.demo import road
from sim.demo.road import CutIn, RoadShow, drive

SHARP = CutIn(gap_m=22.0, speed_mps=26.0, change_s=2.2, waits_s=1.0, brake_mps2=7.0)
FAR = replace(SHARP, gap_m=150.0, speed_mps=29.9, waits_s=60.0)


@pytest.fixture(scope="module")
def show() -> RoadShow:
    return road.perform()


def test_every_cut_in_is_kept_with_the_guard_and_a_crash_without_it(show: RoadShow) -> None:
    assert show.problems == []
    assert len(show.guarded) == road.SCENES
    assert min(scene.gap_m for scene in show.guarded) > 0.0
    assert all(scene.gap_m < 0.0 and scene.impact_mps > 1.0 for scene in show.bare)


def test_the_numbers_are_told(show: RoadShow) -> None:
    text = "\n".join(show.lines())
    assert "20 of 20 kept" in text
    assert "20 crashes" in text


def test_same_seed_same_scenes() -> None:
    assert road.cut_ins() == road.cut_ins()
    policy = load_policy(road.POLICY)
    assert drive(SHARP, policy).rows.tobytes() == drive(SHARP, policy).rows.tobytes()


def test_scenes_are_the_same_until_the_guard_acts() -> None:
    guarded, bare = drive(SHARP, load_policy(road.POLICY)), drive(SHARP, None)
    acts = int(np.argmax(guarded.rows[:, 5] < guarded.rows[:, 4] - 0.1))
    assert guarded.rows[acts, 0] > 0.5
    assert guarded.rows[:acts, 1] == pytest.approx(bare.rows[:acts, 1], abs=0.2)


def test_a_crash_with_the_guard_is_judged_as_one() -> None:
    crash = drive(SHARP, None)
    problems = RoadShow((crash,), (crash,)).problems
    assert any("scene 0 ended in a crash" in text for text in problems)
    assert any("did not name RSS" in text for text in problems)


def test_scenes_that_show_nothing_are_judged_as_such() -> None:
    calm = drive(FAR, None)
    assert calm.impact_mps == 0.0
    assert any("show nothing" in text for text in RoadShow((calm,), (calm,)).problems)
