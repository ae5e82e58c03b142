"""The stop state machine: conditions -> transition table -> state. All of it is the table below.

Stopping needs nobody's permission: the stops stand first in every state. Leaving a latched stop needs a reset by a
person for this very stop event, and then a separate engage edge. Leaving RECOVERY for ENGAGED needs that edge too,
once the cause is gone. A state that is not in the table is an emergency stop.
"""

from __future__ import annotations

import numpy as np

from safetykit.core.jit import jit
from safetykit.core.layout import RESET_CONDITIONS, Frame, Timing
from safetykit.core.vocabulary import Action, Fault, State

# Condition bits
SELFTEST_OK = 1 << 0  # power-on self-test passed
ENGAGE = 1 << 1  # rising edge of the engage input while nothing speaks against it
WITHDRAWN = 1 << 2  # a person took back permission
RECOVER = 1 << 3  # worst action of this tick is RECOVER
PROTECTIVE = 1 << 4  # worst action of this tick is PROTECTIVE_STOP
EMERGENCY = 1 << 5  # worst action of this tick is EMERGENCY_STOP
RESET = 1 << 6  # reset request for the present stop event, with its conditions
RECOVERED = 1 << 7  # the recovery function has come to its end
CONDITION_BITS = 8

_B, _S, _E, _R, _P, _X = (
    State.BOOT,
    State.STANDBY,
    State.ENGAGED,
    State.RECOVERY,
    State.PROTECTIVE_STOP,
    State.EMERGENCY_STOP,
)

# (from, all of these, none of these, to); the first row that matches wins, no match = stay.
TRANSITIONS: tuple[tuple[State, int, int, State], ...] = (
    (_B, EMERGENCY, 0, _X),
    (_B, PROTECTIVE, 0, _P),
    (_B, SELFTEST_OK, 0, _S),
    (_S, EMERGENCY, 0, _X),
    (_S, PROTECTIVE, 0, _P),
    (_S, ENGAGE, WITHDRAWN | RECOVER, _E),
    (_E, EMERGENCY, 0, _X),
    (_E, PROTECTIVE, 0, _P),
    (_E, WITHDRAWN, 0, _S),
    (_E, RECOVER, 0, _R),
    (_R, EMERGENCY, 0, _X),
    (_R, PROTECTIVE, 0, _P),
    (_R, WITHDRAWN, 0, _S),
    (_R, ENGAGE, WITHDRAWN | RECOVER, _E),
    (_R, RECOVERED, RECOVER, _S),
    (_P, EMERGENCY, 0, _X),
    (_P, RESET, PROTECTIVE, _S),
    (_X, RESET, PROTECTIVE | EMERGENCY, _S),
)


def next_by_rows(state: State, bits: int) -> State:
    """The meaning of the table: first row of this state whose conditions all hold and none is forbidden, else stay."""
    for at, all_of, none_of, to in TRANSITIONS:
        if at == state and bits & all_of == all_of and bits & none_of == 0:
            return to
    return state


def _dense() -> Timing:
    """The table as next state by [state, condition bits]: one look-up per tick instead of a walk."""
    table = np.empty((len(State), 1 << CONDITION_BITS), np.int64)
    for state in State:
        for bits in range(1 << CONDITION_BITS):
            table[state, bits] = next_by_rows(state, bits)
    table.flags.writeable = False
    return table


NEXT_STATE = _dense()

_STATES = len(State)
_LATCHED_FROM = int(State.RECOVERY)  # states from here on are stop events with a number
_EMERGENCY_STATE = int(State.EMERGENCY_STOP)
_ENGAGED_STATE = int(State.ENGAGED)
_PROTECTIVE_ACTION, _EMERGENCY_ACTION = int(Action.PROTECTIVE_STOP), int(Action.EMERGENCY_STOP)
_RECOVER_ACTION = int(Action.RECOVER)
RESET_REFUSED = 1 << Fault.RESET_REFUSED


@jit
def worst(actions: int) -> int:
    """The worst one of a mask of actions."""
    for action in range(_EMERGENCY_ACTION, 0, -1):
        if actions >> action & 1:
            return action
    return 0


@jit
def action_bits(action: int) -> int:
    """Condition bit of the worst action. Anything above EMERGENCY_STOP is one."""
    if action >= _EMERGENCY_ACTION:
        return EMERGENCY
    if action == _PROTECTIVE_ACTION:
        return PROTECTIVE
    return RECOVER if action == _RECOVER_ACTION else 0


@jit
def reset_asked(timing: Timing, frame: Frame) -> tuple[bool, int]:
    """(granted, faults) of a new reset request; granted only for the present stop event, at rest, while not engaged."""
    if frame.in_reset_seq == frame.st_reset_seq:
        return False, 0
    frame.st_reset_seq = frame.in_reset_seq
    needed = timing[RESET_CONDITIONS]
    granted = (
        frame.in_reset_event == frame.st_stop_event
        and frame.st_conditions & needed == needed
        and frame.st_state != _ENGAGED_STATE
    )
    return granted, 0 if granted else RESET_REFUSED


@jit
def advance(frame: Frame, bits: int) -> int:
    """Next state by the table. Entering RECOVERY or a stop is a new stop event; its number binds the reset."""
    state = frame.st_state
    after = _EMERGENCY_STATE
    if 0 <= state < _STATES:
        after = NEXT_STATE[state, bits]
    if after != state:
        frame.st_state = after
        frame.st_state_since_ns = frame.in_now_ns
        if after >= _LATCHED_FROM:
            frame.st_stop_event += 1
    return after
