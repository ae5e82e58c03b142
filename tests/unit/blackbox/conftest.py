"""A rover's run with everything that happens on a bad day, and logs of it with clocks of our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.core.layout import FRAME
from safetykit.core.vocabulary import Fault
from safetykit.policy import Policy, load_policy
from safetykit.runtime.blackbox.opening import policy_record
from safetykit.runtime.blackbox.writer import BlackBox, Clocks, Settings
from safetykit.runtime.guard import Guard
from safetykit.runtime.ring import Ring
from tests.unit.blackbox.pushing import Pusher

UTC_NS = 1_770_000_000_000_000_000
TICKS = 400
STOP_AT, RESET_AT = 300, 340


class ManualClocks:
    """Times that a test moves by hand."""

    def __init__(self, utc_ns: int = UTC_NS) -> None:
        self.utc_ns, self.monotonic_ns = utc_ns, 1_000_000_000

    def advance(self, duration_ns: int) -> None:
        self.utc_ns += duration_ns
        self.monotonic_ns += duration_ns

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.utc_ns, lambda: self.monotonic_ns)


@pytest.fixture(scope="session")
def rover() -> Policy:
    return load_policy("rover")


def drive_rover(policy: Policy, ticks: int, start_ns: int = 1_000_000_000) -> np.ndarray:
    """Frames of a run: engaged, too fast, NaN, a refused function, a stop and a reset."""
    guard, frames = Guard(policy), np.zeros(ticks, FRAME)
    speed = 0.0
    for tick in range(ticks):
        ask = 0.6 * np.sin(tick / 30) + (2.0 if 100 <= tick < 110 else 0.0)
        command = [float("nan") if tick == 150 else ask, 0.3]
        guard.step(
            start_ns + tick * policy.period_ns,
            command,
            {"speed_mps": speed, "yaw_rate_meas_radps": 0.0, "engage": 1.0 if 10 <= tick < 15 else 0.0},
            function={200: "horn", 210: "bumper_off", 220: "no such"}.get(tick),
            conditions=[Fault.STOP_REQUEST] if tick == STOP_AT else [],
            reset=1 if tick == RESET_AT else None,
        )
        frames[tick] = guard._frames[0]
        speed = float(frames[tick]["out_sent"][0])
    return frames


@pytest.fixture(scope="session")
def run(rover: Policy) -> np.ndarray:
    frames = drive_rover(rover, TICKS)
    assert set(np.unique(frames["st_state"])) >= {1, 2, 4}, "the run must engage and stop"
    frames.flags.writeable = False
    return frames


WriteLog = Callable[..., BlackBox]


@pytest.fixture
def write_log(tmp_path: Path, rover: Policy, run: np.ndarray) -> WriteLog:
    """Writes `run` as a log of several segments, the last one closed or not; `settings` as in Settings."""

    def write(
        name: str = "log",
        *,
        segments: int = 3,
        closed: bool = True,
        policy: dict[str, Any] | None = None,
        **settings: Any,
    ) -> BlackBox:
        clocks = ManualClocks()
        given = Settings(tmp_path / name, clocks=clocks.clocks(), **settings)
        box = BlackBox(given, policy_record(rover) if policy is None else policy, {"identity": "aa", "starts": 1})
        parts = np.array_split(np.arange(len(run)), segments)
        for number, part in enumerate(parts):
            for block in np.array_split(part, 4):
                box.write_frames(run[block], int(block[0]))
                clocks.advance(len(block) * 20_000_000)
                box.keep_up()
            box.write_event({"event": "note", "number": number})
            if closed or number < segments - 1:
                box.close("rotation")
        return box

    return write


@pytest.fixture(scope="session")
def drive() -> Callable[..., np.ndarray]:
    return drive_rover


@pytest.fixture
def manual_clocks() -> ManualClocks:
    return ManualClocks()


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring.create(tmp_path / "ring", 64)


@pytest.fixture
def policy_json(tmp_path: Path, rover: Policy) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy_record(rover)))
    return path


@pytest.fixture
def pusher(ring: Ring, run: np.ndarray) -> Pusher:
    return Pusher(ring, run)
