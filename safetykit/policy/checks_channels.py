"""Relations within channels and groups: windows never empty, set-points inside them, and no limit without effect."""

from __future__ import annotations

import math

from safetykit.core import bounds as b
from safetykit.policy.paths import Path
from safetykit.policy.report import RATES, TABLED, Names, Report, extent, narrowest, outermost
from safetykit.policy.schema import Channel, Group, PolicyDocument
from safetykit.policy.schema_parts import Table
from safetykit.policy.units import named_after

SET_POINTS = ("neutral", "stop", "emergency")
NEVER = "can never fire"


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """All channels and groups."""
    for name, channel in document.channels.items():
        path: Path = ("channels", name)
        if not named_after(name, channel.unit):
            report.add((*path, "unit"), f"the name must end with its unit: {name}_{channel.unit}", channel.unit)
        for key in TABLED:
            _limit((*path, key), getattr(channel, key), key, names, report)
        if _bounds(path, channel, report):
            _rates(path, channel, document, report)
            _slew(path, channel, document, report)
            _relative(path, channel, names, report)
            _lateral(path, channel, document, names, report)
            _fallback(path, channel, names, report)
            _times(path, channel, document, report)
    taken: dict[str, str] = {}
    for name, group in document.groups.items():
        _group(name, group, document, names, taken, report)


def _limit(path: Path, limit: float | Table | None, key: str, names: Names, report: Report) -> None:
    """A table's input and points; the sign of a rate."""
    if limit is None:
        return
    positive = key not in ("min", "max")
    if not isinstance(limit, Table):
        if positive and limit <= 0:
            report.add(path, "must be more than 0", limit, "> 0")
        return
    for index, (x, y) in enumerate(limit.points):
        if index and x <= limit.points[index - 1][0]:
            before = limit.points[index - 1][0]
            report.add((*path, "points", index, 0), "input values must increase", x, f"> {before:g}")
        if positive and y <= 0:
            report.add((*path, "points", index, 1), "must be more than 0", y, "> 0")
    if limit.over not in names.inputs:
        report.unknown((*path, "over"), "input", limit.over, names.inputs)
        return
    entry = names.inputs[limit.over]
    if limit.points[-1][0] <= entry.min or limit.points[0][0] >= entry.max:
        message = f"the points lie outside the range of {limit.over}: only one is ever used"
        report.add((*path, "points"), message, allowed=f"{entry.min:g} to {entry.max:g}")
    if len({y for _, y in limit.points}) == 1:
        report.add((*path, "points"), "all limits are equal: write one number")


def _bounds(path: Path, channel: Channel, report: Report) -> bool:
    """The window is never empty and holds every set-point. False if the rest makes no sense."""
    low, high = narrowest(channel)
    if low > high:
        message = "the allowed window is empty" + (" where the tables meet" if _tabled(channel) else "")
        report.add((*path, "min"), message, low, f"<= {high:g}")
        return False
    for key in SET_POINTS:
        value = getattr(channel, key)
        if not low <= value <= high:
            report.add((*path, key), "is outside the channel's bounds", value, f"{low:g} to {high:g}")
    return True


def _tabled(channel: Channel) -> bool:
    return isinstance(channel.min, Table) or isinstance(channel.max, Table)


def fastest(channel: Channel) -> float:
    """The highest rate of change that the rates allow, per second; infinite without rates."""
    up, down, away, toward = (getattr(channel, key) for key in RATES)
    of = [math.inf if limit is None else extent(limit)[1] for limit in (up, down, away, toward)]
    return max(min(of[0], max(of[2], of[3])), min(of[1], max(of[2], of[3])))


def _rates(path: Path, channel: Channel, document: PolicyDocument, report: Report) -> None:
    if fastest(channel) <= 0:
        return  # reported before
    period_s = document.timing.period_ms / 1000
    low, high = outermost(channel)
    span = high - low
    for key in RATES:
        limit = getattr(channel, key)
        if limit is not None and extent(limit)[0] * period_s > span:
            message = f"{NEVER}: one tick allows more than the whole range"
            report.add((*path, key), message, _shown(limit), f"<= {span / period_s:g}")
    either = [extent(limit)[1] for limit in (channel.rate_up_per_s, channel.rate_down_per_s) if limit is not None]
    if len(either) == 2:
        for key in RATES[2:]:
            limit = getattr(channel, key)
            if limit is not None and extent(limit)[0] >= max(either):
                message = f"{NEVER}: rate_up and rate_down are always tighter"
                report.add((*path, key), message, _shown(limit), f"< {max(either):g}")
    jerk = channel.jerk_per_s2
    if jerk is not None:
        swing = 2 * min(fastest(channel), span / period_s) / period_s
        if extent(jerk)[0] >= swing:
            message = f"{NEVER}: one tick allows every change of rate"
            report.add((*path, "jerk_per_s2"), message, _shown(jerk), f"< {swing:g}")
    farthest = max(high - channel.stop, channel.stop - low)
    seconds = farthest / fastest(channel)
    if seconds > document.stop.power_off_after_s > 0:
        message = f"cannot be reached before power is removed: that takes {seconds:.3g} s, stop.power_off_after_s is"
        report.add((*path, "stop"), f"{message} {document.stop.power_off_after_s:g}", channel.stop)


