"""Processes are killed; quality of service does not fit. The output is neutral and the reason is told."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ros.stand import Stand

pytestmark = pytest.mark.ros
NEUTRAL_S = 2.0  # a guard counts as gone after 60 ms; the rest is for a busy test machine


@pytest.fixture
def own_stand(tmp_path: Path, policy_file: Path, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A stand that a test may damage; parametrize indirectly with ROS parameters."""
    arguments = [word for pair in getattr(request, "param", ()) for word in ("-p", pair)]
    stand = Stand(tmp_path, policy_file, ["--ros-args", *arguments] if arguments else [])
    try:
        stand.state("STANDBY")
        yield stand
    finally:
        stand.close()


def test_a_killed_guard_is_answered_by_neutral_values_and_e_stop(own_stand: Stand) -> None:
    seen = own_stand.observer
    own_stand.drive(own_stand.autonomy(), 0.4, 0.2)
    os.kill(own_stand.guard_pid, signal.SIGKILL)
    seen.wait(lambda: seen.e_stop[-1] is True, "the e-stop is told", NEUTRAL_S)
    seen.wait(lambda: seen.sent[-1] == (0.0, 0.0), "neutral values", NEUTRAL_S)
    own_stand.state("GUARD_LOST")
    count = len(seen.sent)
    seen.wait(lambda: len(seen.sent) > count + 50, "the node goes on publishing")
    assert set(seen.sent[count:]) == {(0.0, 0.0)}
    status = seen.wait(
        lambda: (s := seen.diagnostics["safetykit: guard"]).level == b"\x02" and "ended" in s.message and s,
        "the death of the guard in /diagnostics",
    )
    assert "neutral values are sent" in status.message
    assert seen.call("reset").success is False
    assert own_stand.node.poll() is None


def test_a_guard_that_comes_back_is_used_only_with_the_same_policy(own_stand: Stand, tmp_path: Path) -> None:
    seen = own_stand.observer
    os.kill(own_stand.guard_pid, signal.SIGKILL)
    own_stand.state("GUARD_LOST")
    other = tmp_path / "other.yaml"
    other.write_text(own_stand.policy.read_text().replace("name: rover", "name: other-rover"))
    guard = own_stand.safetykit("run", "--policy", str(other))
    try:
        guard_name = "safetykit: guard"  # its first report comes within a second
        seen.wait(lambda: guard_name in seen.diagnostics, "diagnostics come")
        seen.wait(lambda: "another policy" in seen.diagnostics[guard_name].message, "it is noticed")
        assert seen.e_stop[-1] is True
        assert seen.states[-1] == "GUARD_LOST"
    finally:
        guard.terminate()
        guard.wait(30)
    guard = own_stand.safetykit("run", "--policy", str(own_stand.policy))
    try:
        own_stand.state("STANDBY")
        seen.wait(lambda: seen.e_stop[-1] is False, "the e-stop is over")
    finally:
        guard.terminate()
        guard.wait(30)


def test_a_frozen_guard_counts_as_gone_and_may_come_back(own_stand: Stand) -> None:
    seen = own_stand.observer
    own_stand.drive(own_stand.autonomy(), 0.4, 0.2)
    guard = own_stand.guard_pid
    os.kill(guard, signal.SIGSTOP)
    try:
        own_stand.state("GUARD_LOST")
        seen.wait(lambda: seen.sent[-1] == (0.0, 0.0), "neutral values", NEUTRAL_S)
        answer = seen.call("trigger")
        assert not answer.success
        assert "does not answer" in answer.message
    finally:
        os.kill(guard, signal.SIGCONT)
    own_stand.state("PROTECTIVE_STOP")  # the trigger was not forgotten


def test_a_killed_autonomy_leaves_a_standing_vehicle(own_stand: Stand) -> None:
    seen = own_stand.observer
    autonomy = own_stand.autonomy()
    own_stand.drive(autonomy, 0.4, 0.2)
    autonomy.kill()
    seen.wait(lambda: seen.sent[-1] == (0.0, 0.0), "zero is sent")
    assert max(linear for linear, _ in seen.sent) <= 0.4
    seen.wait(lambda: "COMMAND_STALE" in " ".join(one.message for one in seen.interventions), "the reason is told")


def test_a_killed_node_does_not_take_the_guard_with_it_and_another_can_attach(own_stand: Stand) -> None:
    seen, guard = own_stand.observer, own_stand.guard_pid
    own_stand.node.kill()
    own_stand.node.wait()
    try:
        os.kill(guard, 0)
        seen.states.clear()
        own_stand.node = own_stand.safetykit("ros", "--policy", str(own_stand.policy), "--attach")
        own_stand.state("STANDBY")
        own_stand.drive(own_stand.autonomy(), 0.4, 0.2)
    finally:
        os.kill(guard, signal.SIGTERM)


def test_ctrl_c_stops_under_control_and_ends_everything(own_stand: Stand) -> None:
    seen, guard = own_stand.observer, own_stand.guard_pid
    own_stand.drive(own_stand.autonomy(), 0.4, 0.2)
    own_stand.node.send_signal(signal.SIGINT)
    assert own_stand.node.wait(30) == 0
    seen.wait(lambda: seen.e_stop[-1] is True and seen.sent[-1] == (0.0, 0.0), "the last words: neutral, stopped")
    with pytest.raises(ProcessLookupError):
        os.kill(guard, 0)


@pytest.mark.parametrize("own_stand", [["command_deadline_ms:=500.0"]], indirect=True)
def test_a_requested_deadline_is_watched_and_a_publisher_without_one_is_reported(own_stand: Stand) -> None:
    seen = own_stand.observer
    without = own_stand.autonomy()
    without.order(values=[0.4, 0.2], silent=False)
    seen.wait(
        lambda: "QoS that does not fit" in getattr(seen.diagnostics.get("safetykit: command"), "message", ""),
        "the publisher that does not fit is reported",
    )
    assert seen.value("command", "received") == "0"
    without.kill()
    fitting = own_stand.autonomy("--deadline-ms", "400")
    fitting.order(values=[0.4, 0.2], silent=False)
    seen.wait(lambda: int(seen.value("command", "received") or 0) > 10, "the fitting publisher is heard")
    fitting.order(silent=True)
    seen.wait(lambda: int(seen.value("command", "deadline_missed") or 0) > 0, "the missed deadline is counted")


@pytest.mark.parametrize("own_stand", [["guard_timeout_ms:=200.0", "use_sim_time:=true"]], indirect=True)
def test_paused_simulated_time_lets_nothing_move_but_output_goes_on(own_stand: Stand) -> None:
    seen = own_stand.observer
    autonomy = own_stand.autonomy()
    autonomy.order(values=[0.4, 0.2], silent=False)
    seen.wait(lambda: any("COMMAND_FUTURE" in one.message for one in seen.interventions), "stamps ahead of /clock")
    seen.engage = True
    count, started_s = len(seen.sent), time.monotonic()
    seen.wait(lambda: len(seen.sent) > count + 50, "the output does not need /clock")
    assert time.monotonic() > started_s
    assert set(seen.sent) == {(0.0, 0.0)}
