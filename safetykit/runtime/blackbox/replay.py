"""Does the log follow from its own inputs? Every recorded tick through the compiled step, every byte compared.

Frame k's state and outputs with the inputs of frame k + 1 go through `step`; the result must equal frame k + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core.jit import jit
from safetykit.core.layout import FRAME, Frame, Limits, Timing
from safetykit.core.step import start, step
from safetykit.errors import PolicyError
from safetykit.runtime.blackbox.frame_codec import as_words
from safetykit.runtime.blackbox.log_reader import Frames, Item, Lost, Opened, Place, Unreadable, read_log
from safetykit.runtime.blackbox.opening import is_present_layout, mapping, policy_arrays

Arrays = tuple[Limits, Timing]
Words = NDArray[np.int64]

_WORD = 8
_WIDTH = FRAME.itemsize // _WORD
WORD_OF: dict[str, int] = {name: place[1] // _WORD for name, place in (FRAME.fields or {}).items()}
INPUT_WORDS = min(word for name, word in WORD_OF.items() if not name.startswith("in_"))
OUT_SEQ = WORD_OF["out_seq"]
assert all(word < INPUT_WORDS for name, word in WORD_OF.items() if name.startswith("in_"))


@dataclass(frozen=True)
class Difference:
    """The first bytes in which a recorded frame is not what `step` makes of it."""

    place: Place
    frame: int
    field: str  # with index, for example st_sent[2]
    recorded: int | float
    computed: int | float

    def __str__(self) -> str:
        return f"{self.place}, frame {self.frame}: {self.field} recorded {self.recorded!r}, computed {self.computed!r}"


@dataclass
class ReplayReport:
    """`compared` frames were computed from the frame before; `anchors` could not be (first frame, after a gap)."""

    compared: int = 0
    equal: int = 0
    anchors: int = 0
    lost: int = 0
    first_difference: Difference | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.first_difference is None and not self.problems


@jit
def _check(limits: Limits, timing: Timing, words: Words, scratch: Frame, scratch_words: Words) -> int:
    """Index of the first frame (1 ..) that does not follow from the one before, or the number of frames."""
    for k in range(1, words.shape[0]):
        for w in range(words.shape[1]):
            scratch_words[w] = words[k, w] if w < INPUT_WORDS else words[k - 1, w]
        if words[k, OUT_SEQ] == 1:  # a guard started anew
            for w in range(INPUT_WORDS, words.shape[1]):
                scratch_words[w] = 0
            start(limits, timing, scratch)
        step(limits, timing, scratch)
        for w in range(words.shape[1]):
            if scratch_words[w] != words[k, w]:
                return k
    return len(words)


class Scratch:
    """One frame, seen as a record and as words."""

    def __init__(self) -> None:
        self.words = np.zeros(_WIDTH, np.int64)
        self.record: Any = self.words.view(FRAME).view(np.recarray)[0]


def replay(path: Path) -> ReplayReport:
    """Replay a log directory or one segment with the policies recorded in it. Raises LogError when there is no log."""
    run = _Replay()
    for item in read_log(path):
        run.take(item)
    return run.report


class PolicyInForce:
    """Which recorded policy governs a frame.

    A recorder that starts with a restarted guard may first find frames of the guard before it: those still belong to
    the policy of the segment before. A guard's first frame carries ``out_seq`` 1.
    """

    def __init__(self) -> None:
        self.arrays: Arrays | None = None
        self.opening: dict[str, Any] = {}
        self._next: tuple[Arrays | None, dict[str, Any]] | None = None

    def opened(self, document: dict[str, Any]) -> bool:
        """Take over an OPEN entry; True when this software computes with its layout and policy arrays."""
        arrays = policy_arrays(document) if is_present_layout(document) else None
        before, now = mapping(self.opening, "ring"), mapping(document, "ring")
        restarted = before.get("identity") == now.get("identity") and before.get("starts") != now.get("starts")
        if self.opening and restarted:
            self._next = (arrays, document)
        else:
            self.arrays, self.opening, self._next = arrays, document, None
        return arrays is not None

    def split(self, frames: np.ndarray) -> list[np.ndarray]:
        """Runs of frames under one policy each; call :meth:`enter` before using each of them."""
        if self._next is None:
            return [frames]
        first = np.flatnonzero(frames["out_seq"] == 1)[:1]
        return [part for part in np.split(frames, first) if len(part)]

    def enter(self, frames: np.ndarray) -> None:
        """Change to the newer policy when `frames` begin with a guard's first frame."""
        if self._next is not None and frames["out_seq"][0] == 1:
            (self.arrays, self.opening), self._next = self._next, None


