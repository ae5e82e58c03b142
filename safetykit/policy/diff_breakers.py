"""Whether a changed breaker or reaction allows more or less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from safetykit.core.vocabulary import Action, Fault, Until
from safetykit.policy.reactions import FLOOR
from safetykit.policy.schema_breakers import Reaction, first_action, last_action

# More of this key of a breaker allows more (+1) or less (-1); an absent one trips never, or heals never.
_MORE_ALLOWS = {"count": 1, "for_ms": 1, "window_ms": -1, "cool_down_s": -1, "widen_s": -1}
_MORE_ALLOWS |= {"trial_share": 1, "reopen_max": 1}
_ABSENT_IS_MOST = frozenset({"count", "for_ms", "window_ms"})
_LEVELS = ("latched", "self")  # from tight to loose


def breaker_changes(key: str, old: Any, new: Any) -> set[int]:
    """Which way one key of a breaker moved: +1 allows more, -1 allows less, 0 unclear."""
    if key == "action":
        return {_sign(_action(old, Action.PASS) - _action(new, Action.PASS))}
    if key == "at_action":
        most = Action.EMERGENCY_STOP
        return {_sign(_action(new, most) - _action(old, most))}
    if key in ("faults", "sources"):
        lost, gained = set(old) - set(new), set(new) - set(old)
        return {1} if lost and not gained else {-1} if gained and not lost else {0}
    if key == "level":
        return {_sign(_LEVELS.index(new) - _LEVELS.index(old))}
    if key in _MORE_ALLOWS and (key in _ABSENT_IS_MOST or None not in (old, new)):
        one, two = (float("inf") if value is None else float(value) for value in (old, new))
        return {_sign(two - one) * _MORE_ALLOWS[key]}
    return {0}


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _action(name: str | None, absent: Action) -> int:
    return absent if name is None else Action[name]


def reaction_changes(fault: str, old: Any, new: Any) -> set[int]:
    """The same of a whole reaction, written as a word or as plain data."""
    return set(_reaction_ways(Fault[fault], _entry(old), _entry(new)))


def _entry(plain: Any) -> str | Reaction:
    return plain if isinstance(plain, str) else Reaction.model_validate(plain)


def _reaction_ways(fault: Fault, old: str | Reaction, new: str | Reaction) -> Iterator[int]:
    times = sorted({0.0, _wait_s(old), _wait_s(new)})
    one, two = ([*_strictness(entry, FLOOR[fault], times)] for entry in (old, new))
    yield from (_sign(a - b) for a, b in zip(one, two, strict=True) if a != b)


def _wait_s(entry: str | Reaction) -> float:
    return 0.0 if isinstance(entry, str) else (entry.after_s or 0.0) + (entry.takeover_s or 0.0)


def _strictness(entry: str | Reaction, floor: Action, times_s: list[float]) -> Iterator[int]:
    """Action at these times, the same while the operator drives, and how long it stays: more allows less."""
    driven = isinstance(entry, Reaction) and entry.takeover_s is not None and entry.takeover == "allowed"
    for time_s in times_s:
        action = last_action(entry) if time_s >= _wait_s(entry) else first_action(entry, floor)
        yield from (action, floor if driven else action)
    if isinstance(entry, str):
        yield Until.RESET if entry == "DEGRADE" else Until.CLEARED
    else:
        yield Until[entry.until.upper()]
