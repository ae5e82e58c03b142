"""Which action rules: every fault asks for one, and the worst wins. Some wait for it, or outlast their fault.

The rules of PX4's failsafe framework (src/modules/commander/failsafe) as data. A reaction may have a delay: time runs
while its fault is there and comes back at a quarter of the pace while it is not, so that a flapping fault still acts.
After the delay it may announce its action and wait, so that the operator can take over first. And it may stay in force
when its fault is gone. Faults without such a reaction act at once and for as long as they are there.

With every fault that is there, time spent only grows; each step on the way (waiting, in force) asks for at least what
the one before asked for. So a superset of the faults in every tick never asks for less in any tick.
"""

from __future__ import annotations

from safetykit.core.columns.breakers import (
    REACTION_ACTION,
    REACTION_AFTER_NS,
    REACTION_COLS_I,
    REACTION_COUNT,
    REACTION_DRIVEN,
    REACTION_FAULT,
    REACTION_FAULTS,
    REACTION_MEANWHILE,
    REACTION_TAKEOVER_NS,
    REACTION_UNTIL,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import DT_MAX_NS, T_ACTION, T_REACTION, T_REACTIONS, Frame, Timing
from safetykit.core.vocabulary import Action, Fault, State, Until

_INTERVENTION = 1 << Fault.INTERVENTION
_ACTIONS, _DEGRADE = len(Action), int(Action.DEGRADE)
_ENGAGED = int(State.ENGAGED)
_CLEARED, _ENGAGED_AGAIN = int(Until.CLEARED), int(Until.ENGAGED_AGAIN)
_RESET, _NEVER = int(Until.RESET), int(Until.NEVER)
_REFILL_SHIFT = 2  # a quarter of the pace, as in PX4
UNTIL_RESET, FOR_NOW = 1, 2  # bits of st_degraded


@jit
def decide(timing: Timing, frame: Frame, faults: int, engage_edge: bool) -> int:
    """Moves the time of every reaction on; INTERVENTION while an announced action waits."""
    frame.out_window_ns = frame.out_window_action = 0
    if timing[T_REACTIONS + REACTION_COUNT] == 0:
        return 0
    return _decide_all(timing, frame, faults, engage_edge)


@jit_apart
def _decide_all(timing: Timing, frame: Frame, faults: int, engage_edge: bool) -> int:
    pending, started, announced = 0, 0, 0
    for i in range(timing[T_REACTIONS + REACTION_COUNT]):
        row, bit = T_REACTION + i * REACTION_COLS_I, 1 << i
        after_ns, until = timing[row + REACTION_AFTER_NS], timing[row + REACTION_UNTIL]
        total_ns = after_ns + timing[row + REACTION_TAKEOVER_NS]
        if faults & timing[row + REACTION_FAULT] == 0:
            refill_ns = min(frame.st_elapsed_ns, timing[DT_MAX_NS]) >> _REFILL_SHIFT
            frame.st_reaction_ns[i] = max(frame.st_reaction_ns[i] - refill_ns, 0)
            if until == _ENGAGED_AGAIN and engage_edge:
                frame.st_reaction_held &= ~bit
            continue
        pending |= bit
        _spend(timing, frame, i, row, after_ns, total_ns)
        left_ns = total_ns - frame.st_reaction_ns[i]
        if left_ns <= 0:
            started |= bit
            _keep(frame, bit, until)
        elif frame.st_reaction_ns[i] >= after_ns and frame.st_reaction_held & bit == 0:
            announced = _INTERVENTION
            _announce(frame, timing[row + REACTION_ACTION], left_ns)
    frame.st_reaction_pending, frame.st_reaction_started = pending, started
    return announced


@jit
def _spend(timing: Timing, frame: Frame, i: int, row: int, after_ns: int, total_ns: int) -> None:
    """One more tick with the fault, counted in full. An announced action waits while the operator drives."""
    spent_ns, most_ns = frame.st_reaction_ns[i], total_ns
    if frame.st_manual and timing[row + REACTION_DRIVEN] >= 0:
        most_ns = max(after_ns, spent_ns)
    frame.st_reaction_ns[i] = spent_ns + min(frame.st_elapsed_ns, most_ns - spent_ns)


@jit
def _keep(frame: Frame, bit: int, until: int) -> None:
    """The action outlasts its fault, unless nothing had been engaged yet. What needs a reset is a new stop event."""
    if until == _CLEARED or frame.st_state < _ENGAGED:
        return
    if until == _RESET and frame.st_reaction_held & bit == 0:
        frame.st_stop_event += 1
    frame.st_reaction_held |= bit


@jit
def _announce(frame: Frame, action: int, left_ns: int) -> None:
    """The worst announced action, the next one of two equals."""
    worse = action > frame.out_window_action
    if worse or (action == frame.out_window_action and left_ns < frame.out_window_ns):
        frame.out_window_action, frame.out_window_ns = action, left_ns


@jit
def wanted(timing: Timing, frame: Frame, faults: int, held: int) -> int:
    """Every action that the faults ask for, one bit each; `held`: reactions that stay in force without their fault."""
    actions, direct = 0, faults & ~timing[T_REACTIONS + REACTION_FAULTS]
    for action in range(1, _ACTIONS):
        if direct & timing[T_ACTION + action]:
            actions |= 1 << action
    for i in range(timing[T_REACTIONS + REACTION_COUNT]):
        row, bit = T_REACTION + i * REACTION_COLS_I, 1 << i
        if (frame.st_reaction_started | held) & bit:
            actions |= 1 << timing[row + REACTION_ACTION]
        elif frame.st_reaction_pending & bit:
            driven = timing[row + REACTION_DRIVEN]
            actions |= 1 << (driven if frame.st_manual and driven >= 0 else timing[row + REACTION_MEANWHILE])
    return actions


@jit
def lasting(timing: Timing, frame: Frame) -> int:
    """Reactions in force that no reset ends."""
    held = 0
    for i in range(timing[T_REACTIONS + REACTION_COUNT]):
        if timing[T_REACTION + i * REACTION_COLS_I + REACTION_UNTIL] == _NEVER:
            held |= frame.st_reaction_held & (1 << i)
    return held


@jit
def release(timing: Timing, frame: Frame) -> None:
    """Ends what outlasts its fault until a reset, and the degraded envelope: part of a granted reset."""
    frame.st_reaction_held &= lasting(timing, frame) | frame.st_reaction_started
    frame.st_degraded = 0


@jit
def degrade(timing: Timing, frame: Frame, faults: int, own: int, engaged: bool) -> None:
    """The smaller envelope, from the next tick: until a reset, or for as long as a breaker or a reaction wants it."""
    at_once = faults & ~timing[T_REACTIONS + REACTION_FAULTS] & timing[T_ACTION + _DEGRADE]
    kept = frame.st_degraded & UNTIL_RESET
    if engaged and (at_once or own == _DEGRADE):
        kept = UNTIL_RESET
    frame.st_degraded = kept | (FOR_NOW if frame.st_wanted >> _DEGRADE & 1 else 0)
