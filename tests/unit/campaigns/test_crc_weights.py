"""The weights of the checksum: counted another way for small codes, and tied to the code that the guard runs."""

from __future__ import annotations

import numpy as np
import pytest

from safetykit.core import heartbeat, protocol
from tests.campaigns import crc_weights
from tests.campaigns.crc_weights import COMPARED, FRAME, Checksum, distance, transformed, undetected, worst

# Small codes: (width, generator without its highest power, data bits). The last one fills both tables of dual words.
SMALL = [(8, 0x1D, 16), (8, 0x2F, 11), (16, 0x1021, 14), (5, 0x05, 9), (18, 0x0C1B7, 10)]


def mirrored(polynomial: int, width: int) -> int:
    return int(f"{polynomial:0{width}b}"[::-1], 2)


def remainder(message: int, polynomial: int, width: int, data_bits: int) -> int:
    """Long division as on paper, highest power first."""
    divisor, dividend = polynomial | 1 << width, message << width
    for place in reversed(range(data_bits)):
        if dividend >> (place + width) & 1:
            dividend ^= divisor << place
    return dividend


def every_word(width: int, polynomial: int, data_bits: int) -> list[int]:
    """A_k by looking at every code word."""
    weights = [0] * (width + data_bits + 1)
    for message in range(1 << data_bits):
        word = message << width | remainder(message, polynomial, width, data_bits)
        weights[word.bit_count()] += 1
    return weights


@pytest.mark.parametrize(("width", "polynomial", "data_bits"), SMALL)
def test_the_transform_finds_the_weights_of_small_codes(width: int, polynomial: int, data_bits: int) -> None:
    small = Checksum("small", width, mirrored(polynomial, width), data_bits, 0)
    assert transformed(crc_weights.dual_weights(small)) == every_word(width, polynomial, data_bits)


def test_the_dual_of_the_dual_is_the_code() -> None:
    dual = crc_weights.dual_weights(Checksum("small", 8, mirrored(0x1D, 8), 16, 0))
    assert transformed(transformed(dual)) == dual


def test_weights_of_no_linear_code_are_refused() -> None:
    with pytest.raises(ValueError, match="no linear code"):
        transformed([1, 1, 0, 1, 0])


@pytest.mark.parametrize("checksum", COMPARED, ids=lambda checksum: checksum.name)
def test_every_compared_checksum_is_what_its_name_says(checksum: Checksum) -> None:
    assert checksum.of(b"123456789") == checksum.check


def test_the_frame_is_the_one_of_the_protocol() -> None:
    assert (FRAME.width, FRAME.data_bits, FRAME.length) == (32, 96, 8 * protocol.FRAME_BYTES)


@pytest.mark.parametrize("unit", [0, 1, 255])
def test_each_bit_changes_the_production_checksum_as_counted(unit: int) -> None:
    """Unit number and inversions shift all code words alike: the enumerated code is the one on the line."""
    frame = np.random.default_rng(unit).integers(0, 256, protocol.FRAME_BYTES)
    plain = heartbeat.checksum(unit, frame, protocol.BODY_BYTES)
    for place, column in enumerate(FRAME.columns()):
        changed = frame.copy()
        changed[place // 8] ^= 1 << place % 8
        assert heartbeat.checksum(unit, changed, protocol.BODY_BYTES) ^ plain == column, f"bit {place}"


def test_chances_of_a_code_that_can_be_worked_out_by_hand() -> None:
    """Two bits that must be equal: unnoticed if both flip."""
    weights = [1, 0, 1]
    assert distance(weights) == 2
    assert undetected(weights, 0.1) == pytest.approx(0.01)
    assert worst(weights) == pytest.approx((0.5, 0.25))


def test_the_worst_rate_may_lie_in_the_middle() -> None:
    weights = [1, 0, 3, 0, 0]  # 3 p^2 (1-p)^2 has its top at 1/2; with one more bit it moves to 2/5
    assert worst(weights) == pytest.approx((0.5, 3 / 16))
    assert worst([1, 0, 3, 0, 0, 0])[0] == pytest.approx(0.4, abs=1e-6)


def test_the_frame_has_the_numbers_that_the_protocol_claims() -> None:
    """The whole count, 2^32 words."""
    weights = transformed(crc_weights.dual_weights(FRAME))
    assert sum(weights) == 1 << 96
    assert (distance(weights), weights[8]) == (8, 836)
    assert undetected(weights, 1e-2) == pytest.approx(2.54e-14, rel=0.005)
    p, peak = worst(weights)
    assert (p, peak) == (pytest.approx(0.120, abs=0.001), pytest.approx(2.334e-10, rel=0.001))
