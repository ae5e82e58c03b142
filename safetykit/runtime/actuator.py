"""The guard's output: the actuator mailbox, and the same record on a file descriptor.

Layout, on top of the mailbox header: STAMP_NS tick time; SEQ ``out_seq``; COUNT channels; BITS request bits, power
(bit 32), function refused (bit 33); AUX action (bits 0-7), state (8-15), function (16-31), stop event (32-62);
EXTRA fault bits; payload 0-31 sent values (float64), payload 32-63 fault bits per channel (int64).

A sink must remove power by itself when it hears nothing new for a few periods (:attr:`ActuatorView.age_ns`): a guard
that died cannot say so. The stamp is CLOCK_MONOTONIC of the guard's machine; across a network use the time of arrival.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetykit.core.bounds import CHANNELS_MAX
from safetykit.core.jit import jit_apart
from safetykit.core.layout import CH_COLS, EMERGENCY, L_CHANNEL
from safetykit.core.vocabulary import Action, State, fault_names
from safetykit.runtime.mailbox import (
    AUX,
    BITS,
    COUNT,
    EXTRA,
    PAYLOAD,
    SEQ,
    STAMP_NS,
    MailboxReader,
    Message,
    Values,
)
from safetykit.runtime.words import Words

POWER_BIT, REFUSED_BIT = 32, 33
REQUEST_MASK = (1 << 32) - 1
STATE_SHIFT, FUNCTION_SHIFT, EVENT_SHIFT = 8, 16, 32
BYTE_MASK, FUNCTION_MASK, EVENT_MASK = 0xFF, 0xFFFF, 0x7FFFFFFF
REASONS = PAYLOAD + CHANNELS_MAX
_REMOVED = int(Action.EMERGENCY_STOP) | int(State.EMERGENCY_STOP) << STATE_SHIFT


@jit_apart
def encode(frame: Any, channels: int, record: Words, payload: Values) -> None:
    """Fill the private mailbox record (and `payload`, its float64 view) from a frame after the step."""
    record[STAMP_NS] = frame.in_now_ns
    record[SEQ] = frame.out_seq
    record[COUNT] = channels
    power = (frame.out_power & 1) << POWER_BIT
    record[BITS] = (frame.out_request_bits & REQUEST_MASK) | power | (frame.out_function_refused & 1) << REFUSED_BIT
    state = (frame.st_state & BYTE_MASK) << STATE_SHIFT
    function = (frame.out_function & FUNCTION_MASK) << FUNCTION_SHIFT
    record[AUX] = (frame.out_action & BYTE_MASK) | state | function | (frame.st_stop_event & EVENT_MASK) << EVENT_SHIFT
    record[EXTRA] = frame.out_faults
    for channel in range(CHANNELS_MAX):
        payload[channel] = frame.out_sent[channel]
        record[REASONS + channel] = frame.out_reason[channel]


@jit_apart
def encode_removed(limits: Values, frame: Any, record: Words, payload: Values) -> None:
    """Turn the record into the last word of a guard that leaves: power removed, each channel at its emergency value."""
    record[SEQ] += 1
    record[BITS] = 0
    record[AUX] = _REMOVED | (frame.st_stop_event & EVENT_MASK) << EVENT_SHIFT
    for channel in range(record[COUNT]):
        payload[channel] = limits[L_CHANNEL + channel * CH_COLS + EMERGENCY]
        record[REASONS + channel] = 0


@dataclass(frozen=True)
class ActuatorView:
    """One output of the guard, decoded."""

    sent: Values  # per channel, as sent to the actuators
    reasons: Words  # fault bits per channel: why it differs from what was asked
    action: Action
    state: State
    power: bool  # False: remove actuator power
    request_bits: int
    function: int  # granted in this tick (1-based), 0 = none
    function_refused: bool
    stop_event: int  # number of the latest stop; a reset must name it
    faults: int
    seq: int
    stamp_ns: int
    published: int

    @classmethod
    def decode(cls, message: Message, raw_payload: Words) -> ActuatorView:
        """Raises nothing: an action or state without a name reads as EMERGENCY_STOP, without power."""
        action, state = message.aux & BYTE_MASK, message.aux >> STATE_SHIFT & BYTE_MASK
        known = action in Action._value2member_map_ and state in State._value2member_map_
        channels = message.values.size
        return cls(
            sent=message.values,
            reasons=raw_payload[CHANNELS_MAX : CHANNELS_MAX + channels],
            action=Action(action) if known else Action.EMERGENCY_STOP,
            state=State(state) if known else State.EMERGENCY_STOP,
            power=known and bool(message.bits >> POWER_BIT & 1),
            request_bits=message.bits & REQUEST_MASK,
            function=message.aux >> FUNCTION_SHIFT & FUNCTION_MASK,
            function_refused=bool(message.bits >> REFUSED_BIT & 1),
            stop_event=message.aux >> EVENT_SHIFT & EVENT_MASK,
            faults=message.extra,
            seq=message.seq,
            stamp_ns=message.stamp_ns,
            published=message.published,
        )

    def age_ns(self, now_ns: int | None = None) -> int:
        """Time since the tick that made this, on the guard's machine."""
        return (time.monotonic_ns() if now_ns is None else now_ns) - self.stamp_ns

    @property
    def fault_names(self) -> tuple[str, ...]:
        return fault_names(self.faults)

    def reason_names(self, channel: int) -> tuple[str, ...]:
        return fault_names(int(self.reasons[channel]))


class ActuatorReader:
    """Reads the actuator mailbox: what a sink, a console or a ROS 2 adapter uses."""

    def __init__(self, path: str | Path) -> None:
        """Open ``<run dir>/actuator``. Raises MailboxError."""
        self._reader = MailboxReader(path)

    @property
    def torn(self) -> int:
        return self._reader.torn

    def read(self) -> ActuatorView | None:
        """The latest output, the same one again if nothing new came; None if there never was one or it is torn."""
        message = self._reader.read()
        return None if message is None else ActuatorView.decode(message, self._reader.raw_payload)
