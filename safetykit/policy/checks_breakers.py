"""Circuit breakers, and reactions that wait or outlast their fault: relations between values."""

from __future__ import annotations

from safetykit.core import bounds as b
from safetykit.core.vocabulary import Action, Fault
from safetykit.policy.fill_breakers import first_actions
from safetykit.policy.paths import Path, did_you_mean, listed
from safetykit.policy.reactions import FLOOR, UNCOUNTED
from safetykit.policy.report import Report
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_breakers import VEHICLE, Breaker, Reaction, first_action, last_action, waits

_OF_SELF = ("cool_down_s", "trial_share", "widen_s", "reopen_max")
_OF_SENDER = frozenset(fault for fault in Fault if fault.name.startswith("COMMAND_")) | {Fault.VOTE}


def present(document: PolicyDocument) -> dict[Fault, bool]:
    """Which faults of these sections can occur."""
    breakers, reactions = document.breakers.values(), document.reactions.values()
    return {
        Fault.BREAKER: bool(document.breakers),
        Fault.BREAKER_TRIAL: any((breaker.trial_share or 1) < 1 for breaker in breakers),
        Fault.INTERVENTION: any(isinstance(entry, Reaction) and entry.takeover_s is not None for entry in reactions),
    }


def actions_of(document: PolicyDocument) -> set[Action]:
    """Every action that a breaker or a written reaction may ask for."""
    actions = {Action[breaker.action] for breaker in document.breakers.values() if breaker.action is not None}
    for name, entry in document.reactions.items():
        actions |= {last_action(entry), first_action(entry, FLOOR[Fault[name]])}
    return actions


def check(document: PolicyDocument, possible: frozenset[Fault], report: Report) -> None:
    """All breakers; `possible`: faults that can occur."""
    for name, breaker in document.breakers.items():
        path: Path = ("breakers", name)
        if breaker.of == VEHICLE:
            _vehicle(path, breaker, report)
        else:
            _sender(path, breaker, document, report)
        _causes(path, breaker, document, report)
        _faults(path, breaker, document, possible, report)
        _level(path, breaker, document, report)


def _vehicle(path: Path, breaker: Breaker, report: Report) -> None:
    allowed = listed(choice.name for choice in Action if choice >= Action.DEGRADE)
    if breaker.action is None:
        report.add((*path, "action"), "is missing", allowed=allowed)
    elif Action[breaker.action] < Action.DEGRADE:
        report.add((*path, "action"), "is too mild for a breaker", breaker.action, allowed)
    if breaker.at_action is not None:
        most = Action.EMERGENCY_STOP if breaker.action is None else Action[breaker.action]
        choices = [choice.name for choice in Action if Action.CLAMP <= choice < most]
        if breaker.at_action not in choices:
            nothing = Action[breaker.at_action] == Action.PASS
            message = "is no trouble" if nothing else "leaves the breaker nothing to add"
            report.add((*path, "at_action"), message, breaker.at_action, listed(choices))


def _sender(path: Path, breaker: Breaker, document: PolicyDocument, report: Report) -> None:
    """A breaker of one voter."""
    voters = [] if document.commands is None else document.commands.voters
    if breaker.of not in voters:
        report.unknown((*path, "of"), "sender of commands", breaker.of, [VEHICLE, *voters])
    for key in ("at_action", "trial_share"):
        if getattr(breaker, key) is not None:
            report.add((*path, key), "is only for a breaker of the vehicle", getattr(breaker, key))
    if breaker.sources:
        report.add((*path, "sources"), "is only for a breaker of the vehicle", breaker.sources)


def _causes(path: Path, breaker: Breaker, document: PolicyDocument, report: Report) -> None:
    """What trips it: at least one, each one whole."""
    if not breaker.faults and breaker.count is None and breaker.at_action is None and not breaker.sources:
        report.add(path, "nothing trips it: faults with count, at_action or sources is missing")
    for key, of in (("count", "faults"), ("faults", "count"), ("window_ms", "count"), ("for_ms", "sources")):
        if getattr(breaker, key) not in (None, []) and getattr(breaker, of) in (None, []):
            report.add((*path, of), f"is missing: there is {key}")
    if breaker.sources and breaker.for_ms is None:
        report.add((*path, "for_ms"), "is missing: there is sources")
    for index, name in enumerate(breaker.sources):
        if name not in document.sources:
            report.unknown((*path, "sources", index), "source", name, document.sources)
        elif name in breaker.sources[:index]:
            report.add((*path, "sources", index), "is given twice", name)
    if breaker.window_ms is None or breaker.count is None:
        return
    most = int(breaker.window_ms / document.timing.period_ms) + 1
    if breaker.count > most:
        message = f"can never be reached: the window holds {most} ticks, one count each"
        report.add((*path, "count"), message, breaker.count, f"<= {most}")
    if breaker.count > b.BREAKER_COUNT_MAX:
        report.add((*path, "count"), "is more than a window remembers", breaker.count, f"<= {b.BREAKER_COUNT_MAX}")


