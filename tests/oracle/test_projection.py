"""The projection of the barrier filter against three other solvers, and what it must do with problems that have none.

100 000 feasible problems: ``python -m tests.campaigns.projection_oracle``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from safetykit.core.bounds import PLANES_MAX
from safetykit.core.columns.motion import ACTIVE_COLS, ACTIVE_PRICE, ACTIVE_ROW, PLANE_COLS
from safetykit.core.projection import NONE, project
from safetykit.core.walls import ACTIVE_MAX
from tests.oracle.projections import AGREES, MARGINAL, Problem, by_core, by_least_distance, by_osqp, by_trying, problem
from tests.oracle.projections import margin as margin_of

pytestmark = pytest.mark.core
SIDE = (5.0, 5.0, 5.0)


def test_it_agrees_with_least_distance_programming() -> None:
    rng, feasible = np.random.default_rng(1), 0
    while feasible < 3000:
        case = problem(rng)
        mine, other = by_core(case), by_least_distance(case)
        if mine is None or other is None:
            assert (mine is None and other is None) or abs(margin_of(case)) < MARGINAL
            continue
        feasible += 1
        assert np.abs(mine - other).max() <= AGREES * case.size, case


def test_it_agrees_with_trying_every_set_of_active_planes() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        case = problem(rng, planes_max=5)
        mine, other = by_core(case), by_trying(case)
        if mine is None or other is None:
            assert (mine is None and other is None) or abs(margin_of(case)) < MARGINAL
        else:
            assert np.abs(mine - other).max() <= AGREES * case.size, case


def test_it_agrees_with_osqp() -> None:
    rng = np.random.default_rng(3)
    cases = [
        case for case in (problem(rng) for _ in range(400)) if by_core(case) is not None and margin_of(case) > 1e-3
    ]
    assert len(cases) > 150
    for case, other in zip(cases, by_osqp(cases), strict=True):
        mine = by_core(case)
        assert mine is not None
        assert np.abs(mine - other).max() <= 1e-4 * case.size, case


def test_the_result_keeps_every_plane_and_says_which_ones_hold_it() -> None:
    rng, active = np.random.default_rng(4), np.zeros((ACTIVE_MAX, ACTIVE_COLS))
    for _ in range(500):
        case = problem(rng)
        planes = np.zeros((PLANES_MAX, PLANE_COLS))
        m = len(case.bounds)
        planes[:m, :3], planes[:m, 3] = case.normals, case.bounds
        half = tuple(map(float, case.half))
        feasible, *u = project(planes, m, tuple(-h for h in half), half, tuple(map(float, case.wanted)), active)
        if not feasible:
            continue
        a, b = case.rows
        assert (a @ u - b).max() <= 1e-9 * case.size
        pulled = case.wanted - u  # = sum of prices times normals (Karush, Kuhn and Tucker)
        assert np.allclose(pulled, active[:, ACTIVE_PRICE] @ active[:, :3], atol=1e-8 * case.size)
        assert (active[:, ACTIVE_PRICE] >= 0).all()
        for row, price in zip(active[:, ACTIVE_ROW], active[:, ACTIVE_PRICE], strict=True):
            if row != NONE and price > 1e-6 and row < m:
                assert case.normals[int(row)] @ u == pytest.approx(case.bounds[int(row)], abs=1e-8 * case.size)


def test_as_many_planes_as_there_can_be() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        normals = rng.normal(size=(PLANES_MAX, 3))
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        case = Problem(normals, np.ones(PLANES_MAX), np.array(SIDE), rng.normal(size=3) * 5)
        mine, other = by_core(case), by_least_distance(case)
        assert mine is not None
        assert other is not None
        assert np.abs(mine - other).max() <= AGREES * case.size


def test_normals_that_depend_on_each_other_but_for_rounding() -> None:
    rng = np.random.default_rng(6)
    for _ in range(300):
        a, b = rng.normal(size=(2, 3))
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        between, across = a + b, a - b
        normals = np.array([a, b, between / np.linalg.norm(between), across / np.linalg.norm(across), -a])
        case = Problem(
            normals, np.array([1.0, 1.0, 0.9, 0.5, rng.choice([1.0, -0.5])]), np.array(SIDE), rng.normal(size=3) * 4
        )
        mine, other = by_core(case), by_least_distance(case)
        assert mine is not None
        assert other is not None
        assert np.abs(mine - other).max() <= AGREES * case.size, case


@pytest.mark.parametrize("gap", [0.1, 1e-6])
def test_two_planes_that_leave_nothing_between_them(gap: float) -> None:
    for axis in np.eye(3):
        normals = np.array([axis, -axis])
        assert by_core(Problem(normals, np.array([1.0, -1.0 - gap]), np.array(SIDE), np.zeros(3))) is None
        assert by_core(Problem(normals, np.array([1.0, -1.0]), np.array(SIDE), np.zeros(3))) is not None


def test_a_plane_beyond_the_box() -> None:
    assert by_core(Problem(np.array([[1.0, 0.0, 0.0]]), np.array([-5.1]), np.array(SIDE), np.zeros(3))) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["normal", "bound", "side", "wanted"])
def test_what_is_no_number_has_no_solution(bad: float, place: str) -> None:
    normals, bounds, half, wanted = np.eye(3), np.ones(3), np.array(SIDE), np.zeros(3)
    {"normal": normals[1], "bound": bounds, "side": half, "wanted": wanted}[place][2] = bad
    assert by_core(Problem(normals, bounds, half, wanted)) is None


def test_more_steps_than_are_given_count_as_no_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Problem(np.eye(3), np.ones(3), np.array(SIDE), np.full(3, 4.0))
    assert by_core(case) is not None
    if getattr(project, "py_func", None) is None:  # a compiled function has the number built in
        monkeypatch.setattr("safetykit.core.projection.STEPS_MAX", 2)
        assert by_core(case) is None
