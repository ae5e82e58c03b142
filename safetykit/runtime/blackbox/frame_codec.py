"""Frames as compact bytes: only the 8-byte words that change, column by column, then zlib.

Measured on realistic runs (tests/bench/bench_blackbox.py): leaving out words that never change within a block is
three to five times faster than compressing whole frames, and word columns compress better than byte columns,
because a state word often repeats its input word and zlib then sees the same eight bytes again.

Layout of a block is described byte for byte in docs/blackbox.md.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

BLOCK_HEAD = struct.Struct("<QIBBHq")  # first number, count, base, word bytes, words per frame, UTC - monotonic
ABSOLUTE, CONTINUES = 0, 1  # the first frame is a difference to: all zeros | the last frame of the block before
FRAMES_PER_BLOCK_MAX = 2048
WORDS_MAX = 8192  # 64 KiB per frame; bounds what a damaged or hostile file can make the reader allocate
_WORD_BYTES = 8
_LEVEL = 1  # level 6 saves 15 % and costs twice the CPU


@dataclass(frozen=True)
class Block:
    """Decoded frames: ``words`` has shape (count, words per frame)."""

    first_number: int
    words: Words
    utc_minus_monotonic_ns: int

    @property
    def count(self) -> int:
        return int(self.words.shape[0])


@dataclass(frozen=True)
class BlockHead:
    first_number: int
    count: int
    base: int
    words_per_frame: int
    utc_minus_monotonic_ns: int


def as_words(frames: np.ndarray) -> Words:
    """Structured frames, shape (n,), as unsigned words, shape (n, itemsize / 8)."""
    contiguous = np.ascontiguousarray(frames)
    words: Words = contiguous.view(np.uint64).reshape(len(contiguous), contiguous.dtype.itemsize // _WORD_BYTES)
    return words


def encode_block(words: Words, first_number: int, utc_minus_monotonic_ns: int, base: Words | None) -> bytes:
    """Bytes of one block; `base` is the frame before the first one, or None for a block that stands alone."""
    count, width = words.shape
    if not 1 <= count <= FRAMES_PER_BLOCK_MAX or not 1 <= width <= WORDS_MAX:
        raise ValueError(f"a block holds 1 to {FRAMES_PER_BLOCK_MAX} frames of 1 to {WORDS_MAX} words")
    difference = words.copy()
    difference[1:] ^= words[:-1]
    if base is not None:
        difference[0] ^= base
    changed = difference.any(axis=0)
    columns = np.ascontiguousarray(difference[:, changed].T)
    head = BLOCK_HEAD.pack(
        first_number, count, ABSOLUTE if base is None else CONTINUES, _WORD_BYTES, width, utc_minus_monotonic_ns
    )
    return head + zlib.compress(np.packbits(changed).tobytes() + columns.tobytes(), _LEVEL)


def read_head(payload: bytes) -> BlockHead | None:
    """The head of a block, or None when it cannot be one."""
    if len(payload) < BLOCK_HEAD.size:
        return None
    first, count, base, word_bytes, width, offset_ns = BLOCK_HEAD.unpack_from(payload)
    if base not in (ABSOLUTE, CONTINUES) or word_bytes != _WORD_BYTES:
        return None
    if not 1 <= count <= FRAMES_PER_BLOCK_MAX or not 1 <= width <= WORDS_MAX:
        return None
    return BlockHead(first, count, base, width, offset_ns)


def decode_block(payload: bytes, base: Words | None) -> Block | None:
    """Frames of a block, or None when the bytes are not one or `base` is missing or of another size."""
    head = read_head(payload)
    if head is None:
        return None
    count, width = head.count, head.words_per_frame
    mask_size = (width + 7) // 8
    plain = _inflate(payload[BLOCK_HEAD.size :], mask_size + count * width * _WORD_BYTES)
    if plain is None or len(plain) < mask_size:
        return None
    mask = np.unpackbits(np.frombuffer(plain, np.uint8, mask_size))
    changed = mask[:width].astype(bool)
    changes = int(changed.sum())
    if mask[width:].any() or len(plain) != mask_size + changes * count * _WORD_BYTES:
        return None
    words = np.zeros((count, width), np.uint64)
    words[:, changed] = np.frombuffer(plain, "<u8", changes * count, mask_size).reshape(changes, count).T
    if head.base == CONTINUES:
        if base is None or base.shape != (width,):
            return None
        words[0] ^= base
    np.bitwise_xor.accumulate(words, axis=0, out=words)
    return Block(head.first_number, words, head.utc_minus_monotonic_ns)


def _inflate(data: bytes, size_max: int) -> bytes | None:
    """Decompress at most `size_max` bytes; None for garbage, an unfinished stream, more bytes or trailing bytes."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, size_max + 1)
    except zlib.error:
        return None
    return plain if inflater.eof and not inflater.unused_data and len(plain) <= size_max else None
