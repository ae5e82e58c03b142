"""What happened in a log, filtered: events as the recorder wrote them, losses and damage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetykit.core.layout import FRAME
from safetykit.errors import LogError
from safetykit.runtime.blackbox.events import derive
from safetykit.runtime.blackbox.export import as_event
from safetykit.runtime.blackbox.log_reader import Closed, Event, Frames, Item, Opened, read_log
from safetykit.runtime.blackbox.opening import names


@dataclass(frozen=True)
class Filter:
    """Which rows to list. Times are UTC ns; names in capitals as in ``Fault``."""

    from_ns: int | None = None
    to_ns: int | None = None
    faults: frozenset[str] = frozenset()  # at least one of them raised
    channel: str = ""  # only where this channel was changed
    every_tick: bool = False  # read the frames themselves: every change of action or faults, none summarised


@dataclass(frozen=True)
class Row:
    """One thing that happened. `event` holds all recorded fields."""

    utc_ns: int
    kind: str
    event: dict[str, Any]
    channels: tuple[str, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        value = self.event.get("faults")
        return tuple(str(name) for name in value) if isinstance(value, list) else ()

    def asked_and_sent(self, channel: str = "") -> list[tuple[str, float | str, float | str, str]]:
        """(channel, asked, sent, reasons) of the channels that were changed, or of the one given."""
        asked, sent = self.event.get("asked"), self.event.get("sent")
        reasons = self.event.get("reasons")
        if not isinstance(asked, list) or not isinstance(sent, list) or not isinstance(reasons, dict):
            return []
        rows = zip(self.channels, asked, sent, strict=False)
        return [
            (name, ask, out, "|".join(reasons.get(name, ())))
            for name, ask, out in rows
            if (name == channel if channel else name in reasons)
        ]


def rows(log: Path, wanted: Filter) -> Iterator[Row]:
    """Rows of a log directory or one segment, in order. Raises LogError when there is no log."""
    channels: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    before: Any = None
    for item in read_log(log, with_frames=wanted.every_tick):
        found: list[tuple[int, dict[str, Any]]] = []
        if isinstance(item, Opened):
            channels, functions = names(item.document, "channels"), names(item.document, "functions")
            found = [as_event(item)]
        elif isinstance(item, Frames):
            if item.frames.dtype != FRAME:
                raise LogError(f"{item.place}: recorded with another frame layout; use that release")
            happened = derive(before, item.frames, item.first_number, channels, functions)
            before = item.frames[-1:]
            found = [(event["monotonic_ns"] + item.utc_minus_monotonic_ns, event) for event in happened]
        elif not (wanted.every_tick and _is_derived(item)):
            found = [as_event(item)]
        for utc_ns, event in found:
            row = Row(utc_ns, str(event.get("event")), event, channels)
            if _fits(row, wanted):
                yield row


def _is_derived(item: Item) -> bool:
    """Events that :func:`derive` finds again in the frames, and the recorder's own book-keeping."""
    return isinstance(item, Closed) or (isinstance(item, Event) and "frame" in item.event)


def _fits(row: Row, wanted: Filter) -> bool:
    if wanted.from_ns is not None and row.utc_ns < wanted.from_ns:
        return False
    if wanted.to_ns is not None and row.utc_ns >= wanted.to_ns:
        return False
    if wanted.faults and not wanted.faults & set(row.faults):
        return False
    return not wanted.channel or (bool(row.asked_and_sent()) and wanted.channel in row.event.get("reasons", {}))
