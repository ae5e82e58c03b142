"""For contrast: the same guard written the usual way, as an rclpy node that acts in the callback of its command.

Run as a program with `node` or `autonomy` this file is one of the two processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sim.demo.domain import ros_environment
from tests.bench.measure import Row, Section, percentiles
from tests.bench.wakeup import guard, guard_summary, stress

SECONDS = 20
PERIOD_S = 0.01
DISCOVERY_S = 3.0
SILENCE_S = 1.0  # after the autonomy's death


def autonomy() -> None:
    """Sends at 100 Hz until killed."""
    import rclpy
    from geometry_msgs.msg import TwistStamped

    rclpy.init()
    node = rclpy.create_node("bench_autonomy")
    publisher = node.create_publisher(TwistStamped, "bench_in", 10)
    due_s = time.monotonic()
    while True:
        due_s += PERIOD_S
        time.sleep(max(0.0, due_s - time.monotonic()))
        message = TwistStamped()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.monotonic_ns(), 1_000_000_000)
        publisher.publish(message)


def callback_node(record: Path, seconds: float) -> None:
    """`Guard.step` in the callback of every command, the result published at once."""
    import rclpy
    from geometry_msgs.msg import TwistStamped

    from safetykit.policy import load_policy
    from safetykit.runtime.guard import Guard

    rclpy.init()
    node = rclpy.create_node("bench_guard")
    publisher = node.create_publisher(TwistStamped, "bench_out", 10)
    safe = Guard(load_policy("quadrotor"))
    inputs = dict.fromkeys(safe.policy.inputs, 0.0)
    rows: list[tuple[float, float]] = []

    def act(message: TwistStamped) -> None:
        linear = message.twist.linear
        command = [linear.x, linear.y, linear.z, message.twist.angular.z]
        decision = safe.step(time.monotonic_ns(), command, inputs)
        linear.x, linear.y, linear.z, message.twist.angular.z = decision.sent.values()
        publisher.publish(message)
        asked_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        now_ns = time.monotonic_ns()
        rows.append((now_ns * 1e-9, (now_ns - asked_ns) / 1000.0))

    safe.step(time.monotonic_ns(), None, inputs)  # compiled before the clock runs
    node.create_subscription(TwistStamped, "bench_in", act, 10)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        rclpy.spin_once(node, timeout_sec=0.05)
    np.save(record, np.array(rows))


def play() -> tuple[np.ndarray, int]:
    """(µs from a command's stamp to its output, outputs in the second after the autonomy's death)."""
    seconds = DISCOVERY_S + SECONDS + SILENCE_S
    environment = {**os.environ, **ros_environment()}
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "rows.npy"
        me = [sys.executable, "-m", "tests.bench.ros_contrast"]
        node = subprocess.Popen([*me, "node", str(record), str(seconds + 2.0)], env=environment)
        sender = subprocess.Popen([*me, "autonomy"], env=environment)
        try:
            time.sleep(DISCOVERY_S + SECONDS)
        finally:
            sender.kill()
            dead_s = time.monotonic()
            sender.wait()
            node.wait(120)
        rows = np.load(record)
    alive = rows[rows[:, 0] < dead_s]
    settled = alive[alive[:, 0] > alive[0, 0] + 1.0]
    return settled[:, 1], int((rows[:, 0] > dead_s + 0.1).sum())


def run() -> list[Section]:
    """The callback node against the guard's loop, both under the same load."""
    title = "The same guard as a plain rclpy callback node"
    if find_spec("rclpy") is None:
        return [Section(title, "the guard's loop", (), "Not measured: rclpy is not installed here.")]
    with stress():
        delays, after_death = play()
        reference = guard_summary([guard(SECONDS)])
    rows = tuple(Row(name, value, "µs", reference[name]) for name, value in percentiles(delays).items())
    note = (
        "Output later than due: for the node from the command's stamp to its output, for the loop from the timer to "
        f"the tick, under stress-ng on every core. When the autonomy was killed the node sent {after_death} more "
        f"outputs; the guard's loop goes on sending, {1 / PERIOD_S:.0f} a second."
    )
    return [Section(title, "wake-up latency of the guard's loop, same load", rows, note)]


if __name__ == "__main__":
    if sys.argv[1] == "node":
        callback_node(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        autonomy()
