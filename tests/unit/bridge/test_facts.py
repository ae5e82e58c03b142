"""What people are told about the microcontroller: events in order, causes in words, silence as silence."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.facts import COUNTS, INPUT_NAMES, DeviceFacts, Event, facts_of, read_page
from firmware_bridge.wire import Diag, McuState, Status, encode
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Device
from safetykit.errors import MailboxError
from safetykit.runtime import device
from safetykit.runtime.words import WordFile

UNIT = 1
NOW_NS = 5_000_000_000
MS = 1_000_000


def heard(*frames: Status | Diag, at_ns: int = NOW_NS, link: hb.Words | None = None) -> hb.Words:
    """The record of a link that heard these frames."""
    link = hb.new_link(UNIT) if link is None else link
    rx = np.zeros(p.FRAME_BYTES, np.int64)
    for frame in frames:
        for byte in encode(frame, UNIT):
            hb.hear(link, rx, byte, at_ns)
    return link


def event(slot: int, cause: int, number: int, link: int = 0, at_ms: int = 0) -> Diag:
    return Diag(p.PAGE_EVENT + slot, cause, number, link, at_ms)


def numbers(*frames: Diag) -> list[int]:
    return [event.number for event in facts_of(heard(*frames), NOW_NS).events]


def test_nothing_heard_is_nothing_known() -> None:
    facts = facts_of(hb.new_link(UNIT), NOW_NS)
    assert facts.state is None
    assert facts.heard_ms is None
    assert facts.ident is None
    assert facts.uptime_s is None
    assert facts.cycle_max_ms is None
    assert not facts.events + facts.blockers + facts.inputs
    assert not facts.alive
    assert not facts.known
    assert set(facts.counts.values()) == {0}


def test_every_count_has_a_word_of_its_own() -> None:
    assert len(set(COUNTS.values())) == len(COUNTS)


def test_the_newest_event_comes_first() -> None:
    slots = [event(slot, p.Cause.CHANNEL, 9 + slot if slot < 3 else 1 + slot) for slot in range(8)]
    assert numbers(*slots) == [11, 10, 9, 8, 7, 6, 5, 4]


def test_the_order_holds_across_the_wrap_of_the_number() -> None:
    """After 65535 comes 1: 0 is no event."""
    ring = [65533, 65534, 65535, 1, 2, 3, 4, 5]
    for turn in range(8):
        slots = [event(slot, p.Cause.CHANNEL, ring[(slot + turn) % 8]) for slot in range(8)]
        assert numbers(*slots) == [5, 4, 3, 2, 1, 65535, 65534, 65533]


@given(newest=st.integers(1, 65535), count=st.integers(1, 8), turn=st.integers(0, 7))
@settings(deadline=None)
def test_the_order_holds_for_every_number_and_slot(newest: int, count: int, turn: int) -> None:
    expected = [(newest - 1 - back) % 65535 + 1 for back in range(count)]
    slots = [event((turn - back) % 8, p.Cause.CHANNEL, number) for back, number in enumerate(expected)]
    assert numbers(*sorted(slots, key=lambda page: page.page)) == expected


def test_slots_that_were_never_used_are_no_events() -> None:
    assert numbers(event(0, 0, 0), event(1, p.Cause.POWER_UP, 1), event(2, 0, 0)) == [1]


def test_an_event_reads_in_words_and_units() -> None:
    facts = facts_of(heard(event(1, p.Cause.HOST_SILENT, 300, link=1004, at_ms=12_345)), NOW_NS)
    text, cure = p.CAUSE_TEXT[p.Cause.HOST_SILENT], p.CAUSE_CURE[p.Cause.HOST_SILENT]
    assert facts.events == (Event(300, "HOST_SILENT", text, cure, 100.4, 12.345),)


def test_an_unknown_cause_is_shown_with_its_number() -> None:
    (seen,) = facts_of(heard(event(0, 200, 1)), NOW_NS).events
    assert seen.cause == "CAUSE_200"
    assert "does not know" in seen.text


@pytest.mark.parametrize("bit", p.BLOCKER_TEXT)
def test_every_blocker_has_its_sentence(bit: int) -> None:
    facts = facts_of(heard(Diag(p.PAGE_HEALTH, bit, 12, 7, 61_500)), NOW_NS)
    assert facts.blockers == (p.BLOCKER_TEXT[bit],)
    assert facts.cycle_max_ms == 0.12
    assert facts.uptime_s == 61.5


def test_several_blockers_are_several_sentences() -> None:
    facts = facts_of(heard(Diag(p.PAGE_HEALTH, 0x7F, 0, 0, 1)), NOW_NS)
    assert facts.blockers == tuple(p.BLOCKER_TEXT.values())


def test_a_healthy_page_without_blockers_is_still_a_page() -> None:
    facts = facts_of(heard(Diag(p.PAGE_HEALTH, 0, 0, 0, 1)), NOW_NS)
    assert facts.blockers == ()
    assert facts.uptime_s == 0.001


@pytest.mark.parametrize(("bit", "name"), INPUT_NAMES.items())
def test_every_contact_has_its_name(bit: int, name: str) -> None:
    facts = facts_of(heard(Status(McuState.STOPPED, bit, 1, 2, 3)), NOW_NS)
    assert facts.inputs == (name,)


def test_all_contact_bits_are_named() -> None:
    assert sum(INPUT_NAMES) == 0xFF


def alive_link() -> hb.Words:
    link = heard(Diag(p.PAGE_IDENT, p.VERSION, 0x0102, 4, 0xCAFE))
    tx = np.zeros(p.FRAME_BYTES, np.int64)
    hb.beat(link, tx, False, False, NOW_NS)
    return heard(Status(McuState.STOPPED, 0, 8, int(link[hb.SENT_SEQ]), 9), link=link)


def test_who_it_is() -> None:
    ident = facts_of(alive_link(), NOW_NS).ident
    assert ident is not None
    assert (ident.protocol, ident.firmware, ident.boots, ident.program_crc) == (p.VERSION, "1.2", 4, 0xCAFE)


def test_silent_after_the_time_that_the_guard_gives_it() -> None:
    link = alive_link()
    assert facts_of(link, NOW_NS + hb.LINK_NS).alive
    assert not facts_of(link, NOW_NS + hb.LINK_NS + 1).alive
    assert facts_of(link, NOW_NS + 250 * MS).heard_ms == 250.0


def test_an_answer_from_the_future_is_no_life() -> None:
    """A page of another boot, or a clock that went back."""
    assert not facts_of(alive_link(), NOW_NS - 1).alive


def test_another_version_of_the_protocol_is_seen_and_not_known() -> None:
    link = alive_link()
    heard(Diag(p.PAGE_IDENT, p.VERSION + 1, 0x0200, 1, 2), link=link)
    facts = facts_of(link, NOW_NS)
    assert not facts.known
    assert not facts.alive
    assert facts.version_seen == p.VERSION + 1
    assert facts.ident is not None
    assert facts.ident.protocol == p.VERSION + 1


@given(words=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=hb.LINK_WORDS, max_size=hb.LINK_WORDS))
@settings(deadline=None, max_examples=200)
def test_any_words_give_facts(words: list[int]) -> None:
    """The page is shared memory: whatever is in it, a tool shows something and does not fall over."""
    facts = facts_of(np.array(words, np.int64), NOW_NS)
    assert isinstance(facts, DeviceFacts)
    assert asdict(facts)


def test_a_page_tells_its_kind_and_link(tmp_path: Path) -> None:
    with_guard = WordFile.create(tmp_path / "bridge", device.PAGE_WORDS)
    device.new_device(with_guard.words, Device.MICROCONTROLLER, UNIT)
    with_guard.words[device.PAGE_KIND], with_guard.words[device.PAGE_CONNECTED] = Device.MICROCONTROLLER, 1
    with_guard.words[device.PAGE_LINK :] = alive_link()
    page = read_page(tmp_path / "bridge")
    assert (page.kind, page.connected) == (Device.MICROCONTROLLER, True)
    assert page.facts(NOW_NS).alive


def test_something_else_is_no_page(tmp_path: Path) -> None:
    WordFile.create(tmp_path / "bridge", device.PAGE_WORDS).close()
    with pytest.raises(MailboxError, match="not the page of an emergency stop device"):
        read_page(tmp_path / "bridge")


@pytest.mark.parametrize("size", [0, 8, 8 * device.PAGE_WORDS - 8])
def test_a_page_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    """Another version of safetykit wrote it."""
    (tmp_path / "bridge").write_bytes(b"\0" * size)
    with pytest.raises(MailboxError):
        read_page(tmp_path / "bridge")


def test_no_guard_no_page(tmp_path: Path) -> None:
    with pytest.raises(MailboxError, match="guard"):
        read_page(tmp_path / "bridge")
