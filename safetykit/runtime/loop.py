"""The loop on time: gather the mailboxes, step the core, send, keep the frame; again after exactly one period.

Everything from :func:`run` down is compiled, holds no interpreter lock and allocates nothing. It waits for nobody: a
mailbox that is torn, a file descriptor that is full, a ring that nobody reads are counted and passed by.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from safetykit.core.bounds import CHANNELS_MAX, COMMANDS_MAX, OBJECT_COLS, OBJECTS_MAX, SOURCES_MAX
from safetykit.core.columns.commands import MANUAL_ROW, MANUAL_TAKE, VOTE_COUNT
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CHANNEL_COUNT,
    PERIOD_NS,
    SOURCE_COUNT,
    STATUS_NEVER,
    STATUS_OK,
    STATUS_TORN,
    T_MANUAL,
    T_VOTE,
)
from safetykit.core.protocol import Stage
from safetykit.core.step import step
from safetykit.core.vocabulary import Fault
from safetykit.runtime import device, status
from safetykit.runtime.actuator import encode, encode_removed
from safetykit.runtime.atomics import load, store
from safetykit.runtime.clock import now_ns, sleep_until, write_words
from safetykit.runtime.mailbox import (
    AUX,
    BITS,
    CONTROL_BUTTON,
    CONTROL_RESET,
    CONTROL_STOP,
    COUNT,
    PAYLOAD,
    PUBLISHED,
    REFUSED,
    SEQ,
    STAMP_NS,
    WORDS,
    publish,
    receive,
)
from safetykit.runtime.object_list import WORDS as OBJECTS_WORDS
from safetykit.runtime.ring import push
from safetykit.runtime.words import Words

# Slots: one mailbox each
COMMAND_SLOT, FUNCTION_SLOT, SOURCE_SLOT = 0, 1, 2
CONTROL_SLOT = SOURCE_SLOT + SOURCES_MAX
CONTROL_COUNT = status.CONTROLS
BRIDGE_SLOT = CONTROL_SLOT + CONTROL_COUNT - 1  # the button on pins
OTHER_SLOT = CONTROL_SLOT + CONTROL_COUNT  # further voters, then the operator's own commands
SLOTS = OTHER_SLOT + COMMANDS_MAX - 1
OBJECTS_SLOT = SLOTS  # a box of another size, with a copy of its own
SCRATCH = SLOTS * WORDS  # in the inbox, after the last good copy of each slot

# Words of the loop's private memory. The first row may be written by another thread of the guard.
QUIT, SELFTEST_OK, RAISED_FAULTS, OUT_FD = range(4)
RESET_SEQ, RESET_EVENT, MISS_LIMIT, MISS_NEXT, OBJECTS_TAKEN = range(4, 9)
REFUSED_SEEN = 9  # by sender of commands
HEARD = 16  # by slot: something was published since the loop began
BASELINE = HEARD + SLOTS + 1  # by slot: PUBLISHED when the loop began
TORN_TICKS = BASELINE + SLOTS + 1  # by slot: torn reads in a row
VERDICT = TORN_TICKS + SLOTS + 1  # by slot: status of this tick's read
STOPS_SEEN = VERDICT + SLOTS + 1  # by control client: bits of its count of stops
SOURCE_FIRST = STOPS_SEEN + CONTROL_COUNT  # by source: its first input ...
SOURCE_INPUTS = SOURCE_FIRST + SOURCES_MAX  # ... and how many
MISS_TIMES = SOURCE_INPUTS + SOURCES_MAX  # when the latest misses were
MISS_LIMIT_MAX = 64
MEMORY_WORDS = MISS_TIMES + MISS_LIMIT_MAX

CONTROL_TORN_TICKS = 10  # a stop may hide behind a mailbox that stays torn
MISS_WINDOW_NS = 1_000_000_000
MISS_LIMIT_MIN, MISS_SHARE = 5, 20  # DEADLINE: 5 misses, or one in 20 periods, within the window
LONG_AGO_NS = -(1 << 62)

_STOP_REQUEST, _STOP_BUTTON = 1 << Fault.STOP_REQUEST, 1 << Fault.STOP_BUTTON
_BRIDGE_STAMP = BRIDGE_SLOT * WORDS + STAMP_NS
_ENCODE, _SEND, _RECORD = int(Stage.ENCODE), int(Stage.SEND), int(Stage.RECORD)
_DEADLINE, _SENDER = 1 << Fault.DEADLINE, 1 << Fault.SENDER


class Wiring(NamedTuple):
    """Everything one guard's loop touches. Made by :func:`safetykit.runtime.wiring.wire`."""

    limits: Any  # float64 (LIMITS_SIZE,), read-only
    timing: Words  # int64 (TIMING_SIZE,), read-only
    frame: Any  # one record of FRAME
    frame_words: Words  # the same memory
    boxes: tuple[Words, ...]  # SLOTS mailboxes
    inbox: Words  # last good copy of each mailbox, and scratch
    inbox_values: Any  # the same memory as float64
    objects: Words  # mailbox of OBJECTS_WORDS words
    object_copy: Words  # its last good copy, and scratch
    object_values: Any  # the payload of that copy as float64 (OBJECTS_MAX, OBJECT_COLS)
    actuator: Words  # mailbox
    outbox: Words  # private record behind it
    outbox_values: Any  # its payload as float64
    ring: Words
    page: Words  # status page
    memory: Words  # MEMORY_WORDS
    timespec: Words  # int64 (2,)
    device: device.DeviceWiring


