"""What would another policy have done with the same inputs? Only the recorded inputs are used again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from safetykit.core.jit import jit
from safetykit.core.layout import FRAME, Frame, Limits, Timing
from safetykit.core.step import start, step
from safetykit.errors import LogError
from safetykit.runtime.blackbox.events import action_name
from safetykit.runtime.blackbox.frame_codec import as_words
from safetykit.runtime.blackbox.log_reader import Frames, Lost, Opened, Unreadable, read_log
from safetykit.runtime.blackbox.opening import is_present_layout, names
from safetykit.runtime.blackbox.replay import INPUT_WORDS, OUT_SEQ, Scratch, Words

if TYPE_CHECKING:
    from safetykit.policy import Policy


@dataclass
class WhatIfReport:
    """The recorded run against the same inputs under another policy."""

    channels: tuple[str, ...] = ()
    frames: int = 0
    frames_changed: int = 0  # the action or any sent value differs
    first_changed: int | None = None  # frame number
    actions_recorded: dict[str, int] = field(default_factory=dict)  # ticks per action
    actions_other: dict[str, int] = field(default_factory=dict)
    sent_change_max: dict[str, float] = field(default_factory=dict)  # per channel, largest absolute difference
    lost: int = 0
    problems: list[str] = field(default_factory=list)


@jit
def _run(limits: Limits, timing: Timing, words: Words, scratch: Frame, scratch_words: Words) -> None:
    """Replaces state and outputs of `words` by those of this policy; `scratch` carries the state on."""
    for k in range(words.shape[0]):
        if words[k, OUT_SEQ] == 1:  # a guard started anew
            for w in range(words.shape[1]):
                scratch_words[w] = 0
            start(limits, timing, scratch)
        for w in range(INPUT_WORDS):
            scratch_words[w] = words[k, w]
        step(limits, timing, scratch)
        for w in range(words.shape[1]):
            words[k, w] = scratch_words[w]


def what_if(path: Path, policy: Policy) -> WhatIfReport:
    """Run the log's inputs through `policy`, and compare with what was recorded.

    After a gap, and where a log does not begin with a guard's first frame, the recorded state is taken over.
    Raises LogError when there is no log, or when channels, inputs, sources or functions do not fit `policy`.
    """
    report, scratch = WhatIfReport(policy.channels), Scratch()
    gap, expected = True, -1
    for item in read_log(path):
        if isinstance(item, Opened):
            _require_same_names(item, policy)
        elif isinstance(item, Lost):
            report.lost += item.count
        elif isinstance(item, Unreadable):
            report.problems.append(f"{item.place}: {item.what}")
        elif isinstance(item, Frames):
            frames, first = item.frames, item.first_number
            gap = gap or first != expected
            expected = first + len(frames)
            if gap and frames["out_seq"][0] != 1:
                scratch.words[:] = as_words(frames[:1]).view(np.int64)[0]
                frames, first = frames[1:], first + 1
            gap = False
            words = as_words(frames).view(np.int64).copy()
            _run(policy.limits, policy.timing, words, scratch.record, scratch.words)
            _count(report, first, frames, words.view(FRAME).reshape(len(words)))
    return report


def _require_same_names(item: Opened, policy: Policy) -> None:
    if not is_present_layout(item.document):
        raise LogError(f"{item.place}: recorded with another frame layout; use that release")
    present = {"channels": policy.channels, "inputs": policy.inputs, "functions": policy.functions}
    for what, own in present.items():
        recorded = names(item.document, what)
        if recorded != own:
            raise LogError(f"{item.place}: {what} recorded {list(recorded)}, policy {policy.name!r} has {list(own)}")


def _count(report: WhatIfReport, first: int, recorded: np.ndarray, other: np.ndarray) -> None:
    report.frames += len(recorded)
    for frames, counts in ((recorded, report.actions_recorded), (other, report.actions_other)):
        for action, count in zip(*np.unique(frames["out_action"], return_counts=True), strict=True):
            name = action_name(int(action))
            counts[name] = counts.get(name, 0) + int(count)
    change = np.abs(recorded["out_sent"] - other["out_sent"])[:, : len(report.channels)]
    changed = (recorded["out_action"] != other["out_action"]) | (change > 0).any(axis=1)
    report.frames_changed += int(changed.sum())
    if report.first_changed is None and changed.any():
        report.first_changed = first + int(np.argmax(changed))
    for place, name in enumerate(report.channels):
        largest = float(change[:, place].max(initial=0.0))
        report.sent_change_max[name] = max(report.sent_change_max.get(name, 0.0), largest)
