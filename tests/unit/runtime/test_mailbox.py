"""Mailboxes between real processes and under every accident of their writer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from safetykit.core.layout import STATUS_NEVER, STATUS_TORN
from safetykit.errors import MailboxError
from safetykit.runtime import mailbox
from safetykit.runtime.mailbox import ControlWriter, MailboxReader, MailboxWriter, create_mailbox
from safetykit.runtime.words import WordFile

# Publishes messages whose values all equal their sequence number, as fast as it can.
FAST_WRITER = """
import sys
from safetykit.runtime.mailbox import MailboxWriter
writer = MailboxWriter(sys.argv[1])
seq = 0
while True:
    seq += 1
    writer.publish([float(seq)] * 64, seq=seq, bits=seq, aux=seq)
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    create_mailbox(tmp_path / "box").close()
    return tmp_path / "box"


def test_nothing_was_ever_published(box: Path) -> None:
    reader = MailboxReader(box)
    assert reader.read() is None
    assert reader.status == STATUS_NEVER
    assert reader.torn == 0


def test_defaults_are_now_own_count_and_number_of_values(box: Path) -> None:
    writer, reader = MailboxWriter(box), MailboxReader(box)
    before = time.monotonic_ns()
    assert [writer.publish([1.0, 2.0]), writer.publish([3.0])] == [1, 2]
    message = reader.read()
    assert message is not None
    assert before <= message.stamp_ns <= time.monotonic_ns()
    assert (message.seq, message.count, message.published, message.values.tolist()) == (2, 1, 2, [3.0])


def test_the_same_message_is_read_again(box: Path) -> None:
    writer, reader = MailboxWriter(box), MailboxReader(box)
    writer.publish([1.0])
    first, second = reader.read(), reader.read()
    assert first is not None
    assert second is not None
    assert first.published == second.published


def test_a_second_writer_is_refused_and_leaves_a_mark(box: Path) -> None:
    first = MailboxWriter(box)
    with pytest.raises(MailboxError, match=rf"has a writer already \(process {os.getpid()}\)"):
        MailboxWriter(box)
    assert WordFile.open(box).words[mailbox.REFUSED] == 1
    first.close()
    MailboxWriter(box).close()


def test_the_next_writer_goes_on_counting(box: Path) -> None:
    for expected in (1, 2, 3):
        writer = MailboxWriter(box)
        assert writer.publish([0.0]) == expected
        writer.close()
    message = MailboxReader(box).read()
    assert message is not None
    assert message.published == 3


@pytest.mark.parametrize("values", [[0.0] * 65, list(range(1000))])
def test_too_many_values_are_refused(box: Path, values: list[float]) -> None:
    writer = MailboxWriter(box)
    with pytest.raises(MailboxError, match="a mailbox carries 64"):
        writer.publish(values)
    assert MailboxReader(box).read() is None


def test_a_number_beyond_64_bits_is_refused(box: Path) -> None:
    writer = MailboxWriter(box)
    with pytest.raises(MailboxError, match="does not fit"):
        writer.publish([0.0], seq=2**63)
    writer.publish([0.0], seq=2**63 - 1)
    assert writer.publish([0.0]) == 1  # counts around the end


def test_after_close_nothing_is_published(box: Path) -> None:
    writer = MailboxWriter(box)
    writer.close()
    with pytest.raises(MailboxError, match="closed"):
        writer.publish([0.0])


def test_a_writer_killed_half_way_reads_as_torn_until_the_next_one_publishes(box: Path) -> None:
    writer = MailboxWriter(box)
    writer.publish([1.0])
    words = WordFile.open(box, writable=True).words
    words[mailbox.LOCK] |= 1
    words[mailbox.PAYLOAD] = 42
    writer.close()
    reader = MailboxReader(box)
    assert reader.read() is None
    assert (reader.status, reader.torn) == (STATUS_TORN, 1)
    MailboxWriter(box).publish([7.0])
    message = reader.read()
    assert message is not None
    assert message.values.tolist() == [7.0]
    assert message.published == 2


def test_no_message_is_ever_mixed_while_another_process_writes(box: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", FAST_WRITER, str(box)])
    try:
        reader, seen, last = MailboxReader(box), 0, 0
        end = time.monotonic() + 60.0
        while seen < 5_000 and time.monotonic() < end:
            message = reader.read()
            if message is None:
                continue
            assert set(message.values.tolist()) == {float(message.seq)}
            assert message.bits == message.aux == message.seq >= last
            seen += message.seq != last
            last = message.seq
        assert seen >= 5_000
    finally:
        writer.kill()
        writer.wait()
    taken = MailboxWriter(box)  # the kernel gave its lock back
    taken.publish([0.0], seq=last + 10)
    assert MailboxReader(box).read() is not None


@pytest.mark.parametrize("size", [0, 8, mailbox.WORDS * 8 - 8, mailbox.WORDS * 8 + 8, 4096])
def test_a_file_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "box"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(MailboxError, match=f"{size} bytes, expected 640"):
        MailboxReader(path)


def test_missing_foreign_and_open_files_are_refused(tmp_path: Path, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MailboxError, match="is the guard running"):
        MailboxReader(tmp_path / "nothing")
    box.chmod(0o640)
    with pytest.raises(MailboxError, match="mode 0640 lets others in"):
        MailboxReader(box)
    box.chmod(0o600)
    (tmp_path / "link").symlink_to(box)
    with pytest.raises(MailboxError, match="cannot open"):
        MailboxReader(tmp_path / "link")
    (tmp_path / "directory").mkdir(mode=0o700)
    with pytest.raises(MailboxError, match="not a regular file"):
        MailboxReader(tmp_path / "directory")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(MailboxError, match="belongs to user"):
        MailboxReader(box)


def test_creating_again_keeps_the_message_and_the_mapping(box: Path) -> None:
    writer = MailboxWriter(box)
    writer.publish([5.0])
    create_mailbox(box).close()
    writer.publish([6.0])
    message = MailboxReader(box).read()
    assert message is not None
    assert message.values.tolist() == [6.0]


def test_creating_over_another_size_makes_it_new(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(bytes(100))
    path.chmod(0o600)
    create_mailbox(path)
    assert MailboxReader(path).read() is None


def test_control_counts_its_stops_and_keeps_the_button(box: Path) -> None:
    control = ControlWriter(box)
    control.stop()
    control.button(True)
    control.stop()
    control.reset(3)
    control.close()
    ControlWriter(box).reset(4)
    message = MailboxReader(box).read()
    assert message is not None
    assert message.values.tolist() == [2.0]
    assert message.bits == mailbox.CONTROL_RESET | mailbox.CONTROL_BUTTON
    assert message.aux == 4


def test_control_begins_anew_after_garbage(box: Path) -> None:
    MailboxWriter(box).publish([float("nan")])
    control = ControlWriter(box)
    control.stop()
    message = MailboxReader(box).read()
    assert message is not None
    assert message.values.tolist() == [1.0]


def test_checksum_depends_on_every_content_word_and_on_the_order() -> None:
    words = np.arange(mailbox.WORDS)
    swapped = words.copy()
    swapped[[mailbox.SEQ, mailbox.AUX]] = swapped[[mailbox.AUX, mailbox.SEQ]]
    assert mailbox.checksum(words, 0) != mailbox.checksum(swapped, 0)
    assert mailbox.checksum(np.zeros(mailbox.WORDS, np.int64), 0) != 0
