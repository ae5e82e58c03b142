"""Tries mutants of the interpreted core: one pytest session collects the tests once and forks a child per mutant.

A child installs its mutant and runs only the tests that reach the changed statement: first those that noticed other
mutants of the same function, then the cheap ones. The first test that fails ends it. hypothesis draws the same
examples each time and does not shrink.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import coverage
import pytest
from coverage.numbits import numbits_to_nums
from hypothesis import HealthCheck, Phase, settings

from tests.campaigns.mutants import CORE, MAKE_TABLE, MODULE, ROOT, Mutant, files

SURVIVED, NOTICED, ENDLESS = "survived", "noticed", "endless"
_CODE_SURVIVED, _CODE_NOTICED, _CODE_BROKEN = 20, 21, 22
LONGER, GRACE_S = 10.0, 5.0  # a test may take this many times its own time, and so many seconds of processor more
KILLERS_MAX = 12
Collected = Callable[["Session"], None]


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


@dataclass
class Reach:
    """Which tests (by place in the session) execute which line of which file, and how long each takes (s)."""

    lines: dict[str, dict[int, set[int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, mutant: Mutant) -> set[int]:
        """Tests that execute the changed statement; of a constant: a function that reads it."""
        if mutant.function == MODULE:
            return self._of_constant(mutant.what.split(":")[0])
        if mutant.function in MAKE_TABLE:
            return self._of_constant("NEXT_STATE")
        return self._span(mutant.file, range(mutant.first, mutant.last + 1))

    def _span(self, file: str, lines: range) -> set[int]:
        of_file = self.lines.get(file, {})
        return set().union(*(of_file.get(line, set()) for line in lines))

    def _of_constant(self, name: str) -> set[int]:
        name = "NEXT_STATE" if name == "TRANSITIONS" else name
        found: set[int] = set()
        for file in files():
            for function in vars(importlib.import_module(f"safetykit.core.{file.removesuffix('.py')}")).values():
                code = function.__code__ if isinstance(function, FunctionType) else None
                if code is not None and name in code.co_names:
                    found |= self._span(Path(code.co_filename).name, _lines(code))
        return found


def _lines(code: CodeType) -> range:
    lines = [line for _, _, line in code.co_lines() if line is not None]
    return range(min(lines) + 1, max(lines) + 1)  # not the line of the def: it runs at import


class Session:
    """The collected tests, and trials on them. Handed to `work` as soon as pytest has collected."""

    def __init__(self, work: Collected) -> None:
        self.work = work
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
                limit_s = self.reach.seconds.get(item.nodeid, GRACE_S) * LONGER + GRACE_S
                signal.setitimer(signal.ITIMER_PROF, limit_s)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)

    def measure(self) -> None:
        """Runs every test once, with the lines it reaches and its time; red ones are left out from then on."""
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "reach"
            tracer = coverage.Coverage(data_file=str(data), include=[f"{CORE}/*"], config_file=False)
            tracer.start()
            for place, item in enumerate(self.items):
                tracer.switch_context(str(place))
                begin = time.process_time()
                self.run([place])
                self.reach.seconds[item.nodeid] = round(time.process_time() - begin, 3)
            tracer.stop()
            tracer.save()
            self.reach.lines = _read(data)
        red = {place for place, item in enumerate(self.items) if item.nodeid in self.red}
        for of_file in self.reach.lines.values():
            for line in of_file:
                of_file[line] -= red

    def order(self, mutant: Mutant) -> list[int]:
        """The tests for a mutant, the most promising first."""
        first = self.killers.get((mutant.file, mutant.function), [])
        rest = sorted(self.reach.of(mutant), key=lambda place: self.reach.seconds[self.items[place].nodeid])
        reached = set(rest)
        return list(dict.fromkeys([*(place for place in first if place in reached), *rest]))

    def verdicts(self, tried: Sequence[tuple[Mutant, list[int] | None]], workers: int) -> Iterator[Verdict]:
        """The verdict on each mutant, in the order in which they end. Tests to run: `order` where none are given."""
        gc.collect()
        gc.freeze()
        running: dict[int, tuple[int, int, Mutant, float]] = {}  # pipe: child, ...
        waiting = list(reversed(tried))
        while waiting or running:
            while waiting and len(running) < workers:
                mutant, tests = waiting.pop()
                pipe, child = self._fork(mutant, self.order(mutant) if tests is None else tests)
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
            mutant.install()
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
        if how == NOTICED:
            self._remember(mutant, int(told))
            by = self.items[int(told)].nodeid
        return Verdict(mutant, how, by, time.monotonic() - begin)

    def _remember(self, mutant: Mutant, place: int) -> None:
        known = self.killers.setdefault((mutant.file, mutant.function), [])
        if place in known:
            known.remove(place)
        known.insert(0, place)
        del known[KILLERS_MAX:]


def _read(data: Path) -> dict[str, dict[int, set[int]]]:
    """{file: {line: tests}} from coverage's data base."""
    found: dict[str, dict[int, set[int]]] = {}
    query = (
        "select file.path, context.context, line_bits.numbits from line_bits "
        "join file on file.id = file_id join context on context.id = context_id where context.context != ''"
    )
    with sqlite3.connect(data) as base:
        for path, context, numbits in base.execute(query):
            of_file = found.setdefault(Path(path).name, {})
            for line in numbits_to_nums(numbits):
                of_file.setdefault(line, set()).add(int(context))
    return found


def start(tests: Sequence[str], work: Collected) -> int:
    """Collects these tests interpreted and calls `work` with the session; pytest's exit code."""
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
    quiet = ["-q", "--no-header", "--no-summary", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:timeout"]
    quiet += ["-p", "no:terminal", "-p", "no:faulthandler", "-o", "addopts=--import-mode=importlib"]
    with tempfile.TemporaryDirectory() as folder:
        options = [*quiet, "--basetemp", f"{folder}/tests", *tests]
        return int(pytest.main(options, plugins=[Session(work)]))
