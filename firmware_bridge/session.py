"""A conversation with a microcontroller over a real port, for commands: heartbeats that say STOP, nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from firmware_bridge.facts import DeviceFacts, diagnosis
from firmware_bridge.link import Link
from firmware_bridge.serial_port import PortError, open_port
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p

LOOK_S = 0.002
LISTEN_S = 0.0005
IDENTIFIED_S = 3.0  # a round of all diagnostic pages takes under a second

_EVENT_ROWS = range(hb.PAGES + p.PAGE_EVENT * hb.PAGE_WORDS, hb.PAGES + hb.PAGE_COUNT * hb.PAGE_WORDS, hb.PAGE_WORDS)
_NOT_TOLD = -1  # no cause: the page of this slot has not come yet


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
        self._receive()
        data = self.link.next_heartbeat(time.monotonic_ns())
        if data is not None:
            self.send(data)
        return self.link.facts(time.monotonic_ns())

    def _receive(self) -> None:
        try:
            self.link.receive(self._port.read(256), time.monotonic_ns())
        except OSError as error:
            raise PortError(f"{self.path}: the line is gone ({error})") from error

    def listen(self, reached: Callable[[], bool], limit_s: float) -> None:
        """Take what comes and say nothing, until `reached` holds or the time is over. Raises PortError."""
        end_s = time.monotonic() + limit_s
        while not reached() and time.monotonic() < end_s:
            self._receive()
            time.sleep(LISTEN_S)

    def until(self, reached: Callable[[DeviceFacts], bool], limit_s: float) -> DeviceFacts:
        """Talk until `reached` holds or the time is over; the facts of that moment."""
        end_s = time.monotonic() + limit_s
        while True:
            facts = self.turn()
            if reached(facts) or time.monotonic() > end_s:
                return facts
            time.sleep(LOOK_S)

    def send(self, data: bytes) -> None:
        """Send anything, for tests of what the microcontroller refuses. Raises PortError when the port is lost.

        A line that takes nothing more loses the bytes, as a real one would. Not through pyserial, whose `write` tries
        again for ever then.
        """
        try:
            os.write(self._port.fileno(), data)
        except BlockingIOError:
            return
        except OSError as error:
            raise PortError(f"{self.path}: the line is gone ({error})") from error

    def identify(self) -> DeviceFacts:
        """Talk until the microcontroller has told everything about itself, every page of the round. Raises PortError if
        it does not say who it is."""
        for row in _EVENT_ROWS:
            self.link.words[row] = _NOT_TOLD
        facts = self.until(self._told_everything, IDENTIFIED_S)
        if facts.ident is None:
            raise PortError(f"{self.path}: {diagnosis(facts)}")
        return facts

    def _told_everything(self, facts: DeviceFacts) -> bool:
        events = all(self.link.words[row] != _NOT_TOLD for row in _EVENT_ROWS)
        return events and facts.ident is not None and facts.uptime_s is not None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._port.close()
