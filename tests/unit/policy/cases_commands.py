"""Malformed sections about redundant, manual and shadow commands: (name, preset, edits, expected key path)."""

from __future__ import annotations

from typing import Any

from tests.unit.policy.places import Case, Q, X

CHANNELS = ("vx_mps", "vy_mps", "vz_mps", "yaw_rate_radps")
VOTE: dict[str, Any] = {"voters": ["left", "right", "spare"], "needed": 2, "align_ms": 40, "disagree_ms": 200}
TOLERANCES = {f"channels.{name}.vote_tolerance": 0.2 for name in CHANNELS}
TAKE = {"input": "take", "min": 0.5}
TAKEN = {"sources.operator.inputs.take": {"unit": "flag", "min": 0, "max": 1}}
DRIVE: dict[str, Any] = {"take": TAKE, "late_ms": 100, "stale_ms": 300}
MODEL: dict[str, Any] = {
    "age_ms": 200,
    "future_ms": 5,
    "needed": False,
    "inputs": {
        "model_vx_mps": {"unit": "mps", "min": -9, "max": 9},
        "model_turn_radps": {"unit": "radps", "min": -9, "max": 9},
    },
}
SHADOW: dict[str, Any] = {
    "source": "model",
    "map": {"vx_mps": {"input": "model_vx_mps", "tolerance": 0.5}},
    "for_ms": 200,
}


def vote(**changes: Any) -> dict[str, Any]:
    return {**TOLERANCES, "commands": {**VOTE, **changes}}


def manual(**changes: Any) -> dict[str, Any]:
    return {**TAKEN, "manual": {**DRIVE, **changes}}


def overrules(*faults: str, **edits: Any) -> dict[str, Any]:
    return {**manual(overrules=list(faults)), **edits}


def shadow(
    channel: str = "vx_mps", name: str = "model_vx_mps", tolerance: float = 0.5, **changes: Any
) -> dict[str, Any]:
    part = {"input": name, "tolerance": tolerance}
    return {"sources.model": MODEL, "shadow": {**SHADOW, "map": {channel: part}, **changes}}


TWICE = {name: {"input": "model_vx_mps", "tolerance": 0.5} for name in ("vx_mps", "vy_mps")}

COMMANDS: list[Case] = [
    ("one voter", Q, vote(voters=["left"], needed=1), "commands.voters"),
    ("four voters", Q, vote(voters=["a", "b", "c", "d"]), "commands.voters"),
    ("a voter twice", Q, vote(voters=["left", "right", "left"]), "commands.voters[2]"),
    ("a voter called like the operator", Q, vote(voters=["left", "manual"]), "commands.voters[1]"),
    ("a voter called like the vehicle", Q, vote(voters=["left", "vehicle"]), "commands.voters[1]"),
    ("a voter with a strange name", Q, vote(voters=["left", "Right"]), "commands.voters[1]"),
    ("more needed than there are", Q, vote(voters=["left", "right"], needed=3), "commands.needed"),
    ("nobody needed", Q, vote(needed=0), "commands.needed"),
    ("align within the future", Q, vote(align_ms=1), "commands.align_ms"),
    ("align beyond late", Q, vote(align_ms=9000), "commands.align_ms"),
    ("disagreement shorter than a tick", Q, vote(disagree_ms=1), "commands.disagree_ms"),
    ("vote without tolerance", Q, {"commands": VOTE}, "channels.vx_mps.vote_tolerance"),
    ("tolerance without vote", Q, {"channels.vx_mps.vote_tolerance": 0.2}, "channels.vx_mps.vote_tolerance"),
    (
        "tolerance of the whole range",
        Q,
        {**vote(), "channels.vx_mps.vote_tolerance": 10},
        "channels.vx_mps.vote_tolerance",
    ),
    (
        "tolerance negative",
        Q,
        {**vote(), "channels.vx_mps.vote_tolerance": -1},
        "channels.vx_mps.vote_tolerance",
    ),
    ("manual without a switch", Q, {"manual": {"late_ms": 100, "stale_ms": 300}}, "manual.take"),
    ("manual where nobody can engage", X, {"manual": DRIVE}, "manual"),
    ("manual by a zone", Q, manual(take={"inside": "home"}), "manual.take"),
    ("manual by an unknown switch", Q, manual(take={"input": "tak", "min": 0.5}), "manual.take.input"),
    ("manual by a switch that is always on", Q, manual(take={"input": "take", "min": 0}), "manual.take.min"),
    ("manual by a recent switch", Q, manual(take={**TAKE, "within_s": 1}), "manual.take.within_s"),
    ("manual by the engage switch", Q, {"manual": {**DRIVE, "take": {"input": "engage", "min": 0.5}}}, "manual.take"),
    (
        "manual by a switch that is not needed",
        Q,
        {"sources.model": MODEL, "manual": {**DRIVE, "take": {"input": "model_vx_mps", "min": 0.5}}},
        "manual.take.input",
    ),
    ("manual late within a tick", Q, manual(late_ms=1), "manual.late_ms"),
    ("manual stale before late", Q, manual(stale_ms=100), "manual.stale_ms"),
    ("overruled twice", Q, overrules("ZONE", "ZONE"), "manual.overrules[1]"),
    ("overruled unknown", Q, overrules("ZONES"), "manual.overrules[0]"),
    ("overruled stop", Q, overrules("STOP_BUTTON"), "manual.overrules[0]"),
    (
        "overruled stop by reaction",
        Q,
        overrules("ZONE", **{"reactions.ZONE": "PROTECTIVE_STOP"}),
        "manual.overrules[0]",
    ),
    ("overruled own command", Q, overrules("COMMAND_LATE"), "manual.overrules[0]"),
    ("overruled own loss", Q, overrules("MANUAL_LOST"), "manual.overrules[0]"),
    ("overruled autonomy", Q, overrules("SHADOW"), "manual.overrules[0]"),
    ("overruled fixed", Q, overrules("DEVICE_WAITS"), "manual.overrules[0]"),
    ("overruled impossible", Q, overrules("COLLISION"), "manual.overrules[0]"),
    ("overruled mild", Q, overrules("BOUND"), "manual.overrules[0]"),
    ("shadow of an unknown source", Q, shadow(source="modell"), "shadow.source"),
    ("shadow of a needed source", Q, {**shadow(), "sources.model.needed": True}, "shadow.source"),
    ("shadow of no channel", Q, shadow(map={}), "shadow.map"),
    ("shadow of an unknown channel", Q, shadow(channel="vw_mps"), "shadow.map.vw_mps"),
    ("shadow by an unknown input", Q, shadow(name="model_mps"), "shadow.map.vx_mps.input"),
    ("shadow by another unit", Q, shadow(name="model_turn_radps"), "shadow.map.vx_mps.input"),
    ("shadow by another source", Q, shadow(name="speed_mps"), "shadow.map.vx_mps.input"),
    ("shadow by one input twice", Q, shadow(map=TWICE), "shadow.map.vy_mps.input"),
    ("shadow tolerance zero", Q, shadow(tolerance=0), "shadow.map.vx_mps.tolerance"),
    ("shadow tolerance of the whole range", Q, shadow(tolerance=10), "shadow.map.vx_mps.tolerance"),
    ("shadow shorter than a tick", Q, shadow(for_ms=1), "shadow.for_ms"),
    (
        "shadow where nobody can engage",
        X,
        {"sources": {"model": MODEL}, "shadow": SHADOW},
        "shadow",
    ),
]
