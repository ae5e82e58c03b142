"""Fills the blocks of the zones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as at
from safetykit.core.columns import motion as to
from safetykit.policy import shapes
from safetykit.policy.schema import PolicyDocument

RULES = {"condition": to.CONDITION_ONLY, "keep_in": to.KEEP_IN, "keep_out": to.KEEP_OUT, "speed": to.SLOW}


def fill(document: PolicyDocument, limits: NDArray[np.float64], timing: NDArray[np.int64]) -> None:
    """Every zone, and what all of them come to."""
    for number, zone in enumerate(document.zones.values()):
        row, row_i = at.L_ZONE + number * to.ZONE_COLS, at.T_ZONE + number * to.ZONE_COLS_I
        limits[row + to.ZONE_FLOOR] = -at.UNLIMITED if zone.floor_m is None else zone.floor_m
        limits[row + to.ZONE_CEILING] = at.UNLIMITED if zone.ceiling_m is None else zone.ceiling_m
        limits[row + to.ZONE_CORRECT] = zone.ahead_m
        limits[row + to.ZONE_SPEED], limits[row + to.ZONE_EXCESS] = zone.speed_mps_max or 0.0, zone.excess_mps or 0.0
        timing[row_i + to.ZONE_RULE] = RULES[zone.rule]
        if zone.radius_m is not None and zone.rule != "keep_in":
            (x, y), radius = shapes.spots(zone, document.origin)[0], zone.radius_m
            limits[row + to.ZONE_X], limits[row + to.ZONE_Y], limits[row + to.ZONE_RADIUS] = x, y, radius
            _box(limits, row, [(x - radius, y - radius), (x + radius, y + radius)])
            continue
        corners = shapes.outline(zone, document.origin)
        timing[row_i + to.ZONE_N] = len(corners)
        _box(limits, row, corners)
        for k, (x, y) in enumerate(corners):
            limits[row + to.ZONE_XY + 2 * k], limits[row + to.ZONE_XY + 2 * k + 1] = x, y
    rules = [zone.rule for zone in document.zones.values()]
    timing[at.T_ZONES + to.ZONES_ENFORCED] = int(any(rule != "condition" for rule in rules))
    timing[at.T_ZONES + to.ZONES_KEEP_INS] = rules.count("keep_in")
    timing[at.T_ZONES + to.ZONES_FIRST_KEEP_IN] = rules.index("keep_in") if "keep_in" in rules else -1


def _box(limits: NDArray[np.float64], row: int, corners: shapes.Points) -> None:
    limits[row + to.ZONE_X_MIN], limits[row + to.ZONE_Y_MIN] = (
        min(corner[axis] for corner in corners) for axis in (0, 1)
    )
    limits[row + to.ZONE_X_MAX], limits[row + to.ZONE_Y_MAX] = (
        max(corner[axis] for corner in corners) for axis in (0, 1)
    )
