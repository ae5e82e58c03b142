"""Relations of the section `motion`: what is measured, what is steered, whether the channels brake in time."""

from __future__ import annotations

import math

from safetykit.core.planes import GRAVITY_MPS2
from safetykit.policy.fill_motion import steered_channels
from safetykit.policy.paths import Path
from safetykit.policy.report import Names, Report, extent, narrowest, outermost
from safetykit.policy.schema import Channel, PolicyDocument
from safetykit.policy.schema_motion import Bicycle, Motion, ScaledError

_HERE: Path = ("motion",)
_OF_FILTER = ("accel_mps2_max", "gain_per_s")  # needed with steered_by
_ONLY_FILTER = (*_OF_FILTER, "response_s", "speed_mps_max", "tilt_rad_max", "floor_m", "ceiling_m")
_HINDERS = ("slew", "oppose", "lead")  # limits that could keep the filter from braking
_DOWN = ("rate_down_per_s", "rate_towards_zero_per_s")
_UP = ("rate_up_per_s", "rate_towards_zero_per_s")


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """Everything about the section; nothing without it."""
    motion = document.motion
    if motion is None:
        return
    _measured(motion, names, report)
    if motion.steered_by is None:
        for key in _ONLY_FILTER:
            if getattr(motion, key) is not None:
                report.add((*_HERE, key), "has no effect without steered_by", getattr(motion, key))
        return
    if not (keeps_more(document) or any(zone.rule != "condition" for zone in document.zones.values())):
        report.add((*_HERE, "steered_by"), "there is nothing to keep from: no zone, no clearance, no limit of its own")
    if _steered(motion, document, report):
        _units(motion, document, report)
        _numbers(motion, document, report)
        _altitude(motion, document, names, report)
        _groups(motion, document, report)


def steers(document: PolicyDocument) -> bool:
    """True if the barrier filter may change commands."""
    return document.motion is not None and document.motion.steered_by is not None


def keeps_altitude(document: PolicyDocument) -> bool:
    """True if the filter keeps the vehicle between a floor and a ceiling of its own."""
    motion = document.motion
    return motion is not None and (motion.floor_m is not None or motion.ceiling_m is not None)


def keeps_more(document: PolicyDocument) -> bool:
    """True if the filter has more to keep than zones."""
    motion, collision = document.motion, document.collision
    if motion is None or motion.steered_by is None:
        return False
    walls = collision is not None and collision.clearance_m is not None
    return walls or keeps_altitude(document) or motion.speed_mps_max is not None or motion.tilt_rad_max is not None


def _measured(motion: Motion, names: Names, report: Report) -> None:
    by_heading = motion.speed is not None or motion.heading is not None
    if (motion.velocity is None) is not by_heading:
        report.add(_HERE, "needs either velocity, or speed and heading")
    for key, other in (("speed", "heading"), ("heading", "speed")):
        if getattr(motion, key) is not None and getattr(motion, other) is None:
            report.add((*_HERE, key), f"needs the key {other}", getattr(motion, key))
    wanted: list[tuple[Path, str | None, str]] = [
        ((*_HERE, "speed"), motion.speed, "mps"),
        ((*_HERE, "heading"), motion.heading, "rad"),
    ]
    if motion.velocity is not None:
        wanted += [((*_HERE, "velocity", axis), getattr(motion.velocity, axis), "mps") for axis in ("x", "y", "z")]
    if isinstance(motion.position_error_m, ScaledError):
        wanted.append(((*_HERE, "position_error_m", "input"), motion.position_error_m.input, "m"))
    for path, name, unit in wanted:
        if name is None:
            continue
        if name not in names.inputs:
            report.unknown(path, "input", name, names.inputs)
        elif names.inputs[name].unit != unit:
            report.add(path, "the input has the wrong unit", name, f"unit {unit}")
        elif path[1] != "position_error_m" and not names.needed(name):
            report.add(path, "its source must be needed: without it nobody may steer", name, "needed: true")


def steered_paths(motion: Motion) -> list[tuple[Path, str]]:
    """Where the steered channels are named, and their names."""
    keys = ("along", "steer") if isinstance(motion.steered_by, Bicycle) else ("x", "y", "z")
    pairs = zip(keys, steered_channels(motion), strict=False)
    return [((*_HERE, "steered_by", key), name) for key, name in pairs if name is not None]


def _steered(motion: Motion, document: PolicyDocument, report: Report) -> bool:
    """The channels exist and the measurements fit them. False if the rest makes no sense."""
    sound, seen = True, set[str]()
    for path, name in steered_paths(motion):
        if name not in document.channels:
            report.unknown(path, "channel", name, document.channels)
            sound = False
        elif name in seen:
            report.add(path, "is given twice", name)
            sound = False
        seen.add(name)
    bicycle = isinstance(motion.steered_by, Bicycle)
    if bicycle and motion.speed is None:
        report.add((*_HERE, "steered_by"), "along and steer need speed and heading")
    if not bicycle and motion.velocity is None:
        report.add((*_HERE, "steered_by"), "x, y, z need velocity")
    for key in _OF_FILTER:
        if getattr(motion, key) is None:
            report.add((*_HERE, key), "is missing; steered_by needs it")
            sound = False
    return sound


