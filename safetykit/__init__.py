"""A guard between autonomy and actuators: a small pure function, run on time by a compiled loop.

>>> from safetykit import Guard, load_policy
>>> guard = Guard(load_policy("rover"))
>>> guard.step(1_000_000_000, {"linear_mps": 9.0, "angular_radps": 0.0}).sent
{'linear_mps': 0.0, 'angular_radps': 0.0}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Action", "Batch", "Command", "Decision", "Fault", "Guard", "Policy", "State", "load_policy", "parse_policy"]

_HOME = {
    "Action": "safetykit.core.vocabulary",
    "Fault": "safetykit.core.vocabulary",
    "State": "safetykit.core.vocabulary",
    "Policy": "safetykit.policy",
    "load_policy": "safetykit.policy",
    "parse_policy": "safetykit.policy",
    "Batch": "safetykit.runtime.guard",
    "Command": "safetykit.runtime.guard",
    "Decision": "safetykit.runtime.guard",
    "Guard": "safetykit.runtime.guard",
}

if TYPE_CHECKING:
    from safetykit.core.vocabulary import Action, Fault, State
    from safetykit.policy import Policy, load_policy, parse_policy
    from safetykit.runtime.guard import Batch, Command, Decision, Guard


def __getattr__(name: str) -> Any:
    """Public names are imported when first used: `safetykit --help` need not wait for the compiler."""
    if name not in _HOME:
        raise AttributeError(f"module 'safetykit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