def _shown(limit: float | Table) -> float:
    """The value to show for a constant or a table."""
    return extent(limit)[0]


def _slew(path: Path, channel: Channel, document: PolicyDocument, report: Report) -> None:
    slew = channel.slew
    if slew is None:
        return
    period_ms = document.timing.period_ms
    if slew.window_ms <= period_ms:
        report.add((*path, "slew", "window_ms"), "must be more than the period", slew.window_ms, f"> {period_ms:g}")
        return
    low, high = outermost(channel)
    covered_s = slew.window_ms * b.SLEW_BUCKETS / (b.SLEW_BUCKETS - 1) / 1000
    most = min(high - low, fastest(channel) * covered_s)
    if slew.delta >= most:
        message = f"{NEVER}: range and rates allow no more within the window"
        report.add((*path, "slew", "delta"), message, slew.delta, f"< {most:g}")
    least = min([extent(limit)[0] for key in RATES if (limit := getattr(channel, key)) is not None], default=0.0)
    if slew.delta < least * period_ms / 1000:
        message = "is less than one tick at the slowest rate: the rates can never fire"
        report.add((*path, "slew", "delta"), message, slew.delta, f">= {least * period_ms / 1000:g}")


def _relative(path: Path, channel: Channel, names: Names, report: Report) -> None:
    """Limits relative to a measured value or to the operator."""
    low, high = outermost(channel)
    measured = names.inputs.get(channel.measured) if channel.measured is not None else None
    if channel.measured is not None:
        if measured is None:
            report.unknown((*path, "measured"), "input", channel.measured, names.inputs)
        elif measured.unit != channel.unit:
            report.add((*path, "measured"), "must have the channel's unit", channel.measured, f"unit {channel.unit}")
        if not _uses_measured(channel):
            message = "is never used: there is no lead, no follow, no fallback: measured, no neutral_tracks_measured"
            report.add((*path, "measured"), message, channel.measured)
    for key in ("lead", "follow"):
        if getattr(channel, key) is not None and channel.measured is None:
            report.add((*path, key), "needs the key measured")
    if channel.lead is not None and measured is not None:
        error = channel.lead.error
        if measured.min + error >= high and measured.max - error <= low:
            report.add((*path, "lead", "error"), f"{NEVER}: it is wider than both ranges", error)
    if channel.follow is not None and measured is not None:
        error, most = channel.follow.error, max(high - measured.min, measured.max - low)
        if error >= most:
            report.add((*path, "follow", "error"), f"{NEVER}: no response can be that far off", error, f"< {most:g}")
    if channel.oppose is not None:
        entry = names.inputs.get(channel.oppose.input)
        if entry is None:
            report.unknown((*path, "oppose", "input"), "input", channel.oppose.input, names.inputs)
        elif channel.oppose.allowance >= max(-entry.min, entry.max):
            most = max(-entry.min, entry.max)
            message = f"{NEVER}: the operator's input never exceeds it"
            report.add((*path, "oppose", "allowance"), message, channel.oppose.allowance, f"< {most:g}")
        if not low <= 0 <= high:
            report.add((*path, "oppose"), "the operator's opposition leaves only 0, which is outside the bounds")


def _uses_measured(channel: Channel) -> bool:
    relative = channel.lead is not None or channel.follow is not None
    return relative or channel.fallback == "measured" or channel.neutral_tracks_measured


