"""`safetykit policy plot`: a picture is written, and it shows the zones and where to begin to stop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from safetykit.policy import parse_policy
from safetykit.policy.plot import figure, rings
from tests.fenced import MOTION, YARD, world
from tests.unit.policy.edits import run_cli, write_yaml

ZONES: dict[str, Any] = {
    "yard": {**YARD, "floor_m": -5, "ceiling_m": 60},
    "tower": {"rule": "keep_out", "corners_m": [[10, -5], [20, -5], [20, 5], [10, 5]], "ceiling_m": 30},
    "school": {"rule": "speed", "centre_m": [-30, 0], "radius_m": 8, "speed_mps_max": 2, "excess_mps": 0.5},
}


def test_a_picture_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    policy = write_yaml(world(ZONES), tmp_path / "policy.yaml")
    monkeypatch.chdir(tmp_path)
    assert run_cli(monkeypatch, "policy", "plot", str(policy), "-o", "zones.png") == 0
    assert capsys.readouterr().out == "zones.png\n"
    assert (tmp_path / "zones.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert run_cli(monkeypatch, "policy", "plot", "quadrotor") == 0
    assert (tmp_path / "quadrotor-zones.png").stat().st_size > 10_000


def test_the_picture_shows_every_zone_its_heights_and_the_rings() -> None:
    plan, side = figure(parse_policy(world(ZONES))).axes
    texts = [text.get_text() for text in plan.texts]
    assert {"yard\nfrom -5 m to 60 m", "tower\nto 30 m", "school\nevery height"} <= set(texts)
    assert {text.get_text() for text in side.texts} == set(ZONES)
    legend = [text.get_text() for text in plan.get_legend().get_texts()]
    assert legend == ["yard: keep in", "tower: keep out", "school: speed, at most 2 m/s"]
    outlines = [line for line in plan.lines if line.get_linestyle() == "-"]
    assert len(outlines) == 3
    assert (min(outlines[0].get_xdata()), max(outlines[0].get_xdata())) == (-50, 50)
    tower = [line for line in plan.lines if line.get_linestyle() == ":" and max(line.get_xdata()) < 50 - 2.01]
    assert any(min(line.get_xdata()) == pytest.approx(10 - 2) for line in tower), "the margin round the tower"
    assert any("0 m/s: 2.0 m" in text for text in texts)
    assert max(max(line.get_ydata()) for line in side.lines) == 60


def test_rings_are_stopping_distances_inward_and_outward() -> None:
    document = parse_policy(world(ZONES, motion={**MOTION, "speed_mps_max": 8, "wind_mps": 1})).document
    found = {(ring.zone, ring.speed_mps): ring for ring in rings(document)}
    assert set(found) == {(zone, speed) for zone in ("yard", "tower") for speed in (0, 2, 4, 8)}
    assert found["yard", 8].distance_m == pytest.approx(2 + 9 * 0.25 + 81 / 8)
    assert found["yard", 8].plan.bounds == pytest.approx([k * (50 - 14.375) for k in (-1, -1, 1, 1)])
    assert found["tower", 0].plan.bounds == pytest.approx((7.625, -7.375, 22.375, 7.375))


def test_without_a_speed_limit_the_range_of_the_measurement_counts() -> None:
    assert max(ring.speed_mps for ring in rings(parse_policy(world(ZONES)).document)) == 40
    assert rings(parse_policy(world({"yard": YARD}, motion=None)).document) == []


def test_a_zone_too_small_for_a_speed_has_no_ring_there() -> None:
    found = [ring for ring in rings(parse_policy(world({"yard": YARD})).document) if ring.speed_mps == 40]
    assert [ring.plan.is_empty for ring in found] == [True]
    figure(parse_policy(world({"yard": YARD})))


@pytest.mark.parametrize(
    ("policy", "output", "words"),
    [
        ("car-torque", "x.png", "no zones"),
        ("quadrotor", "x.pfg", "x.pfg: cannot be written"),
        ("quadrotor", "no/x.png", "no/x.png"),
    ],
)
def test_what_cannot_be_drawn(
    policy: str,
    output: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_cli(monkeypatch, "policy", "plot", policy, "-o", output) == 2
    assert words in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run_cli(monkeypatch, "policy", "plot", "quadrotor") == 2
    assert "safetykit[sim]" in capsys.readouterr().err
