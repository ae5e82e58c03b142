"""Is the log whole? Finds any cut, edit, bit flip, reorder, missing or foreign segment. Never raises on garbage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetykit.errors import LogError
from safetykit.runtime.blackbox import frame_codec, signature
from safetykit.runtime.blackbox.opening import mapping
from safetykit.runtime.blackbox.segment_file import (
    TORN_SUFFIX,
    Head,
    SegmentPath,
    list_segments,
    read_head,
    read_segment,
)
from safetykit.runtime.blackbox.segments import (
    LOST,
    NO_HASH,
    Entry,
    EntryType,
    Scan,
    previous_hash,
    scan,
    segment_number,
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and where. `entry` and `offset` are None when it concerns a file as a whole."""

    segment: str
    entry: int | None
    offset: int | None
    what: str

    def __str__(self) -> str:
        entry = "" if self.entry is None else f", entry {self.entry}"
        offset = "" if self.offset is None else f", byte {self.offset}"
        return f"{self.segment}{entry}{offset}: {self.what}"


@dataclass
class SegmentReport:
    """What one segment holds."""

    name: str
    number: int
    state: str = "closed"  # closed | open (the newest, no CLOSE) | crashed (continued by the next one)
    entries: int = 0
    frames: int = 0
    lost: int = 0
    size: int = 0
    signed_by: str = ""


@dataclass
class Report:
    """The verdict. `findings` empty = the log is whole; `notes` are worth knowing but not wrong."""

    segments: list[SegmentReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings


@dataclass
class _Known:
    """What verification carries from segment to segment."""

    log_id: str = ""
    number: int | None = None  # of the segment before
    end: Scan | None = None
    next_frame: int | None = None  # after the last frame of the segment before
    removed: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    torn: dict[str, str] = field(default_factory=dict)  # file name -> SHA-256
    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)  # (segment, entries) -> hash at its end


def verify(path: Path, public_key: bytes | None = None) -> Report:
    """Check a log directory, or one segment file by itself. Raises LogError when there is nothing to check."""
    if path.is_file():
        return _verify_file(path, public_key)
    report, known = Report(), _Known()
    head = _read_head(path, report)
    segments = list_segments(path)
    if not segments:
        raise LogError(f"{path}: no segments of a black box here")
    for place, segment in enumerate(segments):
        _check_segment(report, known, segment, place == len(segments) - 1, public_key)
    _check_start(report, known, segments[0])
    _check_head(report, known, head, segments)
    _check_torn(report, known, path)
    return report


def _verify_file(path: Path, public_key: bytes | None) -> Report:
    report, known = Report(), _Known()
    number = segment_number(path.name)
    segment = SegmentPath(path, -1 if number is None else number)
    _check_segment(report, known, segment, True, public_key)
    report.notes.append("one segment by itself: links to other segments were not checked")
    return report


def _check_segment(report: Report, known: _Known, segment: SegmentPath, newest: bool, public_key: bytes | None) -> None:
    name = segment.path.name
    found = scan(read_segment(segment.path))
    findings = [Finding(name, damage.number, damage.offset, damage.what) for damage in found.damages]
    if found.tail is not None:
        tail = found.tail
        if newest and found.tail_torn:
            report.notes.append(f"{name}: ends in {tail.size} bytes of an entry that was being written")
        else:
            findings.append(Finding(name, tail.number, tail.offset, tail.what))
    if found.size == 0:
        findings.append(Finding(name, None, None, "empty"))
    summary = SegmentReport(name, segment.number, size=found.size)
    findings += _content(summary, known, found)
    if found.entries:
        summary.state = "closed" if found.closing else "open" if newest else "crashed"
        findings += _check_opening(known, segment, found)
        findings += _check_signature(summary, known, found, public_key)
    _collect_events(report, known, found, findings, name)
    known.number, known.end = segment.number, found
    report.segments.append(summary)
    report.findings += sorted(set(findings), key=lambda finding: (finding.offset or 0, finding.what))


