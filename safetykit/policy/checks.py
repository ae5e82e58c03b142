"""Relations between values: what single-value checks cannot see. Every problem is reported, none raised."""

from __future__ import annotations

from safetykit.core import bounds as b
from safetykit.core.vocabulary import Action, Fault
from safetykit.policy import (
    checks_breakers,
    checks_channels,
    checks_commands,
    checks_logic,
    checks_motion,
    checks_objects,
    checks_rules,
    checks_watch,
    checks_zones,
)
from safetykit.policy.fill_breakers import reactions_of
from safetykit.policy.paths import Path, listed
from safetykit.policy.reactions import DEFAULT, FIXED, FLOOR
from safetykit.policy.report import Names, Report, all_tables
from safetykit.policy.rows import Rows
from safetykit.policy.schema import Input, PolicyDocument
from safetykit.policy.schema_breakers import first_action, last_action
from safetykit.policy.units import named_after


def check(document: PolicyDocument, report: Report) -> None:
    """Every relation check. Afterwards `report.problems` says whether the document can be compiled."""
    names = Names(document)
    _timing(document, report)
    _sources(document, report)
    _references(document, names, report)
    checks_channels.check(document, names, report)
    checks_motion.check(document, names, report)
    checks_zones.check(document, names, report)
    checks_logic.check(document, names, report)
    checks_objects.check(document, names, report)
    checks_commands.check(document, names, report)
    checks_watch.check(document, names, report)
    checks_rules.check(document, names, report)
    _reactions(document, report)
    checks_breakers.check(document, producible(document), report)
    if not report.problems:  # rows need known names
        _capacities(document, names, report)


def _timing(document: PolicyDocument, report: Report) -> None:
    times = document.timing
    for smaller, larger in (
        ("period_ms", "command_late_ms"),
        ("command_late_ms", "command_stale_ms"),
        ("command_future_ms", "command_late_ms"),
        ("dt_max_ms", "command_stale_ms"),
    ):
        if getattr(times, smaller) >= getattr(times, larger):
            limit = f"< {larger} = {getattr(times, larger):g}"
            report.add(("timing", smaller), f"must be less than {larger}", getattr(times, smaller), limit)
    if times.dt_max_ms < times.period_ms:
        report.add(
            ("timing", "dt_max_ms"), "must not be less than the period", times.dt_max_ms, f">= {times.period_ms:g}"
        )


def _sources(document: PolicyDocument, report: Report) -> None:
    first: dict[str, str] = {}
    for source_name, source in document.sources.items():
        path: Path = ("sources", source_name)
        if source.age_ms <= document.timing.period_ms:
            report.add(
                (*path, "age_ms"), "must be more than the period", source.age_ms, f"> {document.timing.period_ms:g}"
            )
        if source.future_ms >= source.age_ms:
            report.add((*path, "future_ms"), "must be less than age_ms", source.future_ms, f"< {source.age_ms:g}")
        for name, entry in source.inputs.items():
            _input((*path, "inputs", name), name, entry, report)
            if name in first:
                report.add((*path, "inputs", name), f"the input is already declared by source {first[name]}")
            first.setdefault(name, source_name)
    if len(first) > b.INPUTS_MAX:
        report.add(("sources",), "too many inputs", len(first), f"at most {b.INPUTS_MAX} over all sources")


def _input(path: Path, name: str, entry: Input, report: Report) -> None:
    if entry.min >= entry.max:
        report.add((*path, "min"), "must be less than max", entry.min, f"< {entry.max:g}")
    if not named_after(name, entry.unit):
        report.add((*path, "unit"), f"the name must end with its unit: {name}_{entry.unit}", entry.unit)


def _references(document: PolicyDocument, names: Names, report: Report) -> None:
    """Position and speed inputs."""
    wanted: list[tuple[Path, str | None, str]] = [(("speed",), document.speed, "mps")]
    if document.position is not None:
        wanted += [(("position", axis), getattr(document.position, axis), "m") for axis in ("x", "y", "z")]
    for path, name, unit in wanted:
        if name is None:
            continue
        if name not in names.inputs:
            report.unknown(path, "input", name, names.inputs)
        elif names.inputs[name].unit != unit:
            report.add(path, "the input has the wrong unit", name, f"unit {unit}")
    lateral = any(channel.lateral is not None for channel in document.channels.values())
    if document.speed is not None and not lateral:
        report.add(("speed",), "no channel has a lateral limit, so the speed is never used", document.speed)
    if document.position is not None and not document.zones and not checks_motion.keeps_altitude(document):
        report.add(("position",), "there is no zone, so the position is never used")


