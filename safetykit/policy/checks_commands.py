"""Redundant commands, the operator's own commands, the shadow model: relations between values."""

from __future__ import annotations

from collections.abc import Collection

from safetykit.core.vocabulary import Action, Fault
from safetykit.policy.checks_channels import NEVER
from safetykit.policy.fill_breakers import reactions_of
from safetykit.policy.paths import Path
from safetykit.policy.reactions import FIXED, FLOOR
from safetykit.policy.report import Names, Report, outermost
from safetykit.policy.rows import condition_row
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_commands import Commands, Manual, Shadow
from safetykit.policy.schema_parts import Condition

# Not free for a voter: the operator's place among the senders of commands, and the other thing a breaker watches
TAKEN_NAMES = {"manual": "the operator's own commands", "vehicle": "what other breakers watch"}
_OF_COMMANDS = frozenset(fault for fault in Fault if fault.name.startswith("COMMAND_")) | {Fault.MANUAL_LOST}
_OF_AUTONOMY = frozenset({Fault.VOTE, Fault.VOTE_LOST, Fault.SHADOW, Fault.OSCILLATION})


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """All of them, but for the faults that the operator overrules: those need to know what can occur."""
    _tolerances(document, report)
    if document.commands is not None:
        _commands(document.commands, document, report)
    if document.manual is not None:
        _manual(document.manual, document, names, report)
    if document.shadow is not None:
        _shadow(document.shadow, document, names, report)


def present(document: PolicyDocument) -> dict[Fault, bool]:
    """Which faults of these sections can occur."""
    return {
        Fault.VOTE: document.commands is not None,
        Fault.VOTE_LOST: document.commands is not None,
        Fault.MANUAL_LOST: document.manual is not None,
        Fault.SHADOW: document.shadow is not None,
    }


def _tolerances(document: PolicyDocument, report: Report) -> None:
    for name, channel in document.channels.items():
        path: Path = ("channels", name, "vote_tolerance")
        if document.commands is None:
            if channel.vote_tolerance is not None:
                report.add(path, f"{NEVER}: there is no section commands", channel.vote_tolerance)
        elif channel.vote_tolerance is None:
            report.add(path, "is missing: there are several senders of commands")
        else:
            _within_range(path, channel.vote_tolerance, name, document, report)


def _within_range(path: Path, tolerance: float, channel: str, document: PolicyDocument, report: Report) -> None:
    low, high = outermost(document.channels[channel])
    if low < high and tolerance >= high - low:
        report.add(path, "is the whole range of the channel or more", tolerance, f"< {high - low:g}")


def _commands(section: Commands, document: PolicyDocument, report: Report) -> None:
    path: Path = ("commands",)
    for index, voter in enumerate(section.voters):
        if voter in section.voters[:index]:
            report.add((*path, "voters", index), "is given twice", voter)
        if voter in TAKEN_NAMES:
            report.add((*path, "voters", index), f"is the name of {TAKEN_NAMES[voter]}", voter)
    if section.needed > len(section.voters):
        message = "is more than there are voters"
        report.add((*path, "needed"), message, section.needed, f"<= {len(section.voters)}")
    times = document.timing
    if section.align_ms <= times.command_future_ms:
        message = "is no more than a stamp may lie in the future: one wrong clock would leave out the others"
        report.add((*path, "align_ms"), message, section.align_ms, f"> command_future_ms = {times.command_future_ms:g}")
    most = times.command_late_ms + times.command_future_ms
    if section.align_ms >= most:
        message = f"{NEVER}: a command that is not late is never that much older"
        report.add((*path, "align_ms"), message, section.align_ms, f"< {most:g}")
    _at_least_a_period((*path, "disagree_ms"), section.disagree_ms, document, report)


def _at_least_a_period(path: Path, value_ms: float, document: PolicyDocument, report: Report) -> None:
    if value_ms < document.timing.period_ms:
        report.add(path, "is less than a period", value_ms, f">= {document.timing.period_ms:g}")


