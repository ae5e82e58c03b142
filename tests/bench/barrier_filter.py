"""Cost of one call of the barrier filter, against cbfpy on the same task.

A drone in a box, with two balls in its way: six flat walls and two round ones, double integrator, accelerations. cbfpy
differentiates the same eight barriers (relative degree 2) and solves the same quadratic programme with qpax, compiled
by jax, in 64 bits.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from safetykit.core import barrier, planes, projection, walls
from safetykit.core.columns.motion import ACTIVE_COLS, PLANE_COLS
from safetykit.core.jit import jit
from safetykit.core.layout import new_frames
from safetykit.core.walls import ACTIVE_MAX
from safetykit.policy import parse_policy
from tests.bench.measure import Row, Section, nanoseconds_each
from tests.filter_loop import drone

STATES = 256  # a power of two
HALF_M, BALL_M, SPEED_MPS = 10.0, 2.0, 4.0
BALLS = ((4.0, 1.0, 0.0), (-4.0, -1.0, 2.0))
AUTHORITY_MPS2 = 5.0
TIMES_FASTER = 100
CALLS = 2_000
_CBF_CALLS = 20


def states() -> tuple[Any, Any]:
    """((STATES, 6), (STATES, 3)): places and velocities, and accelerations asked for; most of them must be changed."""
    rng = np.random.default_rng(4)
    made: list[Any] = []
    while len(made) < STATES:
        place = rng.uniform(-9, 9, 3)
        if min(np.linalg.norm(place - ball) for ball in BALLS) > BALL_M + 1:
            made.append(np.concatenate([place, rng.normal(size=3) * SPEED_MPS]))
    return np.array(made), rng.uniform(-5, 5, (STATES, 3))


@jit
def push_walls(frame: Any, state: Any) -> None:
    """The eight walls that the vehicle sees."""
    walls.clear(frame)
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = sign if axis == 0 else 0.0, sign if axis == 1 else 0.0, sign if axis == 2 else 0.0
            walls.push(frame, 1000, normal, HALF_M - sign * state[axis], 0.0, 0.0)
    for x, y, z in BALLS:
        off = x - state[0], y - state[1], z - state[2]
        distance = planes.length(off)
        normal = off[0] / distance, off[1] / distance, off[2] / distance
        walls.push(frame, 2000, normal, distance - BALL_M, 0.0, 0.0)


@jit
def filter_calls(limits: Any, timing: Any, frame: Any, at: Any, asks: Any, count: int) -> None:
    """Walls, and the filter."""
    for k in range(count):
        row = k & (STATES - 1)
        push_walls(frame, at[row])
        for axis in range(3):
            frame.in_value[axis + 1] = at[row, 3 + axis]
            frame.out_sent[axis + 1] = asks[row, axis]
        barrier.protect(limits, timing, frame, 0.01)


@jit
def project_calls(rows: Any, active: Any, asks: Any, count: int) -> float:
    """The projection alone."""
    total, side = 0.0, (AUTHORITY_MPS2, AUTHORITY_MPS2, AUTHORITY_MPS2)
    low = (-AUTHORITY_MPS2, -AUTHORITY_MPS2, -AUTHORITY_MPS2)
    for k in range(count):
        row = k & (STATES - 1)
        wanted = asks[row, 0], asks[row, 1], asks[row, 2]
        total += projection.project(rows, 8, low, side, wanted, active)[1]
    return total


def prepared() -> tuple[Any, Any]:
    """(policy, frame) of the drone, everything valid, nothing but the filter's own limits in its way."""
    policy = parse_policy(drone("mps2", latency_ms=200, ceiling_m=None, tilt_rad_max=1.2))
    frame = new_frames()
    frame["st_valid"] = (1 << len(policy.inputs)) - 1
    frame["st_reach_lo"], frame["st_reach_hi"] = -AUTHORITY_MPS2, AUTHORITY_MPS2
    return policy, frame[0]


