"""Where the output goes besides the actuator mailbox: an open file descriptor that never blocks the loop.

Every tick writes one record, the 640 bytes of the actuator mailbox (see ``actuator.py``): one UDP datagram, or on a
byte stream a fixed-size record that begins with MAGIC and carries a checksum.
"""

from __future__ import annotations

import os
import socket
import stat
import tty
from typing import Any, Protocol
from urllib.parse import urlsplit

from safetykit.errors import MailboxError


class DeviceLine(Protocol):
    """The serial line to the emergency-stop microcontroller, as the guard's process needs it."""

    unit: int  # number of the microcontroller

    def look(self, link: Any = None) -> int:
        """Descriptor to use from now on, -1 = none; never blocks, never raises. Called every 50 ms.

        Given the record of the loop's link, it may also say what is wrong with who is at the other end.

        A descriptor that is given up stays open until the next call: the loop may be in the middle of using it.
        """

    def close(self) -> None: ...


def open_output(target: str) -> int:
    """Descriptor for ``udp://HOST:PORT`` or the path of a serial port, pipe or file (appended to, mode 0600).

    Raises MailboxError: nobody reads the pipe, no such host, not permitted, ...
    """
    try:
        return _open_udp(target) if target.startswith("udp://") else _open_path(target)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MailboxError(f"output {target}: {reason}") from error


def _open_udp(target: str) -> int:
    parts = urlsplit(target)
    if not parts.hostname or not parts.port:
        raise ValueError("expected udp://HOST:PORT")
    family, kind, protocol, _, address = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_DGRAM)[0]
    connection = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection.detach()


def _open_path(target: str) -> int:
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    if not os.path.exists(target):
        flags |= os.O_CREAT | os.O_EXCL
    fd = os.open(target, flags | os.O_APPEND, 0o600)
    try:
        if os.isatty(fd):
            tty.setraw(fd)
        elif stat.S_ISDIR(os.fstat(fd).st_mode):
            raise ValueError("a directory")
    except (OSError, ValueError):
        os.close(fd)
        raise
    return fd
