"""Relations of the sections `objects`, `rss` and `collision`: what they assume must be true of the policy itself."""

from __future__ import annotations

import math

from safetykit.core.vocabulary import Fault
from safetykit.policy.fill_objects import top_speed
from safetykit.policy.paths import Path
from safetykit.policy.report import Names, Report, extent, narrowest, outermost
from safetykit.policy.schema import Channel, PolicyDocument
from safetykit.policy.schema_motion import Motion
from safetykit.policy.schema_objects import Collision, Objects, Rss


def check(document: PolicyDocument, names: Names, report: Report) -> None:
    """All three sections; nothing for those that are absent."""
    objects = document.objects
    if objects is not None:
        _objects(objects, document, report)
    for key, frame in (("rss", "road"), ("collision", "world")):
        if getattr(document, key) is not None:
            _list(key, frame, objects, report)
    if document.rss is not None:
        _rss(document.rss, document, names, report)
    if document.collision is not None:
        _collision(document.collision, document, names, report)


def present(document: PolicyDocument) -> dict[Fault, bool]:
    """Which faults of these sections can occur."""
    needed = document.objects is not None and document.objects.needed
    found = {
        Fault.OBJECTS: document.objects is not None,
        Fault.RSS: document.rss is not None,
        Fault.COLLISION: document.collision is not None,
    }
    if needed:
        found |= dict.fromkeys((Fault.INPUT_STALE, Fault.INPUT_FUTURE, Fault.INPUT_TORN), True)
    if document.rss is not None or document.collision is not None:
        found[Fault.INFEASIBLE] = True
    return found


def _objects(objects: Objects, document: PolicyDocument, report: Report) -> None:
    period = document.timing.period_ms
    if objects.age_ms <= period:
        report.add(("objects", "age_ms"), "must be more than the period", objects.age_ms, f"> {period:g}")
    if objects.future_ms >= objects.age_ms:
        report.add(("objects", "future_ms"), "must be less than age_ms", objects.future_ms, f"< {objects.age_ms:g}")


def _list(key: str, frame: str, objects: Objects | None, report: Report) -> None:
    """A check needs its list, in its frame, and a fault when the list is missing."""
    if objects is None:
        report.add((key,), "needs the key objects")
        return
    if objects.frame != frame:
        report.add(("objects", "frame"), f"does not fit the key {key}", objects.frame, frame)
    if not objects.needed:
        report.add(("objects", "needed"), f"a missing list must be a fault: {key} counts on it", False, "true")


def _rss(rss: Rss, document: PolicyDocument, names: Names, report: Report) -> None:
    for key, unit in (("speed", "mps"), ("lateral_speed", "mps"), ("curvature", "radpm")):
        name = getattr(rss, key)
        if name is None:
            continue
        if name not in names.inputs:
            report.unknown(("rss", key), "input", name, names.inputs)
        elif names.inputs[name].unit != unit:
            report.add(("rss", key), "the input has the wrong unit", name, f"unit {unit}")
    if rss.lateral_speed == rss.speed:
        report.add(("rss", "lateral_speed"), "is the speed along the road already", rss.lateral_speed)
    for smaller, larger in (("brake_mps2_min", "brake_mps2_max"), ("brake_mps2_min_correct", "brake_mps2_min")):
        least, most = getattr(rss, smaller), getattr(rss, larger)
        if least > most:
            report.add(("rss", smaller), f"must not be more than {larger}", least, f"<= {most:g}")
    _caps(rss, document, names, report)
    channel = _channel("along", rss.along, ("mps2", "mps"), document, report)
    if channel is not None:
        _along(rss, channel, document, report)
    if rss.steer is None:
        if rss.curvature is not None:
            report.add(("rss", "curvature"), "without a steering channel it is never used", rss.curvature)
        return
    channel = _channel("steer", rss.steer, ("radpm", "rad", "mps2"), document, report)
    if rss.steer == rss.along:
        report.add(("rss", "steer"), "is the channel that brakes already", rss.steer)
    elif channel is not None and channel.unit in ("radpm", "rad") and channel.lateral is None:
        report.add(("rss", "steer"), "the channel needs the key lateral: how it turns the vehicle", rss.steer)


def _caps(rss: Rss, document: PolicyDocument, names: Names, report: Report) -> None:
    """A cap that nothing reaches does nothing."""
    gain = rss.accel_mps2_max * rss.response_s
    entry = names.inputs.get(rss.speed)
    known = [("speed_mps_max", max(abs(entry.min), abs(entry.max)))] if entry is not None else []
    if document.objects is not None:
        known.append(("others_speed_mps_max", document.objects.ranges.speed_mps_max))
    for key, fastest in known:
        cap = getattr(rss, key)
        if cap is not None and cap >= fastest + gain:
            report.add(("rss", key), "is never reached within the response time", cap, f"< {fastest + gain:g}")


def _channel(key: str, name: str, units: tuple[str, ...], document: PolicyDocument, report: Report) -> Channel | None:
    """The channel, if it can carry out a proper response."""
    path: Path = ("rss", key)
    channel = document.channels.get(name)
    if channel is None:
        report.unknown(path, "channel", name, document.channels)
        return None
    if channel.unit not in units:
        report.add(path, "the channel has the wrong unit", name, "unit " + " or ".join(units))
        return None
    if channel.fallback_jumps:
        report.add(path, "the channel has fallback_jumps, which would jump past the response", name)
    return channel


