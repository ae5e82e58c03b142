"""Past temporal logic: what holds now, held once, always or since, within a window of whole periods.

A value is two bits: bit 0 = surely true, bit 1 = possibly true. So 0 is false, 3 is true, 2 is unknown; and `&` and `|`
of two values are Kleene's three-valued "and" and "or". Whatever has unknown parts is computed for the worst and for the
best that these may be.

All formulas of a policy are one program in postfix order, made when the policy is loaded (policy/fill_rules.py), with
one pass for each period. Every node costs the same whatever its window: `once` and `since` are a count of the
periods for which they stay true (an event that happened `w` periods ago is over at `w + 1`), and a window that
begins in the past delays the result by a ring of bits. Havelund and Rosu 2004, "Efficient monitoring of safety
properties", for the idea; Ulus 2019, "Online monitoring of metric temporal logic using sequential networks", for
delays. The past before the first tick is empty: nothing happened once, everything held always.
"""

from __future__ import annotations

import math

from safetykit.core.bounds import RULE_LINE_WORDS, RULE_LINES_MAX
from safetykit.core.columns.rules import (
    LEAF_COLS,
    LEAF_COLS_I,
    LEAF_HI,
    LEAF_IDLE,
    LEAF_KIND,
    LEAF_LO,
    LEAF_OPERAND,
    NODE_CODE,
    NODE_COLS,
    NODE_OPERAND,
    NODE_PERIODS,
    RULE_LEAF_COUNT,
    RULE_NODE_COUNT,
    LeafKind,
    NodeCode,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import L_RULE_LEAF, T_RULE_LEAF, T_RULE_NODE, T_RULES, Frame, Limits, Timing
from safetykit.core.vocabulary import State
from safetykit.core.zones import position_known

_INPUT, _ASKED, _SENT, _INSIDE = LeafKind.INPUT.value, LeafKind.ASKED.value, LeafKind.SENT.value, LeafKind.INSIDE.value
_LEAF, _NOT, _AND, _OR = NodeCode.LEAF.value, NodeCode.NOT.value, NodeCode.AND.value, NodeCode.OR.value
_ONCE, _SINCE, _DELAY = NodeCode.ONCE.value, NodeCode.SINCE.value, NodeCode.DELAY.value
_ENGAGED = int(State.ENGAGED)
CERTAIN, POSSIBLE, TRUE, UNKNOWN = 1, 2, 3, 2
_BITS = 2  # of one value
_LEFT_BITS = 31  # a memory: periods left for "surely" below, for "possibly" above
_LEFT_MASK = (1 << _LEFT_BITS) - 1
LINE_SLOTS = 31  # values in one word of a delay line; the sign bit stays free
_ALL_UNKNOWN = UNKNOWN * (((1 << LINE_SLOTS * _BITS) - 1) // TRUE)  # a word with UNKNOWN in every slot


@jit
def look(limits: Limits, timing: Timing, frame: Frame) -> None:
    """Sets st_rule_certain and st_rule_possible: every leaf as it is in this tick."""
    certain, possible = 0, 0
    for k in range(timing[T_RULES + RULE_LEAF_COUNT]):
        value = _leaf(limits, timing, frame, k)
        certain |= (value & CERTAIN) << k
        possible |= (value >> 1) << k
    frame.st_rule_certain, frame.st_rule_possible = certain, possible


@jit
def _leaf(limits: Limits, timing: Timing, frame: Frame, k: int) -> int:
    """Two-bit value of one leaf. Outside ENGAGED nothing is asked: what would be has the value that breaks no rule."""
    row = T_RULE_LEAF + k * LEAF_COLS_I
    kind, operand = timing[row + LEAF_KIND], timing[row + LEAF_OPERAND]
    if kind == _INPUT:
        if frame.st_valid >> operand & 1 == 0:
            return UNKNOWN
        value = frame.in_value[operand]
    elif kind == _ASKED:
        if frame.st_state != _ENGAGED:
            return TRUE if timing[row + LEAF_IDLE] else 0
        value = frame.st_ask[operand]
        if not math.isfinite(value):
            return UNKNOWN
    elif kind == _SENT:
        value = frame.st_sent[operand]
    elif kind == _INSIDE:
        if not position_known(timing, frame):
            return UNKNOWN
        return TRUE if frame.st_zones >> operand & 1 else 0
    else:
        return TRUE if frame.st_state == operand else 0
    span = L_RULE_LEAF + k * LEAF_COLS
    return TRUE if limits[span + LEAF_LO] <= value <= limits[span + LEAF_HI] else 0


@jit_apart
def period(timing: Timing, frame: Frame) -> tuple[int, int]:
    """One period of all formulas, with the leaves as they stand: (surely, possibly) broken rules, one bit each."""
    stack, certain, possible = 0, 0, 0
    for node in range(timing[T_RULES + RULE_NODE_COUNT]):
        row = T_RULE_NODE + node * NODE_COLS
        code, operand, periods = timing[row + NODE_CODE], timing[row + NODE_OPERAND], timing[row + NODE_PERIODS]
        top, rest = stack & TRUE, stack >> _BITS
        if code == _LEAF:
            leaf = (frame.st_rule_certain >> operand & 1) | (frame.st_rule_possible >> operand & 1) << 1
            stack = stack << _BITS | leaf
        elif code == _NOT:
            stack = rest << _BITS | _negation(top)
        elif code == _AND:
            stack = rest & (top | ~TRUE)
        elif code == _OR:
            stack = rest | top
        elif code == _ONCE:
            stack = rest << _BITS | _remember(frame, operand, periods, top, TRUE)
        elif code == _SINCE:
            stack = rest >> _BITS << _BITS | _remember(frame, operand, periods, top, rest & TRUE)
        elif code == _DELAY:
            stack = rest << _BITS | _delayed(frame, operand, periods, top)
        else:
            certain |= (top & CERTAIN) << operand
            possible |= (top >> 1) << operand
            stack = rest
    frame.st_rule_periods += 1
    return certain, possible


@jit
def forget(timing: Timing, frame: Frame) -> None:
    """The past is not known: whatever a formula remembers may have been so or not."""
    for node in range(timing[T_RULES + RULE_NODE_COUNT]):
        row = T_RULE_NODE + node * NODE_COLS
        if timing[row + NODE_CODE] in (_ONCE, _SINCE):
            frame.st_rule_left[timing[row + NODE_OPERAND]] = (timing[row + NODE_PERIODS] + 1) << _LEFT_BITS
    for line in range(RULE_LINES_MAX):
        for word in range(RULE_LINE_WORDS):
            frame.st_rule_line[line, word] = _ALL_UNKNOWN


@jit
def _negation(value: int) -> int:
    """Surely not = not possibly; possibly not = not surely."""
    return ((value & CERTAIN) << 1 | value >> 1) ^ TRUE


@jit
def _remember(frame: Frame, memory: int, window: int, event: int, kept: int) -> int:
    """Whether the event was at most `window` periods ago and the condition `kept` in every period after it.

    The newest event decides: if `kept` held since an older one, it held since this one too.
    """
    left = frame.st_rule_left[memory]
    certain = possible = 0
    if event & CERTAIN:
        certain = window + 1
    elif kept & CERTAIN:
        certain = max((left & _LEFT_MASK) - 1, 0)
    if event & POSSIBLE:
        possible = window + 1
    elif kept & POSSIBLE:
        possible = max((left >> _LEFT_BITS) - 1, 0)
    frame.st_rule_left[memory] = certain | possible << _LEFT_BITS
    return (CERTAIN if certain else 0) | (POSSIBLE if possible else 0)


@jit
def _delayed(frame: Frame, line: int, periods: int, value: int) -> int:
    """The value put in `periods` calls ago; a ring of that length. A zeroed ring answers false."""
    slot = frame.st_rule_periods % periods
    word, shift = slot // LINE_SLOTS, slot % LINE_SLOTS * _BITS
    held = frame.st_rule_line[line, word]
    frame.st_rule_line[line, word] = (held & ~(TRUE << shift)) | value << shift
    return held >> shift & TRUE
