"""Branches that only damaged memory or a policy past its checks could reach: they fail closed too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from safetykit.core import layout, output, zones
from tests.drive import Drive

pytestmark = pytest.mark.core


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_never_sent(value: float) -> None:
    guard = Drive().engaged().guard
    guard.frame.out_sent[1] = value
    assert output.commit(guard.policy.limits, guard.policy.timing, guard.frame, 0.01) != 0
    assert guard.frame.out_sent[1] == guard.frame.st_sent[1] == 0.0


def test_a_value_beyond_the_hard_bounds_is_never_sent() -> None:
    guard = Drive().engaged().guard
    guard.frame.out_sent[1] = 5.000001
    output.commit(guard.policy.limits, guard.policy.timing, guard.frame, 0.01)
    assert guard.frame.out_sent[1] == 5.0


def test_a_policy_without_position_inputs_knows_no_position() -> None:
    guard = Drive().engaged().guard
    timing = guard.policy.timing.copy()
    timing[layout.POSITION_X] = timing[layout.POSITION_Y] = -1
    assert not zones.position_known(_read_only(timing), guard.frame)


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
