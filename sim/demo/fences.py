"""Was the vehicle ever where it may not be? Judged from its own track, against the policy's own YAML text.

Naive on purpose, like the judge: crossings of a ray, distances to edges, no code shared with the guard. Polygons only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.vehicles import Quadrotor

FloatArray = NDArray[np.float64]

TIME, EAST, NORTH, UP, YAW, TRACK_WIDTH = 0, 1, 2, 3, 7, 8  # columns of the vehicle's track; velocity in 4 to 6
CONTRAST_STEP_S = 0.01


@dataclass(frozen=True)
class Fence:
    """A zone that must be kept. Corners (n, 2): east, north in m."""

    name: str
    inside: bool  # where the vehicle must be
    corners: FloatArray
    floor_m: float
    ceiling_m: float

    def holds(self, track: FloatArray) -> NDArray[np.bool_]:
        """True for each row of the track that lies in the zone."""
        east, north, up = track[:, EAST, None], track[:, NORTH, None], track[:, UP]
        (x, y), (x_next, y_next) = self.corners.T, np.roll(self.corners, -1, axis=0).T
        crosses = (y > north) != (y_next > north)
        with np.errstate(divide="ignore", invalid="ignore"):  # level edges are crossed by no ray
            at = x + (north - y) / (y_next - y) * (x_next - x)
        within = (crosses & (east < at)).sum(axis=1) % 2 == 1
        return np.asarray(within & (up >= self.floor_m) & (up <= self.ceiling_m))

    def nearest_m(self, track: FloatArray) -> float:
        """The smallest horizontal distance of the track from the outline."""
        here = track[:, None, EAST : NORTH + 1]
        along = np.roll(self.corners, -1, axis=0) - self.corners
        share = ((here - self.corners) * along).sum(axis=2) / (along**2).sum(axis=1)
        nearest = self.corners + np.clip(share, 0.0, 1.0)[:, :, None] * along
        return float(np.sqrt(((here - nearest) ** 2).sum(axis=2)).min())


def read_fences(zones: Mapping[str, Any]) -> tuple[Fence, ...]:
    """The fences of a policy's section `zones`. Raises ValueError for what cannot be judged here."""
    fences = []
    for name, zone in zones.items():
        if zone["rule"] == "condition":
            continue
        if zone["rule"] not in ("keep_in", "keep_out") or "corners_m" not in zone:
            raise ValueError(f"zone {name!r}: the demo judges polygons to keep in or out of, in metres")
        corners = np.array(zone["corners_m"], np.float64)
        bounds = float(zone.get("floor_m", -np.inf)), float(zone.get("ceiling_m", np.inf))
        fences.append(Fence(name, zone["rule"] == "keep_in", corners, *bounds))
    return tuple(fences)


def trespasses(track: FloatArray, fences: tuple[Fence, ...]) -> list[str]:
    """What the track shows that may not be. A position that is not a number is nowhere that it may be."""
    found = []
    unknown = int((~np.isfinite(track[:, EAST : UP + 1])).any(axis=1).sum())
    if unknown:
        found.append(f"the vehicle's position was not a number in {unknown} rows of its track")
    kept_in = [fence.holds(track) for fence in fences if fence.inside]
    outside = ~np.logical_or.reduce(kept_in) if kept_in else np.zeros(len(track), np.bool_)
    if outside.any():
        found.append(f"the vehicle left its area in {int(outside.sum())} rows of its track")
    for fence in fences:
        entered = 0 if fence.inside else int(fence.holds(track).sum())
        if entered:
            found.append(f"the vehicle was in {fence.name} in {entered} rows of its track")
    return found


def unguarded(begin: FloatArray, asked: FloatArray, seconds: float) -> FloatArray:
    """Where the vehicle would have gone had the autonomy's word gone straight to it; rows as in a track.

    begin: row of the track at which it starts. asked: rows (time, values...), held until the next one.
    """
    vehicle = Quadrotor(position_m=begin[EAST : UP + 1].copy(), velocity_mps=begin[4:YAW].copy())
    rows = []
    for time_s in np.arange(begin[TIME], begin[TIME] + seconds, CONTRAST_STEP_S):
        message = max(int(np.searchsorted(asked[:, 0], time_s, side="right")) - 1, 0)
        vehicle.step(asked[message, 1:], CONTRAST_STEP_S)
        rows.append([time_s, *vehicle.position_m, *vehicle.velocity_mps, vehicle.yaw_rad])
    return np.array(rows).reshape(-1, TRACK_WIDTH)
