"""Parts of the core against slow versions of the same rule, written another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safetykit.core.vocabulary import State
from tests.drive import PERIOD_NS, Drive, document
from tests.unit.core.test_functions import field

asks = st.lists(st.floats(-8, 8), min_size=5, max_size=40)
steps_ms = st.lists(st.integers(1, 40), min_size=40, max_size=40)


@given(asks=asks, steps=steps_ms, up=st.floats(5, 200), down=st.floats(5, 200))
@settings(max_examples=80, deadline=None)
def test_bounds_and_rates(asks: list[float], steps: list[int], up: float, down: float) -> None:
    drive = Drive(document({"rate_up_per_s": up, "rate_down_per_s": down})).engaged()
    last = 0.0
    for asked, step_ms in zip(asks, steps, strict=False):
        dt = step_ms * 1e-3
        want = max(-5.0, min(5.0, asked))
        last = last + max(-down * dt, min(up * dt, want - last))
        sent = drive.tick(asked, dt_ns=step_ms * 1_000_000).sent["a"]
        assert sent == pytest.approx(last, abs=1e-9)
        last = sent


@given(asks=asks, steps=steps_ms)
@settings(max_examples=80, deadline=None)
def test_rates_by_distance_from_zero(asks: list[float], steps: list[int]) -> None:
    """By a thousand small steps instead of a formula."""
    made = document({"rate_away_from_zero_per_s": 20, "rate_towards_zero_per_s": 60})
    drive = Drive(made).engaged()
    for asked, step_ms in zip(asks, steps, strict=False):
        at, want, pieces = float(drive.guard.frame.st_sent[1]), max(-5.0, min(5.0, asked)), 1000
        for _ in range(pieces):
            leaving = at == 0 or (want > at) == (at > 0)
            most = (20 if leaving else 60) * step_ms * 1e-3 / pieces
            at += max(-most, min(most, want - at))
        assert drive.tick(asked, dt_ns=step_ms * 1_000_000).sent["a"] == pytest.approx(at, abs=0.005)


@given(asks=asks, steps=steps_ms, delta=st.floats(1.5, 4), window_ms=st.integers(50, 300))
@settings(max_examples=80, deadline=None)
def test_slew_over_every_window(asks: list[float], steps: list[int], delta: float, window_ms: int) -> None:
    """All pairs of a held signal, sampled every millisecond."""
    drive = Drive(document({"slew": {"delta": delta, "window_ms": window_ms}})).engaged()
    signal = [0.0] * window_ms
    for asked, step_ms in zip(asks, steps, strict=False):
        held = float(drive.guard.frame.st_sent[1])
        signal += [held] * (step_ms - 1) + [drive.tick(asked, dt_ns=step_ms * 1_000_000).sent["a"]]
    values = np.array(signal)
    for k in range(len(values) - window_ms):
        part = values[k : k + window_ms + 1]
        assert part.max() - part.min() <= delta + 1e-9


@given(measured=st.lists(st.floats(-4, 4), min_size=3, max_size=30), samples=st.integers(1, 16))
@settings(max_examples=80, deadline=None)
def test_lead_over_recent_samples(measured: list[float], samples: int) -> None:
    lead = {"error": 0.5, "samples": samples, "towards_zero_free": False}
    rates = {"rate_up_per_s": 1000, "rate_down_per_s": 1000}
    drive = Drive(document({"measured": "measured", "lead": lead, **rates})).engaged()
    heard = [0.0] * 16
    for value in measured:
        heard.append(value)
        drive.inputs["measured"] = value
        sent = drive.tick(5.0).sent["a"]
        assert sent == pytest.approx(max(heard[-samples:]) + 0.5)


@given(points=st.lists(st.tuples(st.floats(-3, 13), st.floats(-3, 13)), min_size=1, max_size=20), data=st.data())
@settings(max_examples=60, deadline=None)
def test_zones_by_winding_number(points: list[tuple[float, float]], data: st.DataObject) -> None:
    """Sum of the angles under which the edges are seen: a full turn inside, none outside."""
    corners = sorted(
        data.draw(st.lists(st.integers(0, 35), min_size=3, max_size=12, unique=True)),
    )
    radii = data.draw(st.lists(st.floats(2, 6), min_size=len(corners), max_size=len(corners)))
    star = [
        [5 + r * math.cos(math.radians(10 * a)), 5 + r * math.sin(math.radians(10 * a))]
        for a, r in zip(corners, radii, strict=True)
    ]
    gaps = np.diff([*corners, corners[0] + 36])
    if gaps.max() >= 18:
        return  # the centre would not see all edges: not a star, may cross itself
    drive = Drive(field({"pad": {"rule": "condition", "corners_m": star, "floor_m": -1, "ceiling_m": 1}}))
    for x, y in points:
        edges = np.array(star) - [x, y]
        turned = np.append(edges[1:], edges[:1], axis=0)
        cross = edges[:, 0] * turned[:, 1] - edges[:, 1] * turned[:, 0]
        if np.abs(cross).min() < 1e-6:
            continue  # on an edge either answer is right
        angle = np.arctan2(cross, (edges * turned).sum(1)).sum()
        drive.inputs.update(x_m=x, y_m=y, z_m=0.0)
        drive.tick(0.0)
        assert bool(drive.guard.frame.st_zones & 1) == bool(abs(angle) > math.pi)


@given(gaps=st.lists(st.integers(1, 9), min_size=5, max_size=40), count=st.integers(2, 8), window=st.integers(3, 40))
@settings(max_examples=80, deadline=None)
def test_breaker_by_keeping_every_violation(gaps: list[int], count: int, window: int) -> None:
    breakers = {"b": {"faults": ["BOUND"], "count": count, "window_ms": window * 10, "action": "PROTECTIVE_STOP"}}
    if (count - 1) > window:
        return  # could never fire: the policy would be refused
    drive = Drive(document(breakers=breakers)).engaged()
    seen: list[int] = []
    for gap in gaps:
        for _ in range(gap - 1):
            drive.tick(0.0)
        seen.append(drive.now_ns + PERIOD_NS)
        state = drive.tick(9.0).state
        trips = sum(at >= seen[-1] - window * PERIOD_NS for at in seen) >= count
        assert (state is State.PROTECTIVE_STOP) is trips
        if trips:
            return
