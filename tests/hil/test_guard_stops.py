"""Guard and board together: every way to stop, judged tick by tick from the guard's own frames."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from safetykit.core import heartbeat as hb
from safetykit.core import protocol as p
from safetykit.core.vocabulary import Fault, State
from safetykit.runtime import paths
from safetykit.runtime.ring import RingReader
from tests.hil.nursery import Nursery, nursery_on_board
from tests.unit.runtime.running import wait_for


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with nursery_on_board() as crowd:
        yield crowd


def frames_until_stop(nursery: Nursery, cause: Callable[[], Any]) -> Any:
    """The guard's frames from just before `cause` to the emergency stop."""
    reader = RingReader(nursery.directory / paths.RING)
    reader.next_number = reader.head - 1
    cause()
    kept = []

    def stopped() -> bool:
        new, _, lost = reader.read()
        assert lost == 0
        kept.append(new)
        return bool((new["st_state"] == State.EMERGENCY_STOP).any())

    wait_for(stopped)
    return np.concatenate(kept)


def first(flags: Any) -> int:
    assert flags.any()
    return int(flags.argmax())


def mcu_state(frames: Any) -> Any:
    return frames["in_device"] & 0xFF


@pytest.mark.parametrize("channels", [(True, True), (True, False), (False, True)], ids=["both", "only A", "only B"])
def test_the_button_stops_the_guard_in_the_tick_that_hears_of_it(nursery: Nursery, channels: tuple[bool, bool]) -> None:
    guard = nursery.run()
    frames = frames_until_stop(nursery, lambda: nursery.board.press(*channels))
    assert mcu_state(frames)[0] == p.STATE_RUN
    heard = first(mcu_state(frames) == p.STATE_STOPPED)
    assert first(frames["st_state"] == State.EMERGENCY_STOP) == heard
    assert frames["out_power"][heard] == 0
    assert frames["out_faults"][heard] >> Fault.STOP_BUTTON & 1
    nursery.board.wait_power(False)
    assert nursery.board.event().cause == p.Cause.CHANNEL
    nursery.board.release()
    time.sleep(0.3)
    assert not nursery.board.power  # releasing starts nothing
    os.kill(guard, signal.SIGKILL)


def test_a_silent_microcontroller_stops_the_guard_within_its_time(nursery: Nursery) -> None:
    """Its clock is halted, so it can do nothing itself: the guard's own time limit must hold."""
    guard = nursery.run()
    frames = frames_until_stop(nursery, nursery.board.freeze)
    stop = first(frames["st_state"] == State.EMERGENCY_STOP)
    assert frames["out_faults"][stop] >> Fault.DEVICE_SILENT & 1
    heard_ns = int(nursery.page().link[hb.HEARD_NS])
    age_ns = frames["in_now_ns"] - heard_ns
    assert age_ns[stop] > hb.LINK_NS
    assert age_ns[stop - 1] <= hb.LINK_NS
    os.kill(guard, signal.SIGKILL)
    nursery.board.wait_power(False)  # the pump of relay 2 has run dry
    nursery.board.thaw()
    nursery.board.power_cycle()  # to the firmware relay 2 has failed


def test_a_frozen_guard_loses_power_and_gets_none_back_when_it_goes_on(nursery: Nursery) -> None:
    guard = nursery.run()
    os.kill(guard, signal.SIGSTOP)
    nursery.board.wait_power(False)
    event = nursery.board.event()
    assert event.cause == p.Cause.HOST_SILENT
    assert event.link_us <= p.LINK_US + nursery.board.state("cycle_max_us")
    os.kill(guard, signal.SIGCONT)
    wait_for(lambda: nursery.view().state == State.EMERGENCY_STOP)
    time.sleep(0.3)
    assert not nursery.board.power
    os.kill(guard, signal.SIGKILL)


def test_a_software_stop_opens_the_relays(nursery: Nursery) -> None:
    guard = nursery.run()
    nursery.control.stop()
    nursery.board.wait_power(False, 3.0)
    assert nursery.board.event().cause == p.Cause.HOST_STOP
    assert nursery.view().state in (State.PROTECTIVE_STOP, State.EMERGENCY_STOP)
    os.kill(guard, signal.SIGKILL)


def test_a_board_that_restarts_stops_the_guard(nursery: Nursery) -> None:
    guard = nursery.run()
    frames = frames_until_stop(nursery, nursery.board.reset)
    stop = first(frames["st_state"] == State.EMERGENCY_STOP)
    assert frames["out_faults"][stop] & (1 << Fault.STOP_BUTTON | 1 << Fault.DEVICE_SILENT)
    nursery.board.wait_state(p.STATE_STOPPED)
    time.sleep(0.3)
    assert not nursery.board.power
    os.kill(guard, signal.SIGKILL)


def test_a_welded_relay_does_not_keep_power_and_locks_the_board(nursery: Nursery) -> None:
    guard = nursery.run()
    nursery.board.weld(1)
    nursery.board.press()
    nursery.board.wait_power(False)
    nursery.board.wait(lambda: nursery.board.event().cause == p.Cause.RELAY_STUCK, "locked")
    nursery.board.release()
    nursery.board.repair(1)
    time.sleep(0.2)
    nursery.board.turn_key()
    time.sleep(0.2)
    assert nursery.board.state("state") == p.STATE_STOPPED
    assert "locked until a power cycle" in nursery.page().facts(time.monotonic_ns()).inputs
    nursery.board.power_cycle()
    nursery.board.wait_state(p.STATE_STOPPED)
    os.kill(guard, signal.SIGKILL)
    assert nursery.board.state("locked") == 0
