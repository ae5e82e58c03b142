"""The autonomy under test control: a real rclpy process that publishes commands at 50 Hz.

Lines of JSON on stdin change what it does:
``{"values": [0.5, 0.0], "stamp": "now" | "zero" | "frozen", "silent": false, "function": "horn"}``.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from typing import Any

import rclpy
from geometry_msgs.msg import Twist, TwistStamped
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray, String


def fill(kind: str, values: list[float]) -> Any:
    if kind == "array":
        return Float64MultiArray(data=values)
    message: Any = TwistStamped() if kind == "stamped" else Twist()
    twist = message.twist if kind == "stamped" else message
    twist.linear.x, twist.angular.z = values
    return message


class Autonomy:
    def __init__(self, node: Any, kind: str, topic: str, qos: QoSProfile) -> None:
        self.node, self.kind = node, kind
        self.orders: dict[str, Any] = {"values": [0.0, 0.0], "stamp": "now", "silent": True}
        types = {"stamped": TwistStamped, "plain": Twist, "array": Float64MultiArray}
        self.commands = node.create_publisher(types[kind], topic, qos)
        self.functions = node.create_publisher(String, "function", 10)
        self.frozen = node.get_clock().now()
        node.create_timer(0.02, self.tick)

    def tick(self) -> None:
        function = self.orders.pop("function", None)
        if function is not None:
            self.functions.publish(String(data=function))
        if self.orders["silent"]:
            return
        message = fill(self.kind, self.orders["values"])
        if self.kind == "stamped" and self.orders["stamp"] != "zero":
            if self.orders["stamp"] == "now":
                self.frozen = self.node.get_clock().now()
            message.header.stamp = self.frozen.to_msg()
        self.commands.publish(message)

    def listen(self) -> None:
        for line in sys.stdin:
            self.orders.update(json.loads(line))
        rclpy.try_shutdown()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=("stamped", "plain", "array"), default="stamped")
    parser.add_argument("--topic", default="cmd_vel_in")
    parser.add_argument("--deadline-ms", type=int, default=0)
    arguments = parser.parse_args()
    qos = QoSProfile(depth=10)
    if arguments.deadline_ms:
        qos.deadline = Duration(nanoseconds=arguments.deadline_ms * 1_000_000)
    rclpy.init(args=[])
    node = rclpy.create_node("autonomy")
    autonomy = Autonomy(node, arguments.kind, arguments.topic, qos)
    threading.Thread(target=autonomy.listen, daemon=True).start()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        executor.spin_once(timeout_sec=0.1)


if __name__ == "__main__":
    main()
