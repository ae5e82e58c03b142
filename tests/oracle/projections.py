"""Random and contrived projection problems, and three ways to solve them that share nothing with the core.

Least distance programming (Lawson and Hanson, Solving Least Squares Problems, ch. 23) through non-negative least
squares of scipy; OSQP on many problems at once as one block-diagonal problem; every set of active constraints tried.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import osqp
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import nnls

from safetykit.core.bounds import PLANES_MAX
from safetykit.core.columns.motion import ACTIVE_COLS, PLANE_COLS
from safetykit.core.projection import project
from safetykit.core.walls import ACTIVE_MAX

Floats = NDArray[np.float64]
AGREES = 1e-6  # of the problem's size: what the slower solvers reach
MARGINAL = 1e-7  # a problem that is feasible by less than this may go either way


@dataclass(frozen=True)
class Problem:
    """Nearest point to `wanted` with normals @ u <= bounds and |u_i| <= half_i."""

    normals: Floats  # (m, 3), unit length
    bounds: Floats  # (m,)
    half: Floats  # (3,); 0 for an axis that is not used
    wanted: Floats  # (3,)

    @property
    def rows(self) -> tuple[Floats, Floats]:
        """Box and half-spaces as one system A u <= b."""
        return np.vstack([self.normals, np.eye(3), -np.eye(3)]), np.concatenate([self.bounds, self.half, self.half])

    @property
    def size(self) -> float:
        return 1.0 + float(np.abs(self.wanted).max() + self.half.max())


def problem(rng: np.random.Generator, planes_max: int = 12) -> Problem:
    """One problem: one to three axes; whole numbers and repeated planes now and then, so that ties are common."""
    axes, m = int(rng.integers(1, 4)), int(rng.integers(0, planes_max + 1))
    normals = rng.normal(size=(m, 3))
    kind = rng.integers(0, 5)
    if kind == 0:
        normals = np.round(normals)
    if kind == 1 and m > 1:
        normals[m // 2 :] = normals[: m - m // 2] + rng.normal(size=(m - m // 2, 3)) * 10.0 ** -rng.integers(2, 8)
    normals[:, axes:] = 0.0
    normals[np.abs(normals).max(axis=1) < 1e-6] = [1.0, 0.0, 0.0]
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    bounds = rng.normal(size=m) * 2 + rng.choice([0.0, 1.5, 4.0])
    if kind in (0, 2):
        bounds = np.round(bounds)
    half = np.array([5.0] * axes + [0.0] * (3 - axes))
    wanted = np.where(half > 0, rng.normal(size=3) * rng.choice([1.0, 4.0]), 0.0)
    if kind == 3:
        wanted = np.clip(np.round(wanted), -half, half)
    return Problem(normals, bounds, half, wanted)


def by_core(case: Problem) -> Floats | None:
    planes, active = np.zeros((PLANES_MAX, PLANE_COLS)), np.zeros((ACTIVE_MAX, ACTIVE_COLS))
    m = len(case.bounds)
    planes[:m, :3], planes[:m, 3] = case.normals, case.bounds
    half, wanted = tuple(map(float, case.half)), tuple(map(float, case.wanted))
    feasible, *u = project(planes, m, tuple(-h for h in half), half, wanted, active)
    return np.array(u) if feasible else None


def by_least_distance(case: Problem) -> Floats | None:
    """x = u - wanted has the least length with G x >= h."""
    a, b = case.rows
    g, h = -a, a @ case.wanted - b
    scale = 1.0 + np.abs(h).max()
    e = np.vstack([g.T, h[None, :] / scale])
    residual_target = np.array([0.0, 0.0, 0.0, 1.0])
    y, norm = nnls(e, residual_target, maxiter=1000)
    r = e @ y - residual_target
    if norm < 1e-9:
        return None
    return np.asarray(case.wanted - scale * r[:3] / r[3])


def margin(case: Problem) -> float:
    """How far inside every half-space some point of the box lies; negative if none exists. A linear programme."""
    from scipy.optimize import linprog

    a, b = case.rows
    used = np.linalg.norm(a[:, case.half > 0], axis=1) > 1e-12
    system = np.hstack([a[used], np.ones((int(used.sum()), 1))])
    found = linprog([0, 0, 0, -1], A_ub=system, b_ub=b[used], bounds=[(None, None)] * 3 + [(None, 10)])
    return float(found.x[3])


def by_trying(case: Problem) -> Floats | None:
    """Every set of up to three active constraints; for few planes only."""
    a, b = case.rows
    best: Floats | None = None
    for count in range(4):
        for chosen in itertools.combinations(range(len(b)), count):
            rows = a[list(chosen)]
            if np.linalg.matrix_rank(rows, tol=1e-9) < count:
                continue
            prices = np.linalg.solve(rows @ rows.T, rows @ case.wanted - b[list(chosen)]) if count else np.zeros(0)
            u = case.wanted - rows.T @ prices
            if (a @ u - b).max() > 1e-8 * case.size:
                continue
            if best is None or np.sum((u - case.wanted) ** 2) < np.sum((best - case.wanted) ** 2):
                best = u
    return best


def by_osqp(cases: list[Problem]) -> Floats:
    """(n, 3): all feasible problems at once."""
    systems = [case.rows for case in cases]
    a = sparse.block_diag([rows for rows, _ in systems], format="csc")
    b = np.concatenate([bounds for _, bounds in systems])
    q = -np.concatenate([case.wanted for case in cases])
    solver = osqp.OSQP()
    solver.setup(
        sparse.identity(len(q), format="csc"),
        q,
        a,
        np.full(len(b), -np.inf),
        b,
        eps_abs=1e-9,
        eps_rel=1e-9,
        max_iter=100_000,
        polishing=True,
        verbose=False,
    )
    return np.asarray(solver.solve(raise_error=True).x).reshape(-1, 3)
