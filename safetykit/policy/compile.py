"""A checked policy document as the core sees it: two read-only arrays, names, and a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from safetykit.core.layout import LAYOUT_VERSION, LIMITS_SIZE, TIMING_SIZE
from safetykit.policy import fill_channels, fill_logic
from safetykit.policy.report import Names
from safetykit.policy.rows import Rows, ms_to_ns
from safetykit.policy.schema import PolicyDocument


@dataclass(frozen=True)
class SourceSpec:
    """One mailbox of inputs; its inputs have consecutive numbers."""

    name: str
    inputs: tuple[int, ...]

    @property
    def first(self) -> int:
        """Number of the first input."""
        return self.inputs[0]

    @property
    def count(self) -> int:
        """Number of inputs."""
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class Policy:
    """A policy that passed every check. Equal digests mean equal behaviour."""

    name: str
    version: str
    digest: str  # SHA-256, hex
    limits: NDArray[np.float64] = field(repr=False)  # (LIMITS_SIZE,), read-only
    timing: NDArray[np.int64] = field(repr=False)  # (TIMING_SIZE,), read-only
    channels: tuple[str, ...]
    inputs: tuple[str, ...]
    sources: tuple[SourceSpec, ...]
    functions: tuple[str, ...]
    conditions: tuple[str, ...]  # readable, by condition row
    zones: tuple[str, ...]
    rules: tuple[str, ...]
    period_ns: int
    document: PolicyDocument = field(repr=False)

    @property
    def voters(self) -> tuple[str, ...]:
        """Names of the redundant senders of commands, in the order of the vote; empty where there is no vote."""
        return tuple(self.document.commands.voters) if self.document.commands else ()

    def channel_index(self, name: str) -> int:
        """Number of a channel; KeyError for an unknown name."""
        return _index(self.channels, name, "channel")

    def input_index(self, name: str) -> int:
        """Number of an input; KeyError for an unknown name."""
        return _index(self.inputs, name, "input")

    def function_number(self, name: str) -> int:
        """1-based entry of the function allow-list; -1 for an unknown name, which the guard refuses."""
        return self.functions.index(name) + 1 if name in self.functions else -1

    def to_json(self) -> str:
        """The document as JSON; parsing it again gives the same digest."""
        return self.document.model_dump_json()


def compile_document(document: PolicyDocument) -> Policy:
    """Fill the arrays. The document must have passed `checks.check`."""
    names = Names(document)
    rows = Rows(names)
    limits = np.zeros(LIMITS_SIZE, np.float64)
    timing = np.zeros(TIMING_SIZE, np.int64)
    fill_channels.fill(document, names, rows, limits, timing)
    fill_logic.fill(document, names, rows, limits, timing)
    limits.flags.writeable = timing.flags.writeable = False
    sources = tuple(
        SourceSpec(name, tuple(names.input_numbers[key] for key in source.inputs))
        for name, source in document.sources.items()
    )
    return Policy(
        name=document.name,
        version=document.version,
        digest=_digest(document, limits, timing),
        limits=limits,
        timing=timing,
        channels=tuple(document.channels),
        inputs=tuple(names.inputs),
        sources=sources,
        functions=tuple(document.functions),
        conditions=tuple(row.text for row in rows.conditions),
        zones=tuple(document.zones),
        rules=tuple(document.rules),
        period_ns=ms_to_ns(document.timing.period_ms),
        document=document,
    )


def _digest(document: PolicyDocument, limits: NDArray[np.float64], timing: NDArray[np.int64]) -> str:
    """SHA-256 over both arrays, the document in declared order, and the layout they are meant for."""
    digest = hashlib.sha256()
    for part in (
        f"safetykit policy, layout {LAYOUT_VERSION}".encode(),
        limits.astype("<f8").tobytes(),
        timing.astype("<i8").tobytes(),
        json.dumps(document.model_dump(mode="json"), separators=(",", ":")).encode(),
    ):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _index(names: tuple[str, ...], name: str, what: str) -> int:
    if name not in names:
        raise KeyError(f"unknown {what} {name!r}; known: {', '.join(names)}")
    return names.index(name)
