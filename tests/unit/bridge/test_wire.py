"""Frames from the microcontroller: what decodes, and that everything damaged does not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from firmware_bridge.wire import Diag, McuState, Status, checksum, decode, encode, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from tests.hil.host import checksum as bitwise_checksum
from tests.hil.host import heartbeat as naive_heartbeat

UNIT = 3
STATUS = Status(McuState.RUN, 0x63, 0x1234, 0xFFFE, 0xDEADBEEF)
IDENT = Diag(p.PAGE_IDENT, p.VERSION, 0x0100, 1, 0xCAFE0001)
FRAMES = [STATUS, IDENT, Diag(15, 255, 65535, 65535, 0xFFFFFFFF), Status(McuState.SELFTEST, 0, 0, 0, 0)]
BITS = 8 * p.FRAME_BYTES


def flipped(data: bytes, *bits: int) -> bytes:
    number = int.from_bytes(data, "little")
    for bit in bits:
        number ^= 1 << bit
    return number.to_bytes(len(data), "little")


def sealed(body: bytes, unit: int = UNIT) -> bytes:
    """Any twelve bytes under a right checksum."""
    return body + checksum(unit, body).to_bytes(4, "little")


def test_the_bytes_of_a_status_are_those_of_the_page() -> None:
    """hw/PROTOCOL.md, byte by byte."""
    data = encode(STATUS, UNIT)
    assert data[:12] == bytes([0x5A, 0x3C, 0x55, 0x63, 0x34, 0x12, 0xFE, 0xFF, 0xEF, 0xBE, 0xAD, 0xDE])
    assert data[12:] == bitwise_checksum(UNIT, data[:12]).to_bytes(4, "little")


def test_the_bytes_of_a_diagnostic_frame_are_those_of_the_page() -> None:
    data = encode(IDENT, UNIT)
    assert data[:12] == bytes([0x5A, 0x66, 0x00, 0x01, 0x00, 0x01, 0x01, 0x00, 0x01, 0x00, 0xFE, 0xCA])


def test_the_bytes_of_a_heartbeat_are_those_of_the_page() -> None:
    data = heartbeat_bytes(p.COMMAND_STOP, p.REST_NO, 0x1234, 0xFFFE, 0xDEADBEEF, unit=UNIT)
    assert data[:12] == bytes([0xA5, 0xC3, 0x0F, 0x69, 0x34, 0x12, 0xFE, 0xFF, 0xEF, 0xBE, 0xAD, 0xDE])
    assert data == naive_heartbeat(p.COMMAND_STOP, p.REST_NO, 0x1234, 0xFFFE, 0xDEADBEEF, unit=UNIT)


@pytest.mark.parametrize("frame", FRAMES)
def test_what_is_encoded_decodes(frame: Status | Diag) -> None:
    assert decode(encode(frame, UNIT), UNIT) == frame


def test_every_wrong_length_is_nothing() -> None:
    data = encode(STATUS, UNIT)
    for length in [*range(p.FRAME_BYTES), *range(p.FRAME_BYTES + 1, 3 * p.FRAME_BYTES)]:
        assert decode((data * 3)[:length], UNIT) is None


def test_every_wrong_first_byte_is_nothing_even_under_a_right_checksum() -> None:
    body = encode(STATUS, UNIT)[:12]
    taken = [first for first in range(256) if decode(sealed(bytes([first]) + body[1:]), UNIT) is not None]
    assert taken == [p.SYNC_MCU]


def test_every_wrong_type_is_nothing_even_under_a_right_checksum() -> None:
    body = encode(replace(STATUS, state=McuState.RUN), UNIT)[:12]
    taken = [kind for kind in range(256) if decode(sealed(body[:1] + bytes([kind]) + body[2:]), UNIT) is not None]
    assert taken == [p.TYPE_STATUS]  # a RUN in a diagnostic frame would be page 0x55, which there is not


def test_every_unknown_state_and_page_is_nothing() -> None:
    status, page = encode(STATUS, UNIT)[:12], encode(IDENT, UNIT)[:12]
    states = [code for code in range(256) if decode(sealed(status[:2] + bytes([code]) + status[3:]), UNIT) is not None]
    pages = [code for code in range(256) if decode(sealed(page[:2] + bytes([code]) + page[3:]), UNIT) is not None]
    assert states == sorted(McuState)
    assert pages == list(range(hb.PAGE_COUNT))


def test_a_frame_of_any_other_unit_is_nothing() -> None:
    taken = [unit for unit in range(256) if decode(encode(STATUS, unit), UNIT) is not None]
    assert taken == [UNIT]


def test_a_heartbeat_is_no_frame_from_the_microcontroller() -> None:
    assert decode(heartbeat_bytes(p.COMMAND_RUN, p.REST_YES, 1, 2, 3, unit=UNIT), UNIT) is None


@pytest.mark.parametrize("frame", FRAMES)
def test_every_single_flipped_bit_is_found(frame: Status | Diag) -> None:
    data = encode(frame, UNIT)
    assert [bit for bit in range(BITS) if decode(flipped(data, bit), UNIT) is not None] == []


def test_every_two_flipped_bits_are_found() -> None:
    data = encode(STATUS, UNIT)
    pairs = itertools.combinations(range(BITS), 2)
    assert [pair for pair in pairs if decode(flipped(data, *pair), UNIT) is not None] == []


def test_every_burst_of_up_to_32_bits_is_found() -> None:
    """Its first and last bit are wrong, what lies between is wrong in one of three patterns."""
    data = encode(IDENT, UNIT)
    for length in range(3, 33):
        for inner in (0, (1 << length - 2) - 1, 0x2AAAAAAA & (1 << length - 2) - 1):
            burst = 1 | inner << 1 | 1 << length - 1
            for start in range(BITS - length + 1):
                wrong = [start + bit for bit in range(length) if burst >> bit & 1]
                assert decode(flipped(data, *wrong), UNIT) is None


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_decodes(kind: type) -> None:
    assert decode(kind(encode(STATUS, UNIT)), UNIT) == STATUS