@jit
def _slot_of(r: int) -> int:
    """Slot of sender `r` of commands."""
    return COMMAND_SLOT if r == 0 else OTHER_SLOT + r - 1


@jit
def _sends(w: Wiring, r: int) -> bool:
    """True if the policy has sender `r` of commands."""
    if r == MANUAL_ROW:
        return bool(w.timing[T_MANUAL + MANUAL_TAKE] >= 0)
    return bool(r < w.timing[T_VOTE + VOTE_COUNT])


@jit_apart
def _read_all(w: Wiring) -> None:
    """Bring the private copies of all mailboxes up to date; notes how each read went."""
    for slot in range(SLOTS):
        if SOURCE_SLOT + w.timing[SOURCE_COUNT] <= slot < CONTROL_SLOT:
            continue
        if slot >= OTHER_SLOT and not _sends(w, slot - OTHER_SLOT + 1):
            continue
        verdict = receive(w.boxes[slot], w.inbox, slot * WORDS, SCRATCH)
        _note(w, slot, verdict, w.inbox[slot * WORDS + PUBLISHED])
    verdict = receive(w.objects, w.object_copy, 0, OBJECTS_WORDS, OBJECTS_WORDS)
    _note(w, OBJECTS_SLOT, verdict, w.object_copy[PUBLISHED])


@jit
def _note(w: Wiring, slot: int, verdict: int, published: int) -> None:
    torn = 0
    if verdict == STATUS_TORN:
        torn = min(w.memory[TORN_TICKS + slot] + 1, CONTROL_TORN_TICKS)
        status.add(w.page, status.TORN + slot, 1)
    controls = CONTROL_SLOT <= slot < OTHER_SLOT
    w.memory[VERDICT + slot] = verdict if controls else _judge(w, slot, verdict, published)
    w.memory[TORN_TICKS + slot] = torn


@jit
def _judge(w: Wiring, slot: int, verdict: int, published: int) -> int:
    """What a read means for all but controls. Messages from before the loop began do not count.

    The first torn read in a row is a writer that this very tick interrupted: nothing new, the last good copy ages.
    """
    if verdict == STATUS_TORN:
        return STATUS_OK if w.memory[TORN_TICKS + slot] == 0 and w.memory[HEARD + slot] else STATUS_TORN
    if verdict == STATUS_OK and w.memory[HEARD + slot] == 0:
        if published == w.memory[BASELINE + slot]:
            return STATUS_NEVER
        w.memory[HEARD + slot] = 1
    return verdict


