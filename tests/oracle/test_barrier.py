"""The barrier filter against a slow version: the same barriers written with numpy, solved by SLSQP."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from safetykit.core.vocabulary import Fault
from tests.filter_loop import Loop, Wall, car, drone

pytestmark = pytest.mark.core
INFEASIBLE = 1 << Fault.INFEASIBLE
DT = 0.01
G = 9.80665
Rows = list[tuple[np.ndarray, float]]  # normal . u <= bound


def closing_bound(m: dict[str, Any], closing: float, gap: float, at_wall: float, lead: float) -> float:
    """-b, or gamma (c_max - c) + d c_max / dt with the gap shrinking at the closing speed."""
    b = m["brake_mps2"]

    def most(distance: float) -> float:
        return max(math.sqrt((b * lead) ** 2 + at_wall**2 + 2 * b * max(distance, 0)) - b * lead, at_wall)

    step = 1e-6
    slope = 0.0
    if closing > 0 and (gap > 0 or at_wall == 0):
        gap_there = max(gap, 0.0)
        slope = (most(gap_there + step) - most(gap_there)) / step * closing
    return max(m["gain_per_s"] * (most(gap) - closing) - slope, -b)


def nearest(rows: Rows, lo: Any, hi: Any, wanted: Any, balls: Any = ()) -> np.ndarray | None:
    """Projection by SLSQP; None if it finds no feasible point."""
    limits = [{"type": "ineq", "fun": lambda u, n=n, b=b: b - n @ u} for n, b in rows]
    limits += [{"type": "ineq", "fun": ball} for ball in balls]
    free = np.array(hi) - np.array(lo) > 0
    scale = max(float(np.max(np.array(hi) - np.array(lo))), 1e-9)
    start = np.clip(wanted, lo, hi)
    found = minimize(
        lambda u: float(np.sum(((u - wanted) / scale) ** 2)),
        start,
        bounds=list(zip(lo, hi, strict=True)),
        constraints=[
            {"type": "ineq", "fun": lambda u, f=limit["fun"]: f(np.where(free, u, start)) / scale} for limit in limits
        ],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 200},
    )
    if not found.success or any(limit["fun"](found.x) < -1e-6 * (1 + scale) for limit in limits):
        return None
    return np.asarray(found.x)


def some_walls(rng: np.random.Generator, flat: bool, count: int) -> list[Wall]:
    made = []
    for k in range(count):
        n = rng.normal(size=3) * [1, 1, 0 if flat else 1]
        n /= np.linalg.norm(n)
        gap = float(rng.choice([rng.uniform(0, 3), rng.uniform(0, 20), rng.uniform(-1, 0), 0.0]))
        speed = float(rng.choice([0.0, 0.0, rng.uniform(0.5, 5)]))
        made.append((2000 + k, (float(n[0]), float(n[1]), float(n[2])), gap, speed, float(rng.uniform(-1, 2))))
    return made


def on_the_way(m: dict[str, Any], n: np.ndarray, sent: np.ndarray, lo: np.ndarray, hi: np.ndarray) -> float:
    """By trying: the last of many points on the way to full braking that lies in the box."""
    shares = np.linspace(0, 1, 20_001)[:, None]
    points = sent + shares * (-m["brake_mps2"] * n - sent)
    inside = np.flatnonzero(((points >= lo - 1e-9) & (points <= hi + 1e-9)).all(axis=1))
    return float(n @ points[inside[-1]])


def drone_expected(loop: Loop, made: Any, v: Any, sent: Any, around: list[Wall], way: Any) -> np.ndarray | None:
    m, by_velocity = made["motion"], "response_s" in made["motion"]
    wanted, frame = np.array(loop.wanted), loop.frame
    reach = [(float(frame.st_reach_lo[c]), float(frame.st_reach_hi[c])) for c in loop.steered]
    a = m["accel_mps2_max"]
    centre, size = (sent, a * DT) if by_velocity else (np.zeros(3), a)
    lo = np.minimum(wanted, np.maximum([low for low, _ in reach], centre - size))
    hi = np.maximum(wanted, np.minimum([high for _, high in reach], centre + size))
    rows: Rows = []
    for _, normal, gap, at_wall, approach in around:
        n, nearing = np.array(normal), max(approach, 0.0) + m.get("wind_mps", 0.0)
        latency = m["latency_ms"] / 1000
        if by_velocity:
            hidden = max(0.0, float(np.max((way["now"] - way["then"]) @ n))) + nearing * latency
            used = m["response_s"] * max(float(n @ v) + nearing, 0.0) + hidden
            bound = closing_bound(m, float(n @ sent) + nearing, gap - used, at_wall, latency / 2)
            rows.append((n, float(n @ sent) + DT * bound))
        else:
            closing = float(n @ v) + max(float(n @ sent), 0.0) * latency + nearing
            bound = closing_bound(m, closing, gap, at_wall, latency)
            rows.append((n, max(bound, on_the_way(m, n, sent, lo, hi)) if bound < n @ sent else bound))
    balls = []
    if "speed_mps_max" in m and by_velocity:
        radius = max(m["speed_mps_max"], float(np.linalg.norm(sent)) - m["brake_mps2"] * DT)
        balls.append(lambda u: radius - float(np.linalg.norm(u)))
    if "speed_mps_max" in m and not by_velocity:
        soon = v + sent * m["latency_ms"] / 1000
        speed = max(float(np.linalg.norm(v)), float(np.linalg.norm(soon)))
        bound = max(m["gain_per_s"] * (m["speed_mps_max"] - speed), -m["brake_mps2"])
        for way in (v, soon):
            n = way / np.linalg.norm(way)
            rows.append((n, max(bound, on_the_way(m, n, sent, lo, hi)) if bound < n @ sent else bound))
    if "tilt_rad_max" in m:
        level, lift = (v, G * m["response_s"]) if by_velocity else (np.zeros(3), G)
        k = math.tan(m["tilt_rad_max"])

        def over(u: Any) -> float:
            return math.hypot(u[0] - level[0], u[1] - level[1]) - k * (lift + u[2] - level[2])

        extra = max(over(sent), 0.0)
        balls.append(lambda u: extra - over(u))
    return nearest(rows, lo, hi, wanted, balls)


@pytest.mark.parametrize("by", ["mps", "mps2"])
@pytest.mark.parametrize("round_limits", [False, True])
def test_drones(by: str, round_limits: bool) -> None:
    more = {"speed_mps_max": 7, "tilt_rad_max": 0.32} if round_limits else {}
    made = drone(by, wind_mps=0.5, **more)
    loop, rng, compared = Loop(made), np.random.default_rng(7), 0
    for _ in range(120):
        v = rng.normal(size=3) * 3
        sent = v + rng.normal(size=3) * 0.5 if by == "mps" else rng.normal(size=3)
        loop.frame.st_way_then_m[:] = rng.normal(size=(8, 3)) * 0.3
        loop.frame.st_way_m[:] = rng.normal(size=3) * 0.3
        loop.frame.st_way_mark_s = 0.0
        loop.sent_before(sent)
        loop.measure(vx_mps=v[0], vy_mps=v[1], vz_mps=v[2])
        around = some_walls(rng, False, int(rng.integers(0, 7)))
        faults = loop.tick(rng.normal(size=3) * 8, around)
        way = {"now": np.array(loop.frame.st_way_m), "then": np.array(loop.frame.st_way_then_m)}
        expected = drone_expected(loop, made, v, sent, around, way)
        if expected is None or faults & INFEASIBLE:
            continue
        compared += 1
        assert loop.out == pytest.approx(expected.tolist(), abs=2e-5 if by == "mps" else 2e-3), (around, v, sent)
    assert compared > 60


@pytest.mark.parametrize("by", ["mps", "mps2"])
def test_cars(by: str) -> None:
    made = car(by)
    m, rng, compared = made["motion"], np.random.default_rng(8), 0
    loop = Loop(made)
    b, latency, gain = m["brake_mps2"], m["latency_ms"] / 1000, m["gain_per_s"]
    tau = m.get("response_s", 0.0)
    for _ in range(120):
        v, heading = float(rng.uniform(0.5, 20)), float(rng.uniform(-3, 3))
        sent = [v + rng.normal() * 0.3 if by == "mps" else rng.normal(), rng.normal() * 0.02]
        loop.frame.st_way_m[:] = loop.frame.st_way_then_m[:] = 0.0
        loop.frame.st_way_mark_s = 0.0
        loop.sent_before(sent)
        loop.measure(v_mps=v, heading_rad=heading)
        around = [
            (of, n, gap * 4, 0.0, max(e, 0.0)) for of, n, gap, _, e in some_walls(rng, True, int(rng.integers(1, 6)))
        ]
        ask = [rng.normal() * 20 if by == "mps" else rng.normal() * 4, rng.normal() * 0.05]
        faults = loop.tick(ask, around)
        scale = max(v, 1.0) ** 2
        speed = abs(sent[0]) if by == "mps" else v + max(sent[0], 0) * latency
        lead = latency / 2 if by == "mps" else latency
        run = max(0.0, float(loop.frame.st_way_m[0]))
        rows: Rows = []
        lo, hi = box(loop, by, sent[0], scale, m["accel_mps2_max"])
        for _, normal, gap, _, e in around:
            n = np.array(normal[:2])
            t, left = (
                np.array([math.cos(heading), math.sin(heading)]),
                np.array([-math.sin(heading), math.cos(heading)]),
            )
            soon = min(float(n @ t) + max(float(n @ left) * sent[1] * v * latency, 0.0), 1.0)
            if soon <= 0:
                most = math.sqrt((b * lead) ** 2 + 2 * b * max(gap, 0)) - b * lead
                rows.append((np.array([n @ t, (n @ left) * v * v / scale]), max(0.0, gain * (most - (n @ t) * speed))))
                continue

            step = 1e-6  # of the set-point or speed: partial derivatives by differences
            lag = tau * v * (by == "mps") + run

            def way_of(s: float, lag: float = lag, lead: float = lead) -> float:
                return lag + s * lead + s * s / (2 * b)

            def barrier(s: float, toward: float, gap: float = gap, e: float = e, way: Any = way_of) -> float:
                return float(gap - toward * way(s) - e * (latency + tau + s / b))

            by_speed = (barrier(speed + step, soon) - barrier(speed - step, soon)) / (2 * step)
            by_turn = -way_of(speed) * float(n @ left) * v
            h = barrier(speed, soon)
            bound = gain * h - soon * speed - e
            floor = by_speed * min(b, speed / latency)
            row, bound = np.array([-by_speed, -by_turn / scale]), max(bound, floor)
            rows.append((row, max(bound, float(np.sum(np.minimum(row * lo, row * hi))))))
        wanted = np.array([loop.wanted[0] if by == "mps2" else (loop.wanted[0] - sent[0]) / DT, loop.wanted[1] * scale])
        expected = nearest(rows, lo, hi, wanted)
        if expected is None or faults & INFEASIBLE:
            continue
        compared += 1
        along = expected[0] if by == "mps2" else sent[0] + expected[0] * DT
        assert loop.out == pytest.approx([along, expected[1] / scale], abs=3e-3), (around, v, heading)
    assert compared > 60


def box(loop: Loop, by: str, sent: float, scale: float, authority: float) -> tuple[np.ndarray, np.ndarray]:
    """What the envelope leaves, in accelerations."""
    frame, (along, steer) = loop.frame, loop.steered
    low, high, ask = float(frame.st_reach_lo[along]), float(frame.st_reach_hi[along]), loop.wanted[0]
    if by == "mps":
        low, high, ask = (low - sent) / DT, (high - sent) / DT, (ask - sent) / DT
    right, left = scale * float(frame.st_reach_lo[steer]), scale * float(frame.st_reach_hi[steer])
    turn = loop.wanted[1] * scale
    lo = [min(ask, max(low, -authority)), min(turn, max(right, -authority))]
    hi = [max(ask, min(high, authority)), max(turn, min(left, authority))]
    return np.array(lo), np.array(hi)
