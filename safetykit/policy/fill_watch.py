"""Fills the plausibility blocks: followers, outliers, oscillation, agreement, integrity, stuck values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safetykit.core import layout as at
from safetykit.core.columns import watch as w
from safetykit.policy.report import Names
from safetykit.policy.rows import Rows, ms_to_ns
from safetykit.policy.schema import PolicyDocument

Limits = NDArray[np.float64]
Times = NDArray[np.int64]

SIGMA = 1.4826  # standard deviations in a median absolute deviation of Gaussian noise


def fill(document: PolicyDocument, names: Names, rows: Rows, limits: Limits, timing: Times) -> None:
    """Write all of them; a section that is absent has no rows."""
    _channels(document, names, limits, timing)
    _agree(document, names, limits, timing)
    _integrity(document, names, limits, timing)
    _stuck(document, names, rows, timing)


def _channels(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    outliers = swings = 0
    for name, channel in document.channels.items():
        number = names.channel_numbers[name]
        limits[at.L_FOLLOW + number] = channel.follow.tau_s if channel.follow else 0.0
        if channel.outlier is not None:
            row, row_i = at.L_OUTLIER + outliers * w.OUTLIER_COLS, at.T_OUTLIER + outliers * w.OUTLIER_COLS_I
            limits[row + w.OUTLIER_GAIN] = SIGMA * channel.outlier.factor
            limits[row + w.OUTLIER_FLOOR] = channel.outlier.floor
            timing[row_i + w.OUTLIER_CHANNEL] = number
            timing[row_i + w.OUTLIER_WINDOW] = channel.outlier.window
            timing[row_i + w.OUTLIER_CONFIRM] = channel.outlier.confirm
            outliers += 1
        if channel.oscillation is not None:
            row = at.L_SWING + swings * w.SWING_COLS
            limits[row + w.SWING_ENERGY] = channel.oscillation.energy
            limits[row + w.SWING_WINDOW_S] = channel.oscillation.window_ms / 1000
            limits[row + w.SWING_DEADBAND] = channel.oscillation.deadband
            timing[at.T_SWING + swings * w.SWING_COLS_I + w.SWING_CHANNEL] = number
            swings += 1
    timing[at.T_WATCH + w.OUTLIER_COUNT], timing[at.T_WATCH + w.OSCILLATION_COUNT] = outliers, swings


def _agree(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    timing[at.T_WATCH + w.AGREE_COUNT] = len(document.agree)
    for number, entry in enumerate(document.agree.values()):
        row, row_i = at.L_AGREE + number * w.AGREE_COLS, at.T_AGREE + number * w.AGREE_COLS_I
        limits[row + w.AGREE_ERROR], limits[row + w.AGREE_SHARE] = entry.error, entry.error_share
        timing[row_i + w.AGREE_NS] = ms_to_ns(entry.for_ms)
        timing[row_i + w.AGREE_N] = len(entry.inputs)
        for k, name in enumerate(entry.inputs):
            timing[row_i + w.AGREE_INPUT + k] = names.input_numbers[name]


def _integrity(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    timing[at.T_WATCH + w.INTEGRITY_COUNT] = len(document.integrity)
    for number, entry in enumerate(document.integrity.values()):
        row, row_i = at.L_INTEGRITY + number * w.INTEGRITY_COLS, at.T_INTEGRITY + number * w.INTEGRITY_COLS_I
        timing[row_i + w.INTEGRITY_NS] = ms_to_ns(entry.for_ms)
        timing[row_i + w.INTEGRITY_N], timing[row_i + w.INTEGRITY_K] = len(entry.checks), entry.count
        for k, check in enumerate(entry.checks):
            limits[row + w.INTEGRITY_LO + k] = -at.UNLIMITED if check.min is None else check.min
            limits[row + w.INTEGRITY_HI + k] = at.UNLIMITED if check.max is None else check.max
            timing[row_i + w.INTEGRITY_INPUT + k] = names.input_numbers[check.input]


def _stuck(document: PolicyDocument, names: Names, rows: Rows, timing: Times) -> None:
    timing[at.T_WATCH + w.STUCK_COUNT] = len(document.stuck)
    for number, entry in enumerate(document.stuck.values()):
        row = at.T_STUCK + number * w.STUCK_COLS_I
        timing[row + w.STUCK_NS] = ms_to_ns(entry.for_ms)
        timing[row + w.STUCK_INPUT] = -1 if entry.input is None else names.input_numbers[entry.input]
        timing[row + w.STUCK_CHANNEL] = -1 if entry.asked is None else names.channel_numbers[entry.asked]
        timing[row + w.STUCK_WHILE] = rows.mask(entry.only_while)
