"""The emergency stop device as the loop sees it: listens at the start of a tick, answers at its end.

The bytes go straight between the compiled loop and the serial line, so no Python stall can drop or fake a heartbeat.
Opening the line and opening it anew after an unplug is the work of another thread; it hands over descriptors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from safetykit.core import heartbeat, progress
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import Frame, Timing
from safetykit.core.protocol import FRAME_BYTES, Stage
from safetykit.core.vocabulary import Device, Fault
from safetykit.runtime.atomics import load, store
from safetykit.runtime.clock import read_bytes, write_words
from safetykit.runtime.words import Words

# Words of `line`. KIND stays as it was made; the two after it may be written by another thread of the guard.
KIND, FD, EPOCH = range(3)  # Device; descriptor or -1; a change means a new connection
EPOCH_SEEN, PROGRESS, WRITE_FAILED, STEPS_SEEN = range(3, 7)
LINE_WORDS = 8

READS_MAX = 4  # per tick; a line that brings more is flooded, the rest waits
READ_BYTES = 64

MAGIC = 0x3130455249574B53  # "SKWIRE01"
PAGE_MAGIC, PAGE_KIND, PAGE_CONNECTED, PAGE_WRITE_FAILED, PAGE_TICK_NS = range(5)
PAGE_LINK = 8  # then a copy of the link's record
PAGE_WORDS = PAGE_LINK + heartbeat.LINK_WORDS

BUTTON_NS = 200_000_000  # the process that reads a button on pins publishes every 20 ms

_MICROCONTROLLER, _BUTTON = int(Device.MICROCONTROLLER), int(Device.BUTTON)
_SILENT = 1 << Fault.DEVICE_SILENT


class DeviceWiring(NamedTuple):
    """Everything the loop touches for the device."""

    line: Words  # LINE_WORDS
    link: Words  # record of core.heartbeat
    rx: Words  # FRAME_BYTES, one byte in each word
    tx: Words
    received: Any  # uint8 (READ_BYTES,)
    sending: Any  # uint8 (FRAME_BYTES,)
    page: Words  # PAGE_WORDS, shared: what `safetykit bridge` shows


def new_device(page: Words, kind: Device, unit: int) -> DeviceWiring:
    """Private memory around the shared page; no line yet."""
    line = np.zeros(LINE_WORDS, np.int64)
    line[KIND], line[FD] = kind, -1
    page[:] = 0
    page[PAGE_MAGIC], page[PAGE_KIND] = MAGIC, kind
    return DeviceWiring(
        line=line,
        link=heartbeat.new_link(unit),
        rx=np.zeros(FRAME_BYTES, np.int64),
        tx=np.zeros(FRAME_BYTES, np.int64),
        received=np.zeros(READ_BYTES, np.uint8),
        sending=np.zeros(FRAME_BYTES, np.uint8),
        page=page,
    )


def hand_over(d: DeviceWiring, fd: int) -> None:
    """Give the running loop another descriptor (-1 = none); called by the one thread that looks after the line."""
    if fd != d.line[FD]:
        d.line[FD] = fd
        d.line[EPOCH] += 1


@jit_apart
def listen(d: DeviceWiring, now_ns: int) -> int:
    """Take what has come over the line; fault bits of this tick."""
    if load(d.line, KIND) != _MICROCONTROLLER:
        return 0
    epoch = load(d.line, EPOCH)
    if epoch != d.line[EPOCH_SEEN]:
        d.line[EPOCH_SEEN] = epoch
        heartbeat.connect(d.link)
    fd = load(d.line, FD)
    if fd >= 0:
        for _ in range(READS_MAX):
            count = read_bytes(fd, d.received)
            for k in range(count):
                byte: Any = np.int64(d.received[k])  # unsigned and signed would make a float
                heartbeat.hear(d.link, d.rx, byte, now_ns)
            if count < READ_BYTES:
                break
    return heartbeat.faults(d.link, now_ns)


@jit
def button_faults(d: DeviceWiring, stamp_ns: int, now_ns: int) -> int:
    """Fault bits of a button on this computer's pins: who reads it must be heard. Its level is a fault of its own.

    `stamp_ns` of the last good message, 0 = none.
    """
    if load(d.line, KIND) != _BUTTON:
        return 0
    return 0 if 0 <= now_ns - stamp_ns <= BUTTON_NS else _SILENT


@jit
def begin(d: DeviceWiring, frame: Frame) -> None:
    """The loop's first stage is done: the challenge goes to the core with its token.

    The tick has zeroed in_progress before; a second time around, what is left of the first spoils the word.
    """
    frame.in_device = heartbeat.device_word(d.link)
    frame.in_progress = progress.fold(d.link[heartbeat.CHALLENGE] ^ frame.in_progress, Stage.GATHER)


@jit
def take_over(d: DeviceWiring, frame: Frame) -> None:
    """The core is done; the loop's last stages go on with its progress. It must have stepped once since the last."""
    repeated = frame.out_seq - d.line[STEPS_SEEN] - 1
    store(d.line, PROGRESS, frame.out_progress ^ repeated)


@jit
def passed(d: DeviceWiring, stage: int) -> None:
    """`stage` of the loop has run."""
    store(d.line, PROGRESS, progress.fold(load(d.line, PROGRESS), stage))


@jit_apart
def answer(d: DeviceWiring, timing: Timing, frame: Frame, now_ns: int) -> None:
    """The tick is over: note its progress and, when it is time, send the heartbeat."""
    if load(d.line, KIND) != _MICROCONTROLLER:
        return
    heartbeat.compare(d.link, d.link[heartbeat.CHALLENGE], load(d.line, PROGRESS))
    d.line[STEPS_SEEN] = frame.out_seq
    if load(d.line, FD) >= 0 and heartbeat.due(d.link, now_ns):
        _send(d, heartbeat.may_run(frame), heartbeat.at_rest(timing, frame), now_ns)
    _show(d, now_ns)


@jit_apart
def stop(d: DeviceWiring, now_ns: int) -> None:
    """The last word of a loop that ends: a STOP, which counts in whatever frame it comes."""
    if load(d.line, FD) >= 0:
        _send(d, False, False, now_ns)


@jit
def _send(d: DeviceWiring, run: bool, rest: bool, now_ns: int) -> None:
    heartbeat.beat(d.link, d.tx, run, rest, now_ns)
    for k in range(FRAME_BYTES):
        d.sending[k] = d.tx[k]
    if write_words(load(d.line, FD), d.sending) != FRAME_BYTES:
        d.line[WRITE_FAILED] += 1


@jit
def _show(d: DeviceWiring, now_ns: int) -> None:
    """Copy the record to the shared page. Readers see single words, each true by itself."""
    store(d.page, PAGE_CONNECTED, 1 if load(d.line, FD) >= 0 else 0)
    store(d.page, PAGE_WRITE_FAILED, d.line[WRITE_FAILED])
    store(d.page, PAGE_TICK_NS, now_ns)
    for word in range(heartbeat.LINK_WORDS):
        store(d.page, PAGE_LINK + word, d.link[word])
