"""Messages in, mailboxes out. No rclpy, no decisions about values: a NaN goes to the guard as NaN."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from safetykit.adapters.ros.binding import BoundFunction, BoundReader
from safetykit.adapters.ros.ownership import Ownership, publisher_of
from safetykit.adapters.ros.stamps import ClockPair, StampClock

FUNCTION_QUEUE = 16
FUNCTION_NS_MAX = 500_000_000  # a request that waited longer is dropped: it may no longer fit the situation


class Writer(Protocol):
    """What is needed of ``MailboxWriter``."""

    def publish(
        self,
        values: Sequence[float],
        *,
        stamp_ns: int | None = None,
        seq: int | None = None,
        count: int | None = None,
        bits: int = 0,
        aux: int = 0,
    ) -> int: ...

    def note_second_sender(self) -> None: ...


@dataclass
class Taken:
    """Latest message of one topic."""

    values: list[float]
    stamp_ns: int = 0
    fresh: bool = False  # not passed on yet
    received: int = 0  # messages ever
    arrived_ns: int = 0
    skipped: int = 0  # messages that the middleware lost since the latest that was passed on
    requests: int = 0
    numbering: tuple[bytes | None, int] | None = None  # publisher, its own message number


@dataclass
class Topic:
    """One subscription's reader, clock and latest message."""

    reader: BoundReader
    ownership: Ownership | None = None
    lost: int = 0
    clock: StampClock = field(init=False)
    taken: Taken = field(init=False)

    def __post_init__(self) -> None:
        self.clock = StampClock(self.reader.stamp)
        self.taken = Taken([math.nan] * len(self.reader.numbers))

    def take(self, message: Any, info: dict[str, Any], ros: ClockPair, system: ClockPair) -> bool:
        """Reads one message; False if it came from a publisher that does not own the topic."""
        publisher, now_ns = publisher_of(info), system.monotonic_ns
        if self.ownership is not None and not self.ownership.admit(publisher, now_ns):
            return False
        taken = self.taken
        taken.values = [read(message) for read in self.reader.reads]
        taken.requests = sum(1 << number for number, read in self.reader.request_reads if read(message))
        taken.stamp_ns = self.clock.convert(message, info, ros, system)
        taken.arrived_ns, taken.fresh = now_ns, True
        taken.received += 1
        self._count_lost(publisher, info.get("publication_sequence_number"))
        return True

    def _count_lost(self, publisher: bytes | None, number: int | None) -> None:
        if number is None:
            return
        before = self.taken.numbering
        if before is not None and before[0] == publisher:
            lost = min(max(number - before[1] - 1, 0), 2**31)
            self.lost += lost
            self.taken.skipped += lost
        self.taken.numbering = publisher, number


class CommandFeed:
    """Commands to the command mailbox.

    With several command topics, a command is passed on when each of them has sent a new message; its stamp is the
    oldest of them. So a topic that falls silent makes the whole command stale.
    """

    def __init__(self, readers: Sequence[BoundReader], channels: int, silence_ns: int) -> None:
        self.topics = tuple(Topic(reader, Ownership(silence_ns)) for reader in readers)
        self.writer: Writer | None = None
        self.seq = 0
        self.passed = 0
        self._channels = channels
        asked = sum(1 << number for reader in readers for number, _ in reader.request_reads)
        self._always = (1 << channels) - 1 & ~asked

    def take(self, place: int, message: Any, info: dict[str, Any], ros: ClockPair, system: ClockPair) -> None:
        """One message of topic number `place`."""
        if not self.topics[place].take(message, info, ros, system):
            if self.writer is not None:
                self.writer.note_second_sender()  # the guard raises SENDER
            return
        if self.writer is None or not all(topic.taken.fresh for topic in self.topics):
            return
        values = [math.nan] * self._channels
        bits, skipped = self._always, 0
        for topic in self.topics:
            for number, value in zip(topic.reader.numbers, topic.taken.values, strict=True):
                values[number] = value
            bits |= topic.taken.requests
            skipped = max(skipped, topic.taken.skipped)
            topic.taken.fresh, topic.taken.skipped = False, 0
        self.seq += 1 + skipped  # what the middleware lost is missing in the count, so that the guard sees it
        stamp_ns = min(topic.taken.stamp_ns for topic in self.topics)
        self.writer.publish(values, stamp_ns=stamp_ns, seq=self.seq, bits=bits)
        self.passed += 1


class SourceFeed:
    """One source's topics to its mailbox, on every message. The stamp is that of its oldest topic.

    Inputs whose topic has not spoken yet are NaN, which the guard treats as invalid.
    """

    def __init__(self, name: str, readers: Sequence[BoundReader], inputs: int) -> None:
        self.name = name
        self.topics = tuple(Topic(reader) for reader in readers)
        self.writer: Writer | None = None
        self._inputs = inputs

    def take(self, place: int, message: Any, info: dict[str, Any], ros: ClockPair, system: ClockPair) -> None:
        """One message of topic number `place`."""
        self.topics[place].take(message, info, ros, system)
        if self.writer is None:
            return
        values = [math.nan] * self._inputs
        for topic in self.topics:
            for number, value in zip(topic.reader.numbers, topic.taken.values, strict=True):
                values[number] = value
        stamps = [topic.taken.stamp_ns for topic in self.topics if topic.taken.received]
        self.writer.publish(values, stamp_ns=min(stamps))


class FunctionFeed:
    """Function requests, one after the other: each gets at least one tick of the guard to itself."""

    def __init__(self, readers: Sequence[BoundFunction]) -> None:
        self.readers = tuple(readers)
        self.writer: Writer | None = None
        self.dropped = 0  # too many at once, or no guard to ask
        self._queue: deque[tuple[int, int]] = deque()
        self._after_seq = -1

    def take(self, place: int, message: Any, now_ns: int) -> None:
        """One request."""
        if len(self._queue) >= FUNCTION_QUEUE:
            self.dropped += 1
            return
        self._queue.append((self.readers[place].read(message), now_ns))

    def drain(self, guard_seq: int | None, now_ns: int) -> None:
        """Passes on the next request if the guard has had a whole tick for the one before. None = no guard."""
        while self._queue and now_ns - self._queue[0][1] > FUNCTION_NS_MAX:
            self._queue.popleft()
            self.dropped += 1
        if not self._queue or guard_seq is None or self.writer is None:
            return
        if 0 <= guard_seq - self._after_seq < 2:  # a smaller number = another guard
            return
        number, _ = self._queue.popleft()
        self.writer.publish([], aux=number)
        self._after_seq = guard_seq
