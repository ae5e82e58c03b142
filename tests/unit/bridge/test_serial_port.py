"""The serial port on real ptys: one clear sentence for everything that is wrong, exclusive use, unplug and return."""

from __future__ import annotations

import array
import fcntl
import os
import select
import stat
import subprocess
import sys
import termios
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from firmware_bridge import serial_port
from firmware_bridge.serial_port import PortError, SerialLine, open_port, other_users
from tests.unit.bridge.peer import Pty

TIOCGEXCL = 0x80045440
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[Pty]:
    with Pty(link=tmp_path / "estop") as pty:
        yield pty


def refusal(path: str) -> str:
    with pytest.raises(PortError) as caught:
        open_port(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


TRY = """
import grp, os, sys
import serial
from firmware_bridge.serial_port import PortError, open_port
if os.geteuid() == 0 and sys.argv[2] == "nobody":
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
try:
    open_port(sys.argv[1])
    print("opened")
except PortError as error:
    print(error)
"""


def tried_elsewhere(path: str, who: str = "same user") -> str:
    done = subprocess.run([sys.executable, "-c", TRY, path, who], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# ------------------------------------------------------------------ a port that is one


def test_an_open_port_is_raw_fast_and_never_blocks(pty: Pty) -> None:
    port = open_port(pty.path)
    iflag, oflag, cflag, lflag, ispeed, ospeed, _ = termios.tcgetattr(port.fileno())
    assert ispeed == ospeed == termios.B115200
    assert cflag & (termios.CSIZE | termios.PARENB | termios.CSTOPB | termios.CRTSCTS) == termios.CS8
    assert lflag & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
    assert oflag & termios.OPOST == iflag & (termios.IXON | termios.ICRNL | termios.ISTRIP) == 0
    assert fcntl.fcntl(port.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK
    assert (port.dtr, port.rts, port.timeout, port.write_timeout) == (False, False, 0, 0)
    assert port.read(1) == b""
    port.close()


def test_every_byte_passes_unchanged_in_both_directions(pty: Pty) -> None:
    port = open_port(pty.path)
    every = bytes(range(256))
    os.write(port.fileno(), every)
    assert _all(pty.received, 256) == every
    pty.send(every)
    assert _all(lambda: port.read(256), 256) == every
    port.close()


def _all(take: Callable[[], bytes], size: int) -> bytes:
    taken = b""
    for _ in range(1000):
        taken += take()
        if len(taken) >= size:
            break
        select.select([], [], [], 0.001)
    return taken


def test_what_came_before_the_opening_is_not_read(pty: Pty) -> None:
    before = os.open(pty.device, os.O_RDWR | os.O_NOCTTY)
    pty.send(b"old\n")
    assert select.select([before], [], [], 5.0)[0]
    port = open_port(pty.path)
    os.close(before)
    assert port.read(100) == b""
    port.close()


def test_low_latency_is_asked_for_and_may_be_refused(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(error: Exception) -> Callable[[Any, bool], None]:
        def mode(self: Any, wanted: bool) -> None:
            asked.append(wanted)
            raise error

        return mode

    for error in (OSError(25, "not supported"), ValueError("failed"), NotImplementedError(), AttributeError()):
        monkeypatch.setattr(serial.Serial, "set_low_latency_mode", refuse(error))
        open_port(pty.path).close()
    assert asked == [True] * 4


# ------------------------------------------------------------------ alone on the port


def test_a_port_is_used_exclusively_until_it_is_closed(pty: Pty) -> None:
    port = open_port(pty.path)
    flag = array.array("i", [0])
    fcntl.ioctl(port.fileno(), TIOCGEXCL, flag)
    assert flag[0] == 1
    text = tried_elsewhere(pty.path)
    assert text.startswith(f"{pty.path}: another program has it: ")
    assert f"(process {os.getpid()})" in text
    port.close()
    assert tried_elsewhere(pty.path) == "opened"


def test_a_user_who_may_not_look_at_the_other_program_is_told_that_there_is_one(pty: Pty) -> None:
    os.chmod(pty.device, 0o666)
    port = open_port(pty.path)
    path = pty.device  # the folder of the link is not open to everybody
    assert tried_elsewhere(path, "nobody").startswith(f"{path}: another program has it")
    port.close()


# ------------------------------------------------------------------ what is no port


def test_a_missing_port(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "ttyUSB7")) == "no such port; is the microcontroller plugged in?"


def test_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "estop").symlink_to(tmp_path / "gone")
    assert refusal(str(tmp_path / "estop")) == "no such port; is the microcontroller plugged in?"


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "estop").symlink_to(tmp_path / "estop")
    assert "symbolic links" in refusal(str(tmp_path / "estop"))


def test_an_empty_name() -> None:
    assert "no such port" in refusal("")


def test_a_name_that_is_too_long() -> None:
    assert refusal("/dev/" + "x" * 5000) == "File name too long"


def test_a_name_with_a_zero_byte() -> None:
    assert "no such port" in refusal("/dev/tty\0S0")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, os.mkfifo])
