"""The barrier filter's projection against two other solvers: ``python -m tests.campaigns.projection_oracle``.

At least 100 000 feasible problems: each against least distance programming (scipy), a part of them against OSQP, many
in one. Where one says infeasible and the other not, a linear programme must say that the margin is next to nothing.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from rich.console import Console

from tests.oracle.projections import AGREES, MARGINAL, Problem, by_core, by_least_distance, by_osqp, margin, problem

FEASIBLE = 100_000
OSQP_EVERY, OSQP_BATCH = 10, 500
OSQP_AGREES = 1e-4  # of the problem's size: OSQP is a first-order method
CLEAR = 1e-3  # margin from which OSQP is asked


def compare(count: int, seed: int, console: Console) -> int:
    """Number of disagreements in `count` feasible problems."""
    rng, begin = np.random.default_rng(seed), time.perf_counter()
    feasible = infeasible = marginal = wrong = asked = 0
    largest = largest_osqp = 0.0
    batch: list[tuple[Problem, np.ndarray]] = []
    while feasible < count:
        case = problem(rng)
        mine, other = by_core(case), by_least_distance(case)
        if mine is None or other is None:
            if mine is None and other is None:
                infeasible += 1
            elif abs(margin(case)) < MARGINAL:
                marginal += 1
            else:
                wrong += 1
            continue
        feasible += 1
        off = float(np.abs(mine - other).max()) / case.size
        largest, wrong = max(largest, off), wrong + (off > AGREES)
        if feasible % OSQP_EVERY == 0 and margin(case) > CLEAR:
            batch.append((case, mine))
        if len(batch) == OSQP_BATCH:
            offs = [
                float(np.abs(mine - other).max()) / case.size
                for (case, mine), other in zip(batch, by_osqp([case for case, _ in batch]), strict=True)
            ]
            asked, largest_osqp, wrong = (
                asked + len(batch),
                max(largest_osqp, *offs),
                wrong + sum(off > OSQP_AGREES for off in offs),
            )
            batch.clear()
    console.print(
        f"{feasible} feasible, {infeasible} infeasible, {marginal} neither; {wrong} wrong. Largest difference, as a "
        f"share of the problem: {largest:.1e} to least distance programming, {largest_osqp:.1e} to OSQP ({asked}). "
        f"{time.perf_counter() - begin:.0f} s"
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=FEASIBLE)
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    return 1 if compare(arguments.count, arguments.seed, Console()) else 0


if __name__ == "__main__":
    sys.exit(main())
