"""What the board tells about itself: status, pages, events, lamp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.protocol import (
    BLOCK,
    CAUSE,
    CODE,
    COUNT,
    INPUT,
    PAGE,
    PASSED,
    PROTOCOL,
    RAM,
    RUN,
    RUNNING,
    TIME,
    crc,
)
from tests.firmware.stand import Stand, armed, boot_record, ready, running, stands, stopped

ROUND = [PAGE["IDENT"], PAGE["LINK"], PAGE["HEALTH"], *(PAGE["EVENT"] + k for k in range(COUNT["EVENTS"]))]


@dataclass(frozen=True)
class Page:
    """A diagnostic frame, read."""

    page: int
    small: int
    a: int
    b: int
    word: int


def page_of(stand: Stand) -> Page | None:
    """The diagnostic frame of this step."""
    if not stand.made.diag_ready:
        assert bytes(stand.made.diag) == bytes(16)
        return None
    frame = bytes(stand.made.diag)
    assert frame[:2] == bytes((CODE["SYNC_MCU"], CODE["TYPE_DIAG"]))
    assert frame[12:] == crc(stand.state.unit, frame[:12]).to_bytes(4, "little")
    words = (int.from_bytes(frame[a:b], "little") for a, b in ((4, 6), (6, 8), (8, 12)))
    return Page(frame[2], frame[3], *words)


def pages(stand: Stand, replies: int, command: int = 0x0F) -> list[Page | None]:
    """What came with each of the next replies."""
    return [page_of(stand.beat(command)) for _ in range(replies)]


def page(stand: Stand, number: int) -> Page:
    """This page, the next time it comes."""
    for _ in range(COUNT["DIAG_EVERY"] * (len(ROUND) + 1)):
        found = page_of(stand.beat())
        if found and found.page == number:
            return found
    raise AssertionError(f"page {number} never came")


def test_every_fourth_status_brings_a_page_and_the_round_has_all_of_them() -> None:
    stand = ready()
    seen = pages(stand, COUNT["DIAG_EVERY"] * len(ROUND) * 2)
    first = next(k for k, found in enumerate(seen) if found)
    numbers = [found.page for found in seen if found]
    assert [k for k, found in enumerate(seen) if found] == list(range(first, len(seen), COUNT["DIAG_EVERY"]))
    at = ROUND.index(numbers[0])
    assert numbers == ((ROUND[at:] + ROUND[:at]) * 3)[: len(numbers)]


def test_nothing_is_sent_when_nobody_asks() -> None:
    stand = ready()
    for _ in range(20):
        stand.step()
        assert not stand.made.reply_ready
        assert bytes(stand.made.reply) == bytes(16)
        assert page_of(stand) is None


def test_a_refused_frame_is_answered_too() -> None:
    stand = ready().step(5_000, bytes(16))
    assert stand.made.reply_ready


def test_the_first_reply_after_a_stop_brings_the_new_event_and_the_round_goes_on_where_it_was() -> None:
    stand = running()
    before = [found.page for found in pages(stand, 8, RUN) if found][-1]
    stand.a = False
    stand.step(5_000)
    stand.a = True
    found = page_of(stand.beat())
    assert found
    assert (found.page, found.small, found.a) == (8 + stand.state.event_slot, CAUSE["CHANNEL"], stand.number)
    after = [found.page for found in pages(stand, 8) if found]
    at = ROUND.index(before)
    assert after == [ROUND[(at + 1) % len(ROUND)], ROUND[(at + 2) % len(ROUND)]]


def test_an_event_tells_the_age_of_the_link_and_the_time() -> None:
    stand = running()
    stand.beat(RUN)
    stand.step(12_345)
    stand.a = False
    stand.step(7_777)
    stand.a = True
    at_ms = stand.state.uptime_ms
    found = page_of(stand.beat())
    assert found
    assert (found.b, found.word) == ((12_345 + 7_777) // 100, at_ms)


def test_an_event_before_the_first_right_answer_says_that_there_was_none() -> None:
    found = page_of(Stand().to_stopped().step(5_000, bytes(16)))
    assert found
    assert (found.small, found.a, found.b) == (CAUSE["POWER_UP"], 1, 65535)


@EXAMPLES
@given(count=st.integers(1, 30))
def test_the_ring_remembers_the_last_eight_events(count: int) -> None:
    stand = ready()
    for _ in range(count):
        stand.a = stand.b = False
        stand.beat()
        stand.a = stand.b = True
        stand.wait(TIME["RELEASE_US"] + 10_000)
    latest = stand.number
    assert latest == count + 1
    found = {page(stand, 8 + k).a for k in range(COUNT["EVENTS"])}
    assert found - {0} == set(range(max(1, latest - COUNT["EVENTS"] + 1), latest + 1))


def test_event_numbers_go_on_over_a_start_and_are_never_zero() -> None:
    for number, following in ((0, 1), (41, 42), (65534, 65535), (65535, 1), (65536 + 5, 6)):
        stand = Stand(boot_record(number=number)).to_stopped()
        assert stand.number == following


def test_the_status_shows_state_inputs_and_outputs() -> None:
    wired = INPUT["CHANNEL_A"] | INPUT["CHANNEL_B"]
    both, released = INPUT["RELAY_1"] | INPUT["RELAY_2"], INPUT["RELEASED_1"] | INPUT["RELEASED_2"]
    for name, stand in stands():
        stand.beat(RUN if name == "RUN" else 0x0F)
        reply = bytes(stand.made.reply)
        assert reply[:3] == bytes((CODE["SYNC_MCU"], CODE["TYPE_STATUS"], CODE[f"STATE_{name}"]))
        assert reply[3] == wired | (both if name == "RUN" else released)
        assert int.from_bytes(reply[4:6], "little") == stand.state.session
        assert int.from_bytes(reply[6:8], "little") == stand.state.seq


@pytest.mark.parametrize("bit", ["CHANNEL_A", "CHANNEL_B", "KEY", "RELEASED_1", "RELEASED_2"])
def test_each_contact_has_its_own_bit(bit: str) -> None:
    stand = ready()
    stand.a, stand.b, stand.key = bit == "CHANNEL_A", bit == "CHANNEL_B", bit == "KEY"
    stand.mirrors = (bit == "RELEASED_1", bit == "RELEASED_2")
    stand.beat()
    assert stand.made.reply[3] & ~INPUT["LOCKED"] == INPUT[bit]


def test_a_locked_board_says_so() -> None:
    stand = ready()
    stand.check = RAM
    stand.beat()
    assert stand.made.reply[3] & INPUT["LOCKED"]


def test_the_ident_page_names_protocol_firmware_boots_and_program() -> None:
    major, minor = PROTOCOL["firmware"]
    boot = boot_record()
    boot.boots = 70_000
    stand = Stand(boot).to_stopped().to_ready()
    found = page(stand, PAGE["IDENT"])
    assert (found.small, found.a) == (PROTOCOL["version"], major * 256 + minor)
    assert (found.b, found.word) == (65535, 0xC0FFEE00)


def test_the_link_page_counts_bad_refused_damaged_and_accepted() -> None:
    stand = ready()
    while page_of(stand.beat()) is None or stand.state.diag_page != PAGE["LINK"]:
        pass
    refused, damaged = stand.state.refused, stand.state.damaged
    stand.beats(2)
    stand.damaged = True
    stand.step(5_000, bytes(16))  # one refused and one damaged
    stand.damaged = False
    accepted = stand.state.accepted
    found = page_of(stand.beat())
    assert found
    assert found.page == PAGE["LINK"]
    assert (found.small, found.a, found.b, found.word) == (1, refused + 1, damaged + 1, accepted + 1)


def test_the_health_page_tells_blockers_longest_cycle_session_and_time() -> None:
    stand = ready()
    stand.step(17_239)
    found = page(stand, PAGE["HEALTH"])
    assert (found.small, found.a, found.b) == (0, 1_723, stand.state.session)
    assert found.word == stand.state.uptime_ms
    stand.mirrors = (True, False)
    assert page(stand, PAGE["HEALTH"]).small & BLOCK["RELAYS"]


def test_a_longest_cycle_too_long_for_its_field_shows_the_largest_value() -> None:
    stand = ready().step(10**6)
    assert page(stand, PAGE["HEALTH"]).a == 65535


def test_the_time_since_the_start_loses_no_fractions() -> None:
    stand = Stand().step(123_456)  # the first step is the beginning
    for _ in range(3_000):
        stand.step(1_999)
    assert stand.state.uptime_ms == 3_000 * 1_999 // 1_000


def lit(stand: Stand) -> list[bool]:
    """The lamp over the twenty slots of a second, beginning with a full second."""
    stand.state.uptime_ms, stand.state.uptime_rest_us = 7_000, 0
    shown = []
    for _ in range(20):
        shown.append(bool(stand.step(0).made.led))
        stand.state.uptime_ms += 50
        stand.state.link_us = stand.state.armed_us = 0
    return shown


def locked() -> Stand:
    stand = ready()
    stand.check = RAM
    stand.beat()
    stand.check = PASSED
    return stand


def in_self_test() -> Stand:
    stand = Stand()
    stand.check = RUNNING
    return stand.step()


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (in_self_test, "...................."),
        (stopped, "##########.........."),
        (locked, "##..##.............."),
        (armed, "##..##..##..##..##.."),
        (running, "####################"),
    ],
)
def test_the_lamp_has_a_pattern_for_every_state(make: Callable[[], Stand], pattern: str) -> None:
    assert "".join("#" if on else "." for on in lit(make())) == pattern


def test_the_texts_of_blockers_and_causes_say_what_to_do() -> None:
    assert all(len(row[1]) > 20 for row in PROTOCOL["blockers"].values())
    assert all(len(row[3]) > 8 for row in PROTOCOL["causes"].values())
    assert len({row[1] for row in PROTOCOL["blockers"].values()}) == len(BLOCK) == 7
