"""The host's end of the link to the emergency-stop microcontroller (MCU), as pure compiled functions on one record.

The loop feeds it: `hear` takes what came over the line, `faults` says what that means for this tick, `beat` writes the
next heartbeat into a buffer. No clock, no I/O; bytes on the wire are described in hw/PROTOCOL.md.

What is believed, and when (IEC 61784-3: the line may damage, repeat, delay, lose, reorder or invent anything):

* STOPPED is believed from any whole frame: stopping needs no proof.
* ARMED and RUN are believed only from the answer to our latest heartbeat, in the session we sent it in.
* The MCU counts as alive only by such answers, and only once it has named this very version of the protocol.

`link` is int64 ``(LINK_WORDS,)``; `rx` and `tx` are int64 ``(FRAME_BYTES,)``, one byte in each word.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from safetykit.core import protocol as p
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import RESET_CONDITIONS, Frame, Timing
from safetykit.core.vocabulary import Fault, State

Words: TypeAlias = npt.NDArray[np.int64]

# Words of the record
UNIT = 0  # number of the MCU on its line, part of every checksum
SESSION, SEQ, CHALLENGE = 1, 2, 3  # as the MCU gave them last
STATE, INPUTS = 4, 5  # believed state (a STATE_ code, 0 = none yet) and input bits
SENT_SEQ, SENT_NS = 6, 7  # of the latest heartbeat
AWAITING = 8  # 1 = the latest heartbeat is not answered yet
RESYNC = 9  # 1 = the MCU refused it; the next may go at once
HEARD_NS = 10  # when the heartbeat was first sent that was answered last, 0 = never: it was alive since then
KNOWN = 11  # 1 = the ident page came, and in our version; a new connection starts with 0
VERSION_SEEN = 12  # protocol version of the ident page, 0 = none yet
RX_COUNT = 13  # bytes in `rx`
POISON = 14  # bits in which the progress of this challenge's ticks differed
LAST_PROGRESS, LAST_CHALLENGE = 15, 16
BEATS, ANSWERS, REFUSED = 17, 18, 19  # counts: sent, answered, answered but not to our latest heartbeat
DAMAGED, STRAY, FOREIGN = 20, 21, 22  # counts: frames with a wrong checksum, bytes outside frames, unknown codes
ROUND_TRIP_NS, ROUND_TRIP_MAX_NS = 23, 24
STOPS = 25  # changes from RUN to anything else
FIRST_NS = 26  # when the number of the latest heartbeat was first sent
PAGES = 32  # diagnostic pages: PAGE_WORDS for each
PAGE_WORDS = 4
PAGE_COUNT = 16
LINK_WORDS = PAGES + PAGE_WORDS * PAGE_COUNT

LINK_NS = p.LINK_US * 1000  # as long as the MCU gives us, we give the MCU
BEAT_NS = 8_000_000  # shortest time between heartbeats
ANSWER_NS = 30_000_000  # without an answer for this long the heartbeat is repeated, with the same number

_NIBBLES = np.array(p.CRC_NIBBLES, np.int64)
_NIBBLES.flags.writeable = False
_MASK, _MASK16 = 0xFFFFFFFF, 0xFFFF
_STOP_BUTTON, _SILENT, _WAITS = 1 << Fault.STOP_BUTTON, 1 << Fault.DEVICE_SILENT, 1 << Fault.DEVICE_WAITS
_STANDBY, _RECOVERY = int(State.STANDBY), int(State.RECOVERY)
_PROTECTIVE = int(State.PROTECTIVE_STOP)


# ------------------------------------------------------------------ bytes


@jit
def crc_byte(crc: int, byte: int) -> int:
    """CRC-32/AUTOSAR after one more byte."""
    crc ^= byte
    crc = crc >> 4 ^ _NIBBLES[crc & 15]
    return crc >> 4 ^ _NIBBLES[crc & 15]


@jit_apart
def checksum(unit: int, frame: Words, length: int) -> int:
    """CRC-32/AUTOSAR over the unit number, which is never sent, and the first `length` bytes."""
    crc = crc_byte(_MASK, unit & 0xFF)
    for k in range(length):
        crc = crc_byte(crc, frame[k])
    return crc ^ _MASK


@jit
def get16(frame: Words, at: int) -> int:
    return frame[at] | frame[at + 1] << 8


@jit
def get32(frame: Words, at: int) -> int:
    return get16(frame, at) | get16(frame, at + 2) << 16


@jit
def put32(frame: Words, at: int, value: int) -> None:
    for k in range(4):
        frame[at + k] = value >> 8 * k & 0xFF


@jit
def answer(unit: int, progress: int, session: int, seq: int) -> int:
    """The progress of a tick, sealed with session and sequence number (both 16 bits)."""
    crc = crc_byte(_MASK, unit & 0xFF)
    for k in range(4):
        crc = crc_byte(crc, progress >> 8 * k & 0xFF)
    for word in (session, seq):
        crc = crc_byte(crc, word & 0xFF)
        crc = crc_byte(crc, word >> 8 & 0xFF)
    return crc ^ _MASK


# ------------------------------------------------------------------ from the MCU


@jit_apart
def hear(link: Words, rx: Words, byte: int, now_ns: int) -> None:
    """Take one received byte. What is no frame is counted and dropped, one byte at a time."""
    if link[RX_COUNT] == 0 and byte != p.SYNC_MCU:
        link[STRAY] += 1
        return
    rx[link[RX_COUNT]] = byte
    link[RX_COUNT] += 1
    if link[RX_COUNT] < p.FRAME_BYTES:
        return
    if checksum(link[UNIT], rx, p.BODY_BYTES) != get32(rx, p.BODY_BYTES):
        link[DAMAGED] += 1
        _slide(link, rx)
        return
    link[RX_COUNT] = 0
    kind = rx[1]
    if kind == p.TYPE_STATUS:
        _take_status(link, rx, now_ns)
    elif kind == p.TYPE_DIAG:
        _take_page(link, rx)
    else:
        link[FOREIGN] += 1


@jit
def _slide(link: Words, rx: Words) -> None:
    """Go on at the next byte that may begin a frame: damage never costs more than the frame it hit."""
    start = 1
    while start < p.FRAME_BYTES and rx[start] != p.SYNC_MCU:
        start += 1
    link[STRAY] += start
    link[RX_COUNT] = p.FRAME_BYTES - start
    for k in range(p.FRAME_BYTES - start):
        rx[k] = rx[start + k]


@jit
def _take_status(link: Words, rx: Words, now_ns: int) -> None:
    state, session, seq = rx[2], get16(rx, 4), get16(rx, 6)
    if not _is_state(state):
        link[FOREIGN] += 1
        return
    ours = link[AWAITING] == 1 and seq == link[SENT_SEQ]
    if ours:
        link[AWAITING] = 0
        link[HEARD_NS] = link[FIRST_NS]
        link[ANSWERS] += 1
        link[ROUND_TRIP_NS] = now_ns - link[FIRST_NS]
        link[ROUND_TRIP_MAX_NS] = max(link[ROUND_TRIP_MAX_NS], link[ROUND_TRIP_NS])
    else:
        link[REFUSED] += 1
        link[RESYNC] = 1
    stopped = state == p.STATE_STOPPED or state == p.STATE_SELFTEST
    if stopped or (ours and session == link[SESSION]):
        if link[STATE] == p.STATE_RUN and state != p.STATE_RUN:
            link[STOPS] += 1
        link[STATE], link[INPUTS] = state, rx[3]
    link[SESSION], link[SEQ], link[CHALLENGE] = session, seq, get32(rx, 8)


@jit
def _is_state(code: int) -> bool:
    return code == p.STATE_STOPPED or code == p.STATE_RUN or code == p.STATE_ARMED or code == p.STATE_SELFTEST


@jit
def _take_page(link: Words, rx: Words) -> None:
    page = rx[2]
    if page >= PAGE_COUNT:
        link[FOREIGN] += 1
        return
    row = PAGES + page * PAGE_WORDS
    link[row], link[row + 1] = rx[3], get16(rx, 4)
    link[row + 2], link[row + 3] = get16(rx, 6), get32(rx, 8)
    if page == p.PAGE_IDENT:
        link[VERSION_SEEN] = link[row]
        link[KNOWN] = 1 if link[row] == p.VERSION else 0


@jit
def connect(link: Words) -> None:
    """The line is a new one: whoever is at its end has yet to say who it is."""
    link[KNOWN] = link[VERSION_SEEN] = link[RX_COUNT] = link[AWAITING] = 0
    link[RESYNC] = 1


@jit
def faults(link: Words, now_ns: int) -> int:
    """Fault bits of this tick. Anything but a fresh RUN or ARMED is a stop."""
    bits = 0
    age_ns = now_ns - link[HEARD_NS]
    if link[HEARD_NS] == 0 or link[KNOWN] == 0 or age_ns > LINK_NS or age_ns < 0:
        bits |= _SILENT
    if link[STATE] == p.STATE_ARMED:
        bits |= _WAITS
    elif link[STATE] != p.STATE_RUN and link[STATE] != 0:
        bits |= _STOP_BUTTON
    return bits


@jit
def device_word(link: Words) -> int:
    """For the black box: state code, input bits << 8, session << 16, latest cause << 32, its event number << 40."""
    cause, number = 0, 0
    for page in range(p.PAGE_EVENT, PAGE_COUNT):
        row = PAGES + page * PAGE_WORDS
        later = (link[row + 1] - number) & _MASK16
        if link[row + 1] != 0 and (number == 0 or later < 1 << 15):
            cause, number = link[row], link[row + 1]
    return link[STATE] | link[INPUTS] << 8 | link[SESSION] << 16 | (cause & 0xFF) << 32 | number << 40


# ------------------------------------------------------------------ to the MCU


@jit
def compare(link: Words, challenge: int, progress: int) -> None:
    """Note a finished tick. Ticks on one challenge must all end alike; where they differ, the next answer is spoilt.

    So no tick is left out, although not every tick has a heartbeat.
    """
    if link[LAST_CHALLENGE] == challenge and link[LAST_PROGRESS] >= 0:
        link[POISON] |= progress ^ link[LAST_PROGRESS]
    link[LAST_CHALLENGE], link[LAST_PROGRESS] = challenge, progress


@jit
def due(link: Words, now_ns: int) -> bool:
    """True if a heartbeat may go now: the last one is answered, or refused, or given up."""
    waited_ns = now_ns - link[SENT_NS]
    if link[BEATS] > 0 and waited_ns < BEAT_NS:
        return False
    return link[AWAITING] == 0 or link[RESYNC] == 1 or waited_ns >= ANSWER_NS


@jit_apart
def beat(link: Words, tx: Words, run: bool, rest: bool, now_ns: int) -> None:
    """Write the heartbeat of the tick that `compare` noted last into `tx`."""
    seq = (link[SEQ] + 1) & _MASK16
    progress = (link[LAST_PROGRESS] ^ link[POISON]) & _MASK
    tx[0], tx[1] = p.SYNC_HOST, p.TYPE_HEARTBEAT
    tx[2] = p.COMMAND_RUN if run else p.COMMAND_STOP
    tx[3] = p.REST_YES if rest else p.REST_NO
    put32(tx, 4, link[SESSION] | seq << 16)
    put32(tx, 8, answer(link[UNIT], progress, link[SESSION], seq))
    put32(tx, p.BODY_BYTES, checksum(link[UNIT], tx, p.BODY_BYTES))
    if link[AWAITING] == 0 or seq != link[SENT_SEQ]:
        link[FIRST_NS] = now_ns
    link[SENT_SEQ], link[SENT_NS] = seq, now_ns
    link[AWAITING], link[RESYNC], link[POISON] = 1, 0, 0
    link[BEATS] += 1


@jit
def may_run(frame: Frame) -> bool:
    """True while the guard lets actuators have power. Power is a matter of the stop states: the relays stay closed in
    STANDBY, where only neutral values leave the guard, and open with every stop."""
    if _STANDBY <= frame.st_state <= _RECOVERY:
        return True
    return frame.st_state == _PROTECTIVE and frame.out_power == 1


@jit
def at_rest(timing: Timing, frame: Frame) -> bool:
    """True while the policy's reset conditions hold."""
    needed = timing[RESET_CONDITIONS]
    return frame.st_conditions & needed == needed


def new_link(unit: int = 1) -> Words:
    """A record for a line on which nothing was heard yet."""
    link = np.zeros(LINK_WORDS, np.int64)
    link[UNIT], link[RESYNC], link[LAST_PROGRESS] = unit, 1, -1
    return link
