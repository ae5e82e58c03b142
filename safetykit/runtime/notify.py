"""Messages to the service supervisor (``sd_notify(3)``): ready, alive, stopping. Without one they go nowhere."""

from __future__ import annotations

import os
import socket

MICROSECONDS_PER_S = 1e6
UNWATCHED_S = 1.0


class Notifier:
    """Sends to the socket named by ``NOTIFY_SOCKET``. A lost message is never an error: the watchdog notices."""

    def __init__(self) -> None:
        name = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def alive(self) -> None:
        """Feed the watchdog; call only when the loop has ticked since the last call."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()


def alive_period_s() -> float:
    """How often to feed the watchdog: a quarter of the time it allows, so that one lost message is no restart."""
    try:
        allowed_s = int(os.environ["WATCHDOG_USEC"]) / MICROSECONDS_PER_S
    except (KeyError, ValueError):
        return UNWATCHED_S
    return max(allowed_s / 4.0, 0.0)
