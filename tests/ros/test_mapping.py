"""Other message types: plain Twist, and any type through a mapping file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ros.stand import Stand

pytestmark = pytest.mark.ros

ARRAY = """
format: 1
policy: rover
commands:
  - topic: array_in
    type: std_msgs/msg/Float64MultiArray
    stamp: source
    fields: {linear_mps: "data[0]", angular_radps: {path: "data[1]", scale: 2.0}}
inputs:
  - source: vehicle
    topic: odom
    type: nav_msgs/msg/Odometry
    fields: {speed_mps: twist.twist.linear.x, yaw_rate_meas_radps: twist.twist.angular.z}
  - {source: operator, topic: operator/engage, type: std_msgs/msg/Bool, fields: {engage: data}}
outputs:
  - topic: array_out
    type: std_msgs/msg/Float64MultiArray
    constants: {"layout.data_offset": 7, "data[2]": 5.5}
    fields: {linear_mps: "data[0]", angular_radps: {path: "data[1]", scale: 0.5}}
  - topic: alive
    type: std_msgs/msg/Bool
    constants: {data: true}
    when: guard_alive
"""


def test_plain_twist_by_parameter(tmp_path: Path, policy_file: Path) -> None:
    arguments = ["--ros-args", "-p", "enable_stamped_cmd_vel:=false", "-p", "cmd_vel_in:=nav/cmd_vel"]
    stand = Stand(tmp_path, policy_file, arguments, kind="plain")
    try:
        stand.drive(stand.autonomy("--topic", "nav/cmd_vel"), 0.4, 0.2)
        assert stand.observer.value("command", "type") in ("", "geometry_msgs/msg/Twist")
    finally:
        stand.close()


def test_any_message_type_by_a_mapping_file(tmp_path: Path, policy_file: Path) -> None:
    file = tmp_path / "array.yaml"
    file.write_text(ARRAY)
    stand = Stand(tmp_path, policy_file, ["--mapping", str(file)], kind="array")
    try:
        stand.drive(stand.autonomy("--topic", "array_in"), 0.4, 0.2)
        seen = stand.observer
        assert (seen.latest.data[2], seen.latest.layout.data_offset) == (5.5, 7)
    finally:
        stand.close()
