"""Past temporal logic three times: from its definition, in reelay's language, and in the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from safetykit.core import rules
from safetykit.core.layout import new_frames
from safetykit.policy.checks_rules import check_capacity
from safetykit.policy.compile import Policy, compile_document
from safetykit.policy.report import Names, Report
from safetykit.policy.schema import PolicyDocument
from tests.drive import PERIOD_NS, START_NS, document

Formula = dict[str, Any]
Row = tuple[int | None, ...]  # 0, 1 or not known, for each signal
NAMES = ("p", "q", "r")
PERIOD_S = PERIOD_NS / 1e9


def leaf(name: str) -> Formula:
    return {"input": name, "min": 0.5}


def windowed(form: str, part: Formula, first: int, last: int, **more: Formula) -> Formula:
    """An operator over time, its window in periods."""
    after = {"after_s": first * PERIOD_S} if first else {}
    return {form: part, **more, "within_s": last * PERIOD_S, **after}


def formulas(names: Sequence[str] = NAMES, leaves: int = 5) -> st.SearchStrategy[Formula]:
    """Formulas with windows at every kind of edge: one period, from now, from the past, a single period."""
    first, length = st.sampled_from([0, 0, 0, 1, 2, 5]), st.sampled_from([0, 1, 1, 2, 3, 7])
    windows = st.tuples(first, length).map(lambda pair: (pair[0], max(sum(pair), 1)))

    def larger(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        lists = st.lists(inner, min_size=2, max_size=3)
        return st.one_of(
            inner.map(lambda part: {"not": part}),
            lists.map(lambda parts: {"all": parts}),
            lists.map(lambda parts: {"any": parts}),
            st.tuples(st.sampled_from(["once", "historically"]), inner, windows).map(
                lambda t: windowed(t[0], t[1], *t[2])
            ),
            st.tuples(inner, inner, windows).map(lambda t: windowed("since", t[0], *t[2], **{"from": t[1]})),
        )

    return st.recursive(st.sampled_from(names).map(leaf), larger, max_leaves=leaves)


def holds(formula: Formula, trace: Sequence[Row], now: int) -> bool:
    """Straight from the definition; every signal is known."""
    if "input" in formula:
        return bool(trace[now][NAMES.index(formula["input"])])
    if "not" in formula:
        return not holds(formula["not"], trace, now)
    for form, whole in (("all", all), ("any", any)):
        if form in formula:
            return whole(holds(part, trace, now) for part in formula[form])
    first, last = span(formula)
    window = [k for k in range(now - last, now - first + 1) if k >= 0]
    if "once" in formula:
        return any(holds(formula["once"], trace, k) for k in window)
    if "historically" in formula:
        return all(holds(formula["historically"], trace, k) for k in window)
    return any(
        holds(formula["from"], trace, k) and all(holds(formula["since"], trace, j) for j in range(k + 1, now + 1))
        for k in window
    )


def span(formula: Formula) -> tuple[int, int]:
    """(first, last) period of the window, counted back."""
    return round(formula.get("after_s", 0) / PERIOD_S), round(formula["within_s"] / PERIOD_S)


def reelay_pattern(formula: Formula) -> str:
    """The same formula in reelay's language."""
    if "input" in formula:
        return f"{{{formula['input']}}}"
    if "not" in formula:
        return f"!({reelay_pattern(formula['not'])})"
    for form, sign in (("all", " && "), ("any", " || ")):
        if form in formula:
            return "(" + sign.join(f"({reelay_pattern(part)})" for part in formula[form]) + ")"
    first, last = span(formula)
    if "since" in formula:
        return f"(({reelay_pattern(formula['since'])}) since[{first}:{last}] ({reelay_pattern(formula['from'])}))"
    form = "once" if "once" in formula else "historically"
    return f"({form}[{first}:{last}] ({reelay_pattern(formula[form])}))"


def document_of(forbidden: Sequence[Formula]) -> PolicyDocument:
    """One rule for each formula. What is senseless but well defined (`p and p`) is not refused here."""
    inputs = {name: {"unit": "flag", "min": 0, "max": 1} for name in NAMES}
    rows = {f"rule_{k}": {"forbid": formula, "action": "RECOVER"} for k, formula in enumerate(forbidden)}
    made = document(rules=rows)
    made["sources"]["signals"] = {"age_ms": 100, "future_ms": 5, "needed": False, "inputs": inputs}
    return PolicyDocument.model_validate(made)


def fits(forbidden: Sequence[Formula]) -> bool:
    """Whether the program of these rules is within the core's capacities."""
    made = document_of(forbidden)
    report = Report("", {})
    check_capacity(made, Names(made), report)
    return not report.problems


class Past:
    """The core's rules alone, fed with signals period by period."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.frame = new_frames().view(np.recarray)[0]
        self.frame.in_now_ns = START_NS
        self.numbers = [policy.input_index(name) for name in NAMES]

    def tick(self, row: Row, dt_ns: int = PERIOD_NS) -> tuple[int, int]:
        """(surely, possibly) broken rules after one more tick."""
        self.frame.in_now_ns += dt_ns
        valid = 0
        for number, value in zip(self.numbers, row, strict=True):
            if value is not None:
                self.frame.in_value[number] = value
                valid |= 1 << number
        self.frame.st_valid = valid
        rules.check(self.policy.limits, self.policy.timing, self.frame)
        return int(self.frame.st_rules_certain), int(self.frame.st_rules)


def in_core(formula: Formula, trace: Sequence[Row]) -> list[tuple[bool, bool]]:
    """(surely, possibly) of one formula in every period."""
    past = Past(compile_document(document_of([formula])))
    return [(bool(sure), bool(may)) for sure, may in map(past.tick, trace)]
