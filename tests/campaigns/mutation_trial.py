"""Tries mutants of the interpreted core: one pytest session collects the tests once and forks a child per mutant.

A child installs its mutant and runs only the tests that reach the changed statement: first those that noticed other
mutants of the same function, then the cheap ones. The first test that fails ends it. hypothesis draws the same
examples each time and does not shrink.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.campaigns.mutants import CORE, ROOT, Mutant
from tests.campaigns.reach import Reach, read_lines

SURVIVED, NOTICED, ENDLESS = "survived", "noticed", "endless"
_CODE_SURVIVED, _CODE_NOTICED, _CODE_BROKEN = 20, 21, 22
LONGER, GRACE_S = 10.0, 5.0  # a test may take this many times its own time, and so many seconds of processor more
KILLERS_MAX = 12
BUDGET_S = 60.0
Collected = Callable[["Session"], None]
Tests = Callable[[Mutant], list[int]]


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant, by which test, and what the trial took."""

    mutant: Mutant
    how: str
    by: str
    seconds: float

    @property
    def survived(self) -> bool:
        return self.how == SURVIVED


class Session:
    """The collected tests, and trials on them. Handed to `work` as soon as pytest has collected."""

    def __init__(self, work: Collected, budget_s: float) -> None:
        self.work = work
        self.budget_s = budget_s
        self.places: dict[str, int] = {}
        self.items: list[pytest.Item] = []
        self.red: list[str] = []
        self.reach = Reach()
        self.killers: dict[tuple[str, str], list[int]] = {}
        self._child_pipe = -1
        self._now = -1

    # Hooks of pytest.

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = session.items
        self.places = {item.nodeid: place for place, item in enumerate(self.items)}
        self._factory(session).getbasetemp()  # made here: each child would make it anew
        self.work(self)
        return True

    @staticmethod
    def _factory(session: pytest.Session) -> Any:
        return session.config._tmp_path_factory  # type: ignore[attr-defined]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        if call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
            return
        if self._child_pipe >= 0:
            os.write(self._child_pipe, str(self._now).encode())
            os._exit(_CODE_NOTICED)  # here: no teardown, no traceback in colours
        self.red.append(item.nodeid)

    # The work.

    def run(self, chosen: Sequence[int]) -> None:
        """Runs these tests in this process."""
        for place, following in zip(chosen, [*chosen[1:], None], strict=True):
            item, after = self.items[place], self.items[following] if following is not None else None
            self._now = place
            if self._child_pipe >= 0:
                limit_s = self._seconds(place) * LONGER + GRACE_S
                signal.setitimer(signal.ITIMER_PROF, limit_s)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)

    def measure(self) -> None:
        """Runs every test that was not measured before, with the lines it reaches and its time.

        Red ones are left out from then on.
        """
        self.reach = Reach.kept()
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "reach"
            tracer = coverage.Coverage(data_file=str(data), include=[f"{CORE}/*"], config_file=False)
            tracer.start()
            for place, item in enumerate(self.items):
                if item.nodeid in self.reach.seconds:
                    continue
                tracer.switch_context(item.nodeid)
                begin = time.process_time()
                self.run([place])
                self.reach.seconds[item.nodeid] = round(time.process_time() - begin, 3)
            tracer.stop()
            tracer.save()
            self.reach.lines |= read_lines(data)
        for test in self.red:
            del self.reach.seconds[test], self.reach.lines[test]
        self.reach.keep()

    def order(self, mutant: Mutant, first: str = "") -> list[int]:
        """The tests for a mutant, the most promising first: `first`, what noticed its neighbours, the cheap ones."""
        reached = [self.places[test] for test in self.reach.of(mutant) if test in self.places]
        reached.sort(key=lambda place: (self._seconds(place), place))
        promising = [self.places.get(first, -1), *self.killers.get((mutant.file, mutant.function), [])]
        known = set(reached)
        chosen: list[int] = []
        total_s = 0.0
        for place in dict.fromkeys([*(place for place in promising if place in known), *reached]):
            total_s += self._seconds(place)
            if total_s > self.budget_s and chosen:
                break
            chosen.append(place)
        return chosen

    def _seconds(self, place: int) -> float:
        return self.reach.seconds.get(self.items[place].nodeid, GRACE_S)

    def verdicts(self, tried: Sequence[Mutant], tests: Tests, workers: int) -> Iterator[Verdict]:
        """The verdict on each mutant, in the order in which they end."""
        gc.collect()
        gc.freeze()
        running: dict[int, tuple[int, int, Mutant, float]] = {}  # pipe: child, ...
        waiting = list(reversed(tried))
        while waiting or running:
            while waiting and len(running) < workers:
                mutant = waiting.pop()
                pipe, child = self._fork(mutant, tests(mutant))
                running[pipe] = (child, pipe, mutant, time.monotonic())
            for pipe in select.select(list(running), [], [])[0]:
                child, _, mutant, begin = running.pop(pipe)
                yield self._verdict(child, pipe, mutant, begin)

    def _fork(self, mutant: Mutant, tests: list[int]) -> tuple[int, int]:
        pipe, child_pipe = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child:
            os.close(child_pipe)
            return pipe, child
        try:
            os.close(pipe)
            self._child_pipe = child_pipe
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            if not _installed(mutant):
                os._exit(_CODE_NOTICED)
            self.run(tests)
            os._exit(_CODE_SURVIVED)
        except BaseException as error:  # noqa: BLE001 - whatever it is, a child must not go on as the parent
            os.write(2, f"{mutant}: the trial itself failed: {error!r}\n".encode())
            os._exit(_CODE_BROKEN)

    def _verdict(self, child: int, pipe: int, mutant: Mutant, begin: float) -> Verdict:
        told = os.read(pipe, 32)
        os.close(pipe)
        status = os.waitpid(child, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        if code == _CODE_BROKEN:
            raise RuntimeError(f"no verdict on {mutant}")
        how = {_CODE_SURVIVED: SURVIVED, _CODE_NOTICED: NOTICED}.get(code, ENDLESS)
        by = ""
        if told:
            self._remember(mutant, int(told))
            by = self.items[int(told)].nodeid
        return Verdict(mutant, how, by, time.monotonic() - begin)

    def _remember(self, mutant: Mutant, place: int) -> None:
        known = self.killers.setdefault((mutant.file, mutant.function), [])
        if place in known:
            known.remove(place)
        known.insert(0, place)
        del known[KILLERS_MAX:]


def _installed(mutant: Mutant) -> bool:
    """False where the core would not even import with this mutant."""
    try:
        mutant.install()
    except (ValueError, IndexError, TypeError, NameError):
        return False
    return True


def start(tests: Sequence[str], work: Collected, budget_s: float = BUDGET_S) -> int:
    """Collects these tests interpreted and calls `work` with the session; pytest's exit code.

    budget_s: of the measured times of the tests for one mutant, which has survived when they are over.
    """
    if os.environ.get("NUMBA_DISABLE_JIT") != "1":
        raise SystemExit("mutants are of the interpreted core: NUMBA_DISABLE_JIT=1")
    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutation")
    os.chdir(ROOT)
    left_out = ("cacheprovider", "timeout", "terminal", "faulthandler")
    quiet = ["--assert=plain", "-o", "addopts=--import-mode=importlib"]
    quiet += [word for name in left_out for word in ("-p", f"no:{name}")]
    with tempfile.TemporaryDirectory() as folder:
        options = [*quiet, "--basetemp", f"{folder}/tests", *tests]
        return int(pytest.main(options, plugins=[Session(work, budget_s)]))
