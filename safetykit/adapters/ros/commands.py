"""``safetykit ros``: the ROS 2 node, with a guard of its own or attached to one that runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safetykit.errors import SafetykitError

if TYPE_CHECKING:
    from safetykit.adapters.ros.node import GuardNode
    from safetykit.adapters.ros.schema import Mapping
    from safetykit.policy import Policy

SPIN_S = 0.1  # longest time until a signal is noticed
GUARD_STOP_S = 5.0
NO_RCLPY = (
    "rclpy cannot be imported. On x86-64: pip install 'safetykit[ros]' (wheels for CPython 3.10 to 3.13). "
    "On Jetson, Raspberry Pi and other machines: install ROS 2 from its own packages, source its setup.bash, "
    "and use the Python it was built for (python3 -m venv --system-site-packages). Reason: {reason}"
)


class RosError(SafetykitError):
    """ROS 2 is not there, or cannot start with these arguments."""


@dataclass(frozen=True)
class Start:
    """Which guard, and who starts it."""

    instance: str
    attach: bool = False  # it runs already
    bridge: str | None = None  # serial port of its microcontroller


def register(app: typer.Typer) -> None:
    """Adds ``safetykit ros``."""

    @app.command("ros", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def ros(
        context: typer.Context,
        policy: Annotated[str, typer.Option(help="Preset name or policy file.")],
        mapping: Annotated[
            Path | None, typer.Option(help="Mapping file; default: the one that comes with the policy's name.")
        ] = None,
        instance: Annotated[str, typer.Option(help="Name of the guard's run directory.")] = "default",
        attach: Annotated[bool, typer.Option(help="Use a guard that runs already; do not start one.")] = False,
        bridge: Annotated[
            str | None, typer.Option(help="Serial port of the emergency-stop microcontroller, as for safetykit run.")
        ] = None,
    ) -> None:
        """Stand between ROS 2 topics: cmd_vel_in -> guard -> cmd_vel_out. Further arguments: --ros-args ..."""
        arguments = list(context.args)
        if arguments and arguments[0] != "--ros-args":
            raise RosError(f"unknown argument {arguments[0]!r}; ROS arguments come after --ros-args")
        if attach and bridge is not None:
            raise RosError("--bridge belongs to the guard: with --attach, give it to the guard that runs already")
        code = run(policy, mapping, Start(instance, attach, bridge), ros_arguments=arguments)
        if code:
            raise typer.Exit(code)


def run(policy_source: str, mapping_file: Path | None, start: Start, *, ros_arguments: list[str]) -> int:
    """Runs until a signal. Exit code of the guard where it never came up. Raises SafetykitError for bad input."""
    _need_rclpy()
    from safetykit.adapters.ros.mapping import load_mapping
    from safetykit.policy import load_policy

    policy = load_policy(policy_source)
    mapping, file = load_mapping(mapping_file, policy)
    stop = _Stop()
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    try:
        rclpy.init(args=["safetykit", *ros_arguments], signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, ValueError) as error:
        raise RosError(f"ROS 2 does not start: {_first_line(error)}") from error
    node, guard = None, None
    try:
        node = _node(policy, mapping, file, start.instance)
        if not start.attach:
            guard = start_guard(policy_source, start)
            node.port.expected_pid = guard.pid
        return _spin(node, guard, stop)
    finally:
        if guard is not None:
            end_guard(guard)
        if node is not None:
            node.port.close()
            node.destroy_node()
        rclpy.try_shutdown()


def _node(policy: Policy, mapping: Mapping, file: str, instance: str) -> GuardNode:
    from rclpy.exceptions import InvalidParameterTypeException, InvalidTopicNameException

    from safetykit.adapters.ros.node import GuardNode

    try:
        return GuardNode(policy, mapping, file, instance)
    except (InvalidParameterTypeException, InvalidTopicNameException, RuntimeError) as error:  # RCLError is one
        raise RosError(f"ROS arguments cannot be used: {_first_line(error)}") from error


class _Stop:
    """SIGINT and SIGTERM end the loop; a second one as well, so that nothing is left half closed."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        self.asked = True


def _spin(node: GuardNode, guard: subprocess.Popen[bytes] | None, stop: _Stop) -> int:
    from rclpy.executors import SingleThreadedExecutor

    # EventsExecutor.spin() of the 9.1 wheels dispatches nothing and ignores SIGTERM.
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stop.asked:
            executor.spin_once(timeout_sec=SPIN_S)
            if guard is not None and guard.poll() is not None:
                if not node.port.open:
                    typer.echo(f"error: the guard ended before it was ready (exit code {guard.returncode})", err=True)
                    return guard.returncode if guard.returncode > 0 else 1
                node.guard_ended(guard.returncode)
                guard = None
        if guard is not None:
            _follow_to_the_end(executor, guard)
        node.say_goodbye()
    finally:
        executor.shutdown(timeout_sec=1.0)
    return 0


def _follow_to_the_end(executor: Any, guard: subprocess.Popen[bytes]) -> None:
    """The guard stops the vehicle under control before it ends; what it sends meanwhile is still published."""
    guard.terminate()
    give_up_s = time.monotonic() + GUARD_STOP_S
    while guard.poll() is None and time.monotonic() < give_up_s:
        executor.spin_once(timeout_sec=SPIN_S)


def start_guard(policy_source: str, start: Start) -> subprocess.Popen[bytes]:
    """The guard in a process of its own: it outlives this one, and Ctrl-C in a terminal reaches only this one."""
    command = [sys.executable, "-m", "safetykit", "run", "--policy", policy_source, "--instance", start.instance]
    if start.bridge is not None:
        command += ["--bridge", start.bridge]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def end_guard(guard: subprocess.Popen[bytes]) -> None:
    """A clean end: the guard sends its stop values first."""
    if guard.poll() is not None:
        return
    guard.terminate()
    try:
        guard.wait(GUARD_STOP_S)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _need_rclpy() -> None:
    if find_spec("rclpy") is None:
        raise RosError(NO_RCLPY.format(reason="no package rclpy in this Python"))
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise RosError(NO_RCLPY.format(reason=_first_line(error))) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


__all__ = ["RosError", "Start", "end_guard", "register", "run", "start_guard"]
