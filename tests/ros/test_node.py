"""The node in its ordinary life: what passes, what is limited, what is told."""

from __future__ import annotations

import math

import pytest
import rclpy
from rcl_interfaces.srv import ListParameters
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Bool

from tests.ros.stand import LATCHED, LIMIT_S, Stand

pytestmark = pytest.mark.ros


def reasons(stand: Stand, word: str) -> list[dict[str, str]]:
    """Values of the interventions whose message has this word."""
    found = [status for status in stand.observer.interventions if word in status.message]
    return [{item.key: item.value for item in status.values} for status in found]


def test_nothing_moves_before_the_operator_engages(stand: Stand) -> None:
    seen = stand.observer
    autonomy = stand.autonomy()
    autonomy.order(values=[0.4, 0.2], silent=False)
    seen.wait(lambda: reasons(stand, "NOT_PERMITTED"), "the command is reported as not permitted")
    count = len(seen.sent)
    seen.wait(lambda: len(seen.sent) > count + 50, "a second of output")
    assert set(seen.sent[count:]) == {(0.0, 0.0)}
    assert seen.states[-1] == "STANDBY"


def test_what_is_allowed_passes_unchanged(stand: Stand) -> None:
    stand.drive(stand.autonomy(), 0.4, 0.2)
    seen = stand.observer
    count = len(seen.sent)
    seen.wait(lambda: len(seen.sent) > count + 50, "a second of output")
    assert set(seen.sent[count:]) == {(0.4, 0.2)}
    assert seen.e_stop[-1] is False
    assert seen.latest.header.frame_id == "base_link"
    assert seen.latest.header.stamp.sec > 0
    assert (seen.latest.twist.linear.y, seen.latest.twist.angular.x) == (0.0, 0.0)


