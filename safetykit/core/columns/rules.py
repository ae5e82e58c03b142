"""Rules over the recent past: leaves, the program that combines them, and what it remembers."""

from __future__ import annotations

from enum import IntEnum

from safetykit.core import bounds as b


class LeafKind(IntEnum):
    """What a leaf compares."""

    INPUT = 0  # a measured or operator value
    ASKED = 1  # what a channel is asked for
    SENT = 2  # what a channel was last sent
    INSIDE = 3  # the position and a zone
    STATE = 4  # the guard's own state


class NodeCode(IntEnum):
    """What a node does with the values on the stack."""

    LEAF = 0  # puts a leaf on it
    NOT = 1
    AND = 2  # of the two on top
    OR = 3
    ONCE = 4  # true now or at most so many periods ago
    SINCE = 5  # top: was true at most so many periods ago, and the one below in every period after that
    DELAY = 6  # the value of so many periods ago; false before the first
    RULE = 7  # takes off the value that says whether this rule is broken


RULE_COUNT, RULE_NODE_COUNT, RULE_LEAF_COUNT, RULE_HEAD_COLS = 0, 1, 2, 3
RULE_ACTION, RULE_COLS = 0, 1
# Node of the program, in postfix order: what it does, its operand (leaf, memory, delay line or rule), periods.
NODE_CODE, NODE_OPERAND, NODE_PERIODS, NODE_COLS = 0, 1, 2, 3
# Leaf: what it looks at, which one of these, and whether it counts as true while nothing can be asked.
LEAF_KIND, LEAF_OPERAND, LEAF_IDLE, LEAF_COLS_I = 0, 1, 2, 3
LEAF_LO, LEAF_HI, LEAF_COLS = 0, 1, 2

LIMITS = (("RULE_LEAF", b.RULE_LEAVES_MAX * LEAF_COLS),)
TIMING = (
    ("RULE_HEAD", RULE_HEAD_COLS),
    ("RULE", b.RULES_MAX * RULE_COLS),
    ("RULE_NODE", b.RULE_NODES_MAX * NODE_COLS),
    ("RULE_LEAF", b.RULE_LEAVES_MAX * LEAF_COLS_I),
)
IN: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
STATE = (
    ("st_rules", "i8", ()),  # rules that are broken, or may be: one bit each
    ("st_rules_certain", "i8", ()),  # ... and those that surely are
    ("st_rules_armed", "i8", ()),  # rules of which it could be told at least once whether they are broken
    ("st_rule_worst", "i8", ()),  # number of the rule that decides the action, from 1; 0 = none
    ("st_rules_since_ns", "i8", ()),  # since when at least one rule is broken; 0 = none is
    ("st_rule_certain", "i8", ()),  # leaves that are surely true, one bit each
    ("st_rule_possible", "i8", ()),  # leaves that are true or unknown
    ("st_rule_clock_ns", "i8", ()),  # when the latest period counted as begun
    ("st_rule_periods", "i8", ()),  # periods since the start
    ("st_rule_left", "i8", (b.RULE_MEMORIES_MAX,)),  # periods that `once` and `since` stay true, see formulas.py
    ("st_rule_line", "i8", (b.RULE_LINES_MAX, b.RULE_LINE_WORDS)),  # delay lines
)
OUT: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
