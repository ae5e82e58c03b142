"""The list of objects around the vehicle: a mailbox of its own size, and its writer.

The record is a mailbox whose payload is OBJECTS_MAX rows of OBJECT_COLS numbers (see core/columns/objects.py); COUNT is
the number of objects as the sender gave it. Rows beyond it are zero.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from safetykit.core.bounds import OBJECT_COLS, OBJECTS_MAX
from safetykit.errors import MailboxError
from safetykit.runtime.mailbox import COUNT, PAYLOAD, SEQ, STAMP_NS, publish, take_box
from safetykit.runtime.words import WordFile

WORDS = PAYLOAD + OBJECTS_MAX * OBJECT_COLS
Rows = npt.NDArray[np.float64]


def object_rows(objects: npt.ArrayLike) -> Rows:
    """As float64 (n, OBJECT_COLS). Raises ValueError for another shape; an empty list is n = 0."""
    rows = np.asarray(objects, np.float64)
    if rows.size == 0:
        return np.empty((0, OBJECT_COLS))
    if rows.ndim != 2 or rows.shape[1] != OBJECT_COLS:
        raise ValueError(f"objects must have shape (n, {OBJECT_COLS}), not {rows.shape}")
    return rows


class ObjectsWriter:
    """The one writer of the list; holds it until :meth:`close` or the end of the process."""

    def __init__(self, path: str | Path) -> None:
        """Take ``<run dir>/objects``, which the guard makes at its start. Raises MailboxError as MailboxWriter does."""
        self._file = WordFile.open(path, WORDS, writable=True)
        self._record, self._seq = take_box(self._file)
        self._payload: Any = self._record[PAYLOAD:].view(np.float64).reshape(OBJECTS_MAX, OBJECT_COLS)

    def publish(self, objects: npt.ArrayLike, *, stamp_ns: int | None = None) -> int:
        """Publish the whole list, (n, OBJECT_COLS); returns the sequence number.

        `stamp_ns`: when it was measured, default now (CLOCK_MONOTONIC). An empty list says that nothing is there. A
        list that is too long is cut, and its length is told, which the guard takes for a fault. Raises ValueError for
        another shape, MailboxError when closed.
        """
        rows = object_rows(objects)
        if self._file.fd < 0:
            raise MailboxError(f"{self._file.path}: closed")
        self._seq += 1
        self._record[STAMP_NS] = time.monotonic_ns() if stamp_ns is None else stamp_ns
        self._record[SEQ], self._record[COUNT] = self._seq, len(rows)
        kept = rows[:OBJECTS_MAX]
        self._payload[: len(kept)] = kept
        self._payload[len(kept) :] = 0.0
        publish(self._file.words, self._record)
        return self._seq

    def close(self) -> None:
        """Leave the list to another writer."""
        self._file.close()