def filter_ns(at: Any, asks: Any) -> float:
    """Nanoseconds per call, the making of the walls included."""
    policy, frame = prepared()
    return nanoseconds_each(
        lambda count: filter_calls(policy.limits, policy.timing, frame, at, asks, count), CALLS, repeats=31
    )


def changed_share(at: Any, asks: Any) -> float:
    """Share of the commands that the filter changes."""
    policy, frame = prepared()
    changed = 0
    for state, ask in zip(at, asks, strict=True):
        push_walls(frame, state)
        frame["in_value"][1:4], frame["out_sent"][1:4] = state[3:], ask
        changed += barrier.protect(policy.limits, policy.timing, frame, 0.01) != 0
    return changed / len(at)


def projection_ns(asks: Any) -> float:
    """Nanoseconds per projection on eight planes in general position."""
    rng = np.random.default_rng(5)
    rows = np.zeros((8, PLANE_COLS))
    rows[:, :3] = rng.normal(size=(8, 3))
    rows[:, :3] /= np.linalg.norm(rows[:, :3], axis=1)[:, None]
    rows[:, 3] = rng.uniform(0.5, 2, 8)
    active = np.zeros((ACTIVE_MAX, ACTIVE_COLS))
    return nanoseconds_each(lambda count: project_calls(rows, active, asks, count), CALLS, repeats=31)


def cbfpy_calls() -> Callable[[Any, Any], Any]:
    """cbfpy's safety filter for the same task."""
    os.environ.update(JAX_ENABLE_X64="1", JAX_PLATFORMS="cpu", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jax.numpy as jnp
        from cbfpy import CBF, CBFConfig

    class Drone(CBFConfig):  # type: ignore[misc]
        """Double integrator."""

        def __init__(self) -> None:
            limit = np.full(3, AUTHORITY_MPS2)
            super().__init__(n=6, m=3, relax_qp=False, backend="qpax", u_min=-limit, u_max=limit)

        def f(self, z: Any, *args: Any, **kwargs: Any) -> Any:
            return jnp.concatenate([z[3:], jnp.zeros(3)])

        def g(self, z: Any, *args: Any, **kwargs: Any) -> Any:
            return jnp.concatenate([jnp.zeros((3, 3)), jnp.eye(3)])

        def h_2(self, z: Any, *args: Any, **kwargs: Any) -> Any:
            round_ones = jnp.array([jnp.linalg.norm(z[:3] - jnp.array(ball)) - BALL_M for ball in BALLS])
            return jnp.concatenate([HALF_M - z[:3], HALF_M + z[:3], round_ones])

    cbf = CBF.from_config(Drone())
    return lambda z, u: cbf.safety_filter(z, u).block_until_ready()


def cbfpy_ns(at: Any, asks: Any) -> float:
    """Nanoseconds per call from Python, as its users call it."""
    safety_filter = cbfpy_calls()

    def calls(count: int) -> None:
        for k in range(count):
            safety_filter(at[k & (STATES - 1)], asks[k & (STATES - 1)])

    return nanoseconds_each(calls, _CBF_CALLS, repeats=31)


def run() -> list[Section]:
    """One table."""
    at, asks = states()
    reference = cbfpy_ns(at, asks) / 1000
    whole, alone = filter_ns(at, asks) / 1000, projection_ns(asks) / 1000
    rows = (
        Row("barrier filter, eight walls made and kept", whole, "µs", reference, f">= {TIMES_FASTER} times faster",
            reference / whole >= TIMES_FASTER),
        Row("projection on eight planes alone", alone, "µs", reference),
    )  # fmt: skip
    changed = changed_share(at, asks)
    note = (
        f"{reference / whole:.0f} times as fast. Both solve a quadratic programme; the barriers differ in "
        f"form, cbfpy has no latency and no set-points. {changed:.0%} of the commands had to be changed. cbfpy is "
        "called from Python, which is how it is used; the filter runs within the compiled tick."
    )
    return [Section("Barrier filter", "one call of `cbfpy.CBF.safety_filter` for the same eight barriers", rows, note)]
