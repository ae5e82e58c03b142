"""Commands that swing to and fro."""

from __future__ import annotations

import math

import pytest

from safetykit.core import oscillation
from safetykit.core.vocabulary import Fault, State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core
SWINGS = {"energy": 60.0, "window_ms": 1000, "deadband": 0.5}


def made(**changes: float) -> Document:
    return document({"oscillation": {**SWINGS, **changes}, "rate_up_per_s": 900, "rate_down_per_s": 900})


def energy(drive: Drive) -> float:
    return float(drive.guard.frame.st_swing_energy[0])


def test_a_planner_that_flips_to_and_fro_is_stopped() -> None:
    drive = Drive(made()).engaged()
    for k in range(8):
        decision = drive.tick((2.0, -2.0)[k % 2])
        assert decision.state is (State.ENGAGED if k < 5 else State.RECOVERY), k
        if (
            k == 5
        ):  # 2^2 for the first swing, which began at rest, then 4^2 for each of four more, less what was forgotten
            assert decision.faults == ("OSCILLATION",)
            assert 60 < energy(drive) < 68
    assert (energy(drive), drive.tick(0.0).faults) == (0.0, ()), "forgotten with the drive"


def test_the_same_swings_far_apart_are_forgotten() -> None:
    drive = Drive(made()).engaged()
    for k in range(12):
        assert drive.ticks(70, (2.0, -2.0)[k % 2]).state is State.ENGAGED


def test_one_way_and_noise_within_the_deadband_have_no_energy() -> None:
    drive = Drive(made()).engaged()
    for k in range(100):
        drive.tick(0.04 * k + (0.25, -0.25)[k % 2])
    assert energy(drive) == 0.0
    drive.ticks(50, 3.0)
    assert energy(drive) == pytest.approx((0.04 * 98 + 0.25) ** 2 / 1.01**49), "back by more than the deadband: a turn"


@pytest.mark.parametrize(("back", "turns"), [(0.5, False), (0.500001, True)])
def test_a_turn_counts_beyond_the_deadband(back: float, turns: bool) -> None:
    drive = Drive(made()).engaged()
    drive.tick(3.0)
    drive.tick(3.0 - back)
    assert (energy(drive) > 0) is turns


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_it_looks_both_ways(way: float) -> None:
    drive = Drive(made()).engaged()
    for value in (2.0, 3.0, 1.0, 0.5, 4.0):
        drive.tick(way * value)
    assert energy(drive) == pytest.approx(9 / 1.01**2 + 2.5**2)


def test_the_energy_decays_with_its_time_constant_and_the_limit_is_reached_and_not_passed() -> None:
    drive = Drive(made(energy=16.0 / 1.01, window_ms=1000)).engaged()
    drive.tick(4.0)
    drive.tick(0.0)
    assert drive.guard.frame.out_faults == 1 << Fault.OSCILLATION
    level = Drive(made(energy=16.0)).engaged()
    level.tick(4.0)
    assert level.tick(0.0).faults == ()
    assert energy(level) == 16.0
    level.ticks(100, 0.0)
    assert energy(level) == pytest.approx(16.0 / 1.01**100)
    assert energy(level) == pytest.approx(16.0 / math.e, rel=0.01)


def test_an_ask_counts_as_far_as_the_bounds_reach() -> None:
    drive = Drive(made(energy=1000.0)).engaged()
    for k in range(20):
        drive.tick((1e300, -1e300)[k % 2])
    assert energy(drive) <= 20 * 100


def test_asks_do_not_count_while_a_person_drives() -> None:
    drive = Drive(made())
    for k in range(30):
        assert drive.tick((2.0, -2.0)[k % 2]).faults == ("NOT_PERMITTED",)
    drive.engaged()
    drive.ticks(1, 3.0)
    drive.tick(0.0)
    assert energy(drive) > 0
    policy, frame = drive.guard.policy, drive.guard.frame
    frame.st_manual = 1
    assert oscillation.check(policy.limits, policy.timing, drive.guard._argument, True, 0.01) == 0
    assert energy(drive) == 0.0


def test_a_value_that_is_not_a_number_is_a_fault_and_forgets_nothing() -> None:
    """No such value is ever accepted as a command; this is damaged memory."""
    drive = Drive(made()).engaged()
    drive.tick(4.0)
    drive.tick(0.0)
    policy, frame, before = drive.guard.policy, drive.guard.frame, energy(drive)
    frame.st_ask[1] = math.nan
    assert oscillation.check(policy.limits, policy.timing, drive.guard._argument, True, 0.01) == 1 << Fault.OSCILLATION
    assert energy(drive) == before
    frame.st_ask[1] = 0.0
    frame.st_swing_energy[0] = math.nan
    assert oscillation.check(policy.limits, policy.timing, drive.guard._argument, True, 0.01) == 1 << Fault.OSCILLATION


def test_the_slot_belongs_to_its_own_channel() -> None:
    two = made()
    two["channels"]["b"] = two["channels"].pop("a")
    two["channels"] = {"a": {"unit": "flag", "min": -5, "max": 5}, "b": two["channels"]["b"]}
    two["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(two).engaged()
    for k in range(12):
        assert drive.tick((2.0, -2.0)[k % 2], 0.0).state is State.ENGAGED
    assert energy(drive) == 0.0


def test_two_channels_have_their_own_energies_and_numbers() -> None:
    two = made(energy=20.0)
    second = {"energy": 40.0, "window_ms": 2000, "deadband": 1.0}
    two["channels"]["b"] = {**two["channels"]["a"], "min": -3, "max": 3, "oscillation": second}
    two["channels"]["b"].update(rate_up_per_s=600, rate_down_per_s=600)
    two["recovery"][0]["set"] = {"a": 0.0, "b": 0.0}
    drive = Drive(two).engaged()
    drive.tick(0.0, 9.0)
    drive.tick(0.0, 2.0)
    assert list(drive.guard.frame.st_swing_energy[:2]) == [0.0, 0.0]
    assert "OSCILLATION" not in drive.tick(0.0, -9.0).faults
    assert list(drive.guard.frame.st_swing_energy[:2]) == [0.0, 9.0]
    drive.tick(0.0, -9.0)
    assert drive.guard.frame.st_swing_energy[1] == 9.0 / 1.005
    assert drive.tick(0.0, 0.0).faults == ("OSCILLATION",)
