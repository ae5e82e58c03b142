"""What every benchmark shares: repeated timing, percentiles, and the rows of the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

REPEATS = 101  # short runs, so that a disturbance spoils a few of them and not the median


@dataclass(frozen=True)
class Row:
    """One line of the report: what, the value, the reference of the same run, and the target if there is one."""

    what: str
    value: float
    unit: str
    reference: float | None = None
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> str:
        return "" if not self.reference else f"{self.value / self.reference:.2f}"


@dataclass(frozen=True)
class Section:
    """A table of the report. `reference` says in words what the ratios are against; `note`, what to know."""

    title: str
    reference: str
    rows: tuple[Row, ...]
    note: str = ""


def nanoseconds_each(work: Callable[[int], object], count: int, repeats: int = REPEATS) -> float:
    """Median over repeats of the time of ``work(count)``, per item."""
    work(count)
    samples = []
    for _ in range(repeats):
        begin = time.perf_counter_ns()
        work(count)
        samples.append((time.perf_counter_ns() - begin) / count)
    return float(np.median(samples))


def percentiles(samples: FloatArray) -> dict[str, float]:
    """p50, p99, p99.9 and max."""
    levels = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
    return {name: float(np.percentile(samples, level)) for name, level in levels.items()}
