"""The conversation of tools: whatever comes over the line, they only ever say STOP and never "at rest"."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.link import Link
from firmware_bridge.wire import Diag, McuState, Status, encode
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p

UNIT = 9
START_NS = 1_000_000_000
MS = 1_000_000
IDENT = Diag(p.PAGE_IDENT, p.VERSION, 0x0100, 1, 0xDEADBEEF)
STOPPED = Status(McuState.STOPPED, 0x1B, 0x1234, 10, 0xCAFE0001)

byte, half, word = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
frames = st.one_of(
    st.builds(Status, st.sampled_from(McuState), byte, half, half, word),
    st.builds(Diag, st.integers(0, hb.PAGE_COUNT - 1), byte, half, half, word),
)
received = st.one_of(st.binary(max_size=60), frames.map(lambda frame: encode(frame, UNIT)))
MANY = settings(deadline=None, max_examples=300)


def say_only_stop(beats: Iterable[bytes | None]) -> None:
    for data in beats:
        if data is not None:
            assert (len(data), data[:4]) == (16, bytes([p.SYNC_HOST, p.TYPE_HEARTBEAT, p.COMMAND_STOP, p.REST_NO]))


@given(talk=st.lists(st.tuples(received, st.integers(-200 * MS, 200 * MS)), max_size=30))
@MANY
def test_whatever_comes_it_says_stop(talk: list[tuple[bytes, int]]) -> None:
    link, now_ns, said = Link(UNIT), START_NS, []
    for data, later_ns in talk:
        link.receive(data, now_ns)
        now_ns += later_ns  # the clock may jump, too
        said.append(link.next_heartbeat(now_ns))
        link.facts(now_ns)
    say_only_stop(said)


@given(
    states=st.lists(st.tuples(st.sampled_from(McuState), half, word), min_size=1, max_size=30),
    lost=st.lists(st.booleans(), min_size=30, max_size=30),
)
@MANY
def test_even_to_a_microcontroller_that_believes_it_is_running(
    states: list[tuple[McuState, int, int]], lost: list[bool]
) -> None:
    """The far end answers every heartbeat by the rules, in any state."""
    link, now_ns, said, seq = Link(UNIT), START_NS, [], 0
    link.receive(encode(IDENT, UNIT), now_ns)
    for (state, session, challenge), gone in zip(states, lost, strict=False):
        data = link.next_heartbeat(now_ns)
        said.append(data)
        now_ns += 10 * MS
        if data is not None and not gone:
            seq = int.from_bytes(data[6:8], "little")
            link.receive(encode(Status(state, 0, session, seq, challenge), UNIT), now_ns)
    assert said[0] is not None
    say_only_stop(said)


def test_the_answer_is_that_of_a_whole_tick() -> None:
    link = Link(UNIT)
    link.receive(encode(STOPPED, UNIT), START_NS)
    data = link.next_heartbeat(START_NS)
    assert data is not None
    right = hb.answer(UNIT, progress.whole(STOPPED.challenge), STOPPED.session, STOPPED.seq + 1)
    assert int.from_bytes(data[8:12], "little") == right


def test_it_waits_its_time_between_two_heartbeats() -> None:
    link = Link(UNIT)
    assert link.next_heartbeat(START_NS) is not None
    assert link.next_heartbeat(START_NS) is None
    assert link.next_heartbeat(START_NS + hb.ANSWER_NS - 1) is None
    assert link.next_heartbeat(START_NS + hb.ANSWER_NS) is not None


def test_what_it_heard_is_in_the_facts() -> None:
    link = Link(UNIT)
    assert not link.facts(START_NS).alive
    link.next_heartbeat(START_NS)
    answer = Status(McuState.STOPPED, p.IN_CHANNEL_A | p.IN_LOCKED, 5, 1, 77)
    link.receive(encode(IDENT, UNIT) + encode(answer, UNIT), START_NS + 3 * MS)
    facts = link.facts(START_NS + 4 * MS)
    assert facts.alive
    assert facts.state is McuState.STOPPED
    assert facts.inputs == ("channel A closed", "locked until a power cycle")
    assert (facts.heard_ms, facts.round_trip_ms) == (4.0, 3.0)
    assert facts.counts["answered"] == facts.counts["heartbeats"] == 1


@pytest.mark.parametrize("unit", [0, 255])
def test_the_unit_is_part_of_every_frame(unit: int) -> None:
    link = Link(unit)
    link.receive(encode(STOPPED, unit ^ 1), START_NS)
    assert link.facts(START_NS).state is None
    link.receive(encode(STOPPED, unit), START_NS)
    assert link.facts(START_NS).state is McuState.STOPPED
