"""What the black box costs: bytes and CPU per tick, and what reading a log takes.

``python -m tests.bench.bench_blackbox`` prints a table. The run is a quadrotor's at 100 Hz and at 1 kHz: commands at
50 Hz with noise in every value, vehicle state at 100 Hz as 32-bit floats, times that jitter as on a real machine, and
an ask beyond the envelope in one of a hundred commands. Rounds are as the recorder's, 80 ms; the disk is a real one.
"""

from __future__ import annotations

import resource
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from safetykit.core.layout import FRAME
from safetykit.policy import Policy, load_policy
from safetykit.runtime.blackbox.frame_codec import as_words, encode_block
from safetykit.runtime.blackbox.opening import policy_record
from safetykit.runtime.blackbox.recorder import DRAIN_PERIOD_S, Recorder
from safetykit.runtime.blackbox.replay import replay
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.blackbox.writer import Settings
from safetykit.runtime.guard import Command, Guard
from safetykit.runtime.ring import Ring
from tests.bench.measure import Row, Section

RUN_S = 20
RETENTION_DAYS = 180
SECONDS_PER_DAY = 86_400
_INPUTS_HZ, _COMMANDS_HZ = 100, 50
_TARGET_CPU = 0.05  # of one core, at 100 Hz

Encode = Callable[[np.ndarray, int], int]


def realistic_run(policy: Policy, rate_hz: int, seed: int = 1) -> np.ndarray:
    """Frames of RUN_S seconds in flight."""
    random, guard = np.random.default_rng(seed), Guard(policy)
    frames = np.zeros(RUN_S * rate_hz, FRAME)
    for tick in range(len(frames)):
        now_ns = 10**12 + tick * 10**9 // rate_hz + int(random.integers(0, 40_000))
        inputs = _inputs(tick / rate_hz, random) if tick % (rate_hz // _INPUTS_HZ) == 0 else None
        command = None
        if tick % (rate_hz // _COMMANDS_HZ) == 0:
            excess = 30.0 if random.random() < 0.01 else 1.0
            values = excess * (np.sin(tick / rate_hz * np.arange(1, 5) / 3) + random.normal(0, 0.01, 4))
            command = Command(values, stamp_ns=now_ns - int(random.integers(0, 10**6)))
        guard.step(now_ns, command, inputs)
        frames[tick] = guard._frames[0]
    assert (frames["st_state"] == 2).mean() > 0.9, "the run must be a flight"
    return frames


def _inputs(time_s: float, random: np.random.Generator) -> dict[str, float]:
    noisy = {
        name: 0.3 * np.sin(time_s * place) for place, name in enumerate(("vx_meas_mps", "vy_meas_mps", "vz_meas_mps"))
    }
    noisy |= {"x_m": np.sin(time_s / 9), "y_m": np.cos(time_s / 9), "altitude_m": 10.0, "speed_mps": 0.5}
    values = {name: float(np.float32(value + random.normal(0, 0.02))) for name, value in noisy.items()}
    return {**values, "engage": float(time_s > 0.1), "consent": 0.0}


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def record(frames: np.ndarray, rate_hz: int, policy: Policy, directory: Path) -> tuple[float, float]:
    """(bytes per tick, CPU seconds per tick) of the whole recorder: ring, codec, hash, write, fsync, events."""
    ring = Ring.create(directory / "ring", 1024)
    recorder = Recorder(directory / "ring", Settings(directory / "log"), policy_record(policy))
    per_round = max(int(rate_hz * DRAIN_PERIOD_S), 1)
    recorder.drain()
    used_s = 0.0
    for first in range(0, len(frames), per_round):
        for frame in frames[first : first + per_round]:
            ring.push(frame)
        begin_s = cpu_s()
        recorder.drain()
        used_s += cpu_s() - begin_s
    recorder.finish("stop")
    size = sum(file.stat().st_size for file in (directory / "log").glob("*.skbb"))
    return size / len(frames), used_s / len(frames)


def arrangements(frames: np.ndarray, per_round: int) -> list[Row]:
    """The codec against plainer ones: bytes and CPU per tick."""
    words = as_words(frames)

    def whole(part: np.ndarray, first: int) -> int:
        return len(zlib.compress(part.tobytes(), 1))

    def difference(part: np.ndarray, first: int) -> int:
        before = words[first - 1 : first] if first else np.zeros_like(words[:1])
        return len(zlib.compress((part ^ np.concatenate([before, part[:-1]])).tobytes(), 1))

    def byte_columns(part: np.ndarray, first: int) -> int:
        before = words[first - 1 : first] if first else np.zeros_like(words[:1])
        changes = part ^ np.concatenate([before, part[:-1]])
        return len(zlib.compress(np.ascontiguousarray(changes.view(np.uint8).T).tobytes(), 1))

    def ours(part: np.ndarray, first: int) -> int:
        return len(encode_block(part, first, 0, words[first - 1] if first else None))

    tried: dict[str, Encode] = {
        "whole frames": whole,
        "differences": difference,
        "differences, byte columns": byte_columns,
        "changed words, word columns (used)": ours,
    }
    rows: list[Row] = []
    for name, encode in tried.items():
        begin_s = time.process_time()
        size = sum(encode(words[first : first + per_round], first) for first in range(0, len(words), per_round))
        used_us = (time.process_time() - begin_s) / len(words) * 1e6
        rows.append(Row(f"{name}: size", size / len(words), "B/tick"))
        rows.append(Row(f"{name}: CPU", used_us, "µs/tick"))
    return rows


def measure(rate_hz: int) -> Section:
    """Costs at one rate."""
    policy = load_policy("quadrotor")
    frames = realistic_run(policy, rate_hz)
    with tempfile.TemporaryDirectory() as place:
        size, used_s = record(frames, rate_hz, policy, Path(place))
        log = Path(place) / "log"
        begin_s = time.process_time()
        assert verify(log).ok
        verified_s = time.process_time() - begin_s
        replay(log)
        begin_s = time.process_time()
        report = replay(log)
        replayed_s = time.process_time() - begin_s
        assert report.ok, report
        assert report.equal == len(frames)
    share = used_s * rate_hz
    days_gb = size * rate_hz * SECONDS_PER_DAY * RETENTION_DAYS / 1e9
    met = share <= _TARGET_CPU if rate_hz == 100 else None
    rows = (
        Row("size", size, "B/tick"),
        Row(f"size of {RETENTION_DAYS} days without a pause", days_gb, "GB"),
        Row("CPU of the recorder", used_s * 1e6, "µs/tick"),
        Row("CPU of the recorder, of one core", share * 100, "%", target="" if met is None else "≤ 5", met=met),
        Row("verify", len(frames) / rate_hz / verified_s, "× real time"),
        Row("replay", len(frames) / rate_hz / replayed_s, "× real time"),
        *arrangements(frames, max(int(rate_hz * DRAIN_PERIOD_S), 1)),
    )
    return Section(f"Black box at {rate_hz} Hz", "none: absolute values", rows)


def run() -> list[Section]:
    """Both rates."""
    return [measure(100), measure(1000)]


def main() -> None:
    console = Console(width=110)
    for section in run():
        table = Table("what", "value", "unit", "target", title=section.title, title_justify="left")
        for row in section.rows:
            table.add_row(row.what, f"{row.value:.4g}", row.unit, row.target)
        console.print(table)


if __name__ == "__main__":
    main()