def _faults(path: Path, breaker: Breaker, document: PolicyDocument, possible: frozenset[Fault], report: Report) -> None:
    reactions, vehicle = first_actions(document), breaker.of == VEHICLE
    countable = [fault for fault in Fault if (fault not in UNCOUNTED if vehicle else fault in _OF_SENDER)]
    for index, name in enumerate(breaker.faults):
        fault, here = Fault[name], (*path, "faults", index)
        if name in breaker.faults[:index]:
            report.add(here, "is given twice", name)
        elif fault not in countable:
            names = [known.name for known in countable]
            report.add(here, "cannot be counted by this breaker" + did_you_mean(name, names), name)
        elif fault not in possible:
            report.add(here, "can never occur under this policy", name)
        elif not vehicle or breaker.action is None:
            continue
        elif reactions[fault] >= Action.PROTECTIVE_STOP and (breaker.count or 0) > 1:
            report.add(here, "stops at the first occurrence, so it can never be counted", name)
        elif reactions[fault] >= Action[breaker.action]:
            report.add(here, f"already reacts with {reactions[fault].name}; the breaker adds nothing", name)


def _level(path: Path, breaker: Breaker, document: PolicyDocument, report: Report) -> None:
    """A self-healing breaker says how; a latched one cannot."""
    if breaker.level == "latched":
        for key in _OF_SELF:
            if getattr(breaker, key) is not None:
                report.add((*path, key), "is only for level: self", getattr(breaker, key))
        return
    for key in _OF_SELF:
        if getattr(breaker, key) is None and (key != "trial_share" or breaker.of == VEHICLE):
            report.add((*path, key), "is missing: the level is self")
    if breaker.count is not None and breaker.window_ms is None:
        report.add((*path, "window_ms"), "is missing: what a breaker that heals counts must be forgotten some time")
    if breaker.action is not None and Action[breaker.action] >= Action.PROTECTIVE_STOP:
        report.add((*path, "action"), "is a stop, which only a reset ends: the level must be latched", breaker.action)
    for key in ("cool_down_s", "widen_s"):
        value, period_s = getattr(breaker, key), document.timing.period_ms / 1000
        if value is not None and value < period_s:
            report.add((*path, key), "is less than a period", value, f">= {period_s:g}")


def check_reactions(document: PolicyDocument, report: Report) -> None:
    """Reactions that wait or outlast their fault."""
    count = 0
    for name, entry in document.reactions.items():
        if isinstance(entry, Reaction):
            count += 1
            _reaction(("reactions", name), FLOOR[Fault[name]], entry, document, report)
    if count > b.REACTIONS_MAX:
        report.add(("reactions",), "too many with more than an action", count, f"at most {b.REACTIONS_MAX}")


def _reaction(path: Path, floor: Action, entry: Reaction, document: PolicyDocument, report: Report) -> None:
    _waiting(path, floor, entry, document, report)
    action = Action[entry.action]
    if entry.until != "cleared" and action < Action.HOLD:
        allowed = listed(choice.name for choice in Action if choice >= Action.HOLD)
        report.add((*path, "until"), f"keeps nothing of {action.name}", entry.until, f"cleared, or action {allowed}")
    if entry.until in ("engaged_again", "reset") and action >= Action.PROTECTIVE_STOP:
        report.add((*path, "until"), "adds nothing: a stop is left by a reset only", entry.until, "cleared, never")
    if entry.takeover == "never" and (entry.takeover_s is None or document.manual is None):
        missing = "takeover_s" if entry.takeover_s is None else "a section manual"
        report.add((*path, "takeover"), f"changes nothing: there is no {missing}", entry.takeover)


def _waiting(path: Path, floor: Action, entry: Reaction, document: PolicyDocument, report: Report) -> None:
    """Delay, announcement, and what is done until then."""
    if entry.meanwhile is not None and not waits(entry):
        report.add((*path, "meanwhile"), "is never used: there is neither after_s nor takeover_s", entry.meanwhile)
    for key in ("after_s", "takeover_s"):
        value, period_s = getattr(entry, key), document.timing.period_ms / 1000
        if value is None:
            continue
        if floor >= Action.PROTECTIVE_STOP:
            report.add((*path, key), "a stop that was asked for never waits", value)
        elif value <= period_s:
            report.add((*path, key), "is over within a period", value, f"> {period_s:g}")
    first = first_action(entry, floor)
    if waits(entry) and first < floor:
        allowed = listed(choice.name for choice in Action if choice >= floor)
        report.add((*path, "meanwhile"), "is milder than this fault allows", first.name, allowed)
    if waits(entry) and floor < Action.PROTECTIVE_STOP and first >= Action[entry.action]:
        where = "action" if entry.meanwhile is None else "meanwhile"
        message = f"changes nothing: {first.name} is done from the first tick on"
        report.add((*path, where), message, getattr(entry, where))