def _content(summary: SegmentReport, known: _Known, found: Scan) -> list[Finding]:
    """Count frames; every number must follow on or be marked as lost; nothing may follow CLOSE."""
    opening = found.opening
    expected = None if opening is None else mapping(opening.json(), "ring").get("next_frame")
    follows = known.number is not None and summary.number == known.number + 1
    findings = _frames_follow(summary.name, known, expected) if follows else []
    damaged = {damage.number for damage in found.damages}
    for entry in found.entries:
        span = _span(entry)
        if entry.type in (EntryType.FRAMES, EntryType.LOST):
            if span is None:
                findings.append(Finding(summary.name, entry.number, entry.offset, "malformed content"))
                continue
            first, count = span
            gap_explained = bool(damaged) and any(number <= entry.number for number in damaged)
            if expected is not None and first != expected and not gap_explained:
                what = f"frame {expected} expected, found {first}, and no mark of lost frames"
                findings.append(Finding(summary.name, entry.number, entry.offset, what))
            expected = first + count
            if entry.type == EntryType.FRAMES:
                summary.frames += count
            else:
                summary.lost += count
        elif entry.type == EntryType.CLOSE and entry is not found.entries[-1]:
            findings.append(Finding(summary.name, entry.number, entry.offset, "entries after the segment was closed"))
        elif (entry.type == EntryType.OPEN) != (entry.number == 0):
            findings.append(Finding(summary.name, entry.number, entry.offset, "must start with its only OPEN entry"))
    summary.entries = len(found.entries)
    known.next_frame = None if found.damages or found.tail is not None else expected
    return findings


def _frames_follow(name: str, known: _Known, expected: Any) -> list[Finding]:
    """The segment goes on with the frame after the last one of the segment before, or says that it does not."""
    if known.next_frame is None or expected is None or expected == known.next_frame:
        return []
    what = f"goes on with frame {expected!r}, the segment before ended before frame {known.next_frame}"
    return [Finding(name, 0, 0, what)]


def _span(entry: Entry) -> tuple[int, int] | None:
    """(first frame number, count) of a FRAMES or LOST entry."""
    if entry.type == EntryType.FRAMES:
        head = frame_codec.read_head(entry.payload)
        return None if head is None else (head.first_number, head.count)
    if entry.type == EntryType.LOST and len(entry.payload) == LOST.size:
        first, count, _ = LOST.unpack(entry.payload)
        return first, count
    return None


def _check_opening(known: _Known, segment: SegmentPath, found: Scan) -> list[Finding]:
    """The OPEN entry names this segment of this log and links to the segment before."""
    name, opening = segment.path.name, found.opening
    if opening is None:
        return [] if found.damages else [Finding(name, 0, 0, "must start with its only OPEN entry")]
    document = opening.json()
    wrong = []
    if segment.number != document.get("segment"):
        wrong.append(f"the file name says segment {segment.number}, the content {document.get('segment')!r}")
    if known.log_id and document.get("log_id") != known.log_id:
        wrong.append("belongs to another log")
    known.log_id = known.log_id or str(document.get("log_id"))
    if known.number is not None and known.end is not None:
        wrong += _check_link(known.number, known.end, segment.number, mapping(document, "previous"))
    return [Finding(name, 0, 0, what) for what in wrong]


def _check_link(before: int, end: Scan, number: int, previous: dict[str, Any]) -> list[str]:
    if number == before:
        return [f"there are two segments {number}"]
    if number != before + 1:
        missing = f"segment {before + 1}" if number == before + 2 else f"segments {before + 1} to {number - 1}"
        return [f"{missing} before it missing"]
    if previous.get("number") != before or previous.get("hash") != (end.last_hash or NO_HASH).hex():
        return [f"does not follow on from segment {before} as it is now: that one was cut, changed or replaced"]
    if previous.get("closed") is not (end.closing is not None):
        return [f"segment {before} has a CLOSE entry and is linked as crashed, or the other way round"]
    return []


