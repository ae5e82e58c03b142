"""The pilot goes wrong exactly as its script says, and is healthy otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from safetykit.core.vocabulary import Fault
from safetykit.policy import load_policy
from sim.autonomy import DIRECTED, KINDS, Message, Pilot, load_script, set_points
from sim.demo.command import HERE
from sim.demo.show import POLICY

PERIOD_S = 0.02
SCRIPT = HERE / "script.yaml"


def flight(pilot: Pilot) -> list[tuple[float, Message]]:
    times = np.arange(0.0, pilot.script.seconds, PERIOD_S)
    return [(float(time_s), pilot.message(float(time_s))) for time_s in times]


def test_script_names_real_faults_and_functions() -> None:
    script, policy = load_script(SCRIPT), load_policy(POLICY)
    for fault in script.faults:
        assert fault.expect, fault.name
        assert all(name in Fault.__members__ for name in fault.expect), fault.name
        if fault.kind == "function":
            assert fault.setting["function"] in policy.functions


def test_script_covers_what_the_demo_promises() -> None:
    assert {fault.kind for fault in load_script(SCRIPT).faults} == {*KINDS, *DIRECTED}


def test_healthy_set_points_are_inside_the_envelope() -> None:
    script = load_script(SCRIPT)
    values = np.array([set_points(script, time_s) for time_s in np.arange(0.0, script.seconds, PERIOD_S)])
    assert np.isfinite(values).all()
    assert np.hypot(values[:, 0], values[:, 1]).max() < 5.0
    assert np.abs(values[:, 3]).max() < 0.785


def test_messages_are_wrong_only_while_a_fault_is_active() -> None:
    pilot = Pilot(load_script(SCRIPT))
    wrong = {time_s for time_s, message in flight(pilot) if pilot.wrong(message, time_s)}
    active = {time_s for time_s in wrong if pilot.fault_at(time_s) is not None}
    assert wrong
    assert wrong == active
    for fault in pilot.script.faults:
        if fault.kind not in DIRECTED:
            assert any(fault.active(time_s) for time_s in wrong), f"{fault.name} never went wrong"


def test_same_seed_same_messages() -> None:
    first, second = (flight(Pilot(load_script(SCRIPT))) for _ in range(2))
    for (_, one), (_, other) in zip(first, second, strict=True):
        assert one.values.tobytes() == other.values.tobytes()
        assert (one.stamp_s, one.function) == (other.stamp_s, other.function)


def test_glitches_are_single_and_big() -> None:
    """No two in a row, so that nothing confirms one; each far beyond what a healthy pilot asks."""
    pilot = Pilot(load_script(SCRIPT))
    fault = next(fault for fault in pilot.script.faults if fault.kind == "glitches")
    jumps = np.array(
        [
            np.abs(message.values - set_points(pilot.script, time_s)).max()
            for time_s, message in flight(pilot)
            if fault.active(time_s)
        ]
    )
    assert (jumps > 0).sum() >= 5
    assert jumps[jumps > 0].min() == pytest.approx(fault.setting["size"])
    assert not ((jumps[1:] > 0) & (jumps[:-1] > 0)).any()


def test_the_undecided_planner_stays_inside_the_bounds() -> None:
    """Nothing but its swinging to and fro is wrong with it."""
    pilot = Pilot(load_script(SCRIPT))
    fault = next(fault for fault in pilot.script.faults if fault.kind == "indecision")
    turns = [message.values[3] for time_s, message in flight(pilot) if fault.active(time_s)]
    assert max(np.abs(turns)) < 0.785
    assert (np.diff(np.sign(turns)) != 0).sum() >= 4


def test_frozen_stamps_stand_still_to_the_last_digit() -> None:
    pilot = Pilot(load_script(SCRIPT))
    fault = next(fault for fault in pilot.script.faults if fault.kind == "frozen_stamps")
    stamps = {message.stamp_s for time_s, message in flight(pilot) if fault.active(time_s)}
    assert len(stamps) == 1


GREMLINS = "{name: a, kind: gremlins, start_s: 1, duration_s: 1, expect: [BOUND]}"
LONG = "{name: a, kind: kill, start_s: 1, duration_s: 5, expect: []}"
EARLY = "{name: b, kind: kill, start_s: 2, duration_s: 1, expect: []}"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [([GREMLINS], "unknown kind 'gremlins'"), ([LONG, EARLY], "'b' starts before 'a' has ended")],
)
def test_bad_script_is_refused(tmp_path: Path, lines: list[str], complaint: str) -> None:
    path = tmp_path / "script.yaml"
    faults = "".join(f"  - {line}\n" for line in lines)
    path.write_text(f"seconds: 9\nseed: 1\nclimbs_s: []\nfaults:\n{faults}", encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        load_script(path)
