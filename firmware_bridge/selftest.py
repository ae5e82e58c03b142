"""`safetykit bridge selftest`: shows on the real line that the microcontroller refuses what it must refuse.

It is stopped all the while, and stays so: nothing here can say RUN.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_bridge.facts import DeviceFacts
from firmware_bridge.session import Session
from firmware_bridge.wire import McuState, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p

ANSWERS = 50
SETTLE_S = 0.1
PAGE_S = 2.0  # a round of all diagnostic pages takes under a second
ROUND_TRIP_MS = 30.0  # a third of the time limit


@dataclass(frozen=True)
class Finding:
    """One check."""

    what: str
    passed: bool
    detail: str


def selftest(session: Session) -> Iterator[Finding]:
    """All checks, one after the other. Raises PortError when nobody answers or the port is lost."""
    facts = session.identify()
    yield from _who(facts)
    yield from _contacts(facts)
    yield _answers(session)
    for what, count, data in _wrong(session):
        yield _refused(session, what, count, data)


def _who(facts: DeviceFacts) -> Iterator[Finding]:
    ident = facts.ident
    assert ident is not None
    yield Finding("protocol", facts.known, f"version {ident.protocol}, this program speaks {p.VERSION}")
    crc = f"firmware {ident.firmware}, program CRC {ident.program_crc:08x}, {ident.boots} starts since power-up"
    yield Finding("program", all(event.cause != "PROGRAM" for event in facts.events), crc)
    stopped = facts.state == McuState.STOPPED
    yield Finding("stopped without a guard", stopped, facts.state.name if facts.state else "unknown")


def _contacts(facts: DeviceFacts) -> Iterator[Finding]:
    have = set(facts.inputs)
    released = {"relay 1 released", "relay 2 released"} <= have and "relay 1 driven" not in have
    yield Finding("relays shown released", released, "" if released else "check coils and mirror contacts")
    closed = {"channel A closed", "channel B closed"} <= have
    both_open = not {"channel A closed", "channel B closed"} & have
    detail = "closed" if closed else "open: the button is pressed" if both_open else "they differ: a wire is cut"
    yield Finding("emergency-stop channels agree", closed or both_open, detail)
    locked = "locked until a power cycle" in have
    yield Finding("not locked", not locked, facts.events[0].text if locked and facts.events else "")


def _answers(session: Session) -> Finding:
    before = session.link.facts(time.monotonic_ns()).counts
    session.link.words[hb.ROUND_TRIP_MAX_NS] = 0
    facts = session.until(lambda facts: facts.counts["answered"] >= before["answered"] + ANSWERS, 3.0)
    answered = facts.counts["answered"] - before["answered"]
    sent = facts.counts["heartbeats"] - before["heartbeats"]
    slow = facts.round_trip_max_ms > ROUND_TRIP_MS
    text = f"{answered} of {sent} heartbeats, longest round trip {facts.round_trip_max_ms:.1f} ms"
    return Finding("answers in time", answered >= ANSWERS and not slow, text)


def _wrong(session: Session) -> Iterator[tuple[str, str, bytes]]:
    """Heartbeats with one thing wrong each, and the count that must go up. Made one by one: challenges do not last."""
    words = session.link.words
    unit = int(words[hb.UNIT])

    def right(session_step: int = 0, seq_step: int = 1, spoil: int = 0) -> bytes:
        number = int(words[hb.SESSION]) + session_step & 0xFFFF
        seq = int(words[hb.SEQ]) + seq_step & 0xFFFF
        answer = int(hb.answer(unit, progress.whole(int(words[hb.CHALLENGE])), number, seq)) ^ spoil
        return heartbeat_bytes(p.COMMAND_STOP, p.REST_NO, number, seq, answer, unit=unit)

    yield "a wrong answer", "refused", right(spoil=1)
    yield "a repeated number", "refused", right(seq_step=0)
    yield "a skipped number", "refused", right(seq_step=2)
    yield "another session", "refused", right(session_step=1)
    damaged = bytearray(right())
    damaged[9] ^= 0x10
    yield "a damaged frame", "damaged", bytes(damaged)


def _refused(session: Session, what: str, count: str, data: bytes) -> Finding:
    """Send it between two heartbeats; the microcontroller's own count must say that it was not taken."""
    before = _counts(session)
    session.until(lambda facts: session.link.words[hb.AWAITING] == 0, SETTLE_S)
    time.sleep(hb.BEAT_NS / 4e9)
    session.send(data)
    time.sleep(hb.BEAT_NS / 4e9)
    after = _counts(session)
    return Finding(
        f"{what} is {count}", after[count] == before[count] + 1, f"{before[count]} before, {after[count]} now"
    )


def _counts(session: Session) -> dict[str, int]:
    """The microcontroller's own counts, as of now: waits for the next page that tells them."""
    row = hb.PAGES + p.PAGE_LINK * hb.PAGE_WORDS
    session.link.words[row] = -1
    session.until(lambda facts: session.link.words[row] >= 0, PAGE_S)
    return {"refused": int(session.link.words[row + 1]), "damaged": int(session.link.words[row + 2])}
