"""The function allow-list: take-off, land, arm, payload release, mode changes and whatever else has a name."""

from __future__ import annotations

from safetykit.core.jit import jit
from safetykit.core.layout import (
    FUNCTION_COLS,
    FUNCTION_COUNT,
    FUNCTION_MASK,
    FUNCTION_NEVER,
    T_FUNCTION,
    Frame,
    Timing,
)
from safetykit.core.vocabulary import Fault, State

_REFUSED, _UNKNOWN = 1 << Fault.FUNCTION_REFUSED, 1 << Fault.FUNCTION_UNKNOWN
_STANDBY, _RECOVERY = int(State.STANDBY), int(State.RECOVERY)


@jit
def decide(timing: Timing, frame: Frame) -> int:
    """Grants or refuses a new request, once. Nothing is granted in BOOT or in a latched stop."""
    frame.out_function, frame.out_function_refused = 0, 0
    if frame.in_function_seq == frame.st_function_seq:
        return 0
    frame.st_function_seq = frame.in_function_seq
    number = frame.in_function
    if number < 1 or number > timing[FUNCTION_COUNT]:
        frame.out_function_refused = 1
        return _UNKNOWN
    row = T_FUNCTION + (number - 1) * FUNCTION_COLS
    mask = timing[row + FUNCTION_MASK]
    running = _STANDBY <= frame.st_state <= _RECOVERY
    if running and timing[row + FUNCTION_NEVER] == 0 and frame.st_conditions & mask == mask:
        frame.out_function = number
        return 0
    frame.out_function_refused = 1
    return _REFUSED
