"""Reads a log in order: openings, frames, losses, events, closings and damage, decoded, one item at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.errors import LogError
from safetykit.runtime.blackbox import frame_codec
from safetykit.runtime.blackbox.opening import frame_dtype
from safetykit.runtime.blackbox.segment_file import SegmentPath, list_segments, read_segment
from safetykit.runtime.blackbox.segments import LOST, Entry, EntryType, Scan, scan, segment_number


@dataclass(frozen=True)
class Place:
    """Where in the log something stands."""

    segment: str
    entry: int
    offset: int
    utc_ns: int

    def __str__(self) -> str:
        return f"{self.segment}, entry {self.entry}, byte {self.offset}"


@dataclass(frozen=True)
class Opened:
    place: Place
    document: dict[str, Any]  # the OPEN entry


@dataclass(frozen=True)
class Frames:
    """A block of frames. ``frames``: shape (n,), of the recorded dtype."""

    place: Place
    first_number: int
    frames: np.ndarray = field(repr=False)
    utc_minus_monotonic_ns: int


@dataclass(frozen=True)
class Lost:
    place: Place
    first_number: int
    count: int
    reason: int


@dataclass(frozen=True)
class Event:
    place: Place
    event: dict[str, Any]


@dataclass(frozen=True)
class Closed:
    place: Place
    document: dict[str, Any]


@dataclass(frozen=True)
class Unreadable:
    """Bytes that are no intact entry, or frames that cannot be decoded because of such bytes."""

    place: Place
    what: str


Item = Opened | Frames | Lost | Event | Closed | Unreadable


def segments_of(path: Path) -> list[SegmentPath]:
    """The segments of a log directory, or the one given. Raises LogError when there are none."""
    if path.is_file():
        return [SegmentPath(path, segment_number(path.name) or 0)]
    found = list_segments(path)
    if not found:
        raise LogError(f"{path}: no segments of a black box here")
    return found


def read_log(path: Path, *, with_frames: bool = True) -> Iterator[Item]:
    """Every readable item of a log directory or one segment, in order. Damage becomes an item, never an exception.

    Frames of a segment whose OPEN entry is damaged are decoded with the layout of the segment before it, if any.
    Raises LogError only when there is no log or a file cannot be read.
    """
    dtype: np.dtype[np.void] | None = None
    for segment in segments_of(path):
        found = scan(read_segment(segment.path))
        if found.opening is not None:
            dtype = frame_dtype(found.opening.json())
        yield from _SegmentReader(segment.path.name, found, dtype, with_frames).items()


class _SegmentReader:
    def __init__(self, name: str, found: Scan, dtype: np.dtype[np.void] | None, with_frames: bool) -> None:
        self.name, self.found, self.dtype, self.with_frames = name, found, dtype, with_frames
        self._base: frame_codec.Words | None = None  # last frame of the block before, while unbroken
        self._base_number = -1

    def items(self) -> Iterator[Item]:
        damages = list(self.found.damages)
        utc_ns = 0
        for entry in self.found.entries:
            while damages and damages[0].offset < entry.end:
                yield self._damage(damages.pop(0), utc_ns)
            utc_ns = entry.utc_ns
            item = self._item(entry)
            if item is not None:
                yield item
        rest = [*damages, *([self.found.tail] if self.found.tail is not None else [])]
        for damage in rest:
            yield self._damage(damage, utc_ns)

    def _damage(self, damage: Any, utc_ns: int) -> Unreadable:
        return Unreadable(Place(self.name, damage.number, damage.offset, utc_ns), damage.what)

    def _item(self, entry: Entry) -> Item | None:
        place = Place(self.name, entry.number, entry.offset, entry.utc_ns)
        if entry.type == EntryType.FRAMES:
            return self._frames(place, entry.payload) if self.with_frames else None
        if entry.type == EntryType.LOST:
            if len(entry.payload) != LOST.size:
                return Unreadable(place, "malformed content")
            return Lost(place, *LOST.unpack(entry.payload))
        if entry.type == EntryType.OPEN:
            return Opened(place, entry.json())
        return Event(place, entry.json()) if entry.type == EntryType.EVENT else Closed(place, entry.json())

    def _frames(self, place: Place, payload: bytes) -> Item:
        head = frame_codec.read_head(payload)
        if head is None or self.dtype is None or head.words_per_frame * 8 != self.dtype.itemsize:
            self._base = None
            return Unreadable(place, "malformed frames, or frames of an unknown layout")
        base = self._base if head.first_number == self._base_number else None
        block = frame_codec.decode_block(payload, base)
        if block is None:
            self._base = None
            cause = "malformed" if base is not None or head.base == frame_codec.ABSOLUTE else "their forerunner is lost"
            return Unreadable(place, f"frames {head.first_number} to {head.first_number + head.count - 1}: {cause}")
        self._base, self._base_number = block.words[-1], block.first_number + block.count
        frames = np.ascontiguousarray(block.words).view(self.dtype).reshape(block.count)
        return Frames(place, block.first_number, frames, block.utc_minus_monotonic_ns)
