"""The ring: order, loss, restart, damage."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from safetykit.core import layout
from safetykit.errors import MailboxError
from safetykit.runtime import ring
from safetykit.runtime.ring import Ring, RingReader

# Pushes frames whose every word is the frame's number, as fast as it can.
FAST_PRODUCER = """
import sys
import numpy as np
from safetykit.runtime import ring
words = ring.Ring.create(sys.argv[1], 8).words
frame = np.zeros(ring.FRAME_WORDS, np.int64)
while True:
    frame += 1
    ring.push(words, frame)
"""


def push(target: Ring, *numbers: int) -> None:
    frames = layout.new_frames(1)
    for number in numbers:
        frames["out_seq"] = number
        target.push(frames)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ring"


def test_frames_come_in_order_once(path: Path) -> None:
    target = Ring.create(path, 8)
    reader = RingReader(path)
    push(target, 0, 1, 2)
    frames, first, lost = reader.read()
    assert (frames["out_seq"].tolist(), first, lost) == ([0, 1, 2], 0, 0)
    frames, first, lost = reader.read()
    assert (len(frames), first, lost) == (0, 3, 0)
    push(target, 3, 4)
    assert reader.read(1)[0]["out_seq"].tolist() == [3]
    assert reader.read(1)[1] == 4


def test_what_was_overwritten_is_counted(path: Path) -> None:
    target = Ring.create(path, 8)
    reader = RingReader(path)
    push(target, *range(20))
    frames, first, lost = reader.read()
    assert (frames["out_seq"].tolist(), first, lost) == (list(range(13, 20)), 13, 13)
    assert reader.lost == 13


def test_a_reader_begins_at_the_oldest_or_where_it_is_told(path: Path) -> None:
    target = Ring.create(path, 8)
    push(target, *range(20))
    assert RingReader(path).read()[1:] == (13, 0)
    assert RingReader(path, 15).read()[1:] == (15, 0)
    assert RingReader(path, 3).read()[1:] == (13, 10)


def test_a_fitting_ring_goes_on_another_is_made_new(path: Path) -> None:
    push(Ring.create(path, 8), 0, 1)
    identity = RingReader(path).identity
    again = Ring.create(path, 8)
    assert again.head == 2
    assert RingReader(path).identity == identity
    assert again.words[ring.STARTS_AT] == 2
    assert Ring.create(path, 16).head == 0
    assert RingReader(path).identity != identity


def test_a_ring_that_went_back_is_an_error(path: Path) -> None:
    target = Ring.create(path, 8)
    push(target, 0, 1, 2)
    reader = RingReader(path)
    reader.read()
    target.words[ring.HEAD_AT] = 1
    with pytest.raises(MailboxError, match="went back from frame 3 to 1"):
        reader.read()


def test_unread_counts_from_the_first_acknowledgement(path: Path) -> None:
    target = Ring.create(path, 8)
    reader = RingReader(path)
    push(target, 0, 1, 2)
    assert target.unread == 0
    reader.read(2)
    reader.acknowledge()
    assert target.unread == 1


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (ring.MAGIC_AT, 0, "not a ring"),
        (ring.LAYOUT_AT, 99, "this program reads layout"),
        (ring.FRAME_SIZE_AT, 8, "this program reads layout"),
        (ring.SLOTS_AT, 0, "header says 0 slots"),
        (ring.SLOTS_AT, 9, "header says 9 slots"),
        (ring.SLOTS_AT, -1, "header says -1 slots"),
    ],
)
def test_a_damaged_header_is_an_error(path: Path, word: int, value: int, message: str) -> None:
    Ring.create(path, 8).words[word] = value
    with pytest.raises(MailboxError, match=message):
        RingReader(path)


@pytest.mark.parametrize("size", [8, 16 * 8])
def test_a_file_too_short_is_an_error(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(MailboxError, match="too short"):
        RingReader(path)


def test_no_frame_is_ever_mixed_while_another_process_writes(path: Path) -> None:
    Ring.create(path, 8)
    producer = subprocess.Popen([sys.executable, "-c", FAST_PRODUCER, str(path)])
    try:
        reader, seen, lost = RingReader(path), 0, 0
        end = time.monotonic() + 60.0
        while (seen < 2000 or lost < 2000) and time.monotonic() < end:
            frames, first, gone = reader.read(8)
            words = frames.view(np.int64).reshape(-1, ring.FRAME_WORDS)
            assert np.all(words == words[:, :1])
            assert (words[:, 0] - 1 == np.arange(first, first + len(frames))).all()
            seen, lost = seen + len(frames), lost + gone
        assert min(seen, lost) >= 2000
    finally:
        producer.kill()
        producer.wait()
