"""What is known about the microcontroller, read from the record of the link: named, with units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridge.wire import McuState
from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.errors import MailboxError
from safetykit.runtime.device import MAGIC, PAGE_CONNECTED, PAGE_KIND, PAGE_LINK, PAGE_MAGIC, PAGE_TICK_NS, PAGE_WORDS
from safetykit.runtime.words import WordFile

INPUT_NAMES = {
    p.IN_CHANNEL_A: "channel A closed",
    p.IN_CHANNEL_B: "channel B closed",
    p.IN_KEY: "reset key pressed",
    p.IN_RELEASED_1: "relay 1 released",
    p.IN_RELEASED_2: "relay 2 released",
    p.IN_RELAY_1: "relay 1 driven",
    p.IN_RELAY_2: "relay 2 driven",
    p.IN_LOCKED: "locked until a power cycle",
}


@dataclass(frozen=True)
class Event:
    """One stop event of the microcontroller's memory."""

    number: int
    cause: str
    text: str
    cure: str
    link_ms: float  # time since the last right answer of the guard, on the microcontroller's clock
    at_s: float  # since its start

    @classmethod
    def of(cls, cause: int, number: int, link: int, at_ms: int) -> Event:
        known = cause in p.Cause._value2member_map_
        name = p.Cause(cause).name if known else f"CAUSE_{cause}"
        text = p.CAUSE_TEXT[p.Cause(cause)] if known else "a cause that this version does not know"
        cure = p.CAUSE_CURE[p.Cause(cause)] if known else "report it"
        return cls(number, name, text, cure, link / 10.0, at_ms / 1000.0)


@dataclass(frozen=True)
class Ident:
    """Who is at the other end."""

    protocol: int
    firmware: str
    boots: int
    program_crc: int


@dataclass(frozen=True)
class DeviceFacts:
    """Everything the link knows."""

    state: McuState | None  # None: nothing believed yet
    heard_ms: float | None  # time since the latest answer
    known: bool  # it speaks this version of the protocol
    version_seen: int  # 0: not named yet
    inputs: tuple[str, ...]
    session: int
    round_trip_ms: float
    round_trip_max_ms: float
    counts: dict[str, int]
    ident: Ident | None
    blockers: tuple[str, ...]  # why the reset key would do nothing now; as of the latest health page
    uptime_s: float | None
    cycle_max_ms: float | None
    events: tuple[Event, ...]  # newest first

    @property
    def alive(self) -> bool:
        """Answers within the time that the guard gives it, and speaks our protocol. As for the guard, an answer from
        the future (a clock that went back) is no sign of life."""
        return self.known and self.heard_ms is not None and 0.0 <= self.heard_ms <= hb.LINK_NS / 1e6


def facts_of(link: Any, now_ns: int) -> DeviceFacts:
    """Read a link's record, int64 ``(LINK_WORDS,)``, at CLOCK_MONOTONIC `now_ns`."""
    words = [int(word) for word in link]
    rows = [words[hb.PAGES + page * hb.PAGE_WORDS :][: hb.PAGE_WORDS] for page in range(hb.PAGE_COUNT)]
    ident, health = rows[p.PAGE_IDENT], rows[p.PAGE_HEALTH]
    identified, healthy = words[hb.VERSION_SEEN] != 0 or any(ident), any(health)
    heard_ns = words[hb.HEARD_NS]
    state = words[hb.STATE]
    events = [Event.of(*row) for row in rows[p.PAGE_EVENT :] if row[1]]
    return DeviceFacts(
        state=McuState(state) if state in McuState._value2member_map_ else None,
        heard_ms=(now_ns - heard_ns) / 1e6 if heard_ns else None,
        known=bool(words[hb.KNOWN]),
        version_seen=words[hb.VERSION_SEEN],
        inputs=tuple(name for bit, name in INPUT_NAMES.items() if words[hb.INPUTS] & bit),
        session=words[hb.SESSION],
        round_trip_ms=words[hb.ROUND_TRIP_NS] / 1e6,
        round_trip_max_ms=words[hb.ROUND_TRIP_MAX_NS] / 1e6,
        counts={name: words[word] for name, word in COUNTS.items()},
        ident=Ident(ident[0], f"{ident[1] >> 8}.{ident[1] & 0xFF}", ident[2], ident[3]) if identified else None,
        blockers=tuple(text for bit, text in p.BLOCKER_TEXT.items() if healthy and health[0] & bit),
        uptime_s=health[3] / 1000 if healthy else None,
        cycle_max_ms=health[1] / 100 if healthy else None,
        events=tuple(_newest_first(events)),
    )


RECENT_MS = 1000.0


def diagnosis(facts: DeviceFacts, before: Mapping[str, int] | None = None) -> str:
    """What a line on which no microcontroller of ours answers looks like, and what to do. For facts that are not alive.

    `before`: counts at the beginning of this connection. The words hold no numbers that change, so that they can be
    compared with those said last.
    """
    counts = {name: count - (before or {}).get(name, 0) for name, count in facts.counts.items()}
    recent = facts.heard_ms is not None and 0.0 <= facts.heard_ms <= RECENT_MS
    if facts.version_seen and not facts.known:
        version = f"speaks version {facts.version_seen} of the protocol, this program version {p.VERSION}"
        return f"{version}; flash the firmware of this version"
    if counts["answered"] and not recent:
        return "no longer answers; is it plugged in, does it have power?"
    if counts["answered"] or counts["refused"]:
        return "answers, but does not say who it is; another firmware?"
    if counts["damaged frames"]:
        return "frames come, but all damaged: wrong unit number (--unit, or --bridge PORT@UNIT), wrong speed, or noise"
    if counts["unknown codes"]:
        return "speaks another version of the protocol; flash the firmware of this version"
    if counts["stray bytes"]:
        return "bytes come, none of them a frame: not an emergency-stop microcontroller"
    return "nothing answers; is it the right port, and does the microcontroller have power?"


COUNTS = {
    "heartbeats": hb.BEATS,
    "answered": hb.ANSWERS,
    "refused": hb.REFUSED,
    "damaged frames": hb.DAMAGED,
    "stray bytes": hb.STRAY,
    "unknown codes": hb.FOREIGN,
    "stops": hb.STOPS,
}


def _newest_first(events: list[Event]) -> list[Event]:
    """By number, which wraps at 65535: the newest is the one that no other follows within half the circle."""
    if not events:
        return []
    newest = events[0]
    for event in events:
        if 0 < (event.number - newest.number) & 0xFFFF < 1 << 15:
            newest = event
    return sorted(events, key=lambda event: (newest.number - event.number) & 0xFFFF)


@dataclass(frozen=True)
class GuardPage:
    """The page that a guard's loop keeps up to date."""

    kind: int  # Device
    connected: bool  # its serial line is open
    tick_ns: int
    link: Any

    def facts(self, now_ns: int) -> DeviceFacts:
        return facts_of(self.link, now_ns)


def read_page(path: Any) -> GuardPage:
    """Raises MailboxError: no guard has made it, or it is none."""
    words = WordFile.open(path, PAGE_WORDS).words.copy()
    if words[PAGE_MAGIC] != MAGIC:
        raise MailboxError(f"{path}: not the page of an emergency stop device")
    return GuardPage(int(words[PAGE_KIND]), bool(words[PAGE_CONNECTED]), int(words[PAGE_TICK_NS]), words[PAGE_LINK:])
