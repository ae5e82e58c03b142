"""What a scene came to, and whether that is good enough. Pure: everything comes in as numbers.

Limits are judged on the microcontroller's own clock and in the guard's own ticks wherever that can be, because the
emulated board shares a busy host. Times on the host's clock are shown and not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safetykit.core import protocol as p
from safetykit.core.heartbeat import LINK_NS
from safetykit.core.vocabulary import Fault, State
from sim.demo_estop.mcu import McuEvent
from sim.demo_estop.scenes import Guard, Scene

Columns = Mapping[str, NDArray[Any]]

NEWS = 1 << Fault.STOP_BUTTON | 1 << Fault.DEVICE_SILENT | 1 << Fault.STOP_REQUEST
EDGE, ANSWER = "edge", "last answer"
EDGE_CYCLES = 2  # an edge just after the contacts were read is seen in the cycle after the next
LATE_TICKS_MAX = 1  # the guard stops within one tick of knowing


@dataclass(frozen=True)
class GuardReaction:
    """What the guard did between the cause and the end of a scene, in its own ticks."""

    stopped_ns: int | None  # its first tick in a stop; None: there was none
    ticks: int  # ticks from the cause up to and with that one
    late: int  # of these, ticks that had a reason to stop and did not
    left: str  # state for which it left the stop; "" = it did not


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    name: str
    title: str
    causes: tuple[str, ...]  # of the event memory, oldest first
    locked: bool
    mcu_ms: float | None  # on the microcontroller's clock, until its command to the relays
    mcu_from: str  # since when
    mcu_limit_ms: float
    relay_ms: float | None  # host's clock: cause to open power circuit
    guard: Guard
    guard_ms: float | None  # host's clock: cause to the guard's stop
    guard_ticks: int
    guard_late: int
    way_m: float | None  # from the cause until rest; None: it did not come to rest
    restarts: tuple[str, ...]  # what came back by itself
    problems: tuple[str, ...] = ()


def guard_reaction(frames: Columns, cause_ns: int, silent_from_ns: int | None = None) -> GuardReaction:
    """Reads it from the guard's frames up to now. `silent_from_ns`: the guard hears nothing after that."""
    since = frames["in_now_ns"] > cause_ns
    times, states, faults = (frames[name][since] for name in ("in_now_ns", "st_state", "out_faults"))
    stopped = states >= State.PROTECTIVE_STOP
    first = int(np.argmax(stopped)) if stopped.any() else len(states)
    knew = faults[:first] & NEWS != 0
    if silent_from_ns is not None:
        knew |= times[:first] - silent_from_ns > LINK_NS
    left = states[first:][(states[first:] < State.PROTECTIVE_STOP) & (states[first:] != State.BOOT)]
    return GuardReaction(
        stopped_ns=int(times[first]) if stopped.any() else None,
        ticks=first + 1,
        late=int(knew.sum()),
        left=State(int(left[0])).name if len(left) else "",
    )


def microcontroller_ms(event: McuEvent | None, edge_us: int | None) -> tuple[float | None, str]:
    """Time until the command to the relays, and since when; `edge_us`: since a contact opened, if one did."""
    if edge_us is not None:
        return edge_us / 1000, EDGE
    if event is None:
        return None, ANSWER
    return event.link_us / 1000, "guard's STOP" if event.cause == "HOST_STOP" else ANSWER


def limit_ms(mcu_from: str, cycle_max_us: int) -> float:
    """Longest time allowed for that: two cycles after an edge; the link's time and one cycle after an answer."""
    if mcu_from == EDGE:
        return EDGE_CYCLES * cycle_max_us / 1000
    return (p.LINK_US + cycle_max_us) / 1000


def judge(outcome: Outcome, scene: Scene) -> tuple[str, ...]:
    """Everything that is wrong with it."""
    problems = _judge_causes(outcome.causes, scene.causes)
    if outcome.mcu_ms is None:
        problems.append("the microcontroller did not stop")
    elif outcome.mcu_ms > outcome.mcu_limit_ms:
        problems.append(f"relays after {outcome.mcu_ms:.1f} ms, allowed {outcome.mcu_limit_ms:.1f} ms")
    if outcome.relay_ms is None:
        problems.append("power stayed on")
    if outcome.way_m is None:
        problems.append("the vehicle did not come to rest")
    if outcome.guard_ms is None:
        problems.append("the guard did not stop" if outcome.guard is not Guard.DIES else "the new guard is not stopped")
    if outcome.guard is not Guard.DIES and outcome.guard_late > LATE_TICKS_MAX:
        problems.append(f"the guard knew for {outcome.guard_late} ticks and did not stop")
    return (*problems, *outcome.restarts)


def not_played(scene: Scene, reason: str) -> Outcome:
    """The row of a scene for which the vehicle could not be brought to driving."""
    problems = (f"not played: {reason}",)
    row = Outcome(scene.name, scene.title, (), False, None, ANSWER, 0.0, None, scene.guard, None, 0, 0, None, ())
    return replace(row, problems=problems)


def _judge_causes(found: Sequence[str], allowed: Sequence[Sequence[str]]) -> list[str]:
    fits = len(found) == len(allowed) and all(cause in choice for cause, choice in zip(found, allowed, strict=True))
    expected = ", ".join(" or ".join(choice) for choice in allowed)
    return [] if fits else [f"event memory: {', '.join(found) or 'nothing'}; expected {expected}"]
