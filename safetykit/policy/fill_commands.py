"""Fills the blocks of the vote, the operator's own commands and the shadow model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safetykit.core import bounds as b
from safetykit.core import layout as at
from safetykit.core.columns import commands as col
from safetykit.core.vocabulary import Fault
from safetykit.policy.report import Names
from safetykit.policy.rows import Rows, ms_to_ns
from safetykit.policy.schema import PolicyDocument

Limits = NDArray[np.float64]
Times = NDArray[np.int64]


def fill(document: PolicyDocument, names: Names, rows: Rows, limits: Limits, timing: Times) -> None:
    """Write all blocks; without a section, one voter and nothing else."""
    timing[at.T_VOTE + col.VOTE_COUNT] = 1
    timing[at.T_MANUAL + col.MANUAL_TAKE] = -1
    _vote(document, limits, timing)
    _manual(document, rows, timing)
    _shadow(document, names, limits, timing)


def _vote(document: PolicyDocument, limits: Limits, timing: Times) -> None:
    section = document.commands
    if section is None:
        return
    timing[at.T_VOTE + col.VOTE_COUNT] = len(section.voters)
    timing[at.T_VOTE + col.VOTE_NEEDED] = section.needed
    timing[at.T_VOTE + col.VOTE_ALIGN_NS] = ms_to_ns(section.align_ms)
    timing[at.T_VOTE + col.VOTE_DISAGREE_NS] = ms_to_ns(section.disagree_ms)
    for number, channel in enumerate(document.channels.values()):
        limits[at.L_VOTE_TOLERANCE + number] = channel.vote_tolerance


def _manual(document: PolicyDocument, rows: Rows, timing: Times) -> None:
    section = document.manual
    if section is None:
        return
    timing[at.T_MANUAL + col.MANUAL_TAKE] = rows.condition(section.take)
    timing[at.T_MANUAL + col.MANUAL_LATE_NS] = ms_to_ns(section.late_ms)
    timing[at.T_MANUAL + col.MANUAL_STALE_NS] = ms_to_ns(section.stale_ms)
    timing[at.T_MANUAL + col.MANUAL_OVERRULES] = sum(1 << Fault[name] for name in section.overrules)


def _shadow(document: PolicyDocument, names: Names, limits: Limits, timing: Times) -> None:
    for number in range(b.CHANNELS_MAX):
        timing[at.T_SHADOW + col.SHADOW_INPUT + number] = -1
        limits[at.L_SHADOW_TOLERANCE + number] = at.UNLIMITED
    section = document.shadow
    if section is None:
        return
    timing[at.T_SHADOW + col.SHADOW_USED] = 1
    timing[at.T_SHADOW + col.SHADOW_FOR_NS] = ms_to_ns(section.for_ms)
    for name, part in section.map.items():
        number = names.channel_numbers[name]
        timing[at.T_SHADOW + col.SHADOW_INPUT + number] = names.input_numbers[part.input]
        limits[at.L_SHADOW_TOLERANCE + number] = part.tolerance
