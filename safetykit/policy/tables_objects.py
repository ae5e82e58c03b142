"""Objects, responsibility-sensitive safety and collision checks as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from safetykit.policy.schema import PolicyDocument

HEADS = ("section", "key", "value")
Row = tuple[str, str, Any]


def rows(document: PolicyDocument) -> Iterator[Row]:
    """One row for each key, cells in the order of HEADS."""
    for section in ("objects", "rss", "collision"):
        part = getattr(document, section)
        if part is None:
            continue
        for key, value in part.model_dump().items():
            if key == "ranges":
                yield from ((section, f"{key}.{name}", bound) for name, bound in value.items())
            elif value is not None:
                yield section, key, value
