"""A car on a road and a robot in the open, each with a list of objects: guards under test, driven tick by tick."""

from __future__ import annotations

import copy
from typing import Any

from safetykit.core.columns import objects as of
from safetykit.runtime.guard import Decision
from tests.drive import Document, Drive, document

LIST = {
    "age_ms": 100,
    "future_ms": 5,
    "needed": True,
    "count_max": 64,
    "ranges": {"distance_m_max": 500, "speed_mps_max": 70},
}
RSS = {
    "speed": "speed_mps",
    "lateral_speed": "lateral_mps",
    "length_m": 4.0,
    "width_m": 2.0,
    "response_s": 0.5,
    "accel_mps2_max": 2.0,
    "brake_mps2_min": 4.0,
    "brake_mps2_max": 8.0,
    "brake_mps2_min_correct": 3.0,
    "lateral_accel_mps2_max": 0.2,
    "lateral_brake_mps2_min": 0.8,
    "lateral_margin_m": 0.2,
    "along": "accel_mps2",
    "steer": "curvature_radpm",
}
ACCEL = {"unit": "mps2", "min": -8, "max": 2, "rate_up_per_s": 40, "rate_down_per_s": 40, "emergency_jumps": False}
SPEED = {"unit": "mps", "min": -5, "max": 40, "rate_up_per_s": 2, "rate_down_per_s": 8, "emergency_jumps": False}
CURVATURE = {
    "unit": "radpm",
    "min": -0.2,
    "max": 0.2,
    "rate_up_per_s": 10,
    "rate_down_per_s": 10,
    "emergency_jumps": False,
    "lateral": {"geometry": "curvature", "accel_mps2": 5, "speed_min_mps": 1},
}
COLLISION = {"radius_m": 0.5, "ttc_s_min": 1.0, "decel_mps2_max": 2.0}
MOTION = {"velocity": {"x": "vx_mps", "y": "vy_mps"}, "brake_mps2": 3.0, "latency_ms": 200}
REST = "rest"


def inputs_of(**ranges: tuple[str, float, float]) -> Document:
    """More inputs of the vehicle source: name=(unit, min, max)."""
    vehicle = copy.deepcopy(document()["sources"]["vehicle"])
    vehicle["inputs"] |= {name: {"unit": unit, "min": lo, "max": hi} for name, (unit, lo, hi) in ranges.items()}
    return vehicle


def car(braking: Document | None = None, steering: Document | None = None, /, **rss: Any) -> Document:
    """A car: `braking` and `steering` replace its channels (named by unit), `rss` changes the section; None removes."""
    braking, steering = braking or ACCEL, steering or CURVATURE
    names = {"mps2": "accel_mps2", "mps": "set_mps"}
    steers = {"radpm": "curvature_radpm", "rad": "wheel_rad", "mps2": "lateral_mps2"}
    one, two = names[braking["unit"]], steers[steering["unit"]]
    section = {**RSS, "along": one, "steer": two, **rss}
    made = document(
        sources={"vehicle": inputs_of(lateral_mps=("mps", -3, 3), bend_radpm=("radpm", -0.1, 0.1))},
        objects={**copy.deepcopy(LIST), "frame": "road"},
        rss={key: value for key, value in section.items() if value is not None},
    )
    made["channels"] = {one: copy.deepcopy(braking), two: copy.deepcopy(steering)}
    if "lateral" in steering:
        made["speed"] = "speed_mps"
    made["stop"]["power_off_after_s"] = 30.0
    made["recovery"] = [{"name": REST, "set": {one: 0.0, two: 0.0}, "for_s": 0.1}]
    return made


def robot(motion: Document | None = None, **collision: Any) -> Document:
    """A robot that drives in any direction, at most 5 m/s each way."""
    section = {**COLLISION, **collision}
    return document(
        sources={"vehicle": inputs_of(**{f"v{axis}_mps": ("mps", -5.0, 5.0) for axis in "xyz"})},
        objects={**copy.deepcopy(LIST), "frame": "world"},
        collision={key: value for key, value in section.items() if value is not None},
        motion={**copy.deepcopy(MOTION), **(motion or {})},
    )


def thing(x: float, y: float = 0.0, **more: float) -> list[float]:
    """One row of the list: 4 m long, 2 m wide, standing, without identity."""
    columns = {"z": of.OBJ_Z, "vx": of.OBJ_VX, "vy": of.OBJ_VY, "vz": of.OBJ_VZ, "height": of.OBJ_HEIGHT}
    columns |= {"length": of.OBJ_LENGTH, "width": of.OBJ_WIDTH, "id": of.OBJ_ID}
    row = [0.0] * len(range(of.OBJ_X, of.OBJ_ID + 1))
    row[of.OBJ_X], row[of.OBJ_Y], row[of.OBJ_LENGTH], row[of.OBJ_WIDTH] = x, y, 4.0, 2.0
    for name, value in more.items():
        row[columns[name]] = value
    return row


class Road(Drive):
    """A guard that hears the same list of objects each tick."""

    def __init__(self, made: Document, *objects: list[float], **inputs: float) -> None:
        super().__init__(made, **inputs)
        for name in self.guard.policy.inputs:
            self.inputs.setdefault(name, 0.0)
        self.objects: list[list[float]] = [list(item) for item in objects]

    def tick(self, *command: float, **options: Any) -> Decision:
        """One tick in which the list is heard anew; `objects=None` leaves it out."""
        options.setdefault("objects", self.objects)
        return super().tick(*command, **options)

    def free(self) -> Road:
        """Engaged on an empty road; the objects are heard from the next tick on."""
        kept, self.objects = self.objects, []
        self.engaged()
        self.objects = kept
        return self
