"""A seeded stream of redundant, manual and shadow commands; prints one digest, the same compiled or interpreted."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from safetykit.core.bounds import COMMANDS_MAX
from safetykit.core.step import step
from safetykit.policy import Policy, parse_policy
from safetykit.runtime.guard import Guard
from tests.drive import PERIOD_NS, START_NS, document
from tests.unit.core.test_manual import MANUAL, SOURCES
from tests.unit.core.test_shadow import MODEL, SHADOW

# Around each other, around the tolerance, and what is no number
ASKS = (0.0, -0.0, 0.25, 0.5, 0.5 + 1e-16, -0.5, 1.0, 4.0, -7.0, 1e308, -1e308, np.nan, np.inf)


def policy() -> Policy:
    vote = {"voters": ["one", "two", "three"], "needed": 2, "align_ms": 20, "disagree_ms": 50}
    made = document(
        {"vote_tolerance": 0.5},
        sources={**SOURCES, "model": MODEL},
        manual={**MANUAL, "overrules": ["INPUT_STALE"]},
        commands=vote,
        shadow=SHADOW,
        reactions={"VOTE_LOST": "HOLD", "MANUAL_LOST": "HOLD", "COMMAND_STALE": "RECOVER"},
    )
    return parse_policy(made)


def digest(seed: int, count: int) -> tuple[str, set[str]]:
    """(SHA-256, hex, over every byte of every frame; what was reached)."""
    used = policy()
    rng = np.random.default_rng(seed)
    guard, total, reached = Guard(used), hashlib.sha256(), set()
    frame, now_ns = guard.frame, START_NS
    asks, stale = np.zeros(COMMANDS_MAX), used.sources[-2].inputs
    assert stale
    for k in range(count):
        now_ns += PERIOD_NS
        frame.in_now_ns = now_ns
        for r in range(COMMANDS_MAX):
            if rng.random() < 0.05:
                asks[r] = rng.choice(ASKS) if k % 400 > 100 else 0.0
            if rng.random() < 0.9:
                frame.in_command_status[r] = 1
                frame.in_command_published[r] += 1
                frame.in_command_seq[r] += int(rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 0, 7]))
                frame.in_command_stamp_ns[r] = now_ns - int(rng.choice([0, 0, 0, 0, 0, 9_000_000, 22_000_000]))
                frame.in_command_count[r], frame.in_request_bits[r] = 1, int(rng.integers(2))
                frame.in_ask[r, 0] = asks[r]
        for s in range(len(used.sources)):
            frame.in_source_status[s] = 1
            if rng.random() < 0.95:
                frame.in_source_stamp_ns[s] = now_ns
        frame.in_value[:] = 0.0
        frame.in_value[used.input_index("engage")] = k % 50 > 5
        frame.in_value[used.input_index("take")] = k % 130 > 90
        frame.in_value[used.input_index("model_a")] = rng.choice([asks[0], 3.0, np.nan]) if k % 10 == 0 else 2.0
        step(used.limits, used.timing, frame)
        total.update(frame.tobytes())
        reached |= {f"state {int(frame.st_state)}", f"mask {int(frame.st_vote_mask)}", f"out {int(frame.st_vote_out)}"}
        reached |= {f"manual {int(frame.st_manual)}", f"fault {int(frame.out_faults) >> 54 & 7}"}
    return total.hexdigest(), reached


if __name__ == "__main__":
    sys.stdout.write(digest(int(sys.argv[1]), int(sys.argv[2]))[0])
