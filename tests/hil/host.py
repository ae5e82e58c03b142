"""A host of its own for the tests of the firmware: as naive as can be, with nothing of guard or bridge in it.

It answers every challenge as if all stages of a tick had run. It can be stepped beat by beat, or talk by itself.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

from firmware_bridge.qemu.machine import go_first
from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p

BEAT_S = 0.010
AFTER_REPLY_S = 0.003  # the firmware takes an answer within EARLY_US of its challenge for a wrong one
REPLY_S = 0.050


@dataclass(frozen=True)
class Status:
    """A status frame."""

    state: int
    inputs: int
    session: int
    seq: int
    challenge: int


@dataclass(frozen=True)
class Page:
    """A diagnostic page."""

    a: int
    b: int
    c: int
    d: int


def crc32(data: bytes) -> int:
    """CRC-32/AUTOSAR bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            odd = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (p.CRC_REFLECTED if odd else 0)
    return crc ^ 0xFFFFFFFF


def checksum(unit: int, data: bytes) -> int:
    """The checksum of a frame: the unit number counts, but is never sent."""
    return crc32(bytes([unit]) + data)


def answer(unit: int, challenge: int, session: int, seq: int) -> int:
    """What a whole tick answers: each stage in its order turns the progress and folds its token in."""
    progress = challenge
    for token in p.TOKENS:
        turned = progress << p.PROGRESS_ROTATE | progress >> 32 - p.PROGRESS_ROTATE
        progress = (turned & 0xFFFFFFFF) ^ token
    return checksum(unit, struct.pack("<IHH", progress, session, seq))


def heartbeat(command: int, rest: int, session: int, seq: int, answered: int, *, unit: int = 1) -> bytes:
    """A heartbeat with any fields."""
    body = struct.pack("<BBBBHHI", p.SYNC_HOST, p.TYPE_HEARTBEAT, command, rest, session, seq, answered)
    return body + struct.pack("<I", checksum(unit, body))


class Host:
    """One end of the line. `status` is the latest status frame, `pages` the latest of every diagnostic page."""

    def __init__(self, port: str, unit: int = 1) -> None:
        self.unit = unit
        self.command, self.rest = p.COMMAND_STOP, p.REST_YES
        self.status: Status | None = None
        self.pages: dict[int, Page] = {}
        self.refused = 0  # bytes that belonged to no frame
        self._file = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a second program on the line would spoil any test
        termios.tcflush(self._file, termios.TCIOFLUSH)
        self._received = b""
        self._replied_at = 0.0
        self._talking: threading.Thread | None = None
        self._quiet = threading.Event()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.be_quiet()
        os.close(self._file)

    def say(self, command: int, rest: int = p.REST_YES) -> None:
        """What the next beats say."""
        self.command, self.rest = command, rest

    def send(self, data: bytes) -> None:
        """Any bytes."""
        os.write(self._file, data)

    def next_frame(self) -> bytes:
        """The right heartbeat for the latest challenge."""
        last = self.status or Status(0, 0, 0, 0, 0)
        seq = (last.seq + 1) & 0xFFFF
        right = answer(self.unit, last.challenge, last.session, seq)
        return heartbeat(self.command, self.rest, last.session, seq, right, unit=self.unit)

    def beat(self, command: int | None = None, rest: int | None = None) -> Status | None:
        """One heartbeat at the right time; returns the status that came back, or None."""
        self.command = self.command if command is None else command
        self.rest = self.rest if rest is None else rest
        self.listen()
        while (wait := self._replied_at + AFTER_REPLY_S - time.monotonic()) > 0.0:
            self.listen(wait)  # what still comes answers older beats, and puts the next one off
        return self.exchange(self.next_frame())

    def exchange(self, frame: bytes) -> Status | None:
        """Sends a frame and waits for the status that answers it."""
        self.send(frame)
        before = self.status
        latest = time.monotonic() + REPLY_S
        while self.status is before:
            left = latest - time.monotonic()
            if left <= 0.0:
                return None
            self.listen(left)
        return self.status

    def listen(self, for_s: float = 0.0) -> None:
        """Takes what has come; waits for it for so long."""
        if select.select([self._file], [], [], for_s)[0]:
            self._received += os.read(self._file, 4096)
        while len(self._received) >= p.FRAME_BYTES:
            size = p.FRAME_BYTES if self._take(self._received[: p.FRAME_BYTES]) else 1
            self.refused += size == 1
            self._received = self._received[size:]

    def _take(self, frame: bytes) -> bool:
        sync, kind, code, first, second, third, fourth, crc = struct.unpack("<BBBBHHII", frame)
        if sync != p.SYNC_MCU or crc != checksum(self.unit, frame[: p.BODY_BYTES]):
            return False
        if kind == p.TYPE_STATUS:
            self.status = Status(code, first, second, third, fourth)
            self._replied_at = time.monotonic()
        else:
            self.pages[code] = Page(first, second, third, fourth)
        return True

    def talk(self) -> None:
        """Beats by itself, a hundred times a second."""
        self._quiet.clear()
        self._talking = threading.Thread(target=self._talk, name="host", daemon=True)
        self._talking.start()

    def be_quiet(self) -> None:
        """Stops beating."""
        self._quiet.set()
        if self._talking is not None:
            self._talking.join()
            self._talking = None

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """A pause in the beats, for beats by hand."""
        self.be_quiet()
        yield
        self.talk()

    def _talk(self) -> None:
        go_first(threading.get_native_id())  # a guard would run in real time
        due = time.monotonic()
        while not self._quiet.is_set():
            self.beat()
            due = max(due + BEAT_S, time.monotonic())
            self._quiet.wait(due - time.monotonic())


def arm(board: QemuBoard, host: Host) -> None:
    """From STOPPED to ARMED, with a talking host."""
    host.say(p.COMMAND_STOP)
    ready = (("state", p.STATE_STOPPED), ("streak", p.STREAK_MIN), ("locked", 0))
    board.wait(
        lambda: (
            all(board.state(field) == value for field, value in ready)
            and board.state("closed_us") >= p.RELEASE_US
            and not any(relay.closed for relay in board.relays)
        ),
        "readiness for the key",
    )
    board.turn_key(0.2)
    board.wait_state(p.STATE_ARMED)


def run(board: QemuBoard, host: Host) -> None:
    """From STOPPED to RUN, with the actuators' supply on."""
    arm(board, host)
    host.say(p.COMMAND_RUN)
    board.wait_state(p.STATE_RUN)
    board.wait_power(True)
