"""Wake-up latency of the guard's loop against `cyclictest`, both under the same load.

Load: `stress-ng` on every core, and for the guard a Python thread in its own process that hogs the interpreter lock.
Run as a program (``python -m tests.bench.wakeup RUN_DIR SECONDS``) this file is that process.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safetykit.core.layout import PERIOD_NS
from safetykit.policy import load_policy
from safetykit.runtime import loop, paths, realtime, status
from safetykit.runtime.wiring import Station
from tests.bench.measure import FloatArray, Row, Section

IntArray = NDArray[np.int64]

SECONDS = 10  # of one round
ROUNDS = 3  # guard and cyclictest in turn, so that both see the same weather
PERIOD_US = 1000  # ten times the preset's pace: 30 samples beyond p99.9 instead of three
PRIORITY = 80
SETTLE_TICKS = 100  # the first ones fault pages in
TARGET_RATIO = 1.2  # at p99.9
LEVELS = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
POLICY = "quadrotor"


@contextmanager
def stress() -> Iterator[None]:
    """Every core busy with computing, memory and scheduling work."""
    cores = str(os.cpu_count())
    command = ["stress-ng", "--quiet", "--cpu", cores, "--vm", "1", "--vm-bytes", "64M", "--switch", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.0)
        yield
    finally:
        process.terminate()
        process.wait()


def fifo_permitted() -> bool:
    """May this process run under SCHED_FIFO? Tried in a child, so that nothing stays changed."""
    probe = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False).returncode == 0


def summary(counts: IntArray, tops_us: FloatArray, max_us: float) -> dict[str, float]:
    """Percentiles in µs of a histogram whose buckets end at `tops_us`."""
    total = np.cumsum(counts)
    found = {name: float(tops_us[np.searchsorted(total, share * total[-1])]) for name, share in LEVELS.items()}
    return {**found, "max": max_us}


def cyclictest(seconds: int, fifo: bool) -> tuple[IntArray, float]:
    """(wake-ups by whole µs, longest in µs). Raises RuntimeError when it does not run."""
    policy = ["--policy", "fifo", "--priority", str(PRIORITY)] if fifo else ["--policy", "other"]
    loops = seconds * 1_000_000 // PERIOD_US
    command = ["cyclictest", "-q", "-m", "-t", "1", "-i", str(PERIOD_US), "-l", str(loops), *policy, "-h", "20000"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    rows = re.findall(r"^(\d{6}) (\d+)$", result.stdout, re.MULTILINE)
    maximum = re.search(r"^# Max Latencies: (\d+)", result.stdout, re.MULTILINE)
    if result.returncode != 0 or not rows or maximum is None:
        raise RuntimeError(f"cyclictest failed: {result.stderr.strip() or result.stdout[-200:]}")
    return np.array([int(count) for _, count in rows]), float(maximum[1])


def guard(seconds: int) -> tuple[IntArray, float, int]:
    """(wake-ups by bucket of the status page, longest in µs, missed periods) of the loop in a process of its own."""
    base = Path(tempfile.mkdtemp(prefix="safetykit-bench-", dir="/dev/shm"))
    try:
        command = [sys.executable, "-m", "tests.bench.wakeup", str(base), str(seconds)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 120)
        if result.returncode != 0:
            raise RuntimeError(f"the guard's loop failed: {result.stderr[-400:]}")
        histogram = np.load(base / "wake.npy")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    maximum_us, misses = (float(word) for word in result.stdout.split())
    return histogram, maximum_us, int(misses)


def guard_summary(rounds: list[tuple[IntArray, float, int]]) -> dict[str, float]:
    """Percentiles over several rounds of the guard."""
    histogram = np.sum([counts for counts, _, _ in rounds], axis=0)
    tops_us = np.array([status.bucket_top_us(bucket) for bucket in range(len(histogram))])
    return summary(histogram, tops_us, max(longest_us for _, longest_us, _ in rounds))


def hog() -> None:
    """A thread that never lets go of the interpreter lock by itself."""
    value = 0
    while True:
        value += 1


def serve(base: Path, seconds: int) -> None:
    """The guard's loop on a thread, the hog on another; leaves the histogram of its wake-ups."""
    os.environ[paths.RUN_DIR_VARIABLE] = str(base)
    policy = load_policy(POLICY)
    timing = policy.timing.copy()
    timing[PERIOD_NS] = PERIOD_US * 1000
    timing.flags.writeable = False
    station = Station(paths.run_dir("bench"), policy.limits, timing, [source.name for source in policy.sources])
    wiring = station.wiring
    loop.warm_up(wiring)  # compiled before the clock runs
    realtime.prepare_process()

    def on_time() -> None:
        realtime.prepare_thread(PRIORITY)
        loop.run(wiring)

    thread = threading.Thread(target=on_time, daemon=True)
    threading.Thread(target=hog, daemon=True).start()
    thread.start()
    page = wiring.page
    while page[status.TICKS] < SETTLE_TICKS:
        time.sleep(0.01)
    before = page.copy()
    page[status.WAKE_MAX_NS] = 0
    time.sleep(seconds)
    after = page.copy()
    wiring.memory[loop.QUIT] = 1
    thread.join()
    np.save(base / "wake.npy", (after - before)[status.WAKE_BUCKETS :])
    sys.stdout.write(f"{after[status.WAKE_MAX_NS] / 1000} {after[status.MISSES] - before[status.MISSES]}\n")


def run() -> list[Section]:
    """Guard against cyclictest, first one then the other, never both at once."""
    missing = [tool for tool in ("cyclictest", "stress-ng") if shutil.which(tool) is None]
    if missing:
        note = f"Not measured: {' and '.join(missing)} not installed (apt-get install rt-tests stress-ng)."
        return [Section("Wake-up latency under load", "cyclictest", (), note)]
    fifo = fifo_permitted()
    references, rounds = [], []
    with stress():
        for _ in range(ROUNDS):
            references.append(cyclictest(SECONDS, fifo))
            rounds.append(guard(SECONDS))
    counts = np.sum([counts for counts, _ in references], axis=0)
    longest_us = max(longest for _, longest in references)
    reference = summary(counts, np.arange(1.0, len(counts) + 1.0), longest_us)
    rows = []
    for name, value in guard_summary(rounds).items():
        judged = name == "p99.9"
        met = value <= TARGET_RATIO * reference[name] if judged else None
        rows.append(Row(name, value, "µs", reference[name], f"≤ {TARGET_RATIO} × at p99.9" if judged else "", met))
    scheduling = f"SCHED_FIFO {PRIORITY}" if fifo else "no SCHED_FIFO granted here"
    note = (
        f"{ROUNDS} rounds of {SECONDS} s each, in turn, at {PERIOD_US} µs, {scheduling}; stress-ng on every core; the "
        f"guard with a Python thread that hogs the interpreter lock. Missed periods: {sum(r[2] for r in rounds)}."
    )
    return [Section("Wake-up latency under load", "cyclictest, same period, same load, in turn", tuple(rows), note)]


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
