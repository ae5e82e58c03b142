"""The input manager: is the command fresh, in sequence, whole and finite; are the sources of state alive?

A refused command is never used: the last accepted one ages until it is late, then stale. The verdict on a
publication stands until the next publication, so a bad value is reported for as long as it is the newest.
"""

from __future__ import annotations

import math

from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    ALL_CHANNELS,
    CHANNEL_COUNT,
    COMMAND_FUTURE_NS,
    COMMAND_LATE_NS,
    COMMAND_LOST_MAX,
    COMMAND_STALE_NS,
    INPUT_COLS,
    INPUT_COUNT,
    INPUT_HI,
    INPUT_LO,
    L_INPUT,
    SAMPLE_COLS,
    SAMPLE_COUNT,
    SAMPLE_DEPTH,
    SAMPLE_INPUT,
    SOURCE_AGE_NS,
    SOURCE_COLS,
    SOURCE_COUNT,
    SOURCE_FUTURE_NS,
    SOURCE_NEEDED,
    STATUS_NEVER,
    STATUS_OK,
    T_INPUT,
    T_SAMPLE,
    T_SOURCE,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.vocabulary import Fault, State

_ENGAGED = int(State.ENGAGED)
_MISSING, _LATE, _STALE = 1 << Fault.COMMAND_MISSING, 1 << Fault.COMMAND_LATE, 1 << Fault.COMMAND_STALE
_FUTURE, _NONFINITE, _SIZE = 1 << Fault.COMMAND_FUTURE, 1 << Fault.COMMAND_NONFINITE, 1 << Fault.COMMAND_SIZE
_REPEATED, _REORDERED = 1 << Fault.COMMAND_REPEATED, 1 << Fault.COMMAND_REORDERED
_LOST, _TORN = 1 << Fault.COMMAND_LOST, 1 << Fault.COMMAND_TORN
_ORDER = _STALE | _FUTURE | _REPEATED | _REORDERED
_INPUT_STALE, _INPUT_FUTURE = 1 << Fault.INPUT_STALE, 1 << Fault.INPUT_FUTURE
_INPUT_INVALID, _INPUT_TORN = 1 << Fault.INPUT_INVALID, 1 << Fault.INPUT_TORN
_COUNT_MAX = 2**62  # counters stop here: an int64 wraps silently in compiled code


@jit
def check_command(timing: Timing, frame: Frame) -> int:
    """Faults of the command; a good new publication is copied to st_ask."""
    faults = 0
    status = frame.in_command_status
    if status == STATUS_OK:
        if frame.in_command_published != frame.st_command_published:
            frame.st_command_published = frame.in_command_published
            frame.st_command_faults = _judge(timing, frame)
            if frame.st_command_faults & _ORDER == 0:  # refused for its content only: its number was the next one
                frame.st_command_seq = frame.in_command_seq
            if frame.st_command_faults & ~_LOST == 0:
                _accept(timing, frame)
        faults |= frame.st_command_faults
    elif status != STATUS_NEVER:
        faults |= _TORN
    if frame.st_command_seen == 0:
        return faults | _MISSING
    age_ns = frame.in_now_ns - frame.st_command_stamp_ns
    if age_ns > timing[COMMAND_STALE_NS]:
        faults |= _STALE
    elif age_ns > timing[COMMAND_LATE_NS]:
        faults |= _LATE
    elif age_ns < -timing[COMMAND_FUTURE_NS]:
        faults |= _FUTURE
    return faults


@jit
def _judge(timing: Timing, frame: Frame) -> int:
    """Fault bits of a new publication. Only COMMAND_LOST lets it be used."""
    faults = 0
    channels = timing[CHANNEL_COUNT]
    if frame.in_command_count != channels:
        faults |= _SIZE
    for c in range(channels):
        if not math.isfinite(frame.in_ask[c]):
            faults |= _NONFINITE
    age_ns = frame.in_now_ns - frame.in_command_stamp_ns
    if age_ns > timing[COMMAND_STALE_NS]:
        faults |= _STALE
    if age_ns < -timing[COMMAND_FUTURE_NS]:
        faults |= _FUTURE
    if frame.st_command_seen == 0:
        return faults
    if frame.in_command_stamp_ns == frame.st_command_stamp_ns:
        faults |= _REPEATED
    elif frame.in_command_stamp_ns < frame.st_command_stamp_ns:
        faults |= _REORDERED
    return faults | _judge_sequence(timing, frame)


