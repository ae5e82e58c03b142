"""The host's end of the link: what it believes, what it counts, when it speaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_bridge.wire import Diag, McuState, Status, encode, heartbeat_bytes
from safetykit.core import heartbeat as hb
from safetykit.core import layout as lay
from safetykit.core import progress
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Fault, State, fault_names
from safetykit.policy import load_policy

pytestmark = pytest.mark.core

START_NS = 1_000_000_000
MS = 1_000_000
UNIT = 7
CALM = Status(McuState.RUN, p.IN_CHANNEL_A | p.IN_CHANNEL_B, 0x1234, 10, 0xCAFE0001)
IDENT = Diag(p.PAGE_IDENT, p.VERSION, 0x0100, 1, 0xDEADBEEF)


class End:
    """One end of the link and a clock."""

    def __init__(self) -> None:
        self.link = hb.new_link(UNIT)
        self.rx, self.tx = np.zeros(p.FRAME_BYTES, np.int64), np.zeros(p.FRAME_BYTES, np.int64)
        self.now_ns = START_NS

    def hear(self, *parts: bytes | Status | Diag) -> None:
        for part in parts:
            for byte in part if isinstance(part, bytes) else encode(part, UNIT):
                hb.hear(self.link, self.rx, byte, self.now_ns)

    def beat(self, run: bool = True, rest: bool = True) -> bytes:
        hb.compare(self.link, int(self.link[hb.CHALLENGE]), progress.whole(int(self.link[hb.CHALLENGE])))
        hb.beat(self.link, self.tx, run, rest, self.now_ns)
        return bytes(self.tx.astype(np.uint8))

    def wait(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * MS)

    def faults(self) -> set[str]:
        return set(fault_names(int(hb.faults(self.link, self.now_ns))))

    def running(self) -> Status:
        """Bring the link to a believed RUN; the status that did it."""
        self.hear(IDENT, replace(CALM, state=McuState.STOPPED))
        self.beat()
        self.wait(10)
        answer = replace(CALM, seq=int(self.link[hb.SENT_SEQ]), challenge=0xCAFE0002)
        self.hear(answer)
        assert self.faults() == set()
        return answer


def test_the_checksum_is_that_of_the_standard() -> None:
    """CRC-32/AUTOSAR of "123456789", whose first byte takes the place of the unit number."""
    words = np.frombuffer(b"23456789", np.uint8).astype(np.int64)
    assert hb.checksum(ord("1"), words, 8) == 0x1697D06A


def test_a_heartbeat_has_the_bytes_that_the_protocol_says() -> None:
    end = End()
    end.hear(CALM)
    sent = end.beat(run=True, rest=False)
    answer = int(hb.answer(UNIT, progress.whole(CALM.challenge), CALM.session, CALM.seq + 1))
    assert sent == heartbeat_bytes(p.COMMAND_RUN, p.REST_NO, CALM.session, CALM.seq + 1, answer, unit=UNIT)


def test_numbers_wrap_at_sixteen_bits() -> None:
    end = End()
    end.hear(replace(CALM, session=0xFFFF, seq=0xFFFF))
    sent = end.beat(run=False)
    assert sent[4:8] == b"\xff\xff\x00\x00"
    assert sent[2] == p.COMMAND_STOP


def test_a_link_on_which_nothing_was_heard_is_silent() -> None:
    assert End().faults() == {"DEVICE_SILENT"}


def test_run_is_believed_only_from_the_answer_to_the_latest_heartbeat() -> None:
    end = End()
    end.hear(IDENT, replace(CALM, state=McuState.STOPPED))
    end.hear(CALM)  # nobody asked
    assert end.link[hb.STATE] == p.STATE_STOPPED
    end.beat()
    end.hear(replace(CALM, seq=CALM.seq))  # the number of the heartbeat before
    assert end.link[hb.STATE] == p.STATE_STOPPED
    assert end.link[hb.REFUSED] == 3
    end.hear(replace(CALM, seq=CALM.seq + 1))
    assert end.link[hb.STATE] == p.STATE_RUN
    assert end.faults() == set()
    end.hear(replace(CALM, seq=CALM.seq + 1, state=McuState.ARMED))  # the same answer again is none
    assert end.link[hb.STATE] == p.STATE_RUN
    assert end.link[hb.ANSWERS] == 1


def test_run_in_another_session_is_not_believed() -> None:
    end = End()
    answer = end.running()
    end.beat()
    end.hear(replace(answer, session=answer.session + 1, seq=answer.seq + 1, state=McuState.ARMED))
    assert end.link[hb.STATE] == p.STATE_RUN
    assert end.link[hb.SESSION] == answer.session + 1


@pytest.mark.parametrize("state", [McuState.STOPPED, McuState.SELFTEST])
def test_a_stop_is_believed_from_any_whole_frame(state: McuState) -> None:
    end = End()
    answer = end.running()
    end.hear(replace(answer, state=state, session=9, seq=999))
    assert "STOP_BUTTON" in end.faults()
    assert end.link[hb.STOPS] == 1


def test_armed_is_not_yet_power() -> None:
    end = End()
    answer = end.running()
    end.beat()
    end.hear(replace(answer, seq=answer.seq + 1, state=McuState.ARMED))
    assert end.faults() == {"DEVICE_WAITS"}


def test_silence_counts_from_the_sending_of_the_heartbeat_that_was_answered_last() -> None:
    end = End()
    end.running()  # answered 10 ms after it was asked
    end.wait(90)
    assert end.faults() == set()
    end.wait(0.001)
    assert end.faults() == {"DEVICE_SILENT"}
    end.now_ns -= 200 * MS  # a clock that went back is no proof of life
    assert end.faults() == {"DEVICE_SILENT"}


def test_refused_heartbeats_do_not_keep_the_link_alive() -> None:
    end = End()
    answer = end.running()
    for _ in range(11):
        end.beat()
        end.wait(10)
        end.hear(answer)
    assert end.faults() == {"DEVICE_SILENT"}


def test_another_protocol_version_is_silence() -> None:
    end = End()
    end.running()
    end.hear(replace(IDENT, a=p.VERSION + 1))
    assert end.faults() == {"DEVICE_SILENT"}
    assert end.link[hb.VERSION_SEEN] == p.VERSION + 1


def test_a_new_connection_must_name_itself_again() -> None:
    end = End()
    answer = end.running()
    hb.connect(end.link)
    assert end.faults() == {"DEVICE_SILENT"}
    end.beat()
    end.hear(IDENT, replace(answer, seq=answer.seq + 1))
    assert end.faults() == set()


@pytest.mark.parametrize("at", range(p.FRAME_BYTES))
def test_a_damaged_frame_is_counted_and_the_next_one_is_found(at: int) -> None:
    end = End()
    spoilt = bytearray(encode(CALM, UNIT))
    spoilt[at] ^= 0x20
    end.hear(bytes(spoilt), replace(CALM, state=McuState.STOPPED))
    assert end.link[hb.STATE] == p.STATE_STOPPED
    assert end.link[hb.DAMAGED] + end.link[hb.STRAY] > 0


def test_a_frame_that_begins_inside_a_damaged_one_is_found() -> None:
    end = End()
    end.hear(bytes([p.SYNC_MCU, 1, 2]) + encode(replace(CALM, state=McuState.STOPPED), UNIT))
    assert end.link[hb.STATE] == p.STATE_STOPPED
    assert end.link[hb.DAMAGED] == 1
    assert end.link[hb.STRAY] == 3


def test_frames_of_another_unit_and_ones_own_echo_are_nothing() -> None:
    end = End()
    end.hear(encode(CALM, UNIT + 1), end.beat())
    assert end.link[hb.STATE] == 0
    assert end.link[hb.SESSION] == 0


def test_unknown_codes_are_counted() -> None:
    end = End()
    for body in (
        bytes([p.SYNC_MCU, p.TYPE_STATUS, 0x99]),
        bytes([p.SYNC_MCU, p.TYPE_HEARTBEAT, p.STATE_RUN]),
        bytes([p.SYNC_MCU, p.TYPE_DIAG, hb.PAGE_COUNT]),
    ):
        whole = body.ljust(p.BODY_BYTES, b"\0")
        words = np.frombuffer(whole, np.uint8).astype(np.int64)
        end.hear(whole + int(hb.checksum(UNIT, words, p.BODY_BYTES)).to_bytes(4, "little"))
    assert end.link[hb.FOREIGN] == 3
    assert end.link[hb.STATE] == 0


def test_pages_are_kept() -> None:
    end = End()
    end.hear(Diag(p.PAGE_EVENT + 7, p.Cause.CHANNEL, 300, 12, 0xFFFFFFFF))
    row = hb.PAGES + (p.PAGE_EVENT + 7) * hb.PAGE_WORDS
    assert end.link[row : row + hb.PAGE_WORDS].tolist() == [p.Cause.CHANNEL, 300, 12, 0xFFFFFFFF]


def test_the_device_word_carries_the_newest_event_across_the_wrap() -> None:
    end = End()
    end.hear(Diag(p.PAGE_EVENT, p.Cause.HOST_SILENT, 0xFFFF, 0, 0), Diag(p.PAGE_EVENT + 1, p.Cause.CHANNEL, 1, 0, 0))
    end.hear(Diag(p.PAGE_EVENT + 2, p.Cause.POWER_UP, 0xFFFE, 0, 0), replace(CALM, state=McuState.STOPPED))
    word = int(hb.device_word(end.link))
    assert word >> 40 == 1
    assert word >> 32 & 0xFF == p.Cause.CHANNEL
    assert word & 0xFF == p.STATE_STOPPED
    assert word >> 8 & 0xFF == CALM.inputs
    assert word >> 16 & 0xFFFF == CALM.session


def test_a_heartbeat_goes_when_the_last_one_is_answered_refused_or_given_up() -> None:
    end = End()
    assert hb.due(end.link, end.now_ns)  # the first one at once
    end.beat()
    end.wait(9)
    assert not hb.due(end.link, end.now_ns)
    end.hear(CALM)  # not our number: refused
    assert hb.due(end.link, end.now_ns)
    end.beat()
    end.hear(replace(CALM, seq=CALM.seq + 1))
    assert not hb.due(end.link, end.now_ns)  # answered, but too soon after the last
    end.wait(8)
    assert hb.due(end.link, end.now_ns)
    end.beat()
    end.wait(29.9)
    assert not hb.due(end.link, end.now_ns)
    end.wait(0.1)
    assert hb.due(end.link, end.now_ns)


def test_one_tick_that_differs_spoils_the_next_answer_and_no_other() -> None:
    end = End()
    answer = end.running()
    challenge = int(end.link[hb.CHALLENGE])
    good = progress.whole(challenge)
    for ended in (good, good ^ 0x40, good):  # the tick in the middle left a stage out
        hb.compare(end.link, challenge, ended)
    hb.beat(end.link, end.tx, True, True, end.now_ns)
    seq = answer.seq + 1
    assert hb.get32(end.tx, 8) != hb.answer(UNIT, good, answer.session, seq)
    hb.compare(end.link, challenge, good)
    hb.beat(end.link, end.tx, True, True, end.now_ns)
    assert hb.get32(end.tx, 8) == hb.answer(UNIT, good, answer.session, seq)


POWERED = {State.STANDBY: 0, State.ENGAGED: 1, State.RECOVERY: 1}


@pytest.mark.parametrize("state", [*State, 99, -1])
@pytest.mark.parametrize("power", [0, 1])
def test_the_relays_may_close_outside_of_stops_and_while_a_stop_is_under_control(state: int, power: int) -> None:
    frame = lay.new_frames().view(np.recarray)[0]
    frame.st_state, frame.out_power = state, power
    expected = state in POWERED or (state == State.PROTECTIVE_STOP and power == 1)
    assert bool(hb.may_run(frame)) == expected


def test_at_rest_means_that_every_reset_condition_holds() -> None:
    policy = load_policy("rover")
    frame = lay.new_frames().view(np.recarray)[0]
    needed = int(policy.timing[lay.RESET_CONDITIONS])
    assert needed
    assert not hb.at_rest(policy.timing, frame)
    frame.st_conditions = needed
    assert hb.at_rest(policy.timing, frame)


def test_device_faults_stop_and_a_waiting_device_keeps_engage_off() -> None:
    timing = load_policy("rover").timing
    emergency, hold = int(timing[lay.T_ACTION + 6]), int(timing[lay.T_ACTION + 2])
    assert emergency >> Fault.DEVICE_SILENT & 1
    assert emergency >> Fault.STOP_BUTTON & 1
    assert hold >> Fault.DEVICE_WAITS & 1
