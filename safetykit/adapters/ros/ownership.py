"""Who may send commands on a topic: the first publisher heard; any other is dropped, counted and reported."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def publisher_of(info: dict[str, Any]) -> bytes | None:
    """Identity of a message's publisher; None where the middleware does not tell (ROS 2 older than Kilted)."""
    gid = info.get("publisher_gid")
    return bytes(gid["data"]) if gid else None


class Ownership:
    """One owner at a time. It loses the topic when it leaves the graph, or is silent for `silence_ns`.

    Silence ends ownership because the middleware takes many seconds to notice a killed process. By then the guard has
    long since stopped using the command, and engaging again needs a person.
    """

    def __init__(self, silence_ns: int) -> None:
        self.silence_ns = silence_ns
        self.owner: bytes | None = None
        self.dropped = 0  # messages of others
        self.changes = 0  # of owner, the first one not counted
        self.others: int = 0  # publishers on the topic besides the owner, by the graph
        self.intruded_ns: int | None = None  # when another publisher was last dropped
        self._heard_ns = 0

    def admit(self, publisher: bytes | None, now_ns: int) -> bool:
        """True if this message may pass."""
        if publisher is None:
            return True
        if self.owner != publisher:
            if self.owner is not None and now_ns - self._heard_ns <= self.silence_ns:
                self.dropped += 1
                self.intruded_ns = now_ns
                return False
            self.changes += self.owner is not None
            self.owner = publisher
        self._heard_ns = now_ns
        return True

    def see_graph(self, publishers: Collection[bytes]) -> None:
        """The publishers that exist now."""
        if self.owner is not None and self.owner not in publishers:
            self._heard_ns -= self.silence_ns + 1  # the next publisher to speak takes over
        self.others = max(len(publishers) - 1, 0)
