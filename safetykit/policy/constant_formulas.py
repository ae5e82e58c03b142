"""Finds formulas that are always true or never true, whatever happens: they are mistakes.

Every formula below an operator over time counts as if it could be true or false at any time, so what is found is
certain, but not all is found. Formulas over very many different things are passed by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

from safetykit.core.vocabulary import State
from safetykit.policy.formulas import RANGED, TIMED, ZONED, form_of, value_of
from safetykit.policy.report import Names, outermost
from safetykit.policy.schema_rules import Formula

WORLDS_MAX = 4096  # cases that are tried

Atom = tuple[str, str]  # a kind of thing, and which
World = dict[Atom, Any]


def constant(formula: Formula, names: Names) -> bool | None:
    """The value that the formula always has; None if it has both, or too many things decide it."""
    choices: dict[Atom, list[Any]] = {}
    ends: dict[Atom, set[float]] = {}
    for part in _atoms(formula):
        atom = _atom(part)
        if atom[0] in RANGED:
            ends.setdefault(atom, set()).update(end for end in (part.min, part.max) if end is not None)
        elif atom[0] == "state":
            choices[atom] = [state.name.lower() for state in State]
        else:
            choices[atom] = [False, True]
    choices |= {atom: _samples(sorted(cuts), *_extent(atom, names)) for atom, cuts in ends.items()}
    if math.prod(len(values) for values in choices.values()) > WORLDS_MAX:
        return None
    found = {_holds(formula, dict(zip(choices, world, strict=True))) for world in product(*choices.values())}
    return found.pop() if len(found) == 1 else None


def _atoms(formula: Formula) -> Iterator[Formula]:
    """What decides it: comparisons, and formulas over time as a whole."""
    parts = [*(formula.all or ()), *(formula.any or ()), *([formula.not_] if formula.not_ else ())]
    if not parts:
        yield formula
    for part in parts:
        yield from _atoms(part)


def _atom(formula: Formula) -> Atom:
    form = form_of(formula)
    if form in TIMED:
        return "time", formula.model_dump_json()
    if form in ZONED:
        return "zone", str(value_of(formula, form))
    return (form, "") if form == "state" else (form, str(value_of(formula, form)))


def _extent(atom: Atom, names: Names) -> tuple[float, float]:
    """What the value can be; anything may be asked for."""
    if atom[0] == "input":
        return names.inputs[atom[1]].min, names.inputs[atom[1]].max
    return outermost(names.document.channels[atom[1]]) if atom[0] == "sent" else (-math.inf, math.inf)


def _samples(cuts: list[float], low: float, high: float) -> list[float]:
    """A value at every cut, between any two, and beyond both ends."""
    inside = [low, *(cut for cut in cuts if low < cut < high), high]
    between = [_middle(one, two) for one, two in pairwise(inside)]
    return [value for value in (*inside, *between) if math.isfinite(value)]


def _middle(one: float, two: float) -> float:
    if math.isinf(one):
        return 0.0 if math.isinf(two) else two - 1
    return one + 1 if math.isinf(two) else (one + two) / 2


def _holds(formula: Formula, world: World) -> bool:
    whole: Callable[..., bool] = all if formula.all else any
    if formula.all or formula.any:
        return whole(_holds(part, world) for part in formula.all or formula.any or ())
    if formula.not_ is not None:
        return not _holds(formula.not_, world)
    value = world[_atom(formula)]
    if formula.state is not None:
        return bool(value == formula.state)
    if form_of(formula) in RANGED:
        return (formula.min is None or value >= formula.min) and (formula.max is None or value <= formula.max)
    return bool(value) == (formula.outside is None)