def _check_signature(summary: SegmentReport, known: _Known, found: Scan, public_key: bytes | None) -> list[Finding]:
    closing = found.closing
    for entry in found.entries:
        known.hashes[summary.number, entry.number + 1] = entry.hash
    if closing is None:
        return []
    before = found.entries[-2].hash if len(found.entries) > 1 else NO_HASH
    document = found.opening.json() if found.opening is not None else {}
    signer, wrong = signature.check(closing.json(), before, str(document.get("log_id")), summary.number)
    if signer is not None:
        summary.signed_by = signer.hex()
    if not wrong and public_key is not None and signer != public_key:
        wrong = "not signed" if signer is None else f"signed with another key, {signer.hex()}"
    return [Finding(summary.name, closing.number, closing.offset, wrong)] if wrong else []


def _collect_events(report: Report, known: _Known, found: Scan, findings: list[Finding], name: str) -> None:
    for entry in found.entries:
        if entry.type != EntryType.EVENT:
            continue
        event = entry.json()
        kind = event.get("event")
        if kind == "segment_removed" and isinstance(event.get("segment"), int):
            known.removed[event["segment"]] = (str(event.get("name")), _hash(event.get("hash")))
        elif kind == "torn_tail":
            known.torn[str(event.get("file"))] = str(event.get("sha256"))
        elif kind in ("flushed_entries_missing", "head_damaged"):
            findings.append(Finding(name, entry.number, entry.offset, f"recorded at restart: {event.get('what')}"))
        elif kind == "keep_days_lowered":
            report.notes.append(f"{name}: keeps {event.get('keep_days')} days by decision: {event.get('decision')}")


def _hash(text: Any) -> bytes:
    return previous_hash({"previous": {"hash": text}})


def _check_start(report: Report, known: _Known, first: SegmentPath) -> None:
    """A log starts with segment 0, or with one whose forerunner was removed on record."""
    opening = scan(read_segment(first.path)).opening if first.number > 0 else None
    if first.number == 0 or opening is None:
        return
    linked = previous_hash(opening.json())
    if known.removed.get(first.number - 1, ("", b""))[1] == linked:
        report.notes.append(f"segments up to {first.number - 1} were removed by retention, on record")
    else:
        what = f"segment {first.number - 1} before it missing, and no record of its removal"
        report.findings.insert(0, Finding(first.path.name, 0, 0, what))


def _read_head(path: Path, report: Report) -> Head | None:
    try:
        return read_head(path)
    except LogError as error:
        report.findings.append(Finding("head.json", None, None, str(error).split(": ", 1)[-1]))
        return None


def _check_head(report: Report, known: _Known, head: Head | None, segments: list[SegmentPath]) -> None:
    """Everything that was once on the disk is still there."""
    last = segments[-1].path.name
    if head is None:
        lone = len(segments) == 1 and segments[0].number == 0 and report.segments[0].state == "open"
        if not lone and not any(finding.segment == "head.json" for finding in report.findings):
            report.findings.append(Finding("head.json", None, None, "missing: the end of the log cannot be checked"))
    elif head.log_id != known.log_id:
        report.findings.append(Finding("head.json", None, None, "belongs to another log"))
    elif known.hashes.get((head.segment, head.entries)) != head.hash:
        what = f"cut or changed: segment {head.segment} was on the disk with {head.entries} entries"
        report.findings.append(Finding(last, None, None, what))


def _check_torn(report: Report, known: _Known, directory: Path) -> None:
    """Torn tails that were put aside are still there, unchanged."""
    present = {file.name for file in directory.glob(f"*{TORN_SUFFIX}")}
    for name in sorted(present | known.torn.keys()):
        if name not in known.torn:
            report.notes.append(f"{name}: a torn tail that no event speaks of")
        elif name in present:
            if hashlib.sha256(read_segment(directory / name)).hexdigest() != known.torn[name]:
                report.findings.append(Finding(name, None, None, "changed since it was put aside"))
        elif not (name[:8].isdigit() and int(name[:8]) in known.removed):
            report.findings.append(Finding(name, None, None, "missing: it was put aside after a crash"))