def _units(motion: Motion, document: PolicyDocument, report: Report) -> None:
    """One kind of command along all axes; curvature, or an angle that says how it turns into one."""
    first = document.channels[steered_paths(motion)[0][1]].unit
    for path, name in steered_paths(motion):
        channel, unit = document.channels[name], document.channels[name].unit
        if path[-1] == "steer":
            angle = channel.lateral is not None and channel.lateral.geometry == "angle"
            if unit != "radpm" and not (unit == "rad" and angle):
                report.add(path, "must be a curvature, or an angle with lateral geometry", name, "unit radpm or rad")
        elif unit not in ("mps", "mps2"):
            report.add(path, "must be a velocity set-point or an acceleration", name, "unit mps or mps2")
        elif unit != first:
            report.add(path, "all axes must have one unit", name, f"unit {first}")
        for key in _HINDERS:
            if getattr(channel, key) is not None:
                report.add(path, f"has {key}, which could keep the filter from braking", name)
        if channel.on_violation == "reject":
            report.add(path, "rejects; the filter needs a channel that clamps", name, "on_violation: clamp")
    if first == "mps" and motion.response_s is None:
        report.add((*_HERE, "response_s"), "is missing; velocity set-points need it")
    if first == "mps2" and motion.response_s is not None:
        report.add((*_HERE, "response_s"), "has no effect on accelerations", motion.response_s)


def _numbers(motion: Motion, document: PolicyDocument, report: Report) -> None:
    brake, latency_s = motion.brake_mps2, motion.latency_ms / 1000
    authority, gain = motion.accel_mps2_max or math.inf, motion.gain_per_s or 0.0
    if authority < brake:
        report.add((*_HERE, "accel_mps2_max"), "is less than brake_mps2", authority, f">= {brake:g}")
    if motion.latency_ms < document.timing.period_ms:
        message = "is less than a period"
        report.add((*_HERE, "latency_ms"), message, motion.latency_ms, f">= {document.timing.period_ms:g}")
    if gain * latency_s > 1:
        message = "with this latency the state could swing past a barrier"
        report.add((*_HERE, "gain_per_s"), message, gain, f"<= {1 / latency_s:g}")
    for path, name in steered_paths(motion):
        if path[-1] != "steer":
            _brakes(path, name, motion, document.channels[name], report)
    bicycle = isinstance(motion.steered_by, Bicycle)
    least = math.asin(min(brake / GRAVITY_MPS2, 1.0))
    if motion.tilt_rad_max is not None and motion.tilt_rad_max < least:
        message = "does not allow braking by brake_mps2"
        report.add((*_HERE, "tilt_rad_max"), message, motion.tilt_rad_max, f">= {least:.4g}")
    if motion.tilt_rad_max is not None and (bicycle or len(steered_paths(motion)) < 2):
        report.add((*_HERE, "tilt_rad_max"), "needs steered_by.x and y", motion.tilt_rad_max)


def _brakes(path: Path, name: str, motion: Motion, channel: Channel, report: Report) -> None:
    """The channel's own limits leave room to brake, and to begin within the latency."""
    brake, latency_s = motion.brake_mps2, motion.latency_ms / 1000
    low, high = narrowest(channel)
    one_way = path[-1] == "along" and outermost(channel)[0] >= 0 and channel.unit == "mps"
    least: list[tuple[float, str]] = []
    for keys, sign in ((_DOWN, -1), (_UP, 1)):
        if sign > 0 and one_way:
            continue
        rate = min((extent(limit)[0] for key in keys if (limit := getattr(channel, key)) is not None), default=math.inf)
        least.append((rate, keys[0]))
    if channel.unit == "mps2":
        if low > -brake or (path[-1] != "along" and high < brake):
            report.add(path, "its bounds do not allow braking by brake_mps2", name, f"min <= {-brake:g}")
        pushes = outermost(channel)[1], -outermost(channel)[0]
        for (rate, key), push in zip(least[: 1 if path[-1] == "along" else 2], pushes, strict=False):
            if push + brake > rate * latency_s:
                message = f"its {key} does not come from pushing to braking within latency_ms"
                report.add(path, message, name, f"{key} >= {(push + brake) / latency_s:g}")
        return
    for rate, key in least:
        if rate < brake:
            report.add(path, f"its {key} does not allow braking by brake_mps2", name, f"{key} >= {brake:g}")
    if channel.jerk_per_s2 is not None and extent(channel.jerk_per_s2)[0] * latency_s < brake:
        message = "its jerk limit does not come to braking within latency_ms"
        report.add(path, message, name, f"jerk_per_s2 >= {brake / latency_s:g}")


def _altitude(motion: Motion, document: PolicyDocument, names: Names, report: Report) -> None:
    steered_up = any(path[-1] == "z" for path, _ in steered_paths(motion))
    for key in ("floor_m", "ceiling_m"):
        value = getattr(motion, key)
        if value is None:
            continue
        if not steered_up or document.position is None or document.position.z is None:
            report.add((*_HERE, key), "needs steered_by.z and position.z", value)
    if motion.floor_m is not None and motion.ceiling_m is not None and motion.floor_m >= motion.ceiling_m:
        report.add((*_HERE, "floor_m"), "must be below the ceiling", motion.floor_m, f"< {motion.ceiling_m:g}")
    if steered_up and (motion.velocity is not None and motion.velocity.z is None):
        report.add((*_HERE, "steered_by", "z"), "needs velocity.z")


def _groups(motion: Motion, document: PolicyDocument, report: Report) -> None:
    """A group of steered channels holds no others, and turns as fast as it must brake."""
    steered = {name for _, name in steered_paths(motion)}
    for name, group in document.groups.items():
        members = set(group.channels) & steered
        if not members:
            continue
        path: Path = ("groups", name)
        if members != set(group.channels) or isinstance(motion.steered_by, Bicycle):
            report.add((*path, "channels"), "mixes axes of motion.steered_by with other channels")
        rate = group.norm_rate_per_s
        most = motion.brake_mps2 if motion.response_s else 2 * motion.brake_mps2 / motion.latency_ms * 1000
        if rate is not None and rate < most:
            report.add((*path, "norm_rate_per_s"), "does not allow braking by motion.brake_mps2", rate, f">= {most:g}")
