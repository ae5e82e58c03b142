"""A loop without files or time: mailboxes are plain arrays, the test says when it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from safetykit.core import layout as lay
from safetykit.core.vocabulary import Device, Fault, State, fault_names
from safetykit.policy import Policy, load_policy
from safetykit.runtime import actuator, device, loop, mailbox, ring, status, wiring

START_NS = 1_000_000_000_000
RING_SLOTS = 8
CLIENTS = ("cli", "ros", "console", "bridge")


def new_page(before: Any = None) -> Any:
    page = np.zeros(status.WORDS, np.int64)
    if before is not None:
        page[status.CONTROL_SEEN :] = before[status.CONTROL_SEEN :]
    return page


class Rig:
    """One wired loop on arrays. ``boxes`` may hold anything; `write` publishes as a proper writer does."""

    def __init__(
        self,
        policy: Policy | str,
        *,
        boxes: Sequence[Any] | None = None,
        page: Any = None,
        kind: Device | None = None,  # of the emergency stop device; default: the policy's
    ) -> None:
        self.policy = load_policy(policy) if isinstance(policy, str) else policy
        self.boxes = list(boxes) if boxes is not None else [self.new_box() for _ in range(loop.SLOTS)]
        self.records: dict[int, Any] = {}
        self.actuator = np.zeros(mailbox.WORDS, np.int64)
        self.ring = np.zeros(ring.HEADER_WORDS + RING_SLOTS * ring.FRAME_WORDS, np.int64)
        self.page = new_page() if page is None else page
        kind = Device(int(self.policy.timing[lay.DEVICE])) if kind is None else kind
        self.device = device.new_device(np.zeros(device.PAGE_WORDS, np.int64), kind, 1)
        words = (self.boxes, self.actuator, self.ring, self.page, self.device)
        self.w = wiring.wire(self.policy.limits, self.policy.timing, *words)
        self.frame = self.w.frame
        self.now_ns = START_NS
        self.w.memory[loop.SELFTEST_OK] = 1

    @staticmethod
    def new_box() -> Any:
        box = np.zeros(mailbox.WORDS, np.int64)
        box[mailbox.MAGIC_AT] = mailbox.MAGIC
        return box

    def write(self, slot: int, values: Sequence[float] = (), **words: int) -> None:
        """Publish; `words` by name: stamp_ns, seq, count, bits, aux. Default stamp: the time of the next tick."""
        record = self.records.setdefault(slot, np.zeros(mailbox.WORDS, np.int64))
        record[mailbox.PUBLISHED] = self.boxes[slot][mailbox.PUBLISHED]
        record[mailbox.STAMP_NS] = words.get("stamp_ns", self.now_ns + self.policy.period_ns)
        record[mailbox.SEQ] = words.get("seq", int(record[mailbox.SEQ]) % mailbox.WORD_MAX + 1)
        record[mailbox.COUNT] = words.get("count", len(values))
        record[mailbox.BITS], record[mailbox.AUX] = words.get("bits", 0), words.get("aux", 0)
        payload = record[mailbox.PAYLOAD :].view(np.float64)
        payload[:] = 0.0
        payload[: len(values)] = values
        mailbox.publish(self.boxes[slot], record)

    def command(self, values: Sequence[float], **words: int) -> None:
        self.write(loop.COMMAND_SLOT, values, **words)

    def inputs(self, **changed: float) -> None:
        """All sources, fresh; what is not given is zero, or the nearest value the policy allows."""
        limits = self.policy.limits
        for number, source in enumerate(self.policy.sources):
            values = []
            for index in source.inputs:
                row = lay.L_INPUT + index * lay.INPUT_COLS
                nearest = min(max(0.0, float(limits[row + lay.INPUT_LO])), float(limits[row + lay.INPUT_HI]))
                values.append(changed.get(self.policy.inputs[index], nearest))
            self.write(loop.SOURCE_SLOT + number, values)

    def control(self, client: str = "cli", *, stops: float = 0.0, **words: int) -> None:
        self.write(loop.CONTROL_SLOT + CLIENTS.index(client), [stops], **words)

    def tick(self, after_ns: int | None = None) -> actuator.ActuatorView:
        """One tick, one period later (or `after_ns`); the output as a sink reads it."""
        self.now_ns += self.policy.period_ns if after_ns is None else after_ns
        loop.tick(self.w, self.now_ns)
        return self.output()

    def output(self) -> actuator.ActuatorView:
        copy = np.zeros(2 * mailbox.WORDS, np.int64)
        copy[mailbox.LOCK] = mailbox.NOTHING_YET
        assert mailbox.receive(self.actuator, copy, 0, mailbox.WORDS) == lay.STATUS_OK
        payload = copy[mailbox.PAYLOAD : mailbox.WORDS]
        words = copy[: mailbox.EXTRA + 1].tolist()
        message = mailbox.Message(
            payload.view(np.float64)[: words[mailbox.COUNT]].copy(), words[3], *words[4:9], words[2]
        )
        return actuator.ActuatorView.decode(message, payload.copy())

    def in_faults(self) -> set[str]:
        """Faults that the run time itself raised in the last tick."""
        return set(fault_names(int(self.frame.in_faults)))

    def raise_fault(self, fault: Fault) -> None:
        self.w.memory[loop.RAISED_FAULTS] |= 1 << fault

    def engage(self, ask: Sequence[float] | None = None) -> None:
        """Bring a quadrotor-like policy to ENGAGED."""
        for engaged in (0.0, 0.0, 1.0):
            self.inputs(engage=engaged)
            self.command(ask or [0.0] * len(self.policy.channels))
            self.tick()
        assert self.frame.st_state == State.ENGAGED, self.output()


def allowed_move(policy: Policy, channel: int, dt_s: float) -> tuple[float, float]:
    """(down, up): the furthest the channel may ever move in dt_s; tables count with their largest value."""
    return _rate(policy, channel, lay.RATE_DOWN) * dt_s, _rate(policy, channel, lay.RATE_UP) * dt_s


def _rate(policy: Policy, channel: int, column: int) -> float:
    limits, timing = policy.limits, policy.timing
    table = int(timing[lay.T_CHANNEL + channel * lay.CHI_COLS + lay.CHI_TABLE + column])
    if table < 0:
        return float(limits[lay.L_CHANNEL + channel * lay.CH_COLS + column])
    row = lay.L_TABLE + table * lay.TABLE_COLS
    points = int(timing[lay.T_TABLE + table * lay.TABLE_COLS_I + lay.TABLE_POINTS])
    return float(np.max(limits[row + lay.TABLE_Y : row + lay.TABLE_Y + points]))


def violations(policy: Policy, before: Any, after: Any, reasons: Any, state: int, dt_s: float) -> list[str]:
    """What is wrong with sending `after` when `before` was sent last."""
    wrong = []
    for c, name in enumerate(policy.channels):
        row = lay.L_CHANNEL + c * lay.CH_COLS
        flags = int(policy.timing[lay.T_CHANNEL + c * lay.CHI_COLS + lay.FLAGS])
        lo, hi, sent, last = policy.limits[row + lay.HARD_LO], policy.limits[row + lay.HARD_HI], after[c], before[c]
        if not math.isfinite(sent):
            wrong.append(f"{name} is not finite")
        if not lo <= sent <= hi:
            wrong.append(f"{name} = {sent} outside [{lo}, {hi}]")
        jumps = flags & lay.JUMPS and int(reasons[c]) >> Fault.REJECTED & 1
        if jumps or (flags & lay.EMERGENCY_JUMPS and state == State.EMERGENCY_STOP):
            continue
        down, up = allowed_move(policy, c, dt_s)
        slack = 1e-9 * (1.0 + abs(float(last)))
        if not -down - slack <= sent - last <= up + slack:
            wrong.append(f"{name} moved {sent - last}, allowed -{down} .. {up}")
    return wrong
