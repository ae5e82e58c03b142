"""Comparisons of the state, evaluated once per tick into bits.

Permission, the function allow-list, reset and recovery only combine these bits. A condition whose input is not
valid is false: whatever needs it is refused.
"""

from __future__ import annotations

from safetykit.core.jit import jit
from safetykit.core.layout import (
    COND_COLS,
    COND_COLS_I,
    COND_HI,
    COND_KIND,
    COND_LO,
    COND_OPERAND,
    COND_WITHIN_NS,
    CONDITION_COUNT,
    L_COND,
    T_COND,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import ConditionKind
from safetykit.core.zones import position_known

_RANGE, _RECENT = int(ConditionKind.RANGE), int(ConditionKind.RECENT)
_INSIDE = int(ConditionKind.ZONE_INSIDE)


@jit
def evaluate(limits: Limits, timing: Timing, frame: Frame) -> None:
    """Sets st_conditions (holding now), st_edges (rose in this tick) and st_low (validly false).

    An edge needs a valid false before the valid true: an input that is on at power-up, or comes back on after
    a drop-out, has no edge.
    """
    holding, edges, low = 0, 0, 0
    for k in range(timing[CONDITION_COUNT]):
        row = T_COND + k * COND_COLS_I
        kind, operand = timing[row + COND_KIND], timing[row + COND_OPERAND]
        if kind > _RECENT:
            holding |= _zone(timing, frame, kind, operand) << k
            continue
        if frame.st_valid >> operand & 1 == 0:
            continue
        value, span = frame.in_value[operand], L_COND + k * COND_COLS
        if not limits[span + COND_LO] <= value <= limits[span + COND_HI]:
            low |= 1 << k
            continue
        if frame.st_low >> k & 1:
            edges |= 1 << k
            frame.st_condition_since_ns[k] = frame.in_now_ns
        since_ns = frame.st_condition_since_ns[k]
        if kind == _RANGE or (since_ns > 0 and frame.in_now_ns - since_ns <= timing[row + COND_WITHIN_NS]):
            holding |= 1 << k
    frame.st_conditions, frame.st_edges, frame.st_low = holding, edges, low


@jit
def _zone(timing: Timing, frame: Frame, kind: int, zone: int) -> int:
    """1 if the zone condition holds; unknown position = 0 for both kinds."""
    if not position_known(timing, frame):
        return 0
    inside = frame.st_zones >> zone & 1
    return inside if kind == _INSIDE else 1 - inside
