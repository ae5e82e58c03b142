"""Formulas as trees: their parts, their windows in periods, and when a rule is broken."""

from __future__ import annotations

from collections.abc import Iterator

from safetykit.policy.paths import Path
from safetykit.policy.rows import ms_to_ns, to_ns
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_rules import Formula, Rule

RANGED = ("input", "asked", "sent")
ZONED = ("inside", "outside")
LISTED = ("all", "any")
TIMED = ("once", "historically", "since")
# What a formula may be, and the keys that belong to it besides.
FORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(RANGED, ("min", "max")),
    **dict.fromkeys((*ZONED, "state", *LISTED, "not"), ()),
    **dict.fromkeys(("once", "historically"), ("within_s", "after_s")),
    "since": ("from", "within_s", "after_s"),
}
_FIELDS = {"not": "not_", "from": "from_", "if": "if_"}


def value_of(part: Formula | Rule, key: str) -> object:
    """The value of a key as it is written; None if it is not."""
    return getattr(part, _FIELDS.get(key, key))


def forms_of(formula: Formula) -> list[str]:
    """The forms that its keys ask for; a sound formula has exactly one."""
    return [form for form in FORMS if value_of(formula, form) is not None]


def form_of(formula: Formula) -> str:
    """The form of a checked formula."""
    return forms_of(formula)[0]


def parts_of(path: Path, formula: Formula) -> Iterator[tuple[Path, Formula]]:
    """The formulas directly below, each with its path."""
    for key in (*LISTED, "not", *TIMED, "from"):
        part = value_of(formula, key)
        for index, member in enumerate(part if isinstance(part, list) else []):
            yield (*path, key, index), member
        if isinstance(part, Formula):
            yield (*path, key), part


def walk(path: Path, formula: Formula) -> Iterator[tuple[Path, Formula]]:
    """The formula and all below, the innermost first."""
    for below, part in parts_of(path, formula):
        yield from walk(below, part)
    yield path, formula


def all_formulas(document: PolicyDocument) -> Iterator[tuple[Path, Formula]]:
    """The whole formulas of all rules."""
    for name, rule in document.rules.items():
        for key in ("if", "require", "forbid"):
            formula = value_of(rule, key)
            if isinstance(formula, Formula):
                yield ("rules", name, key), formula


def zones_in_rules(document: PolicyDocument) -> set[str]:
    """Zones that a rule looks at."""
    parts = [part for path, formula in all_formulas(document) for _, part in walk(path, formula)]
    return {zone for part in parts for zone in (part.inside, part.outside) if zone is not None}


def negation(formula: Formula) -> Formula:
    """Not the formula."""
    return Formula.model_validate({"not": formula})


def violation(rule: Rule) -> Formula:
    """The formula that is true while the rule is broken."""
    if rule.require is not None:
        broken = negation(rule.require)
    else:
        assert rule.forbid is not None  # checked before
        broken = rule.forbid
    return broken if rule.if_ is None else Formula.model_validate({"all": [rule.if_, broken]})


def window(formula: Formula, document: PolicyDocument) -> tuple[int, int]:
    """(first, last) period of the window, counted back from now, of a checked formula."""
    period_ns = ms_to_ns(document.timing.period_ms)
    return to_ns(formula.after_s or 0.0) // period_ns, to_ns(formula.within_s or 0.0) // period_ns
