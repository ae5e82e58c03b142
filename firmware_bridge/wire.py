"""Frames of the link to the emergency-stop microcontroller, decoded for people and tools.

`decode` takes any bytes and returns a frame or nothing; it never raises. The bytes are described in hw/PROTOCOL.md;
checksum and codes are those of the compiled core, so that there is one truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

import numpy as np

from safetykit.core import heartbeat
from safetykit.core import protocol as p

_FRAME = Struct("<BBBBHHII")  # sync, type, state or page, inputs or a, session or b, seq or c, challenge or d, checksum
_BODY = Struct("<BBBBHHI")  # the same without the checksum


class McuState(IntEnum):
    """State of the microcontroller."""

    SELFTEST = p.STATE_SELFTEST
    STOPPED = p.STATE_STOPPED
    ARMED = p.STATE_ARMED
    RUN = p.STATE_RUN


@dataclass(frozen=True)
class Status:
    """Answer to one heartbeat."""

    state: McuState
    inputs: int  # bits IN_...
    session: int
    seq: int  # of the last heartbeat that the microcontroller took as right
    challenge: int


@dataclass(frozen=True)
class Diag:
    """One diagnostic page; what a to d mean depends on the page."""

    page: int
    a: int
    b: int
    c: int
    d: int


def checksum(unit: int, data: bytes) -> int:
    """CRC-32/AUTOSAR over the unit number (never sent) and `data`."""
    words = np.frombuffer(data, np.uint8).astype(np.int64)
    return int(heartbeat.checksum(unit, words, len(words)))


def decode(data: bytes, unit: int) -> Status | Diag | None:
    """The frame that `data` is, or None: wrong length, direction, checksum, unit, or an unknown code."""
    if len(data) != p.FRAME_BYTES or data[0] != p.SYNC_MCU:
        return None
    _, kind, first, a, b, c, d, crc = _FRAME.unpack(data)
    if crc != checksum(unit, data[: p.BODY_BYTES]):
        return None
    if kind == p.TYPE_STATUS and first in McuState._value2member_map_:
        return Status(McuState(first), a, b, c, d)
    if kind == p.TYPE_DIAG and first < heartbeat.PAGE_COUNT:
        return Diag(first, a, b, c, d)
    return None


def encode(frame: Status | Diag, unit: int) -> bytes:
    """The bytes of a frame from the microcontroller; for simulated ones and for tests."""
    if isinstance(frame, Status):
        body = _BODY.pack(
            p.SYNC_MCU, p.TYPE_STATUS, frame.state, frame.inputs, frame.session, frame.seq, frame.challenge
        )
    else:
        body = _BODY.pack(p.SYNC_MCU, p.TYPE_DIAG, frame.page, frame.a, frame.b, frame.c, frame.d)
    return body + checksum(unit, body).to_bytes(4, "little")


def heartbeat_bytes(command: int, rest: int, session: int, seq: int, answer: int, *, unit: int) -> bytes:
    """The bytes of a heartbeat with any fields, right or wrong."""
    body = _BODY.pack(p.SYNC_HOST, p.TYPE_HEARTBEAT, command, rest, session, seq, answer)
    return body + checksum(unit, body).to_bytes(4, "little")
