"""Content of `/diagnostics`: its statuses, made by hand because `diagnostic_updater` has no wheel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from safetykit.adapters.ros.feeds import CommandFeed, FunctionFeed, SourceFeed
from safetykit.adapters.ros.interventions import LEVEL_ERROR, LEVEL_OK, LEVEL_WARN, Interventions
from safetykit.adapters.ros.object_feed import ObjectsFeed
from safetykit.adapters.ros.ownership import Ownership
from safetykit.core.vocabulary import State, fault_names
from safetykit.runtime import paths

if TYPE_CHECKING:
    from safetykit.policy import Policy
    from safetykit.runtime.actuator import ActuatorView

RECENT_NS = 3_000_000_000
STATE_LEVELS = {State.STANDBY: LEVEL_OK, State.ENGAGED: LEVEL_OK, State.BOOT: LEVEL_WARN, State.RECOVERY: LEVEL_WARN}


@dataclass
class Status:
    """One DiagnosticStatus; the worst level wins, every reason is named."""

    name: str
    level: int = LEVEL_OK
    reasons: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def raise_to(self, level: int, reason: str) -> None:
        self.level = max(self.level, level)
        self.reasons.append(reason)

    @property
    def message(self) -> str:
        return "; ".join(self.reasons) or "ok"


@dataclass
class QosEvents:
    """What the middleware said about the command topics."""

    deadline_missed: int = 0
    liveliness_lost: int = 0
    incompatible: dict[str, int] = field(default_factory=dict)  # topic: publishers with QoS that does not fit


@dataclass
class GuardLink:
    """How the node stands with the guard."""

    alive: bool = False
    note: str = "waiting for the guard"  # why it is not alive
    ended: str = ""  # how the guard process that we started ended
    outages: int = 0
    torn: int = 0


def guard_status(policy: Policy, link: GuardLink, view: ActuatorView | None, seen: Interventions) -> Status:
    """State, action and faults of the guard."""
    status = Status("guard")
    status.values = {"policy": policy.name, "policy_version": policy.version, "policy_digest": policy.digest}
    if not link.alive or view is None:
        status.raise_to(LEVEL_ERROR, "; ".join(filter(None, (link.ended, link.note, "neutral values are sent"))))
    else:
        status.raise_to(STATE_LEVELS.get(view.state, LEVEL_ERROR), view.state.name)
        if view.faults:
            status.raise_to(LEVEL_WARN if view.state is not State.STANDBY else LEVEL_OK, ", ".join(view.fault_names))
    if view is not None:
        status.values |= {
            "state": view.state.name if link.alive else "LOST",
            "action": view.action.name,
            "power": str(int(view.power and link.alive)),
            "stop_event": str(view.stop_event),
            "faults": ", ".join(fault_names(view.faults)),
            "seq": str(view.seq),
        }
    status.values |= {"guard_outages": str(link.outages), "torn_reads": str(link.torn)}
    status.values |= {"interventions": str(seen.total), "ticks_unseen": str(seen.unseen)}
    status.values |= {f"interventions.{name}": str(count) for name, count in sorted(seen.by_action.items())}
    return status


def command_status(feed: CommandFeed, functions: FunctionFeed, events: QosEvents, stale_ns: int, now_ns: int) -> Status:
    """The first sender of commands, and what the middleware said about the command topics."""
    status = sender_status(paths.COMMAND, feed, stale_ns, now_ns)
    for topic_name, count in events.incompatible.items():
        text = f"{count} publisher(s) on {topic_name} with QoS that does not fit: their messages do not arrive"
        status.raise_to(LEVEL_ERROR, text)
    if events.deadline_missed:
        status.raise_to(LEVEL_WARN, f"deadline missed {events.deadline_missed} times")
    if events.liveliness_lost:
        status.raise_to(LEVEL_WARN, f"liveliness lost {events.liveliness_lost} times")
    status.values |= {"functions_dropped": str(functions.dropped)}
    status.values |= {"deadline_missed": str(events.deadline_missed), "liveliness_lost": str(events.liveliness_lost)}
    return status


def sender_status(sender: str, feed: CommandFeed, stale_ns: int, now_ns: int) -> Status:
    """Topics of one sender of commands: who sends, how fresh, what was dropped.

    An operator who does not drive may be silent: a warning, no error.
    """
    status = Status(sender)
    silent = LEVEL_WARN if sender == paths.command_name(paths.MANUAL) else LEVEL_ERROR
    for place, topic in enumerate(feed.topics):
        assert topic.ownership is not None
        name, owner = topic.reader.topic, topic.ownership
        key = "" if len(feed.topics) == 1 else f"{place}."
        if not topic.taken.received:
            status.raise_to(LEVEL_WARN, f"nothing received on {name}")
        elif now_ns - topic.taken.arrived_ns > stale_ns:
            status.raise_to(silent, f"{name} is silent")
        _second_publisher(status, name, owner, now_ns)
        if topic.clock.zeros:
            status.raise_to(LEVEL_WARN, f"{name} has messages without a stamp")
        status.values |= {
            f"{key}topic": name,
            f"{key}type": topic.reader.type_name,
            f"{key}received": str(topic.taken.received),
            f"{key}lost_by_middleware": str(topic.lost),
            f"{key}without_stamp": str(topic.clock.zeros),
            f"{key}publishers": str(owner.others + 1 if owner.owner is not None or owner.others else 0),
            f"{key}second_publisher_dropped": str(owner.dropped),
            f"{key}publisher_changes": str(owner.changes),
        }
    status.values |= {"passed_to_guard": str(feed.passed)}
    return status


def _second_publisher(status: Status, topic: str, owner: Ownership, now_ns: int) -> None:
    if owner.intruded_ns is not None and now_ns - owner.intruded_ns < RECENT_NS:
        status.raise_to(LEVEL_ERROR, f"another publisher sends on {topic}: only the first one heard is used")
    elif owner.others:  # a process that was killed stays in the graph for a while
        status.raise_to(LEVEL_WARN, f"{owner.others + 1} publishers on {topic}")


def objects_status(feed: ObjectsFeed, age_ns: int, count_max: int, now_ns: int) -> Status:
    """The list of objects: fresh or silent, and whether it is longer than the guard takes."""
    status, topic = Status(paths.OBJECTS), feed.reader.topic
    if not feed.received:
        status.raise_to(LEVEL_WARN, f"nothing received on {topic}")
    elif now_ns - feed.arrived_ns > age_ns:
        status.raise_to(LEVEL_WARN, f"{topic} is silent")
    if feed.length > count_max:
        status.raise_to(LEVEL_ERROR, f"{feed.length} objects, the policy allows {count_max}")
    if feed.clock.zeros:
        status.raise_to(LEVEL_WARN, f"{topic} has messages without a stamp")
    _second_publisher(status, topic, feed.ownership, now_ns)
    status.values = {"topic": topic, "received": str(feed.received), "objects": str(feed.length)}
    status.values |= {"second_publisher_dropped": str(feed.ownership.dropped)}
    return status


def input_status(
    feeds: dict[str, SourceFeed], unmapped: tuple[str, ...], ages_ns: dict[str, int], now_ns: int
) -> Status:
    """Sources: fresh or silent."""
    status = Status("inputs")
    for name, feed in feeds.items():
        for topic in feed.topics:
            if not topic.taken.received:
                status.raise_to(LEVEL_WARN, f"nothing received on {topic.reader.topic} (source {name})")
            elif now_ns - topic.taken.arrived_ns > ages_ns.get(name, 0):
                status.raise_to(LEVEL_WARN, f"{topic.reader.topic} (source {name}) is silent")
            status.values[f"{name}.{topic.reader.topic}.received"] = str(topic.taken.received)
    for name in unmapped:
        status.values[f"{name}.mapped"] = "0"
    return status


def output_status(published: int, neutral: int, deadline_missed: int) -> Status:
    """What left this node."""
    status = Status("output")
    status.values = {"published": str(published), "neutral_without_guard": str(neutral)}
    status.values["offered_deadline_missed"] = str(deadline_missed)
    return status
