"""One decision explained from its frame: which check, which numbers, which part of the policy, what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from safetykit.core.layout import UNLIMITED
from safetykit.core.vocabulary import Action, Fault, fault_names
from safetykit.errors import LogError
from safetykit.policy import Policy, parse_policy
from safetykit.policy.fill_breakers import reactions_of
from safetykit.policy.yaml_text import BYTES_MAX, read_yaml
from safetykit.runtime.blackbox.events import action_name, asked, state_name
from safetykit.runtime.blackbox.log_reader import Frames, Opened, read_log
from safetykit.runtime.blackbox.opening import is_present_layout, mapping
from safetykit.runtime.blackbox.reasons import Case, number, reason_of

_OWN_ACTION = {Fault.BREAKER: "st_breaker", Fault.RULE: "st_rules"}
_SECTIONS = {Fault.BREAKER: "breakers", Fault.RULE: "rules"}


@dataclass(frozen=True)
class Because:
    """One fault of the frame: the action that the policy gives it, and what decided."""

    fault: str
    action: str
    numbers: tuple[str, ...]
    policy: tuple[str, ...]  # keys, with the line in the policy's file where that is at hand


@dataclass(frozen=True)
class Moved:
    """One channel: what was asked, what was sent, and what kept them apart."""

    channel: str
    asked: float
    sent: float
    reasons: tuple[str, ...]
    window: str  # what the checks left of the channel's range


@dataclass(frozen=True)
class Explanation:
    """What one frame says."""

    utc_ns: int
    tick: int
    policy: str
    digest: str
    state: str
    action: str
    power: bool
    stop_event: int
    manual: bool
    because: tuple[Because, ...]
    channels: tuple[Moved, ...]


def explain(log: Path, at_ns: int | None, tick: int | None = None, policy_file: Path | None = None) -> Explanation:
    """The decision that was in force at `at_ns` (UTC), or that of `tick`, or the latest one that was not PASS.

    `policy_file` adds line numbers; it must be the very policy of the log. Raises LogError: no such frame, another
    layout, or a policy that is not the log's.
    """
    opened, utc_ns, frame = _find(log, at_ns, tick)
    if not is_present_layout(opened):
        raise LogError(f"{log}: recorded with another frame layout; use that release")
    policy = parse_policy(mapping(opened, "policy").get("document"))
    case = Case(policy, frame)
    lines = _lines(policy_file, policy) if policy_file is not None else {}
    faults = [fault for fault in Fault if int(frame["out_faults"]) >> fault & 1]
    return Explanation(
        utc_ns=utc_ns,
        tick=int(frame["out_seq"]),
        policy=f"{policy.name} {policy.version}",
        digest=policy.digest,
        state=state_name(int(frame["st_state"])),
        action=action_name(int(frame["out_action"])),
        power=bool(frame["out_power"]),
        stop_event=int(frame["st_stop_event"]),
        manual=bool(frame["st_manual"]),
        because=tuple(_because(case, fault, lines) for fault in faults),
        channels=tuple(_channels(case)),
    )


def _find(log: Path, at_ns: int | None, tick: int | None) -> tuple[dict[str, Any], int, Any]:
    """(OPEN entry, UTC ns, frame). Frames lie in order of time within a log."""
    opened: dict[str, Any] = {}
    found: tuple[dict[str, Any], int, Any] | None = None
    for item in read_log(log, with_frames=True):
        if isinstance(item, Opened):
            opened = item.document
        if not isinstance(item, Frames):
            continue
        place = _place(item, at_ns, tick)
        if place is not None:
            frame = item.frames[place].copy()
            found = opened, int(frame["in_now_ns"]) + item.utc_minus_monotonic_ns, frame
    if found is None:
        raise LogError(f"{log}: no such frame: the log begins later, or nothing but PASS was ever decided")
    return found


def _place(item: Frames, at_ns: int | None, tick: int | None) -> int | None:
    """The last frame of a block that fits."""
    if tick is not None:
        fits = item.frames["out_seq"] == tick
    elif at_ns is not None:
        fits = item.frames["in_now_ns"] + item.utc_minus_monotonic_ns <= at_ns
    else:
        fits = item.frames["out_action"] > Action.PASS
    places = np.flatnonzero(fits)
    return int(places[-1]) if places.size else None


def _lines(file: Path, policy: Policy) -> dict[str, int]:
    """Line of each dotted key in the policy's own file."""
    try:
        text = read_yaml(file.read_bytes()[: BYTES_MAX + 1], str(file))
    except OSError as error:
        raise LogError(f"{file}: {error.strerror}") from error
    if text.data is None or parse_policy(text.data, str(file)).digest != policy.digest:
        raise LogError(f"{file}: not the policy of this log (SHA-256 {policy.digest[:16]}...)")
    return {".".join(str(key) for key in path): line for path, line in text.lines.items()}


def _because(case: Case, fault: Fault, lines: dict[str, int]) -> Because:
    reason = reason_of(case, fault)
    keys = [*reason.keys, *([f"reactions.{fault.name}"] if fault.name in case.document.reactions else [])]
    shown = tuple(f"{key} (line {lines[key]})" if key in lines else key for key in keys)
    return Because(fault.name, _action(case, fault), reason.numbers, shown)


def _action(case: Case, fault: Fault) -> str:
    """The policy's action; breakers and rules have their own, of which the worst counts."""
    if fault not in _OWN_ACTION:
        return reactions_of(case.document)[fault].name
    entries = getattr(case.document, _SECTIONS[fault]).values()
    mask = int(case[_OWN_ACTION[fault]])
    actions = [Action[entry.action] for place, entry in enumerate(entries) if mask >> place & 1 and entry.action]
    worst: Action = max(actions, default=Action.PASS)
    return worst.name


def _channels(case: Case) -> list[Moved]:
    frame, names = case.frame, case.policy.channels
    wanted = asked(frame, len(names))
    return [
        Moved(
            name,
            float(wanted[c]),
            float(frame["out_sent"][c]),
            fault_names(int(frame["out_reason"][c])),
            _window(float(frame["st_window_lo"][c]), float(frame["st_window_hi"][c])),
        )
        for c, name in enumerate(names)
    ]


def _window(lo: float, hi: float) -> str:
    if lo <= -UNLIMITED and hi >= UNLIMITED:
        return ""
    return f"{number(lo)} to {number(hi)}"
