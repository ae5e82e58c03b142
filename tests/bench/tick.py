"""Cost of one tick in compiled code, and of `Guard.step` called from Python."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.core import layout
from safetykit.core.jit import jit
from safetykit.core.layout import (
    CHANNEL_COUNT,
    CHI_COLS,
    INPUT_COUNT,
    MEASURED,
    PERIOD_NS,
    SOURCE_COUNT,
    STATUS_OK,
    T_CHANNEL,
)
from safetykit.core.step import start, step
from safetykit.core.vocabulary import State
from safetykit.policy import Policy, load_policy
from safetykit.runtime.clock import new_timespec, now_ns
from safetykit.runtime.guard import Guard
from tests.bench.measure import REPEATS, Row, Section, nanoseconds_each

TICKS = 2_000
ASKS = 1024  # rows of prepared commands; a power of two
HERE = Path(__file__).resolve().parent

# Inputs that are not zero while driving; the rest is zero, engage is set by the bench.
DRIVING = {
    "quadrotor": {"altitude_m": 20.0, "vx_meas_mps": 1.0, "speed_mps": 1.0},
    "car": {"speed_mps": 20.0},
}


@jit
def feed(timing: Any, frame: Any, asks: Any, values: Any, row: int) -> None:
    """A new command and new inputs in every tick: the most that a tick can have to read. The vehicle follows."""
    frame.in_now_ns += timing[PERIOD_NS]
    for i in range(timing[INPUT_COUNT]):
        frame.in_value[i] = values[i]
    for c in range(timing[CHANNEL_COUNT]):
        measured = timing[T_CHANNEL + c * CHI_COLS + MEASURED]
        if measured >= 0:
            frame.in_value[measured] = frame.st_sent[c]
    for s in range(timing[SOURCE_COUNT]):
        frame.in_source_status[s] = STATUS_OK
        frame.in_source_stamp_ns[s] = frame.in_now_ns
    for c in range(timing[CHANNEL_COUNT]):
        frame.in_ask[0, c] = asks[row, c]
    frame.in_command_status[0] = STATUS_OK
    frame.in_command_published[0] += 1
    frame.in_command_seq[0] += 1
    frame.in_command_stamp_ns[0] = frame.in_now_ns
    frame.in_command_count[0] = timing[CHANNEL_COUNT]


@jit
def guard_ticks(limits: Any, timing: Any, frame: Any, asks: Any, values: Any, count: int) -> None:
    for k in range(count):
        feed(timing, frame, asks, values, k & (ASKS - 1))
        step(limits, timing, frame)


@jit
def feed_ticks(limits: Any, timing: Any, frame: Any, asks: Any, values: Any, count: int) -> None:
    for k in range(count):
        feed(timing, frame, asks, values, k & (ASKS - 1))


@jit
def clock_reads(timespec: Any, count: int) -> int:
    """The reference: what the loop's own look at the clock costs. A yardstick that scales with the machine."""
    newest = 0
    for _ in range(count):
        newest = max(newest, now_ns(timespec))
    return newest


def commands(policy: Policy) -> np.ndarray[Any, Any]:
    """Slow sines over most of the range: the limiters work, and no breaker trips."""
    rows = [policy.limits[layout.L_CHANNEL + c * layout.CH_COLS :] for c in range(len(policy.channels))]
    times = np.arange(ASKS) / ASKS
    columns = []
    for c, row in enumerate(rows):
        low, high = row[layout.HARD_LO], row[layout.HARD_HI]
        columns.append((high + low) / 2 + 0.3 * (high - low) * np.sin(math.tau * (times + c / 7)))
    return np.ascontiguousarray(np.column_stack(columns))


