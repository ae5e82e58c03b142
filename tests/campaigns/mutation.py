"""Breaks the interpreted core in one place at a time and sees whether its tests notice: ``make mutation``.

Survivors may only be those of ``core_survivors.yaml``, each with its reason. Exit code 1 for any other one; in a run
over all mutants also if a named one is noticed after all or no longer exists. Verdicts are kept as they come
(``out/mutation``): a campaign that was interrupted goes on, and one after an edit tries anew what the edit may change.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ruamel.yaml import YAML

from tests.campaigns.mutants import ROOT, Key, Mutant, files, mutants
from tests.campaigns.mutation_trial import BUDGET_S, ENDLESS, NOTICED, SURVIVED, Session, Verdict, start
from tests.campaigns.reach import digest, digest_of_test, shared_digest

SURVIVORS = Path(__file__).with_name("core_survivors.yaml")
SHORT = Path(__file__).with_name("core_short.yaml")
KEPT = ROOT / "out" / "mutation" / "verdicts.jsonl"
PAGE = ROOT / "docs" / "mutation.md"
TESTS = ("tests/unit/core", "tests/oracle", "tests/property")
TOLD_EVERY = 100


def named() -> dict[Key, str]:
    """The survivors that are known, and why each of them may live."""
    return {_key(entry): entry["why"] for entry in _entries(SURVIVORS)}


def short() -> dict[Key, str]:
    """The sample of the suite, and the test that notices each of its mutants."""
    return {_key(entry): entry["by"] for entry in _entries(SHORT)}


def _entries(path: Path) -> list[dict[str, str]]:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8")) or []


def _key(entry: dict[str, str]) -> Key:
    return entry["file"], entry["function"], entry["line"], entry["mutant"], int(entry.get("nth", 1))


@dataclass(frozen=True)
class Choice:
    """Which mutants to try: all, those of some files, or a sample of those that are not named."""

    sample: int = 0
    seed: int = 1
    only: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return not self.sample and not self.only

    def mutants(self) -> list[Mutant]:
        found = [m for file in files() if not self.only or file in self.only for m in mutants(file)]
        if not self.sample:
            return found
        known = named()
        found = [mutant for mutant in found if mutant.key not in known]
        return random.Random(self.seed).sample(found, min(self.sample, len(found)))


class Verdicts:
    """What is known from this and earlier runs, by the mutant's name."""

    def __init__(self) -> None:
        self.shared = shared_digest()
        self.tests = digest(path for folder in TESTS for path in (ROOT / folder).rglob("*.py"))
        self.by_test: dict[str, str] = {}
        self.known: dict[Key, dict[str, str]] = {}
        lines = KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else []
        for line in lines:
            entry = json.loads(line)
            self.known[_tuple(entry["key"])] = entry

    def test(self, name: str) -> str:
        """Digest of the file of a test; empty if it is gone."""
        if name not in self.by_test:
            self.by_test[name] = digest_of_test(name) if (ROOT / name.split("::")[0]).exists() else ""
        return self.by_test[name]

    def holding(self, mutant: Mutant) -> Verdict | None:
        """The verdict of an earlier run if nothing changed that it hangs on.

        Of a noticed mutant: the core and the file of the test that noticed it. Else: all tests.
        """
        entry = self.known.get(mutant.key)
        if entry is None or entry["shared"] != self.shared:
            return None
        now = self.test(entry["by"]) if entry["by"] else self.tests
        return Verdict(mutant, entry["how"], entry["by"], float(entry["s"])) if entry["tests"] == now else None

    def hint(self, mutant: Mutant) -> str:
        """The test that noticed it last time, or nothing."""
        return self.known.get(mutant.key, {}).get("by", "")

    def keep(self, verdict: Verdict) -> None:
        tests = self.test(verdict.by) if verdict.by else self.tests
        told = {"key": list(verdict.mutant.key), "how": verdict.how, "by": verdict.by, "s": round(verdict.seconds, 3)}
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        with KEPT.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**told, "shared": self.shared, "tests": tests}) + "\n")


