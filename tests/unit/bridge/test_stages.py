"""A stage of the guard's tick left out, run twice or out of its order: the production firmware refuses the answer."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safetykit.core import protocol as p
from safetykit.core.protocol import Stage

ROOT = Path(__file__).resolve().parents[3]
STAGES = list(Stage.__members__)

EXPECTED = {
    *(f"{stage} left out" for stage in [*STAGES, "CORE"]),
    *(f"{stage} twice" for stage in [*STAGES, "CORE"]),
    *(f"{first} after {second}" for first, second in itertools.pairwise(STAGES[1:13])),
    *("GATHER after CORE", "CORE after ENCODE", "ENCODE after SEND", "SEND after RECORD"),
}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "tests.unit.bridge.stage_faults"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_every_stage_is_broken_in_every_way(report: dict[str, Any]) -> None:
    assert {what for what in report["outcomes"] if what != "nothing"} == EXPECTED
    assert set(report["stages"]) - {"", "after", "CORE"} == set(STAGES)


def test_every_stage_has_work_besides_its_mark(report: dict[str, Any]) -> None:
    assert {stage: calls for stage, calls in report["calls"].items() if not calls} == {}


def test_a_sound_tick_is_refused_nothing(report: dict[str, Any]) -> None:
    sound = report["outcomes"]["nothing"]
    assert (sound["once_refused"], sound["once_state"], sound["lasting_state"]) == (0, p.STATE_RUN, p.STATE_RUN)


@pytest.mark.parametrize("what", sorted(EXPECTED))
def test_one_broken_tick_is_one_wrong_answer_and_lasting_ones_open_the_relays(
    report: dict[str, Any], what: str
) -> None:
    outcome = report["outcomes"][what]
    assert outcome["error"] == ""
    assert (outcome["once_refused"], outcome["once_state"]) == (1, p.STATE_RUN)  # one of three is forgiven
    assert outcome["lasting_state"] == p.STATE_STOPPED
    assert outcome["lasting_us"] <= p.LINK_US + 20_000
    assert outcome["key_state"] == p.STATE_STOPPED  # nor can it be reset while it lasts
