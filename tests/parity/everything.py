"""A seeded stream through policies with every kind of check: a car among others, a drone among obstacles."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Callable

import numpy as np

from safetykit.core.step import step
from safetykit.core.vocabulary import fault_names
from safetykit.policy import Policy, parse_policy
from safetykit.runtime.guard import Guard
from tests.bench import decision_checks
from tests.drive import PERIOD_NS, START_NS, Document
from tests.fenced import MOTION, YARD, world
from tests.road import COLLISION, LIST


def car() -> Document:
    """The car of the bench, with what watches it."""
    made = decision_checks.document()
    inputs = made["sources"]["vehicle"]["inputs"]
    inputs["wheels_mps"] = dict(inputs["speed_mps"])
    inputs["doubt_flag"] = {"unit": "flag", "min": 0, "max": 2}
    made["channels"]["spare_0_flag"] |= {
        "outlier": {"window": 5, "factor": 4, "floor": 0.05, "confirm": 3},
        "oscillation": {"energy": 2.0, "window_ms": 500, "deadband": 0.05},
        "measured": "flag_0",
        "follow": {"error": 0.9, "for_ms": 100, "tau_s": 0.2},
    }
    made["zones"]["slow"] = {"rule": "speed", "centre_m": [-20, 0], "radius_m": 15, "speed_mps_max": 6, "excess_mps": 1}
    return {
        **made,
        "agree": {"speeds": {"inputs": ["speed_mps", "wheels_mps"], "error": 1, "error_share": 0.05, "for_ms": 50}},
        "integrity": {"estimate": {"checks": [{"input": "doubt_flag", "max": 1}], "count": 1, "for_ms": 100}},
        "stuck": {"yaw": {"input": "heading_rad", "for_ms": 400}},
        "breakers": {
            "eager": {
                "faults": ["ZONE_NEAR", "RSS", "RATE"],
                "count": 10,
                "window_ms": 400,
                "action": "RECOVER",
                "level": "self",
                "cool_down_s": 0.2,
                "trial_share": 0.4,
                "widen_s": 0.5,
                "reopen_max": 30,
            }
        },
        "reactions": {
            "DISAGREE": {"action": "RECOVER", "after_s": 0.05, "takeover_s": 0.1, "meanwhile": "DEGRADE"},
            "STUCK": {"action": "RECOVER", "after_s": 0.1, "meanwhile": "DEGRADE", "until": "engaged_again"},
        },
        "channels": {**made["channels"], "spare_1_flag": {**made["channels"]["spare_1_flag"], "degraded_scale": 0.5}},
    }


def drone() -> Document:
    """Accelerations in three axes, a yard to stay in, a tower to keep out of, things that move."""
    tower = {"rule": "keep_out", "centre_m": [10, 0], "radius_m": 3, "floor_m": -5, "ceiling_m": 20, "correct_m": 1}
    return world(
        {"yard": {**copy.deepcopy(YARD), "floor_m": -20, "ceiling_m": 30}, "tower": tower},
        {**MOTION, "tilt_rad_max": 0.5, "speed_mps_max": 8, "floor_m": -15, "ceiling_m": 25},
        objects={**copy.deepcopy(LIST), "frame": "world"},
        collision={**COLLISION, "clearance_m": 1.0},
    )


POLICIES: dict[str, Callable[[], Document]] = {"car": car, "drone": drone}


def digest(policy: Policy, seed: int, count: int) -> tuple[str, set[str]]:
    """(SHA-256, hex, over every byte of every frame; names of the faults that were reached)."""
    rng = np.random.default_rng(seed)
    guard, total, reached = Guard(policy), hashlib.sha256(), set()
    frame, now_ns = guard.frame, START_NS
    values, asked = np.zeros(len(policy.inputs)), np.zeros(len(policy.channels))
    others = rng.normal(0, (40, 4, 4, 4, 1, 1, 1, 1, 1, 0), (12, frame.in_object.shape[1]))
    for k in range(count):
        now_ns += int(rng.choice([PERIOD_NS, PERIOD_NS, PERIOD_NS, PERIOD_NS, 3_333_333, 40_000_000]))
        frame.in_now_ns = now_ns
        _ask(rng, frame, asked, now_ns)
        _measure(rng, policy, frame, values, now_ns, k)
        _around(rng, frame, others, now_ns)
        if rng.random() < 0.05:
            frame.in_reset_seq += 1
            frame.in_reset_event = frame.st_stop_event
        step(policy.limits, policy.timing, frame)
        total.update(frame.tobytes())
        reached |= set(fault_names(int(frame.out_faults)))
    return total.hexdigest(), reached


def _ask(rng: np.random.Generator, frame: np.record, asked: np.ndarray, now_ns: int) -> None:
    asked += rng.normal(0, 0.3, len(asked)) - 0.02 * asked
    values = asked.copy()
    if rng.random() < 0.02:
        values[rng.integers(len(asked))] = rng.choice([np.nan, 9.0, -9.0])
    frame.in_ask[0, : len(asked)] = values
    frame.in_command_status[0] = 1
    frame.in_command_published[0] += 1
    frame.in_command_seq[0] += 1
    frame.in_command_stamp_ns[0] = now_ns - int(rng.choice([0, 0, 0, 60_000_000]))
    frame.in_command_count[0] = len(asked)


def _measure(
    rng: np.random.Generator, policy: Policy, frame: np.record, values: np.ndarray, now_ns: int, k: int
) -> None:
    """A wandering vehicle; now and then it starts anew, something is no number, or the two speeds differ."""
    if k % 120 == 0:
        values[:] = rng.normal(0, 3, len(values))
    values += rng.normal(0, 0.05, len(values)) - 0.01 * values
    frame.in_value[: len(values)] = values
    for place, name in enumerate(policy.inputs):
        if name.endswith("flag") or name.startswith("flag"):
            frame.in_value[place] = rng.random() < 0.5
    if "wheels_mps" in policy.inputs and k % 200 < 150:
        frame.in_value[policy.input_index("wheels_mps")] = frame.in_value[policy.input_index("speed_mps")]
    if rng.random() < 0.01:
        frame.in_value[rng.integers(len(values))] = np.nan
    frame.in_value[policy.input_index("engage")] = k // 20 % 2
    frame.in_source_status[:] = 1
    frame.in_source_stamp_ns[:] = now_ns


def _around(rng: np.random.Generator, frame: np.record, others: np.ndarray, now_ns: int) -> None:
    others[:, :6] += rng.normal(0, 0.05, (len(others), 6))
    others[:, 6:9] = np.abs(others[:, 6:9])
    others[:, 9] = np.arange(len(others))
    frame.in_objects_status, frame.in_objects_stamp_ns = 1, now_ns
    frame.in_objects_count = int(rng.integers(len(others) + 1))
    frame.in_object[: len(others)] = others
    if rng.random() < 0.01:
        frame.in_object[0, 0] = np.nan


def main(seed: int, count: int) -> None:
    for name, made in POLICIES.items():
        sys.stdout.write(f"{name} {digest(parse_policy(made()), seed, count)[0]}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
