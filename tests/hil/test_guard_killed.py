"""The guard dies at any moment: the relays open within the time limit, on the microcontroller's own clock."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator

import pytest

from safetykit.core import protocol as p
from safetykit.core.vocabulary import State
from tests.hil.nursery import Nursery, nursery_on_board
from tests.unit.runtime.running import wait_for

KILLS = 100
RUN_S_MAX = 0.15
STOPPED_BEFORE_MAX = 10  # an emulated board that its host does not schedule for 100 ms is silent to the guard


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with nursery_on_board() as crowd:
        yield crowd


def test_a_guard_killed_at_any_moment_loses_power_in_time(nursery: Nursery) -> None:
    """SIGKILL, a hundred times, at random: on the clock of the microcontroller, never later than the limit and one
    cycle of its own. A guard that stopped by itself before it was killed shows nothing, and does not count."""
    board, rng = nursery.board, random.Random(20)
    ages_us: list[int] = []
    stopped_before = 0
    while len(ages_us) < KILLS:
        guard = nursery.run()
        time.sleep(rng.uniform(0.0, RUN_S_MAX))
        os.kill(guard, signal.SIGKILL)
        board.wait_power(False)
        event = board.event()
        if event.cause == p.Cause.HOST_STOP:
            stopped_before += 1
            assert stopped_before <= STOPPED_BEFORE_MAX
            continue
        assert event.cause == p.Cause.HOST_SILENT
        ages_us.append(event.link_us)
    assert max(ages_us) <= p.LINK_US + board.state("cycle_max_us")
    assert min(ages_us) > p.LINK_US


def test_a_new_guard_does_not_bring_power_back(nursery: Nursery) -> None:
    guard = nursery.run()
    os.kill(guard, signal.SIGKILL)
    nursery.board.wait_power(False)
    nursery.start()
    wait_for(nursery.may_be_reset)
    nursery.control.reset(nursery.view().stop_event)  # of the guard alone: nobody was at the key
    time.sleep(0.3)
    assert nursery.board.state("state") == p.STATE_STOPPED
    assert not nursery.board.power
    assert nursery.view().state == State.EMERGENCY_STOP
