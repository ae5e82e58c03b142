"""The demo itself, shortened: real processes, over both transports, and once so that it must fail."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sim.demo.links import transport_here

SHORT = """\
seconds: 17
seed: 3
climbs_s: [0]
faults:
  - {name: NaN, kind: not_a_number, start_s: 5, duration_s: 0.3, expect: [COMMAND_NONFINITE]}
  - {name: burst, kind: burst, start_s: 6.2, duration_s: 0.4, expect: [BOUND, NORM], values: [40, -40, -12, 9]}
  - {name: frozen, kind: frozen_stamps, start_s: 7.4, duration_s: 0.4, expect: [COMMAND_REPEATED]}
  - {name: glitches, kind: glitches, start_s: 8.8, duration_s: 1, expect: [OUTLIER], every: 6, size: 15}
  - {name: forbidden, kind: function, start_s: 10, duration_s: 0.5, expect: [FUNCTION_REFUSED], function: motor_test}
  - {name: lie, kind: false_altitude, start_s: 11, duration_s: 0.8, expect: [DISAGREE]}
  - {name: killed, kind: kill, start_s: 14, duration_s: 3, expect: [COMMAND_LATE, COMMAND_STALE]}
"""
UNANSWERED = """\
seconds: 7
seed: 3
climbs_s: [0]
faults:
  - {name: burst, kind: burst, start_s: 5, duration_s: 0.4, expect: [ZONE], values: [40, -40, -12, 9]}
"""
ROS = pytest.mark.skipif(find_spec("rclpy") is None, reason="rclpy is not installed here: pip install 'safetykit[ros]'")


def demo(script: str, transport: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "script.yaml"
    path.write_text(script, encoding="utf-8")
    command = [sys.executable, "-m", "safetykit", "demo", "--transport", transport, "--script", str(path)]
    return subprocess.run(
        [*command, "--out", str(folder / "out")], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("transport", ["shm", pytest.param("ros2", marks=[ROS, pytest.mark.ros])])
def test_nothing_escapes(transport: str, tmp_path: Path) -> None:
    result = demo(SHORT, transport, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    for name in (
        "NaN",
        "burst",
        "frozen",
        "glitches",
        "forbidden",
        "lie",
        "killed",
        "20 of 20 kept",
        "nothing escaped",
        "hash chain whole",
    ):
        assert name in result.stdout
    assert (tmp_path / "out" / "demo.png").stat().st_size > 10_000
    page = (tmp_path / "out" / "demo.html").read_text(encoding="utf-8")
    assert "<script src=" not in page  # self-contained: opens without a network


def test_fault_that_the_guard_does_not_name_fails_the_demo(tmp_path: Path) -> None:
    result = demo(UNANSWERED, "shm", tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "was not answered" in result.stdout
    assert "something escaped" in result.stdout


def test_unknown_transport_is_bad_input(tmp_path: Path) -> None:
    result = demo(SHORT, "pigeon", tmp_path)
    assert result.returncode == 2
    assert "expected auto, ros2 or shm" in result.stderr


def test_shared_memory_can_be_asked_for() -> None:
    assert transport_here("shm") == ("shm", "asked for")