def producible(document: PolicyDocument) -> frozenset[Fault]:
    """Faults that can occur under this policy."""
    channels = document.channels.values()
    groups = document.groups.values()
    rates = [key for key in type(next(iter(channels))).model_fields if key.startswith("rate_")]
    needed = any(source.needed for source in document.sources.values())
    guarded = any(entry != "always" for entry in document.functions.values())
    actions = checks_breakers.actions_of(document) | {Action[rule.action] for rule in document.rules.values()}
    present = {
        Fault.INPUT_STALE: needed,
        Fault.INPUT_FUTURE: needed,
        Fault.INPUT_INVALID: needed,
        Fault.INPUT_TORN: needed,
        Fault.RATE: any(getattr(channel, key) is not None for channel in channels for key in rates)
        or any(group.norm_rate_per_s is not None for group in groups),
        Fault.JERK: any(channel.jerk_per_s2 is not None for channel in channels),
        Fault.SLEW: any(channel.slew is not None for channel in channels),
        Fault.LEAD: any(channel.lead is not None for channel in channels),
        Fault.OPPOSED: any(channel.oppose is not None for channel in channels),
        Fault.LATERAL: any(channel.lateral is not None for channel in channels),
        Fault.NORM: bool(document.groups),
        Fault.REQUEST_CADENCE: any(channel.request is not None for channel in channels),
        Fault.REJECTED: any(channel.on_violation == "reject" for channel in channels),
        Fault.DEGRADED: Action.DEGRADE in actions and any(channel.degraded_scale < 1 for channel in channels),
        Fault.OVERRIDDEN: bool(document.permission.overrides),
        Fault.FUNCTION_REFUSED: guarded or bool(document.functions),
        Fault.ZONE: any(zone.rule != "condition" for zone in document.zones.values()),
        Fault.ZONE_NEAR: document.motion is not None
        and document.motion.steered_by is not None
        and any(zone.rule != "condition" for zone in document.zones.values()),
        Fault.ZONE_OUTSIDE: document.motion is not None
        and any(zone.rule in ("keep_in", "keep_out") for zone in document.zones.values()),
        Fault.NOT_FOLLOWING: any(channel.follow is not None for channel in channels),
        **checks_breakers.present(document),
        Fault.OUTLIER: any(channel.outlier is not None for channel in channels),
        Fault.OSCILLATION: any(channel.oscillation is not None for channel in channels),
        Fault.DISAGREE: bool(document.agree or document.integrity),
        Fault.STUCK: bool(document.stuck),
        **checks_commands.present(document),
        Fault.RULE: bool(document.rules),
        Fault.BARRIER: checks_motion.keeps_more(document),
        Fault.INFEASIBLE: checks_motion.steers(document),
        **checks_objects.present(document),
    }
    return frozenset(fault for fault in Fault if present.get(fault, True))


def _reactions(document: PolicyDocument, report: Report) -> None:
    possible = producible(document)
    for name, entry in document.reactions.items():
        fault, action = Fault[name], last_action(entry).name
        path: Path = ("reactions", name)
        if fault == Fault.BREAKER:
            report.add(path, "the action of a breaker is set in the breaker itself", action)
        elif fault == Fault.RULE:
            report.add(path, "the action of a rule is set in the rule itself", action)
        elif fault in FIXED:
            report.add(path, "has one reaction only, which no policy chooses", action, DEFAULT[fault].name)
        elif Action[action] < FLOOR[fault]:
            allowed = listed(choice.name for choice in Action if choice >= FLOOR[fault])
            report.add(path, "is milder than this fault allows", action, allowed)
        elif fault not in possible:
            report.add(path, "can never occur under this policy", action)
    checks_breakers.check_reactions(document, report)
    checks_commands.check_overrules(document, possible, report)
    _degrading(document, possible, report)


def _degrading(document: PolicyDocument, possible: frozenset[Fault], report: Report) -> None:
    """DEGRADE and degraded_scale need each other."""
    scaled = {name: channel.degraded_scale for name, channel in document.channels.items() if channel.degraded_scale < 1}
    paths: list[Path] = [
        ("reactions", fault.name)
        for fault, action in reactions_of(document).items()
        if action == Action.DEGRADE and fault in possible
    ]
    paths += [
        ("reactions", name, "meanwhile")
        for name, entry in document.reactions.items()
        if first_action(entry, FLOOR[Fault[name]]) == Action.DEGRADE < last_action(entry)
    ]
    paths += [
        ("breakers", name, "action") for name, breaker in document.breakers.items() if breaker.action == "DEGRADE"
    ]
    paths += [("rules", name, "action") for name, rule in document.rules.items() if rule.action == "DEGRADE"]
    if not scaled:
        for path in paths:
            report.add(path, "changes nothing: no channel has degraded_scale < 1", "DEGRADE")
    if not paths:
        for name, value in scaled.items():
            report.add(("channels", name, "degraded_scale"), "nothing reacts with DEGRADE, so it is never used", value)


def _capacities(document: PolicyDocument, names: Names, report: Report) -> None:
    """What is shared over the whole document."""
    rows = Rows(names)
    slews = sum(channel.slew is not None for channel in document.channels.values())
    for path, what, count, most in (
        (("permission",), "different conditions", len(rows.conditions), b.CONDITIONS_MAX),
        (("channels",), "tables", sum(1 for _ in all_tables(document)), b.TABLES_MAX),
        (("channels",), "inputs in lead and oppose", len(rows.samples), b.SAMPLE_SLOTS_MAX),
        (("channels",), "channels with slew", slews, b.SLEW_SLOTS_MAX),
    ):
        if count > most:
            report.add(path, f"too many {what}", count, f"at most {most} in a policy")
    checks_rules.check_capacity(document, names, report)
