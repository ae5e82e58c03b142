"""Other programs read the same values: MCAP through its own reader, CSV through the standard library."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader

from safetykit.core.vocabulary import Action, State, fault_names
from safetykit.errors import LogError
from safetykit.policy import Policy
from safetykit.runtime.blackbox.export import export_csv, export_mcap
from safetykit.runtime.blackbox.segment_file import list_segments
from safetykit.runtime.blackbox.writer import BlackBox

WriteLog = Callable[..., BlackBox]


def messages(file: Path, topic: str) -> list[tuple[int, dict[str, Any]]]:
    with file.open("rb") as stream:
        found = make_reader(stream, validate_crcs=True).iter_messages(topics=[topic])
        return [(message.log_time, json.loads(message.data)) for _, _, message in found]


def close_to_recorded(value: float | None, recorded: float) -> bool:
    return value is None if not math.isfinite(recorded) else value == recorded


def test_mcap_holds_every_tick_by_name(write_log: WriteLog, run: np.ndarray, rover: Policy, tmp_path: Path) -> None:
    report = export_mcap(write_log().settings.directory, tmp_path / "run.mcap")
    assert report.frames == len(run)
    found = messages(tmp_path / "run.mcap", "/guard/frame")
    assert [message["frame"] for _, message in found] == list(range(len(run)))
    for (utc_ns, message), frame in zip(found, run, strict=True):
        assert message["monotonic_ns"] == frame["in_now_ns"]
        assert utc_ns - found[0][0] == frame["in_now_ns"] - run[0]["in_now_ns"]
        assert message["state"] == State(frame["st_state"]).name
        assert message["action"] == Action(frame["out_action"]).name
        assert message["faults"] == list(fault_names(int(frame["out_faults"])))
        for place, name in enumerate(rover.channels):
            assert close_to_recorded(message["asked"][name], frame["in_ask"][0, place])
            assert message["sent"][name] == frame["out_sent"][place]
            assert message["reasons"].get(name, []) == list(fault_names(int(frame["out_reason"][place])))
        for place, name in enumerate(rover.inputs):
            assert message["inputs"][name] == frame["in_value"][place]


def test_mcap_names_its_schemas(write_log: WriteLog, rover: Policy, tmp_path: Path) -> None:
    export_mcap(write_log().settings.directory, tmp_path / "run.mcap")
    with (tmp_path / "run.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    topics = {channel.topic: channel for channel in summary.channels.values()}
    assert topics.keys() == {"/guard/frame", "/guard/event"}
    schema = summary.schemas[topics["/guard/frame"].schema_id]
    assert (schema.encoding, topics["/guard/frame"].message_encoding) == ("jsonschema", "json")
    assert list(json.loads(schema.data)["properties"]["asked"]["properties"]) == list(rover.channels)


def test_mcap_holds_events_and_damage(write_log: WriteLog, tmp_path: Path) -> None:
    log = write_log().settings.directory
    file = list_segments(log)[1].path
    data = bytearray(file.read_bytes())
    data[-2000] ^= 1
    file.write_bytes(data)
    report = export_mcap(log, tmp_path / "run.mcap")
    kinds = {message["event"] for _, message in messages(tmp_path / "run.mcap", "/guard/event")}
    assert {"segment_opened", "segment_closed", "note", "unreadable"} <= kinds
    assert report.unreadable
    assert report.frames > 0


def test_a_time_window_limits_the_export(write_log: WriteLog, run: np.ndarray, tmp_path: Path) -> None:
    log = write_log().settings.directory
    export_mcap(log, tmp_path / "all.mcap")
    times = [utc_ns for utc_ns, _ in messages(tmp_path / "all.mcap", "/guard/frame")]
    report = export_mcap(log, tmp_path / "part.mcap", times[100], times[200])
    assert report.frames == 100
    assert export_csv(log, tmp_path / "part.csv", times[100], times[200]).frames == 100


def test_csv_holds_every_tick(write_log: WriteLog, run: np.ndarray, tmp_path: Path) -> None:
    export_csv(write_log().settings.directory, tmp_path / "run.csv")
    with (tmp_path / "run.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(run)
    for row, frame in zip(rows, run, strict=True):
        assert int(row["tick"]) == frame["out_seq"]
        assert float(row["sent.linear_mps"]) == frame["out_sent"][0]
        np.testing.assert_equal(float(row["asked.linear_mps"]), frame["in_ask"][0, 0])
        assert float(row["input.speed_mps"]) == frame["in_value"][0]
        assert row["utc"].endswith("Z")


def test_a_target_that_cannot_be_written_is_one_message(write_log: WriteLog, tmp_path: Path) -> None:
    log = write_log().settings.directory
    for export in (export_mcap, export_csv):
        with pytest.raises(LogError, match="cannot write"):
            export(log, tmp_path / "nowhere" / "run")


def test_csv_with_other_channels_half_way_is_refused(write_log: WriteLog, tmp_path: Path, run: np.ndarray) -> None:
    box = write_log()
    again = BlackBox(box.settings, {"channels": ["x"], "inputs": []}, {"identity": "aa", "starts": 1})
    again.write_frames(run[:3], 400)
    again.close("stop")
    with pytest.raises(LogError, match="other channels or inputs"):
        export_csv(box.settings.directory, tmp_path / "run.csv")
    assert export_mcap(box.settings.directory, tmp_path / "run.mcap").frames == len(run) + 3
