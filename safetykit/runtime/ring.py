"""The shared ring of frames between the loop and the recorder.

The loop never waits: it overwrites the oldest frame. The reader finds out afterwards which frames it was too slow for
and counts them as lost. Frame number ``n`` (0-based, never reused within one ring) lies in slot ``n % slots``.

Words of the file: a header of 16, then ``slots`` times the words of one FRAME.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.core import layout
from safetykit.core.jit import jit, jit_apart
from safetykit.errors import MailboxError
from safetykit.runtime.atomics import fence_acquire, fence_release, load, load_acquire, store, store_release
from safetykit.runtime.words import WORD_BYTES, WordFile, Words

Frames = np.ndarray[Any, np.dtype[np.void]]

MAGIC = 0x31474E4952544B53  # "SKTRING1"
MAGIC_AT, LAYOUT_AT, FRAME_SIZE_AT, SLOTS_AT, HEAD_AT, IDENTITY_AT, STARTS_AT, PID_AT, TAIL_AT = range(9)
HEADER_WORDS = 16
NEVER = -1  # TAIL of a ring whose reader does not say how far it is
PAGE_BYTES = 4096
FRAME_WORDS = layout.FRAME.itemsize // WORD_BYTES
SLOTS_LIMIT = 1 << 16  # 2.2 GB; more can only be a damaged header


@jit_apart
def push(ring: Words, frame: Words) -> None:
    """Append one frame, given as its words. Never blocks; overwrites the oldest."""
    slots = (ring.size - HEADER_WORDS) // FRAME_WORDS
    head = max(load(ring, HEAD_AT), 0)
    base = HEADER_WORDS + head % slots * FRAME_WORDS
    fence_release()  # whoever sees a word of this frame also sees the head of the frame before
    for word in range(FRAME_WORDS):
        store(ring, base + word, frame[word])
    store_release(ring, HEAD_AT, head + 1)


@jit_apart
def pull(ring: Words, first: int, count: int, out: Words) -> int:
    """Copy frames ``first .. first + count`` to `out`; returns how many of the leading ones were overwritten meanwhile.

    `count` frames must fit into `out`, and `first` must not be negative.
    """
    slots = (ring.size - HEADER_WORDS) // FRAME_WORDS
    for frame in range(count):
        base = HEADER_WORDS + (first + frame) % slots * FRAME_WORDS
        for word in range(FRAME_WORDS):
            out[frame * FRAME_WORDS + word] = load(ring, base + word)
    fence_acquire()
    oldest = load(ring, HEAD_AT) - slots + 1  # the slot of `head` itself may be half written
    overwritten: int = min(max(oldest - first, 0), count)
    return overwritten


@jit
def head_of(ring: Words) -> int:
    """Number of frames ever written."""
    head: int = load_acquire(ring, HEAD_AT)
    return head


class Ring:
    """The writing end, used by the loop. ``words`` goes to the compiled :func:`push`."""

    def __init__(self, file: WordFile) -> None:
        self.path = file.path
        self.words = file.words
        self._file = file

    @classmethod
    def create(cls, path: str | Path, slots: int = 512) -> Ring:
        """Make the ring, or go on with a fitting one: its numbers continue, so that a reader never sees one twice.

        Raises MailboxError.
        """
        file = WordFile.create(path, HEADER_WORDS + slots * FRAME_WORDS)
        words = file.words
        expected = (MAGIC, layout.LAYOUT_VERSION, layout.FRAME.itemsize, slots)
        if tuple(words[: len(expected)].tolist()) != expected or words[HEAD_AT] < 0:
            words[:] = 0
            words[IDENTITY_AT] = secrets.randbits(63)
            words[: len(expected)] = expected
        words[STARTS_AT] += 1
        words[PID_AT] = os.getpid()
        words[TAIL_AT] = NEVER
        words[:: PAGE_BYTES // WORD_BYTES] = words[:: PAGE_BYTES // WORD_BYTES]  # no page faults in the first round
        return cls(file)

    @property
    def slots(self) -> int:
        """Number of frames that fit."""
        return int(self.words[SLOTS_AT])

    @property
    def unread(self) -> int:
        """Frames that the recorder has not yet said to have written; 0 if it never says so."""
        tail = int(self.words[TAIL_AT])
        return 0 if tail == NEVER else self.head - tail

    @property
    def head(self) -> int:
        """Number of frames ever written."""
        return int(head_of(self.words))

    def push(self, frame: Frames) -> None:
        """Append one frame (one record of dtype FRAME). For tests and tools; the loop calls :func:`push`."""
        push(self.words, np.frombuffer(frame.tobytes(), np.int64))


class RingReader:
    """The reading end.

    Attributes: ``slots``; ``identity`` (random, new when the ring was made anew: numbers of different rings do not
    compare); ``next_number`` (of the frame that the next :meth:`read` would return); ``lost`` (total).
    """

    def __init__(self, path: str | Path, start: int | None = None) -> None:
        """Open an existing ring at frame number `start`, or at the oldest frame still there.

        Raises MailboxError: not there, not ours, or not a ring of this version.
        """
        self._words = WordFile.open(path).words
        self.path = Path(path)
        self.slots = self._check()
        self.identity = int(self._words[IDENTITY_AT])
        self.lost = 0
        self._tail: Words | None = None
        self.next_number = self._oldest(self.head) if start is None else max(start, 0)

    def _check(self) -> int:
        if self._words.size <= HEADER_WORDS:
            raise MailboxError(f"{self.path}: too short for a ring of frames")
        magic, version, frame_size, slots = self._words[:4].tolist()
        if magic != MAGIC:
            raise MailboxError(f"{self.path}: not a ring of frames")
        if version != layout.LAYOUT_VERSION or frame_size != layout.FRAME.itemsize:
            raise MailboxError(
                f"{self.path}: frame layout {version} with {frame_size} bytes, this program reads layout "
                f"{layout.LAYOUT_VERSION} with {layout.FRAME.itemsize} bytes"
            )
        if not 2 <= slots <= SLOTS_LIMIT or self._words.size != HEADER_WORDS + slots * FRAME_WORDS:
            raise MailboxError(f"{self.path}: header says {slots} slots, the file has {self._words.size} words")
        return int(slots)

    @property
    def head(self) -> int:
        """Number of frames ever written."""
        return int(head_of(self._words))

    @property
    def guard_pid(self) -> int:
        """Process id of the guard that writes, or wrote last."""
        return int(self._words[PID_AT])

    def read(self, max_frames: int = 64) -> tuple[Frames, int, int]:
        """Next frames in order: ``(frames, first_number, lost)``.

        `frames` is a private array of dtype FRAME with 0 to `max_frames` entries, numbered from `first_number` on;
        `lost` counts the frames skipped immediately before them because the loop had overwritten them.
        Raises MailboxError when the ring's count went backwards (somebody damaged it, or `start` was beyond it).
        """
        head = self.head
        if head < self.next_number:
            raise MailboxError(f"{self.path}: went back from frame {self.next_number} to {head}; open it again")
        first = max(self.next_number, self._oldest(head))
        count = min(max(head - first, 0), max_frames)
        words = np.empty(count * FRAME_WORDS, np.int64)
        torn = int(pull(self._words, first, count, words)) if count else 0
        lost = first + torn - self.next_number
        self.lost += lost
        self.next_number = first + count
        return words.view(layout.FRAME)[torn:], first + torn, lost

    def acknowledge(self) -> None:
        """Tell the guard that everything read so far is written; for the one recorder only. Raises MailboxError."""
        if self._tail is None:
            self._tail = WordFile.open(self.path, writable=True).words
        self._tail[TAIL_AT] = self.next_number

    def _oldest(self, head: int) -> int:
        return max(head - self.slots + 1, 0)
