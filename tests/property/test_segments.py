"""Any frames come back byte for byte; any change, cut or move of bytes is found, and nothing raises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safetykit.core.layout import FRAME
from safetykit.runtime.blackbox import frame_codec
from safetykit.runtime.blackbox.segments import NO_HASH, EntryType, Scan, encode_entry, scan, to_json

WIDTHS = st.sampled_from([1, 7, 8, 9, 33, FRAME.itemsize // 8])


@st.composite
def word_arrays(draw: st.DrawFn) -> np.ndarray:
    """Frames as words: from all noise to hardly any change."""
    count, width = draw(st.integers(1, 40)), draw(WIDTHS)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    words = random.integers(0, 2**64, (count, width), np.uint64)
    kept = random.random((count, width)) < draw(st.sampled_from([0.0, 0.5, 0.97, 1.0]))
    words[kept] = 0
    return words


@given(word_arrays(), st.integers(0, 2**63), st.integers(-(2**62), 2**62), st.booleans())
def test_any_frames_come_back_byte_for_byte(words: np.ndarray, first: int, offset_ns: int, continues: bool) -> None:
    base = np.arange(words.shape[1], dtype=np.uint64) * np.uint64(7919) if continues else None
    payload = frame_codec.encode_block(words, first, offset_ns, base)
    block = frame_codec.decode_block(payload, base)
    assert block is not None
    assert block.words.tobytes() == words.tobytes()
    assert (block.first_number, block.count, block.utc_minus_monotonic_ns) == (first, len(words), offset_ns)


@given(st.integers(0, 2**32))
def test_structured_frames_come_back_with_every_bit_pattern(seed: int) -> None:
    raw = np.random.default_rng(seed).integers(0, 256, 3 * FRAME.itemsize, np.uint8).tobytes()
    frames = np.frombuffer(raw, FRAME)
    block = frame_codec.decode_block(frame_codec.encode_block(frame_codec.as_words(frames), 0, 0, None), None)
    assert block is not None
    assert block.words.tobytes() == raw


@given(st.binary(max_size=200))
def test_a_block_of_garbage_is_none(payload: bytes) -> None:
    assert frame_codec.decode_block(payload, None) is None


def test_a_block_that_continues_needs_the_frame_before() -> None:
    words = np.arange(6, dtype=np.uint64).reshape(2, 3)
    payload = frame_codec.encode_block(words, 5, 0, np.zeros(3, np.uint64))
    assert frame_codec.decode_block(payload, None) is None
    assert frame_codec.decode_block(payload, np.zeros(4, np.uint64)) is None
    assert frame_codec.decode_block(payload, np.zeros(3, np.uint64)) is not None


@pytest.mark.parametrize("shape", [(0, 3), (frame_codec.FRAMES_PER_BLOCK_MAX + 1, 1), (1, frame_codec.WORDS_MAX + 1)])
def test_a_block_beyond_its_bounds_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a block holds"):
        frame_codec.encode_block(np.zeros(shape, np.uint64), 0, 0, None)


# --------------------------------------------------------------------------- one segment
def small_segment(closed: bool = True) -> tuple[bytes, list[int]]:
    """A segment with every entry type, and the offset where each entry starts."""
    words = np.random.default_rng(1).integers(0, 2**64, (2, 3), np.uint64)
    entries = [
        (EntryType.OPEN, to_json({"log_id": "a", "previous": {"hash": "11" * 32}})),
        (EntryType.FRAMES, frame_codec.encode_block(words, 0, 0, None)),
        (EntryType.LOST, bytes(20)),
        (EntryType.EVENT, to_json({"event": "state", "value": float("nan")})),
        (EntryType.EVENT, to_json({"event": "state", "value": float("nan")})),
    ]
    if closed:
        entries.append((EntryType.CLOSE, to_json({"reason": "stop"})))
    data, offsets, previous = b"", [], bytes.fromhex("11" * 32)
    for number, (kind, payload) in enumerate(entries):
        offsets.append(len(data))
        entry, previous = encode_entry(kind, number, 1_700_000_000_000_000_000 + number, payload, previous)
        data += entry
    return data, [*offsets, len(data)]


def is_intact(result: Scan) -> bool:
    return not result.damages and result.tail is None


def test_an_untouched_segment_is_intact() -> None:
    data, offsets = small_segment()
    result = scan(data)
    assert is_intact(result)
    assert [entry.offset for entry in result.entries] == offsets[:-1]
    assert result.opening is not None
    assert result.closing is not None
    assert result.good_size == len(data)


@pytest.mark.parametrize("closed", [True, False])
def test_every_single_bit_flip_is_found_and_costs_at_most_two_entries(closed: bool) -> None:
    data, offsets = small_segment(closed)
    whole = {entry.payload for entry in scan(data).entries}
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        result = scan(bytes(changed))
        assert not is_intact(result), f"bit {bit} of {8 * len(data)} changed unnoticed"
        assert not result.tail_torn, f"bit {bit}: a change was taken for an interrupted write"
        assert len(result.entries) >= len(offsets) - 1 - 2, f"bit {bit}: more was given up than needed"
        assert {entry.payload for entry in result.entries} <= whole, f"bit {bit}: changed content was believed"
        found = [*result.damages, *([result.tail] if result.tail else [])]
        assert any(damage.offset <= bit // 8 < damage.offset + damage.size for damage in found), (
            f"bit {bit}: wrong place"
        )


def test_every_truncation_is_handled_and_torn_exactly_between_entries() -> None:
    data, offsets = small_segment(closed=False)
    for size in range(len(data)):
        result = scan(data[:size])
        whole = sum(1 for end in offsets[1:] if end <= size)
        assert len(result.entries) == whole
        assert not result.damages
        assert (result.tail is not None) == (size not in offsets)
        assert result.tail_torn == (size not in offsets)


@pytest.mark.parametrize("change", ["swap", "duplicate", "remove", "insert"])
def test_moved_entries_are_found(change: str) -> None:
    data, offsets = small_segment()
    parts = [data[a:b] for a, b in pairwise(offsets)]
    for place in range(len(parts) - 1):
        moved = list(parts)
        if change == "swap":
            moved[place], moved[place + 1] = moved[place + 1], moved[place]
        elif change == "duplicate":
            moved.insert(place, moved[place])
        elif change == "remove":
            del moved[place]
        else:
            moved.insert(place, b"foreign bytes")
        assert not is_intact(scan(b"".join(moved))), f"{change} at entry {place} went unnoticed"


@given(st.binary(max_size=400))
def test_garbage_is_never_believed_and_never_raises(data: bytes) -> None:
    result = scan(data)
    assert not result.entries
    assert (result.tail is not None) == bool(data)


@given(st.data())
def test_any_edit_of_any_length_is_found(data: st.DataObject) -> None:
    whole, _ = small_segment()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=80)) + whole[end:]
    result = scan(changed)
    if changed != whole and changed not in _prefixes(whole):
        assert not is_intact(result)


def _prefixes(whole: bytes) -> set[bytes]:
    """Cuts exactly between entries leave an intact, unclosed segment; the head file and the next segment show those."""
    _, offsets = small_segment()
    return {whole[:offset] for offset in offsets}


def test_hostile_headers_do_not_make_the_search_endless() -> None:
    header, _ = encode_entry(EntryType.EVENT, 7, 0, b"", NO_HASH)
    result = scan((header[:32] + bytes(32)) * 4000)
    assert not result.entries
    assert result.tail is not None
