"""Whether a changed rule allows more or less: a formula that is true more often than another, seen from its shape.

Only formulas of the same shape are compared, number by number. A longer list, a wider range, a longer window: each
makes its own formula true more often or less often, and `not` turns that round.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What more of this number does to its own formula: true more often (+1) or less often (-1).
_LONGER = {"once": 1, "since": 1, "historically": -1}


def changes(path: tuple[str | int, ...], old: Any, new: Any) -> set[int]:
    """Which way a rule moved: +1 allows more, -1 allows less, 0 unclear. `path` is (rules, name, key of the formula).

    `old` and `new` are formulas as plain data, None for an absent one.
    """
    key = path[-1]
    if old is None or new is None:  # only `if` may come and go without a change of the kind of rule
        return {-1 if new is None else 1} if key == "if" else {0}
    allows = 1 if key == "require" else -1  # `if` and `forbid`: true more often, broken more often
    return {allows * way for way in _ways(old, new)}


def _ways(old: dict[str, Any], new: dict[str, Any]) -> Iterator[int]:
    """+1: true more often than before, -1: less often, 0: another thing altogether."""
    if old == new:
        return
    one, two = ({key for key in part if key not in ("min", "max", "after_s")} for part in (old, new))
    if one != two:
        yield 0
        return
    for key in one:
        if key in ("all", "any"):
            yield from _lists(old[key], new[key], 1 if key == "any" else -1)
        elif key == "not":
            yield from (-way for way in _ways(old[key], new[key]))
        elif isinstance(old[key], dict):
            yield from _ways(old[key], new[key])
        elif key != "within_s" and old[key] != new[key]:
            yield 0
    yield from _range(old, new)
    yield from _window(old, new)


def _lists(old: list[Any], new: list[Any], longer: int) -> Iterator[int]:
    gained, lost = [part for part in new if part not in old], [part for part in old if part not in new]
    if len(gained) == len(lost):
        for one, two in zip(lost, gained, strict=True):
            yield from _ways(one, two)
    elif not gained or not lost:
        yield longer if gained else -longer
    else:
        yield 0


def _range(old: dict[str, Any], new: dict[str, Any]) -> Iterator[int]:
    infinite = float("inf")
    for key, outward in (("min", -1), ("max", 1)):
        one, two = (part.get(key, outward * infinite) for part in (old, new))
        if one != two:
            yield outward if two > one else -outward


def _window(old: dict[str, Any], new: dict[str, Any]) -> Iterator[int]:
    form = next((form for form in _LONGER if form in old), None)
    if form is None:
        return
    for key, grows in (("within_s", 1), ("after_s", -1)):
        one, two = (part.get(key, 0.0) for part in (old, new))
        if one != two:
            yield _LONGER[form] * (grows if two > one else -grows)
