"""The guard as a plain object: for notebooks, simulators, tests and controllers that call it themselves.

The real-time loop runs the same compiled `step` on the same frame; this module only fills and reads the frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from safetykit.core import batch, bounds, layout
from safetykit.core.columns.commands import MANUAL_ROW
from safetykit.core.step import start, step
from safetykit.core.vocabulary import Action, Fault, State, fault_names
from safetykit.policy import Policy
from safetykit.runtime import paths
from safetykit.runtime.object_list import object_rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


Values = Mapping[str, float] | Sequence[float] | Floats


@dataclass(frozen=True)
class Command:
    """A command with what its sender says about it."""

    values: Values  # by channel name, or in channel order
    stamp_ns: int | None = None  # when it was made; default: the time of the tick
    seq: int | None = None  # the sender's number; default: one more than the last
    request: Sequence[str] | None = None  # channels whose actuation request is up; default: all


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
        self.frame = self._frames.view(np.recarray)[0]  # fields as attributes: to look at, and for interpreted runs
        # One array per field: reading and writing through these is ten times faster than through a record.
        self._field: dict[str, npt.NDArray[Any]] = {name: self._frames[name] for name in layout.FRAME.names or ()}
        self._argument = self.frame if numba.config.DISABLE_JIT else self._frames[0]  # type: ignore[attr-defined]
        start(policy.limits, policy.timing, self._argument)
        self._field["in_selftest_ok"][0] = 1
        source_of = policy.timing[layout.T_INPUT :]
        self._inputs = {name: (k, int(source_of[k])) for k, name in enumerate(policy.inputs)}
        self._senders = {name: row for row, name in enumerate(policy.voters) if row}
        if policy.document.manual is not None:
            self._senders[paths.MANUAL] = MANUAL_ROW

    def step(
        self,
        now_ns: int,
        command: Command | Values | None,
        inputs: Mapping[str, float] | None = None,
        *,
        function: str | None = None,
        conditions: Sequence[Fault] = (),
        reset: int | None = None,
        others: Mapping[str, Command | Values] | None = None,
        objects: npt.ArrayLike | None = None,
    ) -> Decision:
        """One tick at `now_ns`.

        command: values by channel name or in channel order, made now; or a `Command`; None = nothing new.
        inputs: values by name; the sources they belong to count as heard now. function: name to ask for.
        conditions: faults seen outside, e.g. ``[Fault.STOP_REQUEST]``. reset: number of the stop event to reset.
        others: commands of the further voters by name, and of the operator as "manual". objects: the objects around
        the vehicle, seen now, float64 (n, OBJECT_COLS), columns as in columns/objects.py; None = nothing new.
        """
        sent = {0: command, **{self._row(name): value for name, value in (others or {}).items()}}
        commands = {row: _command(value) for row, value in sent.items() if value is not None}
        self._check_names(commands.values(), inputs)
        field = self._field
        field["in_now_ns"][0] = now_ns
        field["in_faults"][0] = sum(1 << fault for fault in set(conditions))
        if inputs:
            self._put_inputs(inputs, now_ns)
        for row, value in commands.items():
            self._put_command(row, value, now_ns)
        if objects is not None:
            self._put_objects(objects, now_ns)
        if function is not None:
            field["in_function_seq"][0] += 1
            field["in_function"][0] = self.policy.function_number(function)
        if reset is not None:
            field["in_reset_seq"][0] += 1
            field["in_reset_event"][0] = reset
        step(self.policy.limits, self.policy.timing, self._argument)
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
        batch.run(
            self.policy.limits, self.policy.timing, self._argument, (now, stamps, faults), (asked, values), results
        )
        return Batch(sent, reason, *(np.ascontiguousarray(words[:, k]) for k in range(4)))

    def _row(self, sender: str) -> int:
        if sender not in self._senders:
            known = ", ".join(self._senders) or "none"
            raise ValueError(f"policy {self.policy.name!r} has no sender {sender!r} of commands; known: {known}")
        return self._senders[sender]

    def _check_names(self, commands: Iterable[Command], inputs: Mapping[str, float] | None) -> None:
        names: list[str] = []
        for command in commands:
            names += command.request or ()
            names += command.values if isinstance(command.values, Mapping) else ()
        unknown = [name for name in names if name not in self.policy.channels]
        unknown += [name for name in inputs or () if name not in self._inputs]
        if unknown:
            raise ValueError(
                f"policy {self.policy.name!r} has no {', '.join(map(repr, unknown))}; "
                f"channels: {', '.join(self.policy.channels)}; inputs: {', '.join(self.policy.inputs)}"
            )

    def _put_command(self, row: int, command: Command, now_ns: int) -> None:
        field, channels = self._field, self.policy.channels
        if isinstance(command.values, Mapping):  # a channel that is not named counts as not sent
            values = [command.values.get(name, math.nan) for name in channels]
        else:
            values = list(command.values)
        count = len(command.values)
        request, seq = command.request, command.seq
        used = values[: bounds.CHANNELS_MAX]
        field["in_ask"][0, row, : len(used)] = used
        field["in_command_count"][0, row] = count
        field["in_command_status"][0, row] = layout.STATUS_OK
        field["in_command_published"][0, row] += 1
        field["in_command_stamp_ns"][0, row] = now_ns if command.stamp_ns is None else command.stamp_ns
        field["in_command_seq"][0, row] = field["in_command_seq"][0, row] + 1 if seq is None else seq
        bits = -1 if request is None else sum(1 << self.policy.channel_index(name) for name in set(request))
        field["in_request_bits"][0, row] = bits

    def _put_objects(self, objects: npt.ArrayLike, now_ns: int) -> None:
        """A list that is longer than the guard takes keeps its true length, which is a fault."""
        rows = object_rows(objects)
        field, kept = self._field, rows[: bounds.OBJECTS_MAX]
        field["in_object"][0, : len(kept)] = kept
        field["in_object"][0, len(kept) :] = 0.0
        field["in_objects_count"][0] = len(rows)
        field["in_objects_status"][0] = layout.STATUS_OK
        field["in_objects_stamp_ns"][0] = now_ns

    def _put_inputs(self, inputs: Mapping[str, float], now_ns: int) -> None:
        field = self._field
        values, sources = field["in_value"][0], set()
        for name, value in inputs.items():
            index, source = self._inputs[name]
            values[index] = value
            sources.add(source)
        for source in sources:
            field["in_source_status"][0, source] = layout.STATUS_OK
            field["in_source_stamp_ns"][0, source] = now_ns

    def _decision(self) -> Decision:
        field, policy = self._field, self.policy
        sent = field["out_sent"][0].tolist()
        reasons = field["out_reason"][0].tolist()
        granted = int(field["out_function"][0])
        return Decision(
            sent=dict(zip(policy.channels, sent, strict=False)),
            action=Action(int(field["out_action"][0])),
            state=State(int(field["st_state"][0])),
            faults=fault_names(int(field["out_faults"][0])),
            reasons={name: fault_names(mask) for name, mask in zip(policy.channels, reasons, strict=False) if mask},
            power=bool(field["out_power"][0]),
            request_bits=int(field["out_request_bits"][0]),
            function=policy.functions[granted - 1] if granted else None,
            function_refused=bool(field["out_function_refused"][0]),
            stop_event=int(field["st_stop_event"][0]),
        )


def _command(value: Command | Values) -> Command:
    return value if isinstance(value, Command) else Command(value)


def _table(values: npt.ArrayLike, shape: tuple[int, int], what: str) -> Floats:
    table = np.ascontiguousarray(values, np.float64)
    if table.shape != shape:
        raise ValueError(f"{what} must have shape {shape}, not {table.shape}")
    return table
