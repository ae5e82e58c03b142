"""Policies: what a vehicle may do, written in YAML, checked, and compiled for the core."""

from safetykit.policy.compile import Policy, SourceSpec
from safetykit.policy.load import PRESETS, load_policy, parse_policy, restrictive_policy

__all__ = ["PRESETS", "Policy", "SourceSpec", "load_policy", "parse_policy", "restrictive_policy"]
