"""Redundant, manual and shadow commands in a policy: filled, shown, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safetykit.core import layout as at
from safetykit.core.columns import commands as col
from safetykit.core.vocabulary import Fault
from safetykit.policy import load_policy, parse_policy
from safetykit.policy.checks import producible
from safetykit.policy.diff import differences
from tests.unit.policy.cases_commands import DRIVE, TAKEN, manual, shadow, vote
from tests.unit.policy.edits import edited, run_cli, write_yaml

ALL = {**vote(), **manual(overrules=["ZONE"]), **shadow()}
NEW = {Fault.VOTE, Fault.VOTE_LOST, Fault.MANUAL_LOST, Fault.SHADOW}


def test_without_the_sections_there_is_one_voter_and_nothing_else() -> None:
    policy = load_policy("quadrotor")
    assert policy.timing[at.T_VOTE + col.VOTE_COUNT] == 1
    assert policy.timing[at.T_MANUAL + col.MANUAL_TAKE] == -1
    assert policy.timing[at.T_SHADOW + col.SHADOW_USED] == 0
    assert policy.voters == ()
    assert not NEW & producible(policy.document)


def test_the_sections_reach_the_core() -> None:
    policy = parse_policy(edited("quadrotor", ALL))
    timing, limits = policy.timing, policy.limits
    ms = 1_000_000
    assert timing[at.T_VOTE : at.T_VOTE + col.VOTE_COLS].tolist() == [3, 2, 40 * ms, 200 * ms]
    assert limits[at.L_VOTE_TOLERANCE + policy.channel_index("vy_mps")] == 0.2
    take = int(timing[at.T_MANUAL + col.MANUAL_TAKE])
    assert policy.conditions[take].startswith("take in [0.5")
    assert timing[at.T_MANUAL + col.MANUAL_LATE_NS] == 100 * ms
    assert timing[at.T_MANUAL + col.MANUAL_STALE_NS] == 300 * ms
    assert timing[at.T_MANUAL + col.MANUAL_OVERRULES] == 1 << Fault.ZONE
    row = at.T_SHADOW + col.SHADOW_INPUT
    assert timing[row + policy.channel_index("vx_mps")] == policy.input_index("model_vx_mps")
    assert timing[row + policy.channel_index("vy_mps")] == -1
    assert limits[at.L_SHADOW_TOLERANCE + policy.channel_index("vx_mps")] == 0.5
    assert (timing[at.T_SHADOW + col.SHADOW_FOR_NS], timing[at.T_SHADOW + col.SHADOW_USED]) == (200 * ms, 1)
    assert policy.voters == ("left", "right", "spare")
    assert producible(policy.document) >= NEW


def test_show_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_yaml(edited("quadrotor", ALL), tmp_path / "policy.yaml")
    monkeypatch.setenv("COLUMNS", "200")
    assert run_cli(monkeypatch, "policy", "show", str(file)) == 0
    shown = capsys.readouterr().out
    for words in ("left, right, spare", "2 of 3", "taken while", "overrules", "vx_mps against model_vx_mps"):
        assert words in shown


def both(change: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return ALL, {**ALL, **change}


CASES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (*both({"commands.needed": 3}), "commands.needed", "tighter"),
    (*both({"commands.disagree_ms": 300}), "commands.disagree_ms", "looser"),
    (*both({"commands.align_ms": 30}), "commands.align_ms", "tighter"),
    (*both({"commands.voters": ["right", "left", "spare"]}), "commands.voters", "other"),
    (*both({"channels.vx_mps.vote_tolerance": 0.3}), "channels.vx_mps.vote_tolerance", "looser"),
    (*both({"manual.stale_ms": 200}), "manual.stale_ms", "tighter"),
    (*both({"manual.take.min": 0.7}), "manual.take.min", "other"),
    (*both({"manual.overrules": ["ZONE", "INPUT_STALE"]}), "manual.overrules", "looser"),
    (*both({"manual.overrules": []}), "manual.overrules", "tighter"),
    (*both({"shadow.for_ms": 300}), "shadow.for_ms", "looser"),
    (*both({"shadow.map.vx_mps.tolerance": 0.4}), "shadow.map.vx_mps.tolerance", "tighter"),
    (TAKEN, {**TAKEN, "manual": DRIVE}, "manual", "looser"),
    (shadow(), {key: value for key, value in shadow().items() if key != "shadow"}, "shadow", "looser"),
]


@pytest.mark.parametrize(("before", "after", "key", "verdict"), CASES)
def test_looser_or_tighter(before: dict[str, Any], after: dict[str, Any], key: str, verdict: str) -> None:
    found = differences(parse_policy(edited("quadrotor", before)), parse_policy(edited("quadrotor", after)))
    assert {(one.key, one.verdict) for one in found} >= {(key, verdict)}


def test_another_model_of_a_channel_is_an_objection_more() -> None:
    second = {"input": "model_turn_radps", "tolerance": 0.3}
    more = {**ALL, "shadow.map.yaw_rate_radps": second}
    found = differences(parse_policy(edited("quadrotor", ALL)), parse_policy(edited("quadrotor", more)))
    assert [(one.key, one.verdict) for one in found] == [("shadow.map.yaw_rate_radps", "tighter")]
