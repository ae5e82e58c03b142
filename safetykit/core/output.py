"""The RTA switch: the target the vehicle gets in each state, the limiter around it, the record of what was sent."""

from __future__ import annotations

import math

from safetykit.core import envelope, groups, recovery, slew
from safetykit.core.interval import clip
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    CH_COLS,
    CHANNEL_COUNT,
    CHI_COLS,
    EMERGENCY,
    EMERGENCY_JUMPS,
    FLAGS,
    GROUP_CHANNEL,
    GROUP_COLS_I,
    GROUP_COUNT,
    GROUP_N,
    HARD_HI,
    HARD_LO,
    JUMPS,
    L_CHANNEL,
    NEUTRAL,
    POWER_IN_STANDBY,
    SLEW_SLOT,
    STOP,
    STOP_TIME_NS,
    T_CHANNEL,
    T_GROUP,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault, State

_STANDBY, _ENGAGED = int(State.STANDBY), int(State.ENGAGED)
_RECOVERY, _PROTECTIVE = int(State.RECOVERY), int(State.PROTECTIVE_STOP)
_EMERGENCY = int(State.EMERGENCY_STOP)
_REJECTED, _INTERNAL = 1 << Fault.REJECTED, 1 << Fault.INTERNAL


@jit_apart
def limit_all(limits: Limits, timing: Timing, frame: Frame, dt_s: float, asked: int) -> int:
    """Moves out_sent towards st_target within the envelope; `asked` is the mask of channels whose target is the ask.

    Writes out_reason for these; returns the union of the reasons.
    """
    faults = 0
    for c in range(timing[CHANNEL_COUNT]):
        frame.out_reason[c] = 0
    for g in range(timing[GROUP_COUNT]):
        faults |= _blame(timing, frame, g, groups.shorten(limits, timing, frame, g, asked != 0), asked)
    for c in range(timing[CHANNEL_COUNT]):
        reasons = envelope.limit(limits, timing, frame, c, dt_s, asked >> c & 1 == 1)
        frame.out_reason[c] |= reasons
        faults |= reasons
    for g in range(timing[GROUP_COUNT]):
        faults |= _blame(timing, frame, g, groups.straighten(limits, timing, frame, g, dt_s), asked)
        groups.enforce(limits, timing, frame, g)
    return faults


@jit
def _blame(timing: Timing, frame: Frame, g: int, reasons: int, asked: int) -> int:
    """Books a group's reasons on its asked channels."""
    row, booked = T_GROUP + g * GROUP_COLS_I, 0
    for k in range(timing[row + GROUP_N]):
        c = timing[row + GROUP_CHANNEL + k]
        if asked >> c & 1:
            frame.out_reason[c] |= reasons
            booked |= reasons
    return booked


@jit
def override_targets(limits: Limits, timing: Timing, frame: Frame, state: int) -> None:
    """Targets of every state but ENGAGED, and of the tick that enters it."""
    if state == _RECOVERY:
        recovery.set_targets(limits, timing, frame)
        return
    if state <= _ENGAGED:
        for c in range(timing[CHANNEL_COUNT]):
            frame.st_target[c] = envelope.neutral(limits, timing, frame, c)
        return
    column = STOP if state == _PROTECTIVE else EMERGENCY
    for c in range(timing[CHANNEL_COUNT]):
        frame.st_target[c] = limits[L_CHANNEL + c * CH_COLS + column]


@jit
def hold_targets(limits: Limits, timing: Timing, frame: Frame, taken: int) -> None:
    """HOLD: this command is not used, each channel falls back; those that the operator took go to neutral."""
    for c in range(timing[CHANNEL_COUNT]):
        if taken >> c & 1:
            frame.st_target[c] = envelope.neutral(limits, timing, frame, c)
        else:
            frame.st_target[c] = envelope.fallback(limits, timing, frame, c)


@jit
def emergency_jumps(limits: Limits, timing: Timing, frame: Frame) -> None:
    """EMERGENCY_STOP: channels that the policy lets jump take their value at once, the others ramp."""
    for c in range(timing[CHANNEL_COUNT]):
        if timing[T_CHANNEL + c * CHI_COLS + FLAGS] & EMERGENCY_JUMPS:
            frame.out_sent[c] = limits[L_CHANNEL + c * CH_COLS + EMERGENCY]


@jit
def power(timing: Timing, frame: Frame, state: int) -> int:
    """1 while actuator power is allowed."""
    if state in (_ENGAGED, _RECOVERY):
        return 1
    if state == _STANDBY:
        return timing[POWER_IN_STANDBY]
    if state == _PROTECTIVE and frame.in_now_ns - frame.st_state_since_ns < timing[STOP_TIME_NS]:
        return 1
    return 0


@jit
def commit(limits: Limits, timing: Timing, frame: Frame, dt_s: float) -> int:
    """What was sent becomes the history. Last line of defence: finite and inside the hard bounds, or neutral."""
    faults = 0
    for c in range(timing[CHANNEL_COUNT]):
        row, row_i = L_CHANNEL + c * CH_COLS, T_CHANNEL + c * CHI_COLS
        sent = frame.out_sent[c]
        if not math.isfinite(sent):
            sent = limits[row + NEUTRAL]
            faults |= _INTERNAL
        sent = clip(sent, limits[row + HARD_LO], limits[row + HARD_HI])
        frame.out_sent[c] = sent
        if timing[row_i + SLEW_SLOT] >= 0:
            slew.remember(timing, frame, c, sent)
        if _jumped(timing, frame, c, row_i):
            frame.st_rate[c] = 0.0
        elif dt_s > 0.0:
            frame.st_rate[c] = (sent - frame.st_sent[c]) / dt_s
        frame.st_sent[c] = sent
    return faults


@jit
def _jumped(timing: Timing, frame: Frame, c: int, row_i: int) -> bool:
    """True if the policy let this channel jump in this tick: its rate then says nothing about the next one."""
    flags = timing[row_i + FLAGS]
    if frame.st_state == _EMERGENCY and flags & EMERGENCY_JUMPS:
        return True
    return flags & JUMPS != 0 and frame.out_reason[c] & _REJECTED != 0
