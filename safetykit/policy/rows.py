"""Condition rows and sample slots of the core: equal conditions share a row, equal inputs share a slot."""

from __future__ import annotations

from dataclasses import dataclass

from safetykit.core.vocabulary import ConditionKind
from safetykit.policy.report import Names, all_conditions, all_samples
from safetykit.policy.schema_parts import Condition, Withdrawal
from safetykit.policy.units import unit_text


@dataclass(frozen=True)
class ConditionRow:
    """One comparison as the core sees it."""

    kind: ConditionKind
    operand: int  # input or zone number
    lo: float
    hi: float
    within_ns: int
    text: str


def to_ns(seconds: float) -> int:
    """Whole nanoseconds."""
    return round(seconds * 1e9)


def ms_to_ns(milliseconds: float) -> int:
    """Whole nanoseconds."""
    return round(milliseconds * 1e6)


def condition_row(spec: Condition | Withdrawal, names: Names) -> ConditionRow:
    """Row of a condition whose names are known.

    A withdrawal becomes the condition that *keeps* permission, so that an invalid input withdraws it.
    """
    if isinstance(spec, Withdrawal):
        return _range(spec.input, spec.below, spec.above, None, names)
    if spec.inside is not None:
        zone = names.zone_numbers[spec.inside]
        return ConditionRow(ConditionKind.ZONE_INSIDE, zone, 0.0, 0.0, 0, f"in {spec.inside}")
    if spec.outside is not None:
        zone = names.zone_numbers[spec.outside]
        return ConditionRow(ConditionKind.ZONE_OUTSIDE, zone, 0.0, 0.0, 0, f"out of {spec.outside}")
    assert spec.input is not None  # checked before
    return _range(spec.input, spec.min, spec.max, spec.within_s, names)


def _range(name: str, lo: float | None, hi: float | None, within_s: float | None, names: Names) -> ConditionRow:
    entry = names.inputs[name]
    low = entry.min if lo is None else max(lo, entry.min)
    high = entry.max if hi is None else min(hi, entry.max)
    recent = within_s is not None
    kind = ConditionKind.RECENT if recent else ConditionKind.RANGE
    text = f"{name} in [{low:g}, {high:g}] {unit_text(entry.unit)}".rstrip()
    text += f" since at most {within_s:g} s" if recent else ""
    return ConditionRow(kind, names.input_numbers[name], low, high, to_ns(within_s or 0.0), text)


class Rows:
    """Numbers of condition rows and sample slots."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.conditions: dict[ConditionRow, int] = {}
        self.samples: dict[str, int] = {}  # input name: depth, in slot order
        for _, spec in all_conditions(names.document):
            self.conditions.setdefault(condition_row(spec, names), len(self.conditions))
        for name, depth in all_samples(names.document):
            self.samples[name] = max(depth, self.samples.get(name, 0))

    def condition(self, spec: Condition | Withdrawal | None) -> int:
        """Row number; -1 for no condition."""
        return -1 if spec is None else self.conditions[condition_row(spec, self.names)]

    def mask(self, specs: list[Condition]) -> int:
        """Bits of the rows of several conditions."""
        mask = 0
        for spec in specs:
            mask |= 1 << self.condition(spec)
        return mask

    def sample_slot(self, name: str | None) -> int:
        """Slot of an input's recent extremes; -1 for none."""
        return -1 if name is None else list(self.samples).index(name)
