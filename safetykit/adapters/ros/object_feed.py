"""Lists of objects in, mailbox out. No decisions about numbers: a NaN goes to the guard as NaN."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from safetykit.adapters.ros.binding import BoundObjects
from safetykit.adapters.ros.ownership import Ownership, publisher_of
from safetykit.adapters.ros.stamps import ClockPair, StampClock
from safetykit.core.bounds import OBJECT_COLS, OBJECTS_MAX
from safetykit.core.columns.objects import OBJ_ID


class Writer(Protocol):
    """What is needed of ``ObjectsWriter``."""

    def publish(self, objects: npt.ArrayLike, *, stamp_ns: int | None = None) -> int: ...


class ObjectsFeed:
    """The list of objects to its mailbox, whole, on every message of the publisher that owns the topic.

    Of a list that is too long only as many objects are read as fit; the guard is told how many there were (OBJECTS).
    """

    def __init__(self, reader: BoundObjects, silence_ns: int) -> None:
        self.reader = reader
        self.ownership = Ownership(silence_ns)
        self.clock = StampClock(reader.stamp)
        self.writer: Writer | None = None
        self.received = 0  # lists ever
        self.arrived_ns = 0
        self.length = 0  # of the latest list
        self._blank = np.zeros(OBJECT_COLS)
        for column, value in reader.constants:
            self._blank[column] = value

    def take(self, message: Any, info: dict[str, Any], ros: ClockPair, system: ClockPair) -> None:
        """One list. That of another publisher is dropped: two lists in turn would hide each other's objects."""
        if not self.ownership.admit(publisher_of(info), system.monotonic_ns):
            return
        items = self.reader.items(message)
        stamp_ns = self.clock.convert(message, info, ros, system)
        self.received, self.arrived_ns, self.length = self.received + 1, system.monotonic_ns, len(items)
        if self.writer is None:
            return
        rows = np.zeros((len(items), OBJECT_COLS))
        for row, item in zip(rows[:OBJECTS_MAX], items, strict=False):
            row[:] = self._blank
            for column, read in self.reader.reads:
                row[column] = read(item)
            if self.reader.read_id is not None:
                row[OBJ_ID] = self.reader.read_id(item)
        self.writer.publish(rows, stamp_ns=stamp_ns)
