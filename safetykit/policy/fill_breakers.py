"""Fills the blocks of the circuit breakers and of the reactions that need state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as at
from safetykit.core.columns import breakers as col
from safetykit.core.vocabulary import Action, Fault, Until
from safetykit.policy.reactions import DEFAULT, FLOOR
from safetykit.policy.rows import ms_to_ns, to_ns
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_breakers import VEHICLE, Breaker, Reaction, first_action, last_action

Limits = NDArray[np.float64]
Times = NDArray[np.int64]


def fill(document: PolicyDocument, limits: Limits, timing: Times) -> None:
    """Write all blocks."""
    for number, breaker in enumerate(document.breakers.values()):
        _breaker(number, breaker, document, limits, timing)
    rows = [(Fault[name], entry) for name, entry in document.reactions.items() if isinstance(entry, Reaction)]
    timing[at.T_REACTIONS + col.REACTION_COUNT] = len(rows)
    timing[at.T_REACTIONS + col.REACTION_FAULTS] = sum(1 << fault for fault, _ in rows)
    for number, (fault, entry) in enumerate(rows):
        _reaction(at.T_REACTION + number * col.REACTION_COLS_I, fault, entry, document, timing)
    for fault, action in first_actions(document).items():
        timing[at.T_ACTION + action] |= 1 << fault


def reactions_of(document: PolicyDocument) -> dict[Fault, Action]:
    """The action of every fault in the end: default or as written."""
    return DEFAULT | {Fault[name]: last_action(entry) for name, entry in document.reactions.items()}


def first_actions(document: PolicyDocument) -> dict[Fault, Action]:
    """The action of every fault in its first tick."""
    written = {Fault[name]: entry for name, entry in document.reactions.items()}
    return DEFAULT | {fault: first_action(entry, FLOOR[fault]) for fault, entry in written.items()}


def _breaker(number: int, breaker: Breaker, document: PolicyDocument, limits: Limits, timing: Times) -> None:
    row = at.T_BREAKER + number * col.BREAKER_COLS_I
    voters = [] if document.commands is None else document.commands.voters
    timing[row + col.BREAKER_MASK] = sum(1 << Fault[name] for name in breaker.faults)
    timing[row + col.BREAKER_K] = breaker.count or 0
    timing[row + col.BREAKER_WINDOW_NS] = ms_to_ns(breaker.window_ms or 0.0)
    timing[row + col.BREAKER_ACTION] = Action.PASS if breaker.action is None else Action[breaker.action]
    timing[row + col.BREAKER_OF] = -1 if breaker.of == VEHICLE else voters.index(breaker.of)
    timing[row + col.BREAKER_SEVERITY] = col.NO_SEVERITY if breaker.at_action is None else Action[breaker.at_action]
    timing[row + col.BREAKER_SOURCES] = sum(1 << list(document.sources).index(name) for name in breaker.sources)
    timing[row + col.BREAKER_LOST_NS] = ms_to_ns(breaker.for_ms or 0.0)
    timing[row + col.BREAKER_LATCHED] = int(breaker.level == "latched")
    timing[row + col.BREAKER_COOL_NS] = to_ns(breaker.cool_down_s or 0.0)
    timing[row + col.BREAKER_WIDEN_NS] = to_ns(breaker.widen_s or 0.0)
    timing[row + col.BREAKER_REOPEN_MAX] = breaker.reopen_max or 0
    limits[at.L_BREAKER + number * col.BREAKER_COLS + col.BREAKER_SHARE] = breaker.trial_share or 0.0


def _reaction(row: int, fault: Fault, entry: Reaction, document: PolicyDocument, timing: Times) -> None:
    driven = entry.takeover_s is not None and entry.takeover == "allowed" and document.manual is not None
    timing[row + col.REACTION_FAULT] = 1 << fault
    timing[row + col.REACTION_ACTION] = Action[entry.action]
    timing[row + col.REACTION_AFTER_NS] = to_ns(entry.after_s or 0.0)
    timing[row + col.REACTION_TAKEOVER_NS] = to_ns(entry.takeover_s or 0.0)
    timing[row + col.REACTION_MEANWHILE] = first_action(entry, FLOOR[fault])
    timing[row + col.REACTION_DRIVEN] = FLOOR[fault] if driven else -1
    timing[row + col.REACTION_UNTIL] = Until[entry.until.upper()]
