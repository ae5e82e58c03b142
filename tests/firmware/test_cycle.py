"""Whole cycles: bytes on the line, the mirror of the state, the watchdog."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.library import State, core_folder
from tests.firmware.protocol import PASSED, PROGRAM, PROTOCOL, RAM, RUN, STOP, TIME, YES, heartbeat
from tests.firmware.stand import LineStand, line_running
from tests.firmware.variants import built, without

WORDS = ctypes.sizeof(State) // 4
TAKEN = 32  # bytes taken in one cycle, from cycle.h


def flipped(stand: LineStand, bit: int) -> LineStand:
    """Turns one bit of the state in memory."""
    words = ctypes.cast(ctypes.byref(stand.cycle.state), ctypes.POINTER(ctypes.c_uint32))
    words[bit // 32] ^= 1 << bit % 32
    return stand


@pytest.fixture(scope="module")
def snapshot() -> tuple[LineStand, bytes, bytes]:
    """A board in RUN, and its memory."""
    stand = line_running()
    return stand, bytes(stand.cycle), bytes(stand.board)


def test_any_single_flipped_bit_of_the_state_stops_locked_in_the_next_cycle(
    snapshot: tuple[LineStand, bytes, bytes],
) -> None:
    stand, cycle, board = snapshot
    for bit in range(WORDS * 32):
        ctypes.memmove(ctypes.byref(stand.cycle), cycle, len(cycle))
        ctypes.memmove(ctypes.byref(stand.board), board, len(board))
        flipped(stand, bit).run()
        assert not stand.on, bit
        assert (stand.name, stand.state.locked != 0) == ("STOPPED", True), bit
        stand.run()
        assert not stand.on, bit
        assert (stand.name, stand.state.locked != 0) == ("STOPPED", True), bit


@EXAMPLES
@given(bits=st.lists(st.integers(0, WORDS * 32 - 1), min_size=1, max_size=20, unique=True))
def test_any_flipped_bits_of_the_state_stop_locked_in_the_next_cycle(
    snapshot: tuple[LineStand, bytes, bytes], bits: list[int]
) -> None:
    stand, cycle, board = snapshot
    ctypes.memmove(ctypes.byref(stand.cycle), cycle, len(cycle))
    ctypes.memmove(ctypes.byref(stand.board), board, len(board))
    for bit in bits:
        flipped(stand, bit)
    stand.run()
    assert not stand.on
    assert stand.name == "STOPPED"
    assert stand.state.locked


@pytest.mark.parametrize("word", range(0, WORDS, 7))
def test_a_flipped_bit_of_the_mirror_stops_locked_too(word: int) -> None:
    stand = line_running()
    stand.cycle.mirror[word] ^= 1 << word % 32
    stand.run()
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "RAM", 1)


@pytest.mark.parametrize("bit", range(32))
def test_any_flipped_bit_of_the_result_of_the_checks_stops_locked(bit: int) -> None:
    stand = line_running()
    stand.cycle.check ^= 1 << bit
    stand.run()
    assert not stand.on
    assert (stand.name, stand.state.locked) == ("STOPPED", 1)


def test_damage_that_heals_does_not_unlock() -> None:
    stand = flipped(line_running(), 5 * 32)
    stand.run()
    stand.talk(300)
    stand.key = True
    stand.talk(200)
    stand.key = False
    stand.talk(50, RUN)
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "RAM", 1)


def test_unsound_ram_at_the_start_ends_locked() -> None:
    stand = LineStand(ram_sound=False).quiet(3)
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "RAM", 1)


def test_the_first_bad_result_of_the_checks_stays() -> None:
    for first, second in ((RAM, PROGRAM), (PROGRAM, RAM)):
        stand = line_running()
        for damage in (first, second):
            if damage == RAM:
                stand.cycle.mirror[3] ^= 4
            else:
                stand.image[0] ^= 1
            stand.quiet(2 * (len(stand.image) // 64 + 1))
        assert stand.cycle.check == first


def test_a_start_takes_over_nothing_that_was_in_memory() -> None:
    ends = []
    for before in (0x00, 0xA5, 0xFF):
        stand = LineStand()
        ctypes.memset(ctypes.byref(stand.cycle), before, ctypes.sizeof(stand.cycle))
        stand.begin(ram_sound=True)
        stand.quiet(20)
        ends.append((bytes(stand.state), stand.cycle.check, stand.cycle.checkins, stand.cycle.wire.count))
    assert ends[1:] == ends[:1] * 2
    assert ends[0][1:] == (PASSED, 0, 0)


def test_the_watchdog_is_fed_in_the_very_first_cycle_whatever_was_in_memory() -> None:
    stand = LineStand()
    ctypes.memset(ctypes.byref(stand.cycle), 0xFF, ctypes.sizeof(stand.cycle))
    stand.begin(ram_sound=True)
    assert stand.cycle.wire.count == 0
    stand.run()
    assert stand.board.fed == 1


def test_the_self_test_ends_after_one_pass_over_the_program() -> None:
    stand = LineStand(image=bytes(64 * 5 + 1))
    stand.quiet(5)
    assert stand.name == "SELFTEST"
    stand.run()
    assert (stand.name, stand.cause) == ("STOPPED", "POWER_UP")


@pytest.mark.parametrize("place", [0, 63, 64, 199])
def test_damage_of_the_program_is_found_within_two_passes_while_running(place: int) -> None:
    stand = line_running()
    stand.image[place] ^= 0x10
    for _ in range(2 * (len(stand.image) // 64 + 1)):
        stand.run()
        if stand.name != "RUN":
            break
    assert (stand.name, stand.cause, stand.state.locked) == ("STOPPED", "PROGRAM", 1)
    assert not stand.on


# ------------------------------------------------------------------------------ watchdog


def test_the_watchdog_is_fed_once_in_every_cycle() -> None:
    stand = LineStand()
    for k in range(1, 50):
        stand.run()
        assert stand.board.fed == k


def test_a_check_in_from_nowhere_keeps_the_watchdog_hungry_for_this_cycle() -> None:
    stand = LineStand()
    for bit in range(5, 32):
        stand.cycle.checkins = 1 << bit
        fed = stand.board.fed
        stand.run()
        assert stand.board.fed == fed
        stand.run()
        assert stand.board.fed == fed + 1


@pytest.mark.parametrize("stage", range(5))
def test_the_watchdog_is_never_fed_when_a_stage_did_not_check_in(
    stage: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = without(r"cycle->checkins \|= [^;]+;", stage)
    library = built(tmp_path, {"cycle.c": silent}, optimise="-O0")
    monkeypatch.setattr("tests.firmware.stand.library", lambda: library)
    stand = LineStand().quiet(50)
    assert stand.name == "STOPPED"
    assert stand.board.fed == 0


def test_no_check_in_is_left_over_for_the_next_cycle() -> None:
    stand = LineStand()
    assert stand.cycle.checkins == 0
    stand.run()
    assert stand.cycle.checkins == 0


def test_the_watchdog_is_fed_at_one_place_only() -> None:
    calls = [
        path.name
        for path in sorted(core_folder().glob("*.c"))
        for _ in re.findall(r"port_feed_watchdog\(\);", path.read_text(encoding="utf-8"))
    ]
    assert calls == ["cycle.c"]


# ------------------------------------------------------------------------------ line


def test_a_line_error_drops_the_frame_under_way_and_is_a_bad_event() -> None:
    stand = line_running().quiet(3)
    frame = stand.frame(RUN)
    stand.send(frame[:7])
    stand.run()
    stand.board.line_errors = 1
    stand.run()
    assert (stand.cycle.wire.count, stand.state.damaged, stand.state.bad) == (0, 1, 1)
    stand.send(frame[7:])
    assert not stand.run()
    assert stand.name == "RUN"


@pytest.mark.parametrize("length", range(1, 16))
def test_half_a_frame_is_dropped_after_ten_milliseconds_of_silence(length: int) -> None:
    stand = line_running().quiet(3)
    stand.send(stand.frame(RUN)[:length])
    stand.run()
    assert stand.cycle.wire.count
    stand.run(TIME["GAP_US"])
    assert stand.cycle.wire.count
    stand.run(1)
    assert (stand.cycle.wire.count, stand.state.damaged) == (0, 1)
    stand.send(stand.frame(RUN))
    assert stand.run()  # and the next frame is found at once
    assert stand.name == "RUN"


def test_silence_between_frames_is_no_damage() -> None:
    stand = line_running().talk(60, RUN, every=30)
    assert (stand.name, stand.state.damaged) == ("RUN", 0)


@pytest.mark.parametrize("size", range(1, 17))
def test_a_frame_in_pieces_of_any_size_is_one_frame(size: int) -> None:
    stand = line_running().quiet(3)
    frame = stand.frame(RUN)
    accepted = stand.state.accepted
    for at in range(0, 16, size):
        stand.send(frame[at : at + size])
        stand.run()
    assert (stand.state.accepted, stand.state.damaged) == (accepted + 1, 0)


def test_one_cycle_takes_one_frame_and_leaves_the_rest() -> None:
    stand = line_running().quiet(3)
    frame = stand.frame(RUN)
    stand.send(frame + frame)
    assert len(stand.run()) == 1
    assert stand.board.received_at == 16
    assert len(stand.run()) == 1
    assert stand.state.refused == 2  # the guard's first word before it knew the session, and this repetition


def test_one_cycle_takes_a_bounded_number_of_bytes() -> None:
    stand = line_running().quiet(3)
    stand.send(bytes(100))
    stand.run()
    assert stand.board.received_at == TAKEN
    stand.run()
    assert stand.board.received_at == 2 * TAKEN


def test_line_errors_count_as_taken_bytes() -> None:
    stand = line_running().quiet(3)
    stand.board.line_errors = 50
    stand.run()
    assert stand.board.line_errors == 50 - TAKEN
    assert stand.state.damaged == 1  # one bad event a cycle, however many


@EXAMPLES
@given(stream=st.binary(max_size=300))
def test_no_bytes_at_all_close_the_relays_or_stop_the_cycle(stream: bytes) -> None:
    stand = LineStand().to_stopped()
    stand.send(stream)
    fed = stand.board.fed
    for k in range(12):
        stand.run()
        assert not stand.on
        assert stand.board.fed == fed + k + 1
    assert stand.name == "STOPPED"


def test_the_contacts_reach_the_step_each_in_its_place() -> None:
    stand = LineStand().to_stopped()
    for bit, name in enumerate(("a", "b", "key")):
        stand.a = stand.b = stand.key = False
        setattr(stand, name, True)
        stand.mirrors = (False, False)
        stand.send(heartbeat(1, STOP, YES, 0, 0, 0))
        assert stand.run()[-1].inputs & 0x1F == 1 << bit
    stand.a = stand.b = stand.key = False
    for bit, mirrors in ((3, (True, False)), (4, (False, True))):
        stand.mirrors = mirrors
        stand.send(heartbeat(1, STOP, YES, 0, 0, 0))
        assert stand.run()[-1].inputs & 0x1F == 1 << bit


def test_the_outputs_reach_the_board() -> None:
    stand = line_running()
    levels = set()
    for _ in range(4):
        stand.run()
        levels.add((stand.board.driven.relay_1, stand.board.driven.relay_2, stand.board.driven.led))
    assert levels == {(True, True, True), (True, False, True)}


def test_the_diagnostic_frame_follows_its_status() -> None:
    stand = line_running()
    found = 0
    for k in range(300):
        stand.send(stand.frame(RUN) if k % 5 == 0 else b"")
        stand.run()
        sent = bytes(stand.board.sent[: stand.board.sent_count])
        kinds = [sent[at + 1] for at in range(0, len(sent), 16)]
        assert kinds in ([], [0x3C], [0x3C, 0x66])
        found += kinds == [0x3C, 0x66]
    assert found > 10
    assert PROTOCOL["codes"]["TYPE_DIAG"][0] == 0x66
