"""The guard as a plain object: for notebooks, simulators, tests and controllers that call it themselves.

The real-time loop runs the same compiled `step` on the same frame; this module only fills and reads the frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from safetykit.core import batch, bounds, layout
from safetykit.core.step import start, step
from safetykit.core.vocabulary import Action, Fault, State, fault_names
from safetykit.policy import Policy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decision:
    """What the guard sent in one tick, and why."""

    sent: dict[str, float]  # per channel, in the policy's units
    action: Action
    state: State
    faults: tuple[str, ...]
    reasons: dict[str, tuple[str, ...]]  # per channel that was changed
    power: bool  # actuator power allowed
    request_bits: int
    function: str | None  # function granted in this tick
    function_refused: bool
    stop_event: int  # number that a reset must name


@dataclass(frozen=True)
class Batch:
    """Result of `Guard.run_batch`, one row per tick."""

    sent: Floats  # (T, C)
    reason: Ints  # (T, C) fault bits
    action: Ints  # (T,)
    faults: Ints  # (T,) fault bits
    state: Ints  # (T,)
    power: Ints  # (T,)


class Guard:
    """One guard with its own state.

    `step` never raises for what a command or an input *contains* (NaN, infinities, wrong length, old stamps): that
    becomes fault bits. It raises ValueError, before the tick, for names that the policy does not have.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._frames = layout.new_frames()
        self.frame = self._frames.view(np.recarray)[0]
        start(policy.limits, policy.timing, self.frame)
        self.frame.in_selftest_ok = 1

    def step(
        self,
        now_ns: int,
        command: Mapping[str, float] | Sequence[float] | Floats | None,
        inputs: Mapping[str, float] | None = None,
        *,
        stamp_ns: int | None = None,
        seq: int | None = None,
        request: Sequence[str] | None = None,
        function: str | None = None,
        conditions: Sequence[Fault] = (),
        reset: int | None = None,
    ) -> Decision:
        """One tick at `now_ns`.

        command: values by channel name or in channel order; None = nothing new. stamp_ns: when it was made (default
        now). seq: the sender's number (default: one more than before). request: channels whose actuation request
        is up (default all). inputs: values by name; the sources they belong to count as heard now.
        function: name to ask for. conditions: faults seen outside, e.g. ``[Fault.STOP_REQUEST]``.
        reset: number of the stop event to reset.
        """
        self._check_names(command, inputs, request)
        frame = self.frame
        frame.in_now_ns = now_ns
        frame.in_faults = sum(1 << fault for fault in set(conditions))
        for name, value in (inputs or {}).items():
            index = self.policy.input_index(name)
            frame.in_value[index] = value
            source = self.policy.timing[layout.T_INPUT + index]
            frame.in_source_status[source] = layout.STATUS_OK
            frame.in_source_stamp_ns[source] = now_ns
        if command is not None:
            self._put_command(command, now_ns if stamp_ns is None else stamp_ns, seq, request)
        if function is not None:
            frame.in_function_seq += 1
            frame.in_function = self.policy.function_number(function)
        if reset is not None:
            frame.in_reset_seq += 1
            frame.in_reset_event = reset
        step(self.policy.limits, self.policy.timing, frame)
        return self._decision()

    def run_batch(
        self,
        now_ns: npt.ArrayLike,
        commands: npt.ArrayLike,
        inputs: npt.ArrayLike,
        *,
        stamps_ns: npt.ArrayLike | None = None,
        conditions: npt.ArrayLike | None = None,
    ) -> Batch:
        """Steps through T rows in compiled code.

        now_ns: (T,) int64, increasing. commands: (T, C). inputs: (T, K) in the policy's order of inputs, heard at
        each row. stamps_ns: (T,) stamps of the commands, default now; a repeated stamp is no new command.
        conditions: (T,) fault bits seen outside. Raises ValueError if shapes do not fit.
        """
        now = np.ascontiguousarray(now_ns, np.int64)
        shapes = (len(now), len(self.policy.channels)), (len(now), len(self.policy.inputs))
        asked, values = _table(commands, shapes[0], "commands"), _table(inputs, shapes[1], "inputs")
        stamps = now if stamps_ns is None else np.ascontiguousarray(stamps_ns, np.int64)
        faults = np.zeros(len(now), np.int64) if conditions is None else np.ascontiguousarray(conditions, np.int64)
        if now.ndim != 1 or stamps.shape != now.shape or faults.shape != now.shape:
            raise ValueError("now_ns, stamps_ns and conditions must be one-dimensional and of equal length")
        sent, reason = np.empty(shapes[0]), np.empty(shapes[0], np.int64)
        words = np.empty((len(now), 4), np.int64)
        results = sent, reason, words
        batch.run(self.policy.limits, self.policy.timing, self.frame, (now, stamps, faults), (asked, values), results)
        return Batch(sent, reason, *(np.ascontiguousarray(words[:, k]) for k in range(4)))

    def _check_names(
        self,
        command: Mapping[str, float] | Sequence[float] | Floats | None,
        inputs: Mapping[str, float] | None,
        request: Sequence[str] | None,
    ) -> None:
        asked = command if isinstance(command, Mapping) else ()
        unknown = [name for name in (*asked, *(request or ())) if name not in self.policy.channels]
        unknown += [name for name in inputs or () if name not in self.policy.inputs]
        if unknown:
            raise ValueError(
                f"policy {self.policy.name!r} has no {', '.join(map(repr, unknown))}; "
                f"channels: {', '.join(self.policy.channels)}; inputs: {', '.join(self.policy.inputs)}"
            )

    def _put_command(
        self,
        command: Mapping[str, float] | Sequence[float] | Floats,
        stamp_ns: int,
        seq: int | None,
        request: Sequence[str] | None,
    ) -> None:
        frame = self.frame
        if isinstance(command, Mapping):  # a channel that is not named counts as not sent
            values = [command.get(name, np.nan) for name in self.policy.channels]
            frame.in_command_count = len(command)
        else:
            values = list(command)
            frame.in_command_count = len(values)
        for c, value in enumerate(values[: bounds.CHANNELS_MAX]):
            frame.in_ask[c] = value
        frame.in_command_status = layout.STATUS_OK
        frame.in_command_published += 1
        frame.in_command_stamp_ns = stamp_ns
        frame.in_command_seq = frame.in_command_seq + 1 if seq is None else seq
        up = self.policy.channels if request is None else request
        frame.in_request_bits = sum(1 << self.policy.channel_index(name) for name in set(up))

    def _decision(self) -> Decision:
        frame, policy = self.frame, self.policy
        granted = int(frame.out_function)
        return Decision(
            sent={name: float(frame.out_sent[c]) for c, name in enumerate(policy.channels)},
            action=Action(int(frame.out_action)),
            state=State(int(frame.st_state)),
            faults=fault_names(int(frame.out_faults)),
            reasons={
                name: fault_names(int(frame.out_reason[c]))
                for c, name in enumerate(policy.channels)
                if frame.out_reason[c]
            },
            power=bool(frame.out_power),
            request_bits=int(frame.out_request_bits),
            function=policy.functions[granted - 1] if granted else None,
            function_refused=bool(frame.out_function_refused),
            stop_event=int(frame.st_stop_event),
        )


def _table(values: npt.ArrayLike, shape: tuple[int, int], what: str) -> Floats:
    table = np.ascontiguousarray(values, np.float64)
    if table.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, not {table.shape}")
    return table