def _manual(section: Manual, document: PolicyDocument, names: Names, report: Report) -> None:
    path: Path = ("manual",)
    engage = document.permission.engage
    if not isinstance(engage, Condition):
        report.add(path, f"{NEVER}: engage is never")
    take = section.take
    if take.input is None:
        report.add((*path, "take"), "needs the operator's own input; a zone cannot drive")
    elif take.input in names.inputs:
        if not names.needed(take.input):
            message = f"the switch may only come from a needed source, and {names.source_of[take.input]} is not needed"
            report.add((*path, "take", "input"), message, take.input)
        if isinstance(engage, Condition) and engage.input in names.inputs:
            same = condition_row(take.model_copy(update={"within_s": None}), names) == condition_row(engage, names)
            if same:
                report.add((*path, "take"), "is the engage condition: the autonomy would never drive")
    if take.within_s is not None:
        report.add((*path, "take", "within_s"), "has no effect: the switch is a level", take.within_s)
    if section.late_ms <= document.timing.period_ms:
        limit = f"> {document.timing.period_ms:g}"
        report.add((*path, "late_ms"), "must be more than the period", section.late_ms, limit)
    if section.stale_ms <= section.late_ms:
        report.add((*path, "stale_ms"), "must be more than late_ms", section.stale_ms, f"> {section.late_ms:g}")


def check_overrules(document: PolicyDocument, possible: Collection[Fault], report: Report) -> None:
    """What the operator overrules: never a stop, never what is wrong with the operator's own commands."""
    reactions = reactions_of(document)
    given = document.manual.overrules if document.manual is not None else []
    for index, name in enumerate(given):
        fault, path = Fault[name], ("manual", "overrules", index)
        if name in given[:index]:
            report.add(path, "is given twice", name)
        elif FLOOR[fault] >= Action.PROTECTIVE_STOP or reactions[fault] >= Action.PROTECTIVE_STOP:
            report.add(path, "is a stop, which nobody overrules", name)
        elif fault in _OF_COMMANDS:
            report.add(path, "is about the operator's own commands while the operator drives", name)
        elif fault in _OF_AUTONOMY:
            report.add(path, f"{NEVER}: it does not count while the operator drives", name)
        elif fault in FIXED:
            report.add(path, "has one reaction only, which nobody overrules", name)
        elif fault not in possible:
            report.add(path, "can never occur under this policy", name)
        elif reactions[fault] <= Action.CLAMP:
            report.add(path, f"{NEVER}: its reaction is {reactions[fault].name}", name)


def _shadow(section: Shadow, document: PolicyDocument, names: Names, report: Report) -> None:
    path: Path = ("shadow",)
    if not isinstance(document.permission.engage, Condition):
        report.add(path, f"{NEVER}: engage is never")
    if section.source not in document.sources:
        report.unknown((*path, "source"), "source", section.source, document.sources)
    elif document.sources[section.source].needed:
        report.add((*path, "source"), "must not be needed: a model may be missing without a fault", section.source)
    taken: set[str] = set()
    for name, part in section.map.items():
        here: Path = (*path, "map", name)
        if name not in document.channels:
            report.unknown(here, "channel", name, document.channels)
            continue
        _within_range((*here, "tolerance"), part.tolerance, name, document, report)
        if part.input not in names.inputs:
            report.unknown((*here, "input"), "input", part.input, names.inputs)
            continue
        unit = document.channels[name].unit
        if names.inputs[part.input].unit != unit:
            report.add((*here, "input"), "the input has another unit than the channel", part.input, f"unit {unit}")
        if section.source in document.sources and names.source_of[part.input] != section.source:
            report.add((*here, "input"), f"is not of source {section.source}", part.input)
        if part.input in taken:
            report.add((*here, "input"), "is given twice", part.input)
        taken.add(part.input)
    _at_least_a_period((*path, "for_ms"), section.for_ms, document, report)
