"""Every error that IEC 61784-3 names for a line, injected between a good guard and the firmware, byte by byte.

For each error: it does not count as a right answer, it is counted, the board stays in RUN if the error is single and
opens the relays if it goes on. What "goes on" takes at most is asserted on the board's own clock.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.protocol import CODE, COUNT, NO, RUN, STOP, TIME, TOKENS, YES, answer, crc, heartbeat
from tests.firmware.stand import LineStand, line_running

CYCLE_US = 1_000
PERIOD = 5  # cycles between heartbeats of the guard
LIMIT_MS = TIME["LINK_US"] // CYCLE_US
LONGEST_MS = LIMIT_MS + 1


def settled(unit: int = 1) -> LineStand:
    """A board in RUN and a guard whose next heartbeat is due and allowed."""
    stand = line_running(unit)
    return stand.quiet(PERIOD - 1)


def counted(stand: LineStand) -> tuple[int, int, int]:
    """Right answers, refused frames, damaged frames."""
    s = stand.state
    return s.accepted, s.refused, s.damaged


def refused_once(stand: LineStand, frame: bytes, damaged: bool = False) -> LineStand:
    """Sends a frame that must not count, and sees that it is one bad event and that the board is in RUN still."""
    accepted, refused, spoilt = counted(stand)
    bad = stand.state.bad
    stand.send(frame)
    stand.run()
    if damaged:
        stand.quiet(TIME["GAP_US"] // CYCLE_US + 1)  # what is left of it is dropped
    assert counted(stand)[0] == accepted
    assert counted(stand)[1] == refused + (not damaged)
    assert counted(stand)[2] > spoilt if damaged else counted(stand)[2] == spoilt
    assert stand.state.bad > bad
    return stand


def recovers(stand: LineStand) -> None:
    """The board is in RUN, and good heartbeats go on and clear the counter."""
    assert stand.name == "RUN"
    stand.talk(30 * PERIOD, RUN, every=PERIOD)
    assert (stand.name, stand.on, stand.state.bad) == ("RUN", True, 0)


def opened(stand: LineStand, cause: str) -> None:
    """The relays are open in this cycle and in the next."""
    assert not stand.on
    assert (stand.name, stand.cause) == ("STOPPED", cause)
    stand.run()
    assert not stand.on


# ------------------------------------------------------------------------------ corruption


@EXAMPLES
@given(flips=st.lists(st.integers(0, 127), min_size=1, max_size=7, unique=True))
def test_corruption_of_up_to_seven_bits_is_always_found(flips: list[int]) -> None:
    """The checksum has Hamming distance 8 at this length; the receiver counts a damaged frame or hears nothing."""
    stand = settled()
    frame = bytearray(stand.frame(RUN))
    for bit in flips:
        frame[bit // 8] ^= 1 << bit % 8
    accepted, refused, _ = counted(stand)
    stand.send(bytes(frame))
    stand.quiet(TIME["GAP_US"] // CYCLE_US + 2)
    assert counted(stand)[:2] == (accepted, refused)
    recovers(stand)


def test_corruption_of_every_frame_opens_the_relays_in_a_hundred_milliseconds_and_a_cycle() -> None:
    for byte in range(16):
        stand = settled()
        begin = stand.now_us - stand.state.link_us  # the last right answer
        cycles = 0
        while stand.on:
            if cycles % PERIOD == 0:
                frame = bytearray(stand.frame(RUN))
                frame[byte] ^= 0x10
                stand.send(bytes(frame))
            stand.run()
            cycles += 1
            assert stand.now_us - begin <= LONGEST_MS * CYCLE_US
        opened(stand, stand.cause)
        assert stand.cause in ("HOST_BAD", "HOST_SILENT")


# ------------------------------------------------------------------------------ repetition


def test_repetition_of_a_frame_is_refused() -> None:
    """Sequence number and challenge of a heartbeat are good for one time."""
    stand = settled()
    frame = stand.frame(RUN)
    stand.send(frame)
    stand.run()
    stand.quiet(PERIOD - 1)
    refused_once(stand, frame)
    recovers(stand)


@EXAMPLES
@given(recorded=st.integers(2, 25), gap=st.integers(3, 9))
def test_repetition_of_a_whole_recording_opens_the_relays(recorded: int, gap: int) -> None:
    """A recording of good heartbeats played to the same board later, in its own rhythm."""
    stand = settled()
    tape = []
    for _ in range(recorded):
        tape.append(stand.frame(RUN))
        stand.send(tape[-1])
        stand.quiet(PERIOD)
    accepted = stand.state.accepted
    for frame in itertools.islice(itertools.cycle(tape), COUNT["BAD_LIMIT"]):
        assert stand.name == "RUN"
        stand.send(frame)
        stand.quiet(gap)
    assert stand.state.accepted == accepted
    opened(stand, "HOST_BAD")


# ------------------------------------------------------------------------------ wrong order


def test_wrong_order_of_two_frames_is_refused() -> None:
    """A guard sends one heartbeat for one challenge. The one that overtakes has a sequence number too far ahead; the
    one that is overtaken answers a challenge that is no more."""
    stand = settled()
    assert stand.last
    first = stand.frame(RUN)
    seq = (stand.last.seq + 2) % 65536
    reply = answer(1, stand.last.challenge, stand.last.session, seq)
    second = heartbeat(1, RUN, YES, stand.last.session, seq, reply)
    refused_once(stand, second)
    stand.quiet(PERIOD - 1)
    refused_once(stand, first)
    stand.quiet(PERIOD - 1)
    recovers(stand)


@pytest.mark.parametrize("ahead", [-2, -1, 0, 2, 3, 32768, 65535])
def test_wrong_order_of_any_distance_is_refused(ahead: int) -> None:
    stand = settled()
    assert stand.last
    seq = (stand.last.seq + ahead) % 65536
    reply = answer(1, stand.last.challenge, stand.last.session, seq)
    refused_once(stand, heartbeat(1, RUN, YES, stand.last.session, seq, reply))
    stand.quiet(PERIOD - 1)
    recovers(stand)


# ------------------------------------------------------------------------------ loss


def test_loss_of_single_frames_does_not_stop() -> None:
    stand = settled()
    for _ in range(20):
        stand.quiet(PERIOD)  # one heartbeat is lost
        stand.talk(PERIOD, RUN, every=PERIOD)
    recovers(stand)


def test_loss_of_a_reply_does_not_stop() -> None:
    """The guard repeats its heartbeat for the old challenge: one bad event, whose reply brings the new challenge."""
    stand = settled()
    before = stand.last
    stand.send(stand.frame(RUN))
    stand.run()
    stand.last = before
    stand.quiet(PERIOD - 1)
    refused_once(stand, stand.frame(RUN))
    stand.quiet(PERIOD - 1)
    recovers(stand)


def test_loss_of_all_frames_opens_the_relays_in_a_hundred_milliseconds_and_a_cycle() -> None:
    for extra in range(PERIOD):
        stand = settled()
        stand.quiet(extra)
        stand.send(stand.frame(RUN))
        stand.run()
        begin = stand.now_us
        while stand.on:
            assert stand.now_us - begin <= LIMIT_MS * CYCLE_US
            stand.run()
        assert stand.now_us - begin == LONGEST_MS * CYCLE_US
        opened(stand, "HOST_SILENT")


# ------------------------------------------------------------------------------ delay


@pytest.mark.parametrize("cycles", [LIMIT_MS - 20, LIMIT_MS - 1, LIMIT_MS])
def test_delay_up_to_the_limit_is_borne(cycles: int) -> None:
    stand = settled()
    stand.send(stand.frame(RUN))
    stand.run()
    late = stand.frame(RUN)
    stand.quiet(cycles - 1)
    stand.send(late)
    stand.run()
    stand.quiet(PERIOD - 1)
    recovers(stand)


def test_delay_beyond_the_limit_opens_the_relays_before_the_answer_comes() -> None:
    stand = settled()
    stand.send(stand.frame(RUN))
    stand.run()
    late = stand.frame(RUN)
    stand.quiet(LIMIT_MS + 1)
    opened(stand, "HOST_SILENT")
    stand.send(late)
    stand.quiet(PERIOD)
    assert not stand.on
    assert stand.state.bad == 1  # it belongs to the session before the stop


def test_delay_that_bunches_frames_up_opens_the_relays() -> None:
    """A buffer that holds heartbeats back and lets them go at once: perfectly sequential, and far too old."""
    stand = settled()
    assert stand.last
    tape = []
    for k in range(1, 8):
        seq = (stand.last.seq + k) % 65536
        reply = answer(1, stand.last.challenge, stand.last.session, seq)
        tape.append(heartbeat(1, RUN, YES, stand.last.session, seq, reply))
    accepted = stand.state.accepted
    stand.quiet(40)
    stand.send(b"".join(tape))
    stand.quiet(10)
    assert stand.state.accepted == accepted + 1  # the first one answers the present challenge
    opened(stand, "HOST_BAD")


@EXAMPLES
@given(cycles=st.integers(0, TIME["EARLY_US"] // CYCLE_US - 1))
def test_delay_below_nothing_an_answer_sooner_than_possible_is_refused(cycles: int) -> None:
    stand = settled()
    stand.send(stand.frame(RUN))
    stand.run()
    stand.quiet(cycles)
    stand.board.now_us -= CYCLE_US  # the next cycle comes at once
    refused_once(stand, stand.frame(RUN))


# ------------------------------------------------------------------------------ insertion


def test_insertion_of_a_frame_of_a_second_program_is_refused() -> None:
    """Its checksum is right, it does not know session, sequence number and challenge."""
    stand = settled()
    refused_once(stand, heartbeat(1, RUN, YES, 0x4711, 1, 0xDEADBEEF))
    stand.quiet(PERIOD - 1)
    recovers(stand)


def test_insertion_faster_than_the_guard_opens_the_relays() -> None:
    stand = settled()
    begin = stand.now_us
    while stand.on:
        for _ in range(2):
            stand.send(heartbeat(1, RUN, YES, 0x4711, 1, 0xDEADBEEF))
            stand.quiet(2)
        stand.send(stand.frame(RUN))
        stand.quiet(1)
        assert stand.now_us - begin < LONGEST_MS * CYCLE_US
    opened(stand, "HOST_BAD")


@EXAMPLES
@given(noise=st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=40))
def test_insertion_of_bytes_never_counts_as_an_answer(noise: list[bytes]) -> None:
    stand = settled()
    accepted = stand.state.accepted
    for piece in noise:
        stand.send(piece)
        stand.run()
    stand.quiet(LIMIT_MS + 20)
    assert stand.state.accepted == accepted
    assert not stand.on


# ------------------------------------------------------------------------------ masquerade


def test_masquerade_of_the_boards_own_frames_is_no_frame() -> None:
    """A loop on the line: everything the board sends comes back to it. Sync and type differ by direction."""
    stand = settled()
    accepted, refused, _ = counted(stand)
    for _ in range(LONGEST_MS + 1):
        if stand.on:
            stand.send(bytes(stand.board.sent[: stand.board.sent_count]))
        stand.run()
    assert counted(stand)[:2] == (accepted, refused)
    opened(stand, "HOST_SILENT")


def test_masquerade_of_a_status_sealed_as_from_the_host_is_no_frame() -> None:
    stand = settled()
    body = bytes((CODE["SYNC_HOST"], CODE["TYPE_STATUS"])) + stand.frame(RUN)[2:12]
    refused_once(stand, body + crc(1, body).to_bytes(4, "little"), damaged=True)
    recovers(stand)


@pytest.mark.parametrize("lacks", ["all stages", "one stage", "order"])
def test_masquerade_of_a_program_that_does_not_run_the_guards_stages_opens_the_relays(
    lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads session, sequence number and challenge from the line, and seals its frames rightly."""
    tokens = {"all stages": [], "one stage": TOKENS[:7] + TOKENS[8:], "order": TOKENS[1::-1] + TOKENS[2:]}[lacks]
    stand = settled()
    monkeypatch.setattr("tests.firmware.protocol.TOKENS", tokens)
    accepted = stand.state.accepted
    for _ in range(COUNT["BAD_LIMIT"]):
        assert stand.name == "RUN"
        stand.send(stand.frame(RUN))
        stand.quiet(PERIOD)
    assert stand.state.accepted == accepted
    opened(stand, "HOST_BAD")


