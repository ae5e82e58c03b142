"""Did anything escape? Judged from what the vehicle process received, against the policy's own YAML text.

Naive on purpose: plain numpy over the record, no code shared with the guard. The guard's frames only tell *when* it
reacted, never *whether* it was right.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from sim.demo.fences import Fence, read_fences

FloatArray = NDArray[np.float64]

FLOAT_NOISE = 1e-9  # relative and absolute: rounding of values and time stamps on their way
# How far the difference of two stamps may be off: a record keeps float seconds; ROS time is converted by reading two
# clocks one after the other, which the scheduler may come between.
STAMP_NOISE_S = {"shm": 2e-6, "ros2": 1e-3}
STEADY_CHANNELS = 3  # velocities: what glitches hit
MEMORY_S = 0.6  # an ask older than this moves nothing any more: the envelope has long caught up
STRAY_NOISE = 1e-6
ARRIVAL_JITTER_S = 0.05  # two messages may arrive this much closer together than they were sent


@dataclass(frozen=True)
class Allowed:
    """The plain limits of a policy file: one entry per channel, SI units."""

    channels: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    rate_up: FloatArray  # per second; infinite where the policy has none
    rate_down: FloatArray
    norms: tuple[tuple[str, tuple[int, ...], float], ...]  # name, channels, largest norm
    fences: tuple[Fence, ...]  # where the vehicle may be


def read_allowed(policy: Path) -> Allowed:
    """Reads a policy's YAML text. A limit given as a table counts with its largest value: the weakest claim."""
    document = YAML(typ="safe").load(policy.read_text(encoding="utf-8"))
    names = tuple(document["channels"])
    rows = list(document["channels"].values())
    groups = document.get("groups", {})
    return Allowed(
        names,
        np.array([-_largest(row["min"], -1) for row in rows]),
        np.array([_largest(row["max"], 1) for row in rows]),
        np.array([_rate(row, "rate_up_per_s") for row in rows]),
        np.array([_rate(row, "rate_down_per_s") for row in rows]),
        tuple(
            (name, tuple(names.index(channel) for channel in group["channels"]), _largest(group["norm"], 1))
            for name, group in groups.items()
        ),
        read_fences(document.get("zones", {})),
    )


def _largest(limit: Any, sign: int) -> float:
    """Largest value of ``sign * limit``, of a number or a table."""
    values = [point[1] for point in limit["points"]] if isinstance(limit, dict) else [limit]
    return max(sign * float(value) for value in values)


def _rate(row: dict[str, Any], key: str) -> float:
    """The channel's fastest allowed change in one direction."""
    both = [row[name] for name in ("rate_away_from_zero_per_s", "rate_towards_zero_per_s") if row.get(name)]
    split = max((_largest(limit, 1) for limit in both), default=np.inf) if len(both) == 2 else np.inf
    one_way = _largest(row[key], 1) if row.get(key) else np.inf
    return float(min(split, one_way))


@dataclass(frozen=True)
class Verdict:
    """What reached the vehicle within one stretch of time, as a share of what was allowed (1.0 = at the limit)."""

    messages: int
    nonfinite: int
    bound_share: float
    rate_share: float
    escapes: tuple[str, ...]


def judge(received: FloatArray, allowed: Allowed, stamp_noise_s: float = STAMP_NOISE_S["shm"]) -> Verdict:
    """Checks a record of rows ``(arrival_s, stamp_s, values...)``, shape ``(n, 2 + channels)``.

    `stamp_noise_s`: how far the difference of two stamps may be off.
    """
    values = received[:, 2:]
    bad = ~np.isfinite(values).all(axis=1)
    good = received[~bad]
    escapes = [f"{int(bad.sum())} messages with NaN or infinity"] if bad.any() else []
    if len(good) == 0:
        return Verdict(len(received), int(bad.sum()), 0.0, 0.0, tuple(escapes))
    bound_share, found = _bounds(good[:, 2:], allowed)
    escapes += found
    rate_share, found = _rates(good[:, 1], good[:, 2:], allowed, stamp_noise_s)
    escapes += [f"{text}, by the guard's stamps" for text in found]
    _, found = _rates(good[:, 0], good[:, 2:], allowed, ARRIVAL_JITTER_S)
    escapes += [f"{text}, by arrival" for text in found]
    return Verdict(len(received), int(bad.sum()), bound_share, rate_share, tuple(escapes))


def strays(received: FloatArray, healthy: FloatArray, channels: int = STEADY_CHANNELS) -> list[str]:
    """Did anything but healthy asks move the vehicle? What arrived must lie between the healthy asks of just before.

    received: as for `judge`. healthy: rows (time_s, values...) of what the pilot sent while nothing was wrong with it.
    """
    worst = np.zeros(channels)
    for row in received:
        recent = healthy[(healthy[:, 0] > row[0] - MEMORY_S) & (healthy[:, 0] <= row[0]), 1 : 1 + channels]
        if len(recent) == 0:
            return ["no healthy ask to compare with"]
        values = row[2 : 2 + channels]
        beyond = np.maximum(recent.min(axis=0) - values, values - recent.max(axis=0))
        worst = np.maximum(worst, np.where(np.isfinite(values), beyond, np.inf))
    return [
        f"channel {channel} was moved {size:.4f} beyond every healthy ask"
        for channel, size in enumerate(worst)
        if size > STRAY_NOISE
    ]


def _bounds(values: FloatArray, allowed: Allowed) -> tuple[float, list[str]]:
    worst, escapes = 0.0, []
    for channel, name in enumerate(allowed.channels):
        low, high, column = allowed.low[channel], allowed.high[channel], values[:, channel]
        centre, half = (high + low) / 2, (high - low) / 2
        share = float(np.abs(column - centre).max() / half)
        worst = max(worst, share)
        if share > 1 + FLOAT_NOISE:
            escapes.append(f"{name} reached {column[np.argmax(np.abs(column - centre))]:.3f}, allowed [{low}, {high}]")
    for name, members, norm in allowed.norms:
        size = float(np.sqrt((values[:, list(members)] ** 2).sum(axis=1)).max())
        worst = max(worst, size / norm)
        if size > norm * (1 + FLOAT_NOISE):
            escapes.append(f"norm {name} reached {size:.3f}, allowed {norm}")
    return worst, escapes


def _rates(times_s: FloatArray, values: FloatArray, allowed: Allowed, slack_s: float) -> tuple[float, list[str]]:
    """Change over 1, 10 and 100 messages against rate times elapsed time, which `slack_s` widens."""
    worst, escapes = 0.0, []
    if (np.diff(times_s) < -slack_s).any():
        escapes.append("messages went backwards in time")
    for lag in (1, 10, 100):
        elapsed_s = np.maximum(times_s[lag:] - times_s[:-lag], 0.0)[:, None]
        change = values[lag:] - values[:-lag]
        limit = np.where(change >= 0, allowed.rate_up, allowed.rate_down)
        shares = np.abs(change) / (limit * (elapsed_s + slack_s) + FLOAT_NOISE)
        worst = max(worst, float(shares.max(initial=0.0)))
        for channel in np.flatnonzero((shares > 1.0).any(axis=0)):
            row = int(np.argmax(shares[:, channel]))
            escapes.append(
                f"{allowed.channels[channel]} changed by {change[row, channel]:.3f} over {lag} messages, "
                f"{shares[row, channel]:.2f} times what the rate allows"
            )
    return worst, escapes
