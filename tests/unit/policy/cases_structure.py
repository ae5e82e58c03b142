"""Malformed policies whose sections, keys or single values are wrong: (name, preset, edits, expected key path)."""

from __future__ import annotations

import math
from typing import Any

from tests.unit.policy.edits import DELETE

Case = tuple[str, str, dict[str, Any], str]

Q, T, A, R, X = "quadrotor", "car-torque", "car-angle", "rover", "restrictive"
VX, VZ = "channels.vx_mps", "channels.vz_mps"
STEER, ANGLE = "channels.steer_torque_nm", "channels.steer_angle_rad"
AREA = "zones.flight_area"
SQUARE = [[-10, -10], [10, -10], [10, 10], [-10, 10]]

STRUCTURE: list[Case] = [
    ("format missing", Q, {"format": DELETE}, "format"),
    ("format unknown", Q, {"format": 2}, "format"),
    ("name missing", Q, {"name": DELETE}, "name"),
    ("name with spaces", Q, {"name": "my drone"}, "name"),
    ("name is a number", Q, {"name": 5}, "name"),
    ("version is a number", Q, {"version": 1.0}, "version"),
    ("version of two parts", Q, {"version": "1.0"}, "version"),
    ("vehicle empty", Q, {"vehicle": ""}, "vehicle"),
    ("description too long", Q, {"description": "x" * 5000}, "description"),
    ("unknown section", Q, {"chanels": {}}, "chanels"),
    ("unknown section in brackets", Q, {"<": None}, "<"),
    ("unknown section like a branch", Q, {"<number>": None}, "<number>"),
    ("section is a number", Q, {"timing": 3}, "timing"),
    ("section is null", Q, {"stop": None}, "stop"),
    ("section missing", Q, {"permission": DELETE}, "permission"),
    ("no channels", Q, {"channels": {}}, "channels"),
    (
        "too many channels",
        Q,
        {"channels": {f"c{i}": {"unit": "flag", "min": 0, "max": 1} for i in range(33)}},
        "channels",
    ),
    ("channel name with capitals", Q, {"channels.Vx_mps": {"unit": "mps", "min": 0, "max": 1}}, "channels.Vx_mps"),
    ("channel is a list", Q, {VX: [1, 2]}, VX),
    ("unit missing", Q, {f"{VX}.unit": DELETE}, f"{VX}.unit"),
    ("unit unknown", Q, {f"{VX}.unit": "km/h"}, f"{VX}.unit"),
    ("bound missing", Q, {f"{VX}.min": DELETE}, f"{VX}.min"),
    ("bound is text", Q, {f"{VX}.max": "5"}, f"{VX}.max"),
    ("bound is a switch", Q, {f"{VX}.max": True}, f"{VX}.max"),
    ("bound is null", Q, {f"{VX}.max": None}, f"{VX}.max"),
    ("bound is a list", Q, {f"{VX}.max": [5]}, f"{VX}.max"),
    ("bound is NaN", Q, {f"{VX}.max": math.nan}, f"{VX}.max"),
    ("bound is infinite", Q, {f"{VX}.max": math.inf}, f"{VX}.max"),
    ("bound is huge", Q, {f"{VX}.max": 1e10}, f"{VX}.max"),
    ("bound is a huge integer", Q, {f"{VX}.max": 10**39}, f"{VX}.max"),
    ("unknown channel key", Q, {f"{VX}.rate_up_per_sec": 5}, f"{VX}.rate_up_per_sec"),
    ("jump is a number", Q, {f"{VX}.emergency_jumps": 1}, f"{VX}.emergency_jumps"),
    ("violation unknown", Q, {f"{VX}.on_violation": "ignore"}, f"{VX}.on_violation"),
    ("fallback unknown", Q, {f"{VX}.fallback": "none"}, f"{VX}.fallback"),
    ("scale zero", Q, {f"{VX}.degraded_scale": 0}, f"{VX}.degraded_scale"),
    ("scale above one", Q, {f"{VX}.degraded_scale": 1.2}, f"{VX}.degraded_scale"),
    ("table without input", Q, {f"{VZ}.min": {"points": [[5, -1], [6, -2]]}}, f"{VZ}.min.over"),
    ("table of one point", Q, {f"{VZ}.min.points": [[5, -0.7]]}, f"{VZ}.min.points"),
    ("table of nine points", Q, {f"{VZ}.min.points": [[i, -1 - i] for i in range(9)]}, f"{VZ}.min.points"),
    ("point of three numbers", Q, {f"{VZ}.min.points[1]": [10, -1.5, 3]}, f"{VZ}.min.points[1]"),
    ("point with text", Q, {f"{VZ}.min.points[1][0]": "ten"}, f"{VZ}.min.points[1][0]"),
    ("point with NaN", Q, {f"{VZ}.min.points[1][1]": math.nan}, f"{VZ}.min.points[1][1]"),
    ("period zero", Q, {"timing.period_ms": 0}, "timing.period_ms"),
    ("period too long", Q, {"timing.period_ms": 2000}, "timing.period_ms"),
    ("period negative", Q, {"timing.period_ms": -10}, "timing.period_ms"),
    ("lost is a fraction", Q, {"timing.command_lost_max": 2.5}, "timing.command_lost_max"),
    ("lost negative", Q, {"timing.command_lost_max": -1}, "timing.command_lost_max"),
    ("needed is text", Q, {"sources.vehicle.needed": "yes"}, "sources.vehicle.needed"),
    ("source without inputs", Q, {"sources.vehicle.inputs": {}}, "sources.vehicle.inputs"),
    (
        "too many sources",
        Q,
        {
            f"sources.s{i}": {
                "age_ms": 100,
                "future_ms": 5,
                "needed": True,
                "inputs": {f"i{i}": {"unit": "flag", "min": 0, "max": 1}},
            }
            for i in range(7)
        },
        "sources",
    ),
    (
        "source name with a slash",
        Q,
        {
            "sources.a/b": {
                "age_ms": 100,
                "future_ms": 5,
                "needed": True,
                "inputs": {"i": {"unit": "flag", "min": 0, "max": 1}},
            }
        },
        "sources.a/b",
    ),
    ("samples zero", T, {f"{STEER}.lead.samples": 0}, f"{STEER}.lead.samples"),
    ("samples too many", T, {f"{STEER}.lead.samples": 17}, f"{STEER}.lead.samples"),
    ("slew delta negative", T, {f"{STEER}.slew.delta": -1}, f"{STEER}.slew.delta"),
    ("lead without error", T, {f"{STEER}.lead": {"samples": 3}}, f"{STEER}.lead.error"),
    ("geometry unknown", A, {f"{ANGLE}.lateral.geometry": "ackermann"}, f"{ANGLE}.lateral.geometry"),
    ("wheelbase negative", A, {f"{ANGLE}.lateral.wheelbase_m": -2.9}, f"{ANGLE}.lateral.wheelbase_m"),
    ("group of one", Q, {"groups.horizontal_velocity.channels": ["vx_mps"]}, "groups.horizontal_velocity.channels"),
    (
        "group of four",
        Q,
        {"groups.horizontal_velocity.channels": ["a", "b", "c", "d"]},
        "groups.horizontal_velocity.channels",
    ),
    ("too many groups", Q, {f"groups.g{i}": {"channels": ["vx_mps", "vy_mps"], "norm": 1} for i in range(5)}, "groups"),
    ("engage is a word", Q, {"permission.engage": "always"}, "permission.engage"),
    ("engage is a number", Q, {"permission.engage": 1}, "permission.engage"),
    (
        "override scope unknown",
        T,
        {"permission.overrides.brake.channels": "some"},
        "permission.overrides.brake.channels",
    ),
    ("override scope empty", T, {"permission.overrides.brake.channels": []}, "permission.overrides.brake.channels"),
    ("override until unknown", T, {"permission.overrides.brake.until": "later"}, "permission.overrides.brake.until"),
    ("function word unknown", Q, {"functions.land": "sometimes"}, "functions.land"),
    ("function without conditions", Q, {"functions.land": {"when": []}}, "functions.land.when"),
    (
        "function with too many conditions",
        Q,
        {"functions.land": {"when": [{"input": "speed_mps", "max": i} for i in range(1, 10)]}},
        "functions.land.when",
    ),
    ("too many functions", Q, {"functions": {f"f{i}": "always" for i in range(33)}}, "functions"),
    ("zone of two corners", Q, {f"{AREA}.corners_m": [[0, 0], [1, 1]]}, f"{AREA}.corners_m"),
    ("zone of 17 corners", Q, {f"{AREA}.corners_m": [[i, i * i] for i in range(17)]}, f"{AREA}.corners_m"),
    ("zone rule unknown", Q, {f"{AREA}.rule": "avoid"}, f"{AREA}.rule"),
    ("too many zones", Q, {f"zones.z{i}": {"rule": "keep_out", "corners_m": SQUARE} for i in range(8)}, "zones"),
    ("no recovery", Q, {"recovery": []}, "recovery"),
    ("too many phases", Q, {"recovery": [{"name": f"p{i}", "set": {}, "for_s": 1} for i in range(5)]}, "recovery"),
    ("power off negative", Q, {"stop.power_off_after_s": -1}, "stop.power_off_after_s"),
    ("breaker count zero", Q, {"breakers.garbage.count": 0}, "breakers.garbage.count"),
    ("breaker count too high", Q, {"breakers.garbage.count": 65}, "breakers.garbage.count"),
    ("breaker without faults", Q, {"breakers.garbage.faults": []}, "breakers.garbage.faults"),
    ("breaker fault unknown", Q, {"breakers.garbage.faults[0]": "COMAND_SIZE"}, "breakers.garbage.faults[0]"),
    (
        "too many breakers",
        Q,
        {f"breakers.b{i}": {"faults": ["BOUND"], "count": 2, "window_ms": 1000, "action": "RECOVER"} for i in range(3)},
        "breakers",
    ),
    ("reaction to unknown fault", Q, {"reactions.COMMAND_STAIL": "RECOVER"}, "reactions.COMMAND_STAIL"),
    ("reaction unknown", Q, {"reactions.COMMAND_STALE": "PANIC"}, "reactions.COMMAND_STALE"),
    ("reaction in lower case", Q, {"reactions.COMMAND_STALE": "recover"}, "reactions.COMMAND_STALE"),
]
