"""Two voters and an operator in processes of their own, and a list of objects: each reaches its mailbox over DDS."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from geometry_msgs.msg import Pose, PoseArray
from ruamel.yaml import YAML
from std_msgs.msg import Bool

from safetykit.core.bounds import OBJECTS_MAX
from tests.ros.stand import Observer, Stand

pytestmark = pytest.mark.ros

MAPPING = """
format: 1
policy: rover
commands:
  - topic: cmd_vel_in
    type: geometry_msgs/msg/TwistStamped
    fields: {linear_mps: twist.linear.x, angular_radps: twist.angular.z}
voters: {twin: cmd_vel_twin}
manual: cmd_vel_manual
inputs:
  - source: vehicle
    topic: odom
    type: nav_msgs/msg/Odometry
    fields: {speed_mps: twist.twist.linear.x, yaw_rate_meas_radps: twist.twist.angular.z}
  - {source: operator, topic: operator/engage, type: std_msgs/msg/Bool, fields: {engage: data}}
  - {source: operator, topic: operator/take, type: std_msgs/msg/Bool, fields: {take: data}}
objects:
  topic: objects
  type: geometry_msgs/msg/PoseArray
  items: poses
  fields: {x_m: position.x, y_m: position.y, z_m: position.z}
  constants: {vx_mps: 0.0, vy_mps: 0.0, vz_mps: 0.0, length_m: 1.0, width_m: 1.0, height_m: 1.0}
outputs:
  - topic: cmd_vel_out
    type: geometry_msgs/msg/TwistStamped
    fields: {linear_mps: twist.linear.x, angular_radps: twist.angular.z}
"""


def redundant_policy(patient: Path, folder: Path) -> Path:
    """The patient rover with two voters, an operator who may drive, and a list of objects that must be there."""
    document = YAML(typ="safe").load(patient.read_text())
    document["commands"] = {"voters": ["planner", "twin"], "needed": 2, "align_ms": 900, "disagree_ms": 10_000}
    for channel in document["channels"].values():
        channel["vote_tolerance"] = 0.3
    document["sources"]["operator"]["inputs"]["take"] = {"unit": "flag", "min": 0, "max": 1}
    document["manual"] = {"take": {"input": "take", "min": 0.5}, "late_ms": 1000, "stale_ms": 2000}
    ranges = {"distance_m_max": 100, "speed_mps_max": 20}
    document["objects"] = {
        "age_ms": 3000,
        "future_ms": 5,
        "needed": True,
        "count_max": OBJECTS_MAX,
        "frame": "road",
        "ranges": ranges,
    }
    path = folder / "redundant.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(document, file)
    return path


class Surroundings:
    """What the operator's switch says and what is around, published by the observer's node."""

    def __init__(self, observer: Observer) -> None:
        self.take, self.objects = False, 1
        self._node = observer.node
        self._take = self._node.create_publisher(Bool, "operator/take", 10)
        self._list = self._node.create_publisher(PoseArray, "objects", 10)
        self._node.create_timer(0.05, self._publish)

    def _publish(self) -> None:
        self._take.publish(Bool(data=self.take))
        made = PoseArray(poses=[Pose() for _ in range(self.objects)])
        made.header.stamp = self._node.get_clock().now().to_msg()
        self._list.publish(made)


def faults_seen(stand: Stand) -> str:
    return " ".join(status.message for status in stand.observer.interventions)


def test_voters_operator_and_objects_are_heard_each_by_itself(tmp_path: Path, policy_file: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(MAPPING)
    stand = Stand(tmp_path, redundant_policy(policy_file, tmp_path), ["--mapping", str(file)])
    try:
        seen, around = stand.observer, Surroundings(stand.observer)
        planner, twin, operator = (stand.autonomy("--topic", f"cmd_vel_{name}") for name in ("in", "twin", "manual"))
        twin.order(values=[0.2, 0.0], silent=False)
        operator.order(values=[-0.1, 0.0], silent=False)
        stand.drive(planner, 0.2, 0.0)  # both are needed, and so are the objects
        around.take = True
        seen.wait(lambda: seen.sent[-1] == (-0.1, 0.0), "the operator drives")
        assert seen.states[-1] == "ENGAGED"
        for feed in ("command", "command-twin", "command-manual", "objects"):
            seen.wait(partial(received, seen, feed), f"{feed} in the diagnostics")
        around.objects = OBJECTS_MAX + 6
        seen.wait(lambda: "OBJECTS" in faults_seen(stand), "too many objects told")
        assert "SENDER" not in faults_seen(stand)
        stand.autonomy("--topic", "cmd_vel_twin").order(values=[0.5, 0.0], silent=False)
        seen.wait(lambda: "SENDER" in faults_seen(stand), "a second publisher on the twin's topic told")
        seen.wait(lambda: seen.value("command-twin", "second_publisher_dropped") not in ("", "0"), "dropped")
        assert seen.value("command", "second_publisher_dropped") == "0"
    finally:
        stand.close()


def received(seen: Observer, feed: str) -> int:
    return int(seen.value(feed, "received") or 0)
