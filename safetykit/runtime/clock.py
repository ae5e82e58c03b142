"""Time and the system calls of the compiled loop: no Python, no allocation.

``ExternalFunction`` resolves a symbol by name when machine code is loaded, so compiled functions can be cached; a
ctypes pointer could not. A C ``struct timespec`` is two words on every 64-bit Linux: ``int64[2]``.

With ``NUMBA_DISABLE_JIT=1`` the same names are plain Python.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
from numba import types

from safetykit.core.jit import jit
from safetykit.runtime.atomics import INTERPRETED, Words, address

CLOCK_MONOTONIC = 1
TIMER_ABSTIME = 1
NS_PER_S = 1_000_000_000

now_ns: Any
sleep_until: Any
write_words: Any
read_bytes: Any

if INTERPRETED:

    def now_ns(timespec: Words) -> int:
        """CLOCK_MONOTONIC in ns."""
        return time.monotonic_ns()

    def sleep_until(timespec: Words, due_ns: int) -> None:
        """Sleep until CLOCK_MONOTONIC reaches `due_ns`; returns early on a signal."""
        time.sleep(max(due_ns - time.monotonic_ns(), 0) / NS_PER_S)

    def write_words(fd: int, words: Any) -> int:
        """``write(2)`` of the whole array; bytes written or -1."""
        try:
            return os.write(fd, words.tobytes())
        except OSError:
            return -1

    def read_bytes(fd: int, buffer: Any) -> int:
        """``read(2)`` into a uint8 array from a descriptor that does not block; bytes read, 0 or -1."""
        try:
            data = os.read(fd, buffer.size)
        except OSError:
            return -1
        buffer[: len(data)] = np.frombuffer(data, np.uint8)
        return len(data)

else:
    _INT: Any = types.int32
    _WORD: Any = types.int64
    _clock_gettime: Any = types.ExternalFunction("clock_gettime", _INT(_INT, _WORD))
    _clock_nanosleep: Any = types.ExternalFunction("clock_nanosleep", _INT(_INT, _INT, _WORD, _WORD))
    _write: Any = types.ExternalFunction("write", _WORD(_INT, _WORD, _WORD))
    _read: Any = types.ExternalFunction("read", _WORD(_INT, _WORD, _WORD))

    @jit
    def now_ns(timespec: Words) -> int:
        """CLOCK_MONOTONIC in ns."""
        _clock_gettime(np.int32(CLOCK_MONOTONIC), address(timespec))
        nanoseconds: int = timespec[0] * NS_PER_S + timespec[1]
        return nanoseconds

    @jit
    def sleep_until(timespec: Words, due_ns: int) -> None:
        """Sleep until CLOCK_MONOTONIC reaches `due_ns`; returns early on a signal."""
        timespec[0] = due_ns // NS_PER_S
        timespec[1] = due_ns % NS_PER_S
        _clock_nanosleep(np.int32(CLOCK_MONOTONIC), np.int32(TIMER_ABSTIME), address(timespec), np.int64(0))

    @jit
    def write_words(fd: int, words: Any) -> int:
        """``write(2)`` of the whole array; bytes written or -1."""
        written: int = _write(np.int32(fd), address(words), np.int64(words.size * words.itemsize))
        return written

    @jit
    def read_bytes(fd: int, buffer: Any) -> int:
        """``read(2)`` into a uint8 array from a descriptor that does not block; bytes read, 0 or -1."""
        count: int = _read(np.int32(fd), address(buffer), np.int64(buffer.size))
        return count


def new_timespec() -> Words:
    """Scratch memory for the calls above."""
    return np.zeros(2, np.int64)
