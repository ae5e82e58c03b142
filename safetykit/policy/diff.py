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
from safetykit.policy import diff_rules, shapes
from safetykit.policy.compile import Policy
from safetykit.policy.diff_breakers import breaker_changes, reaction_changes
from safetykit.policy.paths import Path, dotted
from safetykit.policy.reactions import DEFAULT
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_zones import Zone

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
    **dict.fromkeys(("vote_tolerance", "align_ms", "disagree_ms", "late_ms", "stale_ms", "tolerance"), 1),
    **dict.fromkeys(("energy", "deadband", "factor", "floor", "tau_s", "error_share"), 1),
    "confirm": -1,
}
# ... where the same key means another thing elsewhere: by section and last key
_MORE_ALLOWS_IN: dict[tuple[str, str], int] = {
    **dict.fromkeys((("rss", key) for key in ("brake_mps2_min", "brake_mps2_min_correct")), 1),
    ("rss", "lateral_brake_mps2_min"): 1,
    **dict.fromkeys((("rss", key) for key in ("response_s", "accel_mps2_max", "brake_mps2_max", "speed_mps_max")), -1),
    **dict.fromkeys((("rss", key) for key in ("others_speed_mps_max", "lateral_accel_mps2_max")), -1),
    **dict.fromkeys((("rss", key) for key in ("lateral_margin_m", "length_m", "width_m")), -1),
    **dict.fromkeys((("objects", key) for key in ("count_max", "distance_m_max", "speed_mps_max")), 1),
    **dict.fromkeys((("collision", key) for key in ("radius_m", "ttc_s_min", "clearance_m")), -1),
    ("collision", "decel_mps2_max"): 1,
    **dict.fromkeys((("motion", key) for key in ("brake_mps2", "speed_mps_max", "gain_per_s", "tilt_rad_max")), 1),
    **dict.fromkeys((("motion", key) for key in ("latency_ms", "factor", "wind_mps", "margin_m", "floor_m")), -1),
}
_SAMPLES = {"lead": 1, "oppose": -1}  # more samples widen the measured extremes, but see more of the driver
_ABSENT_ALLOWS = frozenset(
    {"slew", "lead", "oppose", "lateral", "request", "follow", "outlier", "oscillation", "ttc_s_min", "clearance_m"}
)
_WORDS: dict[str, tuple[str, ...]] = {  # from tight to loose
    "on_violation": ("reject", "clamp"),
    "until": ("engaged_again", "released"),
    "device": ("microcontroller", "button", "none"),
}
# A person may do more; a model may object; objects are kept clear of
_SECTION_ALLOWS = {"manual": 1, "shadow": -1, "objects": -1, "rss": -1, "collision": -1}
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
    for plain in (old, new):
        plain["reactions"] = {fault.name: action.name for fault, action in DEFAULT.items()} | plain["reactions"]
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
    depth = {"zones": 2, "functions": 2, "rules": 3, "reactions": 2}.get(str(path[0])) if path else None
    return "points" in old or "points" in new or len(path) == depth


