"""The guard on the line: what counts as alive, and how soon its absence stops."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware import protocol
from tests.firmware.differential import TRACE
from tests.firmware.examples import EXAMPLES
from tests.firmware.library import Driver, library
from tests.firmware.protocol import COUNT, NO, RUN, STOP, TIME, TOKENS, YES, answer, heartbeat
from tests.firmware.scripts import Author
from tests.firmware.stand import Stand, armed, boot_record, ready, running, stands

Make = Callable[[], Stand]
LIMIT = COUNT["BAD_LIMIT"]


def wrong(stand: Stand, flipped: int) -> bytes:
    """The right answer with one bit of its body turned."""
    frame = bytearray(stand.right(RUN))
    frame[2 + flipped // 8] ^= 1 << flipped % 8
    return bytes(frame)


@EXAMPLES
@given(bit=st.integers(0, 79))
def test_any_single_wrong_bit_in_any_field_makes_an_answer_bad(bit: int) -> None:
    stand = running()
    accepted = stand.state.accepted
    stand.step(5_000, wrong(stand, bit))
    assert stand.state.bad == 1
    assert stand.state.accepted == accepted
    assert stand.name == "RUN"


@pytest.mark.parametrize("make", [armed, running])
def test_the_bad_event_counter_stops_at_its_limit(make: Make) -> None:
    stand = make()
    before = stand.name
    for _ in range(LIMIT - 1):
        stand.step(5_000, wrong(stand, 60))
        assert stand.name == before
    stand.step(5_000, wrong(stand, 60))
    assert not stand.on
    assert (stand.name, stand.cause) == ("STOPPED", "HOST_BAD")


def test_a_right_answer_takes_one_bad_event_away() -> None:
    stand = running()
    for _ in range(10):
        stand.step(5_000, wrong(stand, 60))
        stand.beat(RUN)
        assert stand.state.bad == 0
    for _ in range(LIMIT - 2):
        stand.step(5_000, wrong(stand, 60)).step(5_000, wrong(stand, 60)).beat(RUN)
    assert stand.name == "RUN"
    assert stand.state.bad == 1


def test_a_damaged_frame_and_a_wrong_one_in_one_step_are_two_bad_events() -> None:
    stand = running()
    stand.damaged = True
    stand.step(5_000, wrong(stand, 60))
    assert stand.state.bad == 2
    stand.step(5_000)
    assert stand.cause == "HOST_BAD"


def test_a_bad_event_ends_the_row_of_right_answers() -> None:
    for spoil in ("wrong", "damaged"):
        stand = ready()
        stand.damaged = spoil == "damaged"
        stand.step(5_000, wrong(stand, 60) if spoil == "wrong" else None)
        assert stand.state.streak == 0


@pytest.mark.parametrize(("gap_us", "row"), [(TIME["LINK_US"], COUNT["STREAK_MIN"]), (TIME["LINK_US"] + 1, 1)])
def test_a_silence_ends_the_row_of_right_answers(gap_us: int, row: int) -> None:
    """A host that was frozen and goes on has to show ten right answers again, as a new one has."""
    stand = ready()
    stand.beat(STOP, dt_us=gap_us)
    assert stand.state.streak == row


@pytest.mark.parametrize(("dt_us", "good"), [(0, False), (TIME["EARLY_US"] - 1, False), (TIME["EARLY_US"], True)])
def test_an_answer_sooner_than_possible_is_bad(dt_us: int, good: bool) -> None:
    stand = running()
    stand.beat(RUN, dt_us=dt_us)
    assert stand.state.bad == (0 if good else 1)


@pytest.mark.parametrize("make", [armed, running])
def test_silence_stops_after_a_hundred_milliseconds_and_not_before(make: Make) -> None:
    stand = make()
    before = stand.name
    stand.beat(RUN if before == "RUN" else STOP)
    for _ in range(5):
        stand.step(TIME["CYCLE_US"])
    assert stand.name == before  # exactly at the limit
    stand.step(1)
    assert not stand.on
    assert (stand.name, stand.cause) == ("STOPPED", "HOST_SILENT")


@EXAMPLES
@given(steps=st.lists(st.integers(1, TIME["CYCLE_US"]), min_size=5, max_size=400), talks=st.integers(0, 20))
def test_the_relays_open_within_a_hundred_milliseconds_plus_one_cycle_of_the_last_right_answer(
    steps: list[int], talks: int
) -> None:
    stand = running().beats(talks, RUN)
    silent_us = 0
    for dt_us in itertools.chain(steps, itertools.repeat(TIME["CYCLE_US"], 7)):
        stand.step(dt_us)
        silent_us += dt_us
        assert (stand.name == "RUN") == (silent_us <= TIME["LINK_US"])
        if stand.name != "RUN":
            assert not stand.on
            assert silent_us <= TIME["LINK_US"] + dt_us
            break
    assert stand.cause == "HOST_SILENT"


@EXAMPLES
@given(steps=st.lists(st.integers(1, TIME["CYCLE_US"]), min_size=10, max_size=60), bit=st.integers(32, 79))
def test_wrong_answers_do_not_keep_the_link_alive(steps: list[int], bit: int) -> None:
    stand = running()
    for dt_us in itertools.chain(steps, itertools.repeat(TIME["CYCLE_US"], 7)):
        stand.state.bad = 0  # so that it is the time that stops
        stand.step(dt_us, wrong(stand, bit))
    assert (stand.name, stand.cause) == ("STOPPED", "HOST_SILENT")


@pytest.mark.parametrize("rest", [YES, NO])
def test_the_guard_can_stop_at_any_time(rest: int) -> None:
    stand = running().beat(STOP, rest)
    assert not stand.on
    assert (stand.name, stand.cause) == ("STOPPED", "HOST_STOP")


@EXAMPLES
@given(tail=st.binary(min_size=13, max_size=13), dt_us=st.integers(0, TIME["CYCLE_US"]))
def test_a_stop_counts_even_in_a_frame_that_is_refused(tail: bytes, dt_us: int) -> None:
    stand = running()
    stand.step(dt_us, bytes((0xA5, 0xC3, STOP)) + tail)
    assert not stand.on
    assert (stand.name, stand.cause) == ("STOPPED", "HOST_STOP")


@EXAMPLES
@given(frame=st.binary(min_size=16, max_size=16), dt_us=st.integers(0, 2**32 - 1))
def test_no_sixteen_bytes_whatever_close_the_relays(frame: bytes, dt_us: int) -> None:
    for name, stand in stands():
        accepted = stand.state.accepted
        stand.step(dt_us, frame)
        if name != "RUN":
            assert stand.name in (name, "STOPPED")
            assert not stand.on
        assert stand.state.accepted == accepted


@pytest.mark.parametrize("make", [ready, armed])
def test_a_hundred_thousand_random_frames_close_no_relay(make: Make) -> None:
    script = Author(3).noise(100_000)
    driver = Driver(state=make().state)
    trace = ctypes.create_string_buffer(len(script.lines) * TRACE.size)
    library().driver_run(ctypes.byref(driver), script.lines.ctypes.data, len(script.lines), None, trace)
    relays = {record[5] & 3 for record in TRACE.iter_unpack(trace.raw)}
    assert relays == {0}
    assert driver.state.refused == len(script.lines)


@EXAMPLES
@given(frames=st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=30))
def test_any_frames_at_all_change_nothing_but_counters_of_a_stopped_board(frames: list[bytes]) -> None:
    stand = ready()
    before = stand.copy()
    for frame in frames:
        stand.step(5_000, frame)
    assert stand.name == "STOPPED"
    assert (stand.number, stand.state.session) == (before.number, before.state.session)
    assert stand.state.accepted == before.state.accepted
    assert stand.state.refused == before.state.refused + len(frames)


def test_the_sequence_number_wraps() -> None:
    stand = running()
    stand.state.seq = 65534
    stand.beat(RUN)
    assert stand.state.seq == 65535
    stand.beat(RUN)
    assert (stand.state.seq, stand.name) == (0, "RUN")


def test_the_challenge_changes_with_every_reply_and_is_in_it() -> None:
    stand = running()
    seen = {stand.state.challenge}
    for _ in range(2_000):
        stand.beat(RUN)
        assert int.from_bytes(bytes(stand.made.reply)[8:12], "little") == stand.state.challenge
        seen.add(stand.state.challenge)
    assert len(seen) == 2_001


def test_a_challenge_lives_until_it_is_answered() -> None:
    stand = running()
    challenge = stand.state.challenge
    stand.step().step()
    assert stand.state.challenge == challenge


@EXAMPLES
@given(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2, unique=True))
def test_the_session_changes_at_boot_with_the_seed(seeds: list[int]) -> None:
    first, second = (Stand(boot_record(seed=seed)).state for seed in seeds)
    if {*seeds} != {0, 1}:  # a seed of 0 is taken for 1: zero would stay zero for ever
        assert (first.session, first.challenge) != (second.session, second.challenge)


def test_the_session_changes_at_every_stop() -> None:
    stand = ready()
    sessions = [stand.state.session]
    for _ in range(30):
        stand.a = stand.b = False
        stand.beat()
        sessions.append(stand.state.session)
        stand.a = stand.b = True
        stand.beats(25)
    assert all(a != b for a, b in itertools.pairwise(sessions))


def test_a_reset_request_of_an_earlier_stop_is_void() -> None:
    """Answers made for the session before the stop are refused, however right they were."""
    stand = armed()
    for_then = stand.right(RUN)
    stand.a = False
    stand.step(5_000)
    stand.a = True
    stand.step(5_000, for_then)
    assert stand.state.bad == 1
    assert stand.name == "STOPPED"


@pytest.mark.parametrize("fault", ["skipped", "twice", "swapped", "none"])
def test_a_stage_that_was_skipped_repeated_or_swapped_gives_a_wrong_answer(fault: str) -> None:
    for at in range(len(TOKENS) - 1):
        tokens = list(TOKENS)
        if fault == "skipped":
            del tokens[at]
        elif fault == "twice":
            tokens.insert(at, tokens[at])
        elif fault == "swapped":
            tokens[at], tokens[at + 1] = tokens[at + 1], tokens[at]
        stand = running()
        s = stand.state
        seq = (s.seq + 1) % 65536
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(protocol, "TOKENS", tokens)
            reply = answer(s.unit, s.challenge, s.session, seq)
        stand.step(5_000, heartbeat(s.unit, RUN, YES, s.session, seq, reply))
        assert stand.state.bad == (0 if fault == "none" else 1)


@EXAMPLES
@given(begin=st.integers(2**32 - 400_000, 2**32 - 1))
def test_the_wrap_of_the_clock_changes_nothing(begin: int) -> None:
    early, late = Stand(now_us=0).to_stopped().to_run(), Stand(now_us=begin).to_stopped().to_run()
    for stand in (early, late):
        stand.beats(100, RUN)
    late.state.now_us = early.state.now_us
    assert bytes(late.state) == bytes(early.state)


def test_ages_stop_at_the_largest_value() -> None:
    stand = ready()
    for _ in range(4):
        stand.step(2**31)
    ages = ("closed_us", "relay_us", "answer_us", "link_us", "armed_us", "key_us")
    assert all(getattr(stand.state, name) == 2**32 - 1 for name in ages)
    assert stand.state.uptime_ms < 2**32 - 1
