"""`safetykit policy` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from safetykit.policy import PRESETS, load_policy
from tests.unit.policy.edits import edited, plain, run_cli, write_yaml


def test_check_names_version_and_digest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(monkeypatch, "policy", "check", *PRESETS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name}: {name} 1.0.0 sha256:{load_policy(name).digest}" for name in PRESETS]


def test_check_goes_on_after_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write_yaml(edited("rover", {"stop": {}}), tmp_path / "bad.yaml")
    worse = tmp_path / "worse.yaml"
    worse.write_text("[")
    assert run_cli(monkeypatch, "policy", "check", str(bad), "rover", str(worse), str(tmp_path / "none.yaml")) == 2
    printed = capsys.readouterr()
    assert printed.out.startswith("rover: rover 1.0.0")
    for word in ("4 problems", "bad.yaml", "worse.yaml", "none.yaml"):
        assert word in printed.err


@pytest.mark.parametrize("name", PRESETS)
def test_show(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(monkeypatch, "policy", "show", name) == 0
    printed = capsys.readouterr().out
    policy = load_policy(name)
    for word in (policy.digest, *policy.channels, *policy.inputs, *policy.functions, *policy.zones):
        assert word in printed


def test_show_prints_brackets_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_yaml(edited("rover", {"vehicle": "[red]cart[/red]", "description": "[/]"}), tmp_path / "p.yaml")
    assert run_cli(monkeypatch, "policy", "show", str(file)) == 0
    printed = capsys.readouterr().out
    assert "[red]cart[/red]" in printed
    assert "[/]" in printed


def test_show_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(monkeypatch, "policy", "show", "quadrotor", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["digest"] == load_policy("quadrotor").digest
    assert shown["document"]["channels"]["vx_mps"]["fallback"] == "last"


def test_schema(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(monkeypatch, "policy", "schema") == 0
    schema = json.loads(capsys.readouterr().out)
    for name in PRESETS:
        jsonschema.validate(plain(name), schema)


def test_as_a_process() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "safetykit", "policy", "check", "no-such-policy"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("error: 1 problem in the policy")
    assert "Traceback" not in run.stderr
