"""Key paths of a policy document, and suggestions for names that do not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

Path = tuple[str | int, ...]


def dotted(path: Iterable[str | int]) -> str:
    """``("channels", "v", "points", 0)`` as ``channels.v.points[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A suggestion to append to a message, or nothing."""
    names = list(known)
    close = get_close_matches(str(word)[:80], names, n=1)
    if not close and isinstance(word, str):
        close = [name for name in names if name.lower() == word.lower()][:1]
        close = close or get_close_matches(word[:80].upper(), names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def listed(names: Iterable[str]) -> str:
    """Names for the ``allowed`` part of a message."""
    return ", ".join(names) or "none is declared"
