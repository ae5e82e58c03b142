"""`safetykit bridge selftest`: shows on the real line that the microcontroller refuses what it must refuse.

It is stopped all the while, and stays so: nothing here can say RUN.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from firmware_bridge.facts import DeviceFacts
from firmware_bridge.session import Session
from firmware_bridge.wire import McuState, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p

ANSWERS = 50
SETTLE_S = 0.05
QUIET_S = 0.004  # longer than the time within which an answer is too early
TRIES = 3
PAGE_S = 2.0  # a round of all diagnostic pages takes under a second
SLOW_SHARE = 10  # one in so many heartbeats may have to be repeated, because its answer took longer than 30 ms


Words: TypeAlias = Any
Frames: TypeAlias = Callable[..., bytes]


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
    yield _taken(session)
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
    slow = (sent - answered) * SLOW_SHARE > answered  # what was sent again had no answer in time
    text = f"{answered} of {sent} heartbeats, longest round trip {facts.round_trip_max_ms:.1f} ms"
    return Finding("answers in time", answered >= ANSWERS and not slow, text)


def _frames(words: Words) -> Frames:
    """Makes a heartbeat for the challenge of this moment, right or with one thing wrong."""
    unit = int(words[hb.UNIT])

    def made(session_step: int = 0, seq_step: int = 1, spoil: int = 0) -> bytes:
        number = int(words[hb.SESSION]) + session_step & 0xFFFF
        seq = int(words[hb.SEQ]) + seq_step & 0xFFFF
        answer = int(hb.answer(unit, progress.whole(int(words[hb.CHALLENGE])), number, seq)) ^ spoil
        return heartbeat_bytes(p.COMMAND_STOP, p.REST_NO, number, seq, answer, unit=unit)

    return made


def _damaged(right: bytes) -> bytes:
    return right[:9] + bytes([right[9] ^ 0x10]) + right[10:]


def _wrong(session: Session) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Heartbeats with one thing wrong each, and the count that must go up."""
    made = _frames(session.link.words)
    yield "a wrong answer", "refused", lambda: made(spoil=1)
    yield "a repeated number", "refused", lambda: made(seq_step=0)
    yield "a skipped number", "refused", lambda: made(seq_step=2)
    yield "another session", "refused", lambda: made(session_step=1)
    yield "a damaged frame", "damaged", lambda: _damaged(made())


def _taken(session: Session) -> Finding:
    """The counter-test: made in the same way with nothing wrong, a heartbeat counts."""
    words, made = session.link.words, _frames(session.link.words)
    for _ in range(TRIES):
        _settle(session)
        expected = int(words[hb.SEQ]) + 1 & 0xFFFF
        _send(session, made())
        if words[hb.SEQ] == expected:
            break
    return Finding("a right heartbeat is taken", bool(words[hb.SEQ] == expected), f"number {int(words[hb.SEQ])}")


def _refused(session: Session, what: str, count: str, data: Callable[[], bytes]) -> Finding:
    """Send it between two heartbeats; the microcontroller's own count must say that it was not taken.

    On a computer that is busy elsewhere a heartbeat may be repeated meanwhile, which is refused as well; then this says
    nothing and is done again.
    """
    for _ in range(TRIES):
        before, missing = _counts(session), _missing(session)
        _settle(session)
        _send(session, data())
        after = _counts(session)
        if after[count] == before[count] + 1 or _missing(session) == missing:
            break
    return Finding(
        f"{what} is {count}", after[count] == before[count] + 1, f"{before[count]} before, {after[count]} now"
    )


def _settle(session: Session) -> None:
    """Until no answer is on its way, and the latest challenge is old enough not to be answered too early."""
    session.until(lambda facts: session.link.words[hb.AWAITING] == 0, SETTLE_S)
    session.listen(lambda: False, QUIET_S)


def _send(session: Session, data: bytes) -> None:
    """Send it, and wait for what comes back. Nothing comes for a damaged frame."""
    words = session.link.words
    answers = int(words[hb.REFUSED])
    session.send(data)
    session.listen(lambda: bool(words[hb.REFUSED] != answers), SETTLE_S)
    session.listen(lambda: False, QUIET_S)


def _missing(session: Session) -> int:
    """Heartbeats without an answer, but for the one that may be on its way."""
    words = session.link.words
    return int(words[hb.BEATS] - words[hb.ANSWERS] - words[hb.AWAITING])


def _counts(session: Session) -> dict[str, int]:
    """The microcontroller's own counts, as of now: waits for the next page that tells them."""
    row = hb.PAGES + p.PAGE_LINK * hb.PAGE_WORDS
    session.link.words[row] = -1
    session.until(lambda facts: session.link.words[row] >= 0, PAGE_S)
    return {"refused": int(session.link.words[row + 1]), "damaged": int(session.link.words[row + 2])}
