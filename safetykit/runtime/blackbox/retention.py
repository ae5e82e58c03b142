"""How long segments are kept: at least 180 days, whole segments, oldest first, and every removal is recorded.

EU 2024/1689, art. 19 and 26(6): logs of high-risk systems are kept for at least six months.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetykit.runtime.blackbox.segment_file import SegmentPath, list_segments
from safetykit.runtime.blackbox.segments import HEADER, first_payload, previous_hash, segment_utc_ns

KEEP_DAYS_MIN = 180.0
UTC_PLAUSIBLE_NS = 1_704_067_200_000_000_000  # 2024-01-01; a board without a battery clock starts in 1970
_NS_PER_DAY = 86_400 * 1_000_000_000
_OPENING_SIZE_MAX = 1 << 20


@dataclass(frozen=True)
class Removal:
    """A segment that may go, with what the chain says about it."""

    segment: SegmentPath
    last_hash: bytes


def removable(directory: Path, current: int, utc_ns: int, keep_days: float) -> list[Removal]:
    """Segments older than `keep_days`, oldest first, never the one being written nor the one before it.

    A segment's age counts from the start of the first later segment with a plausible time. Raises LogError or OSError.
    """
    segments = [segment for segment in list_segments(directory) if segment.number <= current]
    found: list[Removal] = []
    for place, segment in enumerate(segments[:-2]):
        ended_ns = _ended_ns(segments[place + 1 :])
        if ended_ns is None or utc_ns - ended_ns < keep_days * _NS_PER_DAY:
            break
        follower = segments[place + 1]
        if follower.number != segment.number + 1:
            break  # something is missing here; leave the evidence
        found.append(Removal(segment, _linked_hash(follower.path)))
    return found


def _ended_ns(later: list[SegmentPath]) -> int | None:
    """When a segment had certainly ended: the start of the first later one with a plausible time."""
    starts = (segment_utc_ns(segment.path.name) for segment in later)
    return next((start for start in starts if start is not None and start >= UTC_PLAUSIBLE_NS), None)


def _linked_hash(path: Path) -> bytes:
    """The hash that this segment's OPEN entry links to."""
    with path.open("rb") as file:
        return previous_hash(first_payload(file.read(HEADER.size + _OPENING_SIZE_MAX)))
