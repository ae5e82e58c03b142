"""The whole tick with every kind of check at work: zones, objects under RSS, rules and the barrier filter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.core import layout
from safetykit.core.columns import objects as of
from safetykit.core.jit import jit
from safetykit.core.layout import CHANNEL_COUNT, INPUT_COUNT, PERIOD_NS, SOURCE_COUNT, STATUS_OK
from safetykit.core.step import start, step
from safetykit.core.vocabulary import Fault, State, fault_names
from safetykit.policy import Policy, parse_policy
from safetykit.policy.yaml_text import read_yaml
from safetykit.runtime.clock import new_timespec, now_ns
from tests.bench.measure import REPEATS, Row, Section, nanoseconds_each
from tests.bench.tick import clock_reads

TICKS = 1_000
SINGLE_TICKS = 50_000
TARGET_P50_NS, TARGET_P999_NS = 3_000, 10_000
ZONES, CORNERS, OBJECTS, SPARE_CHANNELS, RULES = 8, 16, 16, 6, 10
SPEED_MPS, ROW_M, NEAR_M = 12.0, 60.0, 25.0  # 27 m from a zone ahead, of which stopping takes 23
HERE = Path(__file__).resolve().parent


def ring(x: float, y: float, radius: float) -> list[list[float]]:
    """A polygon around a point."""
    turns = [math.tau * k / CORNERS for k in range(CORNERS)]
    return [[x + radius * math.cos(turn), y + radius * math.sin(turn)] for turn in turns]


def document() -> dict[str, Any]:
    """A car among zones: one that it may not leave, seven that it may not enter, all within its reach."""
    made: dict[str, Any] = read_yaml((HERE / "every_check.yaml").read_bytes(), "every_check.yaml").data
    flag = {"unit": "flag", "min": -1, "max": 1, "rate_up_per_s": 5, "rate_down_per_s": 5}
    made["channels"] |= {f"spare_{k}_flag": dict(flag) for k in range(SPARE_CHANNELS)}
    made["zones"] = {"site": {"rule": "keep_in", "corners_m": ring(0, 0, 80)}}
    for k in range(ZONES - 1):
        turn = math.tau * k / (ZONES - 1)
        corners = ring(ROW_M * math.cos(turn), ROW_M * math.sin(turn), 8)
        made["zones"][f"hole_{k}"] = {"rule": "keep_out", "corners_m": corners}
    made["rules"] = {f"rule_{k}": _rule(k) for k in range(RULES)}
    rest = {name: -4.0 if name == "accel_mps2" else 0.0 for name in made["channels"]}
    made["recovery"] = [{"name": "brake", "set": rest, "for_s": 1}]
    return made


def _rule(k: int) -> dict[str, Any]:
    """After one flag, no push on the accelerator while the next flag is there."""
    hurried = [{"input": f"flag_{(k + 1) % 4}", "min": 0.5}, {"asked": "accel_mps2", "min": 1.9 - 0.01 * k}]
    raised = {"once": {"input": f"flag_{k % 4}", "min": 0.5}, "within_s": 0.5 + 0.1 * k}
    return {"if": raised, "forbid": {"all": hurried}, "action": "HOLD"}


def road() -> np.ndarray[Any, Any]:
    """Sixteen others: in the lane ahead and behind, beside and coming towards. Each one is looked at in every tick."""
    table = np.zeros((OBJECTS, layout.FRAME["in_object"].shape[1]))
    for k in range(OBJECTS):
        table[k, of.OBJ_X], table[k, of.OBJ_Y] = 30.0 + 12 * k, (-3.5, 0.0, 3.5)[k % 3]
        table[k, of.OBJ_VX] = SPEED_MPS - 2 if k % 3 < 2 else -SPEED_MPS
        table[k, of.OBJ_LENGTH], table[k, of.OBJ_WIDTH], table[k, of.OBJ_ID] = 4.5, 1.9, k + 1
    return table


@jit
def feed(timing: Any, frame: Any, asks: Any, values: Any, row: int) -> None:
    """A new command, new inputs and a new list in every tick; the same objects, which lie in the frame."""
    frame.in_now_ns += timing[PERIOD_NS]
    for i in range(timing[INPUT_COUNT]):
        frame.in_value[i] = values[i]
    for s in range(timing[SOURCE_COUNT]):
        frame.in_source_status[s] = STATUS_OK
        frame.in_source_stamp_ns[s] = frame.in_now_ns
    frame.in_objects_status, frame.in_objects_stamp_ns = STATUS_OK, frame.in_now_ns
    for c in range(timing[CHANNEL_COUNT]):
        frame.in_ask[0, c] = asks[row, c]
    frame.in_command_status[0] = STATUS_OK
    frame.in_command_published[0] += 1
    frame.in_command_seq[0] += 1
    frame.in_command_stamp_ns[0] = frame.in_now_ns
    frame.in_command_count[0] = timing[CHANNEL_COUNT]


@jit
def guarded(limits: Any, timing: Any, frame: Any, asks: Any, values: Any, count: int) -> None:
    for k in range(count):
        feed(timing, frame, asks, values, k & 255)
        step(limits, timing, frame)


@jit
def fed(limits: Any, timing: Any, frame: Any, asks: Any, values: Any, count: int) -> None:
    for k in range(count):
        feed(timing, frame, asks, values, k & 255)


@jit
def timed(limits: Any, timing: Any, frame: Any, asks: Any, values: Any, timespec: Any, took: Any) -> None:
    """Each tick by the clock: what the loop itself would see."""
    for k in range(len(took)):
        feed(timing, frame, asks, values, k & 255)
        before = now_ns(timespec)
        step(limits, timing, frame)
        took[k] = now_ns(timespec) - before


def engaged(policy: Policy) -> tuple[Any, Any, Any]:
    """(frame, asks, values): 12 m/s, a zone ahead, asked for more than the filter lets through."""
    frame = layout.new_frames()[0]
    start(policy.limits, policy.timing, frame)
    frame["in_selftest_ok"] = 1
    frame["in_request_bits"][0] = -1
    others = road()
    frame["in_objects_count"] = len(others)
    frame["in_object"][: len(others)] = others
    values = np.zeros(len(policy.inputs))
    values[policy.input_index("speed_mps")] = SPEED_MPS
    values[policy.input_index("x_m")] = NEAR_M
    times = np.arange(256) / 256
    asks = np.zeros((256, len(policy.channels)))
    asks[:, 0] = 1.0 + 0.5 * np.sin(math.tau * times)
    asks[:, 1] = 0.02 * np.sin(math.tau * times)
    guarded(policy.limits, policy.timing, frame, asks, values, 5)
    values[policy.input_index("engage")] = 1.0
    guarded(policy.limits, policy.timing, frame, asks, values, 300)
    if frame["st_state"] != State.ENGAGED:
        names = ", ".join(fault_names(int(frame["out_faults"])))
        raise RuntimeError(f"not engaged but {State(int(frame['st_state'])).name}: {names}")
    at_work = int(frame["out_faults"]) & (1 << Fault.ZONE_NEAR | 1 << Fault.BARRIER)
    if at_work == 0 or frame["st_wall_count"] < 4 or frame["st_objects_count"] != OBJECTS:
        raise RuntimeError(f"the checks are not at work: {fault_names(int(frame['out_faults']))}")
    return frame, asks, values


def run() -> list[Section]:
    """Median by many ticks in one call, percentiles tick by tick, both against a clock read of the same run."""
    policy = parse_policy(document())
    frame, asks, values = engaged(policy)
    plain, timespec, took = layout.new_frames()[0], new_timespec(), np.zeros(SINGLE_TICKS, np.int64)
    data = (policy.limits, policy.timing)
    clock = nanoseconds_each(lambda n: clock_reads(timespec, n), TICKS)
    feeding = nanoseconds_each(lambda n: fed(*data, plain, asks, values, n), TICKS)
    ticking = nanoseconds_each(lambda n: guarded(*data, frame, asks, values, n), TICKS)
    timed(*data, frame, asks, values, timespec, took[:100])
    timed(*data, frame, asks, values, timespec, took)
    if frame["st_state"] != State.ENGAGED:
        raise RuntimeError("left ENGAGED while measured")
    tick = ticking - feeding
    p50, p999, most = (float(np.percentile(took, share)) for share in (50, 99.9, 100))
    rows = (
        Row("median of whole runs", tick, "ns", clock, f"≤ {TARGET_P50_NS} ns", tick <= TARGET_P50_NS),
        Row("p50, tick by tick", p50, "ns", clock, f"≤ {TARGET_P50_NS} ns", p50 <= TARGET_P50_NS),
        Row("p99.9, tick by tick", p999, "ns", clock, f"≤ {TARGET_P999_NS} ns", p999 <= TARGET_P999_NS),
        Row("longest of all", most, "ns", clock),
    )
    note = (
        f"{len(policy.channels)} channels, {ZONES} zones of {CORNERS} corners, {OBJECTS} objects, {RULES} rules, "
        f"barrier filter holding back in every tick ({int(frame['st_wall_count'])} walls); {REPEATS} runs of {TICKS} "
        f"ticks, then {SINGLE_TICKS} ticks by the clock, its two reads included. No real-time rights: the longest is "
        "the machine's."
    )
    return [Section("Whole tick with every check", "one `clock_gettime` from compiled code", rows, note)]
