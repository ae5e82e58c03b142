"""Cost of rules over the recent past in one tick, against reelay on the same formulas and the same signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import reelay

from safetykit.core import rules
from safetykit.core.bounds import RULE_CATCH_UP_MAX, RULE_NODES_MAX, RULES_MAX
from safetykit.core.columns.rules import RULE_NODE_COUNT
from safetykit.core.jit import jit
from safetykit.core.layout import PERIOD_NS, T_RULES, new_frames
from safetykit.policy import Policy
from safetykit.policy.compile import compile_document
from tests.bench.measure import REPEATS, Row, Section, nanoseconds_each
from tests.oracle.past_logic import NAMES, Formula, document_of, leaf, reelay_pattern, windowed

TICKS = 2_000
SIGNALS = 4096  # rows of prepared signals; a power of two
TARGET = 20
P, Q, R = map(leaf, NAMES)

# Ten rules of the kinds that the guide shows: all are looked at in every tick, with windows of 2 s at 100 Hz.
TEN: list[Formula] = [
    {"all": [windowed("once", P, 0, 200), Q]},
    {"all": [windowed("once", {"all": [P, R]}, 0, 50), {"not": Q}]},
    {"not": windowed("historically", P, 0, 200)},
    {"all": [{"not": windowed("once", Q, 0, 100)}, R]},
    windowed("since", {"not": P}, 0, 200, **{"from": Q}),
    {"not": windowed("since", P, 0, 100, **{"from": R})},
    {"all": [P, {"any": [windowed("once", Q, 0, 200), windowed("once", R, 0, 20)]}]},
    windowed("historically", {"any": [P, Q]}, 0, 30),
    windowed("once", P, 100, 200),
    {"all": [windowed("historically", Q, 0, 10), {"not": windowed("once", windowed("historically", P, 0, 5), 0, 200)}]},
]


@jit
def feed_ticks(timing: Any, frame: Any, signals: Any, gap: int, count: int) -> None:
    for k in range(count):
        frame.in_now_ns += timing[PERIOD_NS] * gap
        for i in range(signals.shape[1]):
            frame.in_value[i] = signals[k & (SIGNALS - 1), i]
        frame.st_valid = -1


@jit
def rule_ticks(limits: Any, timing: Any, frame: Any, signals: Any, gap: int, count: int) -> None:
    for k in range(count):
        frame.in_now_ns += timing[PERIOD_NS] * gap
        for i in range(signals.shape[1]):
            frame.in_value[i] = signals[k & (SIGNALS - 1), i]
        frame.st_valid = -1
        rules.check(limits, timing, frame)


def policy_of(formulas: list[Formula]) -> Policy:
    return compile_document(document_of(formulas))


def signals_of(policy: Policy) -> tuple[Any, list[dict[str, bool]]]:
    """(values of all inputs float64 (SIGNALS, inputs), the same for reelay): runs of some 50 ticks."""
    chance = np.random.default_rng(4)
    table = np.zeros((SIGNALS, len(policy.inputs)))
    for name in NAMES:
        table[:, policy.input_index(name)] = np.cumsum(chance.random(SIGNALS) < 0.02) % 2
    return table, [{name: bool(row[policy.input_index(name)]) for name in NAMES} for row in table]


def compiled_ns(policy: Policy, signals: Any, gap: int = 1) -> float:
    """One tick of all rules, without the bench's own feeding. `gap`: periods between two ticks."""
    frame, plain = new_frames()[0], new_frames()[0]
    fed = nanoseconds_each(lambda n: feed_ticks(policy.timing, plain, signals, gap, n), TICKS)
    ruled = nanoseconds_each(lambda n: rule_ticks(policy.limits, policy.timing, frame, signals, gap, n), TICKS)
    return ruled - fed


def reelay_ns(formulas: list[Formula], rows: list[dict[str, bool]]) -> float:
    """One sample of all formulas, each in a monitor of its own."""
    monitors = [
        reelay.discrete_timed_monitor(pattern=reelay_pattern(formula), semantics="boolean", condense=False)
        for formula in formulas
    ]

    def samples(count: int) -> None:
        for k in range(count):
            for monitor in monitors:
                monitor.update(rows[k & (SIGNALS - 1)])

    return nanoseconds_each(samples, 500, 21)


def fullest() -> list[Formula]:
    """As many rules, nodes and memories as a policy may have."""
    inner = {"all": [{"not": windowed("once", P, 0, 100)}, Q]}
    return [{"not": windowed("once", inner, 0, 200)}] * RULES_MAX


def run() -> list[Section]:
    """One table."""
    ten = policy_of(TEN)
    signals, rows = signals_of(ten)
    tick, other = compiled_ns(ten, signals), reelay_ns(TEN, rows)
    full = policy_of(fullest())
    nodes = int(full.timing[T_RULES + RULE_NODE_COUNT])
    caught_up = compiled_ns(ten, signals, RULE_CATCH_UP_MAX + 1)
    table = [
        Row("10 rules, windows up to 2 s", tick, "ns", other, f"≤ 1/{TARGET} of reelay", tick * TARGET <= other),
        Row(f"10 rules, {RULE_CATCH_UP_MAX} periods missed before every tick", caught_up, "ns"),
        Row(f"{RULES_MAX} rules, {nodes} of {RULE_NODES_MAX} nodes", compiled_ns(full, signals_of(full)[0]), "ns"),
    ]
    note = (
        f"Median of {REPEATS} runs of {TICKS} ticks. One tick evaluates every rule twice, for the worst and for the "
        f"best that unknown values may be. reelay has {len(TEN)} monitors and takes a dictionary for each sample, as "
        "its Python interface wants it; it gets the comparisons ready-made."
    )
    return [Section("Rules over the recent past", "reelay on the same formulas and signals", tuple(table), note)]
