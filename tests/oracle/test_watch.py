"""The plausibility checks against slow versions that keep all of the past, and what must hold for any input.

Values come from a coarse grid whose sums are exact, so that they often lie on a limit, and from one unit beside it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core.vocabulary import Fault
from tests.drive import PERIOD_NS, Drive, document
from tests.unit.core.test_measurements import made, pair

MS = 1_000_000
NAMES = ("wheel_mps", "gnss_mps", "radar_mps")

grid = st.integers(-12, 12).map(lambda k: k * 0.25)
asks = st.lists(st.one_of(grid, st.floats(-20, 20), st.just(0.0), st.just(0.0)), min_size=10, max_size=60)
values = st.one_of(grid, grid, grid, st.just(math.nan))
steps_ms = st.lists(st.sampled_from([5, 10, 10, 20]), min_size=60, max_size=60)


def fault(drive: Drive, bit: Fault) -> bool:
    return bool(drive.guard.frame.out_faults >> bit & 1)


class Confirmed:
    """Outliers by lists: the accepted values, and those that wait."""

    def __init__(self, window: int, factor: float, floor: float, confirm: int) -> None:
        self.window, self.gain, self.floor, self.confirm = window, 1.4826 * factor, floor, confirm
        self.accepted: list[float] = []
        self.waiting: list[float] = []

    def bounds(self) -> tuple[float, float]:
        """Median and allowed distance."""
        recent = np.array(self.accepted[-self.window :])
        middle = float(np.median(recent))
        return middle, max(self.floor, self.gain * float(np.median(np.abs(recent - middle))))

    def judge(self, value: float) -> bool:
        """True if the value is accepted."""
        if self.accepted:
            middle, allowed = self.bounds()
            if abs(value - middle) <= allowed:
                self.accepted.append(value)
                self.waiting = []
                return True
        past = [*self.accepted[-1:], *self.waiting]
        level = bool(self.waiting) and abs(value - self.waiting[-1]) <= self.floor
        line = bool(self.waiting) and len(past) > 1 and abs((value - past[-1]) - (past[-1] - past[-2])) <= self.floor
        self.waiting = [*self.waiting, value] if level or line else [value]
        if len(self.waiting) < self.confirm:
            return False
        self.accepted, self.waiting = self.waiting, []
        return True


outliers = st.fixed_dictionaries(
    {
        "window": st.integers(5, 9),
        "factor": st.sampled_from([2.5, 3.0, 6.0]),
        "floor": st.sampled_from([0.25, 0.5, 1.0]),
        "confirm": st.integers(2, 5),
    }
)


@given(asked=asks, keys=outliers, data=st.data())
@settings(max_examples=120, deadline=None)
def test_outliers_by_numpy_medians(asked: list[float], keys: dict[str, Any], data: st.DataObject) -> None:
    drive, oracle = Drive(document({"outlier": keys})), Confirmed(**keys)
    for value in asked:
        if oracle.accepted and data.draw(st.booleans()):  # look for the limit itself
            middle, allowed = oracle.bounds()
            value = float(middle + data.draw(st.sampled_from([-1, 1])) * allowed)
            value = data.draw(st.sampled_from([value, math.nextafter(value, 99), math.nextafter(value, -99)]))
        drive.tick(value)
        accepted = oracle.judge(value)
        assert fault(drive, Fault.OUTLIER) is not accepted
        assert drive.guard.frame.st_ask[1] == (oracle.accepted[-1] if oracle.accepted else 0.0)


def zigzag(asked: list[float], deadband: float) -> list[tuple[int, float]]:
    """(tick, swing) of every turn, by looking for the extreme anew each time."""
    turns, start, begun, way = [], asked[0], 0, 0
    for k in range(1, len(asked)):
        if way == 0:
            if abs(asked[k] - start) > deadband:
                begun, way = k, 1 if asked[k] > start else -1
            continue
        extreme = max(way * value for value in asked[begun : k + 1]) * way
        if way * (extreme - asked[k]) > deadband:
            turns.append((k, extreme - start))
            start, begun, way = extreme, k, -way
    return turns


@given(asked=asks, steps=steps_ms, window_ms=st.integers(50, 3000), deadband=st.sampled_from([0.25, 0.5, 1.0]))
@settings(max_examples=120, deadline=None)
def test_oscillation_by_all_turning_points(
    asked: list[float], steps: list[int], window_ms: int, deadband: float
) -> None:
    keys = {"energy": 50.0, "window_ms": window_ms, "deadband": deadband}
    rates = {"rate_up_per_s": 900, "rate_down_per_s": 900}
    drive = Drive(document({"oscillation": keys, **rates}, reactions={"OSCILLATION": "CLAMP"})).engaged()
    heard = [0.0]
    for k, value in enumerate(asked):
        drive.tick(value, dt_ns=steps[k] * MS)
        heard.append(min(max(value, -5.0), 5.0))
        energy = 0.0
        for at, swing in zigzag(heard, deadband):
            left = math.prod(1 / (1 + step / window_ms) for step in steps[at : k + 1])
            energy += swing * swing * left
        assert drive.guard.frame.st_swing_energy[0] == pytest.approx(energy, rel=1e-9, abs=1e-9)
        assert fault(drive, Fault.OSCILLATION) is bool(drive.guard.frame.st_swing_energy[0] > keys["energy"])


class Patience:
    """For how long something has been bad: the whole past is kept."""

    def __init__(self, for_ms: float) -> None:
        self.for_ns, self.past = for_ms * MS, []

    def over(self, now_ns: int, bad: bool) -> bool:
        self.past.append((now_ns, bad))
        since = now_ns
        for at, was_bad in reversed(self.past):
            if not was_bad:
                break
            since = at
        return bad and now_ns - since > self.for_ns


rows = st.lists(st.tuples(values, values, values), min_size=5, max_size=40)


@given(measured=rows, steps=steps_ms, share=st.sampled_from([0.0, 0.25, 0.5]), three=st.booleans())
@settings(max_examples=100, deadline=None)
def test_agreement_by_every_pair(
    measured: list[tuple[float, ...]], steps: list[int], share: float, three: bool
) -> None:
    names = NAMES if three else NAMES[:2]
    drive = Drive(made(agree=pair(*names, error=0.5, error_share=share, for_ms=20)))
    patience = Patience(20)
    for given_, step in zip(measured, steps, strict=False):
        now = dict(zip(names, given_, strict=False))
        drive.inputs.update(now)
        drive.tick(0.0, dt_ns=step * MS)
        bad = {
            frozenset((one, two))
            for one in names
            for two in names
            if one < two and not abs(now[one] - now[two]) <= 0.5 + share * max(abs(now[one]), abs(now[two]))
        }
        assert fault(drive, Fault.DISAGREE) is patience.over(drive.now_ns, bool(bad))
        odd = [name for name in names if len(bad) == 2 and all(name in two for two in bad)]
        number = int(drive.guard.frame.st_agree_odd[0])
        assert [drive.guard.policy.inputs[number - 1]] * bool(number) == odd


@given(measured=rows, steps=steps_ms, count=st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_integrity_by_counting(measured: list[tuple[float, ...]], steps: list[int], count: int) -> None:
    checks = [{"input": name, "min": -1.5, "max": 1.0} for name in NAMES]
    drive = Drive(made(integrity={"ekf": {"checks": checks, "count": count, "for_ms": 20}}))
    patience = Patience(20)
    for given_, step in zip(measured, steps, strict=False):
        drive.inputs.update(zip(NAMES, given_, strict=True))
        drive.tick(0.0, dt_ns=step * MS)
        out = [value not in np.arange(-1.5, 1.25, 0.25) for value in given_]
        assert fault(drive, Fault.DISAGREE) is patience.over(drive.now_ns, sum(out) >= count)


@given(measured=rows, steps=steps_ms)
@settings(max_examples=100, deadline=None)
def test_stuck_by_looking_back(measured: list[tuple[float, ...]], steps: list[int]) -> None:
    """Stuck: over the whole patience it had to change, and was never seen to."""
    row = {"input": "gnss_mps", "for_ms": 110, "only_while": [{"input": "wheel_mps", "min": 0.5}]}
    drive = Drive(made(stuck={"row": row}))
    past: list[tuple[int, float]] = []
    for (moving, value, _), step in zip(measured * 3, steps, strict=False):
        held = value if abs(value) > 1.5 else 0.25
        drive.inputs.update(wheel_mps=moving, gnss_mps=held)
        drive.tick(0.0, dt_ns=step * MS)
        past = [] if moving < 0.5 else [*past, (drive.now_ns, held)]
        seen = [(at, known) for at, known in past if not math.isnan(known)]
        changes = [at for (_, one), (at, two) in pairwise(seen) if one != two]
        since = max(changes, default=past[0][0] if past else drive.now_ns)
        assert fault(drive, Fault.STUCK) is (drive.now_ns - since > 110 * MS)


@given(asked=asks, answers=st.lists(values, min_size=60, max_size=60), tau_s=st.sampled_from([0.0, 0.05, 0.2]))
@settings(max_examples=100, deadline=None)
def test_follow_by_the_whole_drive(asked: list[float], answers: list[float], tau_s: float) -> None:
    keys = {"error": 1.0, "for_ms": 30, "tau_s": tau_s}
    rates = {"rate_up_per_s": 100, "rate_down_per_s": 100}
    made_ = document({"measured": "measured", "follow": keys, **rates}, reactions={"NOT_FOLLOWING": "DEGRADE"})
    made_["channels"]["a"]["degraded_scale"] = 0.999
    made_["sources"]["vehicle"]["needed"] = False
    drive = Drive(made_).engaged()
    frame, past, sent = drive.guard.frame, [], [0.0]
    for value, answer in zip(asked, answers, strict=False):
        drive.inputs["measured"] = answer
        sent.append(float(frame.st_sent[1]))
        model = 0.0  # the answer to all that was sent: each value with the weight that is left of it
        for k, was in enumerate(sent[1:], 1):
            share = 0.01 / (tau_s + 0.01)
            model += was * share * (1 - share) ** (len(sent) - 1 - k)
        low, high = min(model, sent[-1]), max(model, sent[-1])
        drive.tick(value)
        if not math.isnan(answer):
            error = max(low - answer, answer - high, 0.0)
            assert frame.st_follow_error[1] == pytest.approx(error, abs=1e-9)
            past.append((drive.now_ns, bool(frame.st_follow_error[1] > 1.0)))
        since = [at for k, (at, _) in enumerate(past) if all(bad for _, bad in past[k:])]
        assert fault(drive, Fault.NOT_FOLLOWING) is bool(since and drive.now_ns - since[0] > 30 * MS)


@given(asked=asks, keys=outliers)
@settings(max_examples=100, deadline=None)
def test_what_is_held_was_asked_before(asked: list[float], keys: dict[str, Any]) -> None:
    drive = Drive(document({"outlier": keys}))
    for k, value in enumerate(asked):
        before = float(drive.guard.frame.st_sent[1])
        drive.tick(value)
        assert drive.guard.frame.st_ask[1] in (*asked[: k + 1], before)


@given(
    keys=outliers,
    noise=st.lists(st.floats(-0.1, 0.1), min_size=9, max_size=20),
    glitch=st.lists(st.one_of(st.floats(2, 1e300), st.floats(-1e300, -2)), min_size=1, max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_a_burst_shorter_than_the_confirmation_never_gets_through(
    keys: dict[str, Any], noise: list[float], glitch: list[float]
) -> None:
    drive = Drive(document({"outlier": keys}))
    for value in [*noise, *glitch[: keys["confirm"] - 1], *noise]:
        drive.tick(value)
        assert abs(drive.guard.frame.st_ask[1]) <= 0.1


@given(keys=outliers, noise=st.lists(st.floats(-0.1, 0.1), min_size=9, max_size=20), level=st.floats(2, 5))
@settings(max_examples=100, deadline=None)
def test_a_real_step_gets_through_after_its_confirmation(
    keys: dict[str, Any], noise: list[float], level: float
) -> None:
    drive = Drive(document({"outlier": keys}))
    for value in noise:
        drive.tick(value)
    for k in range(keys["confirm"] + 3):
        drive.tick(level + noise[k])
        assert bool(drive.guard.frame.st_ask[1] == level + noise[k]) is (k + 1 >= keys["confirm"])


ALL = {
    "agree": pair(*NAMES, error=0.5, for_ms=20),
    "integrity": {
        "ekf": {"checks": [{"input": name, "max": 1.0} for name in NAMES], "count": 2, "for_ms": 20},
    },
    "stuck": {
        "row": {"input": "gnss_mps", "for_ms": 110, "only_while": [{"input": "wheel_mps", "min": 0.5}]},
    },
}
numbers = st.lists(st.tuples(grid, grid, grid), min_size=5, max_size=40)


def faults_of(sections: dict[str, Any], measured: list[tuple[float, ...]]) -> list[int]:
    drive, found = Drive(made(**sections)), []
    for given_ in measured:
        drive.inputs.update(zip(NAMES, given_, strict=True))
        drive.tick(0.0, dt_ns=PERIOD_NS)
        found.append(int(drive.guard.frame.out_faults))
    return found


@given(measured=numbers, lost=st.lists(st.sets(st.integers(0, 2)), min_size=40, max_size=40))
@settings(max_examples=100, deadline=None)
def test_what_is_not_a_number_never_takes_a_fault_away(measured: list[tuple[float, ...]], lost: list[set[int]]) -> None:
    holed = [
        tuple(math.nan if k in gone else value for k, value in enumerate(given_))
        for given_, gone in zip(measured, lost, strict=False)
    ]
    for whole, less in zip(faults_of(ALL, measured), faults_of(ALL, holed), strict=True):
        assert whole & ~less == 0


@given(measured=rows, gone=st.sampled_from(sorted(ALL)))
@settings(max_examples=60, deadline=None)
def test_one_check_more_never_takes_a_fault_away(measured: list[tuple[float, ...]], gone: str) -> None:
    fewer = {key: part for key, part in ALL.items() if key != gone}
    for more, less in zip(faults_of(ALL, measured), faults_of(fewer, measured), strict=True):
        assert less & ~more == 0
