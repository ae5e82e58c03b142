"""Builds what the loop touches: the mailboxes of a run directory and the loop's private memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.core import layout
from safetykit.core.bounds import OBJECT_COLS, OBJECTS_MAX
from safetykit.core.columns.commands import MANUAL_TAKE
from safetykit.core.layout import INPUT_COUNT, PERIOD_NS, T_INPUT, T_MANUAL
from safetykit.core.step import start
from safetykit.core.vocabulary import Device
from safetykit.errors import MailboxError
from safetykit.runtime import device, loop, mailbox, object_list, paths, status
from safetykit.runtime.clock import NS_PER_S, new_timespec
from safetykit.runtime.ring import Ring
from safetykit.runtime.words import WordFile, Words

RING_SECONDS = 4  # a recorder that was killed is back in less
RING_SLOTS_MIN, RING_SLOTS_MAX = 512, 4096  # 17 MB and 137 MB


def ring_slots(period_ns: int) -> int:
    """Frames kept for the recorder: RING_SECONDS of them, as a power of two."""
    wanted = RING_SECONDS * NS_PER_S // max(period_ns, 1)
    return int(min(max(1 << (max(wanted, 1) - 1).bit_length(), RING_SLOTS_MIN), RING_SLOTS_MAX))


def wire(
    limits: Any,
    timing: Words,
    boxes: Sequence[Words],
    actuator: Words,
    ring: Words,
    page: Words,
    stop_device: device.DeviceWiring,
    objects: Words | None = None,
) -> loop.Wiring:
    """Private memory around the given shared words, started: the frame is in BOOT, old messages are known as old.

    `boxes` has one mailbox per slot (``loop.SLOTS``), `objects` is the larger one with the list of objects, if any.
    """
    object_copy = mailbox.new_copy(object_list.WORDS)
    values = object_copy[mailbox.PAYLOAD : object_list.WORDS].view(np.float64)
    frames = layout.new_frames(1)
    inbox = np.zeros(loop.SCRATCH + mailbox.WORDS, np.int64)
    inbox[mailbox.LOCK :: mailbox.WORDS] = mailbox.NOTHING_YET
    outbox = np.zeros(mailbox.WORDS, np.int64)
    outbox[mailbox.MAGIC_AT] = mailbox.MAGIC
    outbox[mailbox.COUNT] = timing[layout.CHANNEL_COUNT]
    outbox[mailbox.PUBLISHED] = actuator[mailbox.PUBLISHED]
    wiring = loop.Wiring(
        limits=limits,
        timing=timing,
        frame=frames.view(np.recarray)[0],
        frame_words=frames.view(np.int64),
        boxes=tuple(boxes),
        inbox=inbox,
        inbox_values=inbox.view(np.float64),
        objects=_nothing(object_list.WORDS) if objects is None else objects,
        object_copy=object_copy,
        object_values=values.reshape(OBJECTS_MAX, OBJECT_COLS),
        actuator=actuator,
        outbox=outbox,
        outbox_values=outbox[mailbox.PAYLOAD :].view(np.float64),
        ring=ring,
        page=page,
        memory=_memory(timing),
        timespec=new_timespec(),
        device=stop_device,
    )
    _know_old_messages(wiring)
    start(limits, timing, wiring.frame)
    return wiring


def _nothing(size: int = mailbox.WORDS) -> Words:
    """A box that reads as "never": for senders that the policy does not have."""
    nothing = np.zeros(size, np.int64)
    nothing[mailbox.MAGIC_AT] = mailbox.MAGIC
    return nothing


def _memory(timing: Words) -> Words:
    memory = np.zeros(loop.MEMORY_WORDS, np.int64)
    memory[loop.OUT_FD] = -1
    ticks_per_window = loop.MISS_WINDOW_NS // max(int(timing[PERIOD_NS]), 1)
    limit = max(loop.MISS_LIMIT_MIN, ticks_per_window // loop.MISS_SHARE)
    memory[loop.MISS_LIMIT] = min(limit, loop.MISS_LIMIT_MAX)
    memory[loop.MISS_TIMES :] = loop.LONG_AGO_NS
    source_of = timing[T_INPUT : T_INPUT + int(timing[INPUT_COUNT])].tolist()
    for source in sorted(set(source_of)):
        memory[loop.SOURCE_FIRST + source] = source_of.index(source)
        memory[loop.SOURCE_INPUTS + source] = source_of.count(source)
    return memory


def _know_old_messages(w: loop.Wiring) -> None:
    """Note what lies in the mailboxes from before: old commands and functions never count, an unseen stop does."""
    for slot, box in enumerate(w.boxes):
        base = slot * mailbox.WORDS
        fresh = mailbox.receive(box, w.inbox, base, loop.SCRATCH) != layout.STATUS_OK
        w.memory[loop.BASELINE + slot] = 0 if fresh else w.inbox[base + mailbox.PUBLISHED]
        client = slot - loop.CONTROL_SLOT
        if not 0 <= client < loop.CONTROL_COUNT or fresh:
            continue
        seen = status.CONTROL_SEEN + client
        w.memory[loop.STOPS_SEEN + client] = w.inbox[base + mailbox.PAYLOAD]
        if (
            w.inbox[base + mailbox.PUBLISHED] != w.page[seen]
            and not w.inbox[base + mailbox.BITS] & mailbox.CONTROL_STOP
        ):
            w.page[seen] = w.inbox[base + mailbox.PUBLISHED]
    size = object_list.WORDS
    if mailbox.receive(w.objects, w.object_copy, 0, size, size) == layout.STATUS_OK:
        w.memory[loop.BASELINE + loop.OBJECTS_SLOT] = w.object_copy[mailbox.PUBLISHED]
    for sender, slot in enumerate((loop.COMMAND_SLOT, *range(loop.OTHER_SLOT, loop.SLOTS))):
        w.memory[loop.REFUSED_SEEN + sender] = w.boxes[slot][mailbox.REFUSED]


class Station:
    """The run directory of one guard: makes and holds every shared file; ``wiring`` is ready to run.

    Attributes: ``directory``, ``wiring``, ``latched_before`` (the guard before left a stop that nobody reset).
    """

    def __init__(
        self,
        directory: Path,
        limits: Any,
        timing: Words,
        sources: Sequence[str],
        kind: Device | None = None,
        unit: int = 1,
        voters: Sequence[str] = (),
    ) -> None:
        """`kind` of emergency stop device, that of the policy if not given; `unit` number of a microcontroller.

        `voters`: the names of redundant senders of commands, the first of which has the plain command mailbox.

        Raises MailboxError: a file cannot be made, or another guard runs in this directory.
        """
        self.directory = directory
        self._files: list[WordFile] = []
        actuator = self._mailbox(paths.ACTUATOR)
        if not actuator.lock():
            holder = int(actuator.words[mailbox.OWNER])
            raise MailboxError(f"{directory}: another guard runs here (process {holder})")
        actuator.words[mailbox.OWNER] = os.getpid()
        names = [paths.COMMAND, paths.FUNCTION, *(paths.input_name(source) for source in sources)]
        boxes = [self._mailbox(name).words for name in names]
        boxes += [_nothing()] * (loop.CONTROL_SLOT - len(boxes))
        boxes += [self._mailbox(paths.control_name(client)).words for client in paths.CONTROL_CLIENTS]
        boxes += [self._mailbox(paths.command_name(name)).words for name in voters[1:]]
        boxes += [_nothing()] * (loop.SLOTS - 1 - len(boxes))
        is_driven = int(timing[T_MANUAL + MANUAL_TAKE]) >= 0
        boxes.append(self._mailbox(paths.command_name(paths.MANUAL)).words if is_driven else _nothing())
        objects = self._mailbox(paths.OBJECTS, object_list.WORDS).words
        self.ring = Ring.create(directory / paths.RING, ring_slots(int(timing[PERIOD_NS])))
        page, self.latched_before = status.create_status(directory / paths.STATUS)
        self._files.append(page)
        shown = WordFile.create(directory / paths.BRIDGE, device.PAGE_WORDS)
        self._files.append(shown)
        kind = Device(int(timing[layout.DEVICE])) if kind is None else kind
        stop_device = device.new_device(shown.words, kind, unit)
        self.wiring = wire(limits, timing, boxes, actuator.words, self.ring.words, page.words, stop_device, objects)

    def _mailbox(self, name: str, size: int = mailbox.WORDS) -> WordFile:
        file = mailbox.create_mailbox(self.directory / name, size)
        self._files.append(file)
        return file

    def close(self) -> None:
        """Let another guard have the directory. The files stay, so that writers' mappings stay valid."""
        for file in self._files:
            file.close()
