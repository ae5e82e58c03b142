"""Any frame comes back as it went; any bytes decode to a frame or to nothing, and never raise."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.wire import Diag, McuState, Status, checksum, decode, encode, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from tests.hil.host import checksum as bitwise_checksum

byte = st.integers(0, 255)
half = st.integers(0, 0xFFFF)
word = st.integers(0, 0xFFFFFFFF)
units = byte
statuses = st.builds(Status, st.sampled_from(McuState), byte, half, half, word)
pages = st.builds(Diag, st.integers(0, hb.PAGE_COUNT - 1), byte, half, half, word)
frames = st.one_of(statuses, pages)
beats = st.tuples(byte, byte, half, half, word)

settings.register_profile("wire", deadline=None, max_examples=300)
WIRE = settings(settings.get_profile("wire"))


@given(frame=frames, unit=units)
@WIRE
def test_a_frame_comes_back_as_it_went(frame: Status | Diag, unit: int) -> None:
    data = encode(frame, unit)
    assert len(data) == p.FRAME_BYTES
    assert decode(data, unit) == frame


@given(data=st.binary(max_size=40), unit=units)
@WIRE
def test_any_bytes_are_a_frame_or_nothing(data: bytes, unit: int) -> None:
    frame = decode(data, unit)
    assert frame is None or encode(frame, unit) == data


@given(body=st.binary(min_size=11, max_size=11), unit=units)
@WIRE
def test_sealed_bytes_are_exactly_what_they_encode_or_nothing(body: bytes, unit: int) -> None:
    """Random bytes hardly ever have a right checksum; these all have."""
    whole = bytes([p.SYNC_MCU]) + body
    data = whole + checksum(unit, whole).to_bytes(4, "little")
    frame = decode(data, unit)
    known = body[0] == p.TYPE_STATUS and body[1] in list(McuState)
    known |= body[0] == p.TYPE_DIAG and body[1] < hb.PAGE_COUNT
    assert (frame is not None) == known
    assert frame is None or encode(frame, unit) == data


@given(frame=frames, unit=units, bits=st.sets(st.integers(0, 127), min_size=1, max_size=7))
@WIRE
def test_up_to_seven_flipped_bits_are_found(frame: Status | Diag, unit: int, bits: set[int]) -> None:
    """The Hamming distance of the whole frame is eight."""
    damaged = int.from_bytes(encode(frame, unit), "little") ^ sum(1 << bit for bit in bits)
    assert decode(damaged.to_bytes(p.FRAME_BYTES, "little"), unit) is None


@given(frame=frames, unit=units, other=units)
@WIRE
def test_a_frame_is_for_one_unit_only(frame: Status | Diag, unit: int, other: int) -> None:
    assert (decode(encode(frame, unit), other) == frame) == (unit == other)


@given(data=st.binary(max_size=64), unit=units)
@WIRE
def test_the_checksum_is_the_naive_one(data: bytes, unit: int) -> None:
    assert checksum(unit, data) == bitwise_checksum(unit, data)


@given(fields=beats, unit=units)
@WIRE
def test_a_heartbeat_is_never_taken_for_an_answer(fields: tuple[int, int, int, int, int], unit: int) -> None:
    command, rest, session, seq, answer = fields
    assert decode(heartbeat_bytes(command, rest, session, seq, answer, unit=unit), unit) is None


@given(
    parts=st.lists(st.one_of(st.binary(max_size=20), frames), max_size=12),
    unit=units,
    cuts=st.lists(st.integers(1, 30), max_size=20),
)
@WIRE
def test_the_receiver_takes_what_the_decoder_takes(
    parts: list[bytes | Status | Diag], unit: int, cuts: list[int]
) -> None:
    """Of any stream in any pieces, it counts what a naive receiver cuts out with `decode`."""
    stream = b"".join(part if isinstance(part, bytes) else encode(part, unit) for part in parts)
    link, rx = hb.new_link(unit), np.zeros(p.FRAME_BYTES, np.int64)
    for piece in _pieces(stream, cuts):
        for value in piece:
            hb.hear(link, rx, value, 1)
    expected = _received(stream, unit)
    counted = int(link[hb.ANSWERS] + link[hb.REFUSED])
    assert counted == sum(isinstance(frame, Status) for frame in expected)
    rows = {frame.page: frame for frame in expected if isinstance(frame, Diag)}  # the latest of each page
    for page, frame in rows.items():
        row = hb.PAGES + page * hb.PAGE_WORDS
        assert link[row : row + hb.PAGE_WORDS].tolist() == list(dataclasses.astuple(frame))[1:]


def _pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    pieces = []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    return [*pieces, stream]


def _received(stream: bytes, unit: int) -> list[Status | Diag]:
    """Byte by byte: a whole frame is taken, of anything else the first byte is dropped."""
    found: list[Status | Diag] = []
    at = 0
    while at + p.FRAME_BYTES <= len(stream):
        data = stream[at : at + p.FRAME_BYTES]
        whole = data[0] == p.SYNC_MCU and checksum(unit, data[:12]).to_bytes(4, "little") == data[12:]
        frame = decode(data, unit)
        found += [frame] if frame is not None else []
        at += p.FRAME_BYTES if whole else 1
    return found
