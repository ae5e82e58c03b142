"""The exhaustive search of search.c from Python: what to try, what came of it, and the way to what broke."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.firmware.library import Alphabet, Driver, SearchResult
from tests.firmware.scripts import Script

STATES = ("SELFTEST", "STOPPED", "ARMED", "RUN")
# The order of the table in search.c.
LINES = (
    "nothing",
    "damage",
    "right STOP",
    "right STOP, moving",
    "right RUN",
    "right RUN, moving",
    "right RUN and damage",
    "right STOP and damage",
    "wrong RUN",
    "wrong STOP",
    "other session",
    "same sequence number",
    "sequence number ahead and damage",
    "no such command",
    "no such word for rest",
    "other unit",
)
CHECKS = ("running", "passed", "RAM", "program")
AGES = ("closed", "differ", "key", "relay", "armed", "answer", "link")
# The order of broken_t in search.h.
RULES = (
    "nothing",
    "a word of the state has a value that it must never have",
    "a relay output on without RUN, both channels closed, sound memory and a cycle in time",
    "a locked board left STOPPED",
    "RUN without ARMED and a right RUN of a guard at rest in the present session",
    "ARMED without release of the channels and a whole press of the key after the stop",
    "an event that did not stop, or did not begin a new session",
    "a new session without an event",
    "ARMED or RUN went on in spite of a cause to stop",
    "SELFTEST left for anything but STOPPED, or came back",
    "the table of pictures is full",
    "RUN or ARMED ended without a cause, or RUN without its outputs",
)
STREAKS, FRAMES, KINDS = 2, len(LINES), len(CHECKS)


@dataclass
class Found:
    """What a search came to."""

    states: int
    edges: int
    time_edges: int
    by_state: dict[str, int]
    moves: dict[tuple[str, str], int]
    broken: str
    path: list[int]

    def told(self) -> str:
        """The way to the first edge that breaks a rule, one symbol a line."""
        return "\n".join([self.broken, *(f"  {line}" for line in map(symbol_told, reversed(self.path)))])


def symbol_told(symbol: int) -> str:
    """One symbol of a path in words."""
    if symbol >> 31:
        return f"time passes for: {AGES[symbol & 0x7FFFFFFF]}"
    rest, streak = divmod(symbol, STREAKS)
    rest, frame = divmod(rest, FRAMES)
    rest, check = divmod(rest, KINDS)
    contacts, late = divmod(rest, 2)
    names = ("A", "B", "key", "released 1", "released 2")
    closed = ", ".join(name for bit, name in enumerate(names) if contacts >> bit & 1) or "all open"
    extra = (", too late" if late else "") + (", streak nearly complete" if streak else "")
    return f"{closed}; {LINES[frame]}; check {CHECKS[check]}{extra}"


def search(library: ctypes.CDLL, frames: Iterable[int], checks: Iterable[int], late: bool) -> Found:
    """Searches with these frames and results of the checks."""
    alphabet = Alphabet(sum(1 << k for k in frames), sum(1 << k for k in checks), int(late))
    result = SearchResult()
    library.search_run(ctypes.byref(alphabet), ctypes.byref(result))
    return Found(
        states=result.states,
        edges=result.edges,
        time_edges=result.time_edges,
        by_state={name: count for name, count in zip(STATES, result.by_state, strict=True) if count},
        moves=dict(_moves(result)),
        broken=RULES[result.broken],
        path=list(result.path[: result.depth]),
    )


def _moves(result: SearchResult) -> Iterator[tuple[tuple[str, str], int]]:
    for before, row in zip(STATES, result.moves, strict=True):
        for after, count in zip(STATES, row, strict=True):
            if count:
                yield (before, after), count


def follow(library: ctypes.CDLL, script: Script) -> int:
    """Steps of a real run whose picture the last search did not reach."""
    boots = script.boots_array()
    driver = Driver()
    missing: int = library.search_follow(
        ctypes.byref(driver), script.lines.ctypes.data, len(script.lines), ctypes.byref(boots)
    )
    return missing
