"""Plausibility sections: numbers at their offsets, verdicts of differences, tables for a person."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from safetykit.core import layout as at
from safetykit.core.columns import watch as w
from safetykit.core.vocabulary import Fault
from safetykit.policy import Policy, load_policy, parse_policy
from safetykit.policy.checks import producible
from safetykit.policy.diff import differences
from tests.unit.policy.cases_watch import EKF, GNSS, OUTLIER, SWINGS
from tests.unit.policy.edits import DELETE, edited, run_cli, write_yaml

VY = "channels.vy_mps"
ALL: dict[str, Any] = {
    **GNSS,
    f"{VY}.outlier": OUTLIER,
    f"{VY}.oscillation": SWINGS,
    f"{VY}.follow.tau_s": 0.4,
    "agree.speed": {"inputs": ["speed_mps", "gnss_mps"], "error": 1, "error_share": 0.1, "for_ms": 500},
    "integrity.ekf": {
        "checks": [{"input": "speed_mps", "max": 5}, {"input": "altitude_m", "min": 1}],
        "count": 2,
        "for_ms": 1000,
    },
    "stuck.speed": {"input": "speed_mps", "for_ms": 700, "only_while": [{"input": "gnss_mps", "min": 0.5}]},
    "stuck.planner": {"asked": "vz_mps", "for_ms": 900},
}


def with_all(**more: Any) -> Policy:
    edits = {**copy.deepcopy(ALL), **more}
    kept = {path: value for path, value in edits.items() if value is not DELETE or path not in ALL}
    return parse_policy(edited("quadrotor", kept))


def test_channel_keys() -> None:
    policy = with_all()
    c = policy.channel_index("vy_mps")
    limits, timing = policy.limits, policy.timing
    assert list(timing[at.T_WATCH : at.T_WATCH + w.WATCH_COLS]) == [1, 1, 1, 1, 2]
    assert list(limits[at.L_FOLLOW : at.L_FOLLOW + 4]) == [0.0, 0.4, 0.0, 0.0]
    assert list(limits[at.L_OUTLIER : at.L_OUTLIER + w.OUTLIER_COLS]) == [3 * 1.4826, 0.5]
    assert list(timing[at.T_OUTLIER : at.T_OUTLIER + w.OUTLIER_COLS_I]) == [c, 5, 3]
    assert list(limits[at.L_SWING : at.L_SWING + w.SWING_COLS]) == [50, 1, 0.2]
    assert timing[at.T_SWING] == c


def test_sections() -> None:
    policy = with_all()
    limits, timing = policy.limits, policy.timing
    speed, gnss, height = (policy.input_index(name) for name in ("speed_mps", "gnss_mps", "altitude_m"))
    assert list(limits[at.L_AGREE : at.L_AGREE + w.AGREE_COLS]) == [1, 0.1]
    assert list(timing[at.T_AGREE : at.T_AGREE + 4]) == [500_000_000, 2, speed, gnss]
    assert list(timing[at.T_INTEGRITY : at.T_INTEGRITY + 5]) == [1_000_000_000, 2, 2, speed, height]
    assert list(limits[at.L_INTEGRITY : at.L_INTEGRITY + 2]) == [-at.UNLIMITED, 1]
    assert list(limits[at.L_INTEGRITY + w.INTEGRITY_HI : at.L_INTEGRITY + w.INTEGRITY_HI + 2]) == [5, at.UNLIMITED]
    moving = 1 << policy.conditions.index("gnss_mps in [0.5, 30] m/s")
    first, second = (timing[at.T_STUCK + r * w.STUCK_COLS_I :][: w.STUCK_COLS_I] for r in (0, 1))
    assert list(first) == [700_000_000, speed, -1, moving]
    assert list(second) == [900_000_000, -1, policy.channel_index("vz_mps"), 0]


def test_faults_occur_only_where_something_can_raise_them() -> None:
    raised = {Fault.OUTLIER, Fault.OSCILLATION, Fault.DISAGREE, Fault.STUCK}
    assert not raised & producible(load_policy("quadrotor").document)
    assert raised <= producible(with_all().document)
    assert Fault.DISAGREE in producible(parse_policy(edited("quadrotor", {"integrity.ekf": EKF})).document)


# edit, key, verdict
CASES: list[tuple[dict[str, Any], str, str]] = [
    ({f"{VY}.outlier": DELETE}, f"{VY}.outlier", "looser"),
    ({f"{VY}.outlier.factor": 4}, f"{VY}.outlier.factor", "looser"),
    ({f"{VY}.outlier.floor": 1}, f"{VY}.outlier.floor", "looser"),
    ({f"{VY}.outlier.confirm": 4}, f"{VY}.outlier.confirm", "tighter"),
    ({f"{VY}.outlier.window": 7}, f"{VY}.outlier.window", "other"),
    ({f"{VY}.oscillation": DELETE}, f"{VY}.oscillation", "looser"),
    ({f"{VY}.oscillation.energy": 60}, f"{VY}.oscillation.energy", "looser"),
    ({f"{VY}.oscillation.deadband": 0.1}, f"{VY}.oscillation.deadband", "tighter"),
    ({f"{VY}.oscillation.window_ms": 2000}, f"{VY}.oscillation.window_ms", "tighter"),
    ({f"{VY}.follow.tau_s": DELETE}, f"{VY}.follow.tau_s", "tighter"),
    ({"agree.speed": DELETE}, "agree.speed", "looser"),
    ({"agree.speed.error": 2}, "agree.speed.error", "looser"),
    ({"agree.speed.error_share": DELETE}, "agree.speed.error_share", "tighter"),
    ({"agree.speed.for_ms": 600}, "agree.speed.for_ms", "looser"),
    ({"integrity.ekf": DELETE}, "integrity.ekf", "looser"),
    ({"integrity.ekf.count": 1}, "integrity.ekf.count", "tighter"),
    ({"integrity.ekf.checks[2]": {"input": "gnss_mps", "max": 5}}, "integrity.ekf.checks", "tighter"),
    ({"stuck.planner": DELETE}, "stuck.planner", "looser"),
    ({"stuck.speed.for_ms": 800}, "stuck.speed.for_ms", "looser"),
    ({"stuck.speed.only_while": []}, "stuck.speed.only_while", "other"),
]


@pytest.mark.parametrize(("edits", "key", "verdict"), CASES)
def test_verdict(edits: dict[str, Any], key: str, verdict: str) -> None:
    found = {one.key: one.verdict for one in differences(with_all(), with_all(**edits))}
    assert found == {key: verdict}
    opposite = {"looser": "tighter", "tighter": "looser", "other": "other"}
    back = {one.key: one.verdict for one in differences(with_all(**edits), with_all())}
    assert back == {key: opposite[verdict]}


def test_the_table(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    file = write_yaml(edited("quadrotor", copy.deepcopy(ALL)), tmp_path / "q.yaml")
    assert run_cli(monkeypatch, "policy", "show", str(file)) == 0
    printed = capsys.readouterr().out
    for text in (
        "agree within 1 + 0.1 of the larger",
        "speed_mps <= 5, 1 <= altitude_m",
        "have fewer than 2 out",
        "change while gnss_mps in [0.5, 30] m/s",
        "ask of vz_mps",
        "window 5, factor 3, floor 0.5, confirm 3",
        "energy 50, window_ms 1000, deadband 0.2",
        "tau_s 0.4",
    ):
        assert text in printed
