"""The section `motion` as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from safetykit.policy.schema import PolicyDocument

HEADS = ("key", "value")


def rows(document: PolicyDocument) -> Iterator[tuple[str, Any]]:
    """One row for each key that says something, cells in the order of HEADS."""
    if document.motion is None:
        return
    for key, value in document.motion.model_dump().items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", part) for name, part in value.items() if part is not None)
        elif value is not None:
            yield key, value