@EXAMPLES
@given(command=st.integers(0, 255), rest=st.integers(0, 255))
def test_masquerade_of_words_that_mean_nothing_is_refused(command: int, rest: int) -> None:
    stand = settled()
    if command in (STOP, RUN) and rest in (YES, NO):
        return
    if command == STOP:
        stand.send(stand.frame(command, rest))
        stand.run()
        opened(stand, "HOST_STOP")
    else:
        refused_once(stand, stand.frame(command, rest))


# ------------------------------------------------------------------------------ addressing


@EXAMPLES
@given(units=st.lists(st.integers(0, 255), min_size=2, max_size=2, unique=True))
def test_addressing_of_another_unit_is_no_frame(units: list[int]) -> None:
    """The number of the unit is part of every checksum and never sent."""
    here, there = units
    stand = settled(here)
    accepted, refused, _ = counted(stand)
    assert stand.last
    seq = (stand.last.seq + 1) % 65536
    reply = answer(here, stand.last.challenge, stand.last.session, seq)  # right in all but the unit of the frame
    stand.send(heartbeat(there, RUN, YES, stand.last.session, seq, reply))
    stand.quiet(TIME["GAP_US"] // CYCLE_US + 2)
    assert counted(stand)[:2] == (accepted, refused)
    assert stand.state.bad
    recovers(stand)


def test_addressing_of_a_guard_wired_to_the_wrong_board_opens_the_relays() -> None:
    stand, other = settled(1), 2
    accepted = stand.state.accepted
    begin = stand.now_us
    while stand.on:
        assert stand.last
        seq = (stand.last.seq + 1) % 65536
        reply = answer(other, stand.last.challenge, stand.last.session, seq)
        stand.send(heartbeat(other, RUN, YES, stand.last.session, seq, reply))
        stand.quiet(PERIOD)
        assert stand.now_us - begin <= LONGEST_MS * CYCLE_US
    assert stand.state.accepted == accepted
    opened(stand, stand.cause)


def test_addressing_of_a_reply_of_another_unit_gives_another_answer() -> None:
    """Were the frame's checksum to fail to see it, the answer is sealed with the unit once more."""
    stand = settled(1)
    assert stand.last
    seq = (stand.last.seq + 1) % 65536
    reply = answer(2, stand.last.challenge, stand.last.session, seq)
    refused_once(stand, heartbeat(1, RUN, YES, stand.last.session, seq, reply))
