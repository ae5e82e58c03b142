"""Runs a seeded stream of ticks and prints one digest per policy: the same whether compiled or interpreted."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from safetykit.core.step import step
from safetykit.core.vocabulary import Fault
from safetykit.policy import Policy, load_policy
from safetykit.runtime.guard import Guard
from tests.drive import PERIOD_NS, START_NS

PRESETS = ("quadrotor", "car-torque", "car-angle", "rover", "restrictive")
OUTSIDE = (0, 0, 0, 1 << Fault.STOP_REQUEST, 1 << Fault.STOP_BUTTON, 1 << Fault.DEADLINE)


def digest(policy: Policy, seed: int, count: int) -> str:
    """SHA-256, hex, over every byte of every frame of `count` ticks."""
    rng = np.random.default_rng(seed)
    guard, total = Guard(policy), hashlib.sha256()
    frame, now_ns = guard.frame, START_NS
    engage = policy.inputs.index("engage") if "engage" in policy.inputs else 0
    asked = np.zeros(len(policy.channels))
    for k in range(count):
        now_ns += int(rng.choice([PERIOD_NS, PERIOD_NS, PERIOD_NS, 3_333_333, 0, 70_000_000]))
        frame.in_now_ns = now_ns
        _command(rng, frame, asked, now_ns, k)
        _inputs(rng, policy, frame, now_ns)
        frame.in_value[engage] = (k // 7) % 2
        frame.in_faults = int(rng.choice(OUTSIDE)) if rng.random() < 0.02 else 0
        if rng.random() < 0.1:
            frame.in_reset_seq += 1
            frame.in_reset_event = frame.st_stop_event
        if rng.random() < 0.05:
            frame.in_function_seq += 1
            frame.in_function = int(rng.integers(-1, 9))
        step(policy.limits, policy.timing, frame)
        total.update(frame.tobytes())
    return total.hexdigest()


def _command(rng: np.random.Generator, frame: np.record, asked: np.ndarray, now_ns: int, k: int) -> None:
    asked += rng.normal(0, 0.3, len(asked))
    values = asked.copy()
    if rng.random() < 0.03:
        values[rng.integers(len(asked))] = rng.choice([np.nan, np.inf, 1e300, -40.0])
    frame.in_ask[0, : len(asked)] = values
    frame.in_command_status[0] = 1
    frame.in_command_published[0] += 1
    frame.in_command_seq[0] += int(rng.choice([1, 1, 1, 1, 1, 0, 9]))
    frame.in_command_stamp_ns[0] = now_ns - int(rng.choice([0, 0, 0, 1_000, 400_000_000]))
    frame.in_command_count[0] = len(asked)
    frame.in_request_bits[0] = -1 if k % 50 else 0


def _inputs(rng: np.random.Generator, policy: Policy, frame: np.record, now_ns: int) -> None:
    count = len(policy.inputs)
    frame.in_value[:count] = np.abs(rng.normal(0, 0.4, count)) if rng.random() < 0.5 else rng.normal(0, 2.0, count)
    if rng.random() < 0.5:
        frame.in_value[:count] = 0.0
    for s in range(len(policy.sources)):
        frame.in_source_status[s] = 1
        frame.in_source_stamp_ns[s] = now_ns - int(rng.choice([0, 0, 0, 0, 10_000_000]))


def main(seed: int, count: int) -> None:
    for name in PRESETS:
        sys.stdout.write(f"{name} {digest(load_policy(name), seed, count)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
