"""Conditions, permission, functions and the recovery function."""

from __future__ import annotations

import math

from safetykit.core.heartbeat import LINK_NS
from safetykit.policy.checks_channels import NEVER
from safetykit.policy.paths import Path
from safetykit.policy.report import Names, Report, all_conditions, extent, narrowest
from safetykit.policy.schema import Phase, PolicyDocument
from safetykit.policy.schema_parts import Condition, Withdrawal
from safetykit.policy.units import unit_text

MICROCONTROLLER_BEATS = 3  # heartbeats that fit into the microcontroller's time limit, so that one may be lost
NS_PER_MS = 1_000_000


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """All of them."""
    for path, spec in all_conditions(document):
        if isinstance(spec, Withdrawal):
            _withdrawal(path, spec, names, report)
        else:
            _condition(path, spec, document, names, report)
    _permission(document, names, report)
    for index, phase in enumerate(document.recovery):
        _phase(("recovery", index), phase, document, report)
    _phase_names(document, report)
    _device(document, report)


def _device(document: PolicyDocument, report: Report) -> None:
    """The microcontroller is reset only when the guard says that the vehicle is at rest, and heard several times
    within its time limit."""
    if document.stop.device != "microcontroller":
        return
    if not document.stop.reset_needs:
        report.add(("stop", "reset_needs"), "a microcontroller needs to know when the vehicle is at rest")
    limit_ms = LINK_NS / MICROCONTROLLER_BEATS / NS_PER_MS
    if document.timing.period_ms > limit_ms:
        text = "too slow for the microcontroller that stop.device demands"
        report.add(("timing", "period_ms"), text, document.timing.period_ms, f"at most {limit_ms:.0f}")


def _condition(path: Path, spec: Condition, document: PolicyDocument, names: Names, report: Report) -> None:
    given = [key for key in ("input", "inside", "outside") if getattr(spec, key) is not None]
    if len(given) != 1:
        report.add(path, "needs exactly one of the keys input, inside, outside")
        return
    if given[0] != "input":
        _zone_condition(path, spec, given[0], document, report)
        return
    assert spec.input is not None
    if spec.min is None and spec.max is None:
        report.add(path, "needs min or max")
    elif spec.input not in names.inputs:
        report.unknown((*path, "input"), "input", spec.input, names.inputs)
    else:
        split_range(path, (spec.input, spec.min, spec.max), ("min", "max"), names, report)
    if spec.within_s is not None and spec.within_s * 1000 < document.timing.period_ms:
        report.add((*path, "within_s"), "is less than a period", spec.within_s)


def _zone_condition(path: Path, spec: Condition, key: str, document: PolicyDocument, report: Report) -> None:
    for unused in ("min", "max", "within_s"):
        if getattr(spec, unused) is not None:
            report.add((*path, unused), "has no effect on a zone", getattr(spec, unused))
    if getattr(spec, key) not in document.zones:
        report.unknown((*path, key), "zone", getattr(spec, key), document.zones)


def _withdrawal(path: Path, spec: Withdrawal, names: Names, report: Report) -> None:
    if spec.above is None and spec.below is None:
        report.add(path, "needs above or below")
    elif spec.input not in names.inputs:
        report.unknown((*path, "input"), "input", spec.input, names.inputs)
    else:
        split_range(path, (spec.input, spec.below, spec.above), ("below", "above"), names, report)


def split_range(
    path: Path,
    spec: tuple[str, float | None, float | None],
    keys: tuple[str, str],
    names: Names,
    report: Report,
) -> None:
    """The range must split the input's own range: neither all of it nor none of it."""
    name, low, high = spec
    entry = names.inputs[name]
    allowed = f"within {entry.min:g} to {entry.max:g} {unit_text(entry.unit)}".rstrip()
    if low is not None and high is not None and low > high:
        report.add((*path, keys[0]), f"must not be more than {keys[1]}", low, f"<= {high:g}")
    elif (low is not None and low > entry.max) or (high is not None and high < entry.min):
        key, value = (keys[0], low) if low is not None and low > entry.max else (keys[1], high)
        report.add((*path, key), f"never holds: {name} cannot take such a value", value, allowed)
    elif (low is None or low <= entry.min) and (high is None or high >= entry.max):
        key, value = (keys[0], low) if low is not None else (keys[1], high)
        report.add((*path, key), f"always holds: {name} cannot take any other value", value, allowed)


