"""The demo's flight in one process: its policy passes the judge, and the same policy without a check does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from safetykit.policy import parse_policy
from safetykit.runtime.guard import Command, Guard
from sim.autonomy import Fault, Pilot, Script, load_script
from sim.demo.command import HERE
from sim.demo.fences import trespasses
from sim.demo.judge import read_allowed, strays
from sim.demo.links import measurements
from sim.demo.show import POLICY
from sim.vehicles import Quadrotor

FloatArray = NDArray[np.float64]

PERIOD_S, START_NS = 0.01, 1_000_000_000_000
DELAY_TICKS = 5  # of the measurements


def document() -> dict[str, Any]:
    made: dict[str, Any] = YAML(typ="safe").load(POLICY.read_text(encoding="utf-8"))
    return made


def only(kind: str, name: str = "") -> Script:
    """The demo's script with one fault, at 6 s."""
    script = load_script(HERE / "script.yaml")
    fault = next(fault for fault in script.faults if fault.kind == kind and name in fault.name)
    alone = Fault(fault.name, fault.kind, 6.0, fault.duration_s, fault.expect, fault.setting)
    return Script(6.0 + fault.duration_s + 1.0, script.seed, (0.0,), (alone,))


class Flight:
    """The records of one flight, as the demo's processes write them, and the faults that the guard named."""

    def __init__(self, made: dict[str, Any], script: Script, east_m: float = 0.0, lie_m: float = 0.0) -> None:
        guard, self.pilot, vehicle = Guard(parse_policy(made)), Pilot(script), Quadrotor()
        vehicle.position_m[0] = east_m
        seen: list[dict[str, float]] = []
        track, received, healthy = [], [], []
        self.named: set[str] = set()
        for tick in range(int(script.seconds / PERIOD_S)):
            time_s, command = tick * PERIOD_S, None
            if tick % 2 == 0:
                message = self.pilot.message(time_s)
                command = Command(message.values, START_NS + int(message.stamp_s * 1e9))
                if not self.pilot.wrong(message, time_s):
                    healthy.append([time_s, *message.values])
            lie = lie_m if self.pilot.fault_at(time_s) else 0.0
            seen.append({**measurements(vehicle), "altitude_2_m": float(vehicle.position_m[2]) + lie})
            switches = {"engage": float(tick > 10), "consent": 0.0}
            decision = guard.step(START_NS + int(time_s * 1e9), command, seen[max(tick - DELAY_TICKS, 0)] | switches)
            self.named |= set(decision.faults)
            values = np.array(list(decision.sent.values()))
            vehicle.step(values, PERIOD_S)
            received.append([time_s, time_s, *values])
            track.append([time_s, *vehicle.position_m, *vehicle.velocity_mps, vehicle.yaw_rad])
        self.track, self.healthy = np.array(track), np.array(healthy)
        self.received = np.array(received)[np.array(received)[:, 0] >= 6.0]


def without(key: str) -> dict[str, Any]:
    """The policy without a section, or without a key of all its channels."""
    made = document()
    made.pop(key, None)
    for channel in made["channels"].values():
        channel.pop(key, None)
    return made


def test_glitches_move_nothing_and_without_the_check_the_judge_sees_them() -> None:
    script = only("glitches")
    kept, bare = Flight(document(), script), Flight(without("outlier"), script)
    assert "OUTLIER" in kept.named
    assert strays(kept.received, kept.healthy) == []
    assert any("was moved" in text for text in strays(bare.received, bare.healthy))


def test_the_tower_is_kept_and_without_the_section_motion_the_judge_sees_the_vehicle_in_it() -> None:
    script, fences = only("burst", "tower"), read_allowed(POLICY).fences
    kept, bare = Flight(document(), script, east_m=-2.0), Flight(without("motion"), script, east_m=-2.0)
    assert "ZONE_NEAR" in kept.named
    assert "ZONE" not in kept.named
    assert trespasses(kept.track, fences) == []
    assert any("was in tower" in text for text in trespasses(bare.track, fences))


def test_swinging_to_and_fro_is_named_by_its_check_alone() -> None:
    script = only("indecision")
    assert "OSCILLATION" in Flight(document(), script).named
    assert "OSCILLATION" not in Flight(without("oscillation"), script).named


@pytest.mark.parametrize(("lie_m", "named"), [(4.0, True), (-4.0, True), (0.5, False)])
def test_the_second_altimeter_is_doubted_once_it_lies(lie_m: float, named: bool) -> None:
    assert ("DISAGREE" in Flight(document(), only("false_altitude"), lie_m=lie_m).named) is named
