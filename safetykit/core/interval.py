"""Closed intervals: the allowed window of a channel is one, narrowed limit by limit."""

from __future__ import annotations

from safetykit.core.jit import jit


@jit
def clip(value: float, lo: float, hi: float) -> float:
    """`value` moved into [lo, hi]. Callers have tested it finite: min and max keep a NaN."""
    return min(max(value, lo), hi)


@jit
def outside(value: float, lo: float, hi: float, tolerance: float) -> bool:
    """True if `value` lies beyond [lo, hi] by more than `tolerance`."""
    return value < lo - tolerance or value > hi + tolerance


@jit
def narrow(lo: float, hi: float, a: float, b: float) -> tuple[float, float]:
    """[lo, hi] narrowed to [a, b]; where they do not meet, the point of [lo, hi] nearest to [a, b].

    So a later limit can never undo an earlier one, and the window is never empty: the order of the calls is
    the order of precedence.
    """
    return min(max(lo, a), hi), max(min(hi, b), lo)
