"""Malformed circuit breakers and reactions: (name, preset, edits, expected key path)."""

from __future__ import annotations

from tests.unit.policy.edits import DELETE
from tests.unit.policy.places import Case, Q

G, F = "breakers.garbage", "breakers.too_fast"
LATE, SENDER = "reactions.COMMAND_LATE", "reactions.SENDER"
VOTE = {
    "commands": {"voters": ["first", "second"], "needed": 2, "align_ms": 20, "disagree_ms": 100},
    **{f"channels.{name}.vote_tolerance": 0.1 for name in ("vx_mps", "vy_mps", "vz_mps", "yaw_rate_radps")},
}
OF_SENDER = {"of": "second", "faults": ["COMMAND_NONFINITE"], "count": 3, "window_ms": 1000}
SELF = {"level": "self", "cool_down_s": 5, "widen_s": 20, "reopen_max": 3}


def sender(**changed: object) -> dict[str, object]:
    return {**VOTE, "breakers.second": {**OF_SENDER, **changed}}


BREAKERS: list[Case] = [
    ("breaker without a cause", Q, {"breakers.x": {"action": "RECOVER"}}, "breakers.x"),
    ("breaker without an action", Q, {f"{G}.action": DELETE}, f"{G}.action"),
    ("breaker with faults but no count", Q, {f"{G}.count": DELETE, f"{G}.window_ms": DELETE}, f"{G}.count"),
    ("breaker with a count but no faults", Q, {f"{G}.faults": DELETE}, f"{G}.faults"),
    ("breaker with a window but no count", Q, {f"{G}.count": DELETE}, f"{G}.count"),
    ("breaker counts more than it remembers", Q, {f"{G}.count": 70, f"{G}.window_ms": 5000}, f"{G}.count"),
    ("breaker with a time but no source", Q, {f"{G}.for_ms": 100}, f"{G}.sources"),
    ("breaker with a source but no time", Q, {f"{G}.sources": ["operator"]}, f"{G}.for_ms"),
    ("breaker of an unknown source", Q, {f"{G}.sources": ["oprator"], f"{G}.for_ms": 100}, f"{G}.sources[0]"),
    (
        "breaker of a source twice",
        Q,
        {f"{G}.sources": ["operator", "operator"], f"{G}.for_ms": 100},
        f"{G}.sources[1]",
    ),
    ("breaker trips on no trouble", Q, {f"{G}.at_action": "PASS"}, f"{G}.at_action"),
    ("breaker trips on its own action", Q, {f"{G}.at_action": "RECOVER"}, f"{G}.at_action"),
    ("breaker of an unknown sender", Q, {**VOTE, f"{G}.of": "third"}, f"{G}.of"),
    ("breaker of a sender without a vote", Q, {f"{G}.of": "first"}, f"{G}.of"),
    ("sender trips on severity", Q, sender(at_action="RECOVER"), "breakers.second.at_action"),
    ("sender with an envelope", Q, sender(**SELF, trial_share=0.5), "breakers.second.trial_share"),
    ("sender with a source", Q, sender(sources=["operator"], for_ms=100), "breakers.second.sources"),
    ("sender with a fault of the vehicle", Q, sender(faults=["BOUND"]), "breakers.second.faults[0]"),
    ("latched breaker that cools down", Q, {f"{G}.cool_down_s": 5}, f"{G}.cool_down_s"),
    ("latched breaker with trials", Q, {f"{G}.reopen_max": 5}, f"{G}.reopen_max"),
    ("breaker heals without cooling down", Q, {f"{F}.cool_down_s": DELETE}, f"{F}.cool_down_s"),
    ("breaker heals without a share", Q, {f"{F}.trial_share": DELETE}, f"{F}.trial_share"),
    ("breaker heals without widening", Q, {f"{F}.widen_s": DELETE}, f"{F}.widen_s"),
    ("breaker heals without end", Q, {f"{F}.reopen_max": DELETE}, f"{F}.reopen_max"),
    ("breaker heals and never forgets", Q, {f"{F}.window_ms": DELETE}, f"{F}.window_ms"),
    ("breaker heals from a stop", Q, {f"{F}.action": "PROTECTIVE_STOP"}, f"{F}.action"),
    ("breaker cools down within a tick", Q, {f"{F}.cool_down_s": 0.005}, f"{F}.cool_down_s"),
    ("breaker widens within a tick", Q, {f"{F}.widen_s": 0.005}, f"{F}.widen_s"),
    ("breaker share zero", Q, {f"{F}.trial_share": 0}, f"{F}.trial_share"),
    ("breaker level unknown", Q, {f"{F}.level": "manual"}, f"{F}.level"),
    ("reaction without an action", Q, {LATE: {"after_s": 1}}, f"{LATE}.action"),
    ("reaction is a number", Q, {LATE: 3}, LATE),
    ("reaction milder in the end", Q, {"reactions.COMMAND_SIZE": {"action": "CLAMP"}}, "reactions.COMMAND_SIZE"),
    (
        "reaction milder meanwhile",
        Q,
        {"reactions.COMMAND_SIZE": {"action": "RECOVER", "after_s": 1, "meanwhile": "CLAMP"}},
        "reactions.COMMAND_SIZE.meanwhile",
    ),
    (
        "a button that waits",
        Q,
        {"reactions.STOP_BUTTON": {"action": "EMERGENCY_STOP", "after_s": 1}},
        "reactions.STOP_BUTTON.after_s",
    ),
    (
        "a stop request that is announced",
        Q,
        {"reactions.STOP_REQUEST": {"action": "PROTECTIVE_STOP", "takeover_s": 1}},
        "reactions.STOP_REQUEST.takeover_s",
    ),
    ("reaction over within a tick", Q, {SENDER: {"action": "RECOVER", "after_s": 0.01}}, f"{SENDER}.after_s"),
    ("meanwhile without waiting", Q, {SENDER: {"action": "RECOVER", "meanwhile": "HOLD"}}, f"{SENDER}.meanwhile"),
    (
        "meanwhile as bad as the action",
        Q,
        {SENDER: {"action": "HOLD", "after_s": 1, "meanwhile": "HOLD"}},
        f"{SENDER}.meanwhile",
    ),
    ("announced but done already", Q, {SENDER: {"action": "HOLD", "takeover_s": 1}}, f"{SENDER}.action"),
    ("nothing to keep", Q, {SENDER: {"action": "CLAMP", "until": "reset"}}, f"{SENDER}.until"),
    ("a stop kept until a reset", Q, {SENDER: {"action": "PROTECTIVE_STOP", "until": "reset"}}, f"{SENDER}.until"),
    (
        "takeover never, and never announced",
        Q,
        {SENDER: {"action": "RECOVER", "takeover": "never"}},
        f"{SENDER}.takeover",
    ),
    (
        "takeover never without manual",
        Q,
        {SENDER: {"action": "RECOVER", "takeover_s": 1, "takeover": "never"}},
        f"{SENDER}.takeover",
    ),
    (
        "meanwhile degrades nothing",
        "restrictive",
        {SENDER: {"action": "RECOVER", "after_s": 1, "meanwhile": "DEGRADE"}},
        f"{SENDER}.meanwhile",
    ),
    (
        "too many reactions that wait",
        Q,
        {
            f"reactions.{name}": {"action": "PROTECTIVE_STOP", "after_s": 1}
            for name in (
                *("COMMAND_MISSING", "COMMAND_LATE", "COMMAND_STALE", "COMMAND_FUTURE", "COMMAND_NONFINITE"),
                *("COMMAND_SIZE", "COMMAND_REPEATED", "COMMAND_REORDERED", "COMMAND_LOST", "COMMAND_TORN"),
                *("INPUT_STALE", "INPUT_FUTURE", "INPUT_INVALID", "INPUT_TORN", "BOUND", "RATE", "SENDER"),
            )
        },
        "reactions",
    ),
]
