"""What may be at the far end of a line: a scripted microcontroller, or something else altogether.

A far end is a function from what came to what goes back, without I/O. `Pty` puts one behind a real serial port.
"""

from __future__ import annotations

import os
import random
import select
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from firmware_bridge.wire import Diag, McuState, Status, encode
from safetykit.core import protocol as p

FarEnd = Callable[[bytes], bytes]
CALM = p.IN_CHANNEL_A | p.IN_CHANNEL_B | p.IN_RELEASED_1 | p.IN_RELEASED_2


@dataclass(frozen=True)
class Beat:
    """A heartbeat, as it came."""

    command: int
    rest: int
    session: int
    seq: int
    answer: int


class Peer:
    """A microcontroller that answers every heartbeat and says what the test has set in `status`."""

    def __init__(self, unit: int = 1, version: int = p.VERSION) -> None:
        self.unit = unit
        self.status = Status(McuState.STOPPED, CALM, 0x1234, 10, 0xCAFE0001)
        self.pages = [
            Diag(p.PAGE_IDENT, version, 0x0100, 1, 0xDEADBEEF),
            Diag(p.PAGE_LINK, 0, 0, 0, 0),
            Diag(p.PAGE_HEALTH, 0, 12, 0x1234, 61_500),
            *(Diag(p.PAGE_EVENT + slot, 0, 0, 0, 0) for slot in range(p.EVENTS)),
        ]
        self.beats: list[Beat] = []
        self._received = b""

    def __call__(self, data: bytes) -> bytes:
        """Take bytes from the host; the bytes that go back."""
        self._received += data
        answer = b""
        while len(self._received) >= p.FRAME_BYTES:
            frame, self._received = self._received[: p.FRAME_BYTES], self._received[p.FRAME_BYTES :]
            beat = Beat(*struct.unpack("<xxBBHHI4x", frame))
            self.beats.append(beat)
            self.status = replace(self.status, seq=beat.seq, challenge=self.status.challenge + 1)
            answer += self.say(self.status, self.pages[(len(self.beats) - 1) % len(self.pages)])
        return answer

    def say(self, *frames: Status | Diag) -> bytes:
        return b"".join(encode(frame, self.unit) for frame in frames)

    def be(self, state: McuState) -> None:
        """The state that the next answers tell."""
        self.status = replace(self.status, state=state)

    def set_page(self, page: Diag) -> None:
        self.pages = [page if page.page == known.page else known for known in self.pages]


def mute(data: bytes) -> bytes:
    return b""


def echo(data: bytes) -> bytes:
    """Another program that sends back what it gets, or a plug with both wires joined."""
    return data


class Garbage:
    """Another device that talks all the time, in its own language."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)

    def __call__(self, data: bytes) -> bytes:
        return self._random.randbytes(48) + bytes([p.SYNC_MCU] * 4)


class HalfFrames(Peer):
    """The line breaks off in the middle of every frame."""

    def __call__(self, data: bytes) -> bytes:
        whole = super().__call__(data)
        return b"".join(whole[at : at + 9] for at in range(0, len(whole), p.FRAME_BYTES))


class Pty:
    """A real serial port with a far end behind it. `path` may be a link, so that it can be plugged in again."""

    def __init__(self, far_end: FarEnd = mute, link: Path | None = None) -> None:
        self.far_end = far_end
        self._master = -1
        self._link = link
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.plug_in()

    def plug_in(self) -> None:
        self._master, near = os.openpty()
        os.set_blocking(self._master, False)
        self.device = os.ttyname(near)
        os.close(near)  # nobody else has it open: exclusive use must end with its user
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.device)

    @property
    def path(self) -> str:
        return self.device if self._link is None else str(self._link)

    def unplug(self) -> None:
        """The device is gone, and its name with it."""
        self.be_quiet()
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def received(self) -> bytes:
        """What has come so far and nobody took yet."""
        try:
            return os.read(self._master, 65536)
        except OSError:  # nothing, or nobody has the port open
            return b""

    def talk(self) -> Pty:
        """Let the far end answer by itself."""
        self._ending.clear()
        self._thread = threading.Thread(target=self._talk, name="far end", daemon=True)
        self._thread.start()
        return self

    def be_quiet(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _talk(self) -> None:
        while not self._ending.wait(0.001):
            ready = select.select([self._master], [], [], 0.01)[0]
            answer = self.far_end(self.received() if ready else b"")
            try:
                os.write(self._master, answer)
            except BlockingIOError:
                continue  # nobody reads: on a real line the bytes would be lost just the same

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.unplug()


def cause_page(slot: int, cause: p.Cause, number: int) -> Diag:
    """An event page."""
    return Diag(p.PAGE_EVENT + slot, cause, number, 0, 1000 * number)
