"""The writer: rotation, recovery after any crash, a full disk, retention."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safetykit.errors import LogError
from safetykit.runtime.blackbox import segment_file
from safetykit.runtime.blackbox.log_reader import Event, Frames, Lost, Opened, read_log
from safetykit.runtime.blackbox.opening import frame_dtype, is_present_layout, policy_arrays
from safetykit.runtime.blackbox.segment_file import list_segments
from safetykit.runtime.blackbox.segments import LostReason, segment_name, segment_number, segment_utc_ns
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.blackbox.writer import BlackBox, Clocks, Settings
from safetykit.runtime.paths import log_dir

WriteLog = Callable[..., BlackBox]
RING = {"identity": "aa", "starts": 1}
DAY_NS = 86_400 * 10**9


def events(log: Path, kind: str) -> list[dict[str, Any]]:
    return [item.event for item in read_log(log) if isinstance(item, Event) and item.event.get("event") == kind]


def recorded(log: Path) -> bytes:
    return b"".join(item.frames.tobytes() for item in read_log(log) if isinstance(item, Frames))


def test_the_open_entry_holds_what_a_replay_elsewhere_needs(write_log: WriteLog, rover: Any) -> None:
    log = write_log().settings.directory
    opened = [item.document for item in read_log(log) if isinstance(item, Opened)]
    assert [document["segment"] for document in opened] == [0, 1, 2]
    assert opened[0]["previous"] is None
    assert opened[1]["previous"]["number"] == 0
    for document in opened:
        arrays = policy_arrays(document)
        assert arrays is not None
        assert arrays[0].tobytes() == rover.limits.tobytes()
        assert arrays[1].tobytes() == rover.timing.tobytes()
        assert document["policy"]["digest"] == rover.digest
        assert is_present_layout(document)
        assert {"safetykit", "python", "numpy", "numba", "machine"} <= document["software"].keys()


def test_only_the_owner_may_read(write_log: WriteLog) -> None:
    log = write_log().settings.directory
    assert stat.S_IMODE(log.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in log.iterdir()} == {0o600}
    log.chmod(0o750)
    with pytest.raises(LogError, match="mode 0750 lets others in"):
        BlackBox(Settings(log), {})


def test_names_sort_by_number_and_tell_the_time() -> None:
    names = [segment_name(9, 1_770_000_000_123_456_789), segment_name(10, 5)]
    assert names == sorted(names)
    assert names[0] == "00000009-20260202T024000.123456Z.skbb"
    assert segment_utc_ns(names[0]) == 1_770_000_000_123_456_000
    assert (segment_number(names[0]), segment_number("notes.txt"), segment_utc_ns("x")) == (9, None, None)
    assert segment_utc_ns("00000000-20269999T000000.000000Z.skbb") is None


def test_segments_rotate_by_size_and_by_age(tmp_path: Path, run: np.ndarray, manual_clocks: Any) -> None:
    box = BlackBox(Settings(tmp_path / "log", segment_size_max=8_000, clocks=manual_clocks.clocks()), {}, RING)
    for first in range(0, 400, 10):
        box.write_frames(run[first : first + 10], first)
        box.keep_up()
    by_size = len(list_segments(tmp_path / "log"))
    assert by_size > 1
    manual_clocks.advance(3600 * 10**9)
    box.keep_up()
    assert len(list_segments(tmp_path / "log")) == by_size + 1
    box.close("stop")
    assert verify(tmp_path / "log").ok
    assert recorded(tmp_path / "log") == run.tobytes()


def test_a_crash_at_any_byte_loses_nothing_that_was_whole(tmp_path: Path, run: np.ndarray) -> None:
    """Cut the newest segment anywhere, go on: whole entries stay, the rest is put aside and on record."""
    log = tmp_path / "log"
    box = BlackBox(Settings(log), {"name": "none"}, RING)
    box.write_frames(run[:3], 0)
    box.write_frames(run[3:5], 3)
    file, data = list_segments(log)[0].path, list_segments(log)[0].path.read_bytes()
    ends = [entry.end for entry in segment_file_scan(data)]
    head = log / "head.json"
    near_ends = {end + shift for end in ends for shift in (-1, 0, 1)}
    for size in sorted((near_ends | set(range(0, len(data), 29))) & set(range(len(data) + 1))):
        for old in log.iterdir():
            old.unlink()
        file.write_bytes(data[:size])
        file.chmod(0o600)
        again = BlackBox(Settings(log), {"name": "none"}, RING)
        again.open()
        whole = max((end for end in ends if end <= size), default=0)
        expected = {0: None, ends[0]: None, ends[1]: 3, ends[2]: 5}[whole]
        assert again.next_frame == expected, f"cut at {size}"
        again.write_frames(run[expected or 0 : 8], expected or 0)
        again.close("stop")
        assert head.exists()
        report = verify(log)
        assert report.ok, f"cut at {size}: {report.findings}"
        assert recorded(log) == run[:8].tobytes()
        torn = events(log, "torn_tail")
        assert sum(event["size"] for event in torn) == size - whole
        assert b"".join((log / event["file"]).read_bytes() for event in torn) == data[whole:size]


def segment_file_scan(data: bytes) -> list[Any]:
    from safetykit.runtime.blackbox.segments import scan

    return scan(data).entries


def test_a_log_shorter_than_what_was_synced_stays_a_finding(write_log: WriteLog) -> None:
    box = write_log(closed=False, policy={"name": "none"})
    box.sync()
    log = box.settings.directory
    last = list_segments(log)[-1].path
    os.truncate(last, last.stat().st_size - 10)
    again = BlackBox(box.settings, {"name": "none"}, RING)
    again.open()
    again.close("stop")
    findings = verify(log).findings
    assert len(findings) == 1
    assert "was on the disk with" in findings[0].what


def test_damage_before_the_end_is_left_as_it_is(write_log: WriteLog) -> None:
    box = write_log(closed=False, policy={"name": "none"})
    log = box.settings.directory
    last = list_segments(log)[-1].path
    data = bytearray(last.read_bytes())
    data[segment_file_scan(bytes(data))[1].offset + 50] ^= 4
    last.write_bytes(data)
    again = BlackBox(box.settings, {"name": "none"}, RING)
    again.open()
    again.close("stop")
    assert last.read_bytes() == data
    assert {finding.segment for finding in verify(log).findings} == {last.name}


def test_frames_of_another_ring_do_not_continue(write_log: WriteLog) -> None:
    box = write_log()
    assert BlackBox(box.settings, {}, {"identity": "bb"}).next_frame is None
    assert BlackBox(box.settings, {}).next_frame is None
    assert BlackBox(box.settings, {}, RING).next_frame == 400


def test_damage_costs_at_most_the_blocks_up_to_the_next_that_stands_alone(tmp_path: Path, run: np.ndarray) -> None:
    log = tmp_path / "log"
    box = BlackBox(Settings(log), {}, RING)
    for first in range(0, 100, 2):
        box.write_frames(run[first : first + 2], first)
    box.close("stop")
    file = list_segments(log)[0].path
    data = bytearray(file.read_bytes())
    data[segment_file_scan(bytes(data))[4].offset + 50] ^= 4  # the fourth block: frames 6 and 7
    file.write_bytes(data)
    kept = {item.first_number for item in read_log(log) if isinstance(item, Frames)}
    assert kept == {0, 2, 4} | set(range(40, 100, 2))


# --------------------------------------------------------------------------- full disk
class FullDisk:
    """Lets `room` bytes through, then fails like a full disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.write
        monkeypatch.setattr(segment_file.os, "write", self.write)

    def write(self, fd: int, data: Any) -> int:
        if self.room is None:
            return self._write(fd, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(fd, data[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("room", [0, 1, 31, 32, 33, 100, 2000, 6000])
def test_an_entry_that_does_not_fit_is_taken_back(
    tmp_path: Path, run: np.ndarray, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    log, disk = tmp_path / "log", FullDisk(monkeypatch)
    box = BlackBox(Settings(log), {"name": "none"}, RING)
    disk.room = room

    def write_rest() -> None:
        for first in range(box.next_frame or 0, 400, 5):
            box.write_frames(run[first : first + 5], first)

    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            write_rest()
    disk.room = None
    write_rest()
    box.close("stop")
    report = verify(log)
    assert report.ok, report.findings
    assert recorded(log) == run.tobytes()


@pytest.mark.parametrize("room", range(0, 900, 50))
def test_a_rotation_that_does_not_fit_is_done_later(
    tmp_path: Path, run: np.ndarray, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    log, disk = tmp_path / "log", FullDisk(monkeypatch)
    box = BlackBox(Settings(log, segment_size_max=1), {"name": "none"}, RING)
    box.write_frames(run[:5], 0)
    disk.room = room
    with pytest.raises(OSError, match="No space left"):
        box.keep_up()
    disk.room = None
    box.keep_up()
    box.write_frames(run[5:10], 5)
    box.close("stop")
    report = verify(log)
    assert report.ok, report.findings
    assert recorded(log) == run[:10].tobytes()


# --------------------------------------------------------------------------- retention
def test_nothing_younger_than_180_days_goes(tmp_path: Path, run: np.ndarray, manual_clocks: Any) -> None:
    log = tmp_path / "log"
    box = BlackBox(Settings(log, clocks=manual_clocks.clocks()), {"name": "none"}, RING)
    for day in range(250):
        box.write_frames(run[day : day + 1], day)
        box.close("rotation")
        manual_clocks.advance(DAY_NS)
    box.open()
    kept = [segment.number for segment in list_segments(log)]
    assert kept == list(range(kept[0], 251))
    assert kept[0] == 250 - 180
    removed = events(log, "segment_removed")
    assert [event["segment"] for event in removed][-1] == kept[0] - 1
    box.close("stop")
    report = verify(log)
    assert report.ok, report.findings
    assert any("removed by retention" in note for note in report.notes)


def test_a_removal_without_record_is_found(tmp_path: Path, run: np.ndarray, manual_clocks: Any) -> None:
    log = tmp_path / "log"
    box = BlackBox(Settings(log, clocks=manual_clocks.clocks()), {"name": "none"}, RING)
    for day in range(190):
        box.write_frames(run[day : day + 1], day)
        box.close("rotation")
        manual_clocks.advance(DAY_NS)
    box.close("stop")
    assert verify(log).ok
    list_segments(log)[0].path.unlink()
    assert "no record of its removal" in verify(log).findings[0].what


def test_keeping_less_needs_a_decision_and_is_on_record(tmp_path: Path, run: np.ndarray, manual_clocks: Any) -> None:
    log = tmp_path / "log"
    with pytest.raises(LogError, match="an operator decision must be given"):
        BlackBox(Settings(log, keep_days=30), {})
    assert not log.exists()
    given = Settings(log, keep_days=30, keep_decision="A. Smith: test bench", clocks=manual_clocks.clocks())
    box = BlackBox(given, {"name": "none"}, RING)
    for day in range(40):
        box.write_frames(run[day : day + 1], day)
        box.close("rotation")
        manual_clocks.advance(DAY_NS)
    assert len(list_segments(log)) < 40
    assert events(log, "segment_removed")[0]["keep_days"] == 30
    BlackBox(given, {"name": "none"}, RING).open()
    assert any("A. Smith" in note for note in verify(log).notes)


def test_segments_from_before_the_clock_was_set_are_not_taken_for_old(tmp_path: Path, run: np.ndarray) -> None:
    log, now = tmp_path / "log", [5 * DAY_NS]
    box = BlackBox(Settings(log, clocks=Clocks(lambda: now[0], lambda: 0)), {"name": "none"}, RING)
    for number in range(6):
        box.write_frames(run[number : number + 1], number)
        box.close("rotation")
        if number == 2:
            now[0] = 1_770_000_000 * 10**9
    box.open()
    assert len(list_segments(log)) == 7


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SAFETYKIT_LOG_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert log_dir("arm").parts[-5:] == (".local", "state", "safetykit", "log", "arm")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert log_dir("arm") == tmp_path / "safetykit" / "log" / "arm"
    monkeypatch.setenv("SAFETYKIT_LOG_DIR", str(tmp_path))
    assert log_dir() == tmp_path / "default"


def test_lost_frames_are_marked(tmp_path: Path, run: np.ndarray) -> None:
    log = tmp_path / "log"
    box = BlackBox(Settings(log), {}, RING)
    box.write_frames(run[:5], 0)
    box.write_lost(5, 10, LostReason.OVERRUN)
    box.write_frames(run[15:20], 15)
    box.close("stop")
    report = verify(log)
    assert report.ok, report.findings
    assert report.segments[0].lost == 10
    assert [(item.first_number, item.count) for item in read_log(log) if isinstance(item, Lost)] == [(5, 10)]


def test_a_gap_without_a_mark_is_found(tmp_path: Path, run: np.ndarray) -> None:
    log = tmp_path / "log"
    box = BlackBox(Settings(log), {}, RING)
    box.write_frames(run[:5], 0)
    box.write_frames(run[7:9], 7)
    box.close("stop")
    assert "frame 5 expected, found 7" in verify(log).findings[0].what


def test_a_gap_between_segments_without_a_mark_is_found(tmp_path: Path, run: np.ndarray) -> None:
    log = tmp_path / "log"
    box = BlackBox(Settings(log), {}, RING)
    box.write_frames(run[:5], 0)
    box.close("rotation")
    box.next_frame = 7
    box.write_frames(run[7:9], 7)
    box.close("stop")
    assert "goes on with frame 7" in verify(log).findings[0].what


@pytest.mark.parametrize(
    "layout",
    [
        None,
        {},
        {"fields": 3},
        {"fields": [["a", "O", []]]},
        {"fields": [["a", "<f8", [0]]]},
        {"fields": [["a", "<f8", []]]},
    ],
)
def test_a_malformed_layout_is_no_layout(layout: Any) -> None:
    assert frame_dtype({"layout": layout}) is None
