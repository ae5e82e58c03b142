"""Collects problems while a policy is checked, and the names that checks look up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from safetykit.errors import NO_VALUE, Problem
from safetykit.policy.diagnosis import line_of
from safetykit.policy.paths import Path, did_you_mean, dotted, listed
from safetykit.policy.schema import Channel, Input, PolicyDocument
from safetykit.policy.schema_parts import Condition, Table, Withdrawal
from safetykit.policy.units import unit_at


@dataclass
class Report:
    """Problems of one file."""

    file: str
    document: Any  # plain data as written, for units
    lines: Mapping[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path, message: str, value: Any = NO_VALUE, allowed: str = "") -> None:
        """One problem at `path`."""
        unit = unit_at(path, self.document)
        line = line_of(path, self.lines)
        self.problems.append(Problem(self.file, dotted(path), value, message, unit, allowed, line))

    def unknown(self, path: Path, what: str, name: str, known: Iterable[str]) -> None:
        """A name that nothing declares."""
        names = list(known)
        self.add(path, f"unknown {what}{did_you_mean(name, names)}", name, listed(names))


class Names:
    """Inputs by name over all sources, in the order in which the core numbers them."""

    def __init__(self, document: PolicyDocument) -> None:
        self.document = document
        self.inputs: dict[str, Input] = {}
        self.source_of: dict[str, str] = {}
        for source_name, source in document.sources.items():
            for name, entry in source.inputs.items():
                self.inputs.setdefault(name, entry)
                self.source_of.setdefault(name, source_name)
        self.input_numbers = {name: number for number, name in enumerate(self.inputs)}
        self.channel_numbers = {name: number for number, name in enumerate(document.channels)}
        self.zone_numbers = {name: number for number, name in enumerate(document.zones)}

    def needed(self, name: str) -> bool:
        """Whether the loss of this input's source is a fault."""
        return self.document.sources[self.source_of[name]].needed


def extent(limit: float | Table) -> tuple[float, float]:
    """Smallest and largest value that a limit can take."""
    if isinstance(limit, Table):
        values = [point[1] for point in limit.points]
        return min(values), max(values)
    return limit, limit


def narrowest(channel: Channel) -> tuple[float, float]:
    """Bounds where every table is at its most restrictive: the window that is always allowed."""
    return extent(channel.min)[1], extent(channel.max)[0]


def outermost(channel: Channel) -> tuple[float, float]:
    """Bounds that are never exceeded."""
    return extent(channel.min)[0], extent(channel.max)[1]


RATES = ("rate_up_per_s", "rate_down_per_s", "rate_away_from_zero_per_s", "rate_towards_zero_per_s")
TABLED = ("min", "max", *RATES, "jerk_per_s2")  # in the order of the core's first seven columns


def all_tables(document: PolicyDocument) -> Iterator[tuple[Path, Table]]:
    """Every table, in the order in which the core numbers them."""
    for name, channel in document.channels.items():
        for key in TABLED:
            limit = getattr(channel, key)
            if isinstance(limit, Table):
                yield ("channels", name, key), limit
    for name, group in document.groups.items():
        if isinstance(group.norm, Table):
            yield ("groups", name, "norm"), group.norm


def all_conditions(document: PolicyDocument) -> Iterator[tuple[Path, Condition | Withdrawal]]:
    """Every condition, in the order in which the core numbers them."""
    permission = document.permission
    if isinstance(permission.engage, Condition):
        yield ("permission", "engage"), permission.engage
    for name, override in permission.overrides.items():
        if override.withdraw is not None:
            yield ("permission", "overrides", name, "withdraw"), override.withdraw
        if override.keep is not None:
            yield ("permission", "overrides", name, "keep"), override.keep
    if document.manual is not None:
        yield ("manual", "take"), document.manual.take
    for name, entry in document.functions.items():
        if not isinstance(entry, str):
            for index, condition in enumerate(entry.when):
                yield ("functions", name, "when", index), condition
    for index, phase in enumerate(document.recovery):
        if phase.until is not None:
            yield ("recovery", index, "until"), phase.until
    for index, condition in enumerate(document.stop.reset_needs):
        yield ("stop", "reset_needs", index), condition
    for name, stuck in document.stuck.items():
        for index, condition in enumerate(stuck.only_while):
            yield ("stuck", name, "only_while", index), condition


def all_samples(document: PolicyDocument) -> Iterator[tuple[str, int]]:
    """Inputs whose recent extremes are kept, each with the depth asked for."""
    for channel in document.channels.values():
        if channel.lead is not None and channel.measured is not None:
            yield channel.measured, channel.lead.samples
        if channel.oppose is not None:
            yield channel.oppose.input, channel.oppose.samples
