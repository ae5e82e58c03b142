"""Every error of IEC 61784-3 on the real line of the emulated board: while it lasts there is no power, and when it is
over nothing starts again by itself. The exact bounds of each are in tests/firmware/test_black_channel.py."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest

from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from safetykit.core.protocol import Cause
from tests.hil.host import BEAT_S, Host, answer, checksum, heartbeat, run

LASTS_S = 0.4
Spoil = Callable[[Host, bytes, bytes], bytes]  # the host, the right frame, the first right frame; what is sent instead


def corrupted(host: Host, right: bytes, first: bytes) -> bytes:
    return right[:9] + bytes([right[9] ^ 0x10]) + right[10:]


def repeated(host: Host, right: bytes, first: bytes) -> bytes:
    return first


def out_of_order(host: Host, right: bytes, first: bytes) -> bytes:
    assert host.status is not None
    status, seq = host.status, (host.status.seq + 2) & 0xFFFF
    right_for_it = answer(host.unit, status.challenge, status.session, seq)
    return heartbeat(host.command, host.rest, status.session, seq, right_for_it)


def lost(host: Host, right: bytes, first: bytes) -> bytes:
    return b""


def inserted(host: Host, right: bytes, first: bytes) -> bytes:
    """A second program on the port, three times as busy as the guard: it knows the format and nothing else."""
    return heartbeat(p.COMMAND_RUN, p.REST_YES, 0x5A5A, 1, 0xDEADBEEF) * 3 + right


def echoed(host: Host, right: bytes, first: bytes) -> bytes:
    """The board's own status comes back to it, as over a shorted line."""
    assert host.status is not None
    s = host.status
    body = struct.pack("<BBBBHHI", p.SYNC_MCU, p.TYPE_STATUS, s.state, s.inputs, s.session, s.seq, s.challenge)
    return body + struct.pack("<I", checksum(host.unit, body))


def without_a_stage(host: Host, right: bytes, first: bytes) -> bytes:
    """A program that speaks the protocol, but is not a whole tick of a guard."""
    assert host.status is not None
    s, seq = host.status, (host.status.seq + 1) & 0xFFFF
    progress = s.challenge
    for token in p.TOKENS[:-1]:
        turned = progress << p.PROGRESS_ROTATE | progress >> 32 - p.PROGRESS_ROTATE
        progress = (turned & 0xFFFFFFFF) ^ token
    spoilt = checksum(host.unit, struct.pack("<IHH", progress, s.session, seq))
    return heartbeat(host.command, host.rest, s.session, seq, spoilt)


def for_another_unit(host: Host, right: bytes, first: bytes) -> bytes:
    body = right[: p.BODY_BYTES]
    return body + struct.pack("<I", checksum(host.unit + 1, body))


BAD, SILENT = Cause.HOST_BAD, Cause.HOST_SILENT
ERRORS: dict[str, tuple[Spoil, set[Cause]]] = {
    "corruption": (corrupted, {BAD}),
    "repetition": (repeated, {BAD}),
    "wrong order": (out_of_order, {BAD}),
    "loss": (lost, {SILENT}),
    "insertion": (inserted, {BAD}),
    "masquerade: echo": (echoed, {SILENT}),
    "masquerade: a stage short": (without_a_stage, {BAD}),
    "addressing": (for_another_unit, {BAD}),
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_that_lasts_opens_the_relays_and_its_end_closes_none(board: QemuBoard, host: Host, error: str) -> None:
    spoil, causes = ERRORS[error]
    run(board, host)
    host.be_quiet()
    number = board.event().number
    first, end_s = host.next_frame(), time.monotonic() + LASTS_S
    while time.monotonic() < end_s:
        time.sleep(BEAT_S)
        host.listen()
        host.send(spoil(host, host.next_frame(), first))
    board.wait_power(False)
    event = board.event()
    assert event.number == number + 1
    assert Cause(event.cause) in causes | {SILENT}  # a busy host may be silent for longer than its errors need
    assert event.link_us <= p.LINK_US + board.state("cycle_max_us")
    host.talk()
    board.wait(lambda: board.state("streak") == p.STREAK_MIN, "link")
    time.sleep(0.1)
    assert board.state("state") == p.STATE_STOPPED
    assert not board.power


def test_delay_is_silence_and_the_late_answer_comes_to_nothing(board: QemuBoard, host: Host) -> None:
    run(board, host)
    host.be_quiet()
    late = host.next_frame()
    board.wait_power(False)
    event = board.event()
    assert Cause(event.cause) == SILENT
    assert event.link_us <= p.LINK_US + board.state("cycle_max_us")
    accepted = board.state("accepted")
    host.exchange(late)
    assert board.state("accepted") == accepted
    assert board.state("state") == p.STATE_STOPPED
