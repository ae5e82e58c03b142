"""The circuit breaker, first form: K violations within a time window trip it; it stays open until a reset.

Word from software practice (Nygard), not from a safety standard: closed = commands pass; open = the policy's
action holds, whatever the commands are now.
"""

from __future__ import annotations

from safetykit.core.jit import jit
from safetykit.core.layout import (
    BREAKER_COLS,
    BREAKER_COUNT,
    BREAKER_K,
    BREAKER_MASK,
    BREAKER_WINDOW_NS,
    T_BREAKER,
    Frame,
    Timing,
)
from safetykit.core.vocabulary import Fault

_BREAKER_0 = int(Fault.BREAKER_0)
_COUNT_MAX = 2**62


@jit
def count(timing: Timing, frame: Frame, faults: int) -> int:
    """Counts a tick with any of a breaker's faults as one violation; returns the bits of the open breakers."""
    for i in range(timing[BREAKER_COUNT]):
        row = T_BREAKER + i * BREAKER_COLS
        if faults & timing[row + BREAKER_MASK] == 0:
            continue
        k, n = timing[row + BREAKER_K], frame.st_violation_count[i]
        frame.st_violation_ns[i, n % k] = frame.in_now_ns
        n = min(n + 1, _COUNT_MAX)
        frame.st_violation_count[i] = n
        oldest_ns = frame.st_violation_ns[i, n % k]
        if n >= k and frame.in_now_ns - oldest_ns <= timing[row + BREAKER_WINDOW_NS]:
            if frame.st_breaker >> i & 1 == 0:
                frame.st_stop_event += 1
            frame.st_breaker |= 1 << i
    return open_faults(frame)


@jit
def open_faults(frame: Frame) -> int:
    """Fault bits of the open breakers."""
    return frame.st_breaker << _BREAKER_0


@jit
def close(timing: Timing, frame: Frame) -> None:
    """All breakers closed, counts forgotten: part of a granted reset."""
    frame.st_breaker = 0
    for i in range(timing[BREAKER_COUNT]):
        frame.st_violation_count[i] = 0
