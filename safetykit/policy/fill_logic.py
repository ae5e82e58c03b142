"""Fills the head, inputs, conditions, permission, functions, zones, recovery, breakers and reactions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safetykit.core import bounds as b
from safetykit.core import layout as at
from safetykit.core.vocabulary import Device
from safetykit.policy import fill_breakers, fill_commands, fill_motion, fill_objects, fill_rules, fill_watch, fill_zones
from safetykit.policy.report import Names
from safetykit.policy.rows import Rows, ms_to_ns, to_ns
from safetykit.policy.schema import PolicyDocument
from safetykit.policy.schema_parts import Condition

Limits = NDArray[np.float64]
Times = NDArray[np.int64]


def fill(document: PolicyDocument, names: Names, rows: Rows, limits: Limits, timing: Times) -> None:
    """Write every block that belongs to no channel."""
    _head(document, names, rows, timing)
    _inputs(document, names, limits, timing)
    _samples(names, rows, timing)
    _conditions(rows, limits, timing)
    _permission(document, names, rows, timing)
    _functions(document, rows, timing)
    fill_zones.fill(document, limits, timing)
    _recovery(document, names, rows, limits, timing)
    fill_breakers.fill(document, limits, timing)
    fill_motion.fill(document, names, limits, timing)
    fill_objects.fill(document, names, limits, timing)
    fill_commands.fill(document, names, rows, limits, timing)
    fill_watch.fill(document, names, rows, limits, timing)
    fill_rules.fill(document, names, limits, timing)


def _head(document: PolicyDocument, names: Names, rows: Rows, timing: Times) -> None:
    times, position = document.timing, document.position
    number = names.input_numbers
    engage = document.permission.engage
    head = {
        at.PERIOD_NS: ms_to_ns(times.period_ms),
        at.DT_MAX_NS: ms_to_ns(times.dt_max_ms),
        at.COMMAND_LATE_NS: ms_to_ns(times.command_late_ms),
        at.COMMAND_STALE_NS: ms_to_ns(times.command_stale_ms),
        at.COMMAND_FUTURE_NS: ms_to_ns(times.command_future_ms),
        at.COMMAND_LOST_MAX: times.command_lost_max,
        at.CHANNEL_COUNT: len(document.channels),
        at.INPUT_COUNT: len(names.inputs),
        at.SOURCE_COUNT: len(document.sources),
        at.GROUP_COUNT: len(document.groups),
        at.CONDITION_COUNT: len(rows.conditions),
        at.OVERRIDE_COUNT: len(document.permission.overrides),
        at.FUNCTION_COUNT: len(document.functions),
        at.ZONE_COUNT: len(document.zones),
        at.BREAKER_COUNT: len(document.breakers),
        at.PHASE_COUNT: len(document.recovery),
        at.SAMPLE_COUNT: len(rows.samples),
        at.ENGAGE_CONDITION: rows.condition(engage) if isinstance(engage, Condition) else -1,
        at.HOLD_TO_RUN: int(document.permission.hold_to_run),
        at.RESET_CONDITIONS: rows.mask(document.stop.reset_needs),
        at.POSITION_X: number[position.x] if position else -1,
        at.POSITION_Y: number[position.y] if position else -1,
        at.POSITION_Z: number[position.z] if position and position.z is not None else -1,
        at.SPEED_INPUT: number[document.speed] if document.speed is not None else -1,
        at.STOP_TIME_NS: to_ns(document.stop.power_off_after_s),
        at.POWER_IN_STANDBY: int(document.stop.power_in_standby),
        at.DEVICE: int(Device[document.stop.device.upper()]),
        at.ALL_CHANNELS: (1 << len(document.channels)) - 1,
    }
    for column, value in head.items():
        timing[column] = value


def _inputs(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    for source_number, source in enumerate(document.sources.values()):
        row_i = at.T_SOURCE + source_number * at.SOURCE_COLS
        timing[row_i + at.SOURCE_AGE_NS] = ms_to_ns(source.age_ms)
        timing[row_i + at.SOURCE_FUTURE_NS] = ms_to_ns(source.future_ms)
        timing[row_i + at.SOURCE_NEEDED] = int(source.needed)
        for name, entry in source.inputs.items():
            number = names.input_numbers[name]
            limits[at.L_INPUT + number * at.INPUT_COLS + at.INPUT_LO] = entry.min
            limits[at.L_INPUT + number * at.INPUT_COLS + at.INPUT_HI] = entry.max
            timing[at.T_INPUT + number * at.INPUT_COLS_I + at.SOURCE_OF] = source_number


def _samples(names: Names, rows: Rows, timing: Times) -> None:
    for slot, (name, depth) in enumerate(rows.samples.items()):
        row = at.T_SAMPLE + slot * at.SAMPLE_COLS
        timing[row + at.SAMPLE_INPUT] = names.input_numbers[name]
        timing[row + at.SAMPLE_DEPTH] = depth


def _conditions(rows: Rows, limits: Limits, timing: Times) -> None:
    for row, number in rows.conditions.items():
        offset, offset_i = at.L_COND + number * at.COND_COLS, at.T_COND + number * at.COND_COLS_I
        limits[offset + at.COND_LO], limits[offset + at.COND_HI] = row.lo, row.hi
        timing[offset_i + at.COND_KIND] = int(row.kind)
        timing[offset_i + at.COND_OPERAND] = row.operand
        timing[offset_i + at.COND_WITHIN_NS] = row.within_ns


def _permission(document: PolicyDocument, names: Names, rows: Rows, timing: Times) -> None:
    for number, override in enumerate(document.permission.overrides.values()):
        row = at.T_OVERRIDE + number * at.OVERRIDE_COLS
        scope = document.channels if isinstance(override.channels, str) else override.channels
        timing[row + at.OVERRIDE_KEEP] = rows.condition(override.withdraw or override.keep)
        timing[row + at.OVERRIDE_CHANNELS] = sum(1 << names.channel_numbers[name] for name in scope)
        timing[row + at.OVERRIDE_LATCHED] = int(override.until == "engaged_again")


def _functions(document: PolicyDocument, rows: Rows, timing: Times) -> None:
    for number, entry in enumerate(document.functions.values()):
        row = at.T_FUNCTION + number * at.FUNCTION_COLS
        timing[row + at.FUNCTION_MASK] = 0 if isinstance(entry, str) else rows.mask(entry.when)
        timing[row + at.FUNCTION_NEVER] = int(entry == "never")


def _recovery(document: PolicyDocument, names: Names, rows: Rows, limits: Limits, timing: Times) -> None:
    for number, phase in enumerate(document.recovery):
        row = at.T_PHASE + number * at.PHASE_COLS
        for name, value in phase.set.items():
            limits[at.L_PHASE + number * b.CHANNELS_MAX + names.channel_numbers[name]] = value
        timing[row + at.PHASE_NS] = to_ns(phase.for_s or 0.0)  # 0 = no time limit
        timing[row + at.PHASE_CONDITION] = rows.condition(phase.until)
        timing[row + at.PHASE_HOLD] = sum(1 << names.channel_numbers[name] for name in phase.hold)
