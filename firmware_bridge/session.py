"""A conversation with a microcontroller over a real port, for commands: heartbeats that say STOP, nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from firmware_bridge.facts import DeviceFacts
from firmware_bridge.link import Link
from firmware_bridge.serial_port import PortError, open_port

LOOK_S = 0.002
IDENTIFIED_S = 3.0  # a round of all diagnostic pages takes under a second


class Session:
    """Talks to the microcontroller at `path` while it is open. Use as a context."""

    def __init__(self, path: str, unit: int) -> None:
        """Raises PortError."""
        self.path = path
        self.link = Link(unit)
        self._port: Any = open_port(path)

    def __enter__(self) -> Session:
        return self

    def turn(self) -> DeviceFacts:
        """Read what came, send what is due. Raises PortError when the port is lost."""
        try:
            self.link.receive(self._port.read(256), time.monotonic_ns())
            data = self.link.next_heartbeat(time.monotonic_ns())
            if data is not None:
                self._port.write(data)
        except OSError as error:
            raise PortError(f"{self.path}: the line is gone ({error})") from error
        return self.link.facts(time.monotonic_ns())

    def until(self, reached: Callable[[DeviceFacts], bool], limit_s: float) -> DeviceFacts:
        """Talk until `reached` holds or the time is over; the facts of that moment."""
        end_s = time.monotonic() + limit_s
        while True:
            facts = self.turn()
            if reached(facts) or time.monotonic() > end_s:
                return facts
            time.sleep(LOOK_S)

    def send(self, data: bytes) -> None:
        """Send anything, for tests of what the microcontroller refuses."""
        self._port.write(data)

    def identify(self) -> DeviceFacts:
        """Talk until the microcontroller has told everything about itself. Raises PortError if it does not."""
        facts = self.until(lambda facts: facts.ident is not None and facts.uptime_s is not None, IDENTIFIED_S)
        if facts.ident is None:
            raise PortError(f"{self.path}: {_silence(facts)}")
        return facts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._port.close()


def _silence(facts: DeviceFacts) -> str:
    """What a line without a microcontroller looks like."""
    counts = facts.counts
    if counts["answered"] or counts["refused"]:
        return "answers, but does not say who it is; another firmware?"
    if counts["damaged frames"]:
        return "frames come, but all damaged: wrong unit number (--unit), wrong speed, or noise"
    if counts["unknown codes"]:
        return "speaks another version of the protocol; flash the firmware of this version"
    if counts["stray bytes"]:
        return f"{counts['stray bytes']} bytes came, none of them a frame: not an emergency-stop microcontroller"
    return "nothing answers; is it the right port, and does the microcontroller have power?"
