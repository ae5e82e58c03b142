"""The firmware against the naive model: every output of every step is the same, and every way is walked."""

from __future__ import annotations

import pytest

from tests.firmware.differential import TRACE, Difference, Tally, compare, trace_of
from tests.firmware.library import library
from tests.firmware.scripts import Author

SEEDS = range(1, 7)
STEPS = 100_000
OUTPUTS = 17  # place of the byte of the outputs in a record of TRACE


@pytest.fixture(scope="module")
def tally() -> Tally:
    """All steps of all seeds, compared."""
    total = Tally()
    for seed in SEEDS:
        script = Author(seed).script(STEPS)
        total.add(compare(script, trace_of(library(), script)))
    return total


@pytest.mark.slow
def test_firmware_and_model_say_the_same_in_every_step(tally: Tally) -> None:
    assert tally.steps == STEPS * len(SEEDS)


@pytest.mark.slow
def test_the_steps_reach_every_cause_and_every_transition(tally: Tally) -> None:
    assert not tally.missing()


@pytest.mark.slow
def test_a_fifth_of_the_steps_is_in_run(tally: Tally) -> None:
    assert tally.states["RUN"] > tally.steps / 5
    assert tally.states["ARMED"] > tally.steps / 50


def test_a_difference_of_one_bit_is_found_and_told() -> None:
    script = Author(5).script(2_000)
    trace = bytearray(trace_of(library(), script))
    at = 1_500 * TRACE.size
    trace[at + OUTPUTS] ^= 1
    with pytest.raises(Difference, match=r"step 1500[\s\S]*-> outputs"):
        compare(script, bytes(trace))


def test_a_tally_of_nothing_misses_everything() -> None:
    missing = Tally().missing()
    assert "ARMED -> RUN" in missing
    assert "RELAY_DEAD" in missing
    assert len(missing) == 9 + 14
