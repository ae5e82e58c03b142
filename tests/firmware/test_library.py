"""The shared library is what the tests think it is, and the two codecs agree."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.examples import EXAMPLES
from tests.firmware.library import (
    FIRMWARE,
    Board,
    Boot,
    Cycle,
    Driver,
    Event,
    Inputs,
    Outputs,
    Selfcheck,
    Wire,
    core_folder,
    fields_of,
    library,
    opened,
)
from tests.firmware.protocol import CODE, PROTOCOL, Receiver, answer, crc, heartbeat

WORDS = st.integers(0, 2**32 - 1)
HALVES = st.integers(0, 2**16 - 1)


@pytest.mark.parametrize(
    ("header", "name", "record"),
    [
        ("estop.h", "estop_inputs_t", Inputs),
        ("estop.h", "estop_outputs_t", Outputs),
        ("estop.h", "estop_event_t", Event),
        ("estop.h", "estop_boot_t", Boot),
        ("wire.h", "wire_t", Wire),
        ("selfcheck.h", "selfcheck_t", Selfcheck),
        ("cycle.h", "cycle_t", Cycle),
        ("../ports/host/driver.h", "driver_t", Driver),
        ("../ports/host/port.c", "board_t", Board),
    ],
)
def test_records_have_the_fields_of_the_header_in_its_order(
    header: str, name: str, record: type[ctypes.Structure]
) -> None:
    # The ports lie beside the real core even when a mutant of the core is under test.
    where = str(FIRMWARE / header[3:]) if header.startswith("../") else str(core_folder() / header)
    assert [field[0] for field in record._fields_] == fields_of(where, name)


def test_a_library_with_another_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("tests.firmware.library", fromlist=["SIZES"]).SIZES, "cycle_bytes", Wire)
    with pytest.raises(RuntimeError, match="cycle_bytes"):
        opened(Path(library()._name))


def test_the_checksum_is_crc_32_autosar() -> None:
    core = library()
    text = b"123456789"
    assert core.wire_crc(text[0], text[1:], 8) == crc(text[0], text[1:]) == PROTOCOL["crc"]["check"]
    register = core.wire_crc_begin()
    for byte in text:
        register = core.wire_crc_byte(register, byte)
    assert core.wire_crc_end(register) == PROTOCOL["crc"]["check"]


@EXAMPLES
@given(unit=WORDS, data=st.binary(max_size=64))
def test_both_sides_compute_the_same_checksum(unit: int, data: bytes) -> None:
    assert library().wire_crc(unit, data, len(data)) == crc(unit, data)


@EXAMPLES
@given(unit=WORDS, challenge=WORDS, session=HALVES, seq=HALVES)
def test_both_sides_compute_the_same_answer(unit: int, challenge: int, session: int, seq: int) -> None:
    assert library().estop_answer(unit, challenge, session, seq) == answer(unit, challenge, session, seq)


@EXAMPLES
@given(value=WORDS)
def test_fields_are_little_endian(value: int) -> None:
    core = library()
    four = (ctypes.c_uint8 * 4)()
    core.wire_put32(four, value)
    assert bytes(four) == value.to_bytes(4, "little")
    assert core.wire_get32(bytes(four)) == value
    two = (ctypes.c_uint8 * 3)(0, 0, 0x77)
    core.wire_put16(two, value)
    assert bytes(two) == (value % 65536).to_bytes(2, "little") + b"\x77"
    assert core.wire_get16(bytes(two)) == value % 65536


@EXAMPLES
@given(unit=WORDS, body=st.binary(min_size=16, max_size=16))
def test_a_closed_frame_has_sync_type_and_checksum_around_its_body(unit: int, body: bytes) -> None:
    frame = (ctypes.c_uint8 * 16)(*body)
    library().wire_close(unit, CODE["TYPE_STATUS"], ctypes.byref(frame))
    made = bytes(frame)
    assert made[:12] == bytes((CODE["SYNC_MCU"], CODE["TYPE_STATUS"])) + body[2:12]
    assert made[12:] == crc(unit, made[:12]).to_bytes(4, "little")


def pushed(unit: int, data: bytes) -> list[bytes | str | None]:
    """What the firmware's receiver says to each byte."""
    core, wire = library(), Wire()
    memory = (ctypes.c_uint8 * 32)(*[0xEE] * 32)
    frame = ctypes.cast(memory, ctypes.POINTER(ctypes.c_uint8 * 16))
    said: list[bytes | str | None] = []
    for byte in data:
        result = core.wire_push(ctypes.byref(wire), unit, byte, frame)
        said.append((None, bytes(memory[:16]), "damaged")[result])
        assert wire.count < 16
        assert bytes(memory[16:]) == bytes([0xEE] * 16)  # nothing behind the frame is written
    return said


