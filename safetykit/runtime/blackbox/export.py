"""Logs for other programs: MCAP (Foxglove and others open it) and CSV. Values carry the names of the policy.

MCAP topics: ``/guard/frame`` (every tick) and ``/guard/event`` (events, losses, damage), both JSON with a schema.
NaN and infinities become null: JSON has none. The times are UTC.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from safetykit.core.vocabulary import fault_names
from safetykit.errors import LogError
from safetykit.runtime.blackbox.events import action_name, asked, state_name
from safetykit.runtime.blackbox.log_reader import Closed, Event, Frames, Item, Lost, Opened, Unreadable, read_log
from safetykit.runtime.blackbox.opening import names
from safetykit.runtime.blackbox.segments import LostReason

FRAME_TOPIC, EVENT_TOPIC = "/guard/frame", "/guard/event"
_NS_PER_S = 1_000_000_000
_UTC_NS_MAX = 253_402_300_799 * _NS_PER_S
_ALL = (1 << 64) - 1
_SCALARS = ("in_now_ns", "out_seq", "st_state", "out_action", "out_faults", "out_power", "st_stop_event")
_NEEDED = {*_SCALARS, "in_ask", "in_value", "out_sent", "out_reason", "st_ask", "st_manual", "st_vote_mask"}


@dataclass
class ExportReport:
    frames: int = 0
    events: int = 0
    lost: int = 0
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Tick:
    """One frame in the words of its policy."""

    utc_ns: int
    values: dict[str, Any]


def _ticks(item: Frames, channels: tuple[str, ...], inputs: tuple[str, ...]) -> Iterator[_Tick]:
    """The frames of a block, by name. Raises LogError when its layout lacks a field (another release wrote it)."""
    frames, count = item.frames, len(channels)
    if not set(frames.dtype.names or ()) >= _NEEDED or max(count, len(inputs)) > frames["in_value"].shape[1]:
        raise LogError(f"{item.place}: recorded with another frame layout; use that release")
    wanted, sent = asked(frames, count).tolist(), frames["out_sent"][:, :count].tolist()
    reasons = frames["out_reason"][:, :count].tolist()
    measured = frames["in_value"][:, : len(inputs)].tolist()
    scalars = {name: frames[name].tolist() for name in _SCALARS}
    for k in range(len(frames)):
        now_ns = scalars["in_now_ns"][k]
        state, action = scalars["st_state"][k], scalars["out_action"][k]
        yield _Tick(
            min(max(now_ns + item.utc_minus_monotonic_ns, 0), _UTC_NS_MAX),
            {
                "frame": item.first_number + k,
                "tick": scalars["out_seq"][k],
                "monotonic_ns": now_ns,
                "state": state_name(state),
                "state_number": state,
                "action": action_name(action),
                "action_number": action,
                "power": scalars["out_power"][k],
                "stop_event": scalars["st_stop_event"][k],
                "faults": list(fault_names(scalars["out_faults"][k] & _ALL)),
                "asked": dict(zip(channels, wanted[k], strict=True)),
                "sent": dict(zip(channels, sent[k], strict=True)),
                "reasons": {
                    name: list(fault_names(mask & _ALL))
                    for name, mask in zip(channels, reasons[k], strict=True)
                    if mask
                },
                "inputs": dict(zip(inputs, measured[k], strict=True)),
            },
        )


# --------------------------------------------------------------------------- MCAP
def export_mcap(log: Path, target: Path, from_ns: int | None = None, to_ns: int | None = None) -> ExportReport:
    """Write a log or one segment as MCAP; `from_ns`, `to_ns` limit UTC. Raises LogError (log, target)."""
    from mcap.writer import Writer

    report = ExportReport()
    try:
        with target.open("wb") as stream:
            writer: Any = Writer(stream)
            writer.start(profile="", library="safetykit")
            sink = _McapSink(writer, report, from_ns, to_ns)
            for item in read_log(log):
                sink.take(item)
            writer.finish()
    except OSError as error:
        raise LogError(f"{target}: cannot write: {error.strerror}") from error
    return report


class _McapSink:
    def __init__(self, writer: Any, report: ExportReport, from_ns: int | None, to_ns: int | None) -> None:
        self._writer, self._report = writer, report
        self._from_ns = 0 if from_ns is None else from_ns
        self._to_ns = (1 << 63) - 1 if to_ns is None else to_ns
        self._names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._frame_channels: dict[Any, int] = {}
        schema = writer.register_schema("safetykit.GuardEvent", "jsonschema", _json(_EVENT_SCHEMA))
        self._event_channel = writer.register_channel(EVENT_TOPIC, "json", schema)

    def take(self, item: Item) -> None:
        if isinstance(item, Frames):
            self._frames(item)
            return
        if isinstance(item, Opened):
            self._names = (names(item.document, "channels"), names(item.document, "inputs"))
        utc_ns, event = as_event(item)
        if isinstance(item, Lost):
            self._report.lost += item.count
        elif isinstance(item, Unreadable):
            self._report.unreadable.append(f"{item.place}: {item.what}")
        if self._from_ns <= utc_ns < self._to_ns:
            self._report.events += 1
            self._writer.add_message(self._event_channel, utc_ns, _json(event), utc_ns, self._report.events)

    def _frames(self, item: Frames) -> None:
        channel = self._frame_channel()
        for tick in _ticks(item, *self._names):
            if self._from_ns <= tick.utc_ns < self._to_ns:
                self._report.frames += 1
                sequence = tick.values["frame"] & 0xFFFFFFFF
                self._writer.add_message(channel, tick.utc_ns, _json(tick.values), tick.utc_ns, sequence)

    def _frame_channel(self) -> int:
        """One schema per set of names: a log may run over a change of policy."""
        if self._names not in self._frame_channels:
            schema = _json(_frame_schema(*self._names))
            number = self._writer.register_schema("safetykit.GuardFrame", "jsonschema", schema)
            self._frame_channels[self._names] = self._writer.register_channel(FRAME_TOPIC, "json", number)
        return self._frame_channels[self._names]


def as_event(item: Item) -> tuple[int, dict[str, Any]]:
    """(UTC ns, JSON) of everything that is not frames."""
    place = {"segment": item.place.segment, "entry": item.place.entry}
    if isinstance(item, Event):
        utc_ns = item.event.get("utc_ns")
        if not isinstance(utc_ns, int) or not 0 <= utc_ns <= _UTC_NS_MAX:
            utc_ns = max(item.place.utc_ns, 0)
        return utc_ns, {**item.event, **place}
    if isinstance(item, Lost):
        reason = LostReason(item.reason).name if item.reason in set(LostReason) else str(item.reason)
        what: dict[str, Any] = {"event": "lost", "frame": item.first_number, "count": item.count, "reason": reason}
    elif isinstance(item, Unreadable):
        what = {"event": "unreadable", "what": item.what}
    elif isinstance(item, Closed):
        what = {"event": "segment_closed", **item.document}
    elif isinstance(item, Opened):
        policy = item.document.get("policy")
        named = policy if isinstance(policy, dict) else {}
        what = {"event": "segment_opened", **{key: named.get(key) for key in ("name", "version", "digest")}}
    else:
        what = {}
    return max(item.place.utc_ns, 0), {**what, **place}


def _frame_schema(channels: tuple[str, ...], inputs: tuple[str, ...]) -> dict[str, Any]:
    number, text = {"type": "number"}, {"type": "string"}
    integer, texts = {"type": "integer"}, {"type": "array", "items": {"type": "string"}}
    scalars = ("frame", "tick", "monotonic_ns", "state_number", "action_number", "power", "stop_event")
    by_channel = {"type": "object", "properties": dict.fromkeys(channels, number)}
    return {
        "type": "object",
        "title": "One tick of the guard; times in ns, values in the policy's units",
        "properties": {
            **dict.fromkeys(scalars, integer),
            "state": text,
            "action": text,
            "faults": texts,
            "asked": by_channel,
            "sent": by_channel,
            "reasons": {"type": "object", "properties": dict.fromkeys(channels, texts)},
            "inputs": {"type": "object", "properties": dict.fromkeys(inputs, number)},
        },
    }


_EVENT_SCHEMA = {
    "type": "object",
    "title": "What happened; fields depend on the kind of event",
    "properties": {
        "event": {"type": "string"},
        "frame": {"type": "integer"},
        "state": {"type": "string"},
        "action": {"type": "string"},
        "faults": {"type": "array", "items": {"type": "string"}},
        "segment": {"type": "string"},
        "entry": {"type": "integer"},
    },
}


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode("utf-8")
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False).encode("utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


# --------------------------------------------------------------------------- CSV
def export_csv(log: Path, target: Path, from_ns: int | None = None, to_ns: int | None = None) -> ExportReport:
    """Write one row per tick. Raises LogError: no log, target not writable, or channels change within the log."""
    report = ExportReport()
    lower, upper = from_ns or 0, (1 << 63) - 1 if to_ns is None else to_ns
    columns: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    try:
        with target.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            for item in read_log(log):
                if isinstance(item, Opened):
                    present = (names(item.document, "channels"), names(item.document, "inputs"))
                    if columns is None:
                        writer.writerow(_csv_head(*present))
                    elif columns != present:
                        raise LogError(f"{item.place}: other channels or inputs from here on; export single segments")
                    columns = present
                elif isinstance(item, Frames) and columns is not None:
                    rows = [tick for tick in _ticks(item, *columns) if lower <= tick.utc_ns < upper]
                    writer.writerows(_csv_row(tick, *columns) for tick in rows)
                    report.frames += len(rows)
                elif isinstance(item, Lost):
                    report.lost += item.count
                elif isinstance(item, Unreadable):
                    report.unreadable.append(f"{item.place}: {item.what}")
    except OSError as error:
        raise LogError(f"{target}: cannot write: {error.strerror}") from error
    return report


_PLAIN = ("frame", "tick", "monotonic_ns", "state", "action", "power", "stop_event")


def _csv_head(channels: tuple[str, ...], inputs: tuple[str, ...]) -> list[str]:
    per_channel = [f"{part}.{name}" for name in channels for part in ("asked", "sent", "reasons")]
    return ["utc", *_PLAIN, "faults", *per_channel, *(f"input.{name}" for name in inputs)]


def _csv_row(tick: _Tick, channels: tuple[str, ...], inputs: tuple[str, ...]) -> list[Any]:
    values = tick.values
    row = [utc_text(tick.utc_ns), *(values[name] for name in _PLAIN), "|".join(values["faults"])]
    for name in channels:
        row += [values["asked"][name], values["sent"][name], "|".join(values["reasons"].get(name, ()))]
    return row + [values["inputs"][name] for name in inputs]


def utc_text(utc_ns: int) -> str:
    """ISO 8601 with microseconds; times outside of 1970 to 9999 read as the nearest of these."""
    utc_ns = min(max(utc_ns, 0), _UTC_NS_MAX)
    moment = datetime.fromtimestamp(utc_ns // _NS_PER_S, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{utc_ns % _NS_PER_S // 1000:06d}Z"
