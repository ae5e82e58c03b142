"""A long day of whole cycles: a guard, an operator, noise and trouble on the line, the same for firmware and model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.firmware.cycle_model import CycleModel
from tests.firmware.model import Made, Model
from tests.firmware.protocol import RUN, STOP, TIME
from tests.firmware.stand import LineStand

IMAGE = bytes(range(256)) + b"the program"


@dataclass
class Day:
    """Firmware and model side by side."""

    seed: int

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.stand = LineStand(image=IMAGE, seed=self.seed)
        self.twin = CycleModel(Model(1, 0xC0FFEE00, 1, 0, self.seed, "POWER_UP"), bytearray(IMAGE), IMAGE)
        self.states: Counter[str] = Counter()
        self.stream: list[bytes] = []  # what went out, for a digest

    def cycle(self, dt_us: int) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """One cycle of both; (firmware, model)."""
        stand, twin = self.stand, self.twin
        contacts = (stand.a, stand.b, stand.key, not twin.model.relay_on, not twin.model.relay_on)
        stand.mirrors = contacts[3:]
        self.twin.now += dt_us
        stand.run(dt_us)
        made: Made = twin.run(twin.now, contacts)
        driven = stand.board.driven
        sent = bytes(stand.board.sent[: stand.board.sent_count])
        self.states[twin.model.state] += 1
        self.stream.append(bytes((driven.relay_1, driven.relay_2, driven.led)) + sent)
        firmware = (driven.relay_1, driven.relay_2, driven.led, sent, stand.board.fed)
        return firmware, (made.relay_1, made.relay_2, made.led, twin.sent, stand.board.fed)

    def put(self, data: bytes) -> None:
        self.stand.send(data)
        self.twin.line += list(data)

    def error(self) -> None:
        """A line error; the board meets it before the bytes that wait."""
        self.stand.board.line_errors += 1
        self.twin.line.insert(0, "error")

    def cycles(self, count: int) -> Iterator[tuple[tuple[object, ...], tuple[object, ...]]]:
        """The day."""
        for number in range(count):
            self._line(number)
            self._operator(number)
            yield self.cycle(self._time())

    def _time(self) -> int:
        if self.random.random() < 0.01:
            return self.random.choice([0, 1, TIME["GAP_US"], TIME["GAP_US"] + 1, TIME["CYCLE_US"], 30_000])
        return 1_000

    def _operator(self, number: int) -> None:
        """Presses the key for a quarter of a second in every second, and the button now and then."""
        self.stand.key = number % 1000 in range(400, 650)
        if self.random.random() < 0.0005:
            self.stand.a = self.stand.b = False
        elif self.random.random() < 0.02:
            self.stand.a = self.stand.b = True

    def _line(self, number: int) -> None:
        roll = self.random.random()
        waiting = bool(self.twin.line)
        if number % 5 == 0 and not waiting:
            frame = self.stand.frame(RUN if number % 1000 >= 660 else STOP)
            if roll < 0.004:
                at = self.random.randrange(16)
                frame = frame[:at] + bytes((frame[at] ^ 1 << self.random.randrange(8),)) + frame[at + 1 :]
            elif roll < 0.006:
                frame = frame[: self.random.randrange(16)]
            elif roll < 0.008:
                frame = frame + frame
            elif roll < 0.010:
                frame = b""
            self.put(frame)
        elif roll < 0.001:
            self.put(bytes(self.random.choice([0xA5, 0xC3, 0x00, 0xFF]) for _ in range(self.random.randrange(60))))
        elif roll < 0.0015:
            self.error()
