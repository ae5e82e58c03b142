"""The ROS 2 node: topics, services and parameters around the guard's mailboxes. The only module that imports rclpy.

It moves data and decides nothing. What it adds by itself is fail-closed: while there is no live guard it publishes
neutral values and an active e-stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import ParameterDescriptor  # type: ignore[import-untyped, unused-ignore]
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from safetykit.adapters.ros import diagnostics
from safetykit.adapters.ros.binding import BoundOutput, BoundReader, bind, neutral_values
from safetykit.adapters.ros.estop import STOPPED, GuardTick, Request, StopServices
from safetykit.adapters.ros.feeds import CommandFeed, FunctionFeed, SourceFeed
from safetykit.adapters.ros.guard_link import GuardPort, guard_timeout_ns
from safetykit.adapters.ros.interventions import Interventions, faults_of, granted_functions
from safetykit.adapters.ros.mapping import resolved, unmapped_sources, unstamped, with_topics
from safetykit.adapters.ros.object_feed import ObjectsFeed
from safetykit.adapters.ros.ownership import Ownership
from safetykit.adapters.ros.schema import Mapping, Qos
from safetykit.adapters.ros.stamps import ClockPair, read_pair
from safetykit.core import layout
from safetykit.core.columns.commands import MANUAL_STALE_NS
from safetykit.core.columns.objects import OBJECTS_AGE_NS, OBJECTS_COUNT
from safetykit.runtime import paths

if TYPE_CHECKING:
    from safetykit.policy import Policy

NODE_NAME = "safetykit"
TICK_NS_MIN = 5_000_000  # a faster guard is followed at this pace: Python would not keep up with more
OPEN_GAP_NS = 200_000_000
DIAGNOSTICS_S = 1.0
Take = Callable[[Any, Any, ClockPair, ClockPair], None]  # message, its info, ROS time, system time
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)

PARAMETERS: tuple[tuple[str, Any, str], ...] = (
    ("enable_stamped_cmd_vel", True, "TwistStamped; false = plain Twist wherever the mapping says TwistStamped"),
    ("command_deadline_ms", 0.0, "deadline requested of command publishers; 0 = none. They must offer at least this"),
    ("command_liveliness_ms", 0.0, "manual liveliness lease requested of command publishers; 0 = none"),
    ("command_owner_silence_ms", 1000.0, "another publisher may take over the command topic after this silence"),
    ("output_deadline_ms", 0.0, "deadline and liveliness lease offered on outputs; 0 = ten periods, at least 100"),
    ("guard_timeout_ms", 0.0, "a guard silent for longer counts as gone; 0 = three periods, at least 50"),
)


class GuardNode(Node):
    """Subscribes commands, inputs and functions; publishes what the guard lets through, its state and its reasons."""

    def __init__(self, policy: Policy, mapping: Mapping, file: str, instance: str) -> None:
        """Raises MappingError where the mapping, after parameters and remaps, does not fit."""
        super().__init__(NODE_NAME)
        self.policy = policy
        self._declare(mapping)
        self.binding = bind(self._with_parameters(mapping), policy, file)
        self.port = GuardPort(policy, instance, guard_timeout_ns(policy, self._parameter("guard_timeout_ms")))
        silence_ns = int(self._parameter("command_owner_silence_ms") * 1e6)
        channels = len(policy.channels)
        self.commands = CommandFeed(self.binding.commands, channels, silence_ns)
        others = {
            paths.command_name(name): CommandFeed(readers, channels, silence_ns)
            for name, readers in self.binding.others.items()
        }
        self.senders = {paths.COMMAND: self.commands, **others}  # by the file name of their mailbox
        found = self.binding.objects
        self.objects = None if found is None else ObjectsFeed(found, silence_ns)
        counts = {source.name: len(source.inputs) for source in policy.sources}
        names = dict.fromkeys(reader.source for reader in self.binding.inputs)
        self.sources = {
            name: SourceFeed(name, [r for r in self.binding.inputs if r.source == name], counts[name]) for name in names
        }
        self.functions = FunctionFeed(self.binding.functions)
        self.interventions = Interventions(policy.channels, policy.functions)
        self.stop_services = StopServices()
        self.qos_events = diagnostics.QosEvents()
        self._unmapped = unmapped_sources(mapping, policy)
        self._neutral = neutral_values(policy)
        self._published, self._neutral_published, self._output_deadline_missed = 0, 0, 0
        self._waiting: list[tuple[Request, Any]] = []
        self._open_after_ns = 0
        self._last_state = ""
        self._e_stop: bool | None = None
        self._subscribe()
        self._advertise()
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # ours keeps going while simulated time is paused
        self._system = Clock(clock_type=ClockType.SYSTEM_TIME)
        self.create_timer(max(policy.period_ns, TICK_NS_MIN) / 1e9, self._on_tick, clock=steady)
        self.create_timer(DIAGNOSTICS_S, self._on_diagnostics, clock=steady)

    # ------------------------------------------------------------------ parameters
    def _declare(self, mapping: Mapping) -> None:
        topics = (
            ("cmd_vel_in", mapping.commands[0].topic, "topic of the first command of the mapping"),
            ("cmd_vel_out", mapping.outputs[0].topic, "topic of the first output of the mapping"),
        )
        for name, default, description in (*topics, *PARAMETERS):
            self.declare_parameter(name, default, ParameterDescriptor(description=description, read_only=True))

    def _parameter(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _with_parameters(self, mapping: Mapping) -> Mapping:
        mapping = with_topics(mapping, self._parameter("cmd_vel_in"), self._parameter("cmd_vel_out"))
        if not self._parameter("enable_stamped_cmd_vel"):
            mapping = unstamped(mapping)
        return resolved(mapping, self.resolve_topic_name)  # an output that feeds a command shows after remaps

    # ------------------------------------------------------------------ topics
    def _subscribe(self) -> None:
        for feed in self.senders.values():
            for place, one in enumerate(feed.topics):
                self._subscribe_commands(one.reader, partial(feed.take, place))
        if self.objects is not None:
            bound = self.objects.reader
            call = self._carry(self.objects.take)
            self.create_subscription(bound.message_class, bound.topic, call, _profile(bound.qos))
        for source in self.sources.values():
            for place, topic in enumerate(source.topics):
                call, found = self._carry(partial(source.take, place)), topic.reader
                self.create_subscription(found.message_class, found.topic, call, _profile(found.qos))
        for place, function in enumerate(self.binding.functions):
            ask = partial(self._on_function, place)
            self.create_subscription(function.message_class, function.topic, ask, _profile(function.qos))

    def _subscribe_commands(self, reader: BoundReader, take: Take) -> None:
        qos = _profile(reader.qos)
        if (deadline_ms := self._parameter("command_deadline_ms")) > 0:
            qos.deadline = Duration(nanoseconds=int(deadline_ms * 1e6))
        if (lease_ms := self._parameter("command_liveliness_ms")) > 0:
            qos.liveliness = LivelinessPolicy.MANUAL_BY_TOPIC
            qos.liveliness_lease_duration = Duration(nanoseconds=int(lease_ms * 1e6))
        events = SubscriptionEventCallbacks(
            deadline=self._on_deadline,
            liveliness=self._on_liveliness,
            incompatible_qos=partial(self._on_incompatible, reader.topic),
        )
        self.create_subscription(reader.message_class, reader.topic, self._carry(take), qos, event_callbacks=events)

    def _carry(self, take: Take) -> Callable[[Any, Any], None]:
        """A callback with both clocks read at arrival."""

        def on_message(message: Any, info: Any) -> None:
            ros = read_pair(self._ros_ns)
            take(message, info, ros, read_pair(self._system_ns))

        return on_message

    def _ros_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _system_ns(self) -> int:
        return int(self._system.now().nanoseconds)

    def _advertise(self) -> None:
        wanted_ms = self._parameter("output_deadline_ms")
        offered_ns = int(wanted_ms * 1e6) if wanted_ms > 0 else max(10 * self.policy.period_ns, 100_000_000)
        events = PublisherEventCallbacks(deadline=self._on_output_deadline)
        self._outputs: list[tuple[BoundOutput, Any]] = []
        for output in self.binding.outputs:
            qos = _profile(output.qos)
            qos.deadline = qos.liveliness_lease_duration = Duration(nanoseconds=offered_ns)
            qos.liveliness = LivelinessPolicy.MANUAL_BY_TOPIC
            publisher = self.create_publisher(output.message_class, output.topic, qos, event_callbacks=events)
            self._outputs.append((output, publisher))
        self._e_stop_topic = self.create_publisher(Bool, "~/e_stop", LATCHED)
        self._state_topic = self.create_publisher(String, "~/state", LATCHED)
        self._intervention_topic = self.create_publisher(DiagnosticStatus, "~/intervention", 100)
        self._granted_topic = self.create_publisher(String, "~/function_granted", 10)
        self._diagnostics_topic = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        calls = ReentrantCallbackGroup()  # a call that waits for the guard must not hold up the tick
        for name, ask in (("trigger", self.stop_services.trigger), ("reset", self.stop_services.reset)):
            self.create_service(Trigger, f"~/e_stop_{name}", partial(self._serve, ask), callback_group=calls)
        self._show_state()

    # ------------------------------------------------------------------ events
    def _on_function(self, place: int, message: Any) -> None:
        self.functions.take(place, message, time.monotonic_ns())

    def _on_deadline(self, event: Any) -> None:
        self.qos_events.deadline_missed = event.total_count

    def _on_liveliness(self, event: Any) -> None:
        self.qos_events.liveliness_lost += max(event.not_alive_count_change, 0)

    def _on_incompatible(self, topic: str, event: Any) -> None:
        self.qos_events.incompatible[topic] = event.total_count
        policy = rclpy.qos.qos_policy_name_from_kind(event.last_policy_kind)
        self.get_logger().error(f"a publisher on {topic} offers a {policy} that does not fit: it is not heard")

    def _on_output_deadline(self, event: Any) -> None:
        self._output_deadline_missed = event.total_count

    async def _serve(self, ask: Callable[[int], Request], _: Any, response: Any) -> Any:
        request = ask(time.monotonic_ns())
        if not request.done:
            future: Any = Future()
            self._waiting.append((request, future))
            await future
        response.success, response.message = request.success, request.message
        return response

    # ------------------------------------------------------------------ tick
    def _on_tick(self) -> None:
        now_ns = time.monotonic_ns()
        if not self.port.open and now_ns >= self._open_after_ns:
            self._open_after_ns = now_ns + OPEN_GAP_NS
            if self.port.try_open(self.senders, self.sources, self.functions, self.objects):
                self.stop_services.control = self.port.control
        fresh = self.port.update(now_ns)
        alive, view = self.port.link.alive, self.port.view
        if alive and fresh and view is not None:
            self._send(view.sent, view.request_bits, view.power and view.state not in STOPPED, view.stamp_ns)
        elif not alive:
            self._send(self._neutral, 0, False, now_ns)
            self._neutral_published += 1
        frames, lost = self.port.frames()
        self.interventions.add(frames, lost)
        for number in granted_functions(frames):
            if number <= len(self.policy.functions):
                self._granted_topic.publish(String(data=self.policy.functions[number - 1]))
        tick = None
        if alive and view is not None:
            tick = GuardTick(view.seq, view.state, view.stop_event, faults_of(frames) | view.faults)
        self.stop_services.update(tick, now_ns)
        self.functions.drain(view.seq if alive and view is not None else None, now_ns)
        self._answer()
        self._show_state()
        for report in self.interventions.reports(now_ns):
            self._intervention_topic.publish(self._status("guard", report.level, report.message, report.values))

    def _send(self, values: Any, request_bits: int, moving: bool, tick_ns: int) -> None:
        """Publishes one output, stamped with the tick that made it, so that a receiver can check rates by stamps."""
        ros = read_pair(self._ros_ns)
        stamp_ns = ros.clock_ns - (ros.monotonic_ns - tick_ns)
        for output, publisher in self._outputs:
            if moving or not output.only_alive:
                publisher.publish(output.fill(values, request_bits, stamp_ns))
        self._published += 1

    def _answer(self) -> None:
        for request, future in self._waiting:
            if request.done:
                future.set_result(None)
        self._waiting = [(request, future) for request, future in self._waiting if not request.done]

    def _show_state(self) -> None:
        alive, view = self.port.link.alive, self.port.view
        stopped = not alive or view is None or view.state in STOPPED
        if stopped != self._e_stop:
            self._e_stop = stopped
            self._e_stop_topic.publish(Bool(data=stopped))
        state = view.state.name if alive and view is not None else "GUARD_LOST" if view is not None else "NO_GUARD"
        if state != self._last_state:
            self._last_state = state
            self._state_topic.publish(String(data=state))
            self.get_logger().info(f"guard: {state}")

    def guard_ended(self, code: int) -> None:
        """The guard process that we started is gone; neutral values go on."""
        self.port.link.ended = f"our guard process ended with code {code}"
        self.get_logger().error(self.port.link.ended)

    def say_goodbye(self) -> None:
        """The last thing this node says: neutral values, stopped."""
        self._send(self._neutral, 0, False, time.monotonic_ns())
        self._e_stop_topic.publish(Bool(data=True))
        self._state_topic.publish(String(data="NODE_ENDED"))

    # ------------------------------------------------------------------ diagnostics
    def _on_diagnostics(self) -> None:
        now_ns = time.monotonic_ns()
        for topic, ownership in self._owned():
            publishers = self.get_publishers_info_by_topic(topic)
            ownership.see_graph({bytes(info.endpoint_gid) for info in publishers})
        ages_ns = {
            source.name: int(self.policy.timing[layout.T_SOURCE + row * layout.SOURCE_COLS + layout.SOURCE_AGE_NS])
            for row, source in enumerate(self.policy.sources)
        }
        stale_ns = int(self.policy.timing[layout.COMMAND_STALE_NS])
        found = [
            diagnostics.guard_status(self.policy, self.port.link, self.port.view, self.interventions),
            diagnostics.command_status(self.commands, self.functions, self.qos_events, stale_ns, now_ns),
            diagnostics.input_status(self.sources, self._unmapped, ages_ns, now_ns),
            diagnostics.output_status(self._published, self._neutral_published, self._output_deadline_missed),
            *self._further_status(stale_ns, now_ns),
        ]
        array = DiagnosticArray(status=[self._status(s.name, s.level, s.message, s.values) for s in found])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics_topic.publish(array)

    def _owned(self) -> Iterator[tuple[str, Ownership]]:
        """Topics on which only one publisher is heard."""
        for feed in self.senders.values():
            for topic in feed.topics:
                assert topic.ownership is not None
                yield topic.reader.topic, topic.ownership
        if self.objects is not None:
            yield self.objects.reader.topic, self.objects.ownership

    def _further_status(self, stale_ns: int, now_ns: int) -> Iterator[diagnostics.Status]:
        """Further senders of commands and the list of objects, where the policy has them."""
        timing = self.policy.timing
        for sender, feed in self.senders.items():
            if sender != paths.COMMAND:
                manual = sender == paths.command_name(paths.MANUAL)
                limit_ns = int(timing[layout.T_MANUAL + MANUAL_STALE_NS]) if manual else stale_ns
                yield diagnostics.sender_status(sender, feed, limit_ns, now_ns)
        if self.objects is not None:
            age_ns = int(timing[layout.T_OBJECTS + OBJECTS_AGE_NS])
            most = int(timing[layout.T_OBJECTS + OBJECTS_COUNT])
            yield diagnostics.objects_status(self.objects, age_ns, most, now_ns)

    def _status(self, name: str, level: int, message: str, values: dict[str, str]) -> Any:
        return DiagnosticStatus(
            level=bytes([level]),
            name=f"{self.get_name()}: {name}",
            message=message,
            hardware_id=f"{self.policy.name} {self.policy.version}",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )


def _profile(qos: Qos) -> Any:
    """The rclpy profile of a topic's quality of service."""
    reliable, latched = qos.reliability == "reliable", qos.durability == "transient_local"
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=qos.depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
