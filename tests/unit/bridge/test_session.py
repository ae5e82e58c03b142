"""A conversation over a real port, with a microcontroller and with everything else that may be on a port."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from firmware_bridge import selftest as selftest_module
from firmware_bridge import session as session_module
from firmware_bridge.selftest import Finding, selftest
from firmware_bridge.serial_port import PortError
from firmware_bridge.session import Session
from firmware_bridge.wire import Diag, McuState, checksum
from safetykit.core import heartbeat as hb
from safetykit.core import progress
from safetykit.core import protocol as p
from tests.unit.bridge.peer import FarEnd, Garbage, HalfFrames, Peer, Pty, cause_page, echo, mute


@pytest.fixture(autouse=True)
def shorter_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "IDENTIFIED_S", 0.4)


@contextmanager
def conversation(far_end: FarEnd, unit: int = 1) -> Iterator[Session]:
    with Pty(far_end) as pty, Session(pty.path, unit) as session:
        pty.talk()
        yield session


def refusal(far_end: FarEnd) -> str:
    with conversation(far_end) as session, pytest.raises(PortError) as caught:
        session.identify()
    return str(caught.value).partition(": ")[2]


# ------------------------------------------------------------------ a microcontroller


def test_it_tells_who_it_is_and_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "IDENTIFIED_S", 10.0)
    peer = Peer()
    for slot in range(p.EVENTS):
        peer.set_page(cause_page(slot, p.Cause.HOST_SILENT, 20 + slot))
    with conversation(peer) as session:
        facts = session.identify()
    assert facts.alive
    assert facts.ident is not None
    assert facts.ident.program_crc == 0xDEADBEEF
    assert facts.uptime_s == 61.5
    assert [event.number for event in facts.events] == [27, 26, 25, 24, 23, 22, 21, 20]


def test_a_board_without_events_yet_has_told_everything_too() -> None:
    started = time.monotonic()
    with conversation(Peer()) as session:
        session.link.words[hb.PAGES] = 0
        facts = session.until(session._told_everything, 10.0)
        assert facts.events == ()
    assert time.monotonic() - started < 5.0


def test_everything_it_is_told_is_stop() -> None:
    peer = Peer()
    peer.be(McuState.RUN)
    with conversation(peer) as session:
        session.until(lambda facts: facts.counts["answered"] > 20, 10.0)
    assert {(beat.command, beat.rest) for beat in peer.beats} == {(p.COMMAND_STOP, p.REST_NO)}


def test_another_version_of_the_protocol_is_shown_as_what_it_is() -> None:
    with conversation(Peer(version=p.VERSION + 1)) as session:
        facts = session.identify()
    assert facts.ident is not None
    assert facts.ident.protocol == p.VERSION + 1
    assert not facts.alive


# ------------------------------------------------------------------ something else


class Nameless(Peer):
    """Answers, but has no page that says who it is."""

    def __call__(self, data: bytes) -> bytes:
        self.pages = [page for page in self.pages if page.page != p.PAGE_IDENT]
        return super().__call__(data)


class Foreign(Peer):
    """Whole frames with a code of another version."""

    def __call__(self, data: bytes) -> bytes:
        body = bytes([p.SYNC_MCU, 0x99]) + bytes(10)
        return (body + checksum(self.unit, body).to_bytes(4, "little")) * (len(data) // 16)


def letters(data: bytes) -> bytes:
    return b"$GPGGA,123519,4807.038,N,01131.000,E\r\n" if data else b""


@pytest.mark.parametrize(
    ("far_end", "says"),
    [
        (lambda: mute, "nothing answers; is it the right port, and does the microcontroller have power?"),
        (lambda: echo, "bytes come, none of them a frame: not an emergency-stop microcontroller"),
        (lambda: letters, "bytes come, none of them a frame: not an emergency-stop microcontroller"),
        (
            Garbage,
            "frames come, but all damaged: wrong unit number (--unit, or --bridge PORT@UNIT), wrong speed, or noise",
        ),
        (
            HalfFrames,
            "frames come, but all damaged: wrong unit number (--unit, or --bridge PORT@UNIT), wrong speed, or noise",
        ),
        (
            lambda: Peer(unit=2),
            "frames come, but all damaged: wrong unit number (--unit, or --bridge PORT@UNIT), wrong speed, or noise",
        ),
        (Nameless, "answers, but does not say who it is; another firmware?"),
        (Foreign, "speaks another version of the protocol; flash the firmware of this version"),
    ],
)
def test_what_is_no_microcontroller_is_named(far_end: Callable[[], FarEnd], says: str) -> None:
    assert says in refusal(far_end())


def test_a_line_that_breaks_is_one_clear_error() -> None:
    with Pty(Peer()) as pty, Session(pty.path, 1) as session:
        pty.talk()
        session.until(lambda facts: facts.counts["answered"] > 0, 10.0)
        pty.unplug()
        with pytest.raises(PortError, match=f"^{pty.path}: the line is gone"):
            session.until(lambda facts: False, 1.0)
        with pytest.raises(PortError, match=f"^{pty.path}: the line is gone"):
            session.send(b"x")


def test_a_far_end_that_reads_nothing_never_blocks_us() -> None:
    """The buffer of the port holds some thousand bytes; what does not fit is lost, as on a real line."""
    with Pty() as pty, Session(pty.path, 1) as session:
        started = time.monotonic()
        for _ in range(500):
            session.send(bytes(100))
        session.turn()
        assert time.monotonic() - started < 5.0
        assert 0 < len(pty.received()) < 50_000


def test_waiting_ends_by_itself() -> None:
    with conversation(mute) as session:
        started = time.monotonic()
        session.until(lambda facts: False, 0.1)
        assert 0.1 <= time.monotonic() - started < 2.0


# ------------------------------------------------------------------ the self-test must be able to fail


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "IDENTIFIED_S", 10.0)
    monkeypatch.setattr(selftest_module, "PAGE_S", 0.25)
    monkeypatch.setattr(selftest_module, "ANSWERS", 5)


def findings(peer: Peer) -> dict[str, Finding]:
    with conversation(peer) as session:
        return {finding.what: finding for finding in selftest(session)}


def failed(peer: Peer) -> set[str]:
    return {what for what, finding in findings(peer).items() if not finding.passed}


REFUSALS = {
    "a wrong answer is refused",
    "a repeated number is refused",
    "a skipped number is refused",
    "another session is refused",
    "a damaged frame is damaged",
}


@pytest.mark.usefixtures("quick")
def test_a_microcontroller_that_takes_everything_fails_every_refusal() -> None:
    assert failed(Peer()) == REFUSALS


@pytest.mark.usefixtures("quick")
def test_every_finding_can_fail() -> None:
    peer = Peer(version=p.VERSION + 1)
    peer.be(McuState.RUN)
    peer.status = Peer().status
    peer.set_page(cause_page(0, p.Cause.PROGRAM, 1))
    peer.set_page(Diag(p.PAGE_LINK, 0, 0, 0, 0))
    peer.be(McuState.ARMED)
    object.__setattr__(peer.status, "inputs", p.IN_CHANNEL_A | p.IN_RELAY_1 | p.IN_LOCKED)
    assert failed(peer) - REFUSALS == {
        "protocol",
        "program",
        "stopped without a guard",
        "relays shown released",
        "emergency-stop channels agree",
        "not locked",
    }


@pytest.mark.usefixtures("quick")
def test_a_pressed_button_is_no_failure() -> None:
    peer = Peer()
    object.__setattr__(peer.status, "inputs", p.IN_RELEASED_1 | p.IN_RELEASED_2)
    finding = findings(peer)["emergency-stop channels agree"]
    assert finding.passed
    assert "the button is pressed" in finding.detail


class Picky(Peer):
    """Refuses what is wrong, but for one thing that it does not look at."""

    def __init__(self, hole: str) -> None:
        super().__init__()
        self._hole = hole
        self._counts = {"refused": 0, "damaged": 0}

    def __call__(self, data: bytes) -> bytes:
        before, frames = self.status, len(self.beats)
        answer = super().__call__(data)
        if len(self.beats) == frames:
            return answer
        assert len(self.beats) == frames + 1, "one heartbeat at a time"
        beat = self.beats[-1]
        right = hb.answer(self.unit, progress.whole(before.challenge), beat.session, beat.seq)
        wrong = {
            "damaged": checksum(self.unit, data[:12]).to_bytes(4, "little") != data[12:16],
            "session": beat.session != before.session,
            "number": beat.seq != before.seq + 1,
            "answer": beat.answer != right,
        }
        wrong[self._hole] = False
        if any(wrong.values()):
            self.status = replace(self.status, seq=before.seq)
            self._counts["damaged" if wrong["damaged"] else "refused"] += 1
        self.set_page(Diag(p.PAGE_LINK, 0, self._counts["refused"], self._counts["damaged"], 0))
        return b"" if wrong["damaged"] else self.say(self.status, self.pages[(len(self.beats) - 1) % len(self.pages)])


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("hole", "found"),
    [
        ("", set()),
        ("session", {"another session is refused"}),
        ("number", {"a repeated number is refused", "a skipped number is refused"}),
        ("answer", {"a wrong answer is refused"}),
        ("damaged", {"a damaged frame is damaged"}),
    ],
)
def test_every_refusal_is_shown_for_its_own_reason(hole: str, found: set[str]) -> None:
    """Each frame has one thing wrong, so a microcontroller that does not look at that takes it."""
    assert failed(Picky(hole)) == found


@pytest.mark.usefixtures("quick")
def test_slow_answers_fail() -> None:
    class Slow(Peer):
        def __call__(self, data: bytes) -> bytes:
            time.sleep(0.035 if data else 0.0)
            return super().__call__(data)

    with conversation(Slow()) as session:
        session.until(lambda facts: facts.counts["answered"] > 2, 10.0)
        finding = selftest_module._answers(session)
    assert not finding.passed, finding


def test_a_right_heartbeat_that_is_not_taken_fails() -> None:
    class Stubborn(Peer):
        def __call__(self, data: bytes) -> bytes:
            super().__call__(data)
            return self.say(replace(self.status, seq=10)) if data else b""

    with conversation(Stubborn()) as session:
        session.turn()
        finding = selftest_module._taken(session)
    assert not finding.passed, finding
