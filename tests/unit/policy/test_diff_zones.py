"""Whether a changed zone allows more or less."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from safetykit.policy import parse_policy
from safetykit.policy.diff import differences
from tests.unit.policy.cases_zones import FIELD, MAST, MOTION, ORIGIN, SLOW
from tests.unit.policy.edits import edited
from tests.unit.policy.places import AREA

BEFORE: dict[str, Any] = {"motion": MOTION, "zones.mast": MAST, "zones.slow": SLOW, f"{AREA}.correct_m": 1}
OPPOSITE = {"looser": "tighter", "tighter": "looser", "other": "other"}


@pytest.mark.parametrize(
    ("edits", "key", "verdict"),
    [
        ({"zones.slow.speed_mps_max": 3}, "zones.slow", "looser"),
        ({"zones.slow.excess_mps": 0.1}, "zones.slow", "tighter"),
        ({"zones.slow.excess_mps": 0.1, "zones.slow.speed_mps_max": 3}, "zones.slow", "other"),
        ({"zones.slow.ceiling_m": 20}, "zones.slow", "looser"),
        ({"zones.more": SLOW}, "zones.more", "tighter"),
        ({"zones.mast.radius_m": 6}, "zones.mast", "tighter"),
        ({"zones.mast.centre_m": [21, 30]}, "zones.mast", "other"),
        ({"zones.mast.correct_m": 0.5}, "zones.mast", "other"),  # the default, written out
        ({"zones.mast.correct_m": 0.4}, "zones.mast", "looser"),
        ({f"{AREA}.correct_m": 2}, AREA, "tighter"),
        ({f"{AREA}.correct_m": 2, f"{AREA}.ceiling_m": 110}, AREA, "other"),
    ],
)
def test_verdict(edits: dict[str, Any], key: str, verdict: str) -> None:
    old = parse_policy(edited("quadrotor", copy.deepcopy(BEFORE)))
    new = parse_policy(edited("quadrotor", {**copy.deepcopy(BEFORE), **edits}))
    assert {one.key: one.verdict for one in differences(old, new)}[key] == verdict
    assert {one.key: one.verdict for one in differences(new, old)}[key] == OPPOSITE[verdict]


def test_zones_in_degrees_are_compared_where_they_lie() -> None:
    made = {"origin": ORIGIN, "zones.field": {"rule": "keep_out", "corners_deg": FIELD}, f"{AREA}.ceiling_m": 99}
    wider = [[47.3989, 8.499], *FIELD[1:]]
    old = parse_policy(edited("quadrotor", made))
    new = parse_policy(edited("quadrotor", {**made, "zones.field": {"rule": "keep_out", "corners_deg": wider}}))
    assert [(one.key, one.verdict) for one in differences(old, new)] == [("zones.field", "tighter")]
