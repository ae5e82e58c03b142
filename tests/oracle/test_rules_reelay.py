"""Rules over the recent past against reelay (Ulus, PyPI) and against the definition of every operator."""

from __future__ import annotations

from itertools import product

import pytest
import reelay
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safetykit.core import bounds
from safetykit.core.formulas import LINE_SLOTS
from tests.oracle.past_logic import NAMES, Formula, Row, fits, formulas, holds, in_core, leaf, reelay_pattern, windowed

pytestmark = pytest.mark.core

bits = st.integers(0, 1)
known_rows = st.tuples(bits, bits, bits)
unsure_rows = st.tuples(*[st.sampled_from([0, 1, None])] * len(NAMES))
# Long runs and single pulses, so that something lies just inside and just outside a window.
runs = st.lists(st.tuples(known_rows, st.sampled_from([1, 1, 2, 3, 4, 7, 8, 9])), min_size=1, max_size=12)
traces = runs.map(lambda found: [row for row, count in found for _ in range(count)])

P, Q, R = map(leaf, NAMES)


def by_reelay(formula: Formula, trace: list[Row]) -> list[bool]:
    monitor = reelay.discrete_timed_monitor(pattern=reelay_pattern(formula), semantics="boolean", condense=False)
    rows = ({name: bool(value) for name, value in zip(NAMES, row, strict=True)} for row in trace)
    return [monitor.update(row)["value"] for row in rows]


@given(formula=formulas(leaves=8), trace=traces)
@settings(max_examples=400, deadline=None)
def test_reelay_says_the_same_in_every_period(formula: Formula, trace: list[Row]) -> None:
    assume(fits([formula]))
    assert in_core(formula, trace) == [(value, value) for value in by_reelay(formula, trace)]


@given(formula=formulas(), trace=st.lists(known_rows, min_size=1, max_size=25))
@settings(max_examples=300, deadline=None)
def test_the_definition_says_the_same_in_every_period(formula: Formula, trace: list[Row]) -> None:
    assume(fits([formula]))
    assert in_core(formula, trace) == [(holds(formula, trace, k),) * 2 for k in range(len(trace))]


LONGEST = bounds.RULE_LINE_WORDS * LINE_SLOTS
EDGES = [(0, 1), (0, 2), (1, 1), (1, 2), (2, 5), (30, 31), (31, 62), (32, 33), (61, 64), (0, LONGEST + 1)]
EDGES += [(LONGEST, LONGEST), (LONGEST - 1, LONGEST + 3)]


@pytest.mark.parametrize(("first", "last"), EDGES)
@pytest.mark.parametrize("form", ["once", "historically", "since"])
def test_a_window_begins_and_ends_exactly_where_it_says(form: str, first: int, last: int) -> None:
    """A single pulse (for `historically`: a single gap), seen from every period around both ends of the window."""
    more = {"from": Q} if form == "since" else {}
    formula = windowed(form, P, first, last, **more)
    start, length = 3, last + 8
    if form == "since":
        trace = [(1, int(k == start), 0) for k in range(length)]
    else:
        trace = [(int((k == start) == (form == "once")), 0, 0) for k in range(length)]
    inside = [start + first <= k <= start + last for k in range(length)]
    expected = [value == (form != "historically") for value in inside]
    assert [sure for sure, _ in in_core(formula, trace)] == expected
    assert by_reelay(formula, trace) == expected


def completions(trace: list[Row]) -> list[list[Row]]:
    """Every way in which the unknown values may really be."""
    unknown = [(k, s) for k, row in enumerate(trace) for s, value in enumerate(row) if value is None]
    found = []
    for values in product((0, 1), repeat=len(unknown)):
        filled = [list(row) for row in trace]
        for (k, s), value in zip(unknown, values, strict=True):
            filled[k][s] = value
        found.append([tuple(row) for row in filled])
    return found


unsure_traces = st.lists(unsure_rows, min_size=1, max_size=9).filter(
    lambda trace: sum(value is None for row in trace for value in row) <= 7
)


@given(formula=formulas(), trace=unsure_traces)
@settings(max_examples=250, deadline=None)
def test_whatever_the_unknown_values_are_a_violation_is_not_hidden(formula: Formula, trace: list[Row]) -> None:
    assume(fits([formula]))
    found, worlds = in_core(formula, trace), completions(trace)
    for k, (sure, may) in enumerate(found):
        values = {holds(formula, world, k) for world in worlds}
        assert may or True not in values, "broken in one world, so it may be broken"
        assert not sure or False not in values, "surely broken, so broken in every world"


@st.composite
def read_once(draw: st.DrawFn) -> Formula:
    """Every signal in one place only: then what the core says is not only safe but exact."""
    names = list(draw(st.permutations(NAMES)))
    parts: list[Formula] = [leaf(name) for name in names[: draw(st.integers(1, 3))]]
    while len(parts) > 1 or draw(st.booleans()):
        part = parts.pop(0)
        form = draw(st.sampled_from(["not", "once", "historically", "all", "any", "since"]))
        first = draw(st.sampled_from([0, 1, 2]))
        last = max(first + draw(st.sampled_from([0, 1, 3])), 1)
        if form == "not":
            parts.append({"not": part})
        elif form in ("once", "historically") or not parts:
            parts.append(windowed("once" if form == "once" else "historically", part, first, last))
        elif form == "since":
            parts.append(windowed("since", part, first, last, **{"from": parts.pop(0)}))
        else:
            parts.append({form: [part, parts.pop(0)]})
    return parts[0]


@given(formula=read_once(), trace=unsure_traces)
@settings(max_examples=250, deadline=None)
def test_a_signal_in_one_place_only_is_judged_exactly(formula: Formula, trace: list[Row]) -> None:
    assume(fits([formula]))
    worlds = completions(trace)
    for k, (sure, may) in enumerate(in_core(formula, trace)):
        values = {holds(formula, world, k) for world in worlds}
        assert (sure, may) == (False not in values, True in values)
