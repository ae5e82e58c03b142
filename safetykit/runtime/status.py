"""The status page: counters of the running loop in shared memory, for `safetykit status` and the bench.

One writer, the loop; each word stands for itself, so no lock is needed. Never reset while the page exists, except by a
new start of the guard.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safetykit.core.jit import jit
from safetykit.core.vocabulary import State
from safetykit.errors import MailboxError
from safetykit.runtime.atomics import load, store
from safetykit.runtime.words import WordFile, Words

MAGIC = 0x3130544154534B53  # "SKSTAT01"
SLOTS = (
    *("command", "function", *(f"source {n}" for n in range(8)), "cli", "ros", "console", "bridge"),
    *("second command", "third command", "manual command", "objects"),
)
CONTROLS = 4

MAGIC_AT, TICKS, STATE, MISSES, WAKE_MAX_NS, WORK_MAX_NS, WRITE_FAILED, STOP_EVENT, FAULTS = range(9)
CONTROL_SEEN = 30  # PUBLISHED of the last control message that was acted upon, by client
TORN = 40  # torn reads, by slot
WAKE_BUCKETS = 64  # ticks by wake-up latency: 0-999 in us ...
WAKE_FINE = 1000
WAKE_COARSE = 32  # ... then by powers of two: 1-2 ms, 2-4 ms, ...
WORDS = WAKE_BUCKETS + WAKE_FINE + WAKE_COARSE


@jit
def bucket_of(late_ns: int) -> int:
    """Number of the histogram bucket for a wake-up latency."""
    late_us = max(late_ns, 0) // 1000
    if late_us < WAKE_FINE:
        return late_us
    coarse, late_ms = 0, late_us // 1000
    while late_ms > 1 and coarse < WAKE_COARSE - 1:
        late_ms >>= 1
        coarse += 1
    return WAKE_FINE + coarse


@jit
def add(page: Words, word: int, amount: int) -> None:
    """Advance a counter."""
    store(page, word, load(page, word) + amount)


@jit
def raise_to(page: Words, word: int, value: int) -> None:
    """Keep the largest value."""
    if value > load(page, word):
        store(page, word, value)


def bucket_top_us(bucket: int) -> float:
    """Upper edge of a bucket, in us."""
    return bucket + 1.0 if bucket < WAKE_FINE else 1000.0 * 2.0 ** (bucket - WAKE_FINE + 1)


@dataclass(frozen=True)
class Status:
    """What the loop counted since its start."""

    ticks: int
    state: State
    misses: int  # periods without a tick
    wake_max_ns: int  # longest time from the due moment to running
    work_max_ns: int  # longest tick
    write_failed: int  # outputs that the file descriptor did not take
    stop_event: int
    faults: int
    torn: dict[str, int]  # by mailbox
    wake_us: dict[str, float]  # p50, p99, p99.9: upper edge of the bucket


def percentile_us(histogram: Words, share: float) -> float:
    """Upper edge of the bucket below which `share` of all wake-ups lie; 0 without any."""
    total = int(histogram.sum())
    if total == 0:
        return 0.0
    return bucket_top_us(int(np.searchsorted(np.cumsum(histogram), share * total)))


def read_status(path: str | Path) -> Status:
    """Read the page of a guard. Raises MailboxError: not there, not ours, or not a status page."""
    page = WordFile.open(path, WORDS).words.copy()
    if page[MAGIC_AT] != MAGIC:
        raise MailboxError(f"{path}: not a status page")
    state = int(page[STATE])
    histogram = page[WAKE_BUCKETS:]
    return Status(
        ticks=int(page[TICKS]),
        state=State(state) if state in State._value2member_map_ else State.EMERGENCY_STOP,
        misses=int(page[MISSES]),
        wake_max_ns=int(page[WAKE_MAX_NS]),
        work_max_ns=int(page[WORK_MAX_NS]),
        write_failed=int(page[WRITE_FAILED]),
        stop_event=int(page[STOP_EVENT]),
        faults=int(page[FAULTS]),
        torn={name: int(page[TORN + slot]) for slot, name in enumerate(SLOTS)},
        wake_us={name: percentile_us(histogram, share) for name, share in PERCENTILES.items()},
    )


PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def create_status(path: str | Path) -> tuple[WordFile, bool]:
    """Make the page, zeroed but for what must outlive the guard; says if the guard before left a latched stop.

    Raises MailboxError.
    """
    file = WordFile.create(path, WORDS)
    page = file.words
    known = page[MAGIC_AT] == MAGIC
    latched = bool(known and page[STATE] not in (State.BOOT, State.STANDBY, State.ENGAGED, State.RECOVERY))
    seen = page[CONTROL_SEEN : CONTROL_SEEN + CONTROLS].copy()
    page[:] = 0
    if known:
        page[CONTROL_SEEN : CONTROL_SEEN + CONTROLS] = seen
    page[MAGIC_AT] = MAGIC
    return file, latched
