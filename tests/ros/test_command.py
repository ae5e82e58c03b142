"""`safetykit ros` with bad input: one message, exit code 2, and no guard was started for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros

BAD = """
format: 1
commands:
  - {topic: cmd, type: geometry_msgs/msg/TwistStampd, fields: {linear_mps: twist.linear.x}}
outputs:
  - {topic: out, type: geometry_msgs/msg/TwistStamped, fields: {linear_mps: twist.linear.w, angular_radps: header}}
"""


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "safetykit", "ros", *arguments]
    changed = {**os.environ, "SAFETYKIT_RUN_DIR": str(folder), **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=changed, check=False)


def test_a_wrong_mapping_is_one_message_with_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    done = run("--policy", "rover", "--mapping", str(file), folder=tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error:") == 1
    for part in (
        "4 problems in the ROS 2 mapping",
        "did you mean 'TwistStamped'",
        "channel 'angular_radps' of the policy is not mapped",
        "Vector3 has no field 'w'",
        "'header' is a std_msgs/Header, a number or bool is needed",
    ):
        assert part in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--policy", "rover", "--speed", "3"], "ROS arguments come after --ros-args"),
        (["--policy", "rover", "--attach", "--bridge", "/dev/null"], "--bridge belongs to the guard"),
        (["--policy", "no-such"], "neither a file nor a preset"),
        (["--policy", "rover", "--mapping", "no-such.yaml"], "cannot be read"),
        (["--policy", "rover", "--ros-args", "-p", "bad"], "error: "),
        (["--policy", "rover", "--ros-args", "-r", "cmd_vel_out:=cmd_vel_in"], "the guard would listen to itself"),
        (["--policy", "rover", "--ros-args", "-p", "cmd_vel_in:=has space"], "error: "),
        (["--policy", "rover", "--ros-args", "-p", "enable_stamped_cmd_vel:=7"], "error: "),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_bad_arguments(arguments: list[str], expected: str, tmp_path: Path) -> None:
    done = run(*arguments, folder=tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_without_rclpy_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text("raise ImportError('librcl.so: cannot open shared object file')")
    done = run("--policy", "rover", folder=tmp_path / "run", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2, done.stderr
    for part in ("safetykit[ros]", "Jetson", "librcl.so"):
        assert part in done.stderr
    assert "Traceback" not in done.stderr
