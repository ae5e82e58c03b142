"""The guard as a real process: start, ready, watchdog, signals, refusals, command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from safetykit.core.vocabulary import State
from safetykit.errors import MailboxError
from safetykit.policy import load_policy
from safetykit.runtime import paths
from safetykit.runtime.actuator import ActuatorReader
from tests.unit.runtime.running import ANSWER_S, START_S, Running, children, wait_for


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def run(*arguments: str) -> Running:
        folder = tmp_path / f"run{len(started)}"
        folder.mkdir()
        started.append(Running(folder, *arguments))
        return started[-1]

    yield run
    for running in started:
        running.close()


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "safetykit", *arguments], capture_output=True, text=True, timeout=60)


def test_the_life_of_a_guard(start: Callable[..., Running]) -> None:
    guard = start("--policy", "quadrotor").ready()
    info = paths.guard_info(guard.directory)
    assert info["pid"] == guard.process.pid
    assert info["selftest"] == "passed"
    assert info["policy"]["digest"] == load_policy("quadrotor").digest
    assert {grant["what"] for grant in info["realtime"]} >= {"memory locked", "exact timers"}
    for grant in info["realtime"]:
        assert grant["granted"] or grant["reason"]
        assert grant["what"] in guard.stderr.read_text()
    wait_for(lambda: guard.heard("WATCHDOG=1"))
    first = guard.view()
    wait_for(lambda: guard.view().seq > first.seq + 10)

    guard.engage(load_policy("quadrotor"))
    assert guard.end() == 0
    last = guard.view()
    assert (last.power, last.state) == (False, State.EMERGENCY_STOP)
    assert last.sent.tolist() == [0.0] * 4
    assert guard.heard("STOPPING=1")
    assert not (guard.directory / paths.GUARD_INFO).exists()
    assert {path.name for path in guard.directory.iterdir()} >= {"command", "actuator", "ring", "status"}


def test_a_stop_under_control_goes_before_the_end(start: Callable[..., Running]) -> None:
    """SIGTERM while engaged: a protective stop through the core, visible in the output, then power removed."""
    guard = start("--policy", "quadrotor").ready()
    guard.engage(load_policy("quadrotor"))
    guard.process.send_signal(signal.SIGTERM)
    wait_for(lambda: guard.view().state == State.PROTECTIVE_STOP and guard.view().power)
    guard.process.send_signal(signal.SIGTERM)  # a second one does not wait any longer
    assert guard.process.wait(1.5) == 0
    assert not guard.view().power


def test_a_second_guard_is_refused(start: Callable[..., Running]) -> None:
    first = start("--policy", "rover").ready()
    second = start("--policy", "rover")
    assert second.process.wait(START_S) == 2
    assert f"another guard runs here (process {first.process.pid})" in second.stderr.read_text()
    assert first.end(signal.SIGINT) == 0


def test_a_latched_stop_survives_the_guard(start: Callable[..., Running]) -> None:
    guard = start("--policy", "rover").ready()
    stopped = command_line("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert "PROTECTIVE_STOP, stop event 1" in stopped.stdout
    guard.process.kill()
    guard.process.wait()
    again = start("--policy", "rover").ready()
    assert "stays latched" in again.stderr.read_text()
    assert wait_for(lambda: guard.view().state == State.PROTECTIVE_STOP)
    assert again.end() == 0


def test_stop_status_and_reset(start: Callable[..., Running]) -> None:
    none = command_line("status")
    assert (none.returncode, "is the guard 'default' running?" in none.stderr) == (2, True)
    guard = start("--policy", "quadrotor").ready()
    facts = json.loads(command_line("status", "--json").stdout)
    assert facts["running"]
    assert facts["state"] == "STANDBY"
    assert facts["guard"]["policy"]["name"] == "quadrotor"
    assert "STANDBY" in command_line("status").stdout
    assert command_line("stop").returncode == 0
    refused = command_line("reset")
    assert refused.returncode == 1  # nobody says that the vehicle stands still on the ground
    assert "stop event 1" in refused.stdout
    wrong = command_line("reset", "--event", "7")
    assert (wrong.returncode, "refused" in wrong.stderr) == (1, True)
    assert guard.end() == 0
    assert command_line("status").returncode == 1
    late = command_line("stop")
    assert (late.returncode, "has not answered" in late.stderr) == (1, True)


@pytest.mark.parametrize("stay", [False, True])
def test_a_bad_policy_stops_the_outputs(start: Callable[..., Running], tmp_path: Path, stay: bool) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("format: 1\nname: bad\n")
    guard = start("--policy", str(bad), *(["--stay"] if stay else []))
    if stay:
        guard.ready()
        wait_for(lambda: not guard.view().power)
        assert paths.guard_info(guard.directory)["selftest"] == ["not tested"]
        guard.process.terminate()
    assert guard.process.wait(START_S) == 2
    assert "problems in the policy" in guard.stderr.read_text()
    view = ActuatorReader(paths.run_dir() / paths.ACTUATOR).read()
    assert view is not None
    assert not view.power


@pytest.mark.parametrize(
    ("target", "message"),
    [("udp://nowhere", "expected udp://HOST:PORT"), ("/nowhere/else", "No such file or directory")],
)
def test_a_bad_output_is_one_message(start: Callable[..., Running], target: str, message: str) -> None:
    guard = start("--policy", "rover", "--fd-target", target)
    assert guard.process.wait(START_S) == 2
    lines = guard.stderr.read_text().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_outputs_also_leave_by_udp(start: Callable[..., Running]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.settimeout(ANSWER_S)
        guard = start("--policy", "rover", "--fd-target", f"udp://127.0.0.1:{sink.getsockname()[1]}").ready()
        assert {len(sink.recv(4096)) for _ in range(20)} == {640}
        guard.end()


def test_a_killed_recorder_comes_back(start: Callable[..., Running]) -> None:
    guard = start("--policy", "rover").ready()
    log = guard.folder / "log"
    wait_for(lambda: log.is_dir() and any(log.iterdir()))
    pid = wait_for(lambda: children(guard.process.pid))[0]
    before = guard.view().seq
    os.kill(pid, signal.SIGKILL)
    again = wait_for(lambda: [child for child in children(guard.process.pid) if child != pid])
    assert again
    assert guard.view().seq > before
    assert guard.end() == 0


def test_the_run_directory_must_be_ours_alone(tmp_path: Path) -> None:
    directory = paths.run_dir("private")
    assert directory.stat().st_mode & 0o777 == 0o700
    directory.chmod(0o750)
    with pytest.raises(MailboxError, match="mode 0750 lets others in"):
        paths.run_dir("private")
    result = command_line("run", "--policy", "rover", "--instance", "private")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
