"""``safetykit log``: one clear message and exit code 2 for anything wrong, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from safetykit.adapters import log_commands
from safetykit.errors import LogError, SafetykitError
from safetykit.policy import Policy
from safetykit.runtime.blackbox.opening import policy_record
from safetykit.runtime.blackbox.recorder import Recorder
from safetykit.runtime.blackbox.segment_file import list_segments
from safetykit.runtime.blackbox.writer import BlackBox, Settings
from safetykit.runtime.ring import Ring

WriteLog = Callable[..., BlackBox]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, run: np.ndarray, rover: Policy) -> Path:
    """A run recorded the real way, events and all."""
    base = tmp_path_factory.mktemp("recorded")
    ring = Ring.create(base / "ring", 64)
    recorder = Recorder(base / "ring", Settings(base / "log"), policy_record(rover))
    for frame in run:
        ring.push(frame)
        if ring.head % 20 == 0:
            assert recorder.drain()
    assert recorder.finish("stop")
    return base / "log"


def call(*arguments: str | Path) -> str:
    """Output of a command that succeeds; SafetykitError passes through (the root command turns it into code 2)."""
    app = typer.Typer()
    log_commands.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["log", *map(str, arguments)], catch_exceptions=True)
    if isinstance(result.exception, SafetykitError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def json_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def spoil(log: Path) -> Path:
    file = list_segments(log)[1].path
    data = bytearray(file.read_bytes())
    data[-2000] ^= 1
    file.write_bytes(data)
    return file


def test_verify_says_what_is_there(log: Path) -> None:
    output = call("verify", log)
    assert "closed" in output
    assert "400 frames" in output
    assert output.endswith("whole: every entry follows from the one before\n")
    assert json.loads(call("verify", log, "--json"))["ok"] is True


def test_verify_of_damage_is_one_message_with_the_place(write_log: WriteLog) -> None:
    log = write_log().settings.directory
    file = spoil(log)
    with pytest.raises(LogError, match="not whole, 1 finding\n") as caught:
        call("verify", log)
    assert file.name in str(caught.value)
    assert ", byte " in str(caught.value)


def test_verify_can_ask_for_a_closed_log(write_log: WriteLog) -> None:
    log = write_log(closed=False).settings.directory
    call("verify", log)
    with pytest.raises(LogError, match="not closed"):
        call("verify", log, "--closed")


def test_show_lists_what_happened(log: Path) -> None:
    output = call("show", log)
    assert "intervention" in output
    assert "COMMAND_NONFINITE" in output
    assert "linear_mps" in output
    assert "PROTECTIVE_STOP" in output
    assert "function=unknown (-1)" in output


def test_show_as_json_holds_asked_and_sent(log: Path, run: np.ndarray) -> None:
    rows = json_lines(call("show", log, "--json", "--faults", "command_nonfinite"))
    assert [row["frame"] for row in rows] == [150]
    assert rows[0]["asked"][0] == "nan"
    assert rows[0]["sent"][0] == run["out_sent"][150, 0]


def test_show_filters(log: Path) -> None:
    everything = json_lines(call("show", log, "--json", "--limit", "0"))
    assert len(json_lines(call("show", log, "--json", "--limit", "3"))) == 3
    changed = json_lines(call("show", log, "--json", "--channel", "linear_mps", "--limit", "0"))
    assert 0 < len(changed) < len(everything)
    assert all("linear_mps" in row["reasons"] for row in changed)
    times = [row["utc_ns"] for row in everything]
    assert not json_lines(call("show", log, "--json", "--from", "2100-01-01"))
    assert len(json_lines(call("show", log, "--json", "--limit", "0", "--to", "2100-01-01T00:00:00Z"))) == len(times)


def test_every_tick_finds_the_same_events_in_the_frames(log: Path) -> None:
    from_events = json_lines(call("show", log, "--json", "--limit", "0"))
    from_frames = json_lines(call("show", log, "--json", "--limit", "0", "--every-tick"))
    pick = [
        [(row["event"], row["frame"], row["action"]) for row in rows if "frame" in row]
        for rows in (from_events, from_frames)
    ]
    assert pick[0] == pick[1]


def test_old_logs_can_be_searched_for_the_old_names_of_breakers(log: Path) -> None:
    assert json_lines(call("show", log, "--json", "--faults", "breaker_0")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "LOG", "--faults", "BOUNDS"], "unknown fault BOUNDS"),
        (["show", "LOG", "--from", "yesterday"], "not a time like"),
        (["export", "LOG"], "say what to write"),
        (["verify", "NOWHERE"], "no such log"),
        (["replay", "EMPTY"], "no segments of a black box here"),
        (["replay", "LOG", "--policy", "quadrotor"], "channels recorded"),
        (["verify", "LOG", "--public-key", "NOWHERE"], "cannot read the public key"),
    ],
)
def test_bad_input_is_one_clear_message(log: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    places = {"LOG": str(log), "NOWHERE": str(tmp_path / "nowhere"), "EMPTY": str(tmp_path)}
    with pytest.raises(LogError, match=message):
        call(*[places.get(argument, argument) for argument in arguments])


def test_replay_says_how_many_ticks_are_equal(log: Path) -> None:
    assert "400 ticks computed again, 400 equal in every byte" in call("replay", log)
    assert json.loads(call("replay", log, "--json"))["equal"] == 400
    assert "0 with another outcome" in call("replay", log, "--policy", "rover")


def test_a_log_that_does_not_follow_from_its_inputs_is_an_error(tmp_path: Path, run: np.ndarray, rover: Policy) -> None:
    frames = run.copy()
    frames["out_sent"][77, 1] += 0.5
    box = BlackBox(Settings(tmp_path / "log"), policy_record(rover), {"identity": "aa"})
    box.write_frames(frames, 0)
    box.close("stop")
    with pytest.raises(LogError, match=r"frame 77: out_sent\[1\] recorded"):
        call("replay", tmp_path / "log")


def test_export_writes_what_is_readable_and_says_what_is_not(write_log: WriteLog, tmp_path: Path) -> None:
    log = write_log().settings.directory
    target, table = tmp_path / "run.mcap", tmp_path / "run.csv"
    assert "400 ticks" in call("export", log, "--mcap", target, "--csv", table)
    spoil(log)
    with pytest.raises(LogError, match="exported what is readable; not readable"):
        call("export", log, "--mcap", target)
    assert target.stat().st_size > 10_000


def test_the_default_log_is_that_of_the_instance(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFETYKIT_LOG_DIR", str(log.parent))
    assert "400 frames" in call("verify", log.name)
    monkeypatch.chdir(log.parent)
    assert "400 frames" in call("verify", log.name)
    with pytest.raises(LogError, match="default: no such log"):
        call("verify")
