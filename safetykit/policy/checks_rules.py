"""Rules over the recent past: sound formulas, windows of whole periods, nothing that is always or never so."""

from __future__ import annotations

from safetykit.core import bounds as b
from safetykit.core.formulas import LINE_SLOTS
from safetykit.core.vocabulary import Action
from safetykit.policy.checks_logic import split_range
from safetykit.policy.constant_formulas import constant
from safetykit.policy.fill_rules import Program
from safetykit.policy.formulas import FORMS, LISTED, RANGED, TIMED, ZONED, form_of, forms_of, value_of, violation, walk
from safetykit.policy.paths import Path, listed
from safetykit.policy.report import Names, Report, outermost
from safetykit.policy.rows import ms_to_ns, to_ns
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_rules import Formula, Rule

AFTER_PERIODS_MAX = b.RULE_LINE_WORDS * LINE_SLOTS
_KEYS = ("min", "max", "from", "within_s", "after_s")


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """Every rule alone."""
    for name, rule in document.rules.items():
        path: Path = ("rules", name)
        before = len(report.problems)
        if (rule.require is None) == (rule.forbid is None):
            report.add(path, "needs exactly one of the keys require, forbid")
        if Action[rule.action] < Action.HOLD:
            allowed = listed(action.name for action in Action if action >= Action.HOLD)
            report.add((*path, "action"), "is too mild for a rule", rule.action, allowed)
        for key in ("if", "require", "forbid"):
            whole = value_of(rule, key)
            if isinstance(whole, Formula):
                for here, formula in walk((*path, key), whole):
                    _formula(here, formula, names, report)
        if len(report.problems) == before and _well_declared(document):
            _constant(path, rule, names, report)


def check_capacity(document: PolicyDocument, names: Names, report: Report) -> None:
    """The program of all rules must fit. Names must be known."""
    program = Program(document, names)
    for what, count, most in (
        ("different comparisons", len(program.leaves), b.RULE_LEAVES_MAX),
        ("operators and comparisons", len(program.nodes), b.RULE_NODES_MAX),
        ("operators over time", program.memories, b.RULE_MEMORIES_MAX),
        ("windows with after_s", program.lines, b.RULE_LINES_MAX),
        ("formulas within each other", program.depth_max, b.RULE_STACK_MAX),
    ):
        if count > most:
            report.add(("rules",), f"too many {what}", count, f"at most {most} in a policy")


def _formula(path: Path, formula: Formula, names: Names, report: Report) -> None:
    """One formula, without what is below it."""
    forms = forms_of(formula)
    if len(forms) != 1:
        report.add(path, f"needs exactly one of the keys {', '.join(FORMS)}")
        return
    form = forms[0]
    for key in _KEYS:
        value = value_of(formula, key)
        if key not in FORMS[form] and value is not None:
            report.add((*path, key), f"has no effect on {form}")
    if form in RANGED:
        _comparison(path, form, formula, names, report)
    elif form in ZONED:
        zone = str(value_of(formula, form))
        if zone not in names.document.zones:
            report.unknown((*path, form), "zone", zone, names.document.zones)
    elif form in LISTED:
        members = formula.all or formula.any or []
        for index, member in enumerate(members):
            if member in members[:index]:
                report.add((*path, form, index), "is given twice")
    elif form in TIMED:
        _window(path, form, formula, names.document, report)
    elif formula.not_ is not None and formula.not_.not_ is not None:
        report.add((*path, "not", "not"), "has no effect: not not")


def _comparison(path: Path, form: str, formula: Formula, names: Names, report: Report) -> None:
    name, low, high = str(value_of(formula, form)), formula.min, formula.max
    known = names.inputs if form == "input" else names.document.channels
    if name not in known:
        report.unknown((*path, form), "input" if form == "input" else "channel", name, known)
    elif low is None and high is None:
        report.add(path, "needs min or max")
    elif form == "input":
        split_range(path, (name, low, high), ("min", "max"), names, report)
    elif low is not None and high is not None and low > high:
        report.add((*path, "min"), "must not be more than max", low, f"<= {high:g}")
    elif form == "sent":
        _sent(path, name, formula, names, report)


def _sent(path: Path, name: str, formula: Formula, names: Names, report: Report) -> None:
    """What is sent stays within the channel's bounds; anything may be asked for."""
    least, most = outermost(names.document.channels[name])
    allowed = f"within {least:g} to {most:g}"
    if formula.min is not None and formula.min > most:
        report.add((*path, "min"), f"never holds: {name} is never sent such a value", formula.min, allowed)
    elif formula.max is not None and formula.max < least:
        report.add((*path, "max"), f"never holds: {name} is never sent such a value", formula.max, allowed)
    elif (formula.min is None or formula.min <= least) and (formula.max is None or formula.max >= most):
        report.add(path, f"always holds: {name} is never sent any other value", allowed=allowed)


def _window(path: Path, form: str, formula: Formula, document: PolicyDocument, report: Report) -> None:
    """Windows are whole periods: what lies between two ticks is never looked at."""
    if form == "since" and formula.from_ is None:
        report.add((*path, "from"), "is missing")
    if formula.within_s is None:
        report.add((*path, "within_s"), "is missing")
        return
    for key in ("within_s", "after_s"):
        value = value_of(formula, key)
        if isinstance(value, float):
            _whole_periods((*path, key), value, document, report)
    if formula.after_s is not None:
        longest_s = AFTER_PERIODS_MAX * document.timing.period_ms / 1000
        if formula.after_s > formula.within_s:
            report.add(
                (*path, "after_s"), "must not be more than within_s", formula.after_s, f"<= {formula.within_s:g}"
            )
        elif formula.after_s > longest_s:
            report.add((*path, "after_s"), "reaches back too far", formula.after_s, f"<= {longest_s:g}")


def _whole_periods(path: Path, value_s: float, document: PolicyDocument, report: Report) -> None:
    period_ns = ms_to_ns(document.timing.period_ms)
    whole, rest = divmod(to_ns(value_s), period_ns)
    if whole == 0:
        report.add(path, "is less than a period", value_s, f">= {period_ns / 1e9:g}")
    elif rest:
        near = " or ".join(f"{count * period_ns / 1e9:.10g}" for count in (whole, whole + 1))
        report.add(path, f"is not a whole number of periods of {document.timing.period_ms:g} ms", value_s, near)


def _well_declared(document: PolicyDocument) -> bool:
    """Whether ranges can be sampled; if not, there is a message already."""
    entries = [entry for source in document.sources.values() for entry in source.inputs.values()]
    spans = [outermost(channel) for channel in document.channels.values()]
    return all(entry.min < entry.max for entry in entries) and all(low <= high for low, high in spans)


def _constant(path: Path, rule: Rule, names: Names, report: Report) -> None:
    """The innermost formulas that are always or never true; else the rule as a whole."""
    found = False
    for key in ("if", "require", "forbid"):
        whole = value_of(rule, key)
        for here, formula in walk((*path, key), whole) if isinstance(whole, Formula) else ():
            value = constant(formula, names) if form_of(formula) in (*LISTED, "not") and not found else None
            if value is not None:
                report.add(here, "is always true" if value else "is never true")
                found = True
    broken = None if found else constant(violation(rule), names)
    if broken is not None:
        report.add(path, "is always broken" if broken else "can never be broken")
