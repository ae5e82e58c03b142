"""The function allow-list, its conditions, and zones."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.core.vocabulary import Fault, State
from tests.drive import Document, Drive, document

pytestmark = pytest.mark.core

FUNCTIONS: Document = {
    "arm": "always",
    "disarm_in_air": "never",
    "land": {"when": [{"input": "speed_mps", "max": 1.0}]},
    "release": {"when": [{"input": "brake", "min": 0.5, "within_s": 0.05}]},
    "take_off": {"when": [{"inside": "pad"}]},
    "cruise": {"when": [{"outside": "pad"}]},
}
PAD = {"rule": "condition", "corners_m": [[0, 0], [10, 0], [10, 10], [5, 4], [0, 10]], "floor_m": -1, "ceiling_m": 3}


def field(zones: Document | None = None, height: bool = True, **more: Any) -> Document:
    made = document(functions=FUNCTIONS, zones=zones or {"pad": PAD}, **more)
    made["sources"]["vehicle"]["inputs"].update(
        {name: {"unit": "m", "min": -100, "max": 100} for name in ("x_m", "y_m", "z_m")}
    )
    made["position"] = {"x": "x_m", "y": "y_m", **({"z": "z_m"} if height else {})}
    if not height:
        made["zones"] = {
            name: {k: v for k, v in zone.items() if not k.endswith("ing_m") and k != "floor_m"}
            for name, zone in made["zones"].items()
        }
    return made


def at(x: float, y: float, z: float = 0.0, made: Document | None = None, **inputs: float) -> Drive:
    drive = Drive(made or field(), x_m=x, y_m=y, z_m=z, **inputs)
    drive.ticks(3, 0.0)
    return drive


@pytest.mark.parametrize(
    ("name", "fault"),
    [("arm", None), ("disarm_in_air", "FUNCTION_REFUSED"), ("fly_home", "FUNCTION_UNKNOWN")],
)
def test_always_never_and_unknown(name: str, fault: str | None) -> None:
    decision = at(0, 0).tick(0.0, function=name)
    assert decision.function == (name if fault is None else None)
    assert decision.function_refused is (fault is not None)
    assert (fault in decision.faults) is (fault is not None)


def test_a_request_is_answered_once() -> None:
    drive = at(0, 0)
    assert drive.tick(0.0, function="arm").function == "arm"
    assert drive.tick(0.0).function is None


def test_a_request_that_stood_in_the_mailbox_before_the_start_is_not_granted() -> None:
    drive = Drive(field())
    drive.guard.frame.in_function_seq, drive.guard.frame.in_function = 7, 1
    assert drive.tick(0.0).function is None


@pytest.mark.parametrize(("speed", "granted"), [(0.5, True), (2.0, False), (math.nan, False)])
def test_a_condition_on_the_state(speed: float, granted: bool) -> None:
    drive = at(0, 0)
    drive.inputs["speed_mps"] = speed
    assert (drive.tick(0.0, function="land").function == "land") is granted


def test_consent_counts_for_a_while_after_its_edge() -> None:
    drive = at(0, 0)
    assert drive.tick(0.0, function="release").function is None
    drive.inputs["brake"] = 1.0
    assert drive.tick(0.0, function="release").function == "release"
    drive.ticks(4, 0.0)
    assert drive.tick(0.0, function="release").function == "release"
    assert drive.tick(0.0, function="release").function is None, "a button that is held is no new consent"


def test_consent_that_was_given_before_the_start_does_not_count() -> None:
    assert at(0, 0, brake=1.0).tick(0.0, function="release").function is None


@pytest.mark.parametrize("stop", [Fault.STOP_REQUEST, Fault.STOP_BUTTON])
def test_nothing_is_granted_in_a_latched_stop(stop: Fault) -> None:
    drive = at(0, 0)
    drive.tick(0.0, conditions=[stop])
    assert drive.tick(0.0, function="arm").function_refused


@pytest.mark.parametrize(
    ("x", "y", "z", "inside"),
    [
        (5, 2, 0, True),
        (5, 5, 0, False),  # in the notch
        (1, 8, 0, True),
        (11, 5, 0, False),
        (-1, 5, 0, False),
        (5, -1, 0, False),
        (5, 2, 4, False),
        (5, 2, -2, False),
    ],
)
def test_zones_are_polygons_with_floor_and_ceiling(x: float, y: float, z: float, inside: bool) -> None:
    drive = at(x, y, z)
    assert (drive.tick(0.0, function="take_off").function == "take_off") is inside
    assert (drive.tick(0.0, function="cruise").function == "cruise") is not inside


def test_an_unknown_position_is_neither_inside_nor_outside() -> None:
    drive = at(5, 2)
    drive.inputs["x_m"] = math.nan
    assert drive.tick(0.0, function="take_off").function is None
    assert drive.tick(0.0, function="cruise").function is None


def test_zones_without_height() -> None:
    assert at(5, 2, 50, field(height=False)).tick(0.0, function="take_off").function == "take_off"


KEEP_IN = {
    "home": {**PAD, "rule": "keep_in"},
    "pad": PAD,
    "tower": {**PAD, "rule": "keep_out", "corners_m": [[1, 1], [2, 1], [2, 2]]},
}


@pytest.mark.parametrize(("x", "y", "violated"), [(5, 2, False), (20, 20, True), (1.8, 1.2, True), (math.nan, 2, True)])
def test_keep_in_and_keep_out_zones_lead_to_recovery(x: float, y: float, violated: bool) -> None:
    made = field(KEEP_IN)
    made["sources"]["vehicle"]["needed"] = True
    drive = at(5, 2, made=made).engaged()
    drive.inputs.update(x_m=x, y_m=y)
    decision = drive.tick(1.0)
    assert ("ZONE" in decision.faults) is violated
    assert decision.state is (State.RECOVERY if violated else State.ENGAGED)
