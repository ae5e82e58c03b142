"""Exact weights of the frame's checksum: ``python -m tests.campaigns.crc_weights``.

A damaged frame goes unnoticed exactly if its error pattern is itself a code word. How many code words have k ones
(A_k) says everything about independent bit errors of rate p:  P_ud(p) = sum of A_k p^k (1 - p)^(n - k).

The code [128, 96] has 2^96 words, too many to look at. Its dual has 2^32: all of them are built and counted (B_j), and
MacWilliams' identity gives A_k from B_j in whole numbers, without a bound or an estimate. The unit number in front
of a frame and the two inversions of the checksum shift every word by the same amount; differences do not see them.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic
from rich.console import Console
from rich.table import Table

from safetykit.core import protocol

RATES = (1e-5, 1e-4, 1e-3, 1e-2)
FRAMES_PER_HOUR = 100 * 3600
WORD_BITS = 64
LOW_ROWS_MAX = 16  # the dual words of so many rows lie in a table
BOOKS = 4  # histograms that take turns, so that no count waits for the one before

Table64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Checksum:
    """A reflected checksum over some data bits, in the order in which a serial line sends them."""

    name: str
    width: int
    reflected: int  # generator polynomial, lowest power in the highest bit
    data_bits: int
    check: int  # of "123456789", with all ones before and behind

    @property
    def length(self) -> int:
        return self.data_bits + self.width

    def shift(self, register: int, bit: int) -> int:
        """The register after one more bit."""
        return register >> 1 ^ (self.reflected if (register ^ bit) & 1 else 0)

    def of(self, data: bytes) -> int:
        """The checksum as it is commonly defined: for the comparison with `check`."""
        ones = (1 << self.width) - 1
        register = ones
        for byte in data:
            for place in range(8):
                register = self.shift(register, byte >> place & 1)
        return register ^ ones

    def columns(self) -> list[int]:
        """What each data bit changes in the checksum."""
        columns = []
        for place in range(self.data_bits):
            register = self.shift(0, 1)
            for _ in range(self.data_bits - place - 1):
                register = self.shift(register, 0)
            columns.append(register)
        return columns

    def dual_rows(self) -> list[int]:
        """A basis of the dual code: the parity check equations, one whole number of `length` bits each."""
        columns = self.columns()
        rows = []
        for place in range(self.width):
            row = 1 << (self.data_bits + place)
            for bit, column in enumerate(columns):
                row |= (column >> place & 1) << bit
            rows.append(row)
        return rows


BODY_BITS = 8 * protocol.BODY_BYTES
FRAME = Checksum("CRC-32/AUTOSAR", 32, protocol.CRC_REFLECTED, BODY_BITS, 0x1697D06A)
COMPARED = (
    FRAME,
    Checksum("CRC-32C", 32, 0x82F63B78, BODY_BITS, 0xE3069283),
    Checksum("CRC-32 (IEEE 802.3)", 32, 0xEDB88320, BODY_BITS, 0xCBF43926),
)


# ------------------------------------------------------------------ counting


def _popcount(typing_context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), generate


popcount: Any = intrinsic(_popcount)


def _spans(rows: list[int]) -> Table64:
    """All 2^len(rows) sums of the rows, as pairs of 64-bit words."""
    spans = np.zeros((1 << len(rows), 2), np.uint64)
    for place, row in enumerate(rows):
        halves = np.array([row & (1 << WORD_BITS) - 1, row >> WORD_BITS], np.uint64)
        spans[1 << place : 2 << place] = spans[: 1 << place] ^ halves
    return spans


def _count(low: Table64, high: Table64, books: npt.NDArray[np.int64]) -> None:
    for i in range(high.shape[0]):
        for j in range(low.shape[0]):
            weight = popcount(low[j, 0] ^ high[i, 0]) + popcount(low[j, 1] ^ high[i, 1])
            books[j % BOOKS, np.int64(weight)] += 1


_count_compiled: Callable[[Table64, Table64, npt.NDArray[np.int64]], None] = numba.njit(nogil=True)(_count)


def dual_weights(checksum: Checksum) -> list[int]:
    """B_j: how many words of the dual code have j ones. Looks at every one of the 2^width words."""
    rows = checksum.dual_rows()
    low = min(LOW_ROWS_MAX, len(rows))
    books = np.zeros((BOOKS, checksum.length + 1), np.int64)
    _count_compiled(_spans(rows[:low]), _spans(rows[low:]), books)
    return [int(count) for count in books.sum(axis=0)]


def krawtchouk(n: int, k: int, j: int) -> int:
    """Value of the k-th Krawtchouk polynomial of length n at j."""
    return sum((-1) ** s * math.comb(j, s) * math.comb(n - j, k - s) for s in range(k + 1))


def transformed(weights: list[int]) -> list[int]:
    """MacWilliams: the weights of a code from those of its dual. Raises ValueError if they belong to no linear code."""
    n, size = len(weights) - 1, sum(weights)
    result = []
    for k in range(n + 1):
        total = sum(count * krawtchouk(n, k, j) for j, count in enumerate(weights) if count)
        if total < 0 or total % size:
            raise ValueError(f"no linear code has these dual weights: A_{k} would be {total}/{size}")
        result.append(total // size)
    return result


# ------------------------------------------------------------------ what follows from the weights


def undetected(weights: list[int], p: float) -> float:
    """Chance that a frame is damaged by independent bit errors of rate p and still has the right checksum."""
    n = len(weights) - 1
    return math.fsum(count * p**k * (1.0 - p) ** (n - k) for k, count in enumerate(weights) if k and count)


def worst(weights: list[int]) -> tuple[float, float]:
    """(p, P_ud) where P_ud is largest for 0 < p <= 0.5: the best of a fine grid, refined by thirds."""
    grid = [0.5 * step / 2000 for step in range(1, 2001)]
    at = max(range(len(grid)), key=lambda index: undetected(weights, grid[index]))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    for _ in range(60):
        third = (high - low) / 3.0
        if undetected(weights, low + third) < undetected(weights, high - third):
            low += third
        else:
            high -= third
    best = max(((low + high) / 2.0, grid[at]), key=lambda p: undetected(weights, p))
    return best, undetected(weights, best)


def distance(weights: list[int]) -> int:
    """Hamming distance: the smallest number of flipped bits that can go unnoticed."""
    return next(k for k, count in enumerate(weights) if k and count)


def row_of(checksum: Checksum, weights: list[int]) -> list[str]:
    """One line of the table."""
    least = distance(weights)
    p, peak = worst(weights)
    chances = [undetected(weights, rate) for rate in RATES]
    return [
        checksum.name,
        str(least),
        f"A{least}={weights[least]}",
        *(f"{chance:.2e}" for chance in chances),
        f"{peak:.3e} at {p:.3f}",
        f"{chances[-1] * FRAMES_PER_HOUR:.1e}",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frame-only", action="store_true", help="only the checksum that the frames have")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table(title=f"{FRAME.data_bits} data bits, {FRAME.length} bits on the line")
    heads = ("HD", "words", *(f"P_ud {rate:.0e}" for rate in RATES), "worst P_ud", "per hour, 100 Hz, 1e-2")
    table.add_column("checksum")
    for head in heads:
        table.add_column(head, justify="right")
    began = time.monotonic()
    for checksum in COMPARED[:1] if options.frame_only else COMPARED:
        table.add_row(*row_of(checksum, transformed(dual_weights(checksum))))
    console.print(table)
    console.print(f"every one of 2^{FRAME.width} dual words counted, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
