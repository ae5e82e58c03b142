"""Circuit breakers and reactions as cells for a person."""

from __future__ import annotations

from collections.abc import Iterator

from safetykit.core.vocabulary import Fault
from safetykit.policy.fill_breakers import first_actions, reactions_of
from safetykit.policy.reactions import DEFAULT
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_breakers import Breaker, Reaction

BREAKER_HEADS = ("breaker", "of", "trips on", "action", "closed by")
REACTION_HEADS = ("fault", "action", "default", "after", "meanwhile", "until")


def breaker_rows(document: PolicyDocument) -> Iterator[tuple[str | None, ...]]:
    """One row for each breaker, cells in the order of BREAKER_HEADS."""
    for name, breaker in document.breakers.items():
        yield name, breaker.of, "; or ".join(_causes(breaker)), breaker.action, _closed_by(breaker)


def _causes(breaker: Breaker) -> Iterator[str]:
    if breaker.count is not None:
        within = "since the reset" if breaker.window_ms is None else f"within {breaker.window_ms:g} ms"
        yield f"{breaker.count} ticks {within}: {', '.join(breaker.faults)}"
    if breaker.at_action is not None:
        yield f"an action of {breaker.at_action} or worse"
    if breaker.sources:
        yield f"loss of {' or '.join(breaker.sources)} for {breaker.for_ms:g} ms"


def _closed_by(breaker: Breaker) -> str:
    if breaker.level == "latched":
        return "a reset"
    share = "" if breaker.trial_share is None else f" from {breaker.trial_share:g} of the envelope"
    return (
        f"a trial after {breaker.cool_down_s:g} s{share}, {breaker.widen_s:g} s long; "
        f"latched after {breaker.reopen_max} failed trials and one more"
    )


def reaction_rows(document: PolicyDocument) -> Iterator[tuple[str | None, ...]]:
    """One row for each fault, cells in the order of REACTION_HEADS."""
    first = first_actions(document)
    for fault, action in reactions_of(document).items():
        if fault in (Fault.BREAKER, Fault.RULE):
            continue
        default = None if action == DEFAULT[fault] else DEFAULT[fault].name
        entry = document.reactions.get(fault.name)
        waiting: tuple[str | None, ...] = (None, None, None)
        if isinstance(entry, Reaction):
            meanwhile = None if first[fault] == action else first[fault].name
            waiting = (_after(entry), meanwhile, None if entry.until == "cleared" else entry.until.replace("_", " "))
        yield fault.name, action.name, default, *waiting


def _after(entry: Reaction) -> str | None:
    parts = [f"{entry.after_s:g} s"] if entry.after_s is not None else []
    if entry.takeover_s is not None:
        never = ", even while the operator drives" if entry.takeover == "never" else ""
        parts.append(f"{entry.takeover_s:g} s announced{never}")
    return ", then ".join(parts) or None