class _Replay:
    def __init__(self) -> None:
        self.report = ReplayReport()
        self._policy = PolicyInForce()
        self._before: np.ndarray | None = None  # words of the frame before, shape (1, words)
        self._expected = -1
        self._scratch = Scratch()
        self._digests: set[str] = set()

    def take(self, item: Item) -> None:
        if isinstance(item, Opened):
            if not self._policy.opened(item.document):
                self.report.problems.append(f"{item.place}: recorded with another frame layout; use that release")
            self._compare_digest(item.document)
        elif isinstance(item, Lost):
            self.report.lost += item.count
            self._before = None
        elif isinstance(item, Unreadable):
            self.report.problems.append(f"{item.place}: {item.what}")
            self._before = None
        elif isinstance(item, Frames) and item.frames.dtype == FRAME:
            number = item.first_number
            for part in self._policy.split(item.frames):
                self._policy.enter(part)
                self._block(item.place, number, as_words(part).view(np.int64))
                number += len(part)

    def _block(self, place: Place, number: int, words: np.ndarray) -> None:
        if self._policy.arrays is None:
            return
        if number != self._expected:
            self._before = None
        self._expected = number + len(words)
        before = self._before
        if before is None and words[0, OUT_SEQ] == 1:
            before = np.zeros((1, _WIDTH), np.int64)  # what a guard starts from
        if before is None:
            self.report.anchors += 1
        else:
            words, number = np.concatenate([before, words]), number - 1
        self._compare(place, number, words)
        self._before = words[-1:].copy()

    def _compare(self, place: Place, number: int, words: np.ndarray) -> None:
        """Check all frames after the first; after a difference go on from the recorded frame."""
        assert self._policy.arrays is not None
        limits, timing = self._policy.arrays
        self.report.compared += len(words) - 1
        while len(words) > 1:
            wrong = int(_check(limits, timing, words, self._scratch.record, self._scratch.words))
            self.report.equal += wrong - 1
            if wrong < len(words) and self.report.first_difference is None:
                self.report.first_difference = _difference(place, number + wrong, words[wrong], self._scratch.words)
            words, number = words[wrong:], number + wrong

    def _compare_digest(self, document: dict[str, Any]) -> None:
        """Note when the recorded policy document would compile to something else today."""
        recorded = mapping(document, "policy")
        digest = str(recorded.get("digest"))
        if digest in self._digests or not isinstance(recorded.get("document"), dict):
            return
        self._digests.add(digest)
        from safetykit.policy import parse_policy

        try:
            here = parse_policy(recorded["document"], "recorded policy").digest
        except PolicyError as error:
            self.report.notes.append(f"the recorded policy is refused by this release: {error}")
            return
        if here != digest:
            self.report.notes.append(
                f"policy {recorded.get('name')!r} compiles to digest {here[:12]} here, recorded was {digest[:12]}; "
                "replayed with the recorded arrays"
            )


def _difference(place: Place, frame: int, recorded: np.ndarray, computed: np.ndarray) -> Difference:
    word = int(np.flatnonzero(recorded != computed)[0])
    name = max((name for name, start_word in WORD_OF.items() if start_word <= word), key=WORD_OF.__getitem__)
    index = word - WORD_OF[name]
    kind = FRAME[name].base
    values = [array[word : word + 1].view(kind)[0].item() for array in (recorded, computed)]
    label = f"{name}[{index}]" if FRAME[name].shape else name
    return Difference(place, frame, label, values[0], values[1])
