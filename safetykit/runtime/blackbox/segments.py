"""One segment file of the black box: chained entries, written append-only, read without ever raising.

An entry is ``header (32 bytes) + payload + SHA-256 (32 bytes)``; the hash covers the hash of the entry before, the
header and the payload. The header carries its own CRC-32, so that a cut tail and a changed length are told apart.
docs/blackbox.md fixes every byte.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import IntEnum
from typing import Any

MAGIC = b"SKBB"
FORMAT_VERSION = 1
HEADER = struct.Struct("<4sBBHIQqI")  # magic, version, type, reserved, length, number, UTC ns, CRC-32 of the rest
HASH_SIZE = 32
NO_HASH = bytes(HASH_SIZE)
PAYLOAD_SIZE_MAX = 32 << 20
LOST = struct.Struct("<QQI")  # first number, count, LostReason

_NAME = re.compile(r"(\d{8})-(\d{8}T\d{6}\.\d{6}Z)\.skbb")
_RESYNC_WORK = 4  # times the file's size that a search for readable entries may hash


class EntryType(IntEnum):
    """Numbers are part of the format: append, never renumber."""

    OPEN = 1  # JSON: everything needed to replay elsewhere, and the link to the segment before
    FRAMES = 2  # a block of frames, see frame_codec
    LOST = 3  # frames that are not in the log, and why
    EVENT = 4  # JSON: what happened, for people and for quick listing
    CLOSE = 5  # JSON: the segment is complete; optionally signed


class LostReason(IntEnum):
    OVERRUN = 1  # the ring went round before the recorder came
    NOT_RECORDING = 2  # the recorder was not running, or could not write, and the ring went round


@dataclass(frozen=True)
class Entry:
    """One intact entry of a segment held in memory."""

    type: int
    number: int
    utc_ns: int
    offset: int
    payload: bytes
    hash: bytes

    @property
    def end(self) -> int:
        return self.offset + HEADER.size + len(self.payload) + HASH_SIZE

    def json(self) -> dict[str, Any]:
        """Payload of OPEN, EVENT and CLOSE; empty when it is not a JSON object."""
        return parse_json(self.payload)


@dataclass(frozen=True)
class Damage:
    """Bytes of a segment that are not an intact entry."""

    number: int  # of the entry that was expected here
    offset: int
    size: int
    what: str


@dataclass
class Scan:
    """Everything readable of one segment, in file order, and everything that is not."""

    size: int
    entries: list[Entry] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    tail: Damage | None = None  # bytes after the last intact entry
    tail_torn: bool = False  # the tail is what an interrupted write leaves behind, and nothing else

    @property
    def good_size(self) -> int:
        return self.entries[-1].end if self.entries else 0

    @property
    def last_hash(self) -> bytes | None:
        return self.entries[-1].hash if self.entries else None

    @property
    def opening(self) -> Entry | None:
        first = self.entries[0] if self.entries else None
        return first if first is not None and first.type == EntryType.OPEN and first.number == 0 else None

    @property
    def closing(self) -> Entry | None:
        last = self.entries[-1] if self.entries else None
        return last if last is not None and last.type == EntryType.CLOSE else None


def segment_name(number: int, utc_ns: int) -> str:
    """File name. The number comes first: a board without a battery clock may start segments in 1970."""
    moment = datetime.fromtimestamp(utc_ns // 10**9, timezone.utc)
    return f"{number:08d}-{moment:%Y%m%dT%H%M%S}.{utc_ns % 10**9 // 1000:06d}Z.skbb"


def segment_number(name: str) -> int | None:
    """Number in a segment's file name, or None for any other name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def segment_utc_ns(name: str) -> int | None:
    """UTC in a segment's file name, ns (to the microsecond), or None for any other name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[2], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def chain(previous: bytes, header: bytes, payload: bytes) -> bytes:
    """Hash of an entry, 32 bytes."""
    digest = hashlib.sha256(previous)
    digest.update(header)
    digest.update(payload)
    return digest.digest()


def encode_entry(kind: EntryType, number: int, utc_ns: int, payload: bytes, previous: bytes) -> tuple[bytes, bytes]:
    """Bytes of one entry and its hash. Raises ValueError when the payload is too long."""
    if len(payload) > PAYLOAD_SIZE_MAX:
        raise ValueError(f"an entry holds at most {PAYLOAD_SIZE_MAX} bytes, not {len(payload)}")
    fields = HEADER.pack(MAGIC, FORMAT_VERSION, kind, 0, len(payload), number, utc_ns, 0)[:-4]
    header = fields + struct.pack("<I", zlib.crc32(fields))
    entry_hash = chain(previous, header, payload)
    return header + payload + entry_hash, entry_hash


def to_json(document: Any) -> bytes:
    """JSON without spaces, keys in the order given (it counts for channels); NaN and infinities become strings."""
    plain = _plain(document)
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse_json(payload: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one for anything else."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


# --------------------------------------------------------------------------- reading
def scan(data: bytes) -> Scan:
    """Read one segment. Never raises; an entry is listed only when its hash proves it.

    After damage, reading goes on at the next entry that follows on from the hash stored just before it.
    """
    return _Scanner(data).run()


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.result = Scan(len(data))
        self.work_left = _RESYNC_WORK * len(data) + PAYLOAD_SIZE_MAX

    def run(self) -> Scan:
        result, position = self.result, 0
        previous = _first_link(self.data)
        while position < len(self.data):
            expected = result.entries[-1].number + 1 if result.entries else 0
            entry, what = self._entry_at(position, previous, expected)
            if entry is None and what is not None:
                resumed = self._resync(position, expected, what)
                if resumed is None:
                    break
                entry = resumed
            assert entry is not None
            result.entries.append(entry)
            position, previous = entry.end, entry.hash
        return result

    def _entry_at(self, position: int, previous: bytes, expected: int) -> tuple[Entry | None, str | None]:
        """The intact entry that starts here, or what is wrong with these bytes."""
        fields, what = _read_header(self.data, position)
        if fields is None:
            return None, what
        kind, length, number, utc_ns = fields
        end = position + HEADER.size + length
        if end + HASH_SIZE > len(self.data):
            return None, "the entry is cut off by the end of the file"
        header = self.data[position : position + HEADER.size]
        payload = self.data[position + HEADER.size : end]
        self.work_left -= len(payload)
        if chain(previous, header, payload) != self.data[end : end + HASH_SIZE]:
            moved = f", and it says it is entry {number}" if number != expected else ""
            return None, f"hash does not match: changed, moved or forged{moved}"
        if number < expected:
            return None, f"says it is entry {number}"
        return Entry(kind, number, utc_ns, position, payload, self.data[end : end + HASH_SIZE]), None

    def _resync(self, position: int, expected: int, what: str) -> Entry | None:
        """Note the damage and find the next entry that stands on the hash stored before it; None = no more."""
        kept = self._with_wrong_hash(position, expected)
        if kept is not None:
            hash_offset = kept.end - HASH_SIZE
            self.result.damages.append(Damage(expected, hash_offset, HASH_SIZE, "hash changed; the content is intact"))
            return kept
        found = self.data.find(MAGIC, position + 1)
        while found != -1 and self.work_left > 0:
            if found >= position + HEADER.size:
                entry, _ = self._entry_at(found, self.data[found - HASH_SIZE : found], expected)
                if entry is not None:
                    self.result.damages.append(Damage(expected, position, found - position, what))
                    return entry
            found = self.data.find(MAGIC, found + 1)
        self.result.tail = Damage(expected, position, len(self.data) - position, what)
        self.result.tail_torn = _is_torn(self.data, position)
        return None

    def _with_wrong_hash(self, position: int, expected: int) -> Entry | None:
        """The entry here, when only its stored hash is wrong: then the next entry stands on the computed one."""
        fields, _ = _read_header(self.data, position)
        if fields is None or fields[2] != expected:
            return None
        kind, length, number, utc_ns = fields
        end = position + HEADER.size + length
        previous = self.result.last_hash or _first_link(self.data)
        header = self.data[position : position + HEADER.size]
        payload = self.data[position + HEADER.size : end]
        computed = chain(previous, header, payload)
        follower, _ = self._entry_at(end + HASH_SIZE, computed, expected + 1)
        if follower is None or follower.number != expected + 1:
            return None
        return Entry(kind, number, utc_ns, position, payload, computed)


def _read_header(data: bytes, position: int) -> tuple[tuple[int, int, int, int] | None, str]:
    """(type, length, number, utc_ns), or what is wrong."""
    if len(data) - position < HEADER.size:
        return None, "the entry is cut off by the end of the file"
    magic, version, kind, reserved, length, number, utc_ns, crc = HEADER.unpack_from(data, position)
    if zlib.crc32(data[position : position + HEADER.size - 4]) != crc or magic != MAGIC:
        return None, "no entry header here: changed, cut out or foreign bytes"
    if version != FORMAT_VERSION:
        return None, f"format version {version}, this software reads {FORMAT_VERSION}"
    if kind not in _KINDS or reserved != 0 or length > PAYLOAD_SIZE_MAX:
        return None, f"entry type {kind}, length {length}: not part of the format"
    return (kind, length, number, utc_ns), ""


_KINDS = frozenset(int(kind) for kind in EntryType)


def _first_link(data: bytes) -> bytes:
    """The hash that the first entry is chained to: its own OPEN payload names it."""
    return previous_hash(first_payload(data))


def first_payload(data: bytes) -> dict[str, Any]:
    """The OPEN payload at the start of a segment's bytes, not proven by its hash; empty when it is not one."""
    fields, _ = _read_header(data, 0)
    if fields is None or fields[0] != EntryType.OPEN:
        return {}
    return parse_json(data[HEADER.size : HEADER.size + fields[1]])


def previous_hash(opening: dict[str, Any]) -> bytes:
    """Hash that an OPEN payload links to; all zeros when there is none or it is malformed."""
    previous = opening.get("previous")
    text = previous.get("hash") if isinstance(previous, dict) else None
    try:
        value = bytes.fromhex(text) if isinstance(text, str) else NO_HASH
    except ValueError:
        return NO_HASH
    return value if len(value) == HASH_SIZE else NO_HASH


def _is_torn(data: bytes, position: int) -> bool:
    """Whether the bytes from here on are the start of one entry whose write was interrupted."""
    rest = data[position:]
    if not rest.strip(b"\0"):
        return True  # a file system may extend a file before its data arrives
    if len(rest) < HEADER.size:
        return rest[: len(MAGIC)] == MAGIC[: len(rest)]
    fields, _ = _read_header(data, position)
    return fields is not None and HEADER.size + fields[1] + HASH_SIZE > len(rest)