def _tuple(key: list[str]) -> Key:
    return key[0], key[1], key[2], key[3], int(key[4])


@dataclass
class Campaign:
    """One run: what to try, how, and what came out."""

    choice: Choice
    workers: int
    found: list[Verdict]
    red: list[str]

    def work(self, session: Session) -> None:
        """Called with the collected tests."""
        verdicts = Verdicts()
        session.measure()
        self.red = session.red
        open_ones = []
        for mutant in self.choice.mutants():
            holding = verdicts.holding(mutant)
            if holding is None:
                open_ones.append(mutant)
            else:
                self.found.append(holding)
        _say(f"{len(self.found)} verdicts hold from before, {len(open_ones)} mutants to try")
        trials = session.verdicts(open_ones, lambda mutant: session.order(mutant, verdicts.hint(mutant)), self.workers)
        known = named()
        for count, verdict in enumerate(trials, 1):
            self.found.append(verdict)
            verdicts.keep(verdict)
            if verdict.survived and verdict.mutant.key not in known:
                _say(f"survived {verdict.mutant}")
            if count % TOLD_EVERY == 0:
                _say(f"{count} of {len(open_ones)}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def problems(found: list[Verdict], whole: bool) -> list[str]:
    """Survivors that nobody has argued for; in a whole run also names without a survivor."""
    known = named()
    survivors = {verdict.mutant.key for verdict in found if verdict.survived}
    told = [f"unnamed survivor: {v.mutant}" for v in found if v.survived and v.mutant.key not in known]
    tried = {verdict.mutant.key for verdict in found}
    told += [
        f"named, but noticed or gone: {', '.join(map(str, key))}"
        for key in known
        if key not in survivors and (whole or key in tried)
    ]
    return told


def report(found: list[Verdict]) -> str:
    """The figures of a run."""
    how, known = Counter(verdict.how for verdict in found), named()
    listed = sum(verdict.survived and verdict.mutant.key in known for verdict in found)
    seconds = sum(verdict.seconds for verdict in found)
    noticed = how[NOTICED] + how[ENDLESS]
    return (
        f"{noticed} of {len(found)} mutants noticed ({how[ENDLESS]} of them by their endless run), {listed} survivors "
        f"named, {how[SURVIVED] - listed} not; {seconds:.0f} s of trials\n"
    )


def page(found: list[Verdict], seconds: float) -> str:
    """docs/mutation.md after a whole run."""
    known = named()
    rows = []
    for file in [*files(), ""]:
        of_file = [v for v in found if file in ("", v.mutant.file)]
        noticed = sum(not v.survived for v in of_file)
        listed = sum(v.survived and v.mutant.key in known for v in of_file)
        name = f"`{file}`" if file else "all"
        rows.append(f"| {name} | {len(of_file)} | {noticed} | {listed} | {len(of_file) - noticed - listed} |")
    return PAGE_HEAD.format(
        date=date.today().isoformat(),
        python=platform.python_version(),
        cores=os.cpu_count(),
        digest=shared_digest()[:16],
        minutes=seconds / 60,
        each=sum(v.seconds for v in found) / max(1, len(found)),
        table="\n".join(rows),
    )


PAGE_HEAD = """# Mutation gate of the core

Written by `make mutation`; do not edit. Each mutant is one change to `safetykit/core`, interpreted: an operator, a
number, a condition, a statement removed, a row of the table of states. A mutant that no test notices survives. A
survivor needs a name and a reason in `tests/campaigns/core_survivors.yaml`; any other one fails the gate, and so does
a name without a survivor. Generated and tabular files (`protocol.py`, `layout.py`, `bounds.py`, `vocabulary.py`,
columns) are not changed; their constants are where the core reads them.

Tried {date} with Python {python} on {cores} cores, core and shared test code {digest}; trials of {minutes:.0f} min,
{each:.2f} s per mutant.

| file | mutants | noticed | survivors named | not named |
|---|--:|--:|--:|--:|
{table}

A mutant is tried on the tests that reach its statement, cheap ones first, for a minute of their measured time; one that
only a longer test would notice counts as a survivor. A mutant that runs ten times longer than the test may is noticed.
"""


def try_short(workers: int) -> int:
    """The sample of the suite: each mutant on the one test that notices it."""
    by = short()
    missed: list[Verdict] = []
    by_key = {mutant.key: mutant for file in files() for mutant in mutants(file)}
    gone = [key for key in by if key not in by_key]
    tried = [by_key[key] for key in by if key in by_key]

    def work(session: Session) -> None:
        def tests(mutant: Mutant) -> list[int]:
            return [session.places[by[mutant.key]]]

        missed.extend(v for v in session.verdicts(tried, tests, workers) if v.survived)

    code = start(sorted(set(by.values())), work)
    told = [f"unnoticed: {verdict.mutant}" for verdict in missed]
    told += [f"gone, draw anew with --draw {len(by)}: {', '.join(map(str, key))}" for key in gone]
    sys.stdout.write("".join(f"{line}\n" for line in told))
    sys.stdout.write(f"{len(tried) - len(missed)} of {len(by)} mutants noticed\n")
    return 1 if told or code else 0


def draw(count: int, seed: int) -> None:
    """Writes the sample of the suite: noticed mutants of the kept verdicts, from every file alike."""
    verdicts, chance = Verdicts(), random.Random(seed)
    by_file = {}
    for file in files():
        held = [verdicts.holding(mutant) for mutant in mutants(file)]
        by_file[file] = [v for v in held if v is not None and v.how == NOTICED and v.by]
        chance.shuffle(by_file[file])
    chosen: list[Verdict] = []
    while len(chosen) < count and any(by_file.values()):
        chosen += [of_file.pop() for of_file in by_file.values() if of_file]
    entries = [{**_entry(v.mutant), "by": v.by} for v in chosen[:count]]
    SHORT.write_text(SHORT_HEAD + _yaml(sorted(entries, key=lambda entry: str(entry["file"]))), encoding="utf-8")


SHORT_HEAD = """# Mutants of the core that the suite tries each time, and the test that notices each of them. Written by
# python -m tests.campaigns.mutation --draw 50 from the verdicts of the last campaign.
"""


def _entry(mutant: Mutant) -> dict[str, object]:
    file, function, line, what, nth = mutant.key
    return {"file": file, "function": function, "line": line, "mutant": what, **({"nth": nth} if nth > 1 else {})}


def _yaml(entries: list[dict[str, object]]) -> str:
    """Entries as in the lists of survivors: one key a line, texts quoted."""
    told = []
    for entry in entries:
        lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
        told.append("\n- " + "\n  ".join(lines) + "\n")
    return "".join(told)


def interpreted() -> int | None:
    """Starts this command again with an interpreted core if it is not; its exit code then."""
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return None
    command = [sys.executable, "-m", "tests.campaigns.mutation", *sys.argv[1:]]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "0"}
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="only this many, chosen by --seed; 0 = all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="only these files, as in slew.py stop.py")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="measured seconds of tests per mutant at most")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="only these tests, while you write one")
    parser.add_argument("--short", action="store_true", help="the sample of the suite")
    parser.add_argument("--draw", type=int, default=0, help="write a new sample of the suite of this size")
    options = parser.parse_args()
    again = interpreted()
    if again is not None:
        return again
    if options.short:
        return try_short(options.workers)
    if options.draw:
        draw(options.draw, options.seed)
        return 0
    begin = time.monotonic()
    campaign = Campaign(Choice(options.sample, options.seed, tuple(options.only)), options.workers, [], [])
    code = start(options.tests, campaign.work, options.budget)
    told = [f"red without any mutant: {test}" for test in campaign.red]
    told += problems(campaign.found, campaign.choice.whole)
    sys.stdout.write("".join(f"{line}\n" for line in told) + report(campaign.found))
    if campaign.choice.whole and not code:
        PAGE.write_text(page(campaign.found, time.monotonic() - begin), encoding="utf-8")
    return 1 if told or code else 0


if __name__ == "__main__":
    sys.exit(main())
