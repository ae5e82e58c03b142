"""A policy as tables for a person, every default filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from safetykit.policy import (
    schema_parts,
    shapes,
    tables_breakers,
    tables_commands,
    tables_motion,
    tables_objects,
    tables_rules,
    tables_watch,
)
from safetykit.policy.compile import Policy
from safetykit.policy.report import Names
from safetykit.policy.rows import condition_row
from safetykit.policy.schema import Channel, PolicyDocument
from safetykit.policy.schema_parts import Condition, Withdrawal
from safetykit.policy.units import unit_text


def tables(policy: Policy) -> Iterator[Table]:
    """One table for each section that has entries."""
    document, names = policy.document, Names(policy.document)
    sections = (
        _timing(document),
        _inputs(document),
        _references(document),
        _channels(document),
        _extras(document),
        _groups(document),
        _permission(document, names),
        _functions(document, names),
        _motion(document),
        _zones(document),
        _objects(document),
        _watch(document, names),
        _rules(document),
        _recovery(document, names),
        _stop(document, names),
        _breakers(document),
        _commands(document, names),
        _reactions(document),
    )
    yield from (table for table in sections if table.row_count)


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", title_style="bold")


def _add(table: Table, *cells: Any) -> None:
    table.add_row(*(Text(_shown(cell)) for cell in cells))


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, schema_parts.Table):
        points = ", ".join(f"{x:g}: {y:g}" for x, y in value.points)
        return f"by {value.over} {{{points}}}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _condition(spec: Condition | Withdrawal, names: Names) -> str:
    return condition_row(spec, names).text


def _all_of(specs: Iterable[Condition], names: Names) -> str:
    return " and ".join(_condition(spec, names) for spec in specs)


def _timing(document: PolicyDocument) -> Table:
    table = _table("Timing", "key", "value")
    for key, value in document.timing.model_dump().items():
        _add(table, key, value)
    return table


def _references(document: PolicyDocument) -> Table:
    table = _table("Position and speed", "what", "input")
    for axis, name in (document.position.model_dump() if document.position else {}).items():
        _add(table, axis, name)
    if document.speed is not None:
        _add(table, "speed", document.speed)
    return table


def _inputs(document: PolicyDocument) -> Table:
    table = _table("Inputs", "source", "stale after ms", "needed", "input", "min", "max", "unit")
    for name, source in document.sources.items():
        for key, entry in source.inputs.items():
            _add(
                table,
                name,
                source.age_ms,
                source.needed,
                key,
                entry.min,
                entry.max,
                unit_text(entry.unit) or entry.unit,
            )
    return table


def _channels(document: PolicyDocument) -> Table:
    keys = ("min", "max", "neutral", "stop", "emergency")
    rates = ("rate_up_per_s", "rate_down_per_s", "rate_away_from_zero_per_s", "rate_towards_zero_per_s", "jerk_per_s2")
    heads = ("up /s", "down /s", "from zero /s", "to zero /s", "jerk /s²")
    table = _table("Channels", "channel", "unit", *keys, *heads)
    for name, channel in document.channels.items():
        _add(table, name, unit_text(channel.unit) or channel.unit, *(getattr(channel, key) for key in (*keys, *rates)))
    return table


def _extras(document: PolicyDocument) -> Table:
    table = _table("Further limits", "channel", "limit", "value")
    for name, channel in document.channels.items():
        for key in ("slew", "lead", "oppose", "lateral", "request", "follow", "outlier", "oscillation"):
            part = getattr(channel, key)
            if part is not None:
                given = {word: value for word, value in part.model_dump().items() if value is not None}
                _add(table, name, key, ", ".join(f"{word} {_shown(value)}" for word, value in given.items()))
        if channel.neutral_tracks_measured:
            _add(table, name, "at rest", f"follows {channel.measured}")
        _add(table, name, "on violation", _violation(channel))
        if channel.degraded_scale < 1:
            _add(table, name, "when degraded", f"{channel.degraded_scale:g} of the bounds")
    return table


def _violation(channel: Channel) -> str:
    how = ", at once" if channel.fallback_jumps else ""
    return f"{channel.on_violation}, fallback {channel.fallback}{how}"


def _groups(document: PolicyDocument) -> Table:
    table = _table("Groups", "group", "channels", "norm", "norm rate /s")
    for name, group in document.groups.items():
        _add(table, name, ", ".join(group.channels), group.norm, group.norm_rate_per_s)
    return table


def _permission(document: PolicyDocument, names: Names) -> Table:
    permission = document.permission
    engage = permission.engage
    table = _table("Permission", "what", "condition", "channels", "until")
    _add(table, "engage", engage if isinstance(engage, str) else _condition(engage, names), "all", None)
    _add(table, "hold to run", permission.hold_to_run, None, None)
    for name, override in permission.overrides.items():
        spec = override.withdraw or override.keep
        assert spec is not None  # checked when loaded
        scope = override.channels if isinstance(override.channels, str) else ", ".join(override.channels)
        _add(table, f"override {name}", f"keeps only while {_condition(spec, names)}", scope, override.until)
    return table


def _functions(document: PolicyDocument, names: Names) -> Table:
    table = _table("Functions (anything else is refused)", "number", "function", "granted")
    for number, (name, entry) in enumerate(document.functions.items(), 1):
        _add(table, number, name, entry if isinstance(entry, str) else f"when {_all_of(entry.when, names)}")
    return table


def _zones(document: PolicyDocument) -> Table:
    table = _table("Zones", "zone", "rule", "shape in metres", "floor m", "ceiling m", "corrects m", "speed m/s")
    for name, zone in document.zones.items():
        spots = " ".join(f"({x:g}, {y:g})" for x, y in shapes.spots(zone, document.origin))
        shape = spots if zone.radius_m is None else f"circle of {zone.radius_m:g} about {spots}"
        correct = zone.ahead_m if document.motion is not None and zone.rule != "condition" else None
        _add(table, name, zone.rule, shape, zone.floor_m, zone.ceiling_m, correct, zone.speed_mps_max)
    return table


def _motion(document: PolicyDocument) -> Table:
    table = _table("Motion", *tables_motion.HEADS)
    for row in tables_motion.rows(document):
        _add(table, *row)
    return table


def _objects(document: PolicyDocument) -> Table:
    table = _table("Objects", *tables_objects.HEADS)
    for row in tables_objects.rows(document):
        _add(table, *row)
    return table


def _watch(document: PolicyDocument, names: Names) -> Table:
    table = _table("Plausibility", *tables_watch.HEADS)
    for row in tables_watch.rows(document, names):
        _add(table, *row)
    return table


def _rules(document: PolicyDocument) -> Table:
    table = _table("Rules over the recent past", *tables_rules.HEADS)
    for row in tables_rules.rows(document):
        _add(table, *row)
    return table


def _recovery(document: PolicyDocument, names: Names) -> Table:
    table = _table("Recovery", "phase", *document.channels, "for s", "until")
    for phase in document.recovery:
        values = [phase.set.get(name, "hold") for name in document.channels]
        until = None if phase.until is None else _condition(phase.until, names)
        _add(table, phase.name, *values, phase.for_s, until)
    return table


def _stop(document: PolicyDocument, names: Names) -> Table:
    table = _table("Stop", "key", "value")
    _add(table, "power off after s", document.stop.power_off_after_s)
    _add(table, "power in standby", document.stop.power_in_standby)
    _add(table, "emergency stop device", document.stop.device)
    _add(table, "reset needs", _all_of(document.stop.reset_needs, names) or "nothing")
    return table


def _breakers(document: PolicyDocument) -> Table:
    table = _table("Breakers", *tables_breakers.BREAKER_HEADS)
    for row in tables_breakers.breaker_rows(document):
        _add(table, *row)
    return table


def _commands(document: PolicyDocument, names: Names) -> Table:
    table = _table("Redundant, manual and shadow commands", "section", "key", "value")
    for row in tables_commands.rows(document, names):
        _add(table, *row)
    return table


def _reactions(document: PolicyDocument) -> Table:
    table = _table("Reactions", *tables_breakers.REACTION_HEADS)
    for row in tables_breakers.reaction_rows(document):
        _add(table, *row)
    return table
