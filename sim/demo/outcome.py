"""One line per fault of the script: how many ticks until it was contained, and what reached the actuator meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core.vocabulary import Action, Fault, State, fault_names
from sim import autonomy
from sim.demo.director import Performance
from sim.demo.fences import trespasses
from sim.demo.judge import MEMORY_S, STAMP_NOISE_S, Allowed, Verdict, judge, strays

FloatArray = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

WRONG = 3  # column of the pilot's record: the message differs from a healthy one
FAULT = 2  # column: number of the fault, -1 = none
NOT_ENGAGED = "guard not engaged"


@dataclass(frozen=True)
class Outcome:
    """What one fault came to. `ticks` is None when the guard never named it."""

    fault: autonomy.Fault
    ticks: int | None
    answer: str  # worst action taken, and the reasons named
    verdict: Verdict
    problems: tuple[str, ...]


def first_seen(fault: autonomy.Fault, number: int, performance: Performance) -> int | None:
    """First tick that could see the fault: its first wrong message is in the mailbox, or the deed was done."""
    frames, sent = performance.frames, performance.sent
    if fault.kind in autonomy.DIRECTED:
        return _tick_at(frames, performance.deeds_s[fault.name])
    wrong = sent[(sent[:, FAULT] == number) & (sent[:, WRONG] == 1)]
    if len(wrong) == 0:
        return None
    tick = _tick_at(frames, wrong[0, 0])
    if fault.kind == "function":
        changed = np.flatnonzero(np.diff(frames["in_function_seq"][tick - 1 :])) + tick
    else:
        values = wrong[0, 4:]
        asked = frames["in_ask"][tick:, 0, : values.size]
        changed = np.flatnonzero(((asked == values) | (np.isnan(asked) & np.isnan(values))).all(axis=1)) + tick
    return int(changed[0]) if changed.size else None


def _tick_at(frames: Columns, time_s: float) -> int:
    return int(np.searchsorted(frames["in_now_ns"], int(time_s * 1e9)))


def contained(fault: autonomy.Fault, first: int | None, frames: Columns, end_s: float) -> tuple[int | None, str]:
    """Ticks from the first sight to the first answer that names the fault, and the answer in words."""
    if first is None:
        return None, "was never seen by the guard"
    expected = sum(1 << Fault[name] for name in fault.expect)
    last = max(_tick_at(frames, end_s), first + 1)
    faults, actions = frames["out_faults"][first:last], frames["out_action"][first:last]
    answered = (faults & expected != 0) & ((actions > Action.PASS) | (frames["out_function_refused"][first:last] == 1))
    if not answered.any() and not (frames["st_state"][first:last] == State.ENGAGED).any():
        return 0, f"{NOT_ENGAGED} ({State(int(frames['st_state'][first])).name}): not used at all"
    if not answered.any():
        return None, "was not answered"
    named = fault_names(int(np.bitwise_or.reduce(faults)) & expected)
    worst = int(actions.max())
    did = "refused" if fault.kind == "function" else Action(worst).name
    return int(np.argmax(answered)), f"{did}: {', '.join(named)}"


def outcomes(script: autonomy.Script, performance: Performance, allowed: Allowed) -> list[Outcome]:
    """One outcome per fault. A fault's stretch ends where the next one starts."""
    frames, received, start_s = performance.frames, performance.received, performance.start_s
    ends = [fault.start_s for fault in script.faults[1:]] + [script.seconds]
    rows = []
    for number, (fault, end_s) in enumerate(zip(script.faults, ends, strict=True)):
        first = first_seen(fault, number, performance)
        ticks, answer = contained(fault, first, frames, start_s + end_s)
        arrived = received[(received[:, 0] >= start_s + fault.start_s) & (received[:, 0] < start_s + end_s)]
        verdict = judge(arrived, allowed, STAMP_NOISE_S[performance.transport])
        problems = list(verdict.escapes)
        if ticks is None:
            problems.append(answer)
        if verdict.messages == 0:
            problems.append("nothing reached the vehicle: a guard must always send")
        track = performance.track
        stretch = track[(track[:, 0] >= start_s + fault.start_s) & (track[:, 0] < start_s + end_s)]
        problems += trespasses(stretch, allowed.fences)
        if fault.kind == "stop_request":
            problems += latch_broken(fault, frames, first, start_s)
        if fault.kind == "glitches":
            problems += glitched(fault, performance)
        rows.append(Outcome(fault, ticks, answer, verdict, tuple(problems)))
    return rows


def glitched(fault: autonomy.Fault, performance: Performance) -> list[str]:
    """No glitch may move the vehicle at all. Judged while engaged: else healthy asks do not move it either."""
    frames, sent, received, start_s = performance.frames, performance.sent, performance.received, performance.start_s
    begin_s, end_s = start_s + fault.start_s, start_s + fault.start_s + fault.duration_s
    states = frames["st_state"][_tick_at(frames, begin_s - MEMORY_S) : _tick_at(frames, end_s)]
    if not (states == State.ENGAGED).all():
        return ["the guard was not engaged throughout, so the glitches show nothing"]
    healthy = sent[sent[:, WRONG] == 0]
    arrived = received[(received[:, 0] >= begin_s) & (received[:, 0] < end_s)]
    return strays(arrived, np.column_stack([healthy[:, 0], healthy[:, 4:]]))


def latch_broken(fault: autonomy.Fault, frames: Columns, first: int | None, start_s: float) -> list[str]:
    """A stop stays until its reset, whatever is commanded and however often engage is pressed."""
    if first is None:
        return []
    reset = _tick_at(frames, start_s + fault.start_s + fault.duration_s)
    states = frames["st_state"][first:reset]
    stopped = int(np.argmax(states >= State.PROTECTIVE_STOP))
    problems = []
    if not (states[stopped:] >= State.PROTECTIVE_STOP).all():
        problems.append("the stop did not stay latched")
    after = frames["st_state"][reset:]
    if not (after == State.ENGAGED).any():
        problems.append("the guard was not engaged again after the reset")
    return problems
