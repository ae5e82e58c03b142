"""Every input in every state that the firmware can reach: ``python -m tests.campaigns.firmware_search``.

A complete breadth-first search over the pictures of ``hw/firmware/ports/host/abstraction.h``: ages by class, everything
else that a decision reads exact. In each picture all 32 combinations of contacts, key and mirror contacts are tried,
with 16 kinds of frames, 4 results of the self-check, a cycle in time and one too late; and time may carry every age on
at any moment. The rules that every edge must keep are in ``search.c``. Then a long random run shows that every one of
its real steps lies within the pictures found, so that the abstraction leaves nothing out. Exit code 1 if a rule broke,
with the way to where it broke.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.firmware.exploration import CHECKS, LINES, Found, follow, search
from tests.firmware.library import library
from tests.firmware.scripts import Author


def report(found: Found, seconds: float) -> str:
    """The figures of a search."""
    states = ", ".join(f"{name} {count:,}" for name, count in found.by_state.items())
    moves = ", ".join(f"{a} -> {b} {count:,}" for (a, b), count in found.moves.items())
    return (
        f"{found.states:,} pictures, {found.edges:,} input edges, {found.time_edges:,} time edges in {seconds:.0f} s\n"
        f"pictures: {states}\nedges: {moves}\nbroken: {found.told()}\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--follow", type=int, default=1_000_000, help="steps of the random run")
    options = parser.parse_args()
    begin = time.monotonic()
    found = search(library(), range(len(LINES)), range(len(CHECKS)), late=True)
    sys.stdout.write(report(found, time.monotonic() - begin))
    if found.broken != "nothing":
        return 1
    script = Author(4711).script(options.follow)
    outside = follow(library(), script)
    sys.stdout.write(f"{options.follow:,} real steps, {outside:,} of them outside of the pictures\n")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