def engaged(policy: Policy, driving: dict[str, float]) -> tuple[Any, Any, Any]:
    """(frame, asks, values) of a guard that is engaged. Raises RuntimeError when it does not come to that."""
    frame = layout.new_frames()[0]
    start(policy.limits, policy.timing, frame)
    frame["in_selftest_ok"], frame["in_request_bits"][0] = 1, -1
    values = np.zeros(max(len(policy.inputs), 1))
    for name, value in driving.items():
        if name in policy.inputs:
            values[policy.input_index(name)] = value
    calm = np.zeros((ASKS, len(policy.channels)))
    guard_ticks(policy.limits, policy.timing, frame, calm, values, 5)
    values[policy.input_index("engage")] = 1.0
    guard_ticks(policy.limits, policy.timing, frame, calm, values, 5)
    if frame["st_state"] != State.ENGAGED:
        raise RuntimeError(f"{policy.name}: not engaged but {State(int(frame['st_state'])).name}")
    return frame, commands(policy), values


def compiled_row(name: str, policy: Policy, driving: dict[str, float], target_ns: float) -> Row:
    """Cost of one tick, without the bench's own feeding."""
    frame, asks, values = engaged(policy, driving)
    plain, timespec = layout.new_frames()[0], new_timespec()
    data = (policy.limits, policy.timing)
    fed = nanoseconds_each(lambda n: feed_ticks(*data, plain, asks, values, n), TICKS)
    clock = nanoseconds_each(lambda n: clock_reads(timespec, n), TICKS)
    guarded = nanoseconds_each(lambda n: guard_ticks(*data, frame, asks, values, n), TICKS)
    if frame["st_state"] != State.ENGAGED:
        raise RuntimeError(f"{policy.name}: left ENGAGED for {State(int(frame['st_state'])).name} while measured")
    tick = guarded - fed
    return Row(name, tick, "ns", clock, f"≤ {target_ns:g} ns", tick <= target_ns)


def call_row(policy: Policy, driving: dict[str, float]) -> Row:
    """`Guard.step` from Python against the cost of calling any compiled function with the same arguments."""
    guard = Guard(policy)
    _, asks, _ = engaged(policy, driving)
    inputs = {name: driving.get(name, 0.0) for name in policy.inputs}
    period = int(policy.timing[PERIOD_NS])
    clock = [0]

    def steps(count: int) -> None:
        for k in range(count):
            clock[0] += period
            guard.step(clock[0], asks[k & (ASKS - 1)], inputs)

    @jit
    def nothing(limits: Any, timing: Any, frame: Any) -> None:
        frame.in_now_ns += 1

    frame = layout.new_frames()[0]

    def calls(count: int) -> None:
        for _ in range(count):
            nothing(policy.limits, policy.timing, frame)

    return Row(
        f"Guard.step from Python, {policy.name}",
        nanoseconds_each(steps, 200) / 1000,
        "µs",
        nanoseconds_each(calls, 200) / 1000,
    )


def run() -> list[Section]:
    """Both tables."""
    quadrotor = load_policy("quadrotor")
    rows = [compiled_row("torque limit only: bounds, rates", load_policy(str(HERE / "torque_only.yaml")), {}, 40.0)]
    driver = load_policy(str(HERE / "torque_driver.yaml"))
    rows.append(compiled_row("torque limit, also lead and driver", driver, {}, 40.0))
    rows.append(compiled_row("quadrotor, full", quadrotor, DRIVING["quadrotor"], 300.0))
    rows += [
        compiled_row(f"{name}, full", load_policy(name), DRIVING["car"], 300.0) for name in ("car-torque", "car-angle")
    ]
    compiled = Section(
        "Tick in the compiled loop",
        "one `clock_gettime(CLOCK_MONOTONIC)` from compiled code",
        tuple(rows),
        f"Engaged, a new command and new inputs in every tick; median of {REPEATS} runs of {TICKS} ticks. The bench's "
        "own feeding of commands and inputs is measured alone and taken off.",
    )
    call = Section(
        "Call from Python",
        "a call of a compiled function that does nothing, with the same arguments",
        (call_row(quadrotor, DRIVING["quadrotor"]),),
        "Most of it is filling the frame from names and building the Decision; Guard.run_batch pays this once.",
    )
    return [compiled, call]
