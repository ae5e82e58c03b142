"""Makes the program of all rules: leaves without repetition, and nodes in postfix order (see core/formulas.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as at
from safetykit.core.columns import rules as r
from safetykit.core.columns.rules import LeafKind, NodeCode
from safetykit.core.vocabulary import Action, State
from safetykit.policy.formulas import form_of, violation, window
from safetykit.policy.report import Names
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_rules import Formula


@dataclass(frozen=True)
class Leaf:
    """One comparison as the core sees it."""

    kind: LeafKind
    operand: int
    lo: float = 0.0
    hi: float = 0.0
    idle: bool = False  # counts as true while nothing can be asked


@dataclass
class Program:
    """All rules of a policy."""

    document: PolicyDocument
    names: Names
    leaves: dict[Leaf, int] = field(default_factory=dict)
    nodes: list[tuple[NodeCode, int, int]] = field(default_factory=list)  # code, operand, periods
    memories: int = 0
    lines: int = 0
    depth: int = 0  # values on the stack now ...
    depth_max: int = 0  # ... and at most

    def __post_init__(self) -> None:
        for number, rule in enumerate(self.document.rules.values()):
            self._formula(violation(rule), raises=True)
            self._node(NodeCode.RULE, number)

    def _node(self, code: NodeCode, operand: int = 0, periods: int = 0) -> None:
        if code == NodeCode.NOT and self.nodes and self.nodes[-1][0] == NodeCode.NOT:
            self.nodes.pop()
            return
        self.nodes.append((code, operand, periods))
        self.depth += {NodeCode.LEAF: 1}.get(code, -1 if code in _TAKES_ONE else 0)
        self.depth_max = max(self.depth_max, self.depth)

    def _formula(self, formula: Formula, raises: bool) -> None:
        """Nodes of one formula. `raises`: where it is true, the rule is nearer to being broken."""
        form = form_of(formula)
        if form in ("all", "any"):
            code = NodeCode.AND if form == "all" else NodeCode.OR
            for index, part in enumerate(formula.all or formula.any or ()):
                self._formula(part, raises)
                if index:
                    self._node(code)
        elif formula.not_ is not None:
            self._formula(formula.not_, not raises)
            self._node(NodeCode.NOT)
        elif formula.once is not None:
            first, last = window(formula, self.document)
            self._formula(formula.once, raises)
            self._once(last - first)
            self._delay(first)
        elif formula.historically is not None:
            first, last = window(formula, self.document)
            self._always(formula.historically, raises, last - first, first)
        elif formula.since is not None:
            self._since(formula, raises)
        else:
            leaf = self._leaf(formula, form, raises)
            self._node(NodeCode.LEAF, self.leaves.setdefault(leaf, len(self.leaves)))
            if form == "outside":
                self._node(NodeCode.NOT)

    def _once(self, periods: int) -> None:
        if periods:
            self._node(NodeCode.ONCE, self.memories, periods)
            self.memories += 1

    def _delay(self, periods: int) -> None:
        if periods:
            self._node(NodeCode.DELAY, self.lines, periods)
            self.lines += 1

    def _always(self, formula: Formula, raises: bool, periods: int, delay: int) -> None:
        """Always = not once not."""
        self._formula(formula, raises)
        self._node(NodeCode.NOT)
        self._once(periods)
        self._delay(delay)
        self._node(NodeCode.NOT)

    def _since(self, formula: Formula, raises: bool) -> None:
        """With a window that begins in the past: it was so then, and has held ever after."""
        assert formula.since is not None
        assert formula.from_ is not None  # checked before
        first, last = window(formula, self.document)
        self._formula(formula.since, raises)
        self._formula(formula.from_, raises)
        self._node(NodeCode.SINCE, self.memories, last - first)
        self.memories += 1
        self._delay(first)
        if first:
            self._always(formula.since, raises, first - 1, 0)
            self._node(NodeCode.AND)

    def _leaf(self, formula: Formula, form: str, raises: bool) -> Leaf:
        names = self.names
        low = -at.UNLIMITED if formula.min is None else formula.min
        high = at.UNLIMITED if formula.max is None else formula.max
        if formula.input is not None:
            return Leaf(LeafKind.INPUT, names.input_numbers[formula.input], low, high)
        if formula.asked is not None:
            return Leaf(LeafKind.ASKED, names.channel_numbers[formula.asked], low, high, not raises)
        if formula.sent is not None:
            return Leaf(LeafKind.SENT, names.channel_numbers[formula.sent], low, high)
        if formula.state is not None:
            return Leaf(LeafKind.STATE, int(State[formula.state.upper()]))
        return Leaf(LeafKind.INSIDE, names.zone_numbers[formula.inside or formula.outside or ""])


_TAKES_ONE = (NodeCode.AND, NodeCode.OR, NodeCode.SINCE, NodeCode.RULE)


def fill(document: PolicyDocument, names: Names, limits: NDArray[np.float64], timing: NDArray[np.int64]) -> None:
    """Write the program; nothing for a policy without rules."""
    program = Program(document, names)
    for number, rule in enumerate(document.rules.values()):
        timing[at.T_RULE + number * r.RULE_COLS + r.RULE_ACTION] = Action[rule.action]
    for number, node in enumerate(program.nodes):
        row = at.T_RULE_NODE + number * r.NODE_COLS
        timing[row : row + r.NODE_COLS] = node
    for leaf, number in program.leaves.items():
        row, row_i = at.L_RULE_LEAF + number * r.LEAF_COLS, at.T_RULE_LEAF + number * r.LEAF_COLS_I
        limits[row + r.LEAF_LO], limits[row + r.LEAF_HI] = leaf.lo, leaf.hi
        timing[row_i + r.LEAF_KIND], timing[row_i + r.LEAF_OPERAND] = leaf.kind, leaf.operand
        timing[row_i + r.LEAF_IDLE] = leaf.idle
    timing[at.T_RULES + r.RULE_COUNT] = len(document.rules)
    timing[at.T_RULES + r.RULE_NODE_COUNT] = len(program.nodes)
    timing[at.T_RULES + r.RULE_LEAF_COUNT] = len(program.leaves)
