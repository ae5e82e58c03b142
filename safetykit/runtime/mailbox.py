"""Mailboxes: one fixed record in shared memory, one writer, any number of readers, nobody ever waits.

A mailbox file is a header of 16 int64 words, then float64 values: 64 of them, more for the list of objects (a record
has the size of its file). It is a seqlock with a checksum: the writer
makes LOCK odd, writes, makes LOCK even; a reader copies everything and keeps the copy only if LOCK was even and did
not change and the checksum fits. So a writer that is killed or frozen half way, or any garbage in the file, reads as
*torn*: counted, and treated as no message.

Exactly one writer: it holds the file's lock (``flock``), which ends with its process. A second writer is refused, and
leaves a mark in REFUSED that the guard sees. The file must not be truncated while mapped; only its owner could.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import STATUS_NEVER, STATUS_OK, STATUS_TORN
from safetykit.errors import MailboxError
from safetykit.runtime.atomics import (
    INTERPRETED,
    fence_acquire,
    fence_release,
    fetch_add,
    load,
    load_acquire,
    store,
    store_release,
)
from safetykit.runtime.words import WordFile, Words

Values = np.ndarray[Any, np.dtype[np.float64]]

MAGIC = 0x31584F424C494D53  # "SMILBOX1"
MAGIC_AT, LOCK, PUBLISHED, STAMP_NS, SEQ, COUNT, BITS, AUX, EXTRA, CHECKSUM, REFUSED, OWNER = range(12)
CONTENT, CONTENT_END = PUBLISHED, CHECKSUM  # header words under the checksum, with the payload
PAYLOAD = 16
PAYLOAD_MAX = 64
WORDS = PAYLOAD + PAYLOAD_MAX
WORD_MAX = 2**63 - 1
RETRIES = 4  # a writer needs under 1 us; one that is still at it after four copies was descheduled
NOTHING_YET = -1  # LOCK of a private copy that holds nothing; odd, so no record that is read has it

CONTROL_STOP, CONTROL_RESET, CONTROL_BUTTON = 1, 2, 4  # BITS of a control mailbox

_FACTOR = 0x2545F4914F6CDD1D  # odd: a change of any single word always changes the checksum
_SEED = 0x3C6EF372FE94F82B


@jit
def _as_it_is(value: int) -> int:
    return value


def _wrapped(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


_wrap = _wrapped if INTERPRETED else _as_it_is  # integers of compiled code wrap by themselves


@jit_apart
def checksum(words: Words, base: int, size: int = WORDS) -> int:
    """Mix of all content words of the record of `size` words at ``words[base]``."""
    mixed = _SEED
    for word in range(base + CONTENT, base + CONTENT_END):
        mixed = _wrap(mixed * _FACTOR + int(words[word]))
    for word in range(base + PAYLOAD, base + size):
        mixed = _wrap(mixed * _FACTOR + int(words[word]))
    return mixed


@jit_apart
def publish(box: Words, record: Words) -> None:
    """Publish the private `record`, as long as the box; its PUBLISHED is advanced and its CHECKSUM filled in."""
    size = len(record)
    record[PUBLISHED] = _wrap(int(record[PUBLISHED]) + 1)
    record[CHECKSUM] = checksum(record, 0, size)
    busy = load(box, LOCK) | 1  # odd already if the writer before was killed half way
    store(box, LOCK, busy)
    fence_release()
    for word in range(CONTENT, CONTENT_END + 1):
        store(box, word, record[word])
    for word in range(PAYLOAD, size):
        store(box, word, record[word])
    store(box, MAGIC_AT, MAGIC)
    store_release(box, LOCK, _wrap(busy + 1))
    record[LOCK] = _wrap(busy + 1)


@jit_apart
def receive(box: Words, copy: Words, base: int, scratch: int, size: int = WORDS) -> int:
    """Bring the private record at ``copy[base]`` up to date; returns STATUS_NEVER, STATUS_OK or STATUS_TORN.

    Only STATUS_OK changes the record. `scratch` is the offset in `copy` of another `size` words. Reads nothing outside
    the first `size` words of `box`, whatever it contains.
    """
    for _ in range(RETRIES):
        lock = load_acquire(box, LOCK)
        if lock & 1:
            continue
        if lock == copy[base + LOCK]:
            return STATUS_OK  # nothing new
        if lock == 0 and copy[base + LOCK] == NOTHING_YET:
            return STATUS_NEVER
        for word in range(size):
            copy[scratch + word] = load(box, word)
        fence_acquire()
        if load(box, LOCK) != lock:
            continue
        if copy[scratch + MAGIC_AT] != MAGIC or copy[scratch + CHECKSUM] != checksum(copy, scratch, size):
            return STATUS_TORN
        for word in range(size):
            copy[base + word] = copy[scratch + word]
        copy[base + LOCK] = lock
        return STATUS_OK
    return STATUS_TORN


@jit
def _note_refused(box: Words) -> None:
    fetch_add(box, REFUSED, 1)


@dataclass(frozen=True)
class Message:
    """One publication. `values` has as many entries as `count` says and fit; `count` is as the writer gave it."""

    values: Values
    stamp_ns: int  # CLOCK_MONOTONIC
    seq: int  # the sender's number
    count: int
    bits: int
    aux: int
    extra: int
    published: int  # the mailbox's own count of publications


def clamp_count(count: int, most: int = PAYLOAD_MAX) -> int:
    """Number of payload values that may be read for a COUNT word of any content."""
    return min(max(int(count), 0), most)


class MailboxReader:
    """Reads one mailbox. ``torn`` counts the reads that failed, ``status`` is that of the latest read."""

    def __init__(self, path: str | Path) -> None:
        """Open an existing mailbox. Raises MailboxError: not there, not ours, or of another size."""
        self.path = Path(path)
        self.torn = 0
        self.status = STATUS_NEVER
        self._box = WordFile.open(path, WORDS).words
        self._copy = new_copy()
        self._payload = self._copy[PAYLOAD:WORDS].view(np.float64)

    def read(self) -> Message | None:
        """The latest message, the same one again if nothing new came; None if there never was one or it is torn."""
        self.status = int(receive(self._box, self._copy, 0, WORDS))
        if self.status != STATUS_OK:
            self.torn += self.status == STATUS_TORN
            return None
        _, _, published, stamp_ns, seq, count, bits, aux, extra = self._copy[: EXTRA + 1].tolist()
        values = self._payload[: clamp_count(count)].copy()
        return Message(values, stamp_ns, seq, count, bits, aux, extra, published)

    @property
    def raw_payload(self) -> Words:
        """The 64 payload words of the latest good message as int64 (a copy)."""
        return self._copy[PAYLOAD:WORDS].copy()


def new_copy(size: int = WORDS) -> Words:
    """What a reader needs of its own: an empty record of `size` words, and scratch behind it."""
    copy = np.zeros(2 * size, np.int64)
    copy[LOCK] = NOTHING_YET
    return copy


def take_box(file: WordFile) -> tuple[Words, int]:
    """Become the one writer of a mapped box: (private record of its size, the latest sequence number).

    Raises MailboxError: it has a writer already (the message names it); the guard sees that somebody tried.
    """
    box = file.words
    if not file.lock():
        _note_refused(box)
        file.close()
        raise MailboxError(f"{file.path}: has a writer already (process {int(box[OWNER])}); a second one is refused")
    box[OWNER] = os.getpid()
    size = len(box)
    latest = new_copy(size)
    status = receive(box, latest, 0, size, size)
    record = np.zeros(size, np.int64)
    record[PUBLISHED] = box[PUBLISHED]
    return record, int(latest[SEQ]) if status == STATUS_OK else 0


class MailboxWriter:
    """The one writer of a mailbox; holds it until :meth:`close` or the end of the process."""

    def __init__(self, path: str | Path) -> None:
        """Take an existing mailbox, which the guard makes at its start.

        Raises MailboxError: not there, not ours, of another size, or it has a writer already (the message names it).
        """
        self._file = WordFile.open(path, WORDS, writable=True)
        self._record, self._seq = take_box(self._file)
        self._payload = self._record[PAYLOAD:].view(np.float64)

    @classmethod
    def create(cls, path: str | Path) -> MailboxWriter:
        """Make the file if needed, then take it. Raises MailboxError."""
        create_mailbox(path).close()
        return cls(path)

    @property
    def path(self) -> Path:
        return self._file.path

    def publish(
        self,
        values: Sequence[float] | Values,
        *,
        stamp_ns: int | None = None,
        seq: int | None = None,
        count: int | None = None,
        bits: int = 0,
        aux: int = 0,
    ) -> int:
        """Publish up to 64 values; returns the sequence number used.

        Defaults: `stamp_ns` now (CLOCK_MONOTONIC), `seq` one more than the last, `count` ``len(values)``. Any value is
        carried as it is, NaN too: judging it is the guard's work. Raises MailboxError: too many values, or closed.
        """
        size = len(values)
        if size > PAYLOAD_MAX:
            raise MailboxError(f"{self.path}: {size} values, a mailbox carries {PAYLOAD_MAX}")
        if self._file.fd < 0:
            raise MailboxError(f"{self.path}: closed")
        self._seq = self._seq % WORD_MAX + 1 if seq is None else seq
        stamp_ns = time.monotonic_ns() if stamp_ns is None else stamp_ns
        try:
            self._record[STAMP_NS : AUX + 1] = stamp_ns, self._seq, size if count is None else count, bits, aux
        except OverflowError as error:
            raise MailboxError(f"{self.path}: a number does not fit into 64 bits: {error}") from error
        self._payload[:size] = values
        self._payload[size:] = 0.0
        publish(self._file.words, self._record)
        return self._seq

    def note_second_sender(self) -> None:
        """Tell the guard that somebody else tried to send what goes into this box: it raises SENDER."""
        _note_refused(self._file.words)

    def close(self) -> None:
        """Leave the mailbox to another writer."""
        self._file.close()


class ControlWriter:
    """Stop, reset and button of one control client (``control-cli``, ``control-ros``, ...).

    The guard may look less often than this writes, so values[0] carries the number of stops ever asked for: a stop that
    a later publication overwrote still counts.
    """

    def __init__(self, path: str | Path) -> None:
        """Take the client's control mailbox. Raises MailboxError as MailboxWriter does."""
        self._writer = MailboxWriter(path)
        latest = MailboxReader(path).read()
        stops = float(latest.values[0]) if latest is not None and latest.values.size else 0.0
        self._stops = stops if math.isfinite(stops) else 0.0
        self._button = latest.bits & CONTROL_BUTTON if latest is not None else 0

    def stop(self) -> None:
        """Ask for a stop. Needs no right and cannot be refused."""
        self._stops += 1.0
        self._publish(CONTROL_STOP, 0)

    def reset(self, stop_event: int) -> None:
        """Ask to leave the latched stop number `stop_event`; the guard refuses if another one is present by then."""
        self._publish(CONTROL_RESET, stop_event)

    def button(self, pressed: bool) -> None:
        """Give the level of an emergency stop device; it stays until the next call."""
        self._button = CONTROL_BUTTON if pressed else 0
        self._publish(0, 0)

    def _publish(self, bits: int, aux: int) -> None:
        self._writer.publish([self._stops], bits=bits | self._button, aux=aux)

    def close(self) -> None:
        self._writer.close()


def create_mailbox(path: str | Path, size: int = WORDS) -> WordFile:
    """Make a mailbox of `size` words, or keep a fitting one with its latest message. Raises MailboxError."""
    file = WordFile.create(path, size)
    if file.words[MAGIC_AT] == 0:
        file.words[MAGIC_AT] = MAGIC
    return file
