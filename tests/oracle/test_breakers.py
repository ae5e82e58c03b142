"""Circuit breakers and reactions against slow state machines that keep their whole history, and their properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core import arbitration, breaker, stop
from safetykit.core import layout as at
from safetykit.core.columns import breakers as col
from safetykit.core.vocabulary import Action, Fault, Until
from safetykit.policy import parse_policy
from tests.drive import document

MS = 1_000_000
DT_MAX = 50 * MS
BOUND, RATE, SENDER = 1 << Fault.BOUND, 1 << Fault.RATE, 1 << Fault.SENDER
EDGES = [1, MS, 10 * MS, 20 * MS - 1, 20 * MS, 20 * MS + 1, 30 * MS, 40 * MS, 50 * MS, 51 * MS, 400 * MS]
POLICY = parse_policy(document())


class Core:
    """The bare core: its two arrays, changed by the test, and one frame."""

    def __init__(self) -> None:
        self.limits, self.timing = POLICY.limits.copy(), POLICY.timing.copy()
        frames = at.new_frames()
        self.frame = frames.view(np.recarray)[0]
        interpreted = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]
        self.argument: Any = self.frame if interpreted else frames[0]
        self.frame.in_now_ns = 1_000_000 * MS
        self.frame.st_fresh = -1

    def put(self, number: int, **columns: int | float) -> None:
        """One breaker or, with REACTION_ columns, one reaction."""
        for name, value in columns.items():
            if name == "BREAKER_SHARE":
                self.limits[at.L_BREAKER + number * col.BREAKER_COLS] = value
            elif name.startswith("BREAKER"):
                self.timing[at.T_BREAKER + number * col.BREAKER_COLS_I + getattr(col, name)] = value
            else:
                self.timing[at.T_REACTION + number * col.REACTION_COLS_I + getattr(col, name)] = value

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Read-only, as the compiled core takes them."""
        self.limits.flags.writeable = self.timing.flags.writeable = False
        return self.limits, self.timing

    def later(self, dt_ns: int) -> None:
        self.frame.in_now_ns += dt_ns
        self.frame.st_elapsed_ns = dt_ns


@dataclass
class Tick:
    dt_ns: int
    faults: int = 0
    worst: int = 0
    fresh: bool = True
    engaged: bool = True
    edge: bool = False
    manual: bool = False
    reset: bool = False


def ticks(faults: list[int]) -> st.SearchStrategy[list[Tick]]:
    often = st.sampled_from([True, True, True, True, False])
    seldom = st.sampled_from([False, False, False, False, False, False, True])
    one = st.builds(
        Tick,
        dt_ns=st.sampled_from(EDGES),
        faults=st.sampled_from([0, 0, *faults]),
        worst=st.sampled_from([0, 1, 1, 2, 4]),
        fresh=often,
        engaged=often,
        edge=seldom,
        manual=seldom,
        reset=st.sampled_from([False] * 30 + [True]),
    )
    return st.lists(one, min_size=1, max_size=80)


# --------------------------------------------------------------------------- breakers
@dataclass
class SlowBreaker:
    """State and the list of everything since the last reset; each tick is judged from the list."""

    k: int
    window_ns: int
    severity: int
    lost_ns: int  # 0 = no source
    latched: bool
    cool_ns: int
    widen_ns: int
    reopen_max: int
    state: str = "closed"
    stuck: bool = False
    failed: int = 0
    now_ns: int = 1_000_000 * MS
    heard_ns: int = 0
    hits: list[int] = field(default_factory=list)
    good: list[int] = field(default_factory=list)  # time steps since the last change or cause

    def tick(self, tick: Tick) -> None:
        self.now_ns += tick.dt_ns
        if tick.fresh:
            self.heard_ns = self.now_ns
        hit = bool(tick.faults & BOUND)
        lost = self.lost_ns > 0 and self.now_ns - self.heard_ns > self.lost_ns
        cause = hit or tick.worst >= self.severity or lost
        if hit and tick.engaged:
            self.hits.append(self.now_ns)
        near = [at_ns for at_ns in self.hits if self.window_ns == 0 or self.now_ns - at_ns <= self.window_ns]
        grave = tick.worst >= self.severity or lost
        step = min(tick.dt_ns, DT_MAX)
        if self.state == "open":
            if self.stuck:
                return
            self.good = [] if cause else [*self.good, step]
            if sum(self.good) >= self.cool_ns and not cause:
                self.state, self.good = "half-open", []
        elif self.state == "half-open":
            if not tick.engaged:
                return
            if cause:
                self.stuck = self.latched or self.failed == self.reopen_max
                self.failed += not self.stuck
                self.state, self.good = "open", []
            else:
                self.good.append(step)
                if sum(self.good) >= self.widen_ns:
                    self.state, self.failed = "closed", 0
        elif tick.engaged and (grave or (hit and len(near) >= self.k)):
            self.state, self.good, self.stuck = "open", [], self.latched

    def reset(self) -> None:
        self.state, self.stuck, self.failed, self.hits, self.good = "closed", False, 0, [], []

    def share(self, start: float) -> Fraction:
        if self.state != "half-open":
            return Fraction(1)
        return Fraction(start) + (1 - Fraction(start)) * Fraction(sum(self.good), self.widen_ns)