def _permission(document: PolicyDocument, names: Names, report: Report) -> None:
    permission = document.permission
    engage = permission.engage
    if isinstance(engage, Condition):
        _engage(engage, names, report)
    elif permission.hold_to_run:
        report.add(("permission", "hold_to_run"), f"{NEVER}: engage is never", permission.hold_to_run)
    for name, override in permission.overrides.items():
        path: Path = ("permission", "overrides", name)
        if not isinstance(engage, Condition):
            report.add(path, f"{NEVER}: engage is never")
        if (override.withdraw is None) == (override.keep is None):
            report.add(path, "needs exactly one of the keys withdraw, keep")
        spec = override.withdraw or override.keep
        if spec is not None:
            key = "withdraw" if override.withdraw is not None else "keep"
            _needed((*path, key, "input"), spec.input, names, report)
        seen: set[str] = set()
        for index, channel in enumerate([] if isinstance(override.channels, str) else override.channels):
            if channel not in document.channels:
                report.unknown((*path, "channels", index), "channel", channel, document.channels)
            elif channel in seen:
                report.add((*path, "channels", index), "is given twice", channel)
            seen.add(channel)


def _engage(engage: Condition, names: Names, report: Report) -> None:
    path: Path = ("permission", "engage")
    if engage.input is None:
        report.add(path, "needs the operator's own input; a zone cannot engage")
        return
    if engage.within_s is not None:
        report.add((*path, "within_s"), "has no effect: engaging is an edge already", engage.within_s)
    _needed((*path, "input"), engage.input, names, report)


def _needed(path: Path, name: str | None, names: Names, report: Report) -> None:
    """Permission hangs on inputs whose loss is a fault."""
    if name in names.inputs and not names.needed(name):
        message = f"permission may only depend on a needed source, and {names.source_of[name]} is not needed"
        report.add(path, message, name)


def _phase(path: Path, phase: Phase, document: PolicyDocument, report: Report) -> None:
    if phase.for_s is None and phase.until is None:
        report.add(path, "never ends: needs for_s or until")
    if phase.for_s is not None and phase.for_s * 1000 < document.timing.period_ms:
        report.add((*path, "for_s"), "is less than a period", phase.for_s)
    for name, value in phase.set.items():
        if name not in document.channels:
            report.unknown((*path, "set", name), "channel", name, document.channels)
            continue
        low, high = narrowest(document.channels[name])
        if low <= high and not low <= value <= high:
            report.add((*path, "set", name), "is outside the channel's bounds", value, f"{low:g} to {high:g}")
    for index, name in enumerate(phase.hold):
        here = (*path, "hold", index)
        if name not in document.channels:
            report.unknown(here, "channel", name, document.channels)
        elif name in phase.set:
            report.add(here, "is both set and held", name)
        elif name in phase.hold[:index]:
            report.add(here, "is given twice", name)
    missing = [name for name in document.channels if name not in phase.set and name not in phase.hold]
    if missing:
        report.add(path, f"must set or hold every channel; missing: {', '.join(missing)}")
    for name, group in document.groups.items():
        length = math.hypot(*(phase.set.get(channel, 0.0) for channel in group.channels))
        if length > extent(group.norm)[0]:
            message = f"the set-points have the norm {length:g}, more than group {name} always allows"
            report.add((*path, "set"), message, allowed=f"<= {extent(group.norm)[0]:g}")


def _phase_names(document: PolicyDocument, report: Report) -> None:
    seen: set[str] = set()
    for index, phase in enumerate(document.recovery):
        if phase.name in seen:
            report.add(("recovery", index, "name"), "is given twice", phase.name)
        seen.add(phase.name)
