"""Messages to mailboxes: stamps keep their order, lost messages stay lost, a second publisher is dropped."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safetykit.adapters.ros.binding import BoundStamp, bind
from safetykit.adapters.ros.feeds import FUNCTION_NS_MAX, FUNCTION_QUEUE, CommandFeed, FunctionFeed, SourceFeed
from safetykit.adapters.ros.mapping import parse_mapping
from safetykit.adapters.ros.ownership import Ownership
from safetykit.adapters.ros.stamps import ClockPair, StampClock, read_pair
from safetykit.policy import Policy
from tests.unit.ros.fake_messages import message

MS = 1_000_000
SECOND = 1_000_000_000
OFFSET = 1_700_000_000 * SECOND  # wall clock against monotonic


class Box:
    """Stands for a mailbox."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.second_senders = 0

    def publish(self, values: Any, **rest: Any) -> int:
        self.sent.append({"values": list(values), **rest})
        return len(self.sent)

    def note_second_sender(self) -> None:
        self.second_senders += 1


def clocks(now_ns: int) -> tuple[ClockPair, ClockPair]:
    return ClockPair(OFFSET + now_ns, now_ns), ClockPair(OFFSET + now_ns, now_ns)


def info(publisher: bytes | None = b"a", number: int | None = None, **rest: int) -> dict[str, Any]:
    gid = None if publisher is None else {"implementation_identifier": "x", "data": publisher}
    return {"publisher_gid": gid, "publication_sequence_number": number, **rest}


def stamped(name: str, stamp_ns: int, **values: float) -> Any:
    made = message(name)()
    made.header.stamp.sec, made.header.stamp.nanosec = divmod(stamp_ns, SECOND)
    for key, value in values.items():
        made.vector.x = value if key == "x" else made.vector.x
        made.vector.z = value if key == "z" else made.vector.z
    return made


@pytest.fixture
def feed(document: dict[str, Any], policy: Policy) -> CommandFeed:
    feed = CommandFeed(bind(parse_mapping(document), policy).commands, 2, SECOND)
    feed.writer = Box()
    return feed


def test_a_command_reaches_the_mailbox_with_its_own_stamp(feed: CommandFeed) -> None:
    feed.seq = 41
    feed.take(0, stamped("demo_msgs/Command", OFFSET + 90 * MS, x=1.5, z=math.nan), info(), *clocks(100 * MS))
    sent = feed.writer.sent[0]  # type: ignore[union-attr]
    assert sent["values"][0] == 1.5
    assert math.isnan(sent["values"][1])  # the guard's business
    assert (sent["stamp_ns"], sent["seq"], sent["bits"]) == (90 * MS, 42, 0b11)


def test_messages_that_the_middleware_lost_are_missing_in_the_count(feed: CommandFeed) -> None:
    for number in (1, 2, 6, 7, 3, 4):
        feed.take(0, stamped("demo_msgs/Command", 0), info(number=number), *clocks(number * MS))
    assert [one["seq"] for one in feed.writer.sent] == [1, 2, 6, 7, 8, 9]  # type: ignore[union-attr]
    assert feed.topics[0].lost == 3


def test_a_second_publisher_is_dropped_until_the_first_is_silent_or_gone(feed: CommandFeed) -> None:
    def take(publisher: bytes, now_ns: int) -> int:
        feed.take(0, stamped("demo_msgs/Command", OFFSET + now_ns), info(publisher), *clocks(now_ns))
        return len(feed.writer.sent)  # type: ignore[union-attr]

    owner = feed.topics[0].ownership
    assert owner is not None
    assert [take(b"a", 0), take(b"b", 10 * MS), take(b"a", 20 * MS)] == [1, 1, 2]
    assert owner.dropped == 1
    assert feed.writer.second_senders == 1  # type: ignore[union-attr]
    assert take(b"b", 20 * MS + SECOND) == 2
    assert take(b"b", 21 * MS + SECOND) == 3  # silent for longer than a second
    assert owner.changes == 1
    owner.see_graph({b"a", b"b"})
    assert (owner.others, take(b"a", 22 * MS + SECOND)) == (1, 3)
    owner.see_graph({b"a"})
    assert (owner.others, take(b"a", 23 * MS + SECOND)) == (0, 4)


def test_a_middleware_that_does_not_name_publishers_still_works() -> None:
    owner = Ownership(SECOND)
    assert owner.admit(None, 0)
    assert owner.admit(None, 1)


def test_two_command_topics_make_one_command(document: dict[str, Any], policy: Policy) -> None:
    first = document["commands"][0]
    second = {**first, "topic": "steer", "fields": {"angular_radps": first["fields"].pop("angular_radps")}}
    second["requests"] = {"angular_radps": "active"}
    document["commands"].append(second)
    feed = CommandFeed(bind(parse_mapping(document), policy).commands, 2, SECOND)
    box = feed.writer = Box()
    speed, steer = stamped("demo_msgs/Command", OFFSET + 5 * MS, x=1.0), stamped("demo_msgs/Command", OFFSET, z=2.0)
    feed.take(0, speed, info(), *clocks(6 * MS))
    feed.take(0, speed, info(), *clocks(7 * MS))
    assert box.sent == []
    feed.take(1, steer, info(), *clocks(8 * MS))
    assert box.sent == [{"values": [1.0, 2.0], "stamp_ns": 0, "seq": 1, "bits": 0b01}]
    steer.active = True
    feed.take(1, steer, info(), *clocks(9 * MS))
    assert len(box.sent) == 1  # the speed topic fell silent: nothing new to pass on
    feed.take(0, speed, info(), *clocks(10 * MS))
    assert box.sent[1]["bits"] == 0b11


