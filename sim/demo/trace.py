"""The columns of the guard's frames that the demo shows and judges, drained from the shared ring while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.runtime.ring import RingReader

COLUMNS = (
    "in_now_ns",
    "in_ask",
    "in_command_published",
    "in_function_seq",
    "in_value",
    "out_sent",
    "out_action",
    "out_faults",
    "out_function",
    "out_function_refused",
    "out_power",
    "st_state",
    "st_stop_event",
)


class Trace:
    """Collects frames from now on; `lost` counts those that the ring overwrote before they were read."""

    def __init__(self, ring: Path) -> None:
        self._reader = RingReader(ring, start=RingReader(ring).head)
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in COLUMNS}
        self.lost = 0
        self.latest: Any = None

    def drain(self) -> None:
        """Takes over everything that is in the ring now."""
        while True:
            frames, _, lost = self._reader.read(64)
            self.lost += lost
            if len(frames) == 0:
                return
            for name in COLUMNS:
                self._parts[name].append(frames[name].copy())
            self.latest = frames[-1].copy()

    def columns(self) -> dict[str, NDArray[Any]]:
        """One array per column, in order of time."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}