def _along(rss: Rss, channel: Channel, document: PolicyDocument, report: Report) -> None:
    """The channel brakes as hard, speeds up as little, and answers as soon as is assumed."""
    if channel.unit == "mps2":
        brakes, speeds_up = -narrowest(channel)[0], outermost(channel)[1]
        how = ("min", "max")
    else:
        brakes, speeds_up = _rate(channel, ("down", "towards_zero"), 0), _rate(channel, ("up", "away_from_zero"), 1)
        how = ("rate_down_per_s", "rate_up_per_s")
        if narrowest(channel)[0] > 0:
            report.add(("rss", "along"), "the channel can never stand", rss.along, "min <= 0")
        if rss.speed_mps_max is not None and outermost(channel)[1] > rss.speed_mps_max:
            fastest = f">= {outermost(channel)[1]:g}"
            report.add(("rss", "speed_mps_max"), f"{rss.along} goes beyond it", rss.speed_mps_max, fastest)
    if brakes < rss.brake_mps2_min:
        message = f"{rss.along} does not brake that hard: see its {how[0]}"
        report.add(("rss", "brake_mps2_min"), message, rss.brake_mps2_min, f"<= {brakes:g}")
    if speeds_up > rss.accel_mps2_max:
        message = f"{rss.along} speeds up harder: see its {how[1]}"
        report.add(("rss", "accel_mps2_max"), message, rss.accel_mps2_max, f">= {speeds_up:g}")
    if brakes < rss.brake_mps2_min or speeds_up > rss.accel_mps2_max or document.objects is None:
        return
    least = (document.timing.period_ms + document.objects.age_ms) / 1000 + _ramp_s(channel, rss, speeds_up)
    if rss.response_s < least:
        message = f"is shorter than the age of the list, a period and the ramp of {rss.along} to full braking"
        report.add(("rss", "response_s"), message, rss.response_s, f">= {least:.3g}")


def _rate(channel: Channel, kinds: tuple[str, ...], end: int) -> float:
    """Rate of the channel: at its slowest (end 0), or at its fastest (end 1). All rates of one direction hold."""
    given = [getattr(channel, f"rate_{kind}_per_s") for kind in kinds]
    return min((extent(limit)[end] for limit in given if limit is not None), default=math.inf)


def _ramp_s(channel: Channel, rss: Rss, speeds_up: float) -> float:
    """Longest time in s that the channel itself takes from full acceleration to the braking that is assumed."""
    change = speeds_up + rss.brake_mps2_min
    jerk = math.inf if channel.jerk_per_s2 is None else extent(channel.jerk_per_s2)[0]
    if channel.unit == "mps":
        return change / jerk
    rate = _rate(channel, ("down", "towards_zero", "away_from_zero"), 0)
    ramp_s = 0.0 if math.isinf(rate) else change / rate
    ramp_s += 0.0 if math.isinf(jerk) else min(rate / jerk, math.sqrt(change / jerk))
    if channel.slew is not None:
        ramp_s += math.floor(change / channel.slew.delta) * channel.slew.window_ms / 1000
    return ramp_s


def _collision(collision: Collision, document: PolicyDocument, names: Names, report: Report) -> None:
    if collision.ttc_s_min is None and collision.decel_mps2_max is None:
        report.add(("collision",), "needs ttc_s_min or decel_mps2_max")
    motion = document.motion
    if motion is None:
        report.add(("collision",), "needs the key motion: how the vehicle moves")
        return
    _times(collision, motion, document, report)
    if collision.decel_mps2_max is not None and collision.decel_mps2_max > motion.brake_mps2:
        message = "is more than the vehicle surely reaches: see motion.brake_mps2"
        report.add(("collision", "decel_mps2_max"), message, collision.decel_mps2_max, f"<= {motion.brake_mps2:g}")
    if collision.clearance_m is not None and motion.steered_by is None:
        report.add(("collision", "clearance_m"), "needs the key motion.steered_by", collision.clearance_m)
    given = (motion.velocity.x, motion.velocity.y, motion.velocity.z) if motion.velocity else (motion.speed,)
    if document.objects is None or any(name is not None and name not in names.inputs for name in given):
        return
    reach = document.objects.ranges.distance_m_max - collision.radius_m
    top = top_speed(motion, names)
    if collision.ttc_s_min is not None and top > 0 and top * collision.ttc_s_min > reach:
        message = "looks further than the list reaches, at the vehicle's top speed"
        report.add(("collision", "ttc_s_min"), message, collision.ttc_s_min, f"<= {max(reach, 0) / top:.3g}")


def _times(collision: Collision, motion: Motion, document: PolicyDocument, report: Report) -> None:
    """The vehicle needs time to react: a limit below it comes too late."""
    ttc_s = collision.ttc_s_min
    least_s = motion.latency_ms / 1000 + (motion.response_s or 0.0)
    if ttc_s is not None and ttc_s <= least_s:
        report.add(("collision", "ttc_s_min"), "is no longer than the reaction itself", ttc_s, f"> {least_s:g}")
    oldest = document.objects.age_ms if document.objects is not None else 0.0
    if motion.latency_ms < oldest + document.timing.period_ms:
        message = "is shorter than a period and the age that the list of objects may have"
        least = f">= {oldest + document.timing.period_ms:g}"
        report.add(("motion", "latency_ms"), message, motion.latency_ms, least)