def test_what_is_too_much_is_limited_and_the_reason_told(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    seen.sent.clear()
    autonomy.order(values=[50.0, 0.2])
    seen.wait(lambda: seen.sent and seen.sent[-1][0] == 1.0, "the upper bound is sent")
    assert max(linear for linear, _ in seen.sent) == 1.0
    told = seen.wait(lambda: [v for v in reasons(stand, "BOUND") if v.get("linear_mps.sent") == "1.0"], "the reason")
    assert told[0]["linear_mps.asked"] == "50.0"
    assert "BOUND" in told[0]["linear_mps.reason"]
    assert told[0]["action"] == "CLAMP"


def test_a_long_intervention_does_not_flood_and_is_counted(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 1.0, 0.2)
    autonomy.order(values=[1.5, 0.2])
    seen.wait(lambda: reasons(stand, "BOUND"), "an intervention")
    ticks = len(seen.sent)
    first = len(reasons(stand, "BOUND"))
    seen.wait(lambda: len(reasons(stand, "BOUND")) >= first + 2, "two more reports")
    assert len(seen.sent) - ticks > 40  # two reports took more than 40 ticks
    assert sum(int(values["count"]) for values in reasons(stand, "BOUND")[1:]) > 40


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_never_leaves(stand: Stand, value: float) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    seen.sent.clear()
    autonomy.order(values=[value, 0.2])
    told = seen.wait(lambda: reasons(stand, "COMMAND_NONFINITE"), "the reason")
    seen.wait(lambda: len(seen.sent) > 50, "a second of output")
    assert all(math.isfinite(number) and abs(number) <= 0.4 for row in seen.sent for number in row)
    assert any(values.get("linear_mps.asked") in ("nan", "inf") for values in told)


def test_frozen_stamps_become_stale(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    autonomy.order(stamp="frozen")
    seen.wait(lambda: reasons(stand, "COMMAND_REPEATED"), "the repeated stamp is noticed")
    seen.wait(lambda: seen.sent[-1] == (0.0, 0.0), "the vehicle stands")


def test_a_stamp_of_zero_counts_as_received_now_and_is_reported(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    autonomy.order(stamp="zero", values=[0.3, 0.2])
    seen.wait(lambda: seen.sent[-1] == (0.3, 0.2), "the command is used")
    seen.wait(lambda: int(seen.value("command", "without_stamp") or 0) > 0, "reported in /diagnostics")


def test_functions_are_granted_refused_or_unknown(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    for name, word in (("horn", ""), ("bumper_off", "FUNCTION_REFUSED"), ("self_destruct", "FUNCTION_UNKNOWN")):
        autonomy.order(function=name)
        if word:
            told = seen.wait(lambda word=word: reasons(stand, word), f"{word} is told")
            assert told[0]["function_refused"] == (name if name == "bumper_off" else "unknown")
        else:
            seen.wait(lambda: seen.granted == ["horn"], "the grant is told")
    assert seen.granted == ["horn"]


def test_trigger_stops_and_reset_needs_its_conditions(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    seen.speed = (0.5, 0.0)  # still rolling, whatever is sent
    seen.wait(lambda: len(seen.sent) > 100, "the speed is known")
    answer = seen.call("trigger")
    assert answer.success, answer.message
    stand.state("PROTECTIVE_STOP")
    seen.wait(lambda: seen.e_stop[-1] is True, "the e-stop is told")
    seen.wait(lambda: seen.sent[-1] == (0.0, 0.0), "zero is sent")
    refused = seen.call("reset")
    assert not refused.success
    assert "refused" in refused.message
    assert seen.e_stop[-1] is True
    seen.speed = (0.0, 0.0)
    granted = seen.wait(stand._reset, "the reset is granted once the vehicle stands")
    assert "STANDBY" in granted.message
    stand.state("STANDBY")
    seen.wait(lambda: seen.e_stop[-1] is False, "the e-stop is over")
    count = len(seen.sent)
    seen.wait(lambda: len(seen.sent) > count + 25, "output")
    assert seen.sent[-1] == (0.0, 0.0)  # a reset does not start: that needs a new engage edge


def test_a_late_listener_gets_the_latched_e_stop(stand: Stand) -> None:
    assert stand.observer.call("trigger").success
    context = rclpy.Context()
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("late", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    heard: list[bool] = []
    node.create_subscription(Bool, "/safetykit/e_stop", lambda m: heard.append(m.data), LATCHED)
    for _ in range(int(LIMIT_S * 10)):
        executor.spin_once(timeout_sec=0.1)
        if heard:
            break
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown(context=context)
    assert heard == [True]


def test_a_second_publisher_is_dropped_and_told(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    other = stand.autonomy()
    other.order(values=[-0.5, 1.0], silent=False)
    seen.wait(lambda: int(seen.value("command", "second_publisher_dropped") or 0) > 50, "a second of it is dropped")
    assert seen.sent[-1] == (0.4, 0.2)
    assert all(linear >= 0.0 for linear, _ in seen.sent[-100:])
    status = seen.diagnostics["safetykit: command"]
    assert status.level == b"\x02"
    assert "another publisher sends on /cmd_vel_in" in status.message


def test_diagnostics_say_who_what_and_how_fresh(stand: Stand) -> None:
    autonomy, seen = stand.autonomy(), stand.observer
    stand.drive(autonomy, 0.4, 0.2)
    seen.wait(lambda: seen.value("guard", "state") == "ENGAGED", "the state in /diagnostics")
    assert set(seen.diagnostics) >= {f"safetykit: {name}" for name in ("guard", "command", "inputs", "output")}
    assert seen.value("guard", "policy") == "rover"
    assert len(seen.value("guard", "policy_digest")) == 64
    assert seen.diagnostics["safetykit: guard"].hardware_id == "rover 1.0.0"
    assert seen.value("command", "topic") == "/cmd_vel_in"
    assert seen.value("command", "type") == "geometry_msgs/msg/TwistStamped"
    assert int(seen.value("output", "published")) > 0
    autonomy.order(silent=True)
    seen.wait(lambda: "silent" in seen.diagnostics["safetykit: command"].message, "the silence in /diagnostics")


def test_parameters_are_declared(stand: Stand) -> None:
    client = stand.observer.node.create_client(ListParameters, "/safetykit/list_parameters")
    assert client.wait_for_service(LIMIT_S)
    future = client.call_async(ListParameters.Request())
    stand.observer.wait(future.done, "the list of parameters")
    answer = future.result()
    assert answer is not None
    assert set(answer.result.names) >= {"cmd_vel_in", "cmd_vel_out", "enable_stamped_cmd_vel", "command_deadline_ms"}