@jit
def _judge_sequence(timing: Timing, frame: Frame) -> int:
    """Repeated, reordered, lost. A sender may start a new count only while the guard is not engaged."""
    ahead = frame.in_command_seq - frame.st_command_seq
    if frame.st_state != _ENGAGED and ahead != 0:
        return 0
    if ahead == 0:
        return _REPEATED
    if ahead < 0:
        return _REORDERED
    if ahead - 1 > timing[COMMAND_LOST_MAX]:
        return _LOST
    return 0


@jit
def _accept(timing: Timing, frame: Frame) -> None:
    """The new publication becomes the command."""
    for c in range(timing[CHANNEL_COUNT]):
        frame.st_ask[c] = frame.in_ask[c]
    frame.st_request_ask = frame.in_request_bits & timing[ALL_CHANNELS]
    frame.st_command_stamp_ns = frame.in_command_stamp_ns
    frame.st_command_seen = 1


@jit
def check_sources(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Faults of the needed sources; sets one bit of st_valid per usable input."""
    faults, fresh, needed = 0, 0, 0
    for s in range(timing[SOURCE_COUNT]):
        verdict = _judge_source(timing, frame, s)
        needed_here = timing[T_SOURCE + s * SOURCE_COLS + SOURCE_NEEDED]
        needed |= needed_here << s
        if needed_here:
            faults |= verdict
        if verdict & ~_INPUT_TORN == 0:
            fresh |= 1 << s
    valid = 0
    for i in range(timing[INPUT_COUNT]):
        source = timing[T_INPUT + i]
        if fresh >> source & 1 == 0:
            continue
        row = L_INPUT + i * INPUT_COLS
        # A NaN compares false with everything, so it is never in range.
        if limits[row + INPUT_LO] <= frame.in_value[i] <= limits[row + INPUT_HI]:
            valid |= 1 << i
        elif needed >> source & 1:
            faults |= _INPUT_INVALID
    frame.st_valid = valid
    _sample(timing, frame)
    return faults


@jit
def _judge_source(timing: Timing, frame: Frame, s: int) -> int:
    """Two-sided age of one source. A torn read keeps the last good copy, which then ages."""
    if frame.in_source_status[s] == STATUS_NEVER:
        return _INPUT_STALE
    row = T_SOURCE + s * SOURCE_COLS
    age_ns = frame.in_now_ns - frame.in_source_stamp_ns[s]
    verdict = 0
    if frame.in_source_status[s] != STATUS_OK:
        verdict |= _INPUT_TORN
    if age_ns > timing[row + SOURCE_AGE_NS]:
        verdict |= _INPUT_STALE
    elif age_ns < -timing[row + SOURCE_FUTURE_NS]:
        verdict |= _INPUT_FUTURE
    return verdict


@jit
def _sample(timing: Timing, frame: Frame) -> None:
    """New valid samples go into the ring that keeps recent extremes; one per new stamp, not per tick."""
    for slot in range(timing[SAMPLE_COUNT]):
        row = T_SAMPLE + slot * SAMPLE_COLS
        i = timing[row + SAMPLE_INPUT]
        stamp_ns = frame.in_source_stamp_ns[timing[T_INPUT + i]]
        if frame.st_valid >> i & 1 and stamp_ns != frame.st_sample_stamp_ns[slot]:
            count = frame.st_sample_count[slot]
            frame.st_sample[slot, count % timing[row + SAMPLE_DEPTH]] = frame.in_value[i]
            frame.st_sample_count[slot] = min(count + 1, _COUNT_MAX)
            frame.st_sample_stamp_ns[slot] = stamp_ns


@jit_apart
def recent_extremes(timing: Timing, frame: Frame, slot: int) -> tuple[bool, float, float]:
    """(known, min, max) of the slot's recent samples; known is False if the input is not valid now."""
    row = T_SAMPLE + slot * SAMPLE_COLS
    count = frame.st_sample_count[slot]
    if count == 0 or frame.st_valid >> timing[row + SAMPLE_INPUT] & 1 == 0:
        return False, 0.0, 0.0
    low = high = frame.st_sample[slot, 0]
    for k in range(1, min(count, timing[row + SAMPLE_DEPTH])):
        low = min(low, frame.st_sample[slot, k])
        high = max(high, frame.st_sample[slot, k])
    return True, low, high
