"""The demo itself, shortened: the real firmware and a real guard; once as it is, and once so that it must fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Two scenes that must go wrong: one expects another cause, one has a person reset everything as soon as it stops.
BROKEN = """
from dataclasses import replace
from pathlib import Path
from sim.demo_estop import show
press = show.SCENES[0]

def reset(stage):
    stage.release()
    stage._make_ready()
    stage._turn_key_and_reset()

show.SCENES = (
    replace(press, name="cause", title="wrong cause", causes=(("HOST_STOP",),)),
    replace(press, name="restart", title="careless reset", undo=reset),
)
raise SystemExit(show.show(Path("OUT"), [], None))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=300, check=False)


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "safetykit", "demo-estop", *arguments)


def test_the_vehicle_stops_and_stays_stopped(tmp_path: Path) -> None:
    out = tmp_path / "out"
    scenes = ("cable", "freeze", "weld")  # while the guard is frozen, nothing but the relays can stop the vehicle
    result = demo("--out", str(out), *(word for name in scenes for word in ("--scene", name)))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "all 3 scenes stopped the vehicle, and nothing restarted by itself" in result.stdout
    record = json.loads((out / "demo-estop.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in record["scenes"]}
    assert tuple(rows) == scenes
    for name in ("cable", "freeze"):
        assert rows[name]["causes"] == ["HOST_SILENT"]
        assert 100.0 < rows[name]["mcu_ms"] <= rows[name]["mcu_limit_ms"]
    assert rows["weld"]["causes"] == ["CHANNEL", "RELAY_STUCK"]
    assert rows["weld"]["mcu_from"] == "edge"
    assert rows["weld"]["locked"]
    for row in rows.values():
        assert 0.05 < row["way_m"] < 1.0
    assert (out / "demo-estop.png").stat().st_size > 10_000


def test_a_demo_in_which_something_is_wrong_says_so(tmp_path: Path) -> None:
    result = run("-c", BROKEN.replace("OUT", str(tmp_path / "out")))
    assert result.returncode == 1, result.stdout + result.stderr
    text = " ".join(result.stdout.split())
    assert "WRONG wrong cause: event memory: CHANNEL; expected HOST_STOP" in text
    assert "WRONG careless reset: power came back" in text
    assert "WRONG careless reset: the microcontroller left its stop" in text
    assert "WRONG careless reset: the vehicle moved again" in text
    assert "WRONG careless reset: the guard left its stop for STANDBY" in text
    assert "2 of 2 scenes went wrong" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scene", "earthquake"), "expected some of press, wire, cable, freeze, kill, noise, weld, stop, key"),
        (("--image", "nowhere.elf"), "nowhere.elf is missing; build it with: make -C hw/firmware lm3s6965evb"),
    ],
)
def test_bad_input_is_one_clear_sentence(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = demo("--out", str(tmp_path / "out"), *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
