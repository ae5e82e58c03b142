"""The serial cable between guard and board, with somebody's hands on it: it can be cut, mended and spoilt.

Both ends are real terminals. The board's end is the port that the board has already; the guard's end is a pseudo
terminal of our own behind a name that stays the same, as udev gives one to a USB adapter.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import threading
import time
import tty
from pathlib import Path

from firmware_bridge.qemu.machine import go_first

PASS_MS = 5  # longest wait between two passes of the pump
NOISY_PASS_MS = 1
BLOCK = 4096
FLIPPED = 0.1  # share of the bytes that noise changes on their way
UNLOCK, NUMBER = 0x4004_5431, 0x8004_5430  # TIOCSPTLCK and TIOCGPTN, which the module termios does not name


def new_end() -> tuple[int, str]:
    """Our side of a new pseudo terminal, and the path of the other side, which nobody has open yet."""
    ours = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(ours, UNLOCK, struct.pack("i", 0))
    (number,) = struct.unpack("I", fcntl.ioctl(ours, NUMBER, struct.pack("I", 0)))
    tty.setraw(ours)  # sets the far side: it must not echo before somebody opens it
    return ours, f"/dev/pts/{number}"


class Cable:
    """Carries bytes in a thread of its own from its making until `close`. Methods may be called from any thread."""

    def __init__(self, board_port: str, name: Path, seed: int = 3) -> None:
        self.port = str(name)  # the guard's end
        self.dropped = 0  # bytes for which an end had no room
        self._name = name
        self._board = os.open(board_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        tty.setraw(self._board)
        self._guard = -1
        self._random = random.Random(seed)
        self._noise = 0.0  # bytes a second, in each direction
        self._noise_at_s = 0.0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self.mend()
        self._pump = threading.Thread(target=self._carry, name="cable", daemon=True)
        self._pump.start()

    @property
    def alive(self) -> bool:
        """The pump runs."""
        return self._pump.is_alive()

    def cut(self) -> int:
        """The guard sees its port vanish, the board hears nothing more. Returns when, in monotonic ns."""
        with self._lock:
            self._unplug()
            return time.monotonic_ns()

    def mend(self) -> None:
        """The guard's port is back under the same name; on another terminal, as after an unplug."""
        with self._lock:
            self._plug()

    def spoil(self, bytes_per_s: float) -> int:
        """Floods both directions with so much noise; 0 ends it. Returns when, in monotonic ns."""
        with self._lock:
            self._noise = bytes_per_s
            self._noise_at_s = time.monotonic()
            return time.monotonic_ns()

    def close(self) -> None:
        """Ends the thread and takes the guard's port away."""
        self._ending.set()
        self._pump.join()
        with self._lock:
            self._unplug()
        os.close(self._board)

    # ------------------------------------------------------------------ the pump

    def _carry(self) -> None:
        go_first(0)
        while not self._ending.is_set():
            poll = select.poll()
            for end in (self._board, self._guard):
                if end >= 0:
                    poll.register(end, select.POLLIN)
            # Outside the lock: whoever cuts the cable does not wait. An end that was closed meanwhile only wakes us up.
            poll.poll(NOISY_PASS_MS if self._noise else PASS_MS)
            with self._lock:
                self._carry_once()

    def _carry_once(self) -> None:
        from_board, from_guard = self._read(self._board), self._read(self._guard)
        if from_guard is None:
            # The guard let its end go. The last close of a real port ends an exclusive use, that of a pseudo terminal
            # does not, so the next guard gets another one.
            before, self._guard = self._guard, -1
            self._plug()
            os.close(before)
        noise_board, noise_guard = self._new_noise()
        self._write(self._board, self._spoilt(from_guard or b"") + noise_board)
        self._write(self._guard, self._spoilt(from_board or b"") + noise_guard)

    def _new_noise(self) -> tuple[bytes, bytes]:
        """What the noise of the time since the last pass adds in each direction."""
        if not self._noise:
            return b"", b""
        now_s = time.monotonic()
        count = int(self._noise * (now_s - self._noise_at_s))
        self._noise_at_s += count / self._noise
        count = min(count, BLOCK)
        return self._random.randbytes(count), self._random.randbytes(count)

    def _spoilt(self, data: bytes) -> bytes:
        if not self._noise:
            return data
        return bytes(
            byte ^ 1 << self._random.randrange(8) if self._random.random() < FLIPPED else byte for byte in data
        )

    @staticmethod
    def _read(end: int) -> bytes | None:
        """What has come; None if nobody is at the other side any more."""
        if end < 0:
            return b""
        try:
            return os.read(end, BLOCK)
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def _write(self, end: int, data: bytes) -> None:
        """As much as there is room for: a serial line waits for nobody."""
        if end < 0 or not data:
            return
        try:
            self.dropped += len(data) - os.write(end, data)
        except OSError:
            self.dropped += len(data)

    def _plug(self) -> None:
        if self._guard < 0:
            self._guard, path = new_end()
            beside = self._name.with_name(f".{self._name.name}.new")
            beside.unlink(missing_ok=True)
            beside.symlink_to(path)
            beside.replace(self._name)

    def _unplug(self) -> None:
        if self._guard >= 0:
            self._name.unlink(missing_ok=True)
            os.close(self._guard)
            self._guard = -1
