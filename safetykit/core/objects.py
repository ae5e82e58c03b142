"""The list of objects around the vehicle: is it fresh, whole and possible?

A late list is not used at all. One object whose numbers cannot be makes the list faulty (OBJECTS), the others still
count: what is known of them may only restrict.
"""

from __future__ import annotations

from safetykit.core.columns.objects import (
    ID_MAX,
    OBJ_HEIGHT,
    OBJ_ID,
    OBJ_LENGTH,
    OBJ_VX,
    OBJ_VY,
    OBJ_VZ,
    OBJ_WIDTH,
    OBJ_X,
    OBJ_Y,
    OBJ_Z,
    OBJECTS_AGE_NS,
    OBJECTS_COUNT,
    OBJECTS_DISTANCE,
    OBJECTS_FUTURE_NS,
    OBJECTS_NEEDED,
    OBJECTS_SPEED,
    OBJECTS_USED,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import L_OBJECTS, STATUS_NEVER, STATUS_OK, T_OBJECTS, Frame, Limits, Timing
from safetykit.core.vocabulary import Fault

OBJECTS = 1 << Fault.OBJECTS
_STALE, _FUTURE, _TORN = 1 << Fault.INPUT_STALE, 1 << Fault.INPUT_FUTURE, 1 << Fault.INPUT_TORN


@jit
def check(limits: Limits, timing: Timing, frame: Frame) -> int:
    """OBJECTS, or INPUT_* if a needed list is late; 0 where the policy has no objects."""
    if timing[T_OBJECTS + OBJECTS_USED] == 0:
        return 0
    return _judge(limits, timing, frame)


@jit_apart
def _judge(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Age first, as for any source; then the numbers of what may be used."""
    frame.st_objects_count, frame.st_objects_unsound, frame.st_objects_first_unsound = 0, 0, -1
    verdict = _age(timing, frame)
    faults = verdict if timing[T_OBJECTS + OBJECTS_NEEDED] else 0
    if verdict & ~_TORN:
        return faults
    count = frame.in_objects_count
    if not 0 <= count <= timing[T_OBJECTS + OBJECTS_COUNT]:
        faults |= OBJECTS
        count = min(max(count, 0), timing[T_OBJECTS + OBJECTS_COUNT])
    frame.st_objects_count = count
    for k in range(count):
        if not sound(limits, frame, k):
            if frame.st_objects_unsound == 0:
                frame.st_objects_first_unsound = k
            frame.st_objects_unsound += 1
    return faults | OBJECTS if frame.st_objects_unsound else faults


@jit
def _age(timing: Timing, frame: Frame) -> int:
    """Two-sided age of the list. A torn read keeps the last good copy, which then ages."""
    if frame.in_objects_status == STATUS_NEVER:
        return _STALE
    age_ns = frame.in_now_ns - frame.in_objects_stamp_ns
    verdict = 0 if frame.in_objects_status == STATUS_OK else _TORN
    if age_ns > timing[T_OBJECTS + OBJECTS_AGE_NS]:
        verdict |= _STALE
    elif age_ns < -timing[T_OBJECTS + OBJECTS_FUTURE_NS]:
        verdict |= _FUTURE
    return verdict


@jit
def sound(limits: Limits, frame: Frame, k: int) -> bool:
    """True if every number of object `k` is finite and possible: a NaN compares false with everything."""
    far, fast = limits[L_OBJECTS + OBJECTS_DISTANCE], limits[L_OBJECTS + OBJECTS_SPEED]
    row = frame.in_object[k]
    placed = (abs(row[OBJ_X]) <= far) & (abs(row[OBJ_Y]) <= far) & (abs(row[OBJ_Z]) <= far)
    moving = (abs(row[OBJ_VX]) <= fast) & (abs(row[OBJ_VY]) <= fast) & (abs(row[OBJ_VZ]) <= fast)
    long = (row[OBJ_LENGTH] >= 0.0) & (row[OBJ_LENGTH] <= far)
    wide = (row[OBJ_WIDTH] >= 0.0) & (row[OBJ_WIDTH] <= far)
    high = (row[OBJ_HEIGHT] >= 0.0) & (row[OBJ_HEIGHT] <= far)
    if not ((row[OBJ_ID] >= 0.0) & (row[OBJ_ID] <= ID_MAX)):
        return False
    whole = int(row[OBJ_ID]) == row[OBJ_ID]
    return bool(placed & moving & long & wide & high & whole)
