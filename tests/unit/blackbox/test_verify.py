"""Whatever is done to a log, verify says so and where; whatever is not damage, it does not complain about."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safetykit.errors import LogError
from safetykit.runtime.blackbox.log_reader import Frames, Unreadable, read_log
from safetykit.runtime.blackbox.segment_file import Head, list_segments, write_head
from safetykit.runtime.blackbox.segments import EntryType, encode_entry, scan
from safetykit.runtime.blackbox.signature import load_public_key
from safetykit.runtime.blackbox.verify import verify
from safetykit.runtime.blackbox.writer import BlackBox, Settings

WriteLog = Callable[..., BlackBox]


def paths(log: Path) -> list[Path]:
    return [segment.path for segment in list_segments(log)]


def frames_of(log: Path) -> np.ndarray:
    return np.concatenate([item.frames for item in read_log(log) if isinstance(item, Frames)])


@pytest.fixture
def small_log(write_log: WriteLog) -> Path:
    """Three segments without a policy document, so that every byte of them can be tried."""
    return write_log(policy={"name": "none"}).settings.directory


def test_a_whole_log_is_whole(write_log: WriteLog, run: np.ndarray) -> None:
    log = write_log().settings.directory
    report = verify(log)
    assert report.ok, report.findings
    assert not report.notes
    assert [segment.state for segment in report.segments] == ["closed"] * 3
    assert sum(segment.frames for segment in report.segments) == len(run)
    assert frames_of(log).tobytes() == run.tobytes()


def test_an_open_log_is_whole_too(write_log: WriteLog) -> None:
    report = verify(write_log(closed=False).settings.directory)
    assert report.ok, report.findings
    assert [segment.state for segment in report.segments] == ["closed", "closed", "open"]


def telling_offsets(data: bytes) -> list[int]:
    """Every byte of headers and hashes, every 11th of the long payloads; test_segments.py tries every single bit."""
    found = set(range(0, len(data), 11))
    for entry in scan(data).entries:
        found |= set(range(entry.offset, entry.offset + 36)) | set(range(entry.end - 36, entry.end))
    return sorted(found & set(range(len(data))))


def test_a_changed_byte_of_any_file_is_found(small_log: Path) -> None:
    tried = 0
    for file in [*paths(small_log), small_log / "head.json"]:
        data = file.read_bytes()
        for offset in telling_offsets(data) if file.suffix == ".skbb" else range(len(data)):
            changed = bytearray(data)
            changed[offset] ^= 1 << offset % 8
            file.write_bytes(changed)
            report = verify(small_log)
            assert not report.ok, f"{file.name}, byte {offset}, bit {offset % 8}: changed unnoticed"
            assert any(finding.segment == file.name for finding in report.findings)
            tried += 1
        file.write_bytes(data)
    assert tried > 2000
    assert verify(small_log).ok


def test_a_truncation_of_any_file_is_found(small_log: Path) -> None:
    for file in [*paths(small_log), small_log / "head.json"]:
        data = file.read_bytes()
        ends = {entry.end + shift for entry in scan(data).entries for shift in (-32, -1, 0, 1, 31, 32, 33)}
        for size in sorted((ends | set(range(0, len(data), 37))) & set(range(len(data)))):
            file.write_bytes(data[:size])
            assert not verify(small_log).ok, f"{file.name} cut to {size} bytes unnoticed"
        file.write_bytes(data)


def test_an_open_segment_may_end_anywhere_after_what_was_synced(write_log: WriteLog) -> None:
    box = write_log(closed=False, policy={"name": "none"})
    box.sync()
    log, file = box.settings.directory, paths(box.settings.directory)[-1]
    synced = file.stat().st_size
    box.write_event({"event": "later"})
    data = file.read_bytes()
    for size in range(synced - 70, len(data)):
        file.write_bytes(data[:size])
        assert verify(log).ok == (size >= synced), f"cut to {size}, synced {synced}"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_missing_segment_is_found(small_log: Path, number: int) -> None:
    paths(small_log)[number].unlink()
    report = verify(small_log)
    assert not report.ok
    assert "missing" in str(report.findings[0]) or "cut" in str(report.findings[0])


def test_swapped_segments_are_found(small_log: Path) -> None:
    first, second, _ = paths(small_log)
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert not verify(small_log).ok


def test_a_foreign_segment_is_found(small_log: Path, write_log: WriteLog) -> None:
    other = paths(write_log("other", policy={"name": "none"}).settings.directory)[1]
    own = paths(small_log)[1]
    shutil.copy(other, own)
    findings = [str(finding) for finding in verify(small_log).findings]
    assert any("belongs to another log" in finding for finding in findings)
    shutil.copy(other, other.with_name("00000003-20270101T000000.000000Z.skbb"))
    assert not verify(small_log).ok


def test_two_segments_of_one_number_are_found(small_log: Path) -> None:
    shutil.copy(paths(small_log)[1], small_log / "00000001-20270101T000000.000000Z.skbb")
    assert any("two segments 1" in finding.what for finding in verify(small_log).findings)


def test_a_missing_head_is_found(small_log: Path) -> None:
    (small_log / "head.json").unlink()
    assert [str(finding) for finding in verify(small_log).findings] == [
        "head.json: missing: the end of the log cannot be checked"
    ]


def test_the_message_names_segment_entry_and_byte(small_log: Path) -> None:
    file = paths(small_log)[1]
    target = scan(file.read_bytes()).entries[3]
    data = bytearray(file.read_bytes())
    data[target.offset + 40] ^= 1
    file.write_bytes(data)
    finding = verify(small_log).findings[0]
    assert (finding.segment, finding.entry, finding.offset) == (file.name, 3, target.offset)


def test_what_damage_leaves_is_still_read(small_log: Path, run: np.ndarray) -> None:
    file = paths(small_log)[1]
    target = [entry for entry in scan(file.read_bytes()).entries if entry.type == EntryType.FRAMES][1]
    data = bytearray(file.read_bytes())
    data[target.offset + 40] ^= 1
    file.write_bytes(data)
    items = list(read_log(small_log))
    read = {item.first_number: item.frames.tobytes() for item in items if isinstance(item, Frames)}
    assert all(run[first : first + len(raw) // run.itemsize].tobytes() == raw for first, raw in read.items())
    lost = [item for item in items if isinstance(item, Unreadable)]
    assert "hash does not match" in lost[0].what
    assert all("forerunner is lost" in item.what for item in lost[1:])
    blocks = 3 * 4
    assert len(read) + len(lost) == blocks


# --------------------------------------------------------------------------- forgery
def forge(file: Path, number: int, payload: bytes) -> None:
    """Change an entry and compute all later hashes of the segment anew."""
    entries = scan(file.read_bytes()).entries
    data, previous = file.read_bytes()[: entries[number].offset], entries[number - 1].hash
    for entry in entries[number:]:
        content = payload if entry.number == number else entry.payload
        raw, previous = encode_entry(EntryType(entry.type), entry.number, entry.utc_ns, content, previous)
        data += raw
    file.write_bytes(data)


def test_a_segment_forged_with_fresh_hashes_is_found_by_its_follower(small_log: Path) -> None:
    forge(paths(small_log)[0], 2, b'{"event":"nothing happened"}')
    findings = verify(small_log).findings
    assert any("does not follow on from segment 0" in finding.what for finding in findings)


def make_key(directory: Path, name: str) -> tuple[Path, Path]:
    private, public = directory / f"{name}.pem", directory / f"{name}.pub"
    key = Ed25519PrivateKey.generate()
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_the_newest_segment_forged_with_its_head_is_found_by_the_signature(write_log: WriteLog, tmp_path: Path) -> None:
    private, public = make_key(tmp_path, "key")
    log = write_log(policy={"name": "none"}, key_path=private).settings.directory
    key = load_public_key(public)
    report = verify(log, key)
    assert report.ok, report.findings
    assert {segment.signed_by for segment in report.segments} == {key.hex()}
    last = paths(log)[-1]
    event = next(entry for entry in scan(last.read_bytes()).entries if entry.type == EntryType.EVENT)
    forge(last, event.number, b'{"event":"nothing happened"}')
    end = scan(last.read_bytes())
    log_id = end.entries[0].json()["log_id"]
    write_head(log, Head(log_id, 2, len(end.entries), end.entries[-1].hash))
    findings = verify(log).findings
    assert [finding.what for finding in findings] == ["the signature does not fit the chain"]


def test_another_key_and_no_signature_are_found(write_log: WriteLog, tmp_path: Path) -> None:
    private, _ = make_key(tmp_path, "key")
    _, other = make_key(tmp_path, "other")
    signed = write_log("signed", policy={}, key_path=private).settings.directory
    unsigned = write_log("unsigned", policy={}).settings.directory
    assert all("another key" in finding.what for finding in verify(signed, load_public_key(other)).findings)
    assert [finding.what for finding in verify(unsigned, load_public_key(other)).findings] == ["not signed"] * 3


def test_a_public_key_may_be_given_in_hexadecimal(tmp_path: Path) -> None:
    _, public = make_key(tmp_path, "key")
    raw = load_public_key(public)
    public.write_text(raw.hex() + "\n")
    assert load_public_key(public) == raw


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (b"", 0o600, "not an unencrypted PEM private key"),
        (b"\xff" * 40, 0o600, "not an unencrypted PEM private key"),
        (None, 0o644, "mode 0644 lets others read"),
        (None, None, "cannot read the signing key"),
    ],
)
def test_a_bad_signing_key_is_one_clear_message(
    tmp_path: Path, content: bytes | None, mode: int | None, message: str
) -> None:
    private, _ = make_key(tmp_path, "key")
    if content is not None:
        private.write_bytes(content)
    if mode is None:
        private.unlink()
    else:
        private.chmod(mode)
    with pytest.raises(LogError, match=message):
        BlackBox(Settings(tmp_path / "log", key_path=private), {})


# --------------------------------------------------------------------------- torn tails, other garbage
def test_a_torn_tail_put_aside_is_guarded_too(write_log: WriteLog) -> None:
    box = write_log(closed=False, policy={"name": "none"})
    box.sync()
    log = box.settings.directory
    with paths(log)[-1].open("ab") as file:
        file.write(b"SKBB\x01")
    again = BlackBox(box.settings, {"name": "none"}, {"identity": "aa", "starts": 1})
    again.open()
    again.close("stop")
    assert verify(log).ok
    torn = next(log.glob("*.torn"))
    torn.write_bytes(b"SKBB\x02")
    assert [finding.what for finding in verify(log).findings] == ["changed since it was put aside"]
    torn.unlink()
    assert [finding.what for finding in verify(log).findings] == ["missing: it was put aside after a crash"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.binary(max_size=100))
def test_garbage_files_are_findings_and_never_raise(tmp_path: Path, contents: list[bytes], head: bytes) -> None:
    log = tmp_path / hashlib.sha256(repr((contents, head)).encode()).hexdigest()
    log.mkdir(exist_ok=True)
    for number, content in enumerate(contents):
        (log / f"{number:08d}-20260101T000000.000000Z.skbb").write_bytes(content)
    (log / "head.json").write_bytes(head)
    assert not verify(log).ok
    assert not [item for item in read_log(log) if not isinstance(item, Unreadable)]


@pytest.mark.parametrize(
    "body", [[], {}, {"previous": 3}, {"previous": {"hash": "zz"}}, {"layout": {"fields": [["a"]]}}]
)
def test_well_chained_nonsense_never_raises(tmp_path: Path, body: Any) -> None:
    data, previous = encode_entry(EntryType.OPEN, 0, -5, json.dumps(body).encode(), bytes(32))
    for number, kind in enumerate([EntryType.FRAMES, EntryType.LOST, EntryType.EVENT, EntryType.CLOSE], start=1):
        raw, previous = encode_entry(kind, number, 2**62, b"[1" if number % 2 else b"", previous)
        data += raw
    file = tmp_path / "00000000-20260101T000000.000000Z.skbb"
    file.write_bytes(data)
    assert not verify(tmp_path).ok
    assert list(read_log(tmp_path))


def test_one_segment_can_be_checked_by_itself(small_log: Path) -> None:
    report = verify(paths(small_log)[1])
    assert report.ok, report.findings
    assert "links to other segments were not checked" in report.notes[0]


def test_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no segments"):
        verify(tmp_path)
    with pytest.raises(LogError, match="cannot read"):
        verify(tmp_path / "nowhere")
