"""The cable carries, can be cut, mended and spoilt; nothing of it waits for anybody."""

from __future__ import annotations

import fcntl
import os
import select
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.demo_estop.cable import Cable

EVERY_BYTE = bytes(range(256))
LIMIT_S = 5.0


class Board:
    """Where the board's UART would be: our side of a pseudo terminal."""

    def __init__(self) -> None:
        self.end, self._far_end = os.openpty()
        tty.setraw(self._far_end)
        self.port = os.ttyname(self._far_end)

    def close(self) -> None:
        os.close(self.end)
        os.close(self._far_end)


@pytest.fixture
def board() -> Iterator[Board]:
    made = Board()
    yield made
    made.close()


@pytest.fixture
def cable(board: Board, tmp_path: Path) -> Iterator[Cable]:
    made = Cable(board.port, tmp_path / "cable")
    yield made
    made.close()


def open_guard_end(cable: Cable) -> int:
    return os.open(cable.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def receive(end: int, count: int) -> bytes:
    """So many bytes, or what came within the limit."""
    data, until_s = b"", time.monotonic() + LIMIT_S
    while len(data) < count and time.monotonic() < until_s:
        if select.select([end], [], [], 0.05)[0]:
            data += os.read(end, count - len(data))
    return data


def hung_up(end: int) -> bool:
    poll = select.poll()
    poll.register(end, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(int(LIMIT_S * 1000)))


def test_every_byte_passes_unchanged_both_ways(board: Board, cable: Cable) -> None:
    guard = open_guard_end(cable)
    os.write(guard, EVERY_BYTE)
    assert receive(board.end, 256) == EVERY_BYTE
    os.write(board.end, EVERY_BYTE)
    assert receive(guard, 256) == EVERY_BYTE
    assert not select.select([board.end], [], [], 0.05)[0], "an echo"
    assert cable.dropped == 0
    os.close(guard)


def test_a_cut_hangs_up_and_takes_the_port_away(board: Board, cable: Cable) -> None:
    guard = open_guard_end(cable)
    cable.cut()
    assert hung_up(guard)
    assert not os.path.lexists(cable.port)
    os.write(board.end, b"to nobody")
    assert cable.alive
    os.close(guard)


def test_a_mended_cable_has_its_old_name_and_another_terminal(board: Board, cable: Cable) -> None:
    guard = open_guard_end(cable)
    before = os.fstat(guard).st_rdev
    cable.cut()
    cable.mend()
    again = open_guard_end(cable)
    os.write(board.end, b"hello again")
    assert receive(again, 11) == b"hello again"
    assert os.fstat(again).st_rdev != before
    os.close(again)
    os.close(guard)


def test_an_exclusive_use_ends_with_its_user(board: Board, cable: Cable) -> None:
    """Root is never refused an exclusive terminal, so look at the terminal: it must be another one."""
    guard = open_guard_end(cable)
    fcntl.ioctl(guard, termios.TIOCEXCL)
    first = os.readlink(cable.port)
    os.close(guard)
    until_s = time.monotonic() + LIMIT_S
    while os.readlink(cable.port) == first and time.monotonic() < until_s:
        time.sleep(0.001)
    assert os.readlink(cable.port) != first
    again = open_guard_end(cable)
    os.write(again, b"next")
    assert receive(board.end, 4) == b"next"
    os.close(again)


def test_noise_floods_both_directions_and_ends(board: Board, cable: Cable) -> None:
    guard = open_guard_end(cable)
    cable.spoil(20_000)
    at_board, at_guard = receive(board.end, 2000), receive(guard, 2000)
    assert len(set(at_board)) > 200
    assert len(set(at_guard)) > 200
    assert at_board != at_guard
    cable.spoil(0)
    for end in (board.end, guard):
        while select.select([end], [], [], 0.1)[0]:
            os.read(end, 65536)
    os.write(guard, EVERY_BYTE)
    assert receive(board.end, 256) == EVERY_BYTE
    os.close(guard)


def test_noise_damages_what_passes(board: Board, cable: Cable) -> None:
    guard = open_guard_end(cable)
    cable.spoil(0.001)  # next to nothing is added
    os.write(guard, EVERY_BYTE * 4)
    came = receive(board.end, 1024)
    assert len(came) == 1024
    changed = sum(was != now for was, now in zip(EVERY_BYTE * 4, came, strict=True))
    assert 50 < changed < 170, "a tenth, give or take"
    os.close(guard)


def test_a_reader_that_does_not_read_holds_nobody_up(board: Board, cable: Cable) -> None:
    guard = open_guard_end(cable)  # and never reads
    cable.spoil(2_000_000)
    until_s = time.monotonic() + LIMIT_S
    while cable.dropped == 0 and time.monotonic() < until_s:
        receive(board.end, 4096)
    assert cable.dropped > 0
    assert cable.alive
    assert len(receive(board.end, 4096)) == 4096
    os.close(guard)