SHARE = 0.25
shapes = st.fixed_dictionaries(
    {
        "k": st.integers(1, 4),
        "window_ns": st.sampled_from([0, 20 * MS, 40 * MS, 100 * MS]),
        "severity": st.sampled_from([2, 4, col.NO_SEVERITY]),
        "lost_ns": st.sampled_from([0, 20 * MS, 50 * MS]),
        "latched": st.booleans(),
        "cool_ns": st.sampled_from([20 * MS, 50 * MS, 90 * MS]),
        "widen_ns": st.sampled_from([10 * MS, 60 * MS]),
        "reopen_max": st.integers(0, 2),
    }
)


def breaker_core(shape: dict[str, Any]) -> Core:
    core = Core()
    for i in range(2):  # the second one is the same one: a wrong offset shows
        core.put(
            i,
            BREAKER_MASK=BOUND,
            BREAKER_K=shape["k"],
            BREAKER_WINDOW_NS=shape["window_ns"],
            BREAKER_ACTION=int(Action.RECOVER),
            BREAKER_OF=-1,
            BREAKER_SEVERITY=shape["severity"],
            BREAKER_SOURCES=int(shape["lost_ns"] > 0),
            BREAKER_LOST_NS=shape["lost_ns"],
            BREAKER_LATCHED=int(shape["latched"]),
            BREAKER_COOL_NS=shape["cool_ns"],
            BREAKER_WIDEN_NS=shape["widen_ns"],
            BREAKER_REOPEN_MAX=shape["reopen_max"],
            BREAKER_SHARE=SHARE,
        )
    core.timing[at.BREAKER_COUNT] = 2
    return core


def judge(core: Core, tick: Tick) -> int:
    core.later(tick.dt_ns)
    core.frame.st_fresh = int(tick.fresh)
    limits, timing = core.arrays()
    return int(breaker.judge(limits, timing, core.argument, tick.faults, tick.worst, tick.engaged))


@given(shape=shapes, story=ticks([BOUND, BOUND | RATE, RATE]))
@settings(max_examples=400, deadline=None)
def test_breakers_by_keeping_everything(shape: dict[str, Any], story: list[Tick]) -> None:
    core, slow = breaker_core(shape), SlowBreaker(**shape)
    for tick in story:
        if tick.reset:
            breaker.close(core.arrays()[1], core.argument)
            slow.reset()
        opened = judge(core, tick)
        slow.tick(tick)
        frame = core.frame
        assert (frame.st_breaker, frame.st_breaker_trial) == {
            "closed": (0, 0),
            "open": (0b11, 0),
            "half-open": (0, 0b11),
        }[slow.state]
        assert bool(frame.st_breaker_latched) is slow.stuck
        assert bool(opened) is (slow.state == "open")
        assert stop.worst(breaker.wanted(core.arrays()[1], core.argument)) == (4 if slow.state == "open" else 0)
        assert float(frame.st_trial_share) == pytest.approx(float(slow.share(SHARE)), abs=1e-12)
        assert 0 <= frame.st_violation_count[0] <= 2 * shape["k"]
        assert frame.st_breaker_reopened[0] <= shape["reopen_max"]
        assert 0 <= frame.st_breaker_ns[0] <= max(shape["cool_ns"], shape["widen_ns"]) + DT_MAX


