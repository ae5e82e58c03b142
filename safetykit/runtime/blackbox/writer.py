"""The black box as its writer sees it: one endless chain of entries over segment files that rotate.

What reaches the disk when: every entry is handed to the kernel as it is written (it survives a killed recorder);
an fsync follows at least every second, at rotation and at the end (it survives a power loss).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.errors import LogError
from safetykit.runtime.blackbox import frame_codec, opening, signature
from safetykit.runtime.blackbox.resume import Link, Resume, first_hash, resume
from safetykit.runtime.blackbox.retention import KEEP_DAYS_MIN, removable
from safetykit.runtime.blackbox.segment_file import (
    TORN_SUFFIX,
    Head,
    SegmentWriter,
    make_directory,
    sync_directory,
    write_head,
)
from safetykit.runtime.blackbox.segments import FORMAT_VERSION, LOST, EntryType, LostReason, segment_name, to_json

KEY_BLOCKS = 20  # every 20th block of frames stands alone: damage costs two seconds at most
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Clocks:
    """The two times of the recorder, in ns. Tests bring their own."""

    utc_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.monotonic_ns


@dataclass(frozen=True)
class Settings:
    """How a log is kept. Times in s, sizes in bytes."""

    directory: Path
    segment_size_max: int = 64 << 20
    segment_s_max: float = 3600.0
    sync_s: float = 1.0
    keep_days: float = KEEP_DAYS_MIN
    keep_decision: str = ""  # who decided to keep less than the minimum, and why; recorded
    key_path: Path | None = None
    clocks: Clocks = field(default_factory=Clocks)


class BlackBox:
    """Writes one log directory. The caller holds the directory's lock.

    Methods may raise OSError (disk full, gone). Then nothing is half done: call again once there is room.
    Raises LogError at start when the directory, the key or the retention asked for cannot be used.
    """

    def __init__(self, settings: Settings, policy: dict[str, Any], ring: dict[str, Any] | None = None) -> None:
        """`policy` as made by ``opening.policy_record``, with what is known of the guard under ``guard``.

        `ring` names the source of the frames: ``identity``, ``starts``.
        """
        if settings.keep_days < KEEP_DAYS_MIN and not settings.keep_decision:
            raise LogError(
                f"keep_days = {settings.keep_days}: below the minimum of {KEEP_DAYS_MIN:.0f} days an operator decision "
                "must be given, and is recorded"
            )
        make_directory(settings.directory)
        self.settings = settings
        self._key = signature.load_private_key(settings.key_path) if settings.key_path is not None else None
        self.resumed: Resume = resume(settings.directory)
        self.log_id = self.resumed.log_id or uuid.uuid4().hex
        self._policy, self._ring = policy, dict(ring or {})
        self._link = self.resumed.link
        self._pending = list(self.resumed.events)
        if settings.keep_days < KEEP_DAYS_MIN:
            self._pending.append(
                {"event": "keep_days_lowered", "keep_days": settings.keep_days, "decision": settings.keep_decision}
            )
        self._writer: SegmentWriter | None = None
        self._opened_ns = self._synced_ns = self._frames = 0
        self._base: frame_codec.Words | None = None
        self._blocks_since_key = 0
        identity = self._ring.get("identity")
        same_ring = identity is not None and identity == self.resumed.ring.get("identity")
        self.next_frame = self.resumed.next_frame if same_ring else None  # None: nothing of this ring is in the log

    @property
    def number(self) -> int:
        """Number of the segment being written, or of the next one."""
        return 0 if self._link is None else self._link.number + 1

    @property
    def path(self) -> Path | None:
        """The segment being written."""
        return None if self._writer is None else self._writer.path

    # ----------------------------------------------------------------------- entries
    def write_frames(self, frames: np.ndarray, first_number: int) -> None:
        """Append 1 to FRAMES_PER_BLOCK_MAX frames (dtype FRAME) that follow each other without a gap."""
        writer = self.open()
        words = frame_codec.as_words(frames)
        follows = first_number == self.next_frame and self._blocks_since_key < KEY_BLOCKS - 1
        base = self._base if follows else None
        clocks = self.settings.clocks
        utc_ns = clocks.utc_ns()
        payload = frame_codec.encode_block(words, first_number, utc_ns - clocks.monotonic_ns(), base)
        writer.append(EntryType.FRAMES, payload, utc_ns)
        self._blocks_since_key = 0 if base is None else self._blocks_since_key + 1
        self._base = words[-1].copy()
        self.next_frame = first_number + len(words)
        self._frames += len(words)

    def write_lost(self, first_number: int, count: int, reason: LostReason) -> None:
        """Append the mark that `count` frames from `first_number` on are not in the log."""
        self.open().append(EntryType.LOST, LOST.pack(first_number, count, reason), self.settings.clocks.utc_ns())
        self.next_frame = first_number + count
        self._base = None

    def write_event(self, event: dict[str, Any]) -> None:
        """Append one event; ``event["event"]`` names its kind."""
        self.open().append(EntryType.EVENT, to_json(event), self.settings.clocks.utc_ns())

    # ----------------------------------------------------------------------- files
    def keep_up(self) -> None:
        """Sync and rotate when due. Call it after every round of writing."""
        writer = self.open()
        now_ns = self.settings.clocks.monotonic_ns()
        if now_ns - self._synced_ns >= self.settings.sync_s * _NS_PER_S:
            self.sync()
        age_ns = now_ns - self._opened_ns
        if writer.size >= self.settings.segment_size_max or age_ns >= self.settings.segment_s_max * _NS_PER_S:
            self.close("rotation")
            self.open()

    def sync(self) -> None:
        """Bring everything written to the disk, and note how far that is."""
        writer = self.open()
        writer.sync()
        write_head(self.settings.directory, Head(self.log_id, self.number, writer.entries, writer.last_hash))
        self._synced_ns = self.settings.clocks.monotonic_ns()

    def close(self, reason: str) -> None:
        """Append CLOSE, signed when a key is configured, and sync. The next write opens a new segment."""
        writer = self._writer
        if writer is None:
            return
        body: dict[str, Any] = {"reason": reason, "entries": writer.entries + 1, "frames": self._frames}
        if self._key is not None:
            body.update(signature.sign(self._key, writer.last_hash, self.log_id, self.number))
        writer.append(EntryType.CLOSE, to_json(body), self.settings.clocks.utc_ns())
        self._link = Link(writer.path.name, self.number, writer.entries, writer.last_hash, closed=True)
        self._writer = None
        try:
            writer.sync()
        finally:
            writer.close()
        head = Head(self.log_id, self._link.number, self._link.entries, self._link.hash)
        write_head(self.settings.directory, head)

    def open(self) -> SegmentWriter:
        """The segment being written; a new one, linked to the one before, when there is none."""
        if self._writer is None:
            self._writer = self._new_segment()
            self._opened_ns = self.settings.clocks.monotonic_ns()
            self._frames, self._base, self._blocks_since_key = 0, None, 0
            self._remove_old(self._writer)
        while self._pending:
            self._writer.append(EntryType.EVENT, to_json(self._pending[0]), self.settings.clocks.utc_ns())
            del self._pending[0]
        return self._writer

    def _new_segment(self) -> SegmentWriter:
        directory, utc_ns = self.settings.directory, self.settings.clocks.utc_ns()
        writer = SegmentWriter(directory / segment_name(self.number, utc_ns), first_hash(self._link))
        try:
            writer.append(EntryType.OPEN, to_json(self._opening(utc_ns)), utc_ns)
            writer.sync()
            sync_directory(directory)
        except OSError:
            writer.close()
            writer.path.unlink(missing_ok=True)
            raise
        return writer

    def _opening(self, utc_ns: int) -> dict[str, Any]:
        return {
            "format": FORMAT_VERSION,
            "log_id": self.log_id,
            "segment": self.number,
            "previous": None if self._link is None else self._link.to_json(),
            "utc_ns": utc_ns,
            "monotonic_ns": self.settings.clocks.monotonic_ns(),
            "boot_id": opening.boot_id(),
            "ring": {**self._ring, "next_frame": self.next_frame},
            "policy": self._policy,
            "layout": opening.layout_record(),
            "software": opening.software_record(),
        }

    def _remove_old(self, writer: SegmentWriter) -> None:
        """Remove segments beyond their time. The record of it is on the disk before the file goes."""
        directory, clocks = self.settings.directory, self.settings.clocks
        for old in removable(directory, self.number, clocks.utc_ns(), self.settings.keep_days):
            path = old.segment.path
            event = {"event": "segment_removed", "segment": old.segment.number, "name": path.name}
            event.update(hash=old.last_hash.hex(), keep_days=self.settings.keep_days)
            writer.append(EntryType.EVENT, to_json(event), clocks.utc_ns())
            writer.sync()
            for file in (*directory.glob(f"{path.name}.*{TORN_SUFFIX}"), path):
                file.unlink(missing_ok=True)
