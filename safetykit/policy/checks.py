"""Relations between values."""

from __future__ import annotations

from safetykit.policy.report import Report
from safetykit.policy.schema import PolicyDocument


def check(document: PolicyDocument, report: Report) -> None:
    """Every relation check."""
