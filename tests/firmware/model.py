"""The emergency-stop function once more, deliberately naive, to be compared with the firmware step by step.

Written from hw/protocol.yaml, the comments of estop.h and the requirements; not from estop.c. It knows one clock that
never wraps, remembers *when* things happened instead of growing ages, keeps every stop event in a list and lets
protocol.py compute checksums bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.firmware.protocol import (
    BLOCK,
    CAUSE,
    CODE,
    COUNT,
    INPUT,
    LOCKING,
    NO,
    PAGE,
    PASSED,
    PROTOCOL,
    RAM,
    RUN,
    RUNNING,
    STOP,
    TIME,
    WORD,
    YES,
    answer,
    crc,
)

# Milliseconds of a second in which the lamp is lit.
LAMP = {
    "SELFTEST": [],
    "STOPPED": [(0, 500)],
    "ARMED": [(at, at + 100) for at in range(0, 1000, 200)],
    "RUN": [(0, 1000)],
    "LOCKED": [(0, 100), (200, 300)],
}


@dataclass
class Seen:
    """What one step sees."""

    channel_a: bool
    channel_b: bool
    key: bool
    released_1: bool
    released_2: bool
    damaged: bool
    frame: bytes | None
    check: int


@dataclass
class Made:
    """What one step makes."""

    relay_1: bool
    relay_2: bool
    led: bool
    reply: bytes | None
    diag: bytes | None


@dataclass
class Stop:
    """One stop event."""

    cause: str
    number: int
    link_us: int | None  # since the last right answer; None: there was none
    at_ms: int


@dataclass
class Press:
    """A press of the reset key that is under way."""

    since: int
    event: int | None  # the stop event it was made for


@dataclass
class Model:
    """The whole function. Times are microseconds since the first step."""

    unit: int
    image_crc: int
    boots: int
    event_number: int
    seed: int
    cause: str
    state: str = "SELFTEST"
    locked: bool = False
    t: int = 0
    raw: int | None = None  # the wrapping clock at the last step
    longest_us: int = 0
    open_at: int = 0  # last sample with an open channel, or the start
    equal_at: int = 0  # last sample with equal channels, or the start
    closed_long: bool = False  # at the last sample: closed for long enough for a reset
    channel_fault: bool = False
    press: Press | None = None
    key_seen_up: bool = False
    relay_on: bool = False
    relay_at: int = 0
    pulse: bool = False
    armed_at: int = 0
    session: int = 0
    seq: int = 0
    challenge: int = 0
    asked_at: int = 0
    right_at: int | None = None
    right_in_row: int = 0
    bad: int = 0
    said: tuple[int, int] | None = None  # command and rest of the last right answer of this session
    counts: dict[str, int] = field(default_factory=lambda: {"accepted": 0, "refused": 0, "damaged": 0})
    events: list[Stop] = field(default_factory=list)
    replies_to_diag: int = 0
    news_first: bool = False
    page_at: int = 0

    def __post_init__(self) -> None:
        self.event_number %= 65536
        self.seed = self.seed or 1
        self._new_session()
        self._new_challenge()

    # -------------------------------------------------------------- numbers

    def _draw(self) -> int:
        """Marsaglia's xorshift32 with the shifts 13, 17 and 5."""
        x = self.seed
        x = (x ^ x << 13) & WORD
        x = x ^ x >> 17
        x = (x ^ x << 5) & WORD
        self.seed = x
        return x

    def _new_challenge(self) -> None:
        self.challenge = self._draw()
        self.asked_at = self.t

    def _new_session(self) -> None:
        self.session = (self.session + self._draw() % 65535 + 1) % 65536
        self.right_in_row = 0
        self.said = None

    # -------------------------------------------------------------- one step

    def step(self, now_us: int, seen: Seen) -> Made:
        """One cycle at the wrapping time `now_us`."""
        elapsed = 0 if self.raw is None else (now_us - self.raw) % 2**32
        self.raw = now_us
        self.t += elapsed
        self.longest_us = max(self.longest_us, elapsed)
        reopened, parted = self._channels(seen)
        turned = self._key(seen.key)
        right = self._line(seen)
        self._decide(seen, elapsed > TIME["CYCLE_US"], reopened, parted, turned, right)
        return self._outputs(seen)

    def _channels(self, seen: Seen) -> tuple[bool, bool]:
        closed = seen.channel_a and seen.channel_b
        reopened = self.closed_long and not closed
        if not closed:
            self.open_at = self.t
        self.closed_long = self.t - self.open_at >= TIME["RELEASE_US"]
        parted = False
        if seen.channel_a == seen.channel_b:
            self.equal_at = self.t
        elif self.t - self.equal_at > TIME["DISCREPANCY_US"]:
            parted = not self.channel_fault
            self.channel_fault = True
        if not seen.channel_a and not seen.channel_b:
            self.channel_fault = False
        return reopened, parted

    def _key(self, down: bool) -> bool:
        """True when a press ends that may reset: right length, made after the present stop."""
        if down:
            if self.press is None:
                self.press = Press(self.t, self.event_number if self.key_seen_up else None)
            return False
        press, self.press = self.press, None
        self.key_seen_up = True
        return (
            press is not None
            and TIME["KEY_MIN_US"] <= self.t - press.since <= TIME["KEY_MAX_US"]
            and press.event == self.event_number
        )

    def _key_stuck(self) -> bool:
        return self.press is not None and self.t - self.press.since > TIME["KEY_STUCK_US"]

    def _line(self, seen: Seen) -> bool:
        """Takes the frame; true for a right answer."""
        if seen.damaged:
            self.counts["damaged"] += 1
            self._count_bad()
        if seen.frame is None:
            return False
        right = self._is_right(seen.frame)
        if right:
            self.counts["accepted"] += 1
            self.seq = (self.seq + 1) % 65536
            self.right_in_row = 1 if self._silent() else self.right_in_row + 1  # a silence ends the row
            self.right_at = self.t
            self.bad = max(0, self.bad - 1)
            self.said = (seen.frame[2], seen.frame[3])
        else:
            self.counts["refused"] += 1
            self._count_bad()
        self._new_challenge()
        return right

    def _count_bad(self) -> None:
        self.bad = min(COUNT["BAD_LIMIT"], self.bad + 1)
        self.right_in_row = 0

    def _is_right(self, frame: bytes) -> bool:
        if frame[2] not in (STOP, RUN) or frame[3] not in (YES, NO):
            return False
        if self.t - self.asked_at < TIME["EARLY_US"]:
            return False
        seq = (self.seq + 1) % 65536
        if int.from_bytes(frame[4:6], "little") != self.session or int.from_bytes(frame[6:8], "little") != seq:
            return False
        return int.from_bytes(frame[8:12], "little") == answer(self.unit, self.challenge, self.session, seq)

    # -------------------------------------------------------------- states

    def _link_us(self) -> int | None:
        return None if self.right_at is None else self.t - self.right_at

    def _silent(self) -> bool:
        age = self._link_us()
        return age is None or age > TIME["LINK_US"]

    def _reasons(self, seen: Seen, late: bool) -> dict[str, bool]:
        """Every reason to stop, by name."""
        settled = self.t - self.relay_at > TIME["FEEDBACK_US"]
        both = seen.released_1 and seen.released_2
        either = seen.released_1 or seen.released_2
        waits = seen.check == RUNNING and self.state == "SELFTEST"
        return {
            "RAM": seen.check == RAM,
            "PROGRAM": seen.check not in (PASSED, RAM) and not waits,
            "RELAY_STUCK": settled and not self.relay_on and not both,
            "RELAY_DEAD": settled and self.relay_on and either,
            "CHANNEL": not (seen.channel_a and seen.channel_b),
            "DISCREPANCY": self.channel_fault,
            "CYCLE": late,
            "HOST_BAD": self.bad >= COUNT["BAD_LIMIT"],
            "HOST_SILENT": self._silent(),
            "HOST_STOP": self.state == "RUN" and seen.frame is not None and seen.frame[2] == STOP,
            "EXPIRED": self.state == "ARMED" and self.t - self.armed_at > TIME["ARMED_US"],
        }

    def _decide(self, seen: Seen, late: bool, reopened: bool, parted: bool, turned: bool, right: bool) -> None:
        reasons = self._reasons(seen, late)
        if self.state == "SELFTEST":
            if seen.check != RUNNING:
                damage = [name for name in ("RAM", "PROGRAM") if reasons[name]]
                self._stop(damage[0] if damage else self.cause)
        elif self.state == "STOPPED":
            fresh = {name: reasons[name] and not self.locked for name in LOCKING}
            fresh["CHANNEL"] = reopened
            fresh["DISCREPANCY"] = parted
            first = self._first(fresh)
            if first:
                self._stop(first)
            elif turned and not self.blockers(seen):
                self.state = "ARMED"
                self.armed_at = self.t
        else:
            first = self._first(reasons)
            if first:
                self._stop(first)
            elif self.state == "ARMED" and right and self.said == (RUN, YES):
                self.state = "RUN"

    @staticmethod
    def _first(reasons: dict[str, bool]) -> str | None:
        present = [name for name, true in reasons.items() if true]
        return min(present, key=lambda name: CAUSE[name]) if present else None

    def _stop(self, cause: str) -> None:
        self.state = "STOPPED"
        self.locked = self.locked or cause in LOCKING
        self.event_number = 1 if self.event_number == 65535 else self.event_number + 1
        self.events.append(Stop(cause, self.event_number, self._link_us(), self._uptime_ms()))
        self.news_first = True
        self.replies_to_diag = 0
        self._new_session()
        self._new_challenge()

    def blockers(self, seen: Seen) -> int:
        """Why a press of the reset key would do nothing now."""
        command, rest = self.said or (None, None)
        reasons = {
            "LOCKED": self.locked,
            "CHANNELS": not (seen.channel_a and seen.channel_b and self.closed_long) or self.channel_fault,
            "RELAYS": not (seen.released_1 and seen.released_2),
            "LINK": self.right_in_row < COUNT["STREAK_MIN"] or self._silent(),
            "COMMAND": command != STOP,
            "MOVING": rest != YES,
            "KEY": self._key_stuck() or not self.key_seen_up,
        }
        return sum(BLOCK[name] for name, true in reasons.items() if true)

    # -------------------------------------------------------------- outputs

    def _uptime_ms(self) -> int:
        return min(self.t // 1000, WORD)

    def _outputs(self, seen: Seen) -> Made:
        run = self.state == "RUN"
        if run != self.relay_on:
            self.relay_on, self.relay_at = run, self.t
        self.pulse = run and not self.pulse
        pattern = "LOCKED" if self.locked else self.state
        at = self._uptime_ms() % 1000
        led = any(begin <= at < end for begin, end in LAMP[pattern])
        reply = diag = None
        if seen.frame is not None:
            reply = self._frame("TYPE_STATUS", CODE[f"STATE_{self.state}"], self._input_bits(seen), *self._link_words())
            if self.replies_to_diag == 0:
                diag = self._diag(seen)
                self.replies_to_diag = COUNT["DIAG_EVERY"]
            self.replies_to_diag -= 1
        return Made(run, self.pulse, led, reply, diag)

    def _link_words(self) -> tuple[int, int, int]:
        return self.session, self.seq, self.challenge

    def _input_bits(self, seen: Seen) -> int:
        shown = {
            "CHANNEL_A": seen.channel_a,
            "CHANNEL_B": seen.channel_b,
            "KEY": seen.key,
            "RELEASED_1": seen.released_1,
            "RELEASED_2": seen.released_2,
            "RELAY_1": self.relay_on,
            "RELAY_2": self.relay_on,
            "LOCKED": self.locked,
        }
        return sum(INPUT[name] for name, true in shown.items() if true)

    def _frame(self, kind: str, second: int, third: int, a: int, b: int, word: int) -> bytes:
        body = bytes((CODE["SYNC_MCU"], CODE[kind], second, min(third, 255)))
        body += min(a, 65535).to_bytes(2, "little") + min(b, 65535).to_bytes(2, "little")
        body += min(word, WORD).to_bytes(4, "little")
        return body + crc(self.unit, body).to_bytes(4, "little")

    def _diag(self, seen: Seen) -> bytes:
        round_of_pages = [PAGE["IDENT"], PAGE["LINK"], PAGE["HEALTH"]]
        round_of_pages += [PAGE["EVENT"] + k for k in range(COUNT["EVENTS"])]
        if self.news_first:
            page = PAGE["EVENT"] + len(self.events) % COUNT["EVENTS"]
        else:
            page = round_of_pages[self.page_at]
            self.page_at = (self.page_at + 1) % len(round_of_pages)
        self.news_first = False
        write: dict[int, Callable[[Seen], tuple[int, int, int, int]]] = {
            PAGE["IDENT"]: self._ident,
            PAGE["LINK"]: self._link,
            PAGE["HEALTH"]: self._health,
        }
        values = write[page](seen) if page in write else self._event(page - PAGE["EVENT"])
        return self._frame("TYPE_DIAG", page, *values)

    def _ident(self, seen: Seen) -> tuple[int, int, int, int]:
        major, minor = PROTOCOL["firmware"]
        return PROTOCOL["version"], major << 8 | minor, self.boots, self.image_crc

    def _link(self, seen: Seen) -> tuple[int, int, int, int]:
        return self.bad, self.counts["refused"], self.counts["damaged"], self.counts["accepted"]

    def _health(self, seen: Seen) -> tuple[int, int, int, int]:
        return self.blockers(seen), self.longest_us // 10, self.session, self._uptime_ms()

    def _event(self, place: int) -> tuple[int, int, int, int]:
        """The latest event whose count falls on this place of the ring; the first one fell on place 1."""
        for count in range(len(self.events), 0, -1):
            if count % COUNT["EVENTS"] == place:
                stop = self.events[count - 1]
                age = WORD if stop.link_us is None else stop.link_us
                return CAUSE[stop.cause], stop.number, age // 100, stop.at_ms
        return 0, 0, 0, 0
