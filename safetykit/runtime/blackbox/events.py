"""What happened, in words: events read off consecutive frames, so that a log can be listed without its frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from safetykit.core.columns.commands import MANUAL_ROW
from safetykit.core.vocabulary import Action, Fault, State, fault_names

WATCHED = (
    "st_state",
    "st_stop_event",
    "st_breaker",
    "st_breaker_trial",
    "in_reset_seq",
    "in_function_seq",
    "out_action",
    "out_faults",
    "out_power",
)
# A glitching sender must not fill the disk with prose: the frames hold everything, the rest is counted.
INTERVENTIONS_PER_S, INTERVENTIONS_BURST = 2.0, 32.0
_SUMMARISED = {"intervention", "clear"}
_RESET_REFUSED = 1 << Fault.RESET_REFUSED
_ALL = (1 << 64) - 1


def action_name(number: int) -> str:
    return Action(number).name if number in Action._value2member_map_ else f"ACTION_{number}"


def state_name(number: int) -> str:
    return State(number).name if number in State._value2member_map_ else f"STATE_{number}"


def asked(frames: Any, count: int) -> np.ndarray:
    """What the first `count` channels were asked for, in one frame or many: by the operator, by the vote, or by the
    one sender, as it sent it (NaN too)."""
    plain, operator = frames["in_ask"][..., 0, :count], frames["in_ask"][..., MANUAL_ROW, :count]
    voted = np.where(frames["st_vote_mask"][..., None] != 0, frames["st_ask"][..., :count], plain)
    chosen: np.ndarray = np.where(frames["st_manual"][..., None] == 1, operator, voted)
    return chosen


def describe(frame: Any, channels: tuple[str, ...]) -> dict[str, Any]:
    """What the guard did in one frame: time, state, action, faults, and per channel asked, sent and why."""
    reasons = {
        name: list(fault_names(int(frame["out_reason"][place]) & _ALL))
        for place, name in enumerate(channels)
        if frame["out_reason"][place]
    }
    return {
        "monotonic_ns": int(frame["in_now_ns"]),
        "tick": int(frame["out_seq"]),
        "state": state_name(int(frame["st_state"])),
        "action": action_name(int(frame["out_action"])),
        "power": int(frame["out_power"]),
        "faults": list(fault_names(int(frame["out_faults"]) & _ALL)),
        "asked": asked(frame, len(channels)).tolist(),
        "sent": [float(value) for value in frame["out_sent"][: len(channels)]],
        "reasons": reasons,
    }


def derive(
    before: np.ndarray | None,
    frames: np.ndarray,
    first_number: int,
    channels: tuple[str, ...],
    functions: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Events of `frames` (dtype FRAME, shape (n,)), given the frame before them (shape (1,)) if there is one."""
    joined = frames if before is None else np.concatenate([before, frames])
    changed = np.zeros(len(joined), bool)
    for name in WATCHED:
        changed[1:] |= joined[name][1:] != joined[name][:-1]
    changed |= joined["out_seq"] == 1
    changed[0] = before is None
    shift = len(joined) - len(frames)
    events: list[dict[str, Any]] = []
    for place in np.flatnonzero(changed):
        earlier = joined[place - 1] if place > 0 and joined[place]["out_seq"] != 1 else None
        kinds = _kinds(earlier, joined[place], functions)
        what = describe(joined[place], channels)
        number = first_number + int(place) - shift
        events += [{**kind, "frame": number, **what} for kind in kinds]
    return events


class Digest:
    """Lets every event through, but mere interventions only at a bounded rate; those left out are counted."""

    def __init__(self) -> None:
        self._budget = INTERVENTIONS_BURST
        self._refilled_ns = 0
        self._unlisted, self._since_frame = 0, 0

    def take(self, happened: list[dict[str, Any]], now_ns: int) -> list[dict[str, Any]]:
        """The events to write at `now_ns` (time of the frames)."""
        refill = (now_ns - self._refilled_ns) * 1e-9 * INTERVENTIONS_PER_S
        self._budget = min(self._budget + max(refill, 0.0), INTERVENTIONS_BURST)
        self._refilled_ns = now_ns
        kept: list[dict[str, Any]] = []
        for event in happened:
            if event["event"] in _SUMMARISED:
                if self._budget < 1.0:
                    self._since_frame = self._since_frame if self._unlisted else event["frame"]
                    self._unlisted += 1
                    continue
                self._budget -= 1.0
                kept += self.rest()
            kept.append(event)
        return kept

    def rest(self) -> list[dict[str, Any]]:
        """The count of what was left out since it was last told, if any."""
        count, self._unlisted = self._unlisted, 0
        return [{"event": "interventions_unlisted", "count": count, "frame": self._since_frame}] if count else []


def _kinds(earlier: Any, frame: Any, functions: tuple[str, ...]) -> list[dict[str, Any]]:
    """The events of one frame, as far as they differ between kinds."""
    if earlier is None:
        return [{"event": "first_frame" if frame["out_seq"] != 1 else "guard_started"}]

    def differs(name: str) -> bool:
        return bool(frame[name] != earlier[name])

    found: list[dict[str, Any]] = []
    if differs("st_state"):
        found.append({"event": "state", "from": state_name(int(earlier["st_state"]))})
    if differs("st_stop_event"):
        found.append({"event": "stop_event", "number": int(frame["st_stop_event"])})
    if differs("st_breaker") or differs("st_breaker_trial"):
        breakers = {"tripped": "st_breaker", "trial": "st_breaker_trial", "latched": "st_breaker_latched"}
        found.append({"event": "breaker", **{word: int(frame[field]) for word, field in breakers.items()}})
    if differs("in_reset_seq"):
        refused = bool(frame["out_faults"] & _RESET_REFUSED)
        found.append({"event": "reset", "for_stop_event": int(frame["in_reset_event"]), "refused": refused})
    if differs("in_function_seq"):
        found.append({"event": "function", **_function(frame, functions)})
    if differs("out_power"):
        found.append({"event": "power"})
    acts = differs("out_action") or differs("out_faults")
    if acts and not found:
        found.append({"event": "intervention" if frame["out_faults"] else "clear"})
    return found


def _function(frame: Any, functions: tuple[str, ...]) -> dict[str, Any]:
    number = int(frame["in_function"])
    name = functions[number - 1] if 1 <= number <= len(functions) else f"unknown ({number})"
    return {"function": name, "granted": int(frame["out_function"]) == number and number > 0}
