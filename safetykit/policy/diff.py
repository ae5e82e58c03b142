"""What differs between two policies in meaning, and whether the new one allows more or less.

`looser`: something is allowed that was not. `tighter`: something is no longer allowed. `other`: neither, or not
decidable from this key alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any, Literal

from safetykit.core.vocabulary import Action
from safetykit.policy.compile import Policy
from safetykit.policy.fill_logic import reactions_of
from safetykit.policy.paths import Path, dotted
from safetykit.policy.polygons import space_left
from safetykit.policy.reactions import BREAKERS
from safetykit.policy.schema import PolicyDocument, Zone

Verdict = Literal["looser", "tighter", "other"]

# The last key of a path: does more of it allow more (+1) or less (-1)?
_MORE_ALLOWS: dict[str, int] = {
    **dict.fromkeys(("max", "above", "delta", "error", "allowance", "norm", "degraded_scale", "ceiling_m"), 1),
    **dict.fromkeys(("rate_up_per_s", "rate_down_per_s", "jerk_per_s2", "norm_rate_per_s"), 1),
    **dict.fromkeys(("rate_away_from_zero_per_s", "rate_towards_zero_per_s", "accel_mps2", "jerk_mps3"), 1),
    **dict.fromkeys(("command_late_ms", "command_stale_ms", "command_future_ms", "command_lost_max"), 1),
    **dict.fromkeys(("dt_max_ms", "age_ms", "future_ms", "for_ms", "drop_ms_max", "count", "within_s"), 1),
    **dict.fromkeys(("min", "below", "gain", "up_ms_min", "window_ms", "speed_min_mps"), -1),
    **dict.fromkeys(("needed", "hold_to_run"), -1),
}
_SAMPLES = {"lead": 1, "oppose": -1}  # more samples widen the measured extremes, but see more of the driver
_ABSENT_ALLOWS = frozenset({"slew", "lead", "oppose", "lateral", "request", "follow"})
_WORDS: dict[str, tuple[str, ...]] = {  # from tight to loose
    "on_violation": ("reject", "clamp"),
    "until": ("engaged_again", "released"),
    "device": ("microcontroller", "button", "none"),
}
_FUNCTION_RANK = {"never": 0, "always": 2}
_MISSING: Any = object()


@dataclass(frozen=True)
class Difference:
    """One key that differs; None stands for a key that is absent."""

    key: str
    before: Any
    after: Any
    verdict: Verdict


def differences(before: Policy, after: Policy) -> list[Difference]:
    """Everything that differs, in the order of the document."""
    old, new = before.document.model_dump(mode="json"), after.document.model_dump(mode="json")
    for plain, policy in ((old, before), (new, after)):
        plain["reactions"] = {
            fault.name: action.name for fault, action in reactions_of(policy.document).items() if fault not in BREAKERS
        }  # a breaker's action is shown with the breaker
    found = [
        Difference(dotted(path), _shown(one), _shown(two), _verdict(path, one, two, before.document, after.document))
        for path, one, two in _walk((), old, new)
    ]
    return [*found, *_orders(before, after)]


def _shown(value: Any) -> Any:
    """Without keys that say nothing."""
    if isinstance(value, Mapping):
        return {key: _shown(part) for key, part in value.items() if part is not None}
    return None if value is _MISSING else value


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    """Leaves that differ. Tables, lists and zones are compared as a whole."""
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping) and not _is_whole(path, old, new):
        keys = [*old, *(key for key in new if key not in old)]
        for key in keys:
            yield from _walk((*path, key), old.get(key, _MISSING), new.get(key, _MISSING))
    elif path[:1] == ("recovery",) and isinstance(old, list) and isinstance(new, list):
        for index, (one, two) in enumerate(zip_longest(old, new, fillvalue=_MISSING)):
            yield from _walk((*path, index), one, two)
    else:
        yield path, old, new


def _is_whole(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "points" in old or "points" in new or (len(path) == 2 and path[0] in ("zones", "functions"))


def _orders(before: Policy, after: Policy) -> Iterator[Difference]:
    """The order gives the numbers on the wire and in the log."""
    for what in ("channels", "inputs", "functions", "zones"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new and set(old) == set(new):
            yield Difference(f"order of {what}", list(old), list(new), "other")


def _verdict(path: Path, old: Any, new: Any, before: PolicyDocument, after: PolicyDocument) -> Verdict:
    head, key = path[0], path[-1]
    if head in ("format", "name", "version", "vehicle", "description", "recovery"):
        return "other"
    if head == "reactions" or (head == "breakers" and key == "action"):
        return _by_action(old, new)
    if head in ("breakers", "zones", "functions") and len(path) == 2:
        return _by_entry(str(head), str(key), old, new, before, after)
    if path[:2] == ("permission", "overrides") and len(path) == 3:
        return _by_presence(old, new, present_allows=-1)
    if key in _ABSENT_ALLOWS and None in (old, new):
        return _by_presence(old, new, present_allows=-1)
    if key in ("reset_needs", "faults"):
        return _by_members(old, new)
    if key == "channels" and path[:2] == ("permission", "overrides"):
        return _by_members(_scope(old, before), _scope(new, after))
    if key in _WORDS and {old, new} <= set(_WORDS[str(key)]):
        return _by_rank(_WORDS[str(key)].index(old), _WORDS[str(key)].index(new))
    if key == "samples":
        return _by_number(old, new, _SAMPLES[str(path[-2])])
    if key in _MORE_ALLOWS and _MISSING not in (old, new):
        return _by_number(old, new, _MORE_ALLOWS[str(key)])
    return "other"


def _by_rank(old: int, new: int) -> Verdict:
    """A higher rank allows more."""
    if old == new:
        return "other"
    return "looser" if new > old else "tighter"


def _by_action(old: Any, new: Any) -> Verdict:
    return _by_rank(-Action[old], -Action[new])


def _by_presence(old: Any, new: Any, present_allows: int) -> Verdict:
    """Something that is only there in one of the two."""
    was, is_now = old not in (None, _MISSING), new not in (None, _MISSING)
    return _by_rank(was * present_allows, is_now * present_allows)


def _by_members(old: list[Any], new: list[Any]) -> Verdict:
    """Lists in which every member takes something away."""
    lost, gained = [item for item in old if item not in new], [item for item in new if item not in old]
    if bool(lost) == bool(gained):
        return "other"
    return "looser" if lost else "tighter"


def _scope(channels: Any, document: PolicyDocument) -> list[Any]:
    return list(document.channels) if channels == "all" else list(channels)


def _by_number(old: Any, new: Any, more_allows: int) -> Verdict:
    """Constants or tables; an absent limit allows everything."""
    pairs = list(_values(old, new))
    grows = any(two > one for one, two in pairs)
    shrinks = any(two < one for one, two in pairs)
    if grows == shrinks:
        return "other"
    return "looser" if grows == (more_allows > 0) else "tighter"


def _values(old: Any, new: Any) -> Iterator[tuple[float, float]]:
    """Both limits at every point where one of them bends."""
    over = {limit["over"] for limit in (old, new) if isinstance(limit, Mapping)}
    if len(over) > 1:  # different inputs cannot be compared: neither more nor less
        yield from ((0.0, 1.0), (1.0, 0.0))
        return
    bends = {x for limit in (old, new) if isinstance(limit, Mapping) for x, _ in limit["points"]} or {0.0}
    for x in sorted(bends):
        yield _at(old, x), _at(new, x)


def _at(limit: Any, x: float) -> float:
    if limit is None:
        return float("inf")
    if not isinstance(limit, Mapping):
        return float(limit)
    points = limit["points"]
    if x <= points[0][0]:
        return float(points[0][1])
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return float(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
    return float(points[-1][1])


def _by_entry(section: str, name: str, old: Any, new: Any, before: PolicyDocument, after: PolicyDocument) -> Verdict:
    """A whole breaker, function or zone."""
    if section == "breakers":
        return _by_presence(old, new, present_allows=-1)
    if section == "functions":
        return _by_function(old, new)
    if _MISSING in (old, new):
        rule = (new if old is _MISSING else old)["rule"]
        if rule == "condition":
            return "other"
        if rule == "keep_out":
            return _by_presence(old, new, present_allows=-1)
        others = [zone for key, zone in before.zones.items() if zone.rule == "keep_in" and key != name]
        return _by_presence(old, new, present_allows=1 if others else -1)  # the first fence restricts, a second adds
    return _by_zone(before.zones[name], after.zones[name])


def _by_function(old: Any, new: Any) -> Verdict:
    """An absent function is refused, like one that is never granted."""
    one, two = ("never" if value is _MISSING else value for value in (old, new))
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return _by_members(one["when"], two["when"])
    ranks = [1 if isinstance(value, Mapping) else _FUNCTION_RANK[value] for value in (one, two)]
    return _by_rank(ranks[0], ranks[1])


def _by_zone(old: Zone, new: Zone) -> Verdict:
    if old.rule != new.rule or old.rule == "condition":
        return "other"
    grows = space_left(new.corners_m, [old.corners_m])
    shrinks = space_left(old.corners_m, [new.corners_m])
    for key, outward in (("floor_m", -1), ("ceiling_m", 1)):
        one, two = (
            getattr(zone, key) if getattr(zone, key) is not None else outward * float("inf") for zone in (old, new)
        )
        grows |= (two - one) * outward > 0 if one != two else False
        shrinks |= (two - one) * outward < 0 if one != two else False
    if grows == shrinks:
        return "other"
    return "looser" if grows == (old.rule == "keep_in") else "tighter"