@jit
def _take_command(w: Wiring, r: int) -> None:
    slot = _slot_of(r)
    base, payload = slot * WORDS, slot * WORDS + PAYLOAD
    w.frame.in_command_status[r] = w.memory[VERDICT + slot]
    if w.frame.in_command_status[r] != STATUS_OK:
        return
    w.frame.in_command_published[r] = w.inbox[base + PUBLISHED]
    w.frame.in_command_stamp_ns[r] = w.inbox[base + STAMP_NS]
    w.frame.in_command_seq[r] = w.inbox[base + SEQ]
    w.frame.in_command_count[r] = w.inbox[base + COUNT]
    w.frame.in_request_bits[r] = w.inbox[base + BITS]
    for channel in range(CHANNELS_MAX):
        w.frame.in_ask[r, channel] = w.inbox_values[payload + channel]


@jit
def _take_objects(w: Wiring) -> None:
    """The list of objects, copied when it is a new one; the count stays as its sender gave it."""
    w.frame.in_objects_status = w.memory[VERDICT + OBJECTS_SLOT]
    if w.frame.in_objects_status != STATUS_OK or w.object_copy[PUBLISHED] == w.memory[OBJECTS_TAKEN]:
        return
    w.memory[OBJECTS_TAKEN] = w.object_copy[PUBLISHED]
    w.frame.in_objects_stamp_ns = w.object_copy[STAMP_NS]
    w.frame.in_objects_count = w.object_copy[COUNT]
    for row in range(OBJECTS_MAX):
        for column in range(OBJECT_COLS):
            w.frame.in_object[row, column] = w.object_values[row, column]


@jit
def _take_function(w: Wiring) -> None:
    base = FUNCTION_SLOT * WORDS
    if w.memory[VERDICT + FUNCTION_SLOT] == STATUS_OK:
        w.frame.in_function_seq = w.inbox[base + PUBLISHED]
        w.frame.in_function = w.inbox[base + AUX]


@jit
def _take_source(w: Wiring, source: int) -> None:
    """The source's inputs; a message of another size than the policy says gives no values at all."""
    slot = SOURCE_SLOT + source
    base, payload = slot * WORDS, slot * WORDS + PAYLOAD
    w.frame.in_source_status[source] = w.memory[VERDICT + slot]
    if w.frame.in_source_status[source] != STATUS_OK:
        return
    first, count = w.memory[SOURCE_FIRST + source], w.memory[SOURCE_INPUTS + source]
    whole = w.inbox[base + COUNT] == count
    w.frame.in_source_stamp_ns[source] = w.inbox[base + STAMP_NS]
    for value in range(count):
        w.frame.in_value[first + value] = w.inbox_values[payload + value] if whole else np.nan


@jit
def _take_control(w: Wiring, client: int) -> int:
    """Fault bits that one control client asks for; a reset is noted in the memory."""
    slot = CONTROL_SLOT + client
    base, memory = slot * WORDS, w.memory
    faults, verdict = 0, memory[VERDICT + slot]
    if memory[TORN_TICKS + slot] >= CONTROL_TORN_TICKS:
        faults |= _STOP_REQUEST
    bits = w.inbox[base + BITS]  # of the last good copy; zero if there never was one
    if bits & CONTROL_BUTTON:
        faults |= _STOP_BUTTON
    if verdict != STATUS_OK or w.inbox[base + PUBLISHED] == load(w.page, status.CONTROL_SEEN + client):
        return faults
    store(w.page, status.CONTROL_SEEN + client, w.inbox[base + PUBLISHED])
    if bits & CONTROL_STOP or w.inbox[base + PAYLOAD] != memory[STOPS_SEEN + client]:
        memory[STOPS_SEEN + client] = w.inbox[base + PAYLOAD]
        return faults | _STOP_REQUEST
    if bits & CONTROL_RESET:
        memory[RESET_SEQ] += 1
        memory[RESET_EVENT] = w.inbox[base + AUX]
    return faults


@jit
def _own_faults(w: Wiring, now: int) -> int:
    """Faults of the run time itself."""
    faults: int = load(w.memory, RAISED_FAULTS)
    if now - w.memory[MISS_TIMES + w.memory[MISS_NEXT]] <= MISS_WINDOW_NS:
        faults |= _DEADLINE
    for r in range(COMMANDS_MAX):
        refused = load(w.boxes[_slot_of(r)], REFUSED)
        if _sends(w, r) and refused != w.memory[REFUSED_SEEN + r]:
            w.memory[REFUSED_SEEN + r] = refused
            faults |= _SENDER
    return faults


