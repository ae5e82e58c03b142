"""Proof that a whole tick ran: each stage folds its token into one word, in order.

The word begins as the challenge of the emergency-stop microcontroller, which knows what it must be at the end of a tick
in which every stage ran once and in order. A stage that is skipped, repeated or moved gives another word: each token is
rotated once for every stage behind it. This is the logical supervision of a watchdog (AUTOSAR WdgM), carried over the
link (IEC 61784-3: the answer needs the receipt of the question).

The word lies in the frame and is loaded and stored atomically, so the compiler may neither merge the folds nor work
them out beforehand.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from safetykit.core.jit import jit
from safetykit.core.layout import Frame
from safetykit.core.protocol import PROGRESS_ROTATE, TOKENS, Stage

FIELD = "out_progress"
MASK = 0xFFFFFFFF
_WORD_BYTES = 8
_BACK = 32 - PROGRESS_ROTATE
_TOKENS = np.array(TOKENS, np.int64)
_TOKENS.flags.writeable = False


@jit
def fold(progress: int, stage: int) -> int:
    """The word after one stage; 32 bits in an int64."""
    return ((progress << PROGRESS_ROTATE | progress >> _BACK) & MASK) ^ _TOKENS[stage]


@jit
def whole(challenge: int) -> int:
    """The word after all stages in order."""
    progress = challenge & MASK
    for stage in range(len(_TOKENS)):
        progress = fold(progress, stage)
    return progress


def _word(builder: Any, record: Any, frame: Any) -> Any:
    """Address of the word in a record."""
    member: Any = cgutils.get_record_member
    return member(builder, record, frame.offset(FIELD), ir.IntType(64))


@intrinsic
def _load(typing_context: Any, frame: Any) -> Any:
    """The word in the frame."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _word(builder, args[0], frame)
        return builder.load_atomic(word, "monotonic", _WORD_BYTES)

    return types.int64(frame), generate


@intrinsic
def _store(typing_context: Any, frame: Any, progress: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = _word(builder, args[0], frame)
        value = context.cast(builder, args[1], signature.args[1], types.int64)
        builder.store_atomic(value, word, "monotonic", _WORD_BYTES)
        return context.get_dummy_value()

    return types.void(frame, progress), generate


def _plain_load(frame: Frame) -> int:
    return int(frame.out_progress)


def _plain_store(frame: Frame, progress: int) -> None:
    frame.out_progress = progress


INTERPRETED = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]
load: Any = _plain_load if INTERPRETED else _load
store: Any = _plain_store if INTERPRETED else _store


@jit
def begin(frame: Frame) -> None:
    """Start from what the loop brought: the challenge, with the loop's own first stage folded in."""
    store(frame, fold(frame.in_progress & MASK, Stage.BEGIN))


@jit
def passed(frame: Frame, stage: int) -> None:
    """`stage` has run."""
    store(frame, fold(load(frame), stage))
