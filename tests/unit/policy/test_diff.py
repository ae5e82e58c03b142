"""Differences in meaning, and whether the new policy allows more or less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from safetykit.policy import PRESETS, load_policy, parse_policy
from safetykit.policy.diff import differences
from tests.unit.policy.edits import DELETE, edited, plain, run_cli, write_yaml

VX, STEER = "channels.vx_mps", "channels.steer_torque_nm"
AREA = "zones.flight_area"

# preset, edits, key, verdict
CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("quadrotor", {f"{VX}.max": 6}, f"{VX}.max", "looser"),
    ("quadrotor", {f"{VX}.max": 4}, f"{VX}.max", "tighter"),
    ("quadrotor", {f"{VX}.min": -6}, f"{VX}.min", "looser"),
    ("quadrotor", {f"{VX}.min": -4}, f"{VX}.min", "tighter"),
    ("quadrotor", {f"{VX}.rate_up_per_s": DELETE}, f"{VX}.rate_up_per_s", "looser"),
    ("quadrotor", {f"{VX}.rate_away_from_zero_per_s": 3}, f"{VX}.rate_away_from_zero_per_s", "tighter"),
    ("quadrotor", {f"{VX}.neutral": 1}, f"{VX}.neutral", "other"),
    ("quadrotor", {f"{VX}.on_violation": "reject"}, f"{VX}.on_violation", "tighter"),
    ("quadrotor", {f"{VX}.follow": DELETE, f"{VX}.measured": DELETE}, f"{VX}.follow", "looser"),
    ("quadrotor", {"channels.vz_mps.min.points[1][1]": -2}, "channels.vz_mps.min", "looser"),
    ("quadrotor", {"channels.vz_mps.min.points[1][0]": 20}, "channels.vz_mps.min", "tighter"),
    ("quadrotor", {"functions.flip": "never"}, "functions.flip", "other"),
    (
        "quadrotor",
        {
            "zones.x": {"rule": "condition", "corners_m": [[9, 9], [20, 9], [20, 20]]},
            "functions.hold": {"when": [{"inside": "x"}]},
        },
        "zones.x",
        "other",
    ),
    ("quadrotor", {"channels.vz_mps.min": -0.7}, "channels.vz_mps.min", "tighter"),
    ("quadrotor", {"channels.vz_mps.min.points": [[5, -1], [10, -1.2]]}, "channels.vz_mps.min", "other"),
    ("quadrotor", {"channels.vz_mps.min.over": "speed_mps"}, "channels.vz_mps.min", "other"),
    ("quadrotor", {"groups.horizontal_velocity.norm": 4}, "groups.horizontal_velocity.norm", "tighter"),
    ("quadrotor", {"timing.command_stale_ms": 600}, "timing.command_stale_ms", "looser"),
    ("quadrotor", {"timing.period_ms": 9}, "timing.period_ms", "other"),
    ("quadrotor", {"sources.vehicle.age_ms": 100}, "sources.vehicle.age_ms", "tighter"),
    ("quadrotor", {"sources.vehicle.needed": False}, "sources.vehicle.needed", "looser"),
    ("quadrotor", {"permission.hold_to_run": False}, "permission.hold_to_run", "looser"),
    ("quadrotor", {"functions.land": "never"}, "functions.land", "tighter"),
    ("quadrotor", {"functions.motor_test": "always"}, "functions.motor_test", "looser"),
    ("quadrotor", {"functions.arm": "always"}, "functions.arm", "looser"),
    ("quadrotor", {"functions.arm.when[2]": DELETE}, "functions.arm", "looser"),
    ("quadrotor", {"functions.disarm.when[2]": {"inside": "home"}}, "functions.disarm", "tighter"),
    ("quadrotor", {"functions.arm.when[0].max": 1}, "functions.arm", "other"),
    ("quadrotor", {"functions.land": DELETE}, "functions.land", "tighter"),
    ("quadrotor", {"functions.flip": "always"}, "functions.flip", "looser"),
    ("quadrotor", {f"{AREA}.corners_m[0]": [-110, -110]}, AREA, "looser"),
    ("quadrotor", {f"{AREA}.corners_m[0]": [-90, -90]}, AREA, "tighter"),
    ("quadrotor", {f"{AREA}.corners_m[0]": [-110, -90]}, AREA, "other"),
    ("quadrotor", {f"{AREA}.ceiling_m": 50}, AREA, "tighter"),
    ("quadrotor", {f"{AREA}.ceiling_m": DELETE}, AREA, "looser"),
    ("quadrotor", {f"{AREA}.ceiling_m": 50, f"{AREA}.floor_m": -6}, AREA, "other"),
    ("quadrotor", {AREA: DELETE}, AREA, "looser"),
    ("quadrotor", {"zones.home.ceiling_m": 4}, "zones.home", "other"),
    ("quadrotor", {"zones.x": {"rule": "keep_out", "corners_m": [[9, 9], [20, 9], [20, 20]]}}, "zones.x", "tighter"),
    ("quadrotor", {"zones.x": {"rule": "keep_in", "corners_m": [[9, 9], [20, 9], [20, 20]]}}, "zones.x", "looser"),
    ("quadrotor", {"recovery[0].for_s": 6}, "recovery[0].for_s", "other"),
    ("quadrotor", {"stop.reset_needs[1]": DELETE}, "stop.reset_needs", "looser"),
    ("quadrotor", {"stop.device": "microcontroller"}, "stop.device", "tighter"),
    ("quadrotor", {"breakers.garbage": DELETE}, "breakers.garbage", "looser"),
    ("quadrotor", {"breakers.garbage.action": "PROTECTIVE_STOP"}, "breakers.garbage.action", "tighter"),
    ("quadrotor", {"breakers.garbage.count": 20}, "breakers.garbage.count", "tighter"),
    ("quadrotor", {"breakers.garbage.faults[6]": "BOUND"}, "breakers.garbage.faults", "tighter"),
    ("quadrotor", {"reactions.COMMAND_LATE": "PASS"}, "reactions.COMMAND_LATE", "looser"),
    ("quadrotor", {"reactions.DEADLINE": "PROTECTIVE_STOP"}, "reactions.DEADLINE", "tighter"),
    ("quadrotor", {"version": "1.1.0"}, "version", "other"),
    (
        "car-torque",
        {
            f"{STEER}.slew": DELETE,
            "breakers.too_much": DELETE,
            f"{STEER}.degraded_scale": 1,
            "channels.accel_mps2.degraded_scale": 1,
        },
        f"{STEER}.slew",
        "looser",
    ),
    ("car-torque", {f"{STEER}.slew.window_ms": 300}, f"{STEER}.slew.window_ms", "tighter"),
    ("car-torque", {f"{STEER}.oppose.gain": 1}, f"{STEER}.oppose.gain", "looser"),
    ("car-torque", {f"{STEER}.lead.samples": 3}, f"{STEER}.lead.samples", "tighter"),
    ("car-torque", {f"{STEER}.oppose.samples": 3}, f"{STEER}.oppose.samples", "looser"),
    ("car-torque", {"permission.overrides.brake": DELETE}, "permission.overrides.brake", "looser"),
    ("car-torque", {"permission.overrides.brake.until": "released"}, "permission.overrides.brake.until", "looser"),
    (
        "car-torque",
        {"permission.overrides.accelerator.channels": "all"},
        "permission.overrides.accelerator.channels",
        "tighter",
    ),
    (
        "car-torque",
        {"permission.overrides.steering.withdraw.above": 5},
        "permission.overrides.steering.withdraw.above",
        "looser",
    ),
    (
        "car-torque",
        {"permission.overrides.steering.withdraw.below": -5},
        "permission.overrides.steering.withdraw.below",
        "looser",
    ),
]


@pytest.mark.parametrize(("preset", "edits", "key", "verdict"), CASES)
def test_verdict(preset: str, edits: dict[str, Any], key: str, verdict: str) -> None:
    old, new = load_policy(preset), parse_policy(edited(preset, edits))
    found = {one.key: one.verdict for one in differences(old, new)}
    assert found.get(key) == verdict, found
    back = {one.key: one.verdict for one in differences(new, old)}
    opposite = {"looser": "tighter", "tighter": "looser", "other": "other"}
    assert back[key] == opposite[verdict]


@pytest.mark.parametrize("name", PRESETS)
def test_nothing_differs_from_itself(name: str) -> None:
    assert differences(load_policy(name), load_policy(name)) == []


def test_a_default_written_out_is_no_difference() -> None:
    written = parse_policy(edited("quadrotor", {"channels.vx_mps.neutral": 0, "channels.vx_mps.fallback": "last"}))
    assert differences(load_policy("quadrotor"), written) == []
    written = parse_policy(edited("quadrotor", {"reactions.COMMAND_STALE": "RECOVER"}))
    assert differences(load_policy("quadrotor"), written) == []


def test_order_is_a_difference() -> None:
    document = plain("quadrotor")
    document["functions"] = dict(reversed(document["functions"].items()))
    found = differences(load_policy("quadrotor"), parse_policy(document))
    assert [(one.key, one.verdict) for one in found] == [("order of functions", "other")]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_yaml(edited("quadrotor", {"channels.vx_mps.max": 6, "functions.land": "never"}), tmp_path / "q.yaml")
    assert run_cli(monkeypatch, "policy", "diff", "quadrotor", "quadrotor") == 0
    assert "no difference" in capsys.readouterr().out
    assert run_cli(monkeypatch, "policy", "diff", "quadrotor", str(file)) == 1
    printed = capsys.readouterr().out
    assert "2 differences: 1 looser, 1 tighter, 0 other" in printed
    assert "channels.vx_mps.max" in printed
    file.write_text(json.dumps({"name": "x"}))
    assert run_cli(monkeypatch, "policy", "diff", "quadrotor", str(file)) == 2
