"""Malformed rules over the recent past: (name, preset, edits, expected key path)."""

from __future__ import annotations

from typing import Any

from tests.unit.policy.places import Case, Q

FAST = {"input": "speed_mps", "min": 3}
HIGH = {"input": "altitude_m", "min": 20}
PUSH = {"asked": "vx_mps", "min": 1}


def case(name: str, formula: dict[str, Any], key: str, **more: Any) -> Case:
    """A rule that forbids `formula`; `key` below it is what is wrong."""
    return name, Q, {"rules.r": {"forbid": formula, "action": "RECOVER", **more}}, f"rules.r.forbid{key}"


def rule(name: str, made: dict[str, Any], key: str) -> Case:
    return name, Q, {"rules.r": made}, f"rules.r{key}"


def many(count: int, formula: dict[str, Any]) -> dict[str, Any]:
    """As many rules, each with a formula of its own."""
    rows = {}
    for k in range(count):
        different = {"all": [formula, {"asked": "vx_mps", "min": 0.1 + k / 100}]}
        rows[f"r{k}"] = {"forbid": different, "action": "RECOVER"}
    return rows


DEEP = {"any": [{"once": FAST, "within_s": 1}, {"historically": HIGH, "within_s": 1}]}

RULES: list[Case] = [
    rule("a rule that demands nothing", {"action": "RECOVER"}, ""),
    rule("a rule that demands two things", {"require": FAST, "forbid": HIGH, "action": "RECOVER"}, ""),
    rule("a rule with an if only", {"if": FAST, "action": "RECOVER"}, ""),
    rule("a rule without an action", {"forbid": FAST}, ".action"),
    rule("a rule that only clamps", {"forbid": FAST, "action": "CLAMP"}, ".action"),
    rule("a rule that does nothing", {"forbid": FAST, "action": "PASS"}, ".action"),
    rule("a rule with an action that is not one", {"forbid": FAST, "action": "LAND"}, ".action"),
    rule("a rule with an unknown key", {"forbid": FAST, "action": "RECOVER", "unless": HIGH}, ".unless"),
    case("a formula without a form", {"min": 3}, ""),
    case("an empty formula", {}, ""),
    case("a formula of two forms", {**FAST, "inside": "home"}, ""),
    case("a formula with an unknown key", {**FAST, "above": 3}, ".above"),
    case("a formula that is a word", {"not": "engaged"}, ".not"),
    case("an input that nothing declares", {"input": "sped_mps", "min": 3}, ".input"),
    case("a channel that nothing declares", {"asked": "speed_mps", "min": 3}, ".asked"),
    case("a sent channel that nothing declares", {"sent": "v_mps", "min": 3}, ".sent"),
    case("a zone that nothing declares", {"inside": "hom"}, ".inside"),
    case("an outer zone that nothing declares", {"outside": "hom"}, ".outside"),
    case("a state that is none", {"state": "flying"}, ".state"),
    case("a comparison without numbers", {"input": "speed_mps"}, ""),
    case("an ask without numbers", {"asked": "vx_mps"}, ""),
    case("a comparison beyond the input", {"input": "speed_mps", "min": 1e6}, ".min"),
    case("a comparison that covers the input", {"input": "speed_mps", "min": -1e6}, ".min"),
    case("a range of asks reversed", {"asked": "vx_mps", "min": 3, "max": 2}, ".min"),
    case("a value that is never sent", {"sent": "vx_mps", "min": 5.1}, ".min"),
    case("a low value that is never sent", {"sent": "vx_mps", "max": -5.1}, ".max"),
    case("a value that is always sent", {"sent": "vx_mps", "min": -5, "max": 6}, ""),
    case("a range on a zone", {"inside": "home", "max": 3}, ".max"),
    case("a window on a comparison", {**FAST, "within_s": 1}, ".within_s"),
    case("a from without since", {"once": FAST, "from": HIGH, "within_s": 1}, ".from"),
    case("a since without from", {"since": FAST, "within_s": 1}, ".from"),
    case("once without a window", {"once": FAST}, ".within_s"),
    case("historically without a window", {"historically": FAST, "after_s": 1}, ".within_s"),
    case("since without a window", {"since": FAST, "from": HIGH}, ".within_s"),
    case("a window of less than a period", {"once": FAST, "within_s": 0.001}, ".within_s"),
    case("a window of one and a half periods", {"once": FAST, "within_s": 0.015}, ".within_s"),
    case("a window that begins between periods", {"once": FAST, "within_s": 1, "after_s": 0.015}, ".after_s"),
    case("a window that ends before it begins", {"once": FAST, "within_s": 1, "after_s": 2}, ".after_s"),
    case("a window that begins too long ago", {"once": FAST, "within_s": 80, "after_s": 60}, ".after_s"),
    case("a window longer than a day", {"once": FAST, "within_s": 1e6}, ".within_s"),
    case("a list of one", {"all": [FAST]}, ".all"),
    case("a list with the same twice", {"any": [FAST, HIGH, FAST]}, ".any[2]"),
    case("not not", {"not": {"not": FAST}}, ".not.not"),
    case("what cannot be at once", {"all": [FAST, {"input": "speed_mps", "max": 2}]}, ""),
    case("what always is one or the other", {"any": [FAST, {"input": "speed_mps", "max": 3}]}, ""),
    case("one thing and its opposite", {"all": [HIGH, {"not": HIGH}]}, ""),
    case("in and out of a zone", {"any": [{"inside": "home"}, {"outside": "home"}]}, ""),
    case("two states at once", {"all": [{"state": "engaged"}, {"state": "recovery"}]}, ""),
    case(
        "a window over what never is", {"once": {"all": [PUSH, {"asked": "vx_mps", "max": 0}]}, "within_s": 1}, ".once"
    ),
    case("the same memory and its opposite", {"all": [DEEP, {"not": DEEP}]}, ""),
    case("below and not above what is sent", {"all": [{"sent": "vx_mps", "min": 1}, {"sent": "vx_mps", "max": 0}]}, ""),
    rule("a rule that cannot be broken", {"if": FAST, "require": FAST, "action": "RECOVER"}, ""),
    rule("an if that never is", {"if": {"all": [PUSH, {"not": PUSH}]}, "forbid": FAST, "action": "HOLD"}, ".if"),
    ("too many rules", Q, {"rules": many(17, FAST)}, "rules"),
    (
        "a reaction to rules",
        Q,
        {"rules.r": {"forbid": FAST, "action": "HOLD"}, "reactions.RULE": "HOLD"},
        "reactions.RULE",
    ),
    (
        "a breaker on rules without rules",
        Q,
        {"breakers.r": {"faults": ["RULE"], "count": 1, "window_ms": 500, "action": "RECOVER"}},
        "breakers.r.faults[0]",
    ),
]
