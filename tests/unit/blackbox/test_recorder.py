"""The recorder as the guard runs it: nothing that happened is missing without a mark, whatever happens to it."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.errors import LogError, MailboxError
from safetykit.policy import Policy
from safetykit.runtime import recorder as recorder_module
from safetykit.runtime import segment_file
from safetykit.runtime.blackbox import Settings
from safetykit.runtime.log_reader import Event, Frames, Lost, Opened, read_log
from safetykit.runtime.opening import policy_record
from safetykit.runtime.recorder import Recorder, lock_directory, main, read_policy
from safetykit.runtime.replay import replay
from safetykit.runtime.ring import Ring
from safetykit.runtime.segment_file import list_segments, read_segment
from safetykit.runtime.segments import LostReason, scan
from safetykit.runtime.verify import verify

START_S_MAX = 60.0  # a cold start compiles


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring.create(tmp_path / "ring", 64)


@pytest.fixture
def policy_json(tmp_path: Path, rover: Policy) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy_record(rover)))
    return path


def start_recorder(tmp_path: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "safetykit.runtime.recorder", "--ring", str(tmp_path / "ring")]
    command += ["--out", str(tmp_path / "log"), "--policy-json", str(tmp_path / "policy.json"), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None) -> None:
    give_up_s = time.monotonic() + START_S_MAX
    while not condition():
        assert time.monotonic() < give_up_s, "nothing happened"
        meanwhile()
        time.sleep(0.002)


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


@pytest.fixture
def pusher(ring: Ring, run: np.ndarray) -> Pusher:
    return Pusher(ring, run)


def check_complete(log: Path, pusher: Pusher) -> None:
    """Every frame ever pushed is in the log byte for byte, or marked as lost; never both."""
    found, gone = recorded(log), lost(log)
    assert not found.keys() & gone
    assert found.keys() | gone == set(range(pusher.count))
    for number, raw in found.items():
        assert raw == pusher.frame(number).tobytes(), f"frame {number} differs"
    report = verify(log)
    assert report.ok, report.findings


# --------------------------------------------------------------------------- within this process
def new_recorder(tmp_path: Path, rover: Policy) -> Recorder:
    return Recorder(tmp_path / "ring", Settings(tmp_path / "log"), policy_record(rover))


def test_what_the_ring_holds_is_recorded(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    recorder = new_recorder(tmp_path, rover)
    for count in (0, 1, 7, 63, 0, 20):
        pusher.push(count)
        assert recorder.drain()
    assert recorder.finish("stop")
    check_complete(tmp_path / "log", pusher)
    assert not lost(tmp_path / "log")


def test_the_guard_is_told_how_far_everything_is_written(
    tmp_path: Path, pusher: Pusher, rover: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = new_recorder(tmp_path, rover)
    pusher.push(10)
    assert recorder.drain()
    assert pusher.ring.unread == 0

    def full(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(segment_file.os, "write", full)
        pusher.push(20)
        assert not recorder.drain()
        assert pusher.ring.unread == 20
    assert recorder.drain()
    assert pusher.ring.unread == 0


def test_a_ring_that_vanished_is_still_recorded_to_its_end(
    tmp_path: Path, pusher: Pusher, rover: Policy, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = new_recorder(tmp_path, rover)
    pusher.push(10)
    (tmp_path / "ring").unlink()
    assert recorder.finish("guard gone")
    check_complete(tmp_path / "log", pusher)
    assert capfd.readouterr().err.count("cannot tell the guard") == 1


def test_what_the_guard_knows_of_itself_is_an_event(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    facts = {"selftest": "passed", "realtime": [{"what": "FIFO priority 80", "granted": False}]}
    policy = {**policy_record(rover), "guard": facts}
    recorder = Recorder(tmp_path / "ring", Settings(tmp_path / "log"), policy)
    assert recorder.finish("stop")
    told = [item.event for item in read_log(tmp_path / "log") if isinstance(item, Event)]
    assert told == [{"event": "guard", **facts}]


def test_a_run_is_listed_and_replayed(tmp_path: Path, ring: Ring, run: np.ndarray, rover: Policy) -> None:
    recorder = new_recorder(tmp_path, rover)
    for frame in run:
        ring.push(frame)
        if ring.head % 20 == 0:
            assert recorder.drain()
    assert recorder.finish("stop")
    listed = kinds(tmp_path / "log")
    assert listed.count("function") == 3
    assert listed.count("stop_event") == 1
    assert listed.count("reset") == 1
    assert {"guard_started", "state", "intervention", "clear", "power"} <= set(listed)
    report = replay(tmp_path / "log")
    assert report.ok
    assert report.equal == len(run)


def test_a_slow_recorder_marks_what_it_missed(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    recorder = new_recorder(tmp_path, rover)
    for count in (10, 500, 5):
        pusher.push(count)
        assert recorder.drain()
    assert recorder.finish("stop")
    check_complete(tmp_path / "log", pusher)
    marks = [item for item in read_log(tmp_path / "log") if isinstance(item, Lost)]
    assert [item.reason for item in marks] == [LostReason.OVERRUN]
    assert 500 - 64 <= marks[0].count <= 500


def test_a_recorder_that_comes_late_marks_what_was_before(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    pusher.push(200)
    recorder = new_recorder(tmp_path, rover)
    assert recorder.finish("stop")
    check_complete(tmp_path / "log", pusher)
    marks = [item for item in read_log(tmp_path / "log") if isinstance(item, Lost)]
    assert [item.reason for item in marks] == [LostReason.NOT_RECORDING]


def test_the_next_recorder_goes_on_where_the_last_one_was(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    for count in (30, 40, 200, 3):
        recorder = new_recorder(tmp_path, rover)
        pusher.push(count)
        recorder.drain()  # and is gone without a word
    assert new_recorder(tmp_path, rover).finish("stop")
    check_complete(tmp_path / "log", pusher)
    assert len(list_segments(tmp_path / "log")) == 5


def test_a_new_ring_is_a_new_run(tmp_path: Path, pusher: Pusher, rover: Policy, run: np.ndarray) -> None:
    pusher.push(50)
    assert new_recorder(tmp_path, rover).finish("stop")
    (tmp_path / "ring").unlink()
    fresh = Pusher(Ring.create(tmp_path / "ring", 64), run)
    fresh.push(5)
    assert new_recorder(tmp_path, rover).finish("stop")
    spans = [(item.first_number, len(item.frames)) for item in read_log(tmp_path / "log") if isinstance(item, Frames)]
    assert spans == [(0, 50), (0, 5)]
    assert verify(tmp_path / "log").ok


def test_a_full_disk_costs_only_what_the_ring_could_not_hold(
    tmp_path: Path, pusher: Pusher, rover: Policy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = new_recorder(tmp_path, rover)
    pusher.push(10)
    assert recorder.drain()

    def full(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(segment_file.os, "write", full)
        for _ in range(5):
            pusher.push(30)
            assert not recorder.drain()
        assert recorder.failures == 5
    assert recorder.drain()
    assert recorder.failures == 0
    pusher.push(10)
    assert recorder.finish("stop")
    check_complete(tmp_path / "log", pusher)
    marks = [item for item in read_log(tmp_path / "log") if isinstance(item, Lost)]
    assert [item.reason for item in marks] == [LostReason.NOT_RECORDING]
    assert "writing_failed" in kinds(tmp_path / "log")
    said = capfd.readouterr().err
    assert said.count("cannot write the black box") == 1
    assert said.count("written again after 5 failed attempts") == 1


def test_a_disk_that_stays_full_is_given_up_at_the_end(
    tmp_path: Path, pusher: Pusher, rover: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = new_recorder(tmp_path, rover)
    pusher.push(10)
    assert recorder.drain()
    pusher.push(10)
    monkeypatch.setattr(recorder_module, "LAST_WRITES_S", 0.3)

    def full(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(segment_file.os, "write", full)
        assert not recorder.finish("stop")
    assert set(recorded(tmp_path / "log")) == set(range(10))


def test_a_ring_that_counts_backwards_is_recorded_and_followed(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    from safetykit.runtime.ring import HEAD_AT

    recorder = new_recorder(tmp_path, rover)
    pusher.push(50)
    assert recorder.drain()
    pusher.ring.words[HEAD_AT] = 3
    assert recorder.drain()
    assert recorder.finish("stop")
    assert "ring_damaged" in kinds(tmp_path / "log")
    spans = [(item.first_number, len(item.frames)) for item in read_log(tmp_path / "log") if isinstance(item, Frames)]
    assert spans == [(0, 50), (0, 3)]
    assert verify(tmp_path / "log").ok


def test_a_ring_that_went_back_between_recorders_is_recorded(tmp_path: Path, pusher: Pusher, rover: Policy) -> None:
    from safetykit.runtime.ring import HEAD_AT

    pusher.push(50)
    assert new_recorder(tmp_path, rover).finish("stop")
    pusher.ring.words[HEAD_AT] = 3
    assert new_recorder(tmp_path, rover).finish("stop")
    assert "ring_went_back" in kinds(tmp_path / "log")
    assert verify(tmp_path / "log").ok


def test_one_recorder_per_directory(tmp_path: Path) -> None:
    fd = lock_directory(tmp_path / "log")
    with pytest.raises(LogError, match="another recorder writes here"):
        lock_directory(tmp_path / "log", wait_s=0.1)
    os.close(fd)
    os.close(lock_directory(tmp_path / "log", wait_s=0.1))


def test_a_policy_document_is_compiled_into_a_record(tmp_path: Path, rover: Policy) -> None:
    path = tmp_path / "document.json"
    path.write_text(rover.to_json())
    assert read_policy(path) == policy_record(rover)


@pytest.mark.parametrize("spoil", ["ring", "no ring", "policy", "no policy", "directory", "key"])
def test_what_it_cannot_start_with_is_one_message(
    tmp_path: Path, ring: Ring, policy_json: Path, capfd: pytest.CaptureFixture[str], spoil: str
) -> None:
    out, more = tmp_path / "log", ["--key", str(tmp_path / "no key")] if spoil == "key" else []
    if spoil == "ring":
        (tmp_path / "ring").write_bytes(b"garbage!" * 100)
    elif spoil == "no ring":
        (tmp_path / "ring").unlink()
    elif spoil == "policy":
        policy_json.write_text("[1")
    elif spoil == "no policy":
        policy_json.unlink()
    elif spoil == "directory":
        out.write_text("a file")
    arguments = ["--ring", str(tmp_path / "ring"), "--out", str(out), "--policy-json", str(policy_json), *more]
    assert main(arguments) == 2
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("recorder: error: ")


# --------------------------------------------------------------------------- as a process
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


def test_a_ring_of_nobody_is_refused(tmp_path: Path, rover: Policy) -> None:
    with pytest.raises(MailboxError, match="not there"):
        Recorder(tmp_path / "none", Settings(tmp_path / "log"), policy_record(rover))
