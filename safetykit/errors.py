"""Errors that reach a person. Each is one clear message; the command line ends with exit code 2.

Nothing here is raised on a tick: at run time garbage is counted and dropped.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_SHORT.maxlevel = 3


class _Nothing:
    """Marks a problem that has no value to show (a missing key, an unreadable file)."""

    def __repr__(self) -> str:
        return ""


NO_VALUE = _Nothing()


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in one file: where, what is there, and what would be allowed."""

    file: str
    key: str  # dotted path, for example channels.vx_mps.max; empty for the file as a whole
    value: Any
    message: str
    unit: str = ""
    allowed: str = ""
    line: int = 0  # 1-based; 0 = unknown

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        unit = f" {self.unit}" if self.unit else ""
        shown = "" if isinstance(self.value, _Nothing) else f" = {_SHORT.repr(self.value)}{unit}"
        subject = f"{self.key}{shown}: " if self.key else ""
        allowed = f" (allowed: {self.allowed})" if self.allowed else ""
        return f"{place}: {subject}{self.message}{allowed}"


class SafetykitError(Exception):
    """Base of every error that the command line turns into one message and exit code 2."""


class PolicyError(SafetykitError):
    """A policy cannot be used. ``problems`` names every reason found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{count} problem{'' if count == 1 else 's'} in the policy"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


class MappingError(SafetykitError):
    """A ROS 2 message mapping names a type, topic, field or channel that does not exist."""


class LogError(SafetykitError):
    """A black-box log is cut, edited, reordered or not a log."""


class MailboxError(SafetykitError):
    """A mailbox is missing, not ours, or already has its one writer."""
