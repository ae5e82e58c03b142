"""Autonomy, adapter and recorder are killed and frozen at random; the guard does not notice.

Every frame of the run is read from the ring and judged: no number missing, every output finite, inside the hard bounds
and within the rates from the one before. At the end the black box is whole, and everything in it that was on the disk
at the moment of a kill is still there.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.core.vocabulary import State
from safetykit.runtime import loop, paths, realtime, status
from safetykit.runtime.actuator import ActuatorReader
from safetykit.runtime.blackbox.replay import replay
from safetykit.runtime.blackbox.segment_file import list_segments
from safetykit.runtime.blackbox.segments import scan
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.mailbox import ControlWriter
from tests.chaos import actors
from tests.chaos.judge import Judge
from tests.unit.runtime.rig import Rig
from tests.unit.runtime.running import Running, children, wait_for

SEED = 20240229
BLOWS = 50  # per victim
KILL_SHARE = {"autonomy": 0.5, "adapter": 0.5, "recorder": 0.3}  # the others are freezes; a recorder takes 1 s to start
FREEZE_S = (0.01, 0.4)
CALM_S = (0.1, 1.0)  # until the next blow at the same victim
RESET_S = 0.3
LIMIT_S = 150.0
CPU = min(os.sched_getaffinity(0))

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


class Victim:
    """One process that is hit again and again; ``blows`` counts what it took."""

    def __init__(self, name: str, find: Callable[[], int | None], chance: random.Random) -> None:
        self.name, self._find, self._chance = name, find, chance
        self.blows: Counter[str] = Counter()
        self._next_s, self._frozen = 0.0, 0

    @property
    def done(self) -> bool:
        return self.blows.total() >= BLOWS and not self._frozen

    def visit(self, before_kill: Callable[[], None]) -> None:
        """Hit, thaw or leave alone, as its own clock says."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if self._frozen:
            with suppress(ProcessLookupError):
                os.kill(self._frozen, signal.SIGCONT)
            self._frozen, self._next_s = 0, now_s + self._chance.uniform(*CALM_S)
            return
        pid = None if self.done else self._find()
        if pid is None:
            return
        kill = self._chance.random() < KILL_SHARE[self.name]
        if kill:
            before_kill()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if kill else signal.SIGSTOP)
            self.blows["killed" if kill else "frozen"] += 1
            self._frozen = 0 if kill else pid
        self._next_s = now_s + self._chance.uniform(*(CALM_S if kill else FREEZE_S))


class Stage:
    """Keeps an actor process alive: a new one at once when it was killed."""

    def __init__(self, context: Any, body: Callable[[Path, int], None], directory: Path) -> None:
        self._context, self._body, self._directory = context, body, directory
        self._count = 0
        self._process: Any = None

    def pid(self) -> int | None:
        if self._process is None or not self._process.is_alive():
            self._count += 1
            self._process = self._context.Process(target=self._body, args=(self._directory, self._count), daemon=True)
            self._process.start()
            return None
        return int(self._process.pid)

    def close(self) -> None:
        if self._process is not None and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.join()


class Reference:
    """The same loop with nobody around it, on the same CPU, one priority lower: what the machine itself misses."""

    def __init__(self, cpu: int) -> None:
        self._rig = Rig(actors.POLICY)
        loop.warm_up(self._rig.w)
        self._cpu = cpu
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        realtime.prepare_thread(realtime.PRIORITY - 1, self._cpu)
        loop.run(self._rig.w)

    def close(self) -> int:
        """End it; missed periods."""
        self._rig.w.memory[loop.QUIT] = 1
        self._thread.join()
        return int(self._rig.page[status.MISSES])


class Pilot:
    """Resets what latched or tripped, so that there is always something to disturb."""

    def __init__(self, directory: Path) -> None:
        self._control = ControlWriter(directory / paths.control_name("console"))
        self._actuator = ActuatorReader(directory / paths.ACTUATOR)
        self._next_s = 0.0

    def visit(self) -> None:
        view = self._actuator.read()
        if view is None or view.state == State.ENGAGED or time.monotonic() < self._next_s:
            return
        self._control.reset(view.stop_event)
        self._next_s = time.monotonic() + RESET_S


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path, "--policy", "quadrotor", "--cpu", str(CPU))
    yield running.ready()
    running.close()


def entries(log: Path) -> dict[str, set[bytes]]:
    """Hashes of all whole entries now on the disk, by segment."""
    return {
        segment.path.name: {entry.hash for entry in scan(segment.path.read_bytes()).entries}
        for segment in list_segments(log)
    }


def test_nothing_that_happens_to_others_disturbs_the_guard(
    guard: Running, record_property: Callable[[str, object], None]
) -> None:
    log, chance = guard.folder / "log", random.Random(SEED)
    wait_for(lambda: log.is_dir() and list_segments(log))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.chaos.actors"])
    stages = [Stage(context, body, guard.directory) for body in (actors.autonomy, actors.adapter)]
    flushed: dict[str, set[bytes]] = {}

    def remember() -> None:
        for name, hashes in entries(log).items():
            flushed.setdefault(name, set()).update(hashes)

    def recorder() -> int | None:
        return next(iter(children(guard.process.pid)), None)

    victims = [Victim(body, stage.pid, chance) for body, stage in zip(("autonomy", "adapter"), stages, strict=True)]
    victims.append(Victim("recorder", recorder, chance))
    reference = Reference(CPU)
    pilot, judge = Pilot(guard.directory), Judge(guard.directory / paths.RING, actors.POLICY)
    end_s = time.monotonic() + LIMIT_S
    missed_before = status.read_status(guard.directory / paths.STATUS).misses
    try:
        while not all(victim.done for victim in victims) and time.monotonic() < end_s:
            for victim in victims:
                victim.visit(remember if victim.name == "recorder" else lambda: None)
            for stage in stages:
                stage.pid()
            pilot.visit()
            judge.look()
            time.sleep(0.005)
        counts = status.read_status(guard.directory / paths.STATUS)
    finally:
        machine_missed = reference.close()
        for stage in stages:
            stage.close()
    assert {victim.name: victim.blows.total() >= BLOWS for victim in victims} == dict.fromkeys(KILL_SHARE, True)

    assert guard.end() == 0, guard.stderr.read_text()
    judge.look()
    missed = counts.misses - missed_before
    story = summary(victims, judge, f"missed {missed} periods, the machine alone {machine_missed}; {counts}")
    record_property("chaos", story)
    assert judge.wrong == [], story
    assert judge.states[State.ENGAGED] > 300, story
    assert missed <= 2 * machine_missed + 2, story  # a stall of the machine may cost one of the two a period more
    check_black_box(log, flushed)


def summary(victims: list[Victim], judge: Judge, loop_says: str) -> str:
    """What happened, for the report and for a failure."""
    blows = {victim.name: dict(victim.blows) for victim in victims}
    states = {State(state).name: count for state, count in judge.states.items()}
    return f"blows {blows}; frames by state {states}; {loop_says}"


def check_black_box(log: Path, flushed: dict[str, set[bytes]]) -> None:
    verdict = verify(log)
    assert verdict.ok, [str(finding) for finding in verdict.findings]
    kept = entries(log)
    lost = {name: len(hashes - kept.get(name, set())) for name, hashes in flushed.items()}
    assert sum(lost.values()) == 0, lost
    assert sum(len(hashes) for hashes in flushed.values()) > 50
    assert replay(log).ok
    assert np.all([segment.path.stat().st_mode & 0o077 == 0 for segment in list_segments(log)])
