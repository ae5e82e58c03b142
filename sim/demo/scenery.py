"""The right-hand side of the demo's picture: the flight from above, and the car that cuts in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.demo.fences import EAST, NORTH, Fence
from sim.demo.road import RoadShow

FloatArray = NDArray[np.float64]

BARE, GUARDED, FORBIDDEN = "#d62728", "#1f5fa8", "#2e7d32"
MARGIN_M = 6.0  # around the flight and the zones to keep out of


def closed(corners: FloatArray) -> FloatArray:
    """An outline that ends where it begins."""
    return np.vstack([corners, corners[:1]])


def draw_map(panel: Any, track: FloatArray, contrasts: Sequence[FloatArray], fences: Sequence[Fence]) -> None:
    """From above: the way that the vehicle took, what the autonomy alone would have done, and the zones."""
    barred = [fence for fence in fences if not fence.inside]
    for fence in barred:
        panel.fill(*fence.corners.T, color=FORBIDDEN, alpha=0.25, lw=0)
        panel.plot(*closed(fence.corners).T, color=FORBIDDEN, lw=1)
        panel.annotate(fence.name, fence.corners.mean(axis=0), ha="center", va="center", fontsize=8)
    for number, bare in enumerate(contrasts):
        label = "without the guard" if number == 0 else None
        panel.plot(bare[:, EAST], bare[:, NORTH], color=BARE, lw=1.2, ls="--", label=label)
    panel.plot(track[:, EAST], track[:, NORTH], color=GUARDED, lw=1.2, label="the vehicle's way")
    every = np.vstack([track[:, EAST : NORTH + 1], *(fence.corners for fence in barred)])
    low, high = every.min(axis=0) - MARGIN_M, every.max(axis=0) + MARGIN_M
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="east in m", ylabel="north in m")
    panel.set_aspect("equal")
    panel.set_title("from above", fontsize=9, loc="left")
    panel.legend(loc="lower right", fontsize=7)


def draw_road(panel: Any, road: RoadShow) -> None:
    """Distance to the car that cut in, for every scene."""
    for number, (guarded, bare) in enumerate(zip(road.guarded, road.bare, strict=True)):
        labels = ("with the guard", "without it") if number == 0 else (None, None)
        panel.plot(guarded.rows[:, 0], guarded.rows[:, 1], color=GUARDED, lw=0.9, alpha=0.7, label=labels[0])
        panel.plot(bare.rows[:, 0], bare.rows[:, 1], color=BARE, lw=0.9, alpha=0.6, ls="--", label=labels[1])
        panel.plot(bare.rows[-1:, 0], bare.rows[-1:, 1], "x", color=BARE, ms=5)
    panel.axhline(0.0, color="black", lw=0.8)
    panel.set(xlabel="time in s", ylabel="distance in m")
    panel.set_title(f"a car cuts in and brakes, {len(road.guarded)} times", fontsize=9, loc="left")
    panel.legend(loc="upper right", fontsize=7)


def map_lines(
    track: FloatArray, contrasts: Sequence[FloatArray], fences: Sequence[Fence]
) -> list[tuple[str, FloatArray, str]]:
    """(name, rows of x and y, colour) of the map, for the page to zoom into."""
    outlines = [(fence.name, closed(fence.corners), FORBIDDEN) for fence in fences if not fence.inside]
    bare = [("without the guard", one[:, EAST : NORTH + 1], BARE) for one in contrasts]
    return [*outlines, *bare, ("the vehicle's way", track[:, EAST : NORTH + 1], GUARDED)]


def road_lines(road: RoadShow) -> list[tuple[str, FloatArray, str]]:
    """(name, rows of time and distance, colour) of every scene."""
    bare = [("without the guard", scene.rows[:, :2], BARE) for scene in road.bare]
    return [*bare, *(("with the guard", scene.rows[:, :2], GUARDED) for scene in road.guarded)]
