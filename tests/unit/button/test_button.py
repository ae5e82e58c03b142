"""Two contacts: pressed at once, released slowly, never trusted after they differed for too long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.button import DISCREPANCY_NS, GAP_NS, NS_PER_MS, RELEASE_NS, ButtonLines, Reading, Reason

POLL_NS = 20 * NS_PER_MS
START_NS = 7_000_000_000


class Watched:
    """Lines with a clock."""

    def __init__(self) -> None:
        self.lines, self.now_ns = ButtonLines(), START_NS

    def see(self, a: int, b: int, *, for_ns: int = 0, every_ns: int = POLL_NS) -> Reading:
        """Sample now, then again and again until `for_ns` have passed; the last reading."""
        reading = self.lines.sample(self.now_ns, bool(a), bool(b))
        end_ns = self.now_ns + for_ns
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + every_ns, end_ns)
            reading = self.lines.sample(self.now_ns, bool(a), bool(b))
        return reading

    def released(self) -> Watched:
        assert self.see(1, 1, for_ns=RELEASE_NS) == Reading(False, Reason.RELEASED)
        return self


def test_it_starts_pressed_and_is_released_after_100_ms() -> None:
    watched = Watched()
    assert watched.see(1, 1) == Reading(True, Reason.CLOSING)
    assert watched.see(1, 1, for_ns=RELEASE_NS - 1) == Reading(True, Reason.CLOSING)
    watched.now_ns += 1
    assert watched.see(1, 1) == Reading(False, Reason.RELEASED)


@pytest.mark.parametrize(
    ("a", "b", "reason"), [(0, 1, Reason.OPEN_A), (1, 0, Reason.OPEN_B), (0, 0, Reason.OPEN)], ids=str
)
def test_the_first_open_sample_of_either_line_trips(a: int, b: int, reason: Reason) -> None:
    watched = Watched().released()
    assert watched.see(a, b) == Reading(True, reason)


def test_a_contact_that_bounces_is_not_released() -> None:
    watched = Watched().released()
    for _ in range(50):
        watched.now_ns += RELEASE_NS - NS_PER_MS
        assert watched.see(0, 0).pressed
        watched.now_ns += NS_PER_MS
        assert watched.see(1, 1, for_ns=RELEASE_NS - 2 * NS_PER_MS).pressed
    assert watched.see(1, 1, for_ns=2 * NS_PER_MS) == Reading(False, Reason.RELEASED)


def test_lines_that_differ_for_too_long_are_a_fault_until_both_were_open() -> None:
    watched = Watched().released()
    assert watched.see(0, 1, for_ns=DISCREPANCY_NS).reason is Reason.OPEN_A
    watched.now_ns += 1
    assert watched.see(0, 1).reason is Reason.DISCREPANCY
    assert watched.see(1, 1, for_ns=10 * RELEASE_NS) == Reading(True, Reason.DISCREPANCY)
    assert watched.see(1, 0, for_ns=RELEASE_NS) == Reading(True, Reason.DISCREPANCY)
    assert watched.see(0, 0) == Reading(True, Reason.OPEN)
    watched.released()


def test_a_slow_hand_is_no_fault() -> None:
    watched = Watched().released()
    watched.see(0, 1, for_ns=DISCREPANCY_NS)
    watched.see(0, 0, for_ns=RELEASE_NS)
    watched.see(1, 0, for_ns=DISCREPANCY_NS)
    watched.released()
    assert not watched.lines.faulty


def test_a_welded_contact_is_found_by_the_first_press() -> None:
    watched = Watched().released()
    watched.see(1, 0, for_ns=2 * DISCREPANCY_NS)
    assert watched.see(1, 1, for_ns=10 * RELEASE_NS).pressed


def test_time_without_samples_releases_nothing() -> None:
    watched = Watched()
    watched.see(1, 1)
    watched.now_ns += GAP_NS + 1
    assert watched.see(1, 1).pressed
    watched.now_ns += 10 * RELEASE_NS
    assert watched.see(1, 1).pressed
    watched.released()


def test_samples_may_come_as_slowly_as_the_gap_allows() -> None:
    watched = Watched()
    assert not watched.see(1, 1, for_ns=RELEASE_NS, every_ns=GAP_NS).pressed


def test_time_without_samples_presses_nothing() -> None:
    """A reader that was held up for a moment is no press; the guard notices one that is held up for long."""
    watched = Watched().released()
    watched.now_ns += 10 * GAP_NS
    assert watched.see(1, 1) == Reading(False, Reason.RELEASED)


def test_lost_lines_are_pressed_and_begin_anew() -> None:
    watched = Watched().released()
    assert watched.lines.lost() == Reading(True, Reason.LOST)
    assert watched.see(1, 1).pressed
    watched.released()


def test_a_loss_does_not_clear_a_fault() -> None:
    watched = Watched().released()
    watched.see(0, 1, for_ns=DISCREPANCY_NS + 1)
    watched.lines.lost()
    assert watched.see(1, 1, for_ns=10 * RELEASE_NS) == Reading(True, Reason.DISCREPANCY)


# ------------------------------------------------------------------ against the definitions

Sample = tuple[int, bool, bool]
STEPS_MS = [0, 1, 5, 20, 20, 20, 49, 50, 51, 99, 100, 101, 499, 501]
STEPS = st.one_of(st.sampled_from(STEPS_MS).map(lambda ms: ms * NS_PER_MS), st.integers(0, 10**9))
LEVELS = st.sampled_from([(True, True)] * 5 + [(False, True), (True, False), (False, False)])
EVENTS = st.lists(st.one_of(st.tuples(STEPS, LEVELS), st.none()), max_size=60)


def may_be_released(history: Sequence[Sample | None]) -> bool:
    """Up to now every sample has both lines closed, and somewhere in that time are 100 ms without a gap."""
    closed: list[int] = []
    for sample in reversed(history):
        if sample is None or not (sample[1] and sample[2]):
            break
        closed.insert(0, sample[0])
    stretches = [closed[first:last] for last in range(1, len(closed) + 1) for first in range(last)]
    return any(
        stretch[-1] - stretch[0] >= RELEASE_NS and max(b - a for a, b in pairwise(stretch)) <= GAP_NS
        for stretch in stretches
        if len(stretch) > 1
    )


def is_faulty(history: Sequence[Sample | None]) -> bool:
    """Somewhere the lines differed in every sample of more than 500 ms, and never since were both open."""
    for last in range(len(history)):
        end = history[last]
        if end is None or any(s is not None and not s[1] and not s[2] for s in history[last:]):
            continue
        for first in range(last, -1, -1):
            begin = history[first]
            if begin is None or begin[1] == begin[2]:
                break
            if end[0] - begin[0] > DISCREPANCY_NS:
                return True
    return False


@settings(max_examples=500, deadline=None)
@given(EVENTS)
def test_it_does_what_the_definitions_say(events: list[tuple[int, tuple[bool, bool]] | None]) -> None:
    lines, now_ns = ButtonLines(), START_NS
    history: list[Sample | None] = []
    for event in events:
        if event is None:
            history.append(None)
            assert lines.lost().pressed
            continue
        now_ns += event[0]
        history.append((now_ns, *event[1]))
        reading = lines.sample(now_ns, *event[1])
        assert lines.faulty == is_faulty(history)
        assert reading.pressed == (is_faulty(history) or not may_be_released(history))
        assert reading.pressed == (reading.reason is not Reason.RELEASED)
        if not (event[1][0] and event[1][1]):
            assert reading.pressed


@settings(max_examples=200, deadline=None)
@given(EVENTS, st.integers(1, GAP_NS))
def test_a_press_and_release_always_ends_in_released(
    events: list[tuple[int, tuple[bool, bool]] | None], every_ns: int
) -> None:
    """Whatever happened before: nothing locks up for good."""
    watched = Watched()
    for event in events:
        if event is None:
            watched.lines.lost()
        else:
            watched.now_ns += event[0]
            watched.see(*map(int, event[1]))
    watched.see(0, 0)
    watched.now_ns += 1
    assert not watched.see(1, 1, for_ns=RELEASE_NS, every_ns=max(every_ns, NS_PER_MS)).pressed