def test_a_source_is_as_old_as_its_oldest_topic(document: dict[str, Any], policy: Policy) -> None:
    state = document["inputs"][0]
    other = {**state, "topic": "gyro", "fields": {"yaw_rate_meas_radps": state["fields"].pop("yaw_rate_meas_radps")}}
    document["inputs"].append(other)
    readers = [one for one in bind(parse_mapping(document), policy).inputs if one.source == "vehicle"]
    feed = SourceFeed("vehicle", readers, 2)
    box = feed.writer = Box()
    made = message("demo_msgs/State")()
    made.speed, made.header.stamp.sec, made.header.stamp.nanosec = 0.5, *divmod(OFFSET + 4 * MS, SECOND)
    feed.take(0, made, info(), *clocks(5 * MS))
    assert box.sent[0]["values"][0] == 0.5
    assert math.isnan(box.sent[0]["values"][1])
    made.yaw_rate, made.header.stamp.nanosec = 0.25, made.header.stamp.nanosec + 5 * MS
    feed.take(1, made, info(), *clocks(10 * MS))
    feed.take(1, made, info(), *clocks(11 * MS))
    assert [one["stamp_ns"] for one in box.sent] == [4 * MS] * 3
    assert box.sent[2]["values"] == [0.5, 0.25]


def test_nothing_is_written_while_there_is_no_guard(feed: CommandFeed) -> None:
    feed.writer = None
    feed.take(0, stamped("demo_msgs/Command", 0), info(), *clocks(0))
    assert (feed.seq, feed.topics[0].taken.received) == (0, 1)


@pytest.mark.parametrize(("zero", "expected"), [("receipt", 100 * MS), ("reject", 100 * MS - 100 * MS - OFFSET)])
def test_a_stamp_of_zero_is_counted(document: dict[str, Any], policy: Policy, zero: str, expected: int) -> None:
    document["commands"][0]["stamp"] = {"field": "header.stamp", "zero": zero}
    feed = CommandFeed(bind(parse_mapping(document), policy).commands, 2, SECOND)
    box = feed.writer = Box()
    feed.take(0, stamped("demo_msgs/Command", 0), info(), *clocks(100 * MS))
    assert (box.sent[0]["stamp_ns"], feed.topics[0].clock.zeros) == (expected, 1)


def test_stamps_of_the_middleware() -> None:
    sent, received = OFFSET + 80 * MS, OFFSET + 90 * MS
    from_info = {"source_timestamp": sent, "received_timestamp": received}
    ros, system = ClockPair(5, 100 * MS), ClockPair(OFFSET + 100 * MS, 100 * MS)
    assert StampClock(BoundStamp("receipt")).convert(None, from_info, ros, system) == 90 * MS
    assert StampClock(BoundStamp("receipt")).convert(None, {}, ros, system) == 100 * MS
    late = {"received_timestamp": OFFSET + 200 * MS}
    assert StampClock(BoundStamp("receipt")).convert(None, late, ros, system) == 100 * MS
    assert StampClock(BoundStamp("source")).convert(None, from_info, ros, system) == 80 * MS


def test_simulated_time_ages_by_the_simulated_clock() -> None:
    clock = StampClock(BoundStamp("field", lambda stamp: stamp))
    paused = ClockPair(7 * SECOND, 100 * MS), ClockPair(OFFSET, 100 * MS)
    assert clock.convert(7 * SECOND - 30 * MS, {}, *paused) == 70 * MS
    later = ClockPair(7 * SECOND, 900 * MS), ClockPair(OFFSET, 900 * MS)
    assert clock.convert(7 * SECOND - 30 * MS, {}, *later) == 70 * MS  # the same stamp stays the same


@given(
    st.lists(st.tuples(st.integers(0, 2**63 - 1), st.integers(-50_000, 50_000)), min_size=2, max_size=20),
    st.integers(0, 2**60),
)
def test_the_order_of_stamps_survives_the_change_of_clock(steps: list[tuple[int, int]], start: int) -> None:
    clock = StampClock(BoundStamp("field", lambda stamp: stamp, zero_is_receipt=False))
    found = []
    for count, (raw, jitter) in enumerate(steps):
        pair = ClockPair(start + count * MS, start // 2 + count * MS + jitter)
        found.append((raw, clock.convert(raw, {}, pair, pair)))
    for (raw, converted), (raw_2, converted_2) in pairwise(found):
        assert (raw_2 > raw) == (converted_2 > converted)
        assert (raw_2 == raw) == (converted_2 == converted)
    assert all(-(2**63) <= converted < 2**63 for _, converted in found)


def test_a_clock_read_while_interrupted_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0, 9 * MS, 20 * MS, 20 * MS + 100])
    monkeypatch.setattr("safetykit.adapters.ros.stamps.time.monotonic_ns", lambda: next(times))
    reads = iter([1, 2])
    assert read_pair(lambda: next(reads)) == ClockPair(2, 20 * MS + 50)


def test_functions_go_one_by_one_and_old_ones_are_dropped(document: dict[str, Any], policy: Policy) -> None:
    feed = FunctionFeed(bind(parse_mapping(document), policy).functions)
    box = feed.writer = Box()
    made = message("std_msgs/String")()
    for word in ("dock", "horn", "unknown"):
        made.data = word
        feed.take(0, made, 0)
    for guard_seq in (10, 10, 11, 12, 13, 14):
        feed.drain(guard_seq, MS)
    assert [one["aux"] for one in box.sent] == [2, 1, -1]
    feed.take(0, made, MS)
    feed.drain(None, MS)
    feed.drain(20, MS + FUNCTION_NS_MAX + 1)
    assert (len(box.sent), feed.dropped) == (3, 1)
    for _ in range(FUNCTION_QUEUE + 5):
        feed.take(0, made, 2 * SECOND)
    assert feed.dropped == 6
