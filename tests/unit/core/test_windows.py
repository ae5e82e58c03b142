"""What checks leave of a channel's range: intervals that only get smaller."""

from __future__ import annotations

import math

import pytest

from safetykit.core import windows
from safetykit.core.layout import UNLIMITED
from safetykit.core.vocabulary import Fault
from safetykit.policy import parse_policy
from safetykit.runtime.guard import Guard
from tests.drive import document

pytestmark = pytest.mark.core
INFEASIBLE, RSS, RULE = 1 << Fault.INFEASIBLE, 1 << Fault.RSS, 1 << Fault.RULE


@pytest.fixture
def frame() -> object:
    guard = Guard(parse_policy(document()))
    windows.clear(guard.policy.timing, guard.frame)
    return guard.frame


def left(frame: object) -> tuple[float, float, int]:
    return float(frame.st_window_lo[0]), float(frame.st_window_hi[0]), int(frame.st_window_why[0])  # type: ignore[attr-defined]


def test_without_a_check_everything_is_left(frame: object) -> None:
    assert left(frame) == (-UNLIMITED, UNLIMITED, 0)


def test_each_check_narrows_what_the_one_before_left_and_signs_for_it(frame: object) -> None:
    assert windows.narrow(frame, 0, -1.0, 2.0, RSS) == 0
    assert windows.narrow(frame, 0, 0.0, 3.0, RULE) == 0
    assert left(frame) == (0.0, 2.0, RSS | RULE)


def test_who_takes_nothing_does_not_sign(frame: object) -> None:
    windows.narrow(frame, 0, -1.0, 2.0, RSS)
    assert windows.narrow(frame, 0, -1.0, 2.0, RULE) == 0
    assert left(frame) == (-1.0, 2.0, RSS)


def test_a_single_value_may_be_left_and_no_less(frame: object) -> None:
    windows.narrow(frame, 0, -1.0, 2.0, RSS)
    assert windows.narrow(frame, 0, 2.0, 3.0, RULE) == 0
    assert left(frame)[:2] == (2.0, 2.0)
    assert windows.narrow(frame, 0, math.nextafter(2.0, 3.0), 3.0, RULE) == INFEASIBLE
    assert left(frame)[:2] == (2.0, 2.0)


@pytest.mark.parametrize(("lo", "hi"), [(math.nan, 1.0), (0.0, math.nan), (-math.inf, 1.0), (0.0, math.inf)])
def test_a_bound_that_is_no_number_leaves_no_command(frame: object, lo: float, hi: float) -> None:
    assert windows.narrow(frame, 0, lo, hi, RSS) == INFEASIBLE
    assert left(frame) == (-UNLIMITED, UNLIMITED, 0)