def test_something_else_than_a_device(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "port"
    make(path)
    assert refusal(str(path)) == "not a serial port"


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_a_device_that_is_no_terminal(path: str) -> None:
    assert refusal(path) == "not a serial port"


def test_a_device_that_is_no_terminal_with_a_telling_name(tmp_path: Path) -> None:
    """The reason is taken from the error, not from words in the path."""
    (tmp_path / "busy-lock").symlink_to("/dev/null")
    assert refusal(str(tmp_path / "busy-lock")) == "not a serial port"


def test_a_port_that_cannot_be_opened_with_a_telling_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pty: Pty
) -> None:
    (tmp_path / "block").symlink_to(pty.device)

    def fail(self: Any) -> None:
        raise serial.SerialException(5, f"could not open port {self.port}: [Errno 5] Input/output error")

    monkeypatch.setattr(serial.Serial, "open", fail)
    assert "Input/output error" in refusal(str(tmp_path / "block"))


@pytest.mark.parametrize(
    ("mode", "remedy"),
    [
        (0o060, "add yourself to its group ({group}) and log in again"),
        (0, "nor has its group; a udev rule can give it"),
    ],
)
def test_no_rights(pty: Pty, mode: int, remedy: str) -> None:
    os.chmod(pty.device, mode)
    expected = f"{pty.device}: no right to use it; {remedy.format(group=Path(pty.device).group())}"
    assert tried_elsewhere(pty.device, "nobody") == expected


def test_a_folder_that_is_closed_to_us(tmp_path: Path, pty: Pty) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    try:
        assert tried_elsewhere(str(closed / "estop"), "nobody") == f"{closed / 'estop'}: Permission denied"
    finally:
        closed.chmod(0o700)


def test_without_pyserial(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(PortError, match=r"^pyserial is not installed; install safetykit\[serial\]$"):
        open_port(pty.path)
    said: list[str] = []
    assert SerialLine(pty.path, 1, said.append).look() == -1
    assert said == ["bridge pyserial is not installed; install safetykit[serial]; stopped until it can be opened"]


@pytest.mark.parametrize("failing", ["open", "flush"])
def test_a_refused_port_leaves_no_descriptor_open(pty: Pty, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    if failing == "flush":

        def tcflush(fd: int, queue: int) -> None:
            raise termios.error(5, "Input/output error")

        # pyserial flushes through the same module, in its own open()
        fake = types.SimpleNamespace(**{**vars(termios), "tcflush": tcflush})
        monkeypatch.setattr(serial_port, "termios", fake)
    path = pty.path if failing == "flush" else "/dev/null"
    refusal(path)
    before = descriptors()
    for _ in range(20):
        refusal(path)
    assert descriptors() == before


def test_users_of_a_port_that_is_gone_are_nobody(tmp_path: Path) -> None:
    assert other_users(str(tmp_path / "gone")) == []