@given(shape=shapes, story=ticks([BOUND]))
@settings(max_examples=200, deadline=None)
def test_only_a_reset_leads_out_of_the_latch(shape: dict[str, Any], story: list[Tick]) -> None:
    core, latched = breaker_core(shape), 0
    for tick in story:
        judge(core, tick)
        assert core.frame.st_breaker_latched & latched == latched
        assert core.frame.st_breaker & core.frame.st_breaker_latched == core.frame.st_breaker_latched
        latched = int(core.frame.st_breaker_latched)


def way(core: Core) -> tuple[int, int]:
    """How far on the way from open to closed."""
    frame = core.frame
    if frame.st_breaker & 1:
        return (-1 if frame.st_breaker_latched & 1 else 0), int(frame.st_breaker_ns[0])
    return (1, int(frame.st_breaker_ns[0])) if frame.st_breaker_trial & 1 else (2, 0)


@given(shape=shapes, story=ticks([BOUND]), more=st.lists(st.sampled_from([0, 0, 0, BOUND]), min_size=80, max_size=80))
@settings(max_examples=400, deadline=None)
def test_more_trouble_never_leads_further_towards_closed(
    shape: dict[str, Any], story: list[Tick], more: list[int]
) -> None:
    """For any two histories of which one has a superset of the causes, while no series of failed trials latches."""
    shape = {**shape, "reopen_max": 1000, "window_ns": shape["window_ns"] or 20 * MS}
    less, full = breaker_core(shape), breaker_core(shape)
    for tick, extra in zip(story, more, strict=False):
        judge(less, tick)
        worse = Tick(tick.dt_ns, tick.faults | extra, max(tick.worst, 4 if extra else 0), tick.fresh and not extra)
        worse.engaged = tick.engaged
        judge(full, worse)
        assert way(full) <= way(less)
        assert full.frame.st_trial_share <= less.frame.st_trial_share or full.frame.st_breaker & 1


def test_failed_trials_are_the_one_exception() -> None:
    """A vehicle that gets no trial fails none: kept open by more trouble, it latches later than one that was tried."""
    shape = {"k": 1, "window_ns": 20 * MS, "severity": 7, "lost_ns": 0, "latched": False}
    shape |= {"cool_ns": 20 * MS, "widen_ns": 60 * MS, "reopen_max": 0}
    less, full = breaker_core(shape), breaker_core(shape)
    for faults, extra in ((BOUND, 0), (0, 0), (0, BOUND), (BOUND, 0)):
        judge(less, Tick(10 * MS, faults))
        judge(full, Tick(10 * MS, faults | extra))
    assert (less.frame.st_breaker_latched, full.frame.st_breaker_latched) == (0b11, 0)
    assert full.frame.st_breaker == less.frame.st_breaker == 0b11, "and both are open"


def test_counters_stay_small_for_ever() -> None:
    shape = {"k": 3, "window_ns": MS, "severity": 7, "lost_ns": 0, "latched": False}
    shape |= {"cool_ns": 20 * MS, "widen_ns": 60 * MS, "reopen_max": 1}
    core = breaker_core(shape)
    core.frame.st_breaker_reopened[0] = 2**62
    for _ in range(1000):
        judge(core, Tick(10 * MS, BOUND))
    assert core.frame.st_violation_count[0] < 6
    assert core.frame.st_breaker_reopened[0] == 2**62


