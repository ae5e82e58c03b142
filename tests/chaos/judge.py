"""Judges every frame of a running guard: no number missing, every output finite, in bounds, within the rates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from safetykit.core import layout as lay
from safetykit.policy import Policy
from safetykit.runtime.ring import RingReader
from tests.unit.runtime.rig import violations


class Judge:
    """Reads every frame and keeps what is wrong with it."""

    def __init__(self, ring: Path, policy: Policy) -> None:
        self._reader, self._policy = RingReader(ring), policy
        self._before: Any = None
        self.states: Counter[int] = Counter()
        self.wrong: list[str] = []

    def look(self) -> None:
        frames, first, lost = self._reader.read(512)
        if lost:
            self.wrong.append(f"{lost} frames before {first} were overwritten before they were judged")
        for frame in frames:
            if self._before is not None:
                self._judge(self._before, frame)
            self._before = frame
            self.states[int(frame["st_state"])] += 1

    def _judge(self, before: Any, frame: Any) -> None:
        number = int(frame["out_seq"])
        if number != before["out_seq"] + 1:
            self.wrong.append(f"output {number} follows {before['out_seq']}")
        elapsed_ns = min(int(frame["in_now_ns"] - before["in_now_ns"]), int(self._policy.timing[lay.DT_MAX_NS]))
        state = int(frame["st_state"])
        found = violations(
            self._policy, before["out_sent"], frame["out_sent"], frame["out_reason"], state, elapsed_ns * 1e-9
        )
        self.wrong += [f"output {number}: {what}" for what in found]
