"""The recorder as the guard runs it: nothing that happened is missing without a mark, whatever happens to it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.errors import LogError, MailboxError
from safetykit.policy import Policy
from safetykit.runtime.blackbox import recorder as recorder_module
from safetykit.runtime.blackbox import segment_file
from safetykit.runtime.blackbox.log_reader import Event, Frames, Lost, read_log
from safetykit.runtime.blackbox.opening import policy_record
from safetykit.runtime.blackbox.recorder import Recorder, lock_directory, main, read_policy
from safetykit.runtime.blackbox.replay import replay
from safetykit.runtime.blackbox.segment_file import list_segments
from safetykit.runtime.blackbox.segments import LostReason
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.blackbox.writer import Settings
from safetykit.runtime.ring import Ring
from tests.unit.blackbox.pushing import Pusher, check_complete, kinds, lost, recorded


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


def test_a_ring_of_nobody_is_refused(tmp_path: Path, rover: Policy) -> None:
    with pytest.raises(MailboxError, match="not there"):
        Recorder(tmp_path / "none", Settings(tmp_path / "log"), policy_record(rover))
