"""Frames that are known by their numbers, pushed as the loop does, and what a log says about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from safetykit.runtime.blackbox.log_reader import Event, Frames, Lost, read_log
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.ring import Ring


def recorded(log: Path) -> dict[int, bytes]:
    """Frame bytes by number; a number twice is an error."""
    found: dict[int, bytes] = {}
    for item in read_log(log):
        if isinstance(item, Frames):
            for place, frame in enumerate(item.frames):
                assert item.first_number + place not in found
                found[item.first_number + place] = frame.tobytes()
    return found


def lost(log: Path) -> set[int]:
    spans = [item for item in read_log(log) if isinstance(item, Lost)]
    return {number for item in spans for number in range(item.first_number, item.first_number + item.count)}


def kinds(log: Path) -> list[str]:
    return [str(item.event.get("event")) for item in read_log(log) if isinstance(item, Event)]


class Pusher:
    """The loop's part: pushes frame after frame, each one known by its number."""

    def __init__(self, ring: Ring, run: np.ndarray) -> None:
        self.ring, self._run, self.count = ring, run.copy(), 0

    def frame(self, number: int) -> Any:
        frame = self._run[number % len(self._run)]
        frame["in_now_ns"] = 1_000_000_000 + number * 20_000_000
        return frame

    def push(self, count: int = 1) -> None:
        for _ in range(count):
            self.ring.push(self.frame(self.count))
            self.count += 1


def check_complete(log: Path, pusher: Pusher) -> None:
    """Every frame ever pushed is in the log byte for byte, or marked as lost; never both."""
    found, gone = recorded(log), lost(log)
    assert not found.keys() & gone
    assert found.keys() | gone == set(range(pusher.count))
    for number, raw in found.items():
        assert raw == pusher.frame(number).tobytes(), f"frame {number} differs"
    report = verify(log)
    assert report.ok, report.findings
