"""Rules over the recent past in words."""

from __future__ import annotations

from collections.abc import Iterator

from safetykit.policy.formulas import RANGED, TIMED, form_of, value_of
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_rules import Formula, Rule
from safetykit.policy.units import unit_text

HEADS = ("number", "rule", "says", "action", "why")
Row = tuple[int, str, str, str, str | None]


def rows(document: PolicyDocument) -> Iterator[Row]:
    """One row for each rule, cells in the order of HEADS; numbers as in the frame's st_rule_worst."""
    for number, (name, rule) in enumerate(document.rules.items(), 1):
        yield number, name, rule_text(rule, document), rule.action, rule.description or None


def rule_text(rule: Rule, document: PolicyDocument) -> str:
    """For example ``if once within 2 s (brake >= 0.5): never (asked accel_mps2 >= 0)``."""
    start = "" if rule.if_ is None else f"if {text(rule.if_, document)}: "
    if rule.require is not None:
        return f"{start}always ({text(rule.require, document)})"
    return f"{start}never ({text(rule.forbid, document)})" if rule.forbid is not None else start


def text(formula: Formula, document: PolicyDocument) -> str:
    """One formula in words."""
    form = form_of(formula)
    if form in RANGED:
        return _comparison(formula, form, document)
    if form in TIMED:
        return _timed(formula, form, document)
    if formula.not_ is not None:
        return f"not ({text(formula.not_, document)})"
    if formula.all or formula.any:
        word = " and " if formula.all else " or "
        return word.join(_bracketed(part, document) for part in formula.all or formula.any or ())
    return {"inside": "in ", "outside": "out of ", "state": "state "}[form] + str(value_of(formula, form))


def _bracketed(formula: Formula, document: PolicyDocument) -> str:
    words = text(formula, document)
    return f"({words})" if formula.all or formula.any else words


def _comparison(formula: Formula, form: str, document: PolicyDocument) -> str:
    name = str(value_of(formula, form))
    units = {name: entry.unit for source in document.sources.values() for name, entry in source.inputs.items()}
    unit = unit_text(units[name] if form == "input" else document.channels[name].unit)
    subject = name if form == "input" else f"{form} {name}"
    if formula.min is not None and formula.max is not None:
        return f"{subject} in [{formula.min:g}, {formula.max:g}] {unit}".rstrip()
    sign, value = (">=", formula.min) if formula.min is not None else ("<=", formula.max)
    return f"{subject} {sign} {value:g} {unit}".rstrip()


def _timed(formula: Formula, form: str, document: PolicyDocument) -> str:
    ago = f"{formula.after_s:g} to {formula.within_s:g} s ago" if formula.after_s is not None else ""
    within = ago or f"within {formula.within_s:g} s"
    part = formula.once or formula.historically or formula.since
    assert part is not None
    if formula.from_ is not None:
        return f"({text(part, document)}) since ({text(formula.from_, document)}) {within}"
    words = f"once {within}" if form == "once" else f"throughout {ago or f'{formula.within_s:g} s'}"
    return f"{words} ({text(part, document)})"
