"""From a heartbeat on the serial port of the emulated board to the last byte of the status that answers it.

Reference: 16 bytes to `cat` behind a pseudo terminal and back. In both cases one process stands behind the terminal and
goes first where that is allowed; the two are asked in turn, so that they see the same weather.
"""

from __future__ import annotations

import os
import random
import select
import subprocess
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from firmware_bridge.qemu.machine import BoardError, go_first
from firmware_bridge.qemu_board import QemuBoard
from firmware_bridge.wire import McuState, Status, decode, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p
from tests.bench.measure import Row, Section, percentiles

TRIPS = 800
UNIT = 1
LIMIT_S = 0.5  # for one exchange
SETTLE_S = 0.003  # the firmware takes an answer sooner than EARLY_US after its challenge for a wrong one
CYCLE_S = 0.001  # spread over the microcontroller's cycle
CYCLE_US = 1_000.0
TITLE = "Emergency stop: heartbeat to status over the serial port"
REFERENCE = "16 bytes to `cat` behind a pseudo terminal and back, in turn"


def exchange(fd: int, frame: bytes) -> tuple[float, bytes]:
    """(µs until as many bytes as a frame has were back, these bytes). Fewer if they never come."""
    data = b""
    begin_ns = time.monotonic_ns()
    os.write(fd, frame)
    while len(data) < p.FRAME_BYTES and select.select([fd], [], [], LIMIT_S)[0]:
        data += os.read(fd, p.FRAME_BYTES - len(data))
    return (time.monotonic_ns() - begin_ns) / 1000.0, data


def drop(fd: int) -> None:
    """Diagnostic frames, and what came too late."""
    while select.select([fd], [], [], 0.0)[0]:
        os.read(fd, 4096)


def heartbeat(status: Status) -> bytes:
    """The right one after this status."""
    seq, answered = (status.seq + 1) & 0xFFFF, status.challenge
    for stage in p.Stage:
        answered = progress.fold(answered, stage)
    sealed = int(hb.answer(UNIT, answered & 0xFFFFFFFF, status.session, seq))
    return heartbeat_bytes(p.COMMAND_STOP, p.REST_YES, status.session, seq, sealed, unit=UNIT)


@contextmanager
def echo() -> Iterator[int]:
    """Our end of a terminal behind which `cat` runs."""
    far, near = os.openpty()
    tty.setraw(near)
    process = subprocess.Popen(["cat"], stdin=far, stdout=far, stderr=subprocess.DEVNULL)
    os.close(far)
    with suppress(ProcessLookupError):
        go_first(process.pid)
    try:
        yield near
    finally:
        process.kill()
        process.wait()
        os.close(near)


@contextmanager
def port_of(board: QemuBoard) -> Iterator[int]:
    fd = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    try:
        yield fd
    finally:
        os.close(fd)


def trips(count: int) -> tuple[list[float], list[float], int]:
    """µs of (right exchanges with the board, echoes), and how many exchanges were not right."""
    moments = random.Random(3)
    answered: list[float] = []
    echoed: list[float] = []
    status = Status(McuState.STOPPED, 0, 0, 0, 0)  # the first reply tells where we are
    with QemuBoard() as board, port_of(board) as line, echo() as mirror:
        for _ in range(count + 1):
            drop(line)
            sent = heartbeat(status)
            took, data = exchange(line, sent)
            replied_s = time.monotonic()
            found = decode(data, UNIT)
            right = isinstance(found, Status) and found.seq == (status.seq + 1) & 0xFFFF
            status = found if isinstance(found, Status) else status
            if right:
                answered.append(took)
            took, data = exchange(mirror, sent)
            if data == sent:
                echoed.append(took)
            pause_s = SETTLE_S + moments.uniform(0.0, CYCLE_S)
            time.sleep(max(replied_s + pause_s - time.monotonic(), 0.0))
    return answered, echoed, count + 1 - len(answered)


def run(count: int = TRIPS) -> list[Section]:
    """The table."""
    try:
        answered, echoed, wrong = trips(count)
    except BoardError as error:
        return [Section(TITLE, REFERENCE, (), f"Not measured: {error}.")]
    rows = []
    if answered and echoed:
        found, plain = (percentiles(np.array(values)) for values in (answered, echoed))
        rows = [Row(level, found[level], "µs", plain[level]) for level in ("p50", "p99", "max")]
    note = (
        f"{len(answered)} heartbeats at random moments of the microcontroller's cycle, which begins every "
        f"{CYCLE_US:.0f} µs and answers what came before it: half a cycle is waiting. Left out: the first exchange, "
        f"which only tells the session, and {wrong - 1} that were not right. QEMU does not model the baud rate: at "
        "115 200 baud 32 bytes take 2.8 ms more. The compiled guard takes the status at its next tick."
    )
    return [Section(TITLE, REFERENCE, tuple(rows), note)]
