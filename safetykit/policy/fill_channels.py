"""Fills the channel, table and group blocks of both arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safetykit.core import bounds as b
from safetykit.core import layout as at
from safetykit.core.vocabulary import Fallback, Geometry
from safetykit.policy.report import RATES, TABLED, Names, all_tables, extent, outermost
from safetykit.policy.rows import Rows, ms_to_ns
from safetykit.policy.schema import Channel, PolicyDocument
from safetykit.policy.schema_parts import Table

TOLERANCE_SHARE = 1e-9  # of a channel's range: far below any sensor, far above float noise

_FALLBACK = {"zero": Fallback.ZERO, "last": Fallback.LAST, "measured": Fallback.MEASURED}
_GEOMETRY = {"curvature": Geometry.CURVATURE, "angle": Geometry.ANGLE}


def fill(
    document: PolicyDocument, names: Names, rows: Rows, limits: NDArray[np.float64], timing: NDArray[np.int64]
) -> None:
    """Write all channels, tables and groups."""
    tables = {path: number for number, (path, _) in enumerate(all_tables(document))}
    for number, (path, table) in enumerate(all_tables(document)):
        _table(number, table, path[-1] == "min", names, limits, timing)
    slew_slots = iter(range(b.SLEW_SLOTS_MAX))
    group_of = {channel: number for number, group in enumerate(document.groups.values()) for channel in group.channels}
    for number, (name, channel) in enumerate(document.channels.items()):
        _limits_of(channel, limits, at.L_CHANNEL + number * at.CH_COLS)
        row = at.T_CHANNEL + number * at.CHI_COLS
        _timing_of(channel, names, rows, timing, row)
        timing[row + at.FLAGS] = _flags(channel)
        timing[row + at.GROUP_OF] = group_of.get(name, -1)
        timing[row + at.SLEW_SLOT] = -1 if channel.slew is None else next(slew_slots)
        for column, key in enumerate(TABLED):
            timing[row + at.CHI_TABLE + column] = tables.get(("channels", name, key), -1)
    timing[at.CADENCE_USED] = int(any(channel.request is not None for channel in document.channels.values()))
    _groups(document, names, tables, limits, timing)


def worst(limit: float | Table, is_lower_bound: bool) -> float:
    """The most restrictive value: the largest of a lower bound, the smallest of everything else."""
    low, high = extent(limit)
    return high if is_lower_bound else low


def _table(
    number: int,
    table: Table,
    is_lower_bound: bool,
    names: Names,
    limits: NDArray[np.float64],
    timing: NDArray[np.int64],
) -> None:
    row, row_i = at.L_TABLE + number * at.TABLE_COLS, at.T_TABLE + number * at.TABLE_COLS_I
    last = len(table.points) - 1
    for k in range(b.TABLE_POINTS_MAX):  # unused points repeat the last one
        limits[row + at.TABLE_X + k], limits[row + at.TABLE_Y + k] = table.points[min(k, last)]
    limits[row + at.TABLE_WORST] = worst(table, is_lower_bound)
    timing[row_i + at.TABLE_POINTS] = len(table.points)
    timing[row_i + at.TABLE_INPUT] = names.input_numbers[table.over]


def _limits_of(channel: Channel, limits: NDArray[np.float64], row: int) -> None:
    for column, key in enumerate(TABLED):
        limit = getattr(channel, key)
        limits[row + column] = at.UNLIMITED if limit is None else worst(limit, key == "min")
    hard_lo, hard_hi = outermost(channel)
    lateral, oppose = channel.lateral, channel.oppose
    columns = {
        at.HARD_LO: hard_lo,
        at.HARD_HI: hard_hi,
        at.SLEW_DELTA: channel.slew.delta if channel.slew else None,
        at.LEAD_ERROR: channel.lead.error if channel.lead else None,
        at.OPPOSE_ALLOWANCE: oppose.allowance if oppose else None,
        at.OPPOSE_GAIN: oppose.gain if oppose else 0.0,
        at.LATERAL_ACCEL: lateral.accel_mps2 if lateral else None,
        at.LATERAL_JERK: lateral.jerk_mps3 if lateral else None,
        at.WHEELBASE: (lateral.wheelbase_m if lateral else None) or 1.0,
        at.RATIO: (lateral.ratio if lateral else None) or 1.0,
        at.UNDERSTEER: (lateral.understeer_s2pm2 if lateral else None) or 0.0,
        at.SPEED_MIN: lateral.speed_min_mps if lateral else 1.0,
        at.NEUTRAL: channel.neutral,
        at.STOP: channel.stop,
        at.EMERGENCY: channel.emergency,
        at.DEGRADED_SCALE: channel.degraded_scale,
        at.FOLLOW_ERROR: channel.follow.error if channel.follow else None,
        at.TOLERANCE: TOLERANCE_SHARE * (hard_hi - hard_lo),
    }
    for column, value in columns.items():
        limits[row + column] = at.UNLIMITED if value is None else value


def _timing_of(channel: Channel, names: Names, rows: Rows, timing: NDArray[np.int64], row: int) -> None:
    request, lead, oppose = channel.request, channel.lead, channel.oppose
    columns = {
        at.FALLBACK: int(_FALLBACK[channel.fallback]),
        at.LEAD_SLOT: rows.sample_slot(channel.measured if lead else None),
        at.OPPOSE_SLOT: rows.sample_slot(oppose.input if oppose else None),
        at.SLEW_BUCKET_NS: _bucket_ns(channel.slew.window_ms) if channel.slew else 0,
        at.MEASURED: -1 if channel.measured is None else names.input_numbers[channel.measured],
        at.GEOMETRY: int(_GEOMETRY[channel.lateral.geometry]) if channel.lateral else 0,
        at.REQUEST_DROP_NS: ms_to_ns(request.drop_ms_max) if request else 0,
        at.REQUEST_UP_NS: ms_to_ns(request.up_ms_min) if request else 0,
        at.FOLLOW_NS: ms_to_ns(channel.follow.for_ms) if channel.follow else 0,
    }
    for column, value in columns.items():
        timing[row + column] = value


def _bucket_ns(window_ms: float) -> int:
    """Length of a bucket such that all of them always cover at least the window."""
    return math.ceil(ms_to_ns(window_ms) / (b.SLEW_BUCKETS - 1))


def _flags(channel: Channel) -> int:
    present = {
        at.HAS_TABLE: any(isinstance(getattr(channel, key), Table) for key in TABLED),
        at.HAS_ZERO_RATES: any(getattr(channel, key) is not None for key in RATES[2:]),
        at.HAS_JERK: channel.jerk_per_s2 is not None,
        at.HAS_LATERAL: channel.lateral is not None,
        at.HAS_REQUEST: channel.request is not None,
        at.HAS_FOLLOW: channel.follow is not None,
        at.REJECTS: channel.on_violation == "reject",
        at.JUMPS: channel.fallback_jumps,
        at.EMERGENCY_JUMPS: channel.emergency_jumps,
        at.NEUTRAL_TRACKS: channel.neutral_tracks_measured,
        at.LEAD_TOWARD_ZERO: channel.lead is not None and channel.lead.towards_zero_free,
    }
    return sum(flag for flag, is_set in present.items() if is_set)


def _groups(
    document: PolicyDocument,
    names: Names,
    tables: dict[tuple[str | int, ...], int],
    limits: NDArray[np.float64],
    timing: NDArray[np.int64],
) -> None:
    for number, (name, group) in enumerate(document.groups.items()):
        row, row_i = at.L_GROUP + number * at.GROUP_COLS, at.T_GROUP + number * at.GROUP_COLS_I
        limits[row + at.NORM] = worst(group.norm, False)
        rate = group.norm_rate_per_s
        limits[row + at.NORM_RATE] = at.UNLIMITED if rate is None else rate
        timing[row_i + at.GROUP_N] = len(group.channels)
        for k in range(b.GROUP_CHANNELS_MAX):
            channel = group.channels[k] if k < len(group.channels) else None
            timing[row_i + at.GROUP_CHANNEL + k] = -1 if channel is None else names.channel_numbers[channel]
        timing[row_i + at.GROUP_TABLE] = tables.get(("groups", name, "norm"), -1)
