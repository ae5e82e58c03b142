"""Malformed plausibility sections: (name, preset, edits, expected key path)."""

from __future__ import annotations

from typing import Any

from tests.unit.policy.places import VX, Case, Q

OUTLIER = {"window": 5, "factor": 3, "floor": 0.5, "confirm": 3}
SWINGS = {"energy": 50, "window_ms": 1000, "deadband": 0.2}
INPUT = "sources.vehicle.inputs.gnss_mps"
GNSS = {INPUT: {"unit": "mps", "min": 0, "max": 30}}
FLAG = {"input": "speed_mps", "max": 5}
EKF: dict[str, Any] = {"checks": [FLAG], "count": 1, "for_ms": 1000}
STUCK = {"input": "speed_mps", "for_ms": 1000}


def agree(*inputs: str, **changes: Any) -> dict[str, Any]:
    return {**GNSS, "agree.speed": {"inputs": list(inputs), "error": 1, "for_ms": 500, **changes}}


def many(key: str, part: dict[str, Any]) -> dict[str, Any]:
    """Nine channels with `key`."""
    channels = {f"channels.c{i}": {"unit": "flag", "min": -1, "max": 1, key: part} for i in range(9)}
    return {**channels, **{f"recovery[{phase}].set.c{i}": 0 for phase in range(3) for i in range(9)}}


PAIR = ("speed_mps", "gnss_mps")

WATCH: list[Case] = [
    ("outlier window too short", Q, {f"{VX}.outlier": {**OUTLIER, "window": 4}}, f"{VX}.outlier.window"),
    ("outlier window too long", Q, {f"{VX}.outlier": {**OUTLIER, "window": 10}}, f"{VX}.outlier.window"),
    ("outlier factor below a ramp", Q, {f"{VX}.outlier": {**OUTLIER, "factor": 2.4}}, f"{VX}.outlier.factor"),
    ("outlier without confirmation", Q, {f"{VX}.outlier": {**OUTLIER, "confirm": 1}}, f"{VX}.outlier.confirm"),
    ("outlier confirmed too late", Q, {f"{VX}.outlier": {**OUTLIER, "confirm": 6}}, f"{VX}.outlier.confirm"),
    ("outlier floor never passed", Q, {f"{VX}.outlier": {**OUTLIER, "floor": 10}}, f"{VX}.outlier.floor"),
    ("outlier floor zero", Q, {f"{VX}.outlier": {**OUTLIER, "floor": 0}}, f"{VX}.outlier.floor"),
    ("too many channels with outlier", Q, many("outlier", {**OUTLIER, "floor": 0.1}), "channels"),
    ("too many channels with oscillation", Q, many("oscillation", {**SWINGS, "energy": 5}), "channels"),
    (
        "oscillation shorter than a tick",
        Q,
        {f"{VX}.oscillation": {**SWINGS, "window_ms": 10}},
        f"{VX}.oscillation.window_ms",
    ),
    (
        "oscillation deadband too wide",
        Q,
        {f"{VX}.oscillation": {**SWINGS, "deadband": 10}},
        f"{VX}.oscillation.deadband",
    ),
    (
        "oscillation energy never reached",
        Q,
        {f"{VX}.oscillation": {**SWINGS, "energy": 10_100}},
        f"{VX}.oscillation.energy",
    ),
    ("response shorter than a tick", Q, {f"{VX}.follow.tau_s": 0.005}, f"{VX}.follow.tau_s"),
    ("response time negative", Q, {f"{VX}.follow.tau_s": -1}, f"{VX}.follow.tau_s"),
    ("agreement of one", Q, agree("speed_mps"), "agree.speed.inputs"),
    ("agreement with an unknown input", Q, agree("speed_mps", "gps_mps"), "agree.speed.inputs[1]"),
    ("agreement with itself", Q, agree("speed_mps", "speed_mps"), "agree.speed.inputs[1]"),
    ("agreement of different units", Q, agree("speed_mps", "altitude_m"), "agree.speed.inputs[1]"),
    ("agreement that cannot fail", Q, agree(*PAIR, error=35), "agree.speed.error"),
    ("agreement that cannot fail by its share", Q, agree(*PAIR, error=29, error_share=0.2), "agree.speed.error"),
    ("agreement share of one", Q, agree(*PAIR, error_share=1), "agree.speed.error_share"),
    ("agreement shorter than a tick", Q, agree(*PAIR, for_ms=10), "agree.speed.for_ms"),
    (
        "integrity of an unknown flag",
        Q,
        {"integrity.ekf": {**EKF, "checks": [{"input": "x", "max": 1}]}},
        "integrity.ekf.checks[0].input",
    ),
    (
        "integrity without limits",
        Q,
        {"integrity.ekf": {**EKF, "checks": [{"input": "speed_mps"}]}},
        "integrity.ekf.checks[0]",
    ),
    (
        "integrity always in",
        Q,
        {"integrity.ekf": {**EKF, "checks": [{**FLAG, "max": 100}]}},
        "integrity.ekf.checks[0].max",
    ),
    ("integrity flag twice", Q, {"integrity.ekf": {**EKF, "checks": [FLAG, FLAG]}}, "integrity.ekf.checks[1].input"),
    ("integrity count never reached", Q, {"integrity.ekf": {**EKF, "count": 2}}, "integrity.ekf.count"),
    ("integrity shorter than a tick", Q, {"integrity.ekf": {**EKF, "for_ms": 10}}, "integrity.ekf.for_ms"),
    ("stuck without a value", Q, {"stuck.speed": {"for_ms": 1000}}, "stuck.speed"),
    ("stuck with two values", Q, {"stuck.speed": {**STUCK, "asked": "vx_mps"}}, "stuck.speed"),
    ("stuck unknown input", Q, {"stuck.speed": {**STUCK, "input": "gps_mps"}}, "stuck.speed.input"),
    ("stuck unknown channel", Q, {"stuck.speed": {"asked": "v_mps", "for_ms": 1000}}, "stuck.speed.asked"),
    ("stuck before the source is stale", Q, {"stuck.speed": {**STUCK, "for_ms": 200}}, "stuck.speed.for_ms"),
    (
        "stuck before the command is stale",
        Q,
        {"stuck.speed": {"asked": "vx_mps", "for_ms": 500}},
        "stuck.speed.for_ms",
    ),
    (
        "stuck while in a zone",
        Q,
        {"stuck.speed": {**STUCK, "only_while": [{"outside": "home"}]}},
        "stuck.speed.only_while[0].outside",
    ),
    (
        "stuck while recently",
        Q,
        {"stuck.speed": {**STUCK, "only_while": [{"input": "altitude_m", "min": 1, "within_s": 1}]}},
        "stuck.speed.only_while[0].within_s",
    ),
    (
        "stuck while an unknown input is high",
        Q,
        {"stuck.speed": {**STUCK, "only_while": [{"input": "height_m", "min": 1}]}},
        "stuck.speed.only_while[0].input",
    ),
]
