"""The demo's judge must see what it is there to see. Its limits come from the preset's own text."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import pytest
from numpy.typing import NDArray

from safetykit.policy import load_policy
from sim.demo.judge import Allowed, judge, read_allowed, strays

PERIOD_S = 0.01
FloatArray = NDArray[np.float64]


@pytest.fixture(scope="module")
def allowed() -> Allowed:
    with as_file(files("safetykit.policy") / "presets" / "quadrotor.yaml") as path:
        return read_allowed(path)


def record(values: FloatArray) -> FloatArray:
    """A record of values that arrive every period, exactly on time."""
    times_s = 100.0 + PERIOD_S * np.arange(len(values))
    return np.column_stack([times_s, times_s, values])


def calm(messages: int = 300) -> FloatArray:
    return np.zeros((messages, 4))


def test_limits_are_those_of_the_preset(allowed: Allowed) -> None:
    assert allowed.channels == load_policy("quadrotor").channels
    assert allowed.low.tolist() == [-5, -5, -1.5, -0.785]
    assert allowed.high.tolist() == [5, 5, 3, 0.785]
    assert allowed.rate_up.tolist() == [5, 5, 4, 1.57]
    assert allowed.rate_down.tolist() == [5, 5, 3, 1.57]
    assert allowed.norms == (("horizontal_velocity", (0, 1), 5.0),)


def test_calm_record_is_clean(allowed: Allowed) -> None:
    verdict = judge(record(calm()), allowed)
    assert verdict.escapes == ()
    assert verdict.messages == 300


def test_ramp_at_exactly_the_rate_is_clean(allowed: Allowed) -> None:
    values = calm(100)
    values[:, 0] = np.minimum(5.0 * PERIOD_S * np.arange(100), 4.9)
    verdict = judge(record(values), allowed)
    assert verdict.escapes == ()
    assert verdict.rate_share == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_seen(allowed: Allowed, bad: float) -> None:
    values = calm()
    values[150, 2] = bad
    verdict = judge(record(values), allowed)
    assert verdict.nonfinite == 1
    assert "1 messages with NaN or infinity" in verdict.escapes


@pytest.mark.parametrize(("channel", "value"), [(0, 5.001), (0, -5.001), (2, 3.001), (2, -1.501), (3, 0.786)])
def test_value_beyond_a_bound_is_seen(allowed: Allowed, channel: int, value: float) -> None:
    values = calm()
    values[:, channel] = value  # constant: only the bound is broken
    escapes = judge(record(values), allowed).escapes
    assert any(text.startswith(f"{allowed.channels[channel]} reached") for text in escapes)


def test_norm_beyond_its_bound_is_seen(allowed: Allowed) -> None:
    values = calm()
    values[:, :2] = 3.6  # each axis inside, the vector outside
    assert [text for text in judge(record(values), allowed).escapes if "norm horizontal_velocity" in text]


def test_step_faster_than_the_rate_is_seen(allowed: Allowed) -> None:
    values = calm()
    values[150:, 1] = 5.0 * PERIOD_S * 1.01
    escapes = judge(record(values), allowed).escapes
    assert any("by the guard's stamps" in text for text in escapes)


def test_steady_climb_above_the_rate_is_seen_by_arrival_alone(allowed: Allowed) -> None:
    """A guard that lies about its stamps is still caught."""
    values = calm(120)
    values[:, 0] = np.linspace(-4.9, 4.9, 120)  # 9.8 m/s within 1.2 s: 8.2 m/s^2
    rows = record(values)
    rows[:, 1] = rows[0, 1] + 10 * (rows[:, 1] - rows[0, 1])
    escapes = judge(rows, allowed).escapes
    assert escapes
    assert all("by arrival" in text for text in escapes)


def test_time_that_runs_backwards_is_seen(allowed: Allowed) -> None:
    rows = record(calm())
    rows[200:, 1] -= 5.0
    assert any("backwards" in text for text in judge(rows, allowed).escapes)


def asks(values: FloatArray) -> FloatArray:
    """Healthy asks at the times of a record, and of the second before it."""
    rows = record(values)
    before = np.repeat(rows[:1], 100, axis=0)
    before[:, 0] -= np.arange(100, 0, -1) * PERIOD_S
    return np.vstack([before, rows])[:, [0, 2, 3, 4, 5]]


def test_what_follows_the_healthy_asks_late_is_no_stray() -> None:
    wave = calm()
    wave[:, 0] = 3.0 * np.sin(np.arange(300) * PERIOD_S)
    late = np.vstack([wave[:1].repeat(20, axis=0), wave[:-20]])
    assert strays(record(late), asks(wave)) == []


@pytest.mark.parametrize("size", [2e-6, -0.002, np.nan])
def test_a_vehicle_that_a_glitch_moves_at_all_is_seen(size: float) -> None:
    values = calm()
    values[150, 2] = size
    assert any(text.startswith("channel 2 was moved") for text in strays(record(values), asks(calm())))


def test_without_healthy_asks_nothing_is_proven() -> None:
    assert strays(record(calm()), np.zeros((0, 5))) == ["no healthy ask to compare with"]
