"""May the commands actuate? Only after the operator's engage edge, and only while no operator input objects."""

from __future__ import annotations

from safetykit.core.jit import jit
from safetykit.core.layout import (
    ALL_CHANNELS,
    COND_COLS_I,
    COND_OPERAND,
    ENGAGE_CONDITION,
    HOLD_TO_RUN,
    OVERRIDE_CHANNELS,
    OVERRIDE_COLS,
    OVERRIDE_COUNT,
    OVERRIDE_KEEP,
    OVERRIDE_LATCHED,
    T_COND,
    T_OVERRIDE,
    Frame,
    Timing,
)


@jit
def overridden(timing: Timing, frame: Frame) -> tuple[int, bool]:
    """(channels, withdrawn): channels that may not actuate now; whether a person took everything back.

    An override whose input is not valid also takes its channels. It does not count as a person's withdrawal:
    the lost input is a fault of its own, and the recovery function answers it.
    """
    channels, withdrawn = frame.st_inhibit, False
    for k in range(timing[OVERRIDE_COUNT]):
        row = T_OVERRIDE + k * OVERRIDE_COLS
        keep, mask = timing[row + OVERRIDE_KEEP], timing[row + OVERRIDE_CHANNELS]
        if frame.st_conditions >> keep & 1:
            continue
        channels |= mask
        if timing[row + OVERRIDE_LATCHED]:
            frame.st_inhibit |= mask
        if mask == timing[ALL_CHANNELS] and witnessed(timing, frame, keep):
            withdrawn = True
    engage = timing[ENGAGE_CONDITION]
    if timing[HOLD_TO_RUN] and frame.st_conditions >> engage & 1 == 0 and witnessed(timing, frame, engage):
        withdrawn = True
    return channels, withdrawn


@jit
def witnessed(timing: Timing, frame: Frame, condition: int) -> bool:
    """True if the condition's input is valid, so that its being false is a fact and not a gap."""
    return frame.st_valid >> timing[T_COND + condition * COND_COLS_I + COND_OPERAND] & 1 == 1


@jit
def engage_edge(timing: Timing, frame: Frame) -> bool:
    """True in the tick in which the operator's engage input rises."""
    engage = timing[ENGAGE_CONDITION]
    return engage >= 0 and frame.st_edges >> engage & 1 == 1
