"""The serial port, through pyserial: opened exclusively and without waking the board's reset line, opened anew after
an unplug. Nothing here resets anything: a microcontroller that lost its host is stopped and stays so.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from firmware_bridge.facts import DeviceFacts, diagnosis, facts_of
from safetykit.errors import SafetykitError
from safetykit.runtime.doctor_machine import Machine

BAUD = 115_200
RETRY_S = 0.5
UNIT_MAX = 255
JUDGE_S = 2.0  # a microcontroller has named itself by then
_TAKEN = (errno.EBUSY, errno.EAGAIN)  # opened exclusively, or locked, by somebody else
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class PortError(SafetykitError):
    """The serial port cannot be used; says why and what would help."""


def open_port(path: str) -> Any:
    """A pyserial port that never blocks. Raises PortError with one clear sentence."""
    try:
        import serial
    except ImportError as error:
        raise PortError("pyserial is not installed; install safetykit[serial]") from error
    _check(path)
    port = serial.Serial()
    port.port, port.baudrate, port.timeout, port.write_timeout = path, BAUD, 0, 0
    port.exclusive = True
    port.dtr = port.rts = False  # many boards take an edge on these lines for a reset
    try:
        port.open()
        fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
        termios.tcflush(port.fileno(), termios.TCIOFLUSH)
    except (OSError, ValueError, termios.error) as error:  # pyserial's own error is an OSError
        port.close()
        raise PortError(f"{path}: {_reason(path, error)}") from error
    with suppress(OSError, ValueError, NotImplementedError, AttributeError):
        port.set_low_latency_mode(True)  # not every driver has it; `safetykit doctor` says what the latency is
    return port


def _check(path: str) -> None:
    """Raises PortError for what is no serial port at all."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, ValueError) as error:  # ValueError: a zero byte in the name
        raise PortError(f"{path}: no such port; is the microcontroller plugged in?") from error
    except OSError as error:
        raise PortError(f"{path}: {error.strerror}") from error
    if not stat.S_ISCHR(mode):
        raise PortError(f"{path}: not a serial port")
    if not os.access(path, os.R_OK | os.W_OK):
        raise PortError(f"{path}: no right to use it; {_remedy(path, mode)}")


def _remedy(path: str, mode: int) -> str:
    if mode & 0o060 != 0o060:
        return "nor has its group; a udev rule can give it"
    try:
        return f"add yourself to its group ({Path(path).group()}) and log in again"
    except (KeyError, OSError):
        return "add yourself to its group and log in again"


def _reason(path: str, error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in _TAKEN:
        users = ", ".join(other_users(path))
        return f"another program has it: {users}" if users else "another program has it"
    if "Inappropriate ioctl" in str(error):  # pyserial puts the number of this one into the text
        return "not a serial port"
    return str(error) if number is None else os.strerror(number)


def other_users(path: str) -> list[str]:
    """ "name (process n)" of every other process that has the port open, as far as we may look."""
    machine = Machine()
    processes, _ = machine.holders(machine.follow(path))
    return [f"{process.name} (process {process.pid})" for process in processes if process.pid != os.getpid()]


def split_unit(text: str) -> tuple[str, int]:
    """``PORT`` or ``PORT@UNIT`` as (port, unit); the unit is 1 if not given. Raises PortError."""
    path, at, number = text.rpartition("@")
    if not at:
        return text, 1
    if not (path and number.isdecimal() and int(number) <= UNIT_MAX):
        raise PortError(f"{text}: expected PORT or PORT@UNIT, with a unit from 0 to {UNIT_MAX}")
    return path, int(number)


class SerialLine:
    """The guard's line to its microcontroller: gives the loop a descriptor, and another one after an unplug."""

    def __init__(self, path: str, unit: int, say: Callable[[str], None]) -> None:
        self.path, self.unit = path, unit
        self._say = say
        self._said = ""
        self._port: Any = None
        self._given_up: Any = None  # closed one look later: the loop may be in the middle of using it
        self._retry_s = 0.0
        self._quiet_s = 0.0  # since when nobody of ours has answered
        self._counts: dict[str, int] | None = None  # at the beginning of this connection

    def look(self, link: Any = None) -> int:
        """Descriptor to use from now on, -1 = none. Called every 50 ms; never blocks, never raises.

        Given the record of the guard's `link`, it also says who answers, or what the line looks like instead.
        """
        fd = self._look()
        if link is not None and fd >= 0:
            self._judge(facts_of(link, time.monotonic_ns()))
        return fd

    def _look(self) -> int:
        if self._given_up is not None:
            self._close(self._given_up)
            self._given_up = None
            return -1
        if self._port is not None and self._lost():
            self._tell(f"bridge {self.path}: the line is gone; waiting for it to come back")
            self._given_up, self._port = self._port, None
            return -1
        if self._port is None and time.monotonic() >= self._retry_s:
            self._open()
        return -1 if self._port is None else int(self._port.fileno())

    def _open(self) -> None:
        self._retry_s = time.monotonic() + RETRY_S
        try:
            self._port = open_port(self.path)
        except PortError as error:
            self._tell(f"bridge {error}; stopped until it can be opened")
            return
        self._tell(f"bridge {self.path}: open, unit {self.unit}")
        self._quiet_s, self._counts = time.monotonic(), None
        for user in other_users(self.path):
            self._tell(f"bridge {self.path}: also open in {user}: its bytes will spoil heartbeats")

    def _judge(self, facts: DeviceFacts) -> None:
        now_s = time.monotonic()
        self._counts = facts.counts if self._counts is None else self._counts
        if facts.alive and facts.ident is not None:
            self._quiet_s = now_s
            version = f"firmware {facts.ident.firmware}, protocol {facts.ident.protocol}"
            self._tell(f"bridge {self.path}: the microcontroller answers: {version}")
        elif now_s - self._quiet_s > JUDGE_S:
            self._tell(f"bridge {self.path}: {diagnosis(facts, self._counts)}; stopped until a microcontroller answers")

    def _lost(self) -> bool:
        poll = select.poll()
        poll.register(self._port.fileno(), 0)
        if any(events & _GONE for _, events in poll.poll(0)):
            return True
        try:
            return os.stat(self.path).st_rdev != os.fstat(self._port.fileno()).st_rdev
        except OSError:
            return True

    def _tell(self, text: str) -> None:
        """Say it once, not at every retry."""
        if text != self._said:
            self._said = text
            self._say(text)

    @staticmethod
    def _close(port: Any) -> None:
        try:
            port.close()
        except OSError:
            return

    def close(self) -> None:
        """Give the port back. Only after the loop has ended."""
        for port in (self._port, self._given_up):
            if port is not None:
                self._close(port)
        self._port = self._given_up = None