# --------------------------------------------------------------------------- reactions
@dataclass
class SlowReaction:
    """Time left instead of time spent."""

    action: int
    after_ns: int
    takeover_ns: int
    meanwhile: int
    driven: int
    until: int
    left_ns: int = -1
    held: bool = False

    def tick(self, tick: Tick) -> tuple[int, bool]:
        """(action, announced)."""
        total = self.after_ns + self.takeover_ns
        if self.left_ns < 0:
            self.left_ns = total
        if not tick.faults & SENDER:
            self.left_ns = min(self.left_ns + min(tick.dt_ns, DT_MAX) // 4, total)
            if tick.edge and self.until == Until.ENGAGED_AGAIN:
                self.held = False
            return (self.action if self.held else 0), False
        waiting = tick.manual and self.driven >= 0
        floor = min(self.left_ns, self.takeover_ns) if waiting else 0
        self.left_ns = max(self.left_ns - tick.dt_ns, floor)
        if self.left_ns == 0:
            self.held |= self.until != Until.CLEARED and tick.engaged
            return self.action, False
        if self.held:
            return self.action, False
        announced = self.left_ns <= self.takeover_ns
        return (self.driven if waiting else self.meanwhile), announced


rows = st.fixed_dictionaries(
    {
        "action": st.sampled_from([4, 5, 6]),
        "after_ns": st.sampled_from([0, 20 * MS, 70 * MS]),
        "takeover_ns": st.sampled_from([0, 50 * MS]),
        "meanwhile": st.sampled_from([2, 3]),
        "driven": st.sampled_from([-1, 0, 2]),
        "until": st.sampled_from([int(until) for until in Until]),
    }
)


def reaction_core(row: dict[str, Any]) -> Core:
    core = Core()
    decoy = {"action": 1, "after_ns": 0, "takeover_ns": 0, "meanwhile": 1, "driven": -1, "until": 0}
    for i, (fault, values) in enumerate(((RATE, decoy), (SENDER, row))):
        core.put(i, REACTION_FAULT=fault, **{f"REACTION_{key.upper()}": value for key, value in values.items()})
    core.timing[at.T_REACTIONS + col.REACTION_COUNT] = 2
    core.timing[at.T_REACTIONS + col.REACTION_FAULTS] = RATE | SENDER
    return core


def decide(core: Core, tick: Tick) -> tuple[int, bool]:
    core.later(tick.dt_ns)
    core.frame.st_manual, core.frame.st_state = int(tick.manual), 2 if tick.engaged else 1
    timing = core.arrays()[1]
    why = arbitration.decide(timing, core.argument, tick.faults, tick.edge)
    actions = arbitration.wanted(timing, core.argument, tick.faults, int(core.frame.st_reaction_held))
    return int(stop.worst(actions)), why == 1 << Fault.INTERVENTION


@given(row=rows, story=ticks([SENDER, SENDER, SENDER | RATE, BOUND]))
@settings(max_examples=400, deadline=None)
def test_reactions_by_time_left(row: dict[str, Any], story: list[Tick]) -> None:
    core, slow = reaction_core(row), SlowReaction(**row)
    for tick in story:
        if tick.reset:
            arbitration.release(core.arrays()[1], core.argument)
            slow.held &= row["until"] == Until.NEVER or bool(core.frame.st_reaction_started & 2)
        action, announced = slow.tick(tick)
        direct = 1 if tick.faults & (RATE | BOUND) else 0
        assert decide(core, tick) == (max(action, direct), announced)
        frame = core.frame
        assert (frame.out_window_action, frame.out_window_ns) == (
            (row["action"], slow.left_ns) if announced else (0, 0)
        )
        assert 0 <= frame.st_reaction_ns[1] <= row["after_ns"] + row["takeover_ns"]


@given(row=rows, story=ticks([SENDER]), more=st.lists(st.sampled_from([0, 0, SENDER]), min_size=80, max_size=80))
@settings(max_examples=400, deadline=None)
def test_more_faults_never_ask_for_less(row: dict[str, Any], story: list[Tick], more: list[int]) -> None:
    row = {**row, "driven": min(row["driven"], row["meanwhile"])}
    less, full = reaction_core(row), reaction_core(row)
    for tick, extra in zip(story, more, strict=False):
        action, _ = decide(less, tick)
        worse = Tick(**{**vars(tick), "faults": tick.faults | extra})
        assert decide(full, worse)[0] >= action
        assert full.frame.st_reaction_ns[1] >= less.frame.st_reaction_ns[1]


@pytest.mark.parametrize(("last_ns", "acts"), [(MS - 1, False), (MS, True), (MS + 1, True), (2**62, True)])
def test_the_end_of_a_delay_to_the_nanosecond(last_ns: int, acts: bool) -> None:
    row = {"action": 4, "after_ns": 21 * MS, "takeover_ns": 0, "meanwhile": 2, "driven": -1, "until": 0}
    core = reaction_core(row)
    decide(core, Tick(20 * MS, SENDER))
    assert decide(core, Tick(last_ns, SENDER))[0] == (4 if acts else 2)


@pytest.mark.parametrize(("gap_ns", "trips"), [(20 * MS - 1, True), (20 * MS, True), (20 * MS + 1, False)])
def test_the_end_of_a_window_to_the_nanosecond(gap_ns: int, trips: bool) -> None:
    shape = {"k": 2, "window_ns": 20 * MS, "severity": 7, "lost_ns": 0, "latched": True}
    shape |= {"cool_ns": 0, "widen_ns": 1, "reopen_max": 0}
    core = breaker_core(shape)
    judge(core, Tick(10 * MS, BOUND))
    assert bool(judge(core, Tick(gap_ns, BOUND))) is trips
