"""The host's end of the link without any I/O, for tools that stand in for the guard: they can only ever say STOP.

The guard's loop does the same with the same compiled functions, and with the progress of its real stages. This class
folds all tokens in one go, which proves nothing about any tick; so it never says RUN and never says that the vehicle is
at rest. A microcontroller at its end answers, and cannot be reset.
"""

from __future__ import annotations

import numpy as np

from firmware_bridge.facts import DeviceFacts, facts_of
from safetykit.core import heartbeat, progress
from safetykit.core.protocol import FRAME_BYTES


class Link:
    """One conversation with a microcontroller. Times are CLOCK_MONOTONIC ns, given by the caller."""

    def __init__(self, unit: int = 1) -> None:
        self.words = heartbeat.new_link(unit)
        self._rx = np.zeros(FRAME_BYTES, np.int64)
        self._tx = np.zeros(FRAME_BYTES, np.int64)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take received bytes, whole frames or not. Garbage is counted and dropped."""
        for byte in data:
            heartbeat.hear(self.words, self._rx, byte, now_ns)

    def next_heartbeat(self, now_ns: int) -> bytes | None:
        """The STOP to send now, or None while it is not time."""
        if not heartbeat.due(self.words, now_ns):
            return None
        challenge = int(self.words[heartbeat.CHALLENGE])
        heartbeat.compare(self.words, challenge, progress.whole(challenge))
        heartbeat.beat(self.words, self._tx, False, False, now_ns)
        return bytes(self._tx.astype(np.uint8))

    def facts(self, now_ns: int) -> DeviceFacts:
        return facts_of(self.words, now_ns)
