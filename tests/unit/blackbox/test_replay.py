"""A log follows from its inputs byte for byte, and any state that does not is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from safetykit.core.layout import FRAME
from safetykit.core.step import start, step
from safetykit.core.vocabulary import Action
from safetykit.errors import LogError
from safetykit.policy import Policy, load_policy, parse_policy
from safetykit.runtime.blackbox.opening import policy_record
from safetykit.runtime.blackbox.replay import replay
from safetykit.runtime.blackbox.segments import LostReason
from safetykit.runtime.blackbox.what_if import what_if
from safetykit.runtime.blackbox.writer import BlackBox, Settings

WriteLog = Callable[..., BlackBox]
Drive = Callable[[Policy, int], np.ndarray]
RING = {"identity": "aa", "starts": 1}


def log_of(directory: Path, frames: np.ndarray, policy: Policy, first: int = 0) -> Path:
    box = BlackBox(Settings(directory), policy_record(policy), RING)
    for place in range(0, len(frames), 64):
        box.write_frames(frames[place : place + 64], first + place)
    box.close("stop")
    return directory


def test_every_tick_of_a_run_follows_from_the_one_before(write_log: WriteLog, run: np.ndarray) -> None:
    report = replay(write_log().settings.directory)
    assert report.ok, report
    assert (report.compared, report.equal, report.anchors, report.lost) == (len(run), len(run), 0, 0)
    assert not report.notes


def test_a_segment_from_the_middle_needs_one_anchor(write_log: WriteLog) -> None:
    log = write_log().settings.directory
    report = replay(sorted(log.glob("*.skbb"))[1])
    assert report.ok
    assert report.anchors == 1


@pytest.mark.parametrize("name", [name for name in FRAME.names if not name.startswith("in_")])
def test_any_changed_state_or_output_is_named(tmp_path: Path, run: np.ndarray, rover: Policy, name: str) -> None:
    frames = run.copy()
    raw = frames[50:51][name].view(np.uint8).reshape(-1)
    changed = np.frombuffer(frames[50][name].tobytes(), np.uint8).copy()
    changed[-1] ^= 1
    frames[name][50] = changed.view(FRAME[name].base).reshape(FRAME[name].shape)
    assert raw.size
    report = replay(log_of(tmp_path / "log", frames, rover))
    assert report.first_difference is not None
    assert report.first_difference.frame == 50
    assert report.first_difference.field.split("[")[0] == name
    assert report.equal >= len(run) - 2


def test_a_changed_input_shows_in_what_follows_from_it(tmp_path: Path, run: np.ndarray, rover: Policy) -> None:
    frames = run.copy()
    frames["in_ask"][60, 0, 0] += 0.001
    report = replay(log_of(tmp_path / "log", frames, rover))
    assert report.first_difference is not None
    assert report.first_difference.frame == 60


def test_a_gap_is_an_anchor_not_a_difference(tmp_path: Path, run: np.ndarray, rover: Policy) -> None:
    box = BlackBox(Settings(tmp_path / "log"), policy_record(rover), RING)
    box.write_frames(run[:50], 0)
    box.write_lost(50, 30, LostReason.OVERRUN)
    box.write_frames(run[80:], 80)
    box.close("stop")
    report = replay(tmp_path / "log")
    assert report.ok
    assert (report.anchors, report.lost, report.compared) == (1, 30, len(run) - 31)


def test_a_restarted_guard_starts_anew(tmp_path: Path, run: np.ndarray, rover: Policy) -> None:
    report = replay(log_of(tmp_path / "log", np.concatenate([run[:90], run]), rover))
    assert report.ok, report.first_difference
    assert (report.compared, report.anchors) == (90 + len(run), 0)


def narrower(rover: Policy) -> Policy:
    document = rover.document.model_dump(mode="json", exclude_unset=True)
    document["channels"]["linear_mps"]["max"] = 0.4
    return parse_policy(document)


def test_frames_of_the_guard_before_belong_to_the_policy_before(
    tmp_path: Path, run: np.ndarray, rover: Policy, drive: Drive
) -> None:
    """Guard and recorder die; the next recorder finds the first guard's last frames under the second one's policy."""
    log = tmp_path / "log"
    box = BlackBox(Settings(log), policy_record(rover), RING)
    box.write_frames(run[:100], 0)
    again = BlackBox(Settings(log), policy_record(narrower(rover)), {**RING, "starts": 2})
    again.write_frames(run[100:120], 100)
    fresh = drive(narrower(rover), 120)
    again.write_frames(fresh, 120)
    again.close("stop")
    report = replay(log)
    assert report.ok, report.first_difference
    assert report.compared == 120 + len(fresh)


def test_another_layout_is_refused_in_words(write_log: WriteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetykit.runtime.blackbox import opening

    log = write_log().settings.directory
    monkeypatch.setattr(opening, "LAYOUT_VERSION", 99)
    report = replay(log)
    assert not report.ok
    assert "another frame layout" in report.problems[0]
    with pytest.raises(LogError, match="another frame layout"):
        what_if(log, load_policy("rover"))


def test_a_policy_that_compiles_to_something_else_today_is_noted(
    tmp_path: Path, run: np.ndarray, rover: Policy
) -> None:
    other = dataclasses.replace(rover, digest="0" * 64)
    report = replay(log_of(tmp_path / "log", run, other))
    assert report.ok
    assert "compiles to digest" in report.notes[0]


def test_the_same_policy_changes_nothing(write_log: WriteLog, rover: Policy, run: np.ndarray) -> None:
    report = what_if(write_log().settings.directory, rover)
    assert report.frames == len(run)
    assert report.frames_changed == 0
    assert report.actions_recorded == report.actions_other
    assert set(report.sent_change_max.values()) == {0.0}


def test_another_policy_shows_what_it_would_change(write_log: WriteLog, rover: Policy, run: np.ndarray) -> None:
    report = what_if(write_log().settings.directory, narrower(rover))
    assert report.frames_changed > 0
    assert report.first_changed is not None
    other = computed_one_by_one(narrower(rover), run)
    change = np.abs(other["out_sent"] - run["out_sent"]).max(axis=0)
    assert report.sent_change_max == {"linear_mps": change[0], "angular_radps": change[1]}
    assert report.actions_other.get("CLAMP", 0) == (other["out_action"] == Action.CLAMP).sum()


def computed_one_by_one(policy: Policy, run: np.ndarray) -> np.ndarray:
    """The naive way: every tick by itself from Python."""
    frame, frames = np.zeros(1, FRAME).view(np.recarray), run.copy()
    start(policy.limits, policy.timing, frame[0])
    for tick, recorded in enumerate(run):
        for name in FRAME.names:
            if name.startswith("in_"):
                frame[name][0] = recorded[name]
        step(policy.limits, policy.timing, frame[0])
        frames[tick] = frame[0]
    return frames


def test_a_policy_of_another_vehicle_is_refused_in_words(write_log: WriteLog) -> None:
    with pytest.raises(LogError, match="channels recorded"):
        what_if(write_log().settings.directory, load_policy("quadrotor"))
