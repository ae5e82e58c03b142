"""The operator drives: the switch that hands over to the operator's own commands, and what it overrules.

The limiter starts from what was sent last, whoever asked for it, so neither way of the hand-over jumps. Every limit of
the policy stays on. Letting go of the switch gives the drive to nobody: it takes a new engage edge.
"""

from __future__ import annotations

from safetykit.core.columns.commands import MANUAL_OVERRULES, MANUAL_TAKE
from safetykit.core.jit import jit
from safetykit.core.layout import T_MANUAL, Frame, Timing
from safetykit.core.permission import engage_edge, witnessed
from safetykit.core.vocabulary import Fault, State

_STANDBY, _ENGAGED, _RECOVERY = int(State.STANDBY), int(State.ENGAGED), int(State.RECOVERY)
# Doubts about an autonomy that does not drive; those of its senders are left out in vote.py.
_AUTONOMY = (1 << Fault.SHADOW) | (1 << Fault.OSCILLATION)


@jit
def take(timing: Timing, frame: Frame) -> bool:
    """Sets st_manual; True if the operator let go while driving, which withdraws the permission.

    An unreadable switch is no letting go: that is MANUAL_LOST, see vote.py.
    """
    row = timing[T_MANUAL + MANUAL_TAKE]
    if row < 0:
        return False
    on = frame.st_conditions >> row & 1
    if frame.st_state == _ENGAGED:
        frame.st_manual |= on
        return frame.st_manual == 1 and on == 0 and witnessed(timing, frame, row)
    frame.st_manual = 0
    if frame.st_state == _STANDBY or engages(timing, frame) or engage_edge(timing, frame):
        frame.st_manual = on
    return False


@jit
def engages(timing: Timing, frame: Frame) -> bool:
    """True in the tick in which the switch rises in RECOVERY: it counts as an engage edge there."""
    row = timing[T_MANUAL + MANUAL_TAKE]
    return row >= 0 and frame.st_state == _RECOVERY and frame.st_edges >> row & 1 == 1


@jit
def relevant(frame: Frame, faults: int) -> int:
    """Without what concerns only an autonomy that does not drive."""
    return faults & ~_AUTONOMY if frame.st_manual else faults


@jit
def ruling(timing: Timing, frame: Frame, faults: int) -> int:
    """Without the faults that the operator overrules: those only correct."""
    return faults & ~timing[T_MANUAL + MANUAL_OVERRULES] if frame.st_manual else faults
