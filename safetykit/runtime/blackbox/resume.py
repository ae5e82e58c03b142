"""Where a new recorder goes on: the last intact entry of the log, after whatever ended the one before.

Bytes after the last intact entry are what an interrupted write left behind. They are kept in a ``.torn`` file, cut
from the segment, and recorded as an event. Damage in the middle is left exactly as it is; `verify` reports it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetykit.errors import LogError
from safetykit.runtime.blackbox import frame_codec
from safetykit.runtime.blackbox.segment_file import (
    TORN_SUFFIX,
    Head,
    list_segments,
    read_head,
    read_segment,
    sync_directory,
    write_file,
)
from safetykit.runtime.blackbox.segments import LOST, NO_HASH, EntryType, Scan, scan


@dataclass(frozen=True)
class Link:
    """The end of a segment, as the OPEN entry of the next one names it."""

    name: str
    number: int
    entries: int
    hash: bytes
    closed: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "number": self.number,
            "entries": self.entries,
            "hash": self.hash.hex(),
            "closed": self.closed,
        }


@dataclass
class Resume:
    """What the log holds so far. `link` is None for a new log."""

    link: Link | None = None
    log_id: str | None = None
    ring: dict[str, Any] = field(default_factory=dict)  # of the last OPEN: identity and starts of the ring
    next_frame: int | None = None  # number after the last frame recorded or known as lost
    events: list[dict[str, Any]] = field(default_factory=list)  # to be recorded in the next segment


def resume(directory: Path) -> Resume:
    """Find the end of the log and put a torn tail aside. Call it only while holding the log's lock.

    Raises LogError when files cannot be read, and OSError when a torn tail cannot be put aside.
    """
    result = Resume()
    head = _head(directory, result)
    segments = list_segments(directory)
    while segments:
        last = segments.pop()
        found = scan(read_segment(last.path))
        if found.tail is not None or not found.entries:
            _set_aside(last.path, found)
        if found.entries:
            _note_end(result, last.path.name, last.number, found)
            break
    for torn in sorted(directory.glob(f"*{TORN_SUFFIX}")):
        if result.link is None or _is_after(torn.name, result.link):
            result.events.append(_torn_event(torn))
    if head is not None:
        _compare(result, head)
    return result


def _head(directory: Path, result: Resume) -> Head | None:
    try:
        return read_head(directory)
    except LogError as error:
        result.events.append({"event": "head_damaged", "what": str(error)})
        return None


def _set_aside(path: Path, found: Scan) -> None:
    """Copy the tail to its own file, then cut it off; a segment without one intact entry is moved as a whole."""
    data = read_segment(path)
    tail = data[found.good_size :]
    write_file(path.with_name(f"{path.name}.{found.good_size}{TORN_SUFFIX}"), tail)
    sync_directory(path.parent)
    if found.entries:
        os.truncate(path, found.good_size)
    else:
        path.unlink()
    sync_directory(path.parent)


def _note_end(result: Resume, name: str, number: int, found: Scan) -> None:
    last = found.entries[-1]
    result.link = Link(name, number, last.number + 1, last.hash, found.closing is not None)
    opening = found.opening.json() if found.opening is not None else {}
    result.log_id = opening.get("log_id")
    ring = opening.get("ring")
    result.ring = ring if isinstance(ring, dict) else {}
    next_frame = result.ring.get("next_frame")
    result.next_frame = next_frame if isinstance(next_frame, int) else None
    for entry in reversed(found.entries):
        head = frame_codec.read_head(entry.payload) if entry.type == EntryType.FRAMES else None
        if head is not None:
            result.next_frame = head.first_number + head.count
            break
        if entry.type == EntryType.LOST and len(entry.payload) == LOST.size:
            first, count, _ = LOST.unpack(entry.payload)
            result.next_frame = first + count
            break


def _is_after(torn_name: str, link: Link) -> bool:
    """Whether a torn file comes from the last segment or a later one: recorded before, it would be linked to."""
    number = torn_name[:8]
    if not number.isdigit() or int(number) < link.number:
        return False
    return not link.closed or int(number) > link.number


def _torn_event(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"event": "torn_tail", "file": path.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _compare(result: Resume, head: Head) -> None:
    """Record it when the log is shorter than what was on the disk before."""
    link = result.link
    number, entries = (link.number, link.entries) if link is not None else (-1, 0)
    if head.segment > number or (head.segment == number and head.entries > entries):
        result.events.append(
            {
                "event": "flushed_entries_missing",
                "what": f"segment {head.segment} was on the disk with {head.entries} entries; "
                f"the log ends in segment {number} with {entries}",
                "hash": head.hash.hex(),
            }
        )


def first_hash(link: Link | None) -> bytes:
    """What the first entry of the next segment is chained to."""
    return NO_HASH if link is None else link.hash
