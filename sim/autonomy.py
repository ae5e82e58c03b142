"""A scripted pilot that flies a figure of eight and goes wrong exactly as a script says.

The script is data (see ``sim/demo/script.yaml``): a list of faults, each with a start, a duration and one of `KINDS`.
The same seed gives the same messages.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

FloatArray = NDArray[np.float64]

CRUISE_MPS = 3.0  # inside every limit of the demo's policy
LAP_S = 16.0
CLIMB_S, CLIMB_MPS = 3.0, 1.0


@dataclass(frozen=True)
class Message:
    """What the pilot sends at one moment: set-points, the time it claims, and at times a function request."""

    values: FloatArray
    stamp_s: float
    function: str = ""


@dataclass(frozen=True)
class Fault:
    """One line of the script. `expect`: fault names of which the guard must report at least one."""

    name: str
    kind: str
    start_s: float
    duration_s: float
    expect: tuple[str, ...]
    setting: dict[str, Any] = field(default_factory=dict)

    def active(self, time_s: float) -> bool:
        return self.start_s <= time_s < self.start_s + self.duration_s


@dataclass(frozen=True)
class Script:
    """When the pilot climbs, and its faults in order of time."""

    seconds: float
    seed: int
    climbs_s: tuple[float, ...]
    faults: tuple[Fault, ...]


def load_script(path: Path) -> Script:
    """Reads a script file. Raises ValueError for a kind that does not exist or faults that overlap."""
    document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    faults = tuple(_fault(entry) for entry in document["faults"])
    for earlier, later in itertools.pairwise(faults):
        if later.start_s < earlier.start_s + earlier.duration_s:
            raise ValueError(f"{path.name}: fault {later.name!r} starts before {earlier.name!r} has ended")
    return Script(float(document["seconds"]), int(document["seed"]), tuple(document["climbs_s"]), faults)


def _fault(entry: dict[str, Any]) -> Fault:
    known = {"name", "kind", "start_s", "duration_s", "expect"}
    if entry["kind"] not in {*KINDS, *DIRECTED}:
        raise ValueError(
            f"fault {entry['name']!r}: unknown kind {entry['kind']!r}; known: {sorted({*KINDS, *DIRECTED})}"
        )
    setting = {key: value for key, value in entry.items() if key not in known}
    return Fault(
        entry["name"],
        entry["kind"],
        float(entry["start_s"]),
        float(entry["duration_s"]),
        tuple(entry["expect"]),
        setting,
    )


def set_points(script: Script, time_s: float) -> FloatArray:
    """Healthy set-points: a figure of eight and climbs; east, north, up velocity (m/s), yaw rate (rad/s)."""
    climbing = any(start_s <= time_s < start_s + CLIMB_S for start_s in script.climbs_s)
    ramp = min(max(0.0, (time_s - CLIMB_S) / 2.0), 1.0)
    phase = math.tau * time_s / LAP_S
    east, north = CRUISE_MPS * math.sin(phase), 0.6 * CRUISE_MPS * math.sin(2.0 * phase)
    return np.array([ramp * east, ramp * north, CLIMB_MPS if climbing else 0.0, ramp * 0.3 * math.cos(phase)])


class Pilot:
    """Turns a script into messages. Call `message` with rising times."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.random = np.random.default_rng(script.seed)
        self.history: list[Message] = []
        self.glitched = False  # the message before was a glitch
        self._requested: set[str] = set()

    def fault_at(self, time_s: float) -> Fault | None:
        """The fault of the script that is active at this time, if any."""
        return next((fault for fault in self.script.faults if fault.active(time_s)), None)

    def message(self, time_s: float) -> Message:
        """What the pilot sends at `time_s` (seconds since its start)."""
        healthy = Message(set_points(self.script, time_s), time_s)
        fault = self.fault_at(time_s)
        if fault is None or fault.kind in DIRECTED:
            self.history.append(healthy)
            return healthy
        return KINDS[fault.kind](self, healthy, fault)

    def wrong(self, message: Message, time_s: float) -> bool:
        """True for a message that a healthy pilot would not have sent at `time_s`."""
        same = np.array_equal(message.values, set_points(self.script, time_s))
        return not same or message.stamp_s != time_s or bool(message.function)

    def once(self, fault: Fault) -> bool:
        """True the first time it is asked about a fault."""
        fresh = fault.name not in self._requested
        self._requested.add(fault.name)
        return fresh


def _not_a_number(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    values = healthy.values.copy()
    values[int(pilot.random.integers(values.size))] = pilot.random.choice([math.nan, math.inf, -math.inf])
    return replace(healthy, values=values)


def _burst(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    return replace(healthy, values=np.asarray(fault.setting["values"], np.float64))


def _glitches(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    """One sample in `every`, at random, jumps by `size`; the next one is healthy again."""
    pilot.glitched = not pilot.glitched and pilot.random.random() <= 1.0 / float(fault.setting["every"])
    if not pilot.glitched:
        return healthy
    values = healthy.values.copy()
    values[int(pilot.random.integers(3))] += float(fault.setting["size"]) * pilot.random.choice([-1.0, 1.0])
    return replace(healthy, values=values)


def _oscillation(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    """Inside the bounds, but faster than the vehicle may be moved."""
    swing = math.sin(math.tau * float(fault.setting["frequency_hz"]) * (healthy.stamp_s - fault.start_s))
    return replace(
        healthy, values=healthy.values + float(fault.setting["size"]) * swing * np.array([1.0, 1.0, 0.0, 0.0])
    )


def _indecision(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    """A planner that cannot decide between left and right: each turn is allowed, turning to and fro is not."""
    half_turns = int(2.0 * float(fault.setting["frequency_hz"]) * (healthy.stamp_s - fault.start_s))
    values = healthy.values.copy()
    values[3] = float(fault.setting["size"]) * (-1.0) ** half_turns
    return replace(healthy, values=values)


def _frozen_stamps(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    """Values move on, the clock that stamps them stands still."""
    return replace(healthy, stamp_s=pilot.history[-1].stamp_s if pilot.history else fault.start_s)


def _replay(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    """Old messages again, with their old stamps."""
    age_s = float(fault.setting["age_s"])
    return min(pilot.history, key=lambda message: abs(message.stamp_s - (healthy.stamp_s - age_s)), default=healthy)


def _function(pilot: Pilot, healthy: Message, fault: Fault) -> Message:
    """Healthy set-points, and one request for a function."""
    return replace(healthy, function=str(fault.setting["function"])) if pilot.once(fault) else healthy


KINDS: dict[str, Callable[[Pilot, Message, Fault], Message]] = {
    "not_a_number": _not_a_number,
    "burst": _burst,
    "glitches": _glitches,
    "oscillation": _oscillation,
    "indecision": _indecision,
    "frozen_stamps": _frozen_stamps,
    "replay": _replay,
    "function": _function,
}
# Done to the pilot, by the operator or by the second altimeter, not by the pilot itself
DIRECTED = ("stop_request", "kill", "false_altitude")
