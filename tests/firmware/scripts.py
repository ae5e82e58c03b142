"""Scripts for the firmware's driver: what the contacts, the guard and the clock do, step by step, by the million.

Random but structured: pieces that a real day is made of (a press of the button that bounces, a press of the key that is
a microsecond too short, a guard that stalls, a second program on the line, a welded relay) follow one another in random
order, most of them on the way to RUN or in RUN. The driver turns each line into contacts and bytes.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.firmware.library import Boot
from tests.firmware.protocol import CAUSE, LOCKING, NO, PASSED, PROGRAM, RAM, RUN, RUNNING, STOP, TIME, YES

LINE = np.dtype(
    {
        "names": ["dt_us", "random", "flags", "host", "command", "rest", "check"],
        "formats": ["<u4", "<u4", "u1", "u1", "u1", "u1", "<u4"],
    }
)
A, B, KEY, MIRROR_1, MIRROR_2, DAMAGED, BOOT = (1 << bit for bit in range(7))
CLOSED = A | B
HOSTS = 12
NONE, RIGHT, SEQ_SAME, SEQ_AHEAD, SESSION, ANSWER_BIT, CHALLENGE, REPEATED, COMMAND, REST, NOISE, UNIT = range(HOSTS)
WRONG = tuple(range(SEQ_SAME, HOSTS))
EDGES_US = [TIME[name] for name in TIME] + [0, 1, 2**31, 2**32 - 1]

Lines = np.ndarray[Any, np.dtype[np.void]]


@dataclass
class Script:
    """Lines for the driver and the boots that its BOOT lines use, in their order."""

    lines: Lines
    boots: list[tuple[int, ...]]

    def boots_array(self) -> ctypes.Array[Boot]:
        """The boots for the driver."""
        return (Boot * max(1, len(self.boots)))(*(Boot(*boot) for boot in self.boots))


class Author:
    """Writes scripts. One seed, one script."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.parts: list[Lines] = []
        self.boots: list[tuple[int, ...]] = []
        self.count = 0

    def script(self, steps: int) -> Script:
        """At least `steps` lines, cut to that many."""
        self.boot()
        pieces = [
            (self.whole_reset, 500),
            (self.run, 100),
            (self.trouble, 340),
            (self.chaos, 40),
            (self.boot, 15),
            (self.expiry, 5),
        ]
        weights = np.array([weight for _, weight in pieces]) / sum(weight for _, weight in pieces)
        while self.count < steps:
            pieces[int(self.random.choice(len(pieces), p=weights))][0]()
        return Script(np.concatenate(self.parts)[:steps], self.boots)

    def noise(self, steps: int) -> Script:
        """Channels closed, and any sixteen bytes in every step."""
        self.part(steps, host=NOISE)
        return Script(self.parts[-1], [])

    # -------------------------------------------------------------- pieces

    def part(self, steps: int, **fields: Any) -> Lines:
        """Ordinary lines: channels closed, nobody on the key, a guard that answers rightly, all checks passed."""
        lines = np.zeros(steps, LINE)
        lines["dt_us"] = self.random.integers(TIME["EARLY_US"], TIME["CYCLE_US"], steps, endpoint=True)
        lines["random"] = self.random.integers(0, 2**32, steps)
        lines["flags"], lines["host"], lines["check"] = CLOSED, RIGHT, PASSED
        lines["command"], lines["rest"] = STOP, YES
        for name, value in fields.items():
            lines[name] = value
        self.parts.append(lines)
        self.count += steps
        return lines

    def one_of(self, *values: int) -> int:
        return int(self.random.choice(values))

    def near(self, value: int) -> int:
        """The value, or one beside it."""
        return min(2**32 - 1, max(0, value + self.one_of(-1, 0, 0, 1)))

    def boot(self) -> None:
        """A start: self-test, then stopped."""
        seed = self.one_of(0, 1, int(self.random.integers(0, 2**32)))
        number = self.one_of(0, 65533, 65535, 65536 + 7, int(self.random.integers(0, 2**16)))
        cause = self.one_of(CAUSE["POWER_UP"], CAUSE["WATCHDOG"], CAUSE["RESTART"])
        locked = self.random.random() < 0.05
        if locked:  # before this start
            cause = self.one_of(*(CAUSE[name] for name in sorted(LOCKING)))
        boots = self.one_of(1, 2, 65535, 70000)
        unit = self.one_of(0, 1, 255, 256 + 3, int(self.random.integers(0, 2**32)))
        self.boots.append((unit, int(self.random.integers(0, 2**32)), boots, number, seed, cause))
        testing = self.part(int(self.random.integers(1, 6)), check=RUNNING)
        testing["flags"][0] |= BOOT
        extra = np.array([0, KEY, DAMAGED, MIRROR_1], np.uint8)
        testing["flags"] |= self.random.choice(extra, len(testing), p=[0.85, 0.05, 0.05, 0.05])
        if self.random.random() < 0.1:
            testing["check"][-1] = self.one_of(RAM, PROGRAM, 7)
            locked = True
        if locked:
            self.part(int(self.random.integers(1, 30)))
            self.boot()

    def whole_reset(self) -> None:
        """What an operator and a good guard do to leave a stop; now and then not quite."""
        if self.random.random() < 0.5:
            self.button()
        self.part(int(self.random.integers(8, 16)))
        # A press of the key: steps that together take just the length.
        length = self.one_of(*[self.near(TIME[f"KEY_{name}_US"]) for name in ("MIN", "MAX", "STUCK")], 200_000, 400_000)
        if length > 1_000_000 and self.random.random() < 0.8:
            length = int(self.random.integers(TIME["KEY_MIN_US"], 400_000))
        period = 18_000 if length < 1_000_000 else TIME["LINK_US"]
        steps, rest = divmod(length, period)
        press = self.part(1 + steps, flags=CLOSED | KEY, dt_us=period)
        press["dt_us"][0] = 3_000
        release = self.part(1, dt_us=rest)
        if rest < TIME["EARLY_US"]:
            release["host"] = NONE
        if self.random.random() < 0.1:
            press[int(self.random.integers(0, len(press)))]["host"] = self.one_of(NONE, *WRONG)
        if self.random.random() < 0.1:
            press["rest"] = NO
        self.part(int(self.random.integers(0, 4)))
        self.run()

    def run(self) -> None:
        """A guard that says RUN on time; in between it misses one now and then."""
        steps = int(self.random.integers(3, 80))
        lines = self.part(steps, command=RUN)
        lines["rest"][1:] = self.random.choice([YES, NO], steps - 1)
        lines["host"][1:] = self.random.choice([RIGHT, NONE], steps - 1, p=[0.5, 0.5])
        if self.random.random() < 0.2:
            lines["dt_us"][1:] = self.random.integers(0, 4_000, steps - 1)  # some answers come too early

    def button(self) -> None:
        """The emergency-stop button: pressed, held, released, with contacts that bounce."""
        bouncing = int(self.random.integers(1, 6))
        down = self.part(bouncing)
        down["flags"] = self.random.choice([0, A, B, CLOSED], bouncing)
        down["dt_us"] = self.random.integers(0, 3_000, bouncing)
        held = self.part(int(self.random.integers(1, 4)), flags=0)
        held["dt_us"] = [self.one_of(3_000, 60_000, self.near(TIME["LINK_US"])) for _ in range(len(held))]
        up = self.part(int(self.random.integers(1, 4)))
        up["flags"] = self.random.choice([0, A, B, CLOSED], len(up))
        self.part(1, dt_us=self.near(self.one_of(1_000, TIME["RELEASE_US"])))

    def trouble(self) -> None:
        """One thing goes wrong."""
        kinds = (self.button, self.wrong_frames, self.silence, self.stop, self.lateness, self.damage, self.relay)
        (*kinds, self.discrepancy)[int(self.random.integers(0, len(kinds) + 1))]()

    def wrong_frames(self) -> None:
        steps = int(self.random.integers(1, 6))
        lines = self.part(steps, command=RUN, host=self.one_of(*WRONG))
        if self.random.random() < 0.5:
            lines["host"] = self.random.choice([RIGHT, *WRONG], steps)
        lines["flags"] |= self.random.choice(np.array([0, DAMAGED], np.uint8), steps)

    def silence(self) -> None:
        """The guard says nothing for just less or just more than it may."""
        length = self.near(TIME["LINK_US"] + self.one_of(0, 0, -30_000, 30_000))
        steps, rest = divmod(length, 17_000)
        self.part(steps, host=NONE, dt_us=17_000)
        self.part(1, host=self.one_of(NONE, RIGHT), dt_us=rest, command=RUN)

    def stop(self) -> None:
        self.part(1, host=self.one_of(RIGHT, *WRONG), command=STOP, rest=self.one_of(YES, NO))

    def lateness(self) -> None:
        """A cycle that comes just in time or too late, and sometimes much too late."""
        length = self.near(TIME["CYCLE_US"])
        if self.random.random() < 0.3:
            length = self.near(self.one_of(*EDGES_US))
        self.part(1, dt_us=length, command=RUN, host=self.one_of(NONE, RIGHT))

    def damage(self) -> None:
        self.part(1, check=self.one_of(RUNNING, RAM, PROGRAM, 4, 2**32 - 1), command=RUN)
        self.part(int(self.random.integers(1, 20)))
        self.boot()

    def relay(self) -> None:
        """A mirror contact that shows the wrong thing for just less or just more than it may."""
        length = self.near(TIME["FEEDBACK_US"] + self.one_of(0, 0, 1_000))
        steps, rest = divmod(length, 9_000)
        flags = CLOSED | self.one_of(MIRROR_1, MIRROR_2, MIRROR_1 | MIRROR_2)
        before = self.one_of(RUN, STOP)
        self.part(2, command=before)
        self.part(steps, flags=flags, command=before, dt_us=9_000)
        self.part(1, flags=flags, command=before, dt_us=rest, host=NONE)
        if self.random.random() < 0.95:
            self.boot()

    def discrepancy(self) -> None:
        """One channel opens alone, for just less or just more than it may."""
        length = self.near(TIME["DISCREPANCY_US"])
        flags = self.one_of(A, B)
        steps, rest = divmod(length, 90_000)
        self.part(steps, flags=flags, dt_us=90_000)
        self.part(1, flags=flags, dt_us=rest, host=NONE)
        self.part(1, flags=self.one_of(flags, CLOSED, 0))
        if self.random.random() < 0.5:
            self.button()

    def expiry(self) -> None:
        """A whole reset, and then a guard that waits for longer than it may."""
        self.part(12)
        self.part(8, flags=CLOSED | KEY)["dt_us"] = 20_000
        self.part(1, dt_us=3_000)
        steps, rest = divmod(self.near(TIME["ARMED_US"]), TIME["CYCLE_US"])
        self.part(steps, dt_us=TIME["CYCLE_US"])
        self.part(1, dt_us=rest, host=NONE)

    def chaos(self) -> None:
        """Anything at all."""
        steps = int(self.random.integers(1, 30))
        lines = self.part(steps)
        lines["flags"] = self.random.integers(0, 64, steps)
        lines["host"] = self.random.integers(0, HOSTS, steps)
        lines["command"] = self.random.choice([STOP, RUN, 0x00, 0xFF], steps)
        lines["rest"] = self.random.choice([YES, NO, 0x00, 0xFF], steps)
        lines["check"] = self.random.choice([PASSED, RUNNING, RAM, PROGRAM], steps, p=[0.97, 0.01, 0.01, 0.01])
        lines["dt_us"] = np.array(EDGES_US)[self.random.integers(0, len(EDGES_US), steps)]
        lines["dt_us"] //= self.random.choice([1, 1000], steps).astype(np.uint32)
        if self.random.random() < 0.9:
            self.boot()
