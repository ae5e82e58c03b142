"""A decision explained from its frame: every fault has an answer, with the numbers of that very tick."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from safetykit.adapters import log_commands
from safetykit.core.vocabulary import Fault
from safetykit.errors import LogError
from safetykit.policy import Policy
from safetykit.runtime.blackbox.explain import Explanation, explain
from safetykit.runtime.blackbox.reasons import _TELLERS, Case, reason_of
from safetykit.runtime.blackbox.writer import BlackBox
from tests.unit.blackbox.conftest import STOP_AT, UTC_NS

WriteLog = Callable[..., BlackBox]
PERIOD_NS = 20_000_000
FAST_AT, NAN_AT = 105, 150


@pytest.fixture
def log(write_log: WriteLog, tmp_path: Path) -> Path:
    write_log()
    return tmp_path / "log"


def at(log: Path, place: int) -> Explanation:
    """The decision of the frame at `place` of the run."""
    return explain(log, UTC_NS + place * PERIOD_NS)


def test_a_value_beyond_its_bounds_names_the_key_the_value_and_what_was_sent(log: Path, run: np.ndarray) -> None:
    told = at(log, FAST_AT)
    assert told.tick == FAST_AT + 1
    assert (told.state, told.policy.split()[0]) == ("ENGAGED", "rover")
    bound = next(because for because in told.because if because.fault == "BOUND")
    assert bound.action == "CLAMP"
    assert any("channels.linear_mps.max" in key for key in bound.policy)
    speed = told.channels[0]
    assert speed.asked == run[FAST_AT]["in_ask"][0][0] > speed.sent == run[FAST_AT]["out_sent"][0]
    assert "BOUND" in speed.reasons


def test_a_command_that_is_not_a_number_is_shown_as_it_came(log: Path) -> None:
    (because,) = [because for because in at(log, NAN_AT).because if because.fault == "COMMAND_NONFINITE"]
    assert "nan" in because.numbers[0]
    assert because.action == "HOLD"


def test_a_stop_is_told_with_its_state_and_event(log: Path) -> None:
    told = at(log, STOP_AT)
    assert (told.state, told.action) == ("PROTECTIVE_STOP", "PROTECTIVE_STOP")
    assert [because.fault for because in told.because if because.action == "PROTECTIVE_STOP"] == ["STOP_REQUEST"]
    assert told.stop_event == 1


def test_without_a_time_the_latest_decision_that_was_not_to_pass_is_told(log: Path, run: np.ndarray) -> None:
    latest = int(np.flatnonzero(run["out_action"] > 0)[-1])
    assert explain(log, None).tick == latest + 1


def test_a_tick_is_found_by_its_number(log: Path) -> None:
    assert explain(log, None, tick=NAN_AT + 1).channels[0].asked != explain(log, None, tick=NAN_AT).channels[0].asked


def test_a_time_before_the_log_and_a_tick_that_never_was_are_errors(log: Path) -> None:
    for question in ((UTC_NS - 1, None), (None, 100_000)):
        with pytest.raises(LogError, match="no such frame"):
            explain(log, *question)


def test_lines_come_from_the_policys_own_file_and_only_from_that(log: Path, tmp_path: Path) -> None:
    text = resources.files("safetykit.policy").joinpath("presets", "rover.yaml").read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(text)
    told = explain(log, UTC_NS + FAST_AT * PERIOD_NS, policy_file=own)
    key = next(key for because in told.because if because.fault == "BOUND" for key in because.policy if ".max" in key)
    line = int(key.split("line ")[1].rstrip(")"))
    assert "max:" in text.splitlines()[line - 1]
    own.write_text(text.replace("version: 1.", "version: 2.", 1))
    with pytest.raises(LogError, match="not the policy of this log"):
        explain(log, None, policy_file=own)
    with pytest.raises(LogError, match="No such file"):
        explain(log, None, policy_file=tmp_path / "nowhere.yaml")


def test_the_command_prints_it_and_json(log: Path) -> None:
    app = typer.Typer()
    log_commands.register(app)
    app.callback()(lambda: None)
    question = ["log", "explain", str(log), "--tick", str(FAST_AT + 1)]
    plain = CliRunner().invoke(app, question)
    assert plain.exit_code == 0, plain.output
    assert "BOUND -> CLAMP" in plain.output
    assert ": asked" in plain.output
    told = json.loads(CliRunner().invoke(app, [*question, "--json"]).output)
    assert told["tick"] == FAST_AT + 1


def test_every_fault_has_an_answer(rover: Policy, run: np.ndarray) -> None:
    """Under a policy without the section of a fault, too: a frame from elsewhere must not break the reader."""
    assert set(_TELLERS) == set(Fault)
    for frame in (run[FAST_AT], run[NAN_AT], run[STOP_AT]):
        for fault in Fault:
            assert all(isinstance(text, str) for text in reason_of(Case(rover, frame), fault).numbers)
