"""A picture of a policy's zones: plan and side view, and rings where the vehicle must begin to stop at some speeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shapely.geometry.base import BaseGeometry

from safetykit.errors import SafetykitError
from safetykit.policy import shapes
from safetykit.policy.checks_zones import kept_m
from safetykit.policy.compile import Policy
from safetykit.policy.report import Names
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_zones import Zone

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"keep_in": "#2e7d32", "keep_out": "#d62728", "speed": "#e6953c", "condition": "#1f5fa8"}
_SHARES = (0.0, 0.25, 0.5, 1.0)  # of the highest speed: the rings
_OPEN_SHARE = 0.1  # of the picture's height that a zone without floor or ceiling reaches beyond the others


@dataclass(frozen=True)
class Ring:
    """Where a vehicle that comes straight at a fence must begin to stop."""

    zone: str
    speed_mps: float
    distance_m: float  # to the fence, every margin included
    plan: BaseGeometry  # its outline is the ring; empty if the zone is too small for this speed


def rings(document: PolicyDocument) -> list[Ring]:
    """The margin (at rest) and the rings of a few speeds round every keep-in and keep-out zone; none without motion."""
    motion = document.motion
    if motion is None:
        return []
    names = Names(document)
    reaction_s = motion.latency_ms / 1000 + (motion.response_s or 0.0)
    found = []
    for name, zone in document.zones.items():
        if zone.rule not in ("keep_in", "keep_out"):
            continue
        plan = shapes.polygon(zone, document.origin)
        for share in _SHARES:
            speed = share * _fastest(document, names)
            closing = speed + motion.wind_mps
            distance = kept_m(document, names) + closing * reaction_s + closing * closing / (2 * motion.brake_mps2)
            found.append(Ring(name, speed, distance, plan.buffer(-distance if zone.rule == "keep_in" else distance)))
    return found


def _fastest(document: PolicyDocument, names: Names) -> float:
    """Highest speed that the policy lets the vehicle have, else that it can measure; m/s."""
    motion = document.motion
    assert motion is not None
    if motion.speed_mps_max is not None:
        return motion.speed_mps_max
    measured = [motion.speed] if motion.velocity is None else [motion.velocity.x, motion.velocity.y]
    return max(abs(bound) for name in measured if name for bound in (names.inputs[name].min, names.inputs[name].max))


def write(policy: Policy, file: Path) -> None:
    """Draw the policy's zones. SafetykitError without zones, without matplotlib, or if the file cannot be written."""
    drawn = figure(policy)
    try:
        drawn.savefig(file, dpi=120)
    except (OSError, ValueError) as error:
        raise SafetykitError(f"{file}: cannot be written: {error}") from error


def figure(policy: Policy) -> Figure:
    """The picture itself."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SafetykitError("drawing needs matplotlib: pip install 'safetykit[sim]'") from error
    document = policy.document
    if not document.zones:
        raise SafetykitError(f"{policy.name} has no zones to draw")
    drawn = Figure(figsize=(8, 10), layout="constrained")
    plan, side = drawn.subplots(2, 1, height_ratios=[3, 1])
    _plan(plan, document)
    _side(side, document)
    drawn.suptitle(f"{policy.name} {policy.version}  sha256:{policy.digest[:12]}")
    return drawn


def _plan(axes: Axes, document: PolicyDocument) -> None:
    for name, zone in document.zones.items():
        shape = shapes.polygon(zone, document.origin)
        axes.fill(*shape.exterior.xy, color=COLOURS[zone.rule], alpha=0.12)
        axes.plot(*shape.exterior.xy, color=COLOURS[zone.rule], linewidth=1.5, label=f"{name}: {_said(zone)}")
        spot = shape.representative_point()
        axes.annotate(f"{name}\n{_levels(zone)}", (spot.x, spot.y), ha="center", va="center", fontsize=7)
    for ring in rings(document):
        colour = COLOURS[document.zones[ring.zone].rule]
        said = f"{ring.speed_mps:g} m/s: {ring.distance_m:.1f} m"
        for part in shapes.parts(ring.plan):
            axes.plot(*part.exterior.xy, color=colour, linewidth=0.8, linestyle=":")
            top = max(part.exterior.coords, key=lambda corner: corner[1])
            axes.annotate(said, (top[0], top[1]), fontsize=6, color=colour, va="bottom")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="east, m", ylabel="north, m")
    axes.legend(fontsize=7, loc="upper right")
    axes.grid(alpha=0.3)


def _side(axes: Axes, document: PolicyDocument) -> None:
    """East against up. A zone without floor or ceiling is open there."""
    given = [
        height for zone in document.zones.values() for height in (zone.floor_m, zone.ceiling_m) if height is not None
    ]
    low, high = (min(given), max(given)) if given else (0.0, 1.0)
    beyond = max((high - low) * _OPEN_SHARE, 1.0)
    for name, zone in document.zones.items():
        x0, _, x1, _ = shapes.polygon(zone, document.origin).bounds
        floor = low - beyond if zone.floor_m is None else zone.floor_m
        ceiling = high + beyond if zone.ceiling_m is None else zone.ceiling_m
        axes.fill([x0, x1, x1, x0], [floor, floor, ceiling, ceiling], color=COLOURS[zone.rule], alpha=0.12)
        for height in (zone.floor_m, zone.ceiling_m):
            if height is not None:
                axes.plot([x0, x1], [height, height], color=COLOURS[zone.rule], linewidth=1.5)
        axes.annotate(name, ((x0 + x1) / 2, (floor + ceiling) / 2), ha="center", va="center", fontsize=7)
    axes.set(xlabel="east, m", ylabel="up, m")
    axes.grid(alpha=0.3)


def _levels(zone: Zone) -> str:
    floor = "" if zone.floor_m is None else f"from {zone.floor_m:g} m"
    ceiling = "" if zone.ceiling_m is None else f"to {zone.ceiling_m:g} m"
    return f"{floor} {ceiling}".strip() or "every height"


def _said(zone: Zone) -> str:
    words = zone.rule.replace("_", " ")
    return words if zone.speed_mps_max is None else f"{words}, at most {zone.speed_mps_max:g} m/s"
