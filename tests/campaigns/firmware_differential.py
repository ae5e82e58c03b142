"""Firmware against the naive model, ten million steps: ``python -m tests.campaigns.firmware_differential``.

Every output of every step is compared (relays, lamp, both frames, state, lock, blockers, cause and number of the latest
event). The inputs are those of ``tests/firmware/scripts.py``: random, but made of the pieces of a real day. Exit code 1
at the first difference, which is told in full, and if a cause or a transition was never reached.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from multiprocessing import get_context

from tests.firmware.differential import STATES, Difference, Tally, compare, trace_of
from tests.firmware.library import library
from tests.firmware.scripts import Author

CHUNK = 100_000


def chunk(seed: int) -> Tally | str:
    """The steps of one seed; the text of the first difference if there is one."""
    script = Author(seed).script(CHUNK)
    try:
        return compare(script, trace_of(library(), script))
    except Difference as difference:
        return f"seed {seed}, {difference}"


def report(total: Tally, seconds: float) -> str:
    """The figures of a run."""
    shares = ", ".join(f"{name} {total.states[name] / total.steps:.1%}" for name in STATES)
    causes = ", ".join(f"{name} {count:,}" for name, count in total.causes.most_common())
    moves = ", ".join(f"{a} -> {b} {count:,}" for (a, b), count in total.moves.most_common() if a != b)
    return (
        f"{total.steps:,} steps without a difference in {seconds:.0f} s "
        f"({1e6 * seconds / total.steps:.1f} us a step), {total.replies:,} replies compared\n"
        f"share of steps: {shares}\nstop events: {causes}\ntransitions: {moves}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000_000, help=f"rounded up to {CHUNK:,}")
    parser.add_argument("--seed", type=int, default=1_000, help="of the first chunk; the next ones count up")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    library()  # built once, before the workers need it
    seeds = range(options.seed, options.seed + max(1, -(-options.steps // CHUNK)))
    total, begin = Tally(), time.monotonic()
    with get_context("spawn").Pool(options.workers) as pool:
        for number, result in enumerate(pool.imap_unordered(chunk, seeds), 1):
            if isinstance(result, str):
                sys.stdout.write(f"DIFFERENCE: {result}\n")
                return 1
            total.add(result)
            if number % 10 == 0:
                sys.stdout.write(f"{total.steps:,} steps\n")
                sys.stdout.flush()
    sys.stdout.write(report(total, time.monotonic() - begin))
    missing = total.missing()
    if missing:
        sys.stdout.write(f"never reached: {', '.join(missing)}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
