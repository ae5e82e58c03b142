"""`safetykit doctor` on the command line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from safetykit.adapters.cli import build_app
from safetykit.runtime import doctor_machine
from tests.unit.doctor.machines import CPU, PORT, build


def run(monkeypatch: pytest.MonkeyPatch, root: Path, arguments: list[str], **changes: Any) -> Any:
    made = build(root, **changes)
    like = partial(
        doctor_machine.Machine,
        root,
        uid=made.uid,
        groups=made.groups,
        free_bytes=made.free_bytes,
        timer_resolution_ns=made.timer_resolution_ns,
    )
    monkeypatch.setattr(doctor_machine, "Machine", like)
    return CliRunner().invoke(build_app(), ["doctor", *arguments])


def test_a_good_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, tmp_path, ["--cpu", str(CPU), "--port", PORT])
    assert result.exit_code == 0, result.output
    assert "0 bad, 0 to improve, 0 unknown" in result.output
    assert "->" not in result.output


def test_something_to_improve_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"run/systemd/timesync/synchronized": None}
    result = run(monkeypatch, tmp_path, ["--cpu", str(CPU)], changes=changes)
    assert result.exit_code == 0
    assert "1 to improve" in result.output
    assert "-> timedatectl" in result.output


def test_something_bad_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, tmp_path, ["--cpu", "9"])
    assert result.exit_code == 1
    assert "BAD     chosen CPU" in result.output


def test_json_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, tmp_path, ["--json", "--cpu", "9"])
    assert result.exit_code == 1
    items = json.loads(result.output)
    assert {tuple(item) for item in items} == {("item", "status", "finding", "cure")}
    assert [item["item"] for item in items if item["status"] == "bad"] == ["chosen CPU"]