PIECES = st.one_of(
    st.builds(heartbeat, st.just(9), st.just(0xF0), st.just(0x96), HALVES, HALVES, WORDS),
    st.binary(max_size=20),
    st.lists(st.sampled_from([0xA5, 0xC3, 0x5A, 0x00]), max_size=24).map(bytes),
    st.builds(
        lambda frame, at: frame[:at] + frame[at + 1 :],
        st.builds(heartbeat, st.just(9), st.just(0x0F), st.just(0x69), HALVES, HALVES, WORDS),
        st.integers(0, 15),
    ),
    st.builds(
        lambda frame, at, bit: frame[:at] + bytes((frame[at] ^ 1 << bit,)) + frame[at + 1 :],
        st.builds(heartbeat, st.just(9), st.just(0x0F), st.just(0x96), HALVES, HALVES, WORDS),
        st.integers(0, 15),
        st.integers(0, 7),
    ),
)


@EXAMPLES
@given(pieces=st.lists(PIECES, max_size=8))
def test_both_receivers_find_the_same_frames_in_any_stream(pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    receiver = Receiver(9)
    assert pushed(9, stream) == [receiver.push(byte) for byte in stream]


@EXAMPLES
@given(noise=st.one_of(st.binary(max_size=40), st.lists(st.sampled_from([0xA5, 0xC3]), max_size=40).map(bytes)))
def test_after_any_noise_the_very_next_whole_frame_is_found(noise: bytes) -> None:
    frame = heartbeat(9, 0xF0, 0x96, 1, 2, 3)
    assert pushed(9, noise + frame)[-1] == frame


def test_a_frame_of_another_type_is_none() -> None:
    body = bytes((CODE["SYNC_HOST"], CODE["TYPE_STATUS"])) + bytes(10)
    assert "damaged" in pushed(9, body + crc(9, body).to_bytes(4, "little"))


@pytest.mark.parametrize("count", [16, 17, 24, 40, 0x1_0000, 0x8000_0000, 0xFFFF_FFFF])
def test_a_damaged_count_never_leads_behind_the_buffer(count: int) -> None:
    """RAM damage: the receiver begins anew, with this very byte, and touches nothing but its own memory."""
    memory = (ctypes.c_uint8 * (ctypes.sizeof(Wire) + 64))(*[0xEE] * (ctypes.sizeof(Wire) + 64))
    wire = Wire.from_buffer(memory)
    wire.count = count
    frame = (ctypes.c_uint8 * 16)()
    assert library().wire_push(ctypes.byref(wire), 9, CODE["SYNC_HOST"], ctypes.byref(frame)) == 0
    assert (wire.count, wire.byte[0]) == (1, CODE["SYNC_HOST"])
    assert bytes(memory[ctypes.sizeof(Wire) :]) == bytes([0xEE] * 64)
    assert bytes(wire.byte[1:]) == bytes([0xEE] * 15)


def test_silence_drops_an_unfinished_frame_and_says_so() -> None:
    core, wire = library(), Wire()
    frame = (ctypes.c_uint8 * 16)()
    assert not core.wire_idle(ctypes.byref(wire))
    core.wire_push(ctypes.byref(wire), 9, 0xA5, ctypes.byref(frame))
    assert core.wire_idle(ctypes.byref(wire))
    assert wire.count == 0
    assert not core.wire_idle(ctypes.byref(wire))
