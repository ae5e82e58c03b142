"""Breaks the firmware's C in one place at a time and sees whether its tests notice: ``python -m
tests.campaigns.firmware_mutation [--sample N --seed S]``.

Survivors may only be those of ``firmware_survivors.yaml``, each with its argument. Exit code 1 for any other one; in a
run over all mutants also if a named one is noticed after all or no longer exists. A mutant with the same machine code
as the original is none and is counted apart.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from tests.campaigns.firmware_mutants import Key, Mutant, mutants
from tests.campaigns.firmware_trial import EQUAL, STILLBORN, Verdict, prepare, verdicts

SURVIVORS = Path(__file__).with_name("firmware_survivors.yaml")


def named() -> dict[Key, str]:
    """The survivors that are known, and why each of them may live."""
    entries = YAML(typ="safe").load(SURVIVORS.read_text(encoding="utf-8"))
    return {(e["file"], e["function"], e["line"], e["mutant"], e.get("nth", 1)): e["why"] for e in entries}


@dataclass(frozen=True)
class Choice:
    """Which mutants to try: all, or a sample of those that are not named as survivors."""

    sample: int = 0
    seed: int = 1
    only: str = ""

    @property
    def whole(self) -> bool:
        return not self.sample and not self.only


def chosen(choice: Choice, core: Path) -> list[Mutant]:
    """The mutants of these sources that the choice takes."""
    found = [mutant for mutant in mutants(core) if choice.only in mutant.file]
    if not choice.sample:
        return found
    known = named()
    found = [mutant for mutant in found if mutant.key not in known]
    return random.Random(choice.seed).sample(found, min(choice.sample, len(found)))


def run(choice: Choice, workers: int, verbose: bool = False) -> list[Verdict]:
    """The verdict on each mutant."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        expected = prepare(Path(folder))
        tried = chosen(choice, expected.core)
        for verdict in verdicts(tried, expected, Path(folder), workers):
            found.append(verdict)
            if verbose and verdict.survived:
                sys.stdout.write(f"survived {verdict.mutant}\n")
            if verbose and len(found) % 100 == 0:
                sys.stdout.write(f"{len(found)} of {len(tried)}\n")
                sys.stdout.flush()
    return found


def problems(found: list[Verdict], whole: bool) -> list[str]:
    """Survivors that nobody has argued for; in a whole run also names without a survivor."""
    known = named()
    survivors = {verdict.mutant.key for verdict in found if verdict.survived}
    told = [f"unnamed survivor: {v.mutant}" for v in found if v.survived and v.mutant.key not in known]
    if whole:
        told += [f"named, but noticed or gone: {', '.join(map(str, key))}" for key in known if key not in survivors]
    return told


def report(found: list[Verdict], seconds: float) -> str:
    """The figures of a run."""
    how = Counter(verdict.how for verdict in found)
    real = [verdict for verdict in found if verdict.code not in (EQUAL, STILLBORN)]
    dead = sum(not verdict.survived for verdict in real)
    lines = [f"{count:6} {name}" for name, count in how.most_common()]
    return "\n".join([*lines, f"{dead} of {len(real)} mutants noticed, {len(real) - dead} survived, {seconds:.0f} s\n"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="only this many, chosen by --seed; 0 = all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only files whose name contains this")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    begin = time.monotonic()
    choice = Choice(options.sample, options.seed, options.only)
    found = run(choice, options.workers, verbose=True)
    sys.stdout.write(report(found, time.monotonic() - begin))
    told = problems(found, choice.whole)
    sys.stdout.write("".join(f"{line}\n" for line in told))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
