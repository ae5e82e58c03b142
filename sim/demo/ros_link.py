"""The demo's processes over ROS 2, as anybody's own nodes would be: topics and standard messages, nothing of ours.

Topic names are the defaults of `safetykit ros`. Stamps are ROS time; the difference to CLOCK_MONOTONIC is taken once,
so that a frozen stamp stays frozen to the last digit and differences of stamps are exact.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Range
from std_msgs.msg import Bool, String

from sim.demo.links import Received
from sim.vehicles import Quadrotor

FloatArray = NDArray[np.float64]

DEPTH = 10
NS_PER_S = 1_000_000_000


class _Node:
    """A node that is spun by its owner's own loop."""

    def __init__(self, name: str) -> None:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.ahead_ns = self._clock_difference_ns()  # ROS time minus CLOCK_MONOTONIC

    def _clock_difference_ns(self) -> int:
        """The pair of readings that lie closest together, of several."""
        pairs = []
        for _ in range(20):
            before_ns = time.monotonic_ns()
            ros_ns = int(self.node.get_clock().now().nanoseconds)
            after_ns = time.monotonic_ns()
            pairs.append((after_ns - before_ns, ros_ns - (before_ns + after_ns) // 2))
        return min(pairs)[1]

    def put_stamp(self, header: Any, monotonic_ns: int) -> None:
        header.stamp.sec, header.stamp.nanosec = divmod(monotonic_ns + self.ahead_ns, NS_PER_S)


class Pilot(_Node):
    def __init__(self, instance: str) -> None:
        super().__init__("autonomy")
        self.command = self.node.create_publisher(TwistStamped, "cmd_vel_in", DEPTH)
        self.function = self.node.create_publisher(String, "function", DEPTH)

    def send(self, values: FloatArray, stamp_ns: int) -> None:
        message = TwistStamped()
        self.put_stamp(message.header, stamp_ns)
        linear, angular = message.twist.linear, message.twist.angular
        linear.x, linear.y, linear.z, angular.z = values.tolist()
        self.command.publish(message)

    def request(self, function: str) -> None:
        self.function.publish(String(data=function))


class Vehicle(_Node):
    def __init__(self, instance: str) -> None:
        super().__init__("vehicle")
        self.arrived: list[Received] = []
        self.node.create_subscription(TwistStamped, "cmd_vel_out", self._take, DEPTH)
        self.odometry = self.node.create_publisher(Odometry, "odom", DEPTH)
        self.altimeter = self.node.create_publisher(Range, "altimeter", DEPTH)

    def _take(self, message: TwistStamped) -> None:
        stamp_ns = message.header.stamp.sec * NS_PER_S + message.header.stamp.nanosec - self.ahead_ns
        linear, angular = message.twist.linear, message.twist.angular
        values = np.array([linear.x, linear.y, linear.z, angular.z])
        self.arrived.append(Received(time.monotonic_ns(), stamp_ns, values))

    def receive(self) -> list[Received]:
        count = -1
        while len(self.arrived) > count:  # a spin that brings nothing ends it
            count = len(self.arrived)
            self.executor.spin_once(timeout_sec=0.0)
        taken, self.arrived = self.arrived, []
        return taken

    def publish(self, vehicle: Quadrotor, altitude_2_m: float) -> None:
        message = Odometry()
        self.put_stamp(message.header, time.monotonic_ns())
        position, twist = message.pose.pose.position, message.twist.twist
        position.x, position.y, position.z = vehicle.position_m.tolist()
        twist.linear.x, twist.linear.y, twist.linear.z = vehicle.velocity_mps.tolist()
        twist.angular.z = vehicle.yaw_rate_radps
        self.odometry.publish(message)
        second = Range(range=altitude_2_m)
        self.put_stamp(second.header, time.monotonic_ns())
        self.altimeter.publish(second)


class Operator(_Node):
    def __init__(self, instance: str) -> None:
        super().__init__("operator")
        self.switches = [self.node.create_publisher(Bool, f"operator/{name}", DEPTH) for name in ("engage", "consent")]

    def engage(self, pressed: bool) -> None:
        engage, consent = self.switches
        engage.publish(Bool(data=pressed))
        consent.publish(Bool(data=False))
