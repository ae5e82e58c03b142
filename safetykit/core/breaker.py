"""Circuit breakers: closed, open, half-open. The same trouble too often, too bad or too long takes a level away.

Word and states from software practice (Nygard, Release It!, 2007), not from a safety standard. A breaker of the vehicle
demands its action while it is open; one of a command sender keeps that sender out of the vote. A latched level comes
back by a reset only. A self-healing one is tried after `cool_down` without a cause: half-open, within a reduced
envelope that grows with every good tick; a cause in that time opens it again, and too many failed trials latch it.

Trips, trials and good time count only while ENGAGED. Violations are forgotten by a reset only, not when a breaker
closes by itself, and time without a cause starts anew with every cause. So more faults never mean an earlier trial or a
wider share: a breaker that saw a superset of the faults is never further on the way from open to closed, as long as no
series of failed trials latches (a vehicle that gets no trial fails none).
"""

from __future__ import annotations

from safetykit.core.columns.breakers import (
    BREAKER_ACTION,
    BREAKER_COLS,
    BREAKER_COLS_I,
    BREAKER_COOL_NS,
    BREAKER_K,
    BREAKER_LATCHED,
    BREAKER_LOST_NS,
    BREAKER_MASK,
    BREAKER_OF,
    BREAKER_REOPEN_MAX,
    BREAKER_SEVERITY,
    BREAKER_SHARE,
    BREAKER_SOURCES,
    BREAKER_WIDEN_NS,
    BREAKER_WINDOW_NS,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import BREAKER_COUNT, DT_MAX_NS, L_BREAKER, T_BREAKER, Frame, Limits, Timing
from safetykit.core.vocabulary import Fault

_BREAKER, _VOTE = 1 << Fault.BREAKER, 1 << Fault.VOTE


@jit
def judge(limits: Limits, timing: Timing, frame: Frame, faults: int, worst: int, engaged: bool) -> int:
    """One tick of all breakers; BREAKER while any is open. `worst` is the worst action that others ask for."""
    if timing[BREAKER_COUNT] == 0:
        return 0
    return _judge_all(limits, timing, frame, faults, worst, engaged)


@jit_apart
def _judge_all(limits: Limits, timing: Timing, frame: Frame, faults: int, worst: int, engaged: bool) -> int:
    frame.st_breaker_cause, frame.st_voter_excluded, frame.st_trial_share = 0, 0, 1.0
    for i in range(timing[BREAKER_COUNT]):
        row, bit = T_BREAKER + i * BREAKER_COLS_I, 1 << i
        of = timing[row + BREAKER_OF]
        seen = (faults if of < 0 else _of_sender(frame, of, bit)) & timing[row + BREAKER_MASK]
        lost = _lost(timing, frame, i, row)  # in every tick: it also notes when the source was heard
        grave = lost or worst >= timing[row + BREAKER_SEVERITY]
        enough = engaged and _count(timing, frame, i, row, seen)
        if seen or grave:
            frame.st_breaker_cause |= bit
        if frame.st_breaker & bit:
            _cool(timing, frame, i, row, of)
        elif frame.st_breaker_trial & bit:
            _try(timing, frame, i, row, engaged)
        elif engaged and (enough or grave):
            _open(timing, frame, i, row)
        if of < 0:
            frame.st_trial_share = min(frame.st_trial_share, _share(limits, timing, frame, i, row))
        elif frame.st_breaker & bit:
            frame.st_voter_excluded |= 1 << of
    return _BREAKER if frame.st_breaker else 0


@jit
def _of_sender(frame: Frame, of: int, bit: int) -> int:
    """Faults of one command sender. That it is out of the vote says nothing while this breaker keeps it out."""
    faults = frame.st_vote_faults[of]
    return faults & ~_VOTE if frame.st_breaker & bit else faults


@jit
def _lost(timing: Timing, frame: Frame, i: int, row: int) -> bool:
    """True if one of the breaker's sources has not been fresh for longer than allowed. Never heard = lost."""
    sources = timing[row + BREAKER_SOURCES]
    if sources == 0:
        return False
    if sources & ~frame.st_fresh == 0:
        frame.st_breaker_heard_ns[i] = frame.in_now_ns
    elif frame.st_breaker_heard_ns[i] > frame.in_now_ns:
        frame.st_breaker_heard_ns[i] = frame.in_now_ns  # the clock went back: no time may be won by it
    return frame.in_now_ns - frame.st_breaker_heard_ns[i] > timing[row + BREAKER_LOST_NS]


@jit
def _count(timing: Timing, frame: Frame, i: int, row: int, seen: int) -> bool:
    """Counts a tick with any of its faults as one violation; True if that makes K of them within the window.

    The count stays below 2 K with the same place in the ring, so it cannot overflow.
    """
    if seen == 0:
        return False
    k, n, window_ns = timing[row + BREAKER_K], frame.st_violation_count[i] + 1, timing[row + BREAKER_WINDOW_NS]
    if window_ns == 0:
        frame.st_violation_count[i] = min(n, k)
        return n >= k
    frame.st_violation_ns[i, (n - 1) % k] = frame.in_now_ns
    frame.st_violation_count[i] = n if n < 2 * k else n - k
    return n >= k and frame.in_now_ns - frame.st_violation_ns[i, n % k] <= window_ns


@jit
def _open(timing: Timing, frame: Frame, i: int, row: int) -> None:
    """A new stop event: its number binds the reset."""
    frame.st_breaker |= 1 << i
    frame.st_breaker_trial &= ~(1 << i)
    frame.st_breaker_ns[i] = 0
    frame.st_stop_event += 1
    if timing[row + BREAKER_LATCHED]:
        frame.st_breaker_latched |= 1 << i


@jit
def _cool(timing: Timing, frame: Frame, i: int, row: int, of: int) -> None:
    """Open: half-open after the cool-down without a cause, unless latched. A gap between ticks proves nothing.

    A sender on trial has its place in the vote again, even if it had been outvoted.
    """
    if frame.st_breaker_latched >> i & 1:
        return
    if frame.st_breaker_cause >> i & 1:
        frame.st_breaker_ns[i] = 0
        return
    frame.st_breaker_ns[i] += min(frame.st_elapsed_ns, timing[DT_MAX_NS])
    if frame.st_breaker_ns[i] >= timing[row + BREAKER_COOL_NS]:
        frame.st_breaker &= ~(1 << i)
        frame.st_breaker_trial |= 1 << i
        frame.st_breaker_ns[i] = 0
        if of >= 0:
            frame.st_vote_out &= ~(1 << of)


@jit
def _try(timing: Timing, frame: Frame, i: int, row: int, engaged: bool) -> None:
    """Half-open: a cause opens again, good time closes; nothing is proven while nobody drives."""
    if not engaged:
        return
    if frame.st_breaker_cause >> i & 1:
        _open(timing, frame, i, row)
        if frame.st_breaker_reopened[i] >= timing[row + BREAKER_REOPEN_MAX]:
            frame.st_breaker_latched |= 1 << i
        else:
            frame.st_breaker_reopened[i] += 1
        return
    frame.st_breaker_ns[i] += min(frame.st_elapsed_ns, timing[DT_MAX_NS])
    if frame.st_breaker_ns[i] >= timing[row + BREAKER_WIDEN_NS]:
        frame.st_breaker_trial &= ~(1 << i)
        frame.st_breaker_reopened[i] = 0


@jit
def _share(limits: Limits, timing: Timing, frame: Frame, i: int, row: int) -> float:
    """Share of the envelope while half-open, linear in the good time; 1 otherwise."""
    if frame.st_breaker_trial >> i & 1 == 0:
        return 1.0
    start = limits[L_BREAKER + i * BREAKER_COLS + BREAKER_SHARE]
    return min(start + (1.0 - start) * (frame.st_breaker_ns[i] / timing[row + BREAKER_WIDEN_NS]), 1.0)


@jit
def wanted(timing: Timing, frame: Frame) -> int:
    """Actions of the open breakers, one bit each. While the operator drives, those of the voters do not count."""
    actions = 0
    for i in range(timing[BREAKER_COUNT]):
        row = T_BREAKER + i * BREAKER_COLS_I
        if frame.st_breaker >> i & 1 and not (frame.st_manual and timing[row + BREAKER_OF] >= 0):
            actions |= 1 << timing[row + BREAKER_ACTION]
    return actions


@jit
def close(timing: Timing, frame: Frame) -> None:
    """All breakers closed, everything counted forgotten: part of a granted reset, the only way out of a latch."""
    frame.st_breaker = frame.st_breaker_latched = frame.st_breaker_trial = frame.st_voter_excluded = 0
    for i in range(timing[BREAKER_COUNT]):
        frame.st_violation_count[i] = frame.st_breaker_ns[i] = frame.st_breaker_reopened[i] = 0
