"""Every malformed policy ends in PolicyError and exit code 2, with the exact key path and without a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from safetykit.errors import PolicyError
from safetykit.policy import load_policy, parse_policy
from tests.unit.policy.cases_breakers import BREAKERS
from tests.unit.policy.cases_commands import COMMANDS
from tests.unit.policy.cases_motion import MOTION
from tests.unit.policy.cases_objects import OBJECTS
from tests.unit.policy.cases_relations import RELATIONS
from tests.unit.policy.cases_rules import RULES
from tests.unit.policy.cases_structure import STRUCTURE
from tests.unit.policy.cases_text import TEXTS
from tests.unit.policy.cases_watch import WATCH
from tests.unit.policy.cases_zones import ZONES
from tests.unit.policy.edits import edited, plain, run_cli, write_yaml

CASES = [*STRUCTURE, *BREAKERS, *COMMANDS, *MOTION, *RELATIONS, *RULES, *WATCH, *ZONES, *OBJECTS]


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 100
    assert len({name for name, *_ in CASES}) == len(CASES)


@pytest.mark.parametrize(("preset", "edits", "key"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_malformed(
    preset: str,
    edits: dict[str, Any],
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = edited(preset, edits)
    with pytest.raises(PolicyError) as caught:
        parse_policy(document, "drone.yaml")
    assert key in {problem.key for problem in caught.value.problems}, str(caught.value)
    assert all(problem.file == "drone.yaml" for problem in caught.value.problems)

    file = write_yaml(document, tmp_path / "policy.yaml")
    assert run_cli(monkeypatch, "policy", "check", str(file)) == 2
    printed = capsys.readouterr()
    assert re.search(rf"policy\.yaml:[1-9]\d*: {re.escape(key)}[: ]", printed.err), printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(("raw", "words"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_text_that_is_no_policy(
    raw: bytes, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(raw)
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    assert words in str(caught.value)
    assert run_cli(monkeypatch, "policy", "check", str(file)) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_all_problems_at_once() -> None:
    document = edited(
        "quadrotor",
        {
            "channels.vx_mps.max": "five",
            "channels.vy_mps.colour": "red",
            "timing.period_ms": -1,
            "functions.land": "perhaps",
            "reactions.FLYING": "PASS",
        },
    )
    with pytest.raises(PolicyError) as caught:
        parse_policy(document)
    assert {problem.key for problem in caught.value.problems} == {
        "channels.vx_mps.max",
        "channels.vy_mps.colour",
        "timing.period_ms",
        "functions.land",
        "reactions.FLYING",
    }


def test_all_relations_at_once() -> None:
    document = edited(
        "quadrotor",
        {
            "channels.vx_mps.stop": 9,
            "timing.command_stale_ms": 50,
            "zones.home.corners_m": [[0, 0], [5, 5], [9, 9]],
            "breakers.garbage.window_ms": 50,
            "functions.arm.when[0].input": "sped_mps",
        },
    )
    with pytest.raises(PolicyError) as caught:
        parse_policy(document)
    assert {problem.key for problem in caught.value.problems} >= {
        "channels.vx_mps.stop",
        "timing.command_late_ms",
        "zones.home.corners_m",
        "breakers.garbage.count",
        "functions.arm.when[0].input",
    }


def test_text_and_structure_problems_together(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("format: 1\nname: a\nname: b\nversion: 7\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    keys = {problem.key: problem.line for problem in caught.value.problems}
    assert keys["name"] == 3
    assert keys["version"] == 4
    assert "timing" in keys


def test_a_problem_says_file_line_key_value_unit_and_range(tmp_path: Path) -> None:
    document = plain("quadrotor")
    document["timing"]["period_ms"] = 5000
    document["channels"]["vx_mps"]["neutral"] = 9
    file = write_yaml(document, tmp_path / "p.yaml")
    with pytest.raises(PolicyError, match=r"p\.yaml:\d+: timing\.period_ms = 5000 ms: .*\(allowed: <= 1000\)"):
        load_policy(file)
    document["timing"]["period_ms"] = 10
    with pytest.raises(PolicyError, match=r"vx_mps\.neutral = 9\.0 m/s: is outside .*\(allowed: -5 to 5\)"):
        parse_policy(document)


@pytest.mark.parametrize(
    ("edits", "suggestion"),
    [
        ({"chanels": {}}, "did you mean channels?"),
        ({"channels.vx_mps.jerk_per_s": 3}, "did you mean jerk_per_s2?"),
        ({"functions.arm.when[0].input": "sped_mps"}, "did you mean speed_mps?"),
        ({"functions.take_off.when[0].inside": "hom"}, "did you mean home?"),
        ({"groups.horizontal_velocity.channels[1]": "vyy_mps"}, "did you mean vy_mps?"),
        ({"reactions.COMMAND_STAIL": "RECOVER"}, "did you mean COMMAND_STALE?"),
        ({"reactions.COMMAND_STALE": "recover"}, "did you mean RECOVER?"),
    ],
)
def test_suggestions(edits: dict[str, Any], suggestion: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(edited("quadrotor", edits))
    assert suggestion in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "quadrotor", 3, {1: 2}, {"name": {"name": {}}}])
def test_anything_but_a_policy(document: Any) -> None:
    with pytest.raises(PolicyError):
        parse_policy(document)


def test_a_document_that_contains_itself() -> None:
    document = plain("rover")
    document["stop"] = document
    with pytest.raises(PolicyError) as caught:
        parse_policy(document)
    assert str(caught.value)


def test_missing_file_directory_and_no_rights(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"neither a file nor a preset.*did you mean quadrotor"):
        load_policy("quadroter")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path)
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy("a\0b")
