"""Any mutation of a preset either loads or is a PolicyError; nothing else may ever come out."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from safetykit.core import layout as at
from safetykit.core.step import start, step
from safetykit.core.vocabulary import Action, Fault
from safetykit.errors import PolicyError
from safetykit.policy import PRESETS, Policy, parse_policy
from safetykit.policy.yaml_text import read_yaml
from tests.unit.policy.edits import plain

NUMBERS = st.one_of(
    st.floats(),
    st.integers(),
    st.sampled_from([0, -0.0, 1, -1, 5e-324, 1e-300, 1e308, 10**400, math.nan, math.inf, 1e9, 0.5, 10, 100]),
)
NAMES = st.sampled_from(
    [
        "vx_mps",
        "speed_mps",
        "altitude_m",
        "engage",
        "home",
        "all",
        "never",
        "always",
        "BOUND",
        "ZONE",
        "RECOVER",
        "",
        "x",
    ]
)
LEAVES = st.one_of(NUMBERS, NAMES, st.booleans(), st.none(), st.text(max_size=8))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


def containers(node: Any) -> list[Any]:
    found = [node] if isinstance(node, dict | list) and node else []
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    for child in children:
        found += containers(child)
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A preset with one to four places changed, removed, swapped or copied elsewhere."""
    document = plain(draw(st.sampled_from(PRESETS)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        places = containers(document)
        if not places:
            break
        place = places[draw(st.integers(0, len(places) - 1))]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[draw(st.integers(0, len(keys) - 1))]
        what = draw(st.sampled_from(["set", "number", "remove", "rename", "copy", "scale", "scale", "scale"]))
        if what == "remove":
            del place[key]
        elif what == "number":
            place[key] = draw(NUMBERS)
        elif what == "scale" and isinstance(place[key], int | float) and not isinstance(place[key], bool):
            place[key] = place[key] * draw(st.sampled_from([-1, 0, 0.5, 2, 10, 100, 0.001]))
        elif what == "rename" and isinstance(place, dict):
            place[draw(NAMES)] = place.pop(key)
        elif what == "copy":
            other = places[draw(st.integers(0, len(places) - 1))]
            place[key] = copy.deepcopy(other)
        else:
            place[key] = draw(VALUES)
    return document


def sane(policy: Policy) -> None:
    """What the core relies on."""
    limits, timing = policy.limits, policy.timing
    assert np.isfinite(limits).all()
    for c in range(len(policy.channels)):
        row = at.L_CHANNEL + c * at.CH_COLS
        low, high = limits[row + at.LO], limits[row + at.HI]
        assert limits[row + at.HARD_LO] <= low <= high <= limits[row + at.HARD_HI]
        for column in (at.NEUTRAL, at.STOP, at.EMERGENCY):
            assert low <= limits[row + column] <= high
        assert (limits[row + at.RATE_UP : row + at.JERK + 1] > 0).all()
        for phase in range(len(policy.document.recovery)):
            assert limits[row + at.HARD_LO] <= limits[at.L_PHASE + phase * 32 + c] <= limits[row + at.HARD_HI] or (
                timing[at.T_PHASE + phase * at.PHASE_COLS + at.PHASE_HOLD] >> c & 1
            )
    emergency = int(timing[at.T_ACTION + Action.EMERGENCY_STOP])
    assert emergency >> Fault.STOP_BUTTON & 1
    assert emergency >> Fault.INTERNAL & 1
    assert not int(timing[at.T_ACTION + Action.PASS]) >> Fault.COMMAND_STALE & 1
    assert timing[at.PERIOD_NS] < timing[at.COMMAND_LATE_NS] < timing[at.COMMAND_STALE_NS]


def loaded(document: Any) -> Policy | PolicyError:
    try:
        return parse_policy(document)
    except PolicyError as error:
        return error


def driven(policy: Policy) -> None:
    """A second of ticks with wild values: what is sent stays finite and inside the hard bounds."""
    chance = np.random.default_rng(1)
    frames = at.new_frames(1)
    frame = frames.view(np.recarray)[0]
    start(policy.limits, policy.timing, frame)
    rows = [at.L_CHANNEL + c * at.CH_COLS for c in range(len(policy.channels))]
    low = np.array([policy.limits[row + at.HARD_LO] for row in rows])
    high = np.array([policy.limits[row + at.HARD_HI] for row in rows])
    for tick in range(100):
        now_ns = 10**9 + tick * policy.period_ns
        frame.in_now_ns, frame.in_selftest_ok = now_ns, 1
        frame.in_command_status[0], frame.in_command_published[0], frame.in_command_seq[0] = (
            at.STATUS_OK,
            tick + 1,
            tick + 1,
        )
        frame.in_command_stamp_ns[0], frame.in_command_count[0] = now_ns, len(rows)
        frame.in_ask[0] = chance.normal(0, 10.0 ** chance.integers(-2, 3), frame.in_ask.shape[1])
        frame.in_source_status[:] = at.STATUS_OK
        frame.in_source_stamp_ns[:] = now_ns
        frame.in_value[:] = chance.normal(0, 1) if tick % 7 == 0 else 0.0
        for name in policy.inputs:
            if name == "engage":
                frame.in_value[policy.input_index(name)] = float(tick > 3)
        step(policy.limits, policy.timing, frame)
        sent = frames["out_sent"][0, : len(rows)]
        assert np.isfinite(sent).all()
        assert (low <= sent).all()
        assert (sent <= high).all()


def explained(error: PolicyError) -> None:
    assert error.problems
    assert all(problem.message for problem in error.problems)
    assert str(error)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_mutations_load_or_are_refused(document: dict[str, Any]) -> None:
    result = loaded(document)
    if isinstance(result, PolicyError):
        explained(result)
    else:
        sane(result)
        driven(result)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_anything_is_refused(document: Any) -> None:
    result = loaded(document)
    assert isinstance(result, PolicyError)
    explained(result)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}&*!#|>%@\"'\n\t ,?0.1e", max_size=60).map(str.encode))
)
@example(b"? ? a\n")
@example(b"a: 0x\n")
@example(b"a: 2001-01-01\n")
@example(b"a: 0o9\nb: 1_000\nc: 1e999\nd: .inf\n")
@example(b"<<: {a: 1}\n")
@example(b"a: |\n  b\n c\n")
@example(b"\xef\xbb\xbfname: x\n")
def test_any_bytes_are_read_or_reported(raw: bytes) -> None:
    text = read_yaml(raw, "f.yaml")
    assert text.data is not None or text.problems
