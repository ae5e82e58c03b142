"""The guard's line to its microcontroller: a descriptor for the loop, another after an unplug, one word each time."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge import serial_port
from firmware_bridge.serial_port import PortError, SerialLine, open_port
from firmware_bridge.wire import Diag, McuState, Status, encode
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from tests.unit.bridge.peer import Pty


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[Pty]:
    with Pty(link=tmp_path / "estop") as pty:
        yield pty


@pytest.fixture
def line(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SerialLine, list[str]]]:
    """A guard's line on `pty` that retries at every look, and what it said."""
    monkeypatch.setattr(serial_port, "RETRY_S", 0.0)
    said: list[str] = []
    line = SerialLine(pty.path, 3, said.append)
    yield line, said
    line.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_opening_and_looking_write_nothing(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    for _ in range(20):
        assert line[0].look() >= 0
    select.select([], [], [], 0.05)
    assert pty.received() == b""


def test_a_program_that_had_it_open_before_is_named(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    """Without a lock it cannot be kept out, so the operator has to know."""
    code = "import sys; f = open(sys.argv[1], 'r+b', buffering=0); print('open', flush=True); input()"
    command = [sys.executable, "-c", code, pty.device]
    program = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == "open\n"
    assert line[0].look() >= 0
    assert line[1][0] == f"bridge {pty.path}: open, unit 3"
    assert "also open in" in line[1][1]
    assert f"(process {program.pid})" in line[1][1]
    program.communicate("\n", timeout=10)


def test_unplugged_and_plugged_in_again(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    serial_line, said = line
    first = serial_line.look()
    assert os.ttyname(first) == pty.device
    pty.unplug()
    assert serial_line.look() == -1
    assert os.fstat(first)  # the loop may be using it in this very moment: open until the next look
    assert serial_line.look() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(first)
    for _ in range(5):
        assert serial_line.look() == -1
    pty.plug_in()
    second = serial_line.look()
    assert os.ttyname(second) == pty.device
    assert said == [
        f"bridge {pty.path}: open, unit 3",
        f"bridge {pty.path}: the line is gone; waiting for it to come back",
        f"bridge {pty.path}: no such port; is the microcontroller plugged in?; stopped until it can be opened",
        f"bridge {pty.path}: open, unit 3",
    ]


def test_many_unplugs_leave_no_descriptor_open(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    serial_line = line[0]
    counts = set()
    for _ in range(10):
        assert serial_line.look() >= 0
        counts.add(descriptors())
        pty.unplug()
        while serial_line.look() != -1 or serial_line.look() != -1:
            pass
        pty.plug_in()
    assert len(counts) == 1


def test_a_name_that_leads_to_another_device_is_another_line(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    """udev moved the name, and the old device is still there."""
    serial_line = line[0]
    assert serial_line.look() >= 0
    with Pty() as other:
        Path(pty.path).unlink()
        Path(pty.path).symlink_to(other.device)
        assert [serial_line.look(), serial_line.look()] == [-1, -1]
        assert os.ttyname(serial_line.look()) == other.device


def test_a_name_that_vanishes_while_it_is_being_opened(
    pty: Pty, line: tuple[SerialLine, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_and_lose(path: str) -> Any:
        port = open_port(path)
        Path(path).unlink()
        return port

    monkeypatch.setattr(serial_port, "open_port", open_and_lose)
    assert line[0].look() >= 0
    assert line[0].look() == -1


def test_a_port_that_is_busy_is_tried_again_without_another_word(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    first = open_port(pty.path)
    for _ in range(5):
        assert line[0].look() == -1
    assert line[1] == [f"bridge {pty.path}: another program has it; stopped until it can be opened"]
    first.close()
    assert line[0].look() >= 0


def test_tries_are_half_a_second_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard looks every 50 ms; looking through all processes that often would cost more than it brings."""
    now_s, tried = [100.0], []

    def fail(path: str) -> Any:
        tried.append(now_s[0])
        raise PortError("gone")

    monkeypatch.setattr(serial_port, "open_port", fail)
    monkeypatch.setattr(serial_port, "time", types.SimpleNamespace(monotonic=lambda: now_s[0]))
    line = SerialLine(str(tmp_path / "none"), 1, lambda text: None)
    for _ in range(40):
        assert line.look() == -1
        now_s[0] += 0.0625
    assert tried == [100.0, 100.5, 101.0, 101.5, 102.0]


def test_closing_twice_and_before_the_first_look(pty: Pty) -> None:
    line = SerialLine(pty.path, 1, lambda text: None)
    line.close()
    assert line.look() >= 0
    line.close()
    line.close()
    open_port(pty.path).close()


# ------------------------------------------------------------------ who answers, in words


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_port, "JUDGE_S", -1.0)
    monkeypatch.setattr(hb, "LINK_NS", 60_000_000_000)  # a busy computer is not what is tested here


def heard(*frames: Status | Diag | bytes, link: hb.Words | None = None) -> hb.Words:
    """The record of a guard's link after these frames."""
    link = hb.new_link(3) if link is None else link
    rx = np.zeros(p.FRAME_BYTES, np.int64)
    for frame in frames:
        for byte in frame if isinstance(frame, bytes) else encode(frame, 3):
            hb.hear(link, rx, byte, time.monotonic_ns())
    return link


def alive() -> hb.Words:
    link = heard(Diag(p.PAGE_IDENT, p.VERSION, 0x0102, 1, 7))
    hb.beat(link, np.zeros(p.FRAME_BYTES, np.int64), False, False, time.monotonic_ns())
    return heard(Status(McuState.STOPPED, 0, 8, int(link[hb.SENT_SEQ]), 9), link=link)


@pytest.mark.usefixtures("impatient")
def test_it_says_once_who_answers(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    for _ in range(5):
        line[0].look(alive())
    assert line[1] == [
        f"bridge {pty.path}: open, unit 3",
        f"bridge {pty.path}: the microcontroller answers: firmware 1.2, protocol {p.VERSION}",
    ]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "nothing answers"),
        ([b"$GPGGA\r\n"], "none of them a frame"),
        ([encode(Status(McuState.RUN, 0, 1, 2, 3), 4)], "all damaged: wrong unit number"),
        ([Diag(p.PAGE_IDENT, p.VERSION + 1, 0x0100, 1, 7)], f"speaks version {p.VERSION + 1} of the protocol"),
        ([Status(McuState.RUN, 0, 1, 2, 3)], "does not say who it is"),
    ],
)
def test_it_says_once_what_the_line_looks_like_instead(
    pty: Pty, line: tuple[SerialLine, list[str]], frames: list[Status | Diag | bytes], says: str
) -> None:
    link = hb.new_link(3)
    line[0].look(link)
    for _ in range(5):
        line[0].look(heard(*frames, link=link))
    assert says in line[1][-1]
    assert line[1][-1].endswith("; stopped until a microcontroller answers")
    assert len(line[1]) == len(set(line[1]))


@pytest.mark.usefixtures("impatient")
def test_what_came_over_the_line_before_does_not_speak_for_this_connection(
    pty: Pty, line: tuple[SerialLine, list[str]]
) -> None:
    line[0].look(heard(b"noise" * 100))
    assert "nothing answers" in line[1][-1]


def test_it_waits_for_a_microcontroller_to_name_itself(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    line[0].look(hb.new_link(3))
    assert line[1] == [f"bridge {pty.path}: open, unit 3"]


@pytest.mark.usefixtures("impatient")
def test_a_line_that_is_not_open_is_not_judged(pty: Pty, line: tuple[SerialLine, list[str]]) -> None:
    pty.unplug()
    line[0].look(hb.new_link(3))
    assert [text for text in line[1] if "answers" in text] == []