def _orders(before: Policy, after: Policy) -> Iterator[Difference]:
    """The order gives the numbers on the wire and in the log."""
    for what in ("channels", "inputs", "functions", "zones", "rules"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new and set(old) == set(new):
            yield Difference(f"order of {what}", list(old), list(new), "other")


def _verdict(path: Path, old: Any, new: Any, before: PolicyDocument, after: PolicyDocument) -> Verdict:
    head, key = path[0], path[-1]
    if head in ("format", "name", "version", "vehicle", "description", "recovery"):
        return "other"
    if head in _SECTION_ALLOWS and (len(path) == 1 or (path[:2] == ("shadow", "map") and len(path) == 3)):
        return _by_presence(old, new, present_allows=_SECTION_ALLOWS[str(head)])
    if path[:2] == ("manual", "take"):
        return "other"
    if key == "overrules":
        return _by_members(new, old)  # every member gives something away
    if head == "reactions":
        return _by_changes(reaction_changes(str(key), old, new))
    if head == "breakers" and len(path) > 2 and _MISSING not in (old, new):
        return _by_changes(breaker_changes(str(key), old, new))
    if head in ("breakers", "zones", "functions") and len(path) == 2:
        return _by_entry(str(head), str(key), old, new, before, after)
    if path[:2] == ("permission", "overrides") and len(path) == 3:
        return _by_presence(old, new, present_allows=-1)
    if head == "rules":
        return _by_rule(path, old, new)
    if head in ("agree", "integrity", "stuck") and len(path) == 2:
        return _by_presence(old, new, present_allows=-1)
    if key in _ABSENT_ALLOWS and None in (old, new):
        return _by_presence(old, new, present_allows=-1)
    if key in ("reset_needs", "faults", "checks"):
        return _by_members(old, new)
    if key == "channels" and path[:2] == ("permission", "overrides"):
        return _by_members(_scope(old, before), _scope(new, after))
    if key in _WORDS and {old, new} <= set(_WORDS[str(key)]):
        return _by_rank(_WORDS[str(key)].index(old), _WORDS[str(key)].index(new))
    if key == "samples":
        return _by_number(old, new, _SAMPLES[str(path[-2])])
    if (head, key) in _MORE_ALLOWS_IN and _MISSING not in (old, new):
        return _by_number(old, new, _MORE_ALLOWS_IN[str(head), str(key)])
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


def _by_rule(path: Path, old: Any, new: Any) -> Verdict:
    """A whole rule, its action, or one of its formulas."""
    if len(path) == 2:
        return _by_presence(old, new, present_allows=-1)
    if path[-1] == "action":
        return _by_action(old, new)
    if path[-1] == "description":
        return "other"
    one, two = (None if value is _MISSING else value for value in (old, new))
    ways = diff_rules.changes(path, one, two)
    return "looser" if ways == {1} else "tighter" if ways == {-1} else "other"


def _by_changes(ways: set[int]) -> Verdict:
    """+1 allows more, -1 allows less; anything mixed or unclear is other."""
    return _by_rank(0, ways.pop()) if len(ways) == 1 else "other"


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
        if rule in ("keep_out", "speed"):
            return _by_presence(old, new, present_allows=-1)
        others = [zone for key, zone in before.zones.items() if zone.rule == "keep_in" and key != name]
        return _by_presence(old, new, present_allows=1 if others else -1)  # the first fence restricts, a second adds
    return _by_zone(name, before, after)


def _by_function(old: Any, new: Any) -> Verdict:
    """An absent function is refused, like one that is never granted."""
    one, two = ("never" if value is _MISSING else value for value in (old, new))
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return _by_members(one["when"], two["when"])
    ranks = [1 if isinstance(value, Mapping) else _FUNCTION_RANK[value] for value in (one, two)]
    return _by_rank(ranks[0], ranks[1])


def _by_zone(name: str, before: PolicyDocument, after: PolicyDocument) -> Verdict:
    """What the zone covers, and how close and how fast one may come."""
    old, new = before.zones[name], after.zones[name]
    if old.rule != new.rule or old.rule == "condition":
        return "other"
    covered, covers = (shapes.polygon(one.zones[name], one.origin) for one in (before, after))
    grows, shrinks = shapes.left_over(covers, [covered]), shapes.left_over(covered, [covers])
    for key, outward in (("floor_m", -1), ("ceiling_m", 1)):
        change = (_height(new, key) - _height(old, key)) * outward if _height(new, key) != _height(old, key) else 0.0
        grows |= change > 0
        shrinks |= change < 0
    nearer = [grows, shrinks] if old.rule == "keep_in" else [shrinks, grows]
    for key, more_allows in (("ahead_m", -1), ("speed_mps_max", 1), ("excess_mps", 1)):
        change = ((getattr(new, key) or 0.0) - (getattr(old, key) or 0.0)) * more_allows
        nearer[0] |= change > 0
        nearer[1] |= change < 0
    if nearer[0] == nearer[1]:
        return "other"
    return "looser" if nearer[0] else "tighter"


def _height(zone: Zone, key: str) -> float:
    height: float | None = getattr(zone, key)
    return height if height is not None else float("-inf" if key == "floor_m" else "inf")
