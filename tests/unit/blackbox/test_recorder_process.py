"""The recorder as a process of its own: ended, orphaned, killed at any moment."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from safetykit.runtime.blackbox.log_reader import Opened, read_log
from safetykit.runtime.blackbox.segment_file import list_segments, read_segment
from safetykit.runtime.blackbox.segments import scan
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.ring import Ring
from tests.unit.blackbox.pushing import Pusher, check_complete, lost, recorded

START_S_MAX = 60.0  # a cold start compiles


def start_recorder(tmp_path: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "safetykit.runtime.blackbox.recorder", "--ring", str(tmp_path / "ring")]
    command += ["--out", str(tmp_path / "log"), "--policy-json", str(tmp_path / "policy.json"), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
    give_up_s = time.monotonic() + START_S_MAX
    while not condition():
        assert time.monotonic() < give_up_s, "nothing happened"
        meanwhile()
        time.sleep(0.002)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def has_frames(log: Path, number: int) -> bool:
    return log.exists() and bool(list_segments(log)) and number in recorded(log)


def test_sigterm_drains_and_closes(
    tmp_path: Path, pusher: Pusher, policy_json: Path, processes: list[subprocess.Popen[str]]
) -> None:
    pusher.push(20)
    process = start_recorder(tmp_path)
    processes.append(process)
    wait_for(lambda: has_frames(tmp_path / "log", 19))
    process.send_signal(signal.SIGINT)
    pusher.push(30)
    wait_for(lambda: has_frames(tmp_path / "log", 49))
    pusher.push(10)
    process.send_signal(signal.SIGTERM)
    assert process.wait(START_S_MAX) == 0
    check_complete(tmp_path / "log", pusher)
    assert verify(tmp_path / "log").segments[-1].state == "closed"
    assert len(recorded(tmp_path / "log")) == 60


def test_it_ends_with_its_parent(
    tmp_path: Path, pusher: Pusher, policy_json: Path, processes: list[subprocess.Popen[str]]
) -> None:
    pusher.push(20)
    process = start_recorder(tmp_path, "--parent", "1")
    processes.append(process)
    assert process.wait(START_S_MAX) == 0
    check_complete(tmp_path / "log", pusher)
    closing = scan(read_segment(list_segments(tmp_path / "log")[-1].path)).closing
    assert closing is not None
    assert closing.json()["reason"] == "guard gone"


@pytest.mark.chaos
@pytest.mark.parametrize("slots", [64, 16384], ids=["small ring", "ring that holds everything"])
def test_killed_at_any_moment_nothing_flushed_is_lost(
    tmp_path: Path, run: np.ndarray, policy_json: Path, processes: list[subprocess.Popen[str]], slots: int
) -> None:
    pusher, log = Pusher(Ring.create(tmp_path / "ring", slots), run), tmp_path / "log"
    chance, kept = random.Random(slots), set()
    for _ in range(8):
        before = len(list_segments(log)) if log.exists() else 0
        process = start_recorder(tmp_path, "--segment-mib", "0.05")
        processes.append(process)
        wait_for(lambda: log.exists() and len(list_segments(log)) > before, pusher.push)  # noqa: B023
        end_s = time.monotonic() + chance.uniform(0.0, 0.7)
        while time.monotonic() < end_s:
            pusher.push()
            time.sleep(0.001)
        process.kill()
        process.wait()
        hashes = {entry.hash for segment in list_segments(log) for entry in scan(read_segment(segment.path)).entries}
        assert kept <= hashes, "an entry that was there before is gone"
        kept = hashes
    process = start_recorder(tmp_path, "--parent", "1")
    processes.append(process)
    assert process.wait(START_S_MAX) == 0
    check_complete(tmp_path / "log", pusher)
    assert len([item for item in read_log(log) if isinstance(item, Opened)]) >= 9
    if slots > pusher.count:
        assert not lost(log)
