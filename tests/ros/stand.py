"""A test stand over real DDS: guard and node in their processes, the autonomy in another, vehicle and operator here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool, Float64MultiArray, String
from std_srvs.srv import Trigger

from safetykit.runtime import paths

LIMIT_S = 60.0  # for anything to happen on a busy machine; nothing waits longer than it must
AUTONOMY = Path(__file__).with_name("autonomy.py")
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TYPES = {"stamped": TwistStamped, "plain": Twist, "array": Float64MultiArray}


def values_of(message: Any) -> tuple[float, float]:
    if isinstance(message, Float64MultiArray):
        return message.data[0], message.data[1]
    twist = message.twist if isinstance(message, TwistStamped) else message
    return twist.linear.x, twist.angular.z


class Observer:
    """Vehicle, operator and witness in one node with a thread of its own."""

    def __init__(self, kind: str, output: str) -> None:
        self.changed = threading.Condition()
        self.sent: list[tuple[float, float]] = []
        self.latest: Any = None
        self.e_stop: list[bool] = []
        self.states: list[str] = []
        self.interventions: list[Any] = []
        self.granted: list[str] = []
        self.diagnostics: dict[str, Any] = {}
        self.speed: tuple[float, float] | None = None  # None = follows what is sent
        self.engage = False
        self.context = rclpy.Context()
        rclpy.init(args=[], context=self.context)
        self.node = rclpy.create_node("observer", context=self.context)
        self._subscribe(kind, output)
        self._odometry = self.node.create_publisher(Odometry, "odom", 10)
        self._engage = self.node.create_publisher(Bool, "operator/engage", 10)
        self.node.create_timer(0.02, self._publish)
        self._services = {
            name: self.node.create_client(Trigger, f"/safetykit/e_stop_{name}") for name in ("trigger", "reset")
        }
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _subscribe(self, kind: str, output: str) -> None:
        listen: tuple[tuple[Any, str, Any, Callable[[Any], None]], ...] = (
            (TYPES[kind], output, 100, self._on_output),
            (Bool, "/safetykit/e_stop", LATCHED, lambda m: self.e_stop.append(m.data)),
            (String, "/safetykit/state", LATCHED, lambda m: self.states.append(m.data)),
            (DiagnosticStatus, "/safetykit/intervention", 100, self.interventions.append),
            (String, "/safetykit/function_granted", 10, lambda m: self.granted.append(m.data)),
            (DiagnosticArray, "/diagnostics", 10, lambda m: self.diagnostics.update({s.name: s for s in m.status})),
        )
        for message_type, topic, qos, call in listen:
            self.node.create_subscription(message_type, topic, self._told(call), qos)

    def _told(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            with self.changed:
                call(message)
                self.changed.notify_all()

        return receive

    def _on_output(self, message: Any) -> None:
        self.latest = message
        self.sent.append(values_of(message))

    def _publish(self) -> None:
        linear, angular = self.speed or (self.sent[-1] if self.sent else (0.0, 0.0))
        odometry = Odometry()
        odometry.header.stamp = self.node.get_clock().now().to_msg()
        odometry.twist.twist.linear.x, odometry.twist.twist.angular.z = linear, angular
        self._odometry.publish(odometry)
        self._engage.publish(Bool(data=self.engage))

    def _spin(self) -> None:
        while not self._ended.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def wait(self, reached: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
        """Until something is so; fails with what it was waiting for."""
        give_up_s = time.monotonic() + limit_s
        with self.changed:
            while not (found := reached()):
                left_s = give_up_s - time.monotonic()
                assert left_s > 0, f"not within {limit_s} s: {what}; {self.story()}"
                self.changed.wait(min(left_s, 0.1))
            return found

    def story(self) -> str:
        last = [status.message for status in self.interventions[-12:]]
        found = {name: status.message for name, status in self.diagnostics.items()}
        return f"states {self.states}, e-stop {self.e_stop}, sent {self.sent[-3:]}, interventions {last}, {found}"

    def call(self, name: str) -> Any:
        """Answer of ``e_stop_trigger`` or ``e_stop_reset``."""
        client = self._services[name]
        assert client.wait_for_service(LIMIT_S), f"no service {name}"
        future = client.call_async(Trigger.Request())
        return self.wait(lambda: future.done() and future.result(), f"answer of {name}")

    def value(self, status: str, key: str) -> str:
        """One value of the latest diagnostics."""
        found = self.diagnostics.get(f"safetykit: {status}")
        return next((item.value for item in found.values if item.key == key), "") if found else ""

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


class Autonomy:
    """The other process; `order` changes what it publishes."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, str(AUTONOMY), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)

    def order(self, **orders: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(orders) + "\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Leaves the graph properly: a killed process stays in it for many seconds."""
        if self.process.poll() is None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(LIMIT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()


def asked_of(intervention: Any) -> list[str]:
    return [item.value for item in intervention.values if item.key.endswith(".asked")]


class Stand:
    """Everything together. Ends all processes that it started."""

    def __init__(self, folder: Path, policy: Path, arguments: Sequence[str] = (), kind: str = "stamped") -> None:
        self.folder, self.policy, self.kind = folder, policy, kind
        self.environment = {
            **os.environ,
            "SAFETYKIT_RUN_DIR": str(folder / "run"),
            "SAFETYKIT_LOG_DIR": str(folder / "log"),
            "ROS_LOG_DIR": str(folder / "ros"),
        }
        self._autonomies: list[Autonomy] = []
        self._marks = 0
        self.observer = Observer(kind, "array_out" if kind == "array" else "cmd_vel_out")
        self.node = self.safetykit("ros", "--policy", str(policy), *arguments)

    def safetykit(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "safetykit", *arguments], env=self.environment)

    def autonomy(self, *arguments: str) -> Autonomy:
        started = Autonomy("--kind", self.kind, *arguments)
        self._autonomies.append(started)
        return started

    @property
    def guard_pid(self) -> int:
        info = json.loads((self.folder / "run" / "default" / paths.GUARD_INFO).read_text())
        return int(info["pid"])

    def state(self, name: str) -> None:
        """Wait for a state of the guard."""

        def reached() -> bool:
            assert self.node.poll() is None, f"the node ended with exit code {self.node.returncode}"
            return self.observer.states[-1:] == [name]

        self.observer.wait(reached, f"state {name}")

    def drive(self, autonomy: Autonomy, *values: float) -> None:
        """Engage and ask for these values, until they are sent."""
        seen = self.observer
        self.state("STANDBY")
        self._marks += 1
        mark = self._marks / 1000  # no command before had this value: it proves that this autonomy is heard
        autonomy.order(values=[mark, 0.0], stamp="now", silent=False)
        seen.wait(lambda: any(repr(mark) in asked_of(one) for one in seen.interventions), "commands reach the guard")
        autonomy.order(values=list(values))
        self._press_engage()
        seen.wait(lambda: seen.sent[-1] == values, f"{values} sent")

    def _press_engage(self) -> None:
        """As an operator does: an edge that comes while a command is late is refused, so let go and press again."""
        seen, give_up_s = self.observer, time.monotonic() + LIMIT_S
        while seen.states[-1:] != ["ENGAGED"]:
            assert time.monotonic() < give_up_s, f"never engaged; {seen.story()}"
            seen.engage = True
            with seen.changed:
                seen.changed.wait_for(lambda: seen.states[-1:] == ["ENGAGED"], 2.0)
            seen.engage = seen.states[-1:] == ["ENGAGED"]
            with seen.changed:
                seen.changed.wait_for(lambda: seen.states[-1:] == ["ENGAGED"], 0.2)

    def rest(self) -> None:
        """Back to standing by, whatever was before."""
        seen = self.observer
        for one in self._autonomies:
            one.end()
        self._autonomies.clear()
        seen.engage, seen.speed = False, None
        if seen.states[-1] != "STANDBY":
            if seen.states[-1] != "PROTECTIVE_STOP":
                assert seen.call("trigger").success
            seen.wait(lambda: seen.sent[-1] == (0.0, 0.0), "standing still")
            answer = seen.wait(lambda: self._reset(), "reset")
            assert answer.success
        self.state("STANDBY")
        seen.interventions.clear()
        seen.granted.clear()

    def _reset(self) -> Any:
        future = self.observer._services["reset"].call_async(Trigger.Request())
        self.observer.wait(future.done, "answer of reset")
        answer = future.result()
        return answer if answer is not None and answer.success else None

    def close(self) -> None:
        for one in self._autonomies:
            one.kill()
        if self.node.poll() is None:
            self.node.send_signal(signal.SIGINT)
        try:
            self.node.wait(30)
        except subprocess.TimeoutExpired:
            self.node.kill()
            self.node.wait()
        self.observer.close()
