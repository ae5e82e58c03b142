"""A guard under test, driven tick by tick: a small policy that a test changes where it looks, and its clock."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from safetykit.core.vocabulary import State
from safetykit.policy import parse_policy
from safetykit.runtime.guard import Command, Decision, Guard

PERIOD_NS = 10_000_000
START_NS = 1_000_000_000_000

Document = dict[str, Any]

BASE: Document = {
    "format": 1,
    "name": "under-test",
    "version": "1.0.0",
    "vehicle": "bench",
    "timing": {
        "period_ms": 10,
        "dt_max_ms": 50,
        "command_late_ms": 25,
        "command_stale_ms": 200,
        "command_future_ms": 5,
        "command_lost_max": 3,
    },
    "sources": {
        "vehicle": {
            "age_ms": 100,
            "future_ms": 5,
            "needed": True,
            "inputs": {
                "spare": {"unit": "flag", "min": -1, "max": 1},
                "speed_mps": {"unit": "mps", "min": -10, "max": 50},
                "measured": {"unit": "flag", "min": -100, "max": 100},
            },
        },
        "operator": {
            "age_ms": 100,
            "future_ms": 5,
            "needed": True,
            "inputs": {
                "engage": {"unit": "flag", "min": 0, "max": 1},
                "brake": {"unit": "flag", "min": 0, "max": 1},
                "torque": {"unit": "flag", "min": -10, "max": 10},
            },
        },
    },
    "channels": {
        "a": {
            "unit": "flag",
            "min": -5,
            "max": 5,
            "rate_up_per_s": 100,
            "rate_down_per_s": 100,
            "emergency_jumps": False,
        }
    },
    "permission": {"engage": {"input": "engage", "min": 0.5}},
    "recovery": [{"name": "rest", "set": {"a": 0.0}, "for_s": 0.1}],
    "stop": {"power_off_after_s": 1.0, "power_in_standby": False},
}
# Stands before the channel under test and uses the first slot of everything, so that a wrong offset shows.
DECOY: Document = {
    "unit": "flag",
    "min": -1,
    "max": 1,
    "rate_up_per_s": 50,
    "rate_down_per_s": 50,
    "measured": "spare",
    "lead": {"error": 0.5, "samples": 2},
    "oppose": {"input": "spare", "allowance": 0.5, "gain": 0.5, "samples": 2},
    "slew": {"delta": 1, "window_ms": 100},
}
QUIET = {"spare": 0.0, "speed_mps": 0.0, "measured": 0.0, "engage": 0.0, "brake": 0.0, "torque": 0.0}


def document(channel: Document | None = None, **sections: Any) -> Document:
    """The base document with channel ``a`` extended by `channel` and whole sections replaced or merged."""
    made = copy.deepcopy(BASE)
    made["channels"]["a"].update(channel or {})
    for name, section in sections.items():
        if isinstance(section, dict) and isinstance(made.get(name), dict):
            made[name] = {**made[name], **section}
        else:
            made[name] = section
    return made


def beside_decoy(made: Document) -> Document:
    """`made` with the decoy as its first channel."""
    made = copy.deepcopy(made)
    decoy = {**copy.deepcopy(DECOY), **({"vote_tolerance": 1.0} if "commands" in made else {})}
    made["channels"] = {"decoy": decoy, **made["channels"]}
    made["recovery"] = [{**phase, "set": {**phase.get("set", {}), "decoy": 0.0}} for phase in made["recovery"]]
    return made


class Drive:
    """One guard, its clock and the inputs it hears each tick. The channel under test has number 1."""

    def __init__(self, made: Document | None = None, **inputs: float) -> None:
        self.guard = Guard(parse_policy(beside_decoy(made or document())))
        self.now_ns = START_NS
        self.inputs = {**{k: v for k, v in QUIET.items() if k in self.guard.policy.inputs}, **inputs}

    def tick(self, *command: float, dt_ns: int = PERIOD_NS, **options: Any) -> Decision:
        """One tick later: `command` in channel order, nothing = no new command. The decoy is asked for 0."""
        self.now_ns += dt_ns
        heard = options.pop("inputs", self.inputs)
        details = {name: options.pop(name) for name in ("stamp_ns", "seq", "request") if name in options}
        asked = Command((0.0, *command), **details) if command else None
        decision = self.guard.step(self.now_ns, asked, heard, **options)
        assert decision.sent["decoy"] == 0.0
        assert "decoy" not in decision.reasons or decision.reasons["decoy"] == ("OVERRIDDEN",)
        return replace(
            decision,
            sent={name: value for name, value in decision.sent.items() if name != "decoy"},
            reasons={name: why for name, why in decision.reasons.items() if name != "decoy"},
            request_bits=decision.request_bits >> 1,
        )

    def ticks(self, count: int, *command: float, **options: Any) -> Decision:
        """`count` ticks with the same command; the last decision."""
        for _ in range(count):
            decision = self.tick(*command, **options)
        return decision

    def engaged(self) -> Drive:
        """Brings the guard to ENGAGED with a neutral command stream."""
        rest = [0.0] * (len(self.guard.policy.channels) - 1)
        self.inputs["engage"] = 0.0
        self.ticks(2, *rest)
        self.inputs["engage"] = 1.0
        decision = self.tick(*rest)
        assert decision.state is State.ENGAGED, decision
        return self
