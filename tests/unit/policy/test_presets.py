"""The presets load, say what other parts rely on, explain their numbers, and run in the core."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from safetykit.core import layout as at
from safetykit.policy import PRESETS, load_policy, parse_policy, restrictive_policy
from safetykit.policy.schema import PolicyDocument
from tests.unit.policy.edits import edited, plain

CHANNELS = {
    "quadrotor": ("vx_mps", "vy_mps", "vz_mps", "yaw_rate_radps"),
    "rover": ("linear_mps", "angular_radps"),
    "car-torque": ("steer_torque_nm", "accel_mps2"),
    "car-angle": ("steer_angle_rad", "accel_mps2"),
    "restrictive": ("locked",),
}


@pytest.mark.parametrize("name", PRESETS)
def test_preset_loads(name: str) -> None:
    policy = load_policy(name)
    assert policy.name == name
    assert policy.channels == CHANNELS[name]
    assert policy.period_ns == policy.timing[at.PERIOD_NS]
    assert re.fullmatch(r"[0-9a-f]{64}", policy.digest)
    assert np.isfinite(policy.limits).all()


@pytest.mark.parametrize("name", PRESETS)
def test_arrays_are_plain_and_read_only(name: str) -> None:
    policy = load_policy(name)
    for array, size, kind in (
        (policy.limits, at.LIMITS_SIZE, np.float64),
        (policy.timing, at.TIMING_SIZE, np.int64),
    ):
        assert array.shape == (size,)
        assert array.dtype == kind
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        policy.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", PRESETS)
def test_loading_again_gives_the_same_digest(name: str, tmp_path: Path) -> None:
    policy = load_policy(name)
    assert load_policy(name).digest == policy.digest
    assert parse_policy(json.loads(policy.to_json())).digest == policy.digest
    copy = tmp_path / "copy.yaml"
    copy.write_text(
        "# another comment\n" + resources.files("safetykit.policy").joinpath(f"presets/{name}.yaml").read_text()
    )
    assert load_policy(copy).digest == policy.digest
    assert load_policy(str(copy)).digest == policy.digest
    written = tmp_path / "policy.json"
    written.write_text(policy.to_json())
    assert load_policy(written).digest == policy.digest


@pytest.mark.parametrize("name", PRESETS)
def test_schema_accepts_presets(name: str) -> None:
    schema = PolicyDocument.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(plain(name), schema)
    jsonschema.validate(json.loads(load_policy(name).to_json()), schema)


def test_schema_refuses() -> None:
    schema = PolicyDocument.model_json_schema()
    for edits in (
        {"chanels": {}},
        {"channels.vx_mps.max": "5"},
        {"timing.period_ms": 0},
        {"functions.land": "perhaps"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(edited("quadrotor", edits), schema)


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_has_a_reason_near_it(name: str) -> None:
    """A comment in the same line or within the four lines above; a set-point of 0 and a switch need none."""
    text = resources.files("safetykit.policy").joinpath(f"presets/{name}.yaml").read_text()
    lines = text.splitlines()
    bare = [
        f"{number}: {line}"
        for number, line in enumerate(lines, 1)
        if re.search(r"[:\[,] *-?\d*\.?\d*[1-9]", line.replace("min: 0, max: 1", "")) and "format:" not in line
        if "version:" not in line and not any("#" in near for near in lines[max(0, number - 5) : number])
    ]
    assert not bare


def test_restrictive_allows_nothing() -> None:
    policy = restrictive_policy()
    assert policy.timing[at.ENGAGE_CONDITION] == -1
    assert policy.timing[at.FUNCTION_COUNT] == 0
    assert policy.timing[at.POWER_IN_STANDBY] == 0
    assert policy.timing[at.STOP_TIME_NS] == 0
    assert policy.limits[at.L_CHANNEL + at.HARD_LO] == policy.limits[at.L_CHANNEL + at.HARD_HI] == 0


def test_names_of_the_quadrotor() -> None:
    policy = load_policy("quadrotor")
    vehicle, operator = policy.sources
    assert vehicle.name == "vehicle"
    assert (vehicle.first, vehicle.count) == (0, 7)
    assert policy.inputs[:7] == ("x_m", "y_m", "altitude_m", "vx_meas_mps", "vy_meas_mps", "vz_meas_mps", "speed_mps")
    assert (operator.name, operator.inputs) == ("operator", (7, 8))
    assert policy.channel_index("vz_mps") == 2
    assert policy.input_index("consent") == 8
    assert policy.function_number("arm") == 1
    assert policy.function_number("self_destruct") == -1
    assert policy.zones == ("flight_area", "home", "drop_area")
    with pytest.raises(KeyError, match="unknown channel 'vw_mps'"):
        policy.channel_index("vw_mps")
    with pytest.raises(KeyError, match="unknown input"):
        policy.input_index("wind_mps")


CHANGES: dict[str, object] = {
    "description": "Another text.",
    "version": "1.0.1",
    "timing.period_ms": 9,
    "timing.command_lost_max": 6,
    "sources.vehicle.age_ms": 201,
    "sources.vehicle.needed": False,
    "sources.vehicle.inputs.x_m.max": 1001,
    "channels.vx_mps.max": 5.0000001,
    "channels.vx_mps.fallback": "zero",
    "channels.vx_mps.emergency_jumps": False,
    "channels.vz_mps.min.points[1][1]": -1.4,
    "groups.horizontal_velocity.norm": 5.1,
    "permission.hold_to_run": False,
    "functions.land": "never",
    "functions.payload_release.when[1].max": 11,
    "zones.home.corners_m[0][0]": -6,
    "zones.flight_area.rule": "keep_out",
    "recovery[0].name": "wait",
    "recovery[0].for_s": 6,
    "stop.power_off_after_s": 181,
    "breakers.garbage.count": 49,
    "reactions.COMMAND_LATE": "RECOVER",
}


@pytest.mark.parametrize("path", CHANGES)
def test_digest_feels_every_change(path: str) -> None:
    base = load_policy("quadrotor").digest
    assert parse_policy(edited("quadrotor", {path: CHANGES[path]})).digest != base


def test_digest_feels_the_order_of_channels() -> None:
    document = plain("quadrotor")
    document["channels"] = dict(reversed(document["channels"].items()))
    assert parse_policy(document).digest != load_policy("quadrotor").digest
