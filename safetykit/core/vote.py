"""Which command counts: the operator's own, or what enough of the redundant senders agree on.

Three senders: the mid value of each channel; one that stays beyond the tolerance is outvoted. Two: they must agree,
then the first one counts; while they do not, the last value is held as far as it lies between theirs. So whatever is
chosen lies between the smallest and the largest value of the senders that count. A sender with a fault of its own, or
whose stamp is too far from the newest, is not heard in this tick. Mid-value selection and the degraded two-out-of-two:
as in redundant flight control (Osder, Journal of Guidance 22, 1999).
"""

from __future__ import annotations

from safetykit.core.columns.commands import (
    MANUAL_ROW,
    MANUAL_TAKE,
    VOTE_ALIGN_NS,
    VOTE_COUNT,
    VOTE_DISAGREE_NS,
    VOTE_NEEDED,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import CHANNEL_COUNT, L_VOTE_TOLERANCE, T_MANUAL, T_VOTE, Frame, Limits, Timing
from safetykit.core.permission import witnessed
from safetykit.core.vocabulary import Fault, State

_VOTE, _VOTE_LOST, _MANUAL_LOST = 1 << Fault.VOTE, 1 << Fault.VOTE_LOST, 1 << Fault.MANUAL_LOST
_NUMBERS_LOST = 1 << Fault.COMMAND_LOST  # the one fault with which a command is still used
_SILENT = (1 << Fault.COMMAND_MISSING) | (1 << Fault.COMMAND_STALE)
_ENGAGED = int(State.ENGAGED)
_TRIPLE = 3


@jit
def choose(limits: Limits, timing: Timing, frame: Frame) -> int:
    """Writes st_ask and st_request_ask; returns the faults of whoever drives."""
    if timing[T_VOTE + VOTE_COUNT] == 1:
        faults = frame.st_vote_faults[0]
        _use(timing, frame, 0)
    else:
        faults = _vote(limits, timing, frame)
    if frame.st_manual:
        faults = _manual_faults(timing, frame)
        _use(timing, frame, MANUAL_ROW)
    return faults


@jit
def _use(timing: Timing, frame: Frame, r: int) -> None:
    """The last accepted command of one sender counts."""
    for c in range(timing[CHANNEL_COUNT]):
        frame.st_ask[c] = frame.st_offer[r, c]
    frame.st_request_ask = frame.st_request_offer[r]


@jit
def _manual_faults(timing: Timing, frame: Frame) -> int:
    """Faults of the operator's own commands. Silence, or a switch that cannot be read, is MANUAL_LOST."""
    faults = frame.st_vote_faults[MANUAL_ROW]
    if faults & _SILENT or not witnessed(timing, frame, timing[T_MANUAL + MANUAL_TAKE]):
        return faults & ~_SILENT | _MANUAL_LOST
    return faults


@jit_apart
def _vote(limits: Limits, timing: Timing, frame: Frame) -> int:
    """One tick of the vote; VOTE while anybody is missing from it, VOTE_LOST after `disagree` without agreement."""
    voters, needed = timing[T_VOTE + VOTE_COUNT], timing[T_VOTE + VOTE_NEEDED]
    heard = _heard(timing, frame, voters)
    if _size(heard & ~frame.st_vote_out) < needed and frame.st_state != _ENGAGED:
        frame.st_vote_out &= ~heard  # at rest, the outvoted may agree with those that are left
    frame.st_vote_mask = heard & ~frame.st_vote_out
    count, agreed = _size(frame.st_vote_mask), False
    if count >= needed:
        agreed = _select(limits, timing, frame, voters, count)
    else:
        for c in range(timing[CHANNEL_COUNT]):
            frame.st_vote_spread[c] = 0.0
    if agreed:
        frame.st_vote_agreed_ns = frame.in_now_ns
    faults, own = 0, 0
    for r in range(voters):
        own |= frame.st_vote_faults[r]
        if frame.st_vote_mask >> r & 1 == 0:
            frame.st_vote_faults[r] |= _VOTE
        faults |= _VOTE if frame.st_vote_faults[r] else 0
    _judge(limits, timing, frame, heard, agreed)
    if count < needed:
        faults |= own  # nobody stands in for them: what is wrong with the senders counts as it is
    if frame.in_now_ns - frame.st_vote_agreed_ns > timing[T_VOTE + VOTE_DISAGREE_NS]:
        faults |= _VOTE_LOST
    return faults


@jit
def _size(mask: int) -> int:
    """Number of senders in a mask."""
    return (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1)


@jit
def _heard(timing: Timing, frame: Frame, voters: int) -> int:
    """Senders without a fault of their own whose stamps are near the newest one."""
    sound, newest_ns = 0, 0
    for r in range(voters):
        if frame.st_vote_faults[r] & ~_NUMBERS_LOST == 0 and frame.st_voter_excluded >> r & 1 == 0:
            newest_ns = frame.st_command_stamp_ns[r] if sound == 0 else max(newest_ns, frame.st_command_stamp_ns[r])
            sound |= 1 << r
    heard = 0
    for r in range(voters):
        if sound >> r & 1 and newest_ns - frame.st_command_stamp_ns[r] <= timing[T_VOTE + VOTE_ALIGN_NS]:
            heard |= 1 << r
    return heard


@jit
def _select(limits: Limits, timing: Timing, frame: Frame, voters: int, count: int) -> bool:
    """Writes st_ask from the `count` senders of st_vote_mask; False while not enough of them agree."""
    first = second = third = found = 0
    for r in range(voters):
        if frame.st_vote_mask >> r & 1:
            first = r if found == 0 else first
            second = r if found <= 1 else second
            third = r
            found += 1
    agreed = True
    for c in range(timing[CHANNEL_COUNT]):
        a, b, z = frame.st_offer[first, c], frame.st_offer[second, c], frame.st_offer[third, c]
        low, high = _lesser(a, _lesser(b, z)), _greater(a, _greater(b, z))
        frame.st_vote_spread[c] = high - low
        if count == _TRIPLE:
            frame.st_ask[c] = _greater(_lesser(a, b), _lesser(_greater(a, b), z))
        elif high - low <= limits[L_VOTE_TOLERANCE + c]:
            frame.st_ask[c] = a
        else:
            agreed = False
            frame.st_ask[c] = _greater(low, _lesser(frame.st_ask[c], high))
    request, one, two = frame.st_request_offer[first], frame.st_request_offer[second], frame.st_request_offer[third]
    frame.st_request_ask = request & one
    if count == _TRIPLE:
        frame.st_request_ask |= (request & two) | (one & two)
        near = _TRIPLE
        for r in range(voters):
            near -= _far(limits, timing, frame, r)
        agreed = near >= timing[T_VOTE + VOTE_NEEDED]
    return agreed


@jit
def _lesser(a: float, b: float) -> float:
    """The first one of two equals, compiled or not: zeros have signs."""
    return b if b < a else a


@jit
def _greater(a: float, b: float) -> float:
    return b if b > a else a


@jit
def _judge(limits: Limits, timing: Timing, frame: Frame, heard: int, agreed: bool) -> None:
    """Who goes out of the vote, and who comes back: it takes `disagree` without a break either way."""
    for r in range(timing[T_VOTE + VOTE_COUNT]):
        if heard >> r & 1 == 0:
            frame.st_vote_since_ns[r] = frame.in_now_ns
            continue
        if not agreed:
            continue  # there is nothing to compare with: the time that has run stays
        is_out = frame.st_vote_out >> r & 1
        if _far(limits, timing, frame, r) == is_out:
            frame.st_vote_since_ns[r] = frame.in_now_ns
        elif frame.in_now_ns - frame.st_vote_since_ns[r] > timing[T_VOTE + VOTE_DISAGREE_NS]:
            frame.st_vote_out ^= 1 << r
            frame.st_vote_since_ns[r] = frame.in_now_ns


@jit
def _far(limits: Limits, timing: Timing, frame: Frame, r: int) -> int:
    """1 if the sender asks for something else than what was chosen, in any channel."""
    for c in range(timing[CHANNEL_COUNT]):
        if abs(frame.st_offer[r, c] - frame.st_ask[c]) > limits[L_VOTE_TOLERANCE + c]:
            return 1
    return 0
