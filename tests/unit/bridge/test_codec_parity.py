"""One codec in two languages: what the firmware's C writes, Python reads, and the other way round."""

from __future__ import annotations

import ctypes
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.wire import Diag, McuState, Status, checksum, decode, encode, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p
from tests.firmware.library import Wire, library
from tests.unit.bridge.core_board import CoreBoard
from tests.unit.bridge.test_link import frames

NOTHING, FRAME, DAMAGED = 0, 1, 2  # wire_result_t
MANY = settings(deadline=None, max_examples=300)

byte, half, word = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
beats = st.tuples(
    st.sampled_from([p.COMMAND_STOP, p.COMMAND_RUN, 0, 255]),
    st.sampled_from([p.REST_YES, p.REST_NO, 1]),
    half,
    half,
    word,
)

Taken = list[tuple[int, bytes]]


def pushed(data: bytes, unit: int) -> Taken:
    """(result, frame) of every byte for which the firmware's receiver said something."""
    wire, frame = Wire(), (ctypes.c_uint8 * p.FRAME_BYTES)()
    said = []
    for value in data:
        result = int(library().wire_push(ctypes.byref(wire), unit, value, ctypes.byref(frame)))
        if result != NOTHING:
            said.append((result, bytes(frame) if result == FRAME else b""))
    return said


def closed(kind: int, body: bytes, unit: int) -> bytes:
    """Ten bytes of content, as the firmware seals them."""
    frame = (ctypes.c_uint8 * p.FRAME_BYTES)(0, 0, *body)
    library().wire_close(unit, kind, ctypes.byref(frame))
    return bytes(frame)


@given(unit=byte, data=st.binary(max_size=40))
@MANY
def test_the_checksum_is_the_same(unit: int, data: bytes) -> None:
    assert library().wire_crc(unit, data, len(data)) == checksum(unit, data)


@given(frame=frames, unit=byte)
@MANY
def test_what_c_seals_is_what_python_encodes(frame: Status | Diag, unit: int) -> None:
    data = encode(frame, unit)
    assert closed(data[1], data[2:12], unit) == data
    assert decode(closed(data[1], data[2:12], unit), unit) == frame


@given(fields=beats, unit=byte)
@MANY
def test_what_python_encodes_c_takes(fields: tuple[int, int, int, int, int], unit: int) -> None:
    command, rest, session, seq, answer = fields
    data = heartbeat_bytes(command, rest, session, seq, answer, unit=unit)
    assert pushed(data, unit) == [(FRAME, data)]
    assert all(result != FRAME for result, _ in pushed(data, unit ^ 1))


@given(session=half, seq=half, challenge=word, run=st.booleans(), rest=st.booleans(), unit=byte)
@MANY
def test_what_the_loop_says_c_takes(session: int, seq: int, challenge: int, run: bool, rest: bool, unit: int) -> None:
    link, tx = hb.new_link(unit), np.zeros(p.FRAME_BYTES, np.int64)
    link[hb.SESSION], link[hb.SEQ], link[hb.CHALLENGE] = session, seq, challenge
    hb.compare(link, challenge, progress.whole(challenge))
    hb.beat(link, tx, run, rest, 1)
    data = bytes(tx.astype(np.uint8))
    assert pushed(data, unit) == [(FRAME, data)]
    answer = library().estop_answer(unit, challenge, session, (seq + 1) & 0xFFFF)
    assert struct.unpack("<HHI", data[4:12]) == (session, (seq + 1) & 0xFFFF, answer)


@given(
    parts=st.lists(
        st.one_of(st.binary(max_size=24), beats, st.just(bytes([p.SYNC_HOST])), st.just(b"\xa5\xc3\x0f")), max_size=10
    ),
    unit=byte,
)
@MANY
def test_of_any_stream_c_takes_the_frames_that_are_in_it(parts: list[bytes | tuple[int, ...]], unit: int) -> None:
    """A naive receiver in Python: the frame at the first place where one fits; else one byte further."""
    stream = b""
    for part in parts:
        stream += part if isinstance(part, bytes) else heartbeat_bytes(*part, unit=unit)
    expected, at = [], 0
    while at + p.FRAME_BYTES <= len(stream):
        data = stream[at : at + p.FRAME_BYTES]
        whole = data[:2] == bytes([p.SYNC_HOST, p.TYPE_HEARTBEAT])
        whole = whole and checksum(unit, data[:12]).to_bytes(4, "little") == data[12:]
        expected += [data] if whole else []
        at += p.FRAME_BYTES if whole else 1
    assert [frame for result, frame in pushed(stream, unit) if result == FRAME] == expected


@given(unit=byte, challenge=word, session=half, seq=half)
@MANY
def test_the_right_answer_is_the_same(unit: int, challenge: int, session: int, seq: int) -> None:
    expected = library().estop_answer(unit, challenge, session, seq)
    assert hb.answer(unit, progress.whole(challenge), session, seq) == expected


@pytest.mark.parametrize("seed", [1, 0xDEADBEEF])
@pytest.mark.parametrize("unit", [0, 1, 255])
def test_everything_the_firmware_says_is_read_alike(unit: int, seed: int) -> None:
    """A conversation with the whole firmware: every frame decodes, encodes to the same bytes, and is heard."""
    board, link = CoreBoard(unit=unit, seed=seed), hb.new_link(unit)
    rx, tx = np.zeros(p.FRAME_BYTES, np.int64), np.zeros(p.FRAME_BYTES, np.int64)
    rng, said = np.random.default_rng(seed), b""
    pages: set[int | str] = set()
    for now_ms in range(4000):
        if hb.due(link, now_ms * 1_000_000):
            challenge = int(link[hb.CHALLENGE])
            hb.compare(link, challenge, progress.whole(challenge) ^ int(rng.random() < 0.1))
            hb.beat(link, tx, bool(rng.random() < 0.5), True, now_ms * 1_000_000)
            board.take(bytes(tx.astype(np.uint8)))
        board.pressed = bool(rng.random() < 0.01)
        board.run_cycle()
        data = board.give()
        said += data
        for value in data:
            hb.hear(link, rx, value, now_ms * 1_000_000)
    assert len(said) > 4000
    statuses = 0
    for at in range(0, len(said) - p.FRAME_BYTES, p.FRAME_BYTES):
        frame = decode(said[at : at + p.FRAME_BYTES], unit)
        assert frame is not None
        assert encode(frame, unit) == said[at : at + p.FRAME_BYTES]
        statuses += isinstance(frame, Status)
        pages |= {frame.page} if isinstance(frame, Diag) else {f"state {McuState(frame.state).name}"}
    assert int(link[hb.ANSWERS] + link[hb.REFUSED]) in (statuses, statuses + 1)
    assert link[hb.DAMAGED] == link[hb.STRAY] == link[hb.FOREIGN] == 0
    assert pages >= {p.PAGE_IDENT, p.PAGE_LINK, p.PAGE_HEALTH, *range(8, 16), "state STOPPED"}
    assert int(board.cycle.state.damaged) == 0
    assert int(board.cycle.state.accepted) > 50
