"""An emergency stop button on two lines of this computer, as pure logic: levels in, pressed or not out.

Each line runs from the supply through a normally closed contact to an input with a pull-down: closed reads 1. A
press, a cut wire, a short to ground, a lost supply and a computer that lets go of its pins all read 0: pressed.

Tripping is never filtered: the first open sample of either line counts, because a filter there is a delay of every
stop. Only the release is filtered, against bouncing contacts. Two lines that differ for longer than a hand needs are a
fault: one contact is welded or one line is shorted to the supply, and the next press would hang on the other alone.
It ends only when both have been seen open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

NS_PER_MS = 1_000_000
RELEASE_NS = 100 * NS_PER_MS  # both lines closed for so long before the button counts as released
DISCREPANCY_NS = 500 * NS_PER_MS  # the lines may differ for so long
GAP_NS = 50 * NS_PER_MS  # samples further apart do not show that the contacts have settled between them


class Reason(Enum):
    """Why the button counts as pressed, or that it does not."""

    RELEASED = "released: both lines are closed"
    OPEN_A = "pressed: line A is open"
    OPEN_B = "pressed: line B is open"
    OPEN = "pressed: both lines are open"
    CLOSING = "pressed: both lines are closed, but not for long enough yet"
    DISCREPANCY = (
        "fault: the lines differed for too long; press the button so that both open, and if it comes again look for a "
        "welded contact or a damaged wire"
    )
    LOST = "pressed: the lines cannot be read"


@dataclass(frozen=True)
class Reading:
    """What one sample means."""

    pressed: bool
    reason: Reason


class ButtonLines:
    """Two channels of one button. Starts as pressed; samples may come at any time and rate."""

    def __init__(self) -> None:
        self.faulty = False  # the lines differed for too long, and not both were seen open since
        self._released = False
        self._sampled_ns: int | None = None  # latest sample; None if the lines were not read since the start or a loss
        self._closed_ns: int | None = None  # first of the latest samples in a row, without a gap, with both closed
        self._differ_ns: int | None = None  # first of the latest samples in a row that differ

    def sample(self, now_ns: int, a: bool, b: bool) -> Reading:
        """Take the levels (true = closed) at `now_ns` of a clock that does not jump."""
        self._watch_difference(now_ns, a, b)
        if not (a and b):
            self._closed_ns = None
        elif self._closed_ns is None or self._gap(now_ns):
            self._closed_ns = now_ns
        self._sampled_ns = now_ns
        self._release(now_ns)
        return self._reading(a, b)

    def lost(self) -> Reading:
        """The lines cannot be read. A fault stays one: nobody saw both open."""
        self._sampled_ns = self._closed_ns = self._differ_ns = None
        self._released = False
        return Reading(True, Reason.LOST)

    def _watch_difference(self, now_ns: int, a: bool, b: bool) -> None:
        if a == b:
            self._differ_ns = None
            self.faulty = self.faulty and a
        elif self._differ_ns is None:
            self._differ_ns = now_ns
        elif now_ns - self._differ_ns > DISCREPANCY_NS:
            self.faulty = True

    def _gap(self, now_ns: int) -> bool:
        return self._sampled_ns is None or not 0 <= now_ns - self._sampled_ns <= GAP_NS

    def _release(self, now_ns: int) -> None:
        """What was released stays so through a gap: whoever waits for us notices a long one by itself."""
        if self._closed_ns is None:
            self._released = False
        elif now_ns - self._closed_ns >= RELEASE_NS:
            self._released = True

    def _reading(self, a: bool, b: bool) -> Reading:
        if self.faulty:
            return Reading(True, Reason.DISCREPANCY)
        if not (a and b):
            return Reading(True, Reason.OPEN if a == b else Reason.OPEN_B if a else Reason.OPEN_A)
        if not self._released:
            return Reading(True, Reason.CLOSING)
        return Reading(False, Reason.RELEASED)
