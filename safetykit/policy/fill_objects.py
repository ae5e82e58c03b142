"""Fills the blocks of objects, responsibility-sensitive safety and collision checks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as at
from safetykit.core.columns import objects as of
from safetykit.policy.report import Names
from safetykit.policy.rows import ms_to_ns
from safetykit.policy.schema import Channel, PolicyDocument
from safetykit.policy.schema_motion import Motion

Limits = NDArray[np.float64]
Times = NDArray[np.int64]

_ALONG = {"mps2": of.ALONG_ACCEL, "mps": of.ALONG_SPEED}
_STEER = {"mps2": of.STEER_ACCEL, "radpm": of.STEER_CURVATURE, "rad": of.STEER_ANGLE}
_RSS = {
    of.RSS_RESPONSE_S: "response_s",
    of.RSS_ACCEL: "accel_mps2_max",
    of.RSS_BRAKE_MIN: "brake_mps2_min",
    of.RSS_BRAKE_MAX: "brake_mps2_max",
    of.RSS_BRAKE_CORRECT: "brake_mps2_min_correct",
    of.RSS_LAT_ACCEL: "lateral_accel_mps2_max",
    of.RSS_LAT_BRAKE: "lateral_brake_mps2_min",
    of.RSS_LAT_MARGIN: "lateral_margin_m",
    of.RSS_CAP: "speed_mps_max",
    of.RSS_CAP_OTHERS: "others_speed_mps_max",
    of.RSS_LENGTH: "length_m",
    of.RSS_WIDTH: "width_m",
    of.RSS_CENTRE: "centre_m",
}


def fill(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    """Write the three blocks; what the policy does not have stays off."""
    _objects(document, limits, timing)
    _rss(document, names, limits, timing)
    _collision(document, names, limits, timing)


def _objects(document: PolicyDocument, limits: Limits, timing: Times) -> None:
    objects = document.objects
    if objects is None:
        return
    limits[at.L_OBJECTS + of.OBJECTS_DISTANCE] = objects.ranges.distance_m_max
    limits[at.L_OBJECTS + of.OBJECTS_SPEED] = objects.ranges.speed_mps_max
    timing[at.T_OBJECTS + of.OBJECTS_USED] = 1
    timing[at.T_OBJECTS + of.OBJECTS_AGE_NS] = ms_to_ns(objects.age_ms)
    timing[at.T_OBJECTS + of.OBJECTS_FUTURE_NS] = ms_to_ns(objects.future_ms)
    timing[at.T_OBJECTS + of.OBJECTS_NEEDED] = int(objects.needed)
    timing[at.T_OBJECTS + of.OBJECTS_COUNT] = objects.count_max


def _rss(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    rss = document.rss
    for column in (of.RSS_SPEED, of.RSS_LAT_SPEED, of.RSS_CURVATURE, of.RSS_ALONG, of.RSS_STEER):
        timing[at.T_RSS + column] = -1
    if rss is None:
        return
    for column, key in _RSS.items():
        value = getattr(rss, key)
        limits[at.L_RSS + column] = at.UNLIMITED if value is None else value
    timing[at.T_RSS + of.RSS_USED] = 1
    for column, name in (
        (of.RSS_SPEED, rss.speed),
        (of.RSS_LAT_SPEED, rss.lateral_speed),
        (of.RSS_CURVATURE, rss.curvature),
    ):
        if name is not None:
            timing[at.T_RSS + column] = names.input_numbers[name]
    timing[at.T_RSS + of.RSS_ALONG] = names.channel_numbers[rss.along]
    timing[at.T_RSS + of.RSS_ALONG_KIND] = _ALONG[document.channels[rss.along].unit]
    if rss.steer is not None:
        timing[at.T_RSS + of.RSS_STEER] = names.channel_numbers[rss.steer]
        timing[at.T_RSS + of.RSS_STEER_KIND] = _STEER[document.channels[rss.steer].unit]
        _geometry(document.channels[rss.steer], limits)


def _geometry(channel: Channel, limits: Limits) -> None:
    """How the steering channel turns the vehicle, as its own lateral limit says; a curvature needs no model."""
    lateral = channel.lateral
    limits[at.L_RSS + of.RSS_WHEELBASE] = limits[at.L_RSS + of.RSS_RATIO] = 1.0
    if lateral is None:
        return
    limits[at.L_RSS + of.RSS_SPEED_MIN] = lateral.speed_min_mps
    if lateral.geometry == "angle":
        limits[at.L_RSS + of.RSS_WHEELBASE] = lateral.wheelbase_m or 1.0
        limits[at.L_RSS + of.RSS_RATIO] = lateral.ratio or 1.0
        limits[at.L_RSS + of.RSS_UNDERSTEER] = lateral.understeer_s2pm2 or 0.0


def _collision(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    collision, motion = document.collision, document.motion
    if collision is None or motion is None:
        return
    limits[at.L_COLLISION + of.COLLISION_RADIUS] = collision.radius_m
    limits[at.L_COLLISION + of.COLLISION_TTC_S] = collision.ttc_s_min or 0.0
    decel = collision.decel_mps2_max
    limits[at.L_COLLISION + of.COLLISION_DECEL] = at.UNLIMITED if decel is None else decel
    limits[at.L_COLLISION + of.COLLISION_CLEARANCE] = collision.clearance_m or 0.0
    limits[at.L_COLLISION + of.COLLISION_SPEED] = top_speed(motion, names)
    timing[at.T_COLLISION + of.COLLISION_USED] = 1
    timing[at.T_COLLISION + of.COLLISION_WALLS] = int(collision.clearance_m is not None)
    timing[at.T_COLLISION + of.COLLISION_FLAT] = int(motion.velocity is None or motion.velocity.z is None)


def top_speed(motion: Motion, names: Names) -> float:
    """Largest speed in m/s that the measured velocity can have, or that the policy bounds it to."""
    if motion.velocity is not None:
        inputs = [motion.velocity.x, motion.velocity.y, motion.velocity.z]
    else:
        inputs = [motion.speed]
    entries = [names.inputs[name] for name in inputs if name is not None]
    fastest = math.sqrt(sum(max(abs(entry.min), abs(entry.max)) ** 2 for entry in entries))
    return fastest if motion.speed_mps_max is None else min(fastest, motion.speed_mps_max)
