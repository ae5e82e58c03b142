"""The whole cycle once more, naive: a queue of bytes, the receiver, the model, and what they send."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.firmware.model import Made, Model, Seen
from tests.firmware.protocol import PASSED, PROGRAM, RUNNING, TIME, Receiver

TAKEN = 32  # looks at the line in one cycle, from cycle.h
SLICE = 64  # bytes of the program checked in one cycle, from selfcheck.h


@dataclass
class CycleModel:
    """A board."""

    model: Model
    image: bytearray
    sealed: bytes  # the image as it was built
    line: list[int | str] = field(default_factory=list)
    heard_at: int = 0
    checked: int = 0
    wrong_slice: bool = False
    check: int = RUNNING
    sent: bytes = b""

    def __post_init__(self) -> None:
        self.receiver = Receiver(self.model.unit)
        self.now = 0

    def run(self, now_us: int, contacts: tuple[bool, bool, bool, bool, bool]) -> Made:
        """One cycle."""
        frame, damaged = self._listen(now_us)
        self._check_program()
        made = self.model.step(now_us % 2**32, Seen(*contacts, damaged, frame, self.check))
        self.sent = (made.reply or b"") + (made.diag or b"")
        return made

    def _listen(self, now_us: int) -> tuple[bytes | None, bool]:
        frame, damaged = None, False
        for _ in range(TAKEN):
            if frame is not None or not self.line:
                break
            heard = self.line.pop(0)
            if isinstance(heard, str):  # a line error
                self.receiver.silence()
                damaged = True
                continue
            self.heard_at = now_us
            result = self.receiver.push(heard)
            if isinstance(result, bytes):
                frame = result
            elif result == "damaged":
                damaged = True
        if now_us - self.heard_at > TIME["GAP_US"]:
            damaged = self.receiver.silence() or damaged
            self.heard_at = now_us
        return frame, damaged

    def _check_program(self) -> None:
        if self.check == PROGRAM:
            return
        upto = min(self.checked + SLICE, len(self.image))
        if self.image[self.checked : upto] != self.sealed[self.checked : upto]:
            self.wrong_slice = True
        self.checked = upto
        if upto == len(self.image):
            self.check = PROGRAM if self.wrong_slice else PASSED
            self.checked = 0
            self.wrong_slice = False