@jit_apart
def gather(w: Wiring, now: int) -> None:
    """Fill the frame's in_ fields from the mailboxes."""
    w.frame.in_now_ns = now
    _read_all(w)
    for r in range(COMMANDS_MAX):
        if _sends(w, r):
            _take_command(w, r)
    _take_objects(w)
    _take_function(w)
    for source in range(w.timing[SOURCE_COUNT]):
        _take_source(w, source)
    faults = _own_faults(w, now) | device.listen(w.device, now)
    faults |= device.button_faults(w.device, w.inbox[_BRIDGE_STAMP], now)
    for client in range(CONTROL_COUNT):
        faults |= _take_control(w, client)
    w.frame.in_faults = faults
    w.frame.in_reset_seq = w.memory[RESET_SEQ]
    w.frame.in_reset_event = w.memory[RESET_EVENT]
    w.frame.in_selftest_ok = load(w.memory, SELFTEST_OK)
    device.begin(w.device, w.frame)


@jit
def _send(w: Wiring) -> None:
    """The outbox to the actuator mailbox and, if there is one, to the file descriptor."""
    publish(w.actuator, w.outbox)
    fd = w.memory[OUT_FD]
    if fd >= 0 and write_words(fd, w.outbox) != WORDS * 8:
        status.add(w.page, status.WRITE_FAILED, 1)


@jit_apart
def tick(w: Wiring, now: int) -> None:
    """One period of the guard, at time `now` (ns)."""
    w.frame.in_progress = 0
    gather(w, now)
    step(w.limits, w.timing, w.frame)
    device.take_over(w.device, w.frame)
    encode(w.frame, w.timing[CHANNEL_COUNT], w.outbox, w.outbox_values)
    device.passed(w.device, _ENCODE)
    _send(w)
    device.passed(w.device, _SEND)
    push(w.ring, w.frame_words)
    device.passed(w.device, _RECORD)
    store(w.page, status.STATE, w.frame.st_state)
    store(w.page, status.STOP_EVENT, w.frame.st_stop_event)
    store(w.page, status.FAULTS, w.frame.out_faults)
    status.add(w.page, status.TICKS, 1)
    device.answer(w.device, w.timing, w.frame, now)


@jit_apart
def retire(w: Wiring) -> None:
    """The last word of a loop that ends: power removed, every channel at its emergency value."""
    encode_removed(w.limits, w.frame, w.outbox, w.outbox_values)
    w.outbox[STAMP_NS] = now_ns(w.timespec)
    _send(w)
    device.stop(w.device, w.outbox[STAMP_NS])


def warm_up(w: Wiring) -> None:
    """Load or compile everything that a running loop needs; sends "power removed" meanwhile."""
    retire(w)
    w.memory[QUIT] = 1
    run(w)
    w.memory[QUIT] = 0


@jit_apart
def book_misses(w: Wiring, now: int, missed: int) -> None:
    """Remember skipped periods, for the status page and for DEADLINE."""
    status.add(w.page, status.MISSES, missed)
    limit = w.memory[MISS_LIMIT]
    for _ in range(min(missed, limit)):
        w.memory[MISS_TIMES + w.memory[MISS_NEXT]] = now
        w.memory[MISS_NEXT] = (w.memory[MISS_NEXT] + 1) % limit


@jit_apart
def run(w: Wiring) -> None:
    """Tick once per period until ``memory[QUIT]`` is set. A tick that cannot keep its period costs whole periods."""
    period = w.timing[PERIOD_NS]
    due = now_ns(w.timespec) + period
    while load(w.memory, QUIT) == 0:
        sleep_until(w.timespec, due)
        now = now_ns(w.timespec)
        if now < due:
            continue  # a signal woke us
        late = now - due
        status.add(w.page, status.WAKE_BUCKETS + status.bucket_of(late), 1)
        status.raise_to(w.page, status.WAKE_MAX_NS, late)
        tick(w, now)
        end = now_ns(w.timespec)
        status.raise_to(w.page, status.WORK_MAX_NS, end - now)
        due += period
        if end >= due:
            missed = (end - due) // period + 1
            due += missed * period
            book_misses(w, end, missed)
