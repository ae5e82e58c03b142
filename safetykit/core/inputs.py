"""The input manager: is the command fresh, in sequence, whole and finite; are the sources of state alive?

A refused command is never used: the last accepted one ages until it is late, then stale. The verdict on a
publication stands until the next publication, so a bad value is reported for as long as it is the newest.
"""

from __future__ import annotations

import math

from safetykit.core.columns.commands import MANUAL_LATE_NS, MANUAL_ROW, MANUAL_STALE_NS, MANUAL_TAKE, VOTE_COUNT
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
    T_MANUAL,
    T_SAMPLE,
    T_SOURCE,
    T_VOTE,
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
def check_commands(timing: Timing, frame: Frame) -> None:
    """Judges every sender of commands into st_vote_faults; good new publications are copied to st_offer."""
    for r in range(timing[T_VOTE + VOTE_COUNT]):
        late_ns, stale_ns = timing[COMMAND_LATE_NS], timing[COMMAND_STALE_NS]
        frame.st_vote_faults[r] = _check_command(timing, frame, r, late_ns, stale_ns)
    if timing[T_MANUAL + MANUAL_TAKE] >= 0:
        late_ns, stale_ns = timing[T_MANUAL + MANUAL_LATE_NS], timing[T_MANUAL + MANUAL_STALE_NS]
        frame.st_vote_faults[MANUAL_ROW] = _check_command(timing, frame, MANUAL_ROW, late_ns, stale_ns)


@jit_apart
def _check_command(timing: Timing, frame: Frame, r: int, late_ns: int, stale_ns: int) -> int:
    """Faults of the commands of sender `r`."""
    faults = 0
    status = frame.in_command_status[r]
    if status == STATUS_OK:
        if frame.in_command_published[r] != frame.st_command_published[r]:
            frame.st_command_published[r] = frame.in_command_published[r]
            frame.st_command_faults[r] = _judge(timing, frame, r, stale_ns)
            if frame.st_command_faults[r] & _ORDER == 0:  # refused for its content only: its number was the next one
                frame.st_command_seq[r] = frame.in_command_seq[r]
            if frame.st_command_faults[r] & ~_LOST == 0:
                _accept(timing, frame, r)
        faults |= frame.st_command_faults[r]
    elif status != STATUS_NEVER:
        faults |= _TORN
    if frame.st_command_seen[r] == 0:
        return faults | _MISSING
    age_ns = frame.in_now_ns - frame.st_command_stamp_ns[r]
    if age_ns > stale_ns:
        faults |= _STALE
    elif age_ns > late_ns:
        faults |= _LATE
    elif age_ns < -timing[COMMAND_FUTURE_NS]:
        faults |= _FUTURE
    return faults


@jit
def _judge(timing: Timing, frame: Frame, r: int, stale_ns: int) -> int:
    """Fault bits of a new publication. Only COMMAND_LOST lets it be used."""
    faults = 0
    channels = timing[CHANNEL_COUNT]
    if frame.in_command_count[r] != channels:
        faults |= _SIZE
    for c in range(channels):
        if not math.isfinite(frame.in_ask[r, c]):
            faults |= _NONFINITE
    age_ns = frame.in_now_ns - frame.in_command_stamp_ns[r]
    if age_ns > stale_ns:
        faults |= _STALE
    if age_ns < -timing[COMMAND_FUTURE_NS]:
        faults |= _FUTURE
    if frame.st_command_seen[r] == 0:
        return faults
    if frame.in_command_stamp_ns[r] == frame.st_command_stamp_ns[r]:
        faults |= _REPEATED
    elif frame.in_command_stamp_ns[r] < frame.st_command_stamp_ns[r]:
        faults |= _REORDERED
    return faults | _judge_sequence(timing, frame, r)


@jit
def _judge_sequence(timing: Timing, frame: Frame, r: int) -> int:
    """Repeated, reordered, lost. A sender may start a new count only while it does not drive."""
    ahead = frame.in_command_seq[r] - frame.st_command_seq[r]
    drives = frame.st_manual == 1 if r == MANUAL_ROW else frame.st_state == _ENGAGED
    if not drives and ahead != 0:
        return 0
    if ahead == 0:
        return _REPEATED
    if ahead < 0:
        return _REORDERED
    if ahead - 1 > timing[COMMAND_LOST_MAX]:
        return _LOST
    return 0


@jit
def _accept(timing: Timing, frame: Frame, r: int) -> None:
    """The new publication becomes the sender's command."""
    for c in range(timing[CHANNEL_COUNT]):
        frame.st_offer[r, c] = frame.in_ask[r, c]
    frame.st_request_offer[r] = frame.in_request_bits[r] & timing[ALL_CHANNELS]
    frame.st_command_stamp_ns[r] = frame.in_command_stamp_ns[r]
    frame.st_command_seen[r] = 1


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
    frame.st_valid, frame.st_fresh = valid, fresh
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
