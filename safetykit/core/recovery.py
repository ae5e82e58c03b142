"""The recovery function: a short list of phases with a set-point per channel (hover, descend, brake, rest).

It only sets targets. The envelope moves there within all limits, so nothing jumps.
"""

from __future__ import annotations

from safetykit.core.bounds import CHANNELS_MAX
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CHANNEL_COUNT,
    L_PHASE,
    PHASE_COLS,
    PHASE_CONDITION,
    PHASE_COUNT,
    PHASE_HOLD,
    PHASE_NS,
    T_PHASE,
    Frame,
    Limits,
    Timing,
)


@jit
def start(frame: Frame) -> None:
    """First phase, from now on."""
    frame.st_phase = 0
    frame.st_phase_since_ns = frame.in_now_ns


@jit
def finished(timing: Timing, frame: Frame) -> bool:
    """Moves on to the next phase when one ends; True while the last one has ended.

    A phase ends when its condition holds or its time is over, whichever it has and comes first.
    """
    row = T_PHASE + frame.st_phase * PHASE_COLS
    condition, longest_ns = timing[row + PHASE_CONDITION], timing[row + PHASE_NS]
    reached = condition >= 0 and frame.st_conditions >> condition & 1 == 1
    over = longest_ns > 0 and frame.in_now_ns - frame.st_phase_since_ns >= longest_ns
    if not (reached or over):
        return False
    if frame.st_phase >= timing[PHASE_COUNT] - 1:
        return True
    frame.st_phase += 1
    frame.st_phase_since_ns = frame.in_now_ns
    return False


@jit_apart
def set_targets(limits: Limits, timing: Timing, frame: Frame) -> None:
    """Set-points of the present phase; a held channel stays at what was last sent."""
    hold = timing[T_PHASE + frame.st_phase * PHASE_COLS + PHASE_HOLD]
    for c in range(timing[CHANNEL_COUNT]):
        if hold >> c & 1:
            frame.st_target[c] = frame.st_sent[c]
        else:
            frame.st_target[c] = limits[L_PHASE + frame.st_phase * CHANNELS_MAX + c]
