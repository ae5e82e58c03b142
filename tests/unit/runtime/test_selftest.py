"""The self-test passes on the tested core and notices every kind of difference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.core.vocabulary import Action, State
from safetykit.policy import load_policy
from safetykit.runtime import selftest, selftest_script

POLICY = load_policy("car-torque")


def changed_answers(tmp_path: Path, **changes: Any) -> Path:
    with np.load(selftest.ANSWERS) as file:
        arrays = dict(file)
    np.savez(tmp_path / "answers.npz", **{**arrays, **changes})
    return tmp_path / "answers.npz"


def test_it_passes() -> None:
    assert selftest.check(POLICY.limits, POLICY.timing) == []


def test_the_known_answers_are_current() -> None:
    """After an intended change of core or presets: ``python -m safetykit.runtime.selftest --write``."""
    recorded = selftest.record()
    with np.load(selftest.ANSWERS) as file:
        assert set(file) == set(recorded)
        stale = [name for name in recorded if not np.array_equal(file[name], recorded[name], equal_nan=True)]
    assert stale == []


@pytest.mark.parametrize("name", ["quadrotor", "car-torque", "car-angle", "rover"])
def test_the_script_reaches_what_it_is_to_test(name: str) -> None:
    policy = load_policy(name)
    integers = selftest.drive(policy.limits, policy.timing).integers
    states, faults = set(integers[:, 1].tolist()), int(np.bitwise_or.reduce(integers[:, 2]))
    assert states >= {State.BOOT, State.STANDBY, State.ENGAGED, State.PROTECTIVE_STOP, State.EMERGENCY_STOP}
    assert set(integers[:, 0].tolist()) >= {Action.CLAMP, Action.HOLD, Action.EMERGENCY_STOP}
    assert faults.bit_count() >= 20


@pytest.mark.parametrize(("column", "by"), [("sent", 1e-6), ("sent", np.nan), ("integers", 1)])
def test_a_different_answer_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, by: float
) -> None:
    with np.load(selftest.ANSWERS) as file:
        answer = file[f"rover/{column}"].copy()
    answer[77, 0] += by
    monkeypatch.setattr(selftest, "ANSWERS", changed_answers(tmp_path, **{f"rover/{column}": answer}))
    problems = selftest.check(POLICY.limits, POLICY.timing)
    assert len(problems) == 1
    assert "rover: 1 of 200 ticks differ from the known answer, first tick 77" in problems[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "cannot be read"),
        (b"PK\x03\x04 cut", "cannot be read"),
        (b"x" * 100, "cannot be read"),
    ],
)
def test_unreadable_answers_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    path = tmp_path / "answers.npz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(selftest, "ANSWERS", path)
    problems = selftest.check(POLICY.limits, POLICY.timing)
    assert len(problems) == 1
    assert message in problems[0]


def test_answers_for_another_layout_are_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "ANSWERS", changed_answers(tmp_path, layout=np.int64(0)))
    assert selftest.check(POLICY.limits, POLICY.timing) == [
        "known answers cannot be read: made for another memory layout"
    ]


def test_a_core_that_computes_otherwise_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of one output of one tick: the known answer sees 1e-6, the twin sees any bit."""
    real, ticks = selftest.step, 0

    def wrong(limits: Any, timing: Any, frame: Any) -> None:
        nonlocal ticks
        real(limits, timing, frame)
        ticks += 1
        if ticks > selftest_script.TICKS * len(selftest.PRESETS) + 50:  # the drive of the policy in use comes last
            frame.out_sent[0] = np.nextafter(frame.out_sent[0], 1.0)

    monkeypatch.setattr(selftest, "step", wrong)
    assert selftest.check(POLICY.limits, POLICY.timing) == [
        "the compiled and the interpreted core differ for this policy"
    ]


@pytest.mark.parametrize("executable", ["/nonexistent/python", "/bin/true", "/bin/cat"])
def test_a_twin_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    problems = selftest.check(POLICY.limits, POLICY.timing)
    assert len(problems) == 1
    assert problems[0].startswith("the interpreted twin ")


def test_a_twin_that_is_compiled_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen

    def without_environment(*arguments: Any, env: dict[str, str], **options: Any) -> Any:
        return real(*arguments, env={**env, "NUMBA_DISABLE_JIT": "0"}, **options)

    monkeypatch.setattr(selftest.subprocess, "Popen", without_environment)
    assert "differ" in selftest.check(POLICY.limits, POLICY.timing)[0]