def _lateral(path: Path, channel: Channel, document: PolicyDocument, names: Names, report: Report) -> None:
    lateral = channel.lateral
    if lateral is None:
        return
    here: Path = (*path, "lateral")
    if document.speed is None:
        report.add(here, "needs the key speed: the input with the vehicle's speed")
    if lateral.accel_mps2 is None and lateral.jerk_mps3 is None:
        report.add(here, "needs accel_mps2 or jerk_mps3")
    unit = "rad" if lateral.geometry == "angle" else "radpm"
    if channel.unit != unit:
        report.add((*here, "geometry"), "does not fit the channel's unit", lateral.geometry, f"unit {unit}")
    if lateral.geometry == "angle" and lateral.wheelbase_m is None:
        report.add((*here, "wheelbase_m"), "is missing; an angle needs it")
    if lateral.geometry == "curvature":
        for key in ("wheelbase_m", "ratio", "understeer_s2pm2"):
            if getattr(lateral, key) is not None:
                report.add((*here, key), "has no effect on a curvature", getattr(lateral, key))
    speed = names.inputs.get(document.speed) if document.speed is not None else None
    if speed is None:
        return
    fastest_mps = max(abs(speed.min), abs(speed.max))
    if lateral.speed_min_mps >= fastest_mps:
        report.add((*here, "speed_min_mps"), "the speed never exceeds it", lateral.speed_min_mps, f"< {fastest_mps:g}")
    if lateral.accel_mps2 is not None:
        most = _curvature_max(channel, fastest_mps) * fastest_mps**2
        if lateral.accel_mps2 >= most:
            message = f"{NEVER}: the bounds allow less even at the highest speed"
            report.add((*here, "accel_mps2"), message, lateral.accel_mps2, f"< {most:.3g}")


def _curvature_max(channel: Channel, speed_mps: float) -> float:
    """Largest path curvature that the bounds allow at a speed, 1/m."""
    lateral = channel.lateral
    assert lateral is not None
    value = max(abs(bound) for bound in outermost(channel))
    if lateral.geometry == "curvature":
        return value
    model = (lateral.wheelbase_m or 1.0) * (1 + (lateral.understeer_s2pm2 or 0.0) * speed_mps**2)
    return math.tan(min(value / (lateral.ratio or 1.0), 1.5)) / model


def _fallback(path: Path, channel: Channel, names: Names, report: Report) -> None:
    if channel.fallback == "measured" and channel.measured is None:
        report.add((*path, "fallback"), "needs the key measured", channel.fallback)
    if channel.neutral_tracks_measured and channel.measured is None:
        report.add((*path, "neutral_tracks_measured"), "needs the key measured", channel.neutral_tracks_measured)
    if channel.fallback_jumps and channel.on_violation != "reject":
        report.add((*path, "fallback_jumps"), f"{NEVER}: on_violation is not reject", channel.fallback_jumps)


def _times(path: Path, channel: Channel, document: PolicyDocument, report: Report) -> None:
    period_ms = document.timing.period_ms
    follow = channel.follow
    if follow is not None and follow.for_ms <= period_ms:
        report.add((*path, "follow", "for_ms"), "must be more than the period", follow.for_ms, f"> {period_ms:g}")
    request = channel.request
    if request is None:
        return
    if request.drop_ms_max < period_ms:
        message = "is less than a period: a request could never drop"
        report.add((*path, "request", "drop_ms_max"), message, request.drop_ms_max, f">= {period_ms:g}")
    if request.up_ms_min <= period_ms:
        message = f"{NEVER}: a request is always up for a period"
        report.add((*path, "request", "up_ms_min"), message, request.up_ms_min, f"> {period_ms:g}")


def _group(
    name: str, group: Group, document: PolicyDocument, names: Names, taken: dict[str, str], report: Report
) -> None:
    path: Path = ("groups", name)
    _limit((*path, "norm"), group.norm, "norm", names, report)
    members: dict[str, Channel] = {}
    for index, member in enumerate(group.channels):
        here = (*path, "channels", index)
        if member not in document.channels:
            report.unknown(here, "channel", member, document.channels)
        elif member in members:
            report.add(here, "is given twice", member)
        elif member in taken:
            report.add(here, f"is already in group {taken[member]}", member)
        else:
            members[member] = document.channels[member]
            taken[member] = name
    if len(members) < len(group.channels):
        return
    if len({channel.unit for channel in members.values()}) > 1:
        report.add((*path, "channels"), "channels of a group must have one unit")
        return
    low, high = extent(group.norm)
    corner = math.hypot(*(max(abs(bound) for bound in outermost(channel)) for channel in members.values()))
    if low >= corner:
        report.add((*path, "norm"), f"{NEVER}: the channels' bounds allow no longer vector", low, f"< {corner:.6g}")
    for key in SET_POINTS:
        length = math.hypot(*(getattr(channel, key) for channel in members.values()))
        if length > low:
            message = f"the {key} values of its channels have the norm {length:g}"
            report.add((*path, "norm"), message, low, f">= {length:g}")
    rate = group.norm_rate_per_s
    if rate is not None:
        swiftest = math.hypot(*(fastest(channel) for channel in members.values()))
        most = min(2 * high / document.timing.period_ms * 1000, swiftest)
        if rate >= most:
            report.add((*path, "norm_rate_per_s"), f"{NEVER}: norm and rates are always tighter", rate, f"< {most:.6g}")
