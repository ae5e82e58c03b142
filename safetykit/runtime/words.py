"""A file of 64-bit words mapped into memory: what every mailbox, the ring and the status page are made of."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.errors import MailboxError

Words = np.ndarray[Any, np.dtype[np.int64]]
WORD_BYTES = 8


class WordFile:
    """A mapped file of `count` int64 words. The mapping lives as long as an array made from it, the lock as long as
    this object.

    Attributes: ``path``, ``words`` (int64, shape ``(count,)``), ``fd``.
    """

    fd = -1  # until the file is mapped it belongs to the caller

    def __init__(self, path: Path, fd: int, count: int, *, writable: bool) -> None:
        self.path = path
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self._map = mmap.mmap(fd, count * WORD_BYTES, flags=mmap.MAP_SHARED, prot=protection)
        self.words: Words = np.frombuffer(self._map, np.int64)
        self.fd = fd

    @classmethod
    def open(cls, path: str | Path, count: int | None = None, *, writable: bool = False) -> WordFile:
        """Map an existing file.

        Raises MailboxError: missing, not a regular file, of somebody else, open to others, or of another size.
        """
        path = Path(path)
        fd = _open(path, os.O_RDWR if writable else os.O_RDONLY)
        try:
            size = _check(path, fd)
            if size == 0 or size % WORD_BYTES or (count is not None and size != count * WORD_BYTES):
                expected = "a multiple of 8" if count is None else str(count * WORD_BYTES)
                raise MailboxError(f"{path}: {size} bytes, expected {expected}; was it made by another version?")
            return cls(path, fd, size // WORD_BYTES, writable=writable)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def create(cls, path: str | Path, count: int) -> WordFile:
        """Map the file for writing; a file of the right size is kept as it is, anything else is replaced.

        Keeping it means that other processes' mappings stay valid across a restart of the guard.
        Raises MailboxError: not a regular file, of somebody else, open to others, or cannot be made.
        """
        path = Path(path)
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return cls._new(path, count)
        except OSError as error:
            raise MailboxError(f"{path}: cannot open: {error.strerror}") from error
        try:
            size = _check(path, fd)
            if size == count * WORD_BYTES:
                return cls(path, fd, count, writable=True)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return cls._new(path, count)

    @classmethod
    def _new(cls, path: Path, count: int) -> WordFile:
        """A zeroed file under a temporary name, renamed when it has its full size: nobody maps half a file."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(fd, 0, count * WORD_BYTES)  # a full file system fails here, not as SIGBUS in a tick
            os.rename(partial, path)
        except OSError as error:
            raise MailboxError(f"{path}: cannot create: {error.strerror}") from error
        return cls(path, fd, count, writable=True)

    def lock(self) -> bool:
        """Take the file's exclusive lock until the process ends or :meth:`close`; False if somebody holds it."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise MailboxError(f"{self.path}: cannot lock: {error.strerror}") from error
        return True

    def close(self) -> None:
        """Give the lock back. Arrays made from the mapping stay readable."""
        if self.fd >= 0:
            fcntl.flock(self.fd, fcntl.LOCK_UN)  # the mapping holds a duplicate, so closing alone would keep it
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise MailboxError(f"{path}: not there; is the guard running?") from error
    except OSError as error:
        raise MailboxError(f"{path}: cannot open: {error.strerror}") from error


def _check(path: Path, fd: int) -> int:
    """Size of the file, once it is sure that only its owner, who is us, can reach it."""
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise MailboxError(f"{path}: not a regular file")
    if info.st_uid != os.geteuid():
        raise MailboxError(f"{path}: belongs to user {info.st_uid}, not to {os.geteuid()}")
    if info.st_mode & 0o077:
        raise MailboxError(f"{path}: mode {stat.S_IMODE(info.st_mode):04o} lets others in, expected 0600")
    return info.st_size
