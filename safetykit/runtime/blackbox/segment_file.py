"""The files of a log directory: appending entries, listing segments, and the head file.

The head file (``head.json``) names the last entry that is known to be on the disk. It is written after every fsync,
so a log that ends before it was cut. Its modification time also shows that the recorder is alive.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from safetykit.errors import LogError
from safetykit.runtime.blackbox.segments import NO_HASH, EntryType, encode_entry, parse_json, segment_number, to_json

HEAD_NAME = "head.json"
LOCK_NAME = "lock"
TORN_SUFFIX = ".torn"


@dataclass(frozen=True)
class SegmentPath:
    path: Path
    number: int


@dataclass(frozen=True)
class Head:
    """The last entry known to be on the disk: the `entries`-th of segment `segment`."""

    log_id: str
    segment: int
    entries: int
    hash: bytes


class SegmentWriter:
    """Appends chained entries to one new file. An entry that cannot be written whole is taken back.

    Raises OSError when the file cannot be made or written; the chain then stands where it stood.
    """

    def __init__(self, path: Path, previous: bytes = NO_HASH) -> None:
        self.path = path
        self.size = 0
        self.entries = 0
        self.last_hash = previous
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def append(self, kind: EntryType, payload: bytes, utc_ns: int) -> None:
        """Write one entry to the kernel; :meth:`sync` brings it to the disk."""
        data, entry_hash = encode_entry(kind, self.entries, utc_ns, payload, self.last_hash)
        try:
            _write_all(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)
        self.entries += 1
        self.last_hash = entry_hash

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def list_segments(directory: Path) -> list[SegmentPath]:
    """Segment files, by number. Raises LogError when the directory cannot be read."""
    try:
        names = os.listdir(directory)
    except OSError as error:
        raise LogError(f"{directory}: cannot read the log directory: {error.strerror}") from error
    numbered = ((segment_number(name), name) for name in sorted(names))
    found = [SegmentPath(directory / name, number) for number, name in numbered if number is not None]
    return sorted(found, key=lambda segment: segment.number)


def read_segment(path: Path) -> bytes:
    """Bytes of a segment. Raises LogError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LogError(f"{path}: cannot read: {error.strerror}") from error


def make_directory(directory: Path) -> None:
    """Create the log directory, owner only. Raises LogError when it is open to others or somebody else's."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = directory.stat()
    except OSError as error:
        raise LogError(f"{directory}: cannot create the log directory: {error.strerror}") from error
    if info.st_uid != os.geteuid():
        raise LogError(f"{directory}: belongs to user {info.st_uid}, not to {os.geteuid()}")
    if info.st_mode & 0o077:
        raise LogError(f"{directory}: mode {stat.S_IMODE(info.st_mode):04o} lets others in, expected 0700")


def sync_directory(directory: Path) -> None:
    """Bring new, renamed and removed names to the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_file(path: Path, data: bytes) -> None:
    """Replace a small file in one step, owner only, and bring it to the disk."""
    partial = path.with_name(f".{path.name}.partial")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(partial, path)


def write_head(directory: Path, head: Head) -> None:
    """Note how far the log is on the disk. Call it after the segment's fsync, never before."""
    body = {"log_id": head.log_id, "segment": head.segment, "entries": head.entries, "hash": head.hash.hex()}
    write_file(directory / HEAD_NAME, to_json({**body, "check": hashlib.sha256(to_json(body)).hexdigest()}))


def read_head(directory: Path) -> Head | None:
    """The head file, or None when there is none. Raises LogError when it is damaged."""
    path = directory / HEAD_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogError(f"{path}: cannot read: {error.strerror}") from error
    body = parse_json(data)
    check = body.pop("check", None)
    if check != hashlib.sha256(to_json(body)).hexdigest() or to_json({**body, "check": check}) != data:
        raise LogError(f"{path}: damaged: its check sum does not fit")
    try:
        return Head(str(body["log_id"]), int(body["segment"]), int(body["entries"]), bytes.fromhex(body["hash"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LogError(f"{path}: damaged: {error}") from error


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
