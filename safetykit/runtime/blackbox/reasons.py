"""Why a fault was raised: the numbers of its frame that decided, and the keys of the policy that it broke."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from safetykit.core.columns.rules import RULE_ACTION, RULE_COLS
from safetykit.core.layout import T_RULE, UNLIMITED
from safetykit.core.vocabulary import Action, Fault, fault_names
from safetykit.core.walls import OF_KIND, OF_OBJECT, OF_SPEED_ZONE, OF_ZONE
from safetykit.policy import Policy

NS_PER_MS = 1e6
_BITS = (1 << 63) - 1


@dataclass(frozen=True)
class Case:
    """One frame of a log and the policy that it was decided by."""

    policy: Policy
    frame: Any

    def __getitem__(self, field: str) -> Any:
        return self.frame[field]

    @property
    def document(self) -> Any:
        return self.policy.document

    def bits(self, field: str, names: Iterable[str]) -> str:
        """Names whose bit is set in a field."""
        mask = int(self.frame[field])
        return ", ".join(name for number, name in enumerate(names) if mask >> number & 1) or "none"

    def age_ms(self, since_ns: float) -> str:
        """Time since a moment of the guard's clock; 0 = never."""
        return f"{(int(self['in_now_ns']) - int(since_ns)) / NS_PER_MS:g} ms" if since_ns else "never"

    def name(self, names: Iterable[str], number: float) -> str:
        """Name of a number, or "none"."""
        listed = list(names)
        return listed[int(number)] if 0 <= int(number) < len(listed) else "none"


@dataclass(frozen=True)
class Reason:
    """Numbers that decided, each with its words; keys of the policy, dotted."""

    numbers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


Teller: TypeAlias = Callable[[Case, Fault], Reason]


def number(value: float, unit: str = "") -> str:
    """A number as people read it; what the core calls unlimited is "no limit"."""
    return "no limit" if abs(value) >= UNLIMITED else f"{value:.6g} {unit}".rstrip()


def reason_of(case: Case, fault: Fault) -> Reason:
    """Every fault has an answer."""
    return _TELLERS[fault](case, fault)


def _plain(case: Case, fault: Fault) -> Reason:
    return Reason()


def _age(case: Case, fault: Fault) -> Reason:
    stamps = case["st_command_stamp_ns"]
    voters = case.document.commands.voters if case.document.commands else ("command",)
    ages = tuple(f"age of {name}: {case.age_ms(stamps[row])}" for row, name in enumerate(voters))
    key = {Fault.COMMAND_LATE: "command_late_ms", Fault.COMMAND_FUTURE: "command_future_ms"}
    return Reason(ages, (f"timing.{key.get(fault, 'command_stale_ms')}",))


def _sequence(case: Case, fault: Fault) -> Reason:
    numbers = f"number {int(case['in_command_seq'][0])} came, {int(case['st_command_seq'][0])} was the last one used"
    return Reason((numbers,), ("timing.command_lost_max",))


def _content(case: Case, fault: Fault) -> Reason:
    count = len(case.policy.channels)
    values = ", ".join(number(value) for value in case["in_ask"][0][:count])
    return Reason((f"{int(case['in_command_count'][0])} values for {count} channels: {values}",), ("channels",))


def _sources(case: Case, fault: Fault) -> Reason:
    rows, keys = [], []
    for place, source in enumerate(case.policy.sources):
        invalid = [case.policy.inputs[i] for i in source.inputs if not int(case["st_valid"]) >> i & 1]
        if invalid:
            age = case.age_ms(case["in_source_stamp_ns"][place])
            values = ", ".join(f"{name} {number(case['in_value'][case.policy.input_index(name)])}" for name in invalid)
            rows.append(f"source {source.name}, age {age}: not usable: {values}")
            keys.append(f"sources.{source.name}")
    return Reason(tuple(rows), tuple(keys))


_CHANNEL_KEYS = {
    Fault.BOUND: ("min", "max"),
    Fault.RATE: (
        "rate_up_per_s",
        "rate_down_per_s",
        "rate_away_from_zero_per_s",
        "rate_towards_zero_per_s",
    ),
    Fault.JERK: ("jerk_per_s2",),
    Fault.SLEW: ("slew",),
    Fault.LEAD: ("lead",),
    Fault.OPPOSED: ("oppose",),
    Fault.LATERAL: ("lateral",),
    Fault.REQUEST_CADENCE: ("request",),
    Fault.REJECTED: ("on_violation", "fallback"),
    Fault.DEGRADED: ("degraded_scale",),
}


def _channels(case: Case, fault: Fault) -> Reason:
    """Limits of one channel: the key that it broke, with its value."""
    rows, keys = [], []
    for place, (name, channel) in enumerate(case.document.channels.items()):
        if not int(case["out_reason"][place]) >> fault & 1:
            continue
        given = [key for key in _CHANNEL_KEYS[fault] if getattr(channel, key) is not None]
        rows += [f"{name}: {key} {_value(getattr(channel, key))}" for key in given]
        keys += [f"channels.{name}.{key}" for key in given]
    return Reason(tuple(rows), tuple(keys))


def _value(value: Any) -> str:
    if isinstance(value, float | int):
        return number(value)
    return str(value) if isinstance(value, str) else str(value.model_dump(mode="json", exclude_none=True))


def _groups(case: Case, fault: Fault) -> Reason:
    return Reason((), tuple(f"groups.{name}" for name in case.document.groups))


def _follow(case: Case, fault: Fault) -> Reason:
    rows, keys = [], []
    for place, (name, channel) in enumerate(case.document.channels.items()):
        since = case["st_follow_since_ns"][place]
        if channel.follow is not None and since:
            error = number(case["st_follow_error"][place])
            rows.append(f"{name}: {error} off for {case.age_ms(since)}, allowed {number(channel.follow.error)}")
            keys.append(f"channels.{name}.follow")
    return Reason(tuple(rows), tuple(keys))


def _zone(case: Case, fault: Fault) -> Reason:
    worst = int(case["st_zone_worst"])
    name = case.name(case.policy.zones, worst)
    gap, needed = number(case["st_zone_gap_m"], "m"), number(case["st_zone_needed_m"], "m")
    rows = [f"inside of: {case.bits('st_zones', case.policy.zones)}"]
    if worst >= 0:
        rows.append(f"nearest fence {name}: {gap} away, stopping with every margin takes {needed}")
    if int(case["st_zone_fast"]) >= 0:
        rows.append(f"too fast in {case.name(case.policy.zones, case['st_zone_fast'])}")
    zones = tuple(f"zones.{zone}" for zone in ([name] if worst >= 0 else case.policy.zones))
    return Reason(tuple(rows), (*zones, *(("motion",) if case.document.motion else ())))


def _outside(case: Case, fault: Fault) -> Reason:
    zones = case.policy.zones
    return Reason(
        (f"on the wrong side of: {case.bits('st_outside', zones)}",),
        tuple(f"zones.{name}" for place, name in enumerate(zones) if int(case["st_outside"]) >> place & 1),
    )


def _barrier(case: Case, fault: Fault) -> Reason:
    held = tuple(what for of in case["st_barrier_of"] if (what := _wall(case, int(of))))
    rows = [
        f"command changed by {number(case['st_barrier_change'])}, {int(case['st_wall_count'])} walls near",
        f"gap {number(case['st_barrier_gap_m'], 'm')}, closing at {number(case['st_barrier_closing_mps'], 'm/s')}",
    ]
    return Reason((*rows, *(f"held back by {what}" for what in held)), ("motion",))


def _wall(case: Case, of: int) -> str:
    kind, which = divmod(of, OF_KIND)
    if of >= 0 and kind in (OF_ZONE, OF_SPEED_ZONE):
        return f"zone {case.name(case.policy.zones, which)}"
    if of >= 0 and kind == OF_OBJECT:
        return f"object {which}"
    return "" if of == -1 else "a bound of the vehicle itself (speed, tilt, height or authority)"


def _objects(case: Case, fault: Fault) -> Reason:
    rows = f"{int(case['in_objects_count'])} objects, {int(case['st_objects_unsound'])} with numbers that cannot be"
    return Reason((rows, f"list is {case.age_ms(case['in_objects_stamp_ns'])} old"), ("objects",))


def _rss(case: Case, fault: Fault) -> Reason:
    rows = (
        f"object {int(case['st_rss_object'])}",
        f"along the road: {number(case['st_rss_gap_m'], 'm')}, needed {number(case['st_rss_needed_m'], 'm')}",
        f"across: {number(case['st_rss_lateral_gap_m'], 'm')}, needed {number(case['st_rss_lateral_needed_m'], 'm')}",
    )
    return Reason(rows, ("rss",))


def _collision(case: Case, fault: Fault) -> Reason:
    rows = (
        f"object {int(case['st_collision_object'])}: {number(case['st_ttc_s'], 's')} to collision",
        f"object {int(case['st_decel_object'])}: demands {number(case['st_decel_mps2'], 'm/s^2')}",
    )
    return Reason(rows, ("collision",))


def _vote(case: Case, fault: Fault) -> Reason:
    voters = case.document.commands.voters if case.document.commands else ()
    rows = [f"counted: {case.bits('st_vote_mask', voters)}; outvoted: {case.bits('st_vote_out', voters)}"]
    rows += [
        f"{name}: {', '.join(fault_names(int(case['st_vote_faults'][row]) & _BITS)) or 'no fault'}"
        for row, name in enumerate(voters)
    ]
    rows += [f"spread of {name}: {number(case['st_vote_spread'][c])}" for c, name in enumerate(case.policy.channels)]
    return Reason(tuple(rows), ("commands", *(f"channels.{name}.vote_tolerance" for name in case.policy.channels)))


def _shadow(case: Case, fault: Fault) -> Reason:
    name = case.name(case.policy.channels, case["st_shadow_worst"])
    return Reason((f"differs most in {name}, for {case['st_shadow_differs_ns'] / NS_PER_MS:g} ms",), ("shadow",))


def _manual(case: Case, fault: Fault) -> Reason:
    return Reason((f"age: {case.age_ms(case['st_command_stamp_ns'][-1])}",), ("manual",))


def _slots(case: Case, key: str) -> Iterator[tuple[int, str]]:
    """(slot, channel) of the channels that have the key: slots are given in the order of the channels."""
    yield from enumerate(name for name, channel in case.document.channels.items() if getattr(channel, key) is not None)


def _oscillation(case: Case, fault: Fault) -> Reason:
    energies = case["st_swing_energy"]
    rows = [f"{name}: energy of the swings {number(energies[slot])}" for slot, name in _slots(case, "oscillation")]
    return Reason(tuple(rows), tuple(f"channels.{name}.oscillation" for _, name in _slots(case, "oscillation")))


def _outlier(case: Case, fault: Fault) -> Reason:
    found, allowed = case["st_outlier_residual"], case["st_outlier_allowed"]
    rows = [
        f"{name}: {number(found[slot])} from its neighbours, allowed {number(allowed[slot])}"
        for slot, name in _slots(case, "outlier")
    ]
    return Reason(
        (*rows, f"held back: {case.bits('st_outlier_held', case.policy.channels)}"),
        tuple(f"channels.{name}.outlier" for _, name in _slots(case, "outlier")),
    )


def _stuck(case: Case, fault: Fault) -> Reason:
    names = list(case.document.stuck)
    rows = [
        f"{name}: {number(case['st_stuck_value'][row])} for {case.age_ms(case['st_stuck_since_ns'][row])}"
        for row, name in enumerate(names)
        if int(case["st_stuck_rows"]) >> row & 1
    ]
    return Reason(tuple(rows), tuple(f"stuck.{name}" for name in names))


def _disagree(case: Case, fault: Fault) -> Reason:
    rows, keys = [], []
    for row, name in enumerate(case.document.agree):
        if int(case["st_agree_rows"]) >> row & 1:
            odd = case.name(case.policy.inputs, case["st_agree_odd"][row] - 1)
            rows.append(f"{name}: differ by {number(case['st_agree_difference'][row])}, odd one out: {odd}")
            keys.append(f"agree.{name}")
    for row, (name, part) in enumerate(case.document.integrity.items()):
        if int(case["st_integrity_rows"]) >> row & 1:
            out = int(case["st_integrity_out"][row])
            rows.append(f"{name}: out: {', '.join(c.input for k, c in enumerate(part.checks) if out >> k & 1)}")
            keys.append(f"integrity.{name}")
    return Reason(tuple(rows), tuple(keys))


def _rule(case: Case, fault: Fault) -> Reason:
    rows, keys = [], []
    for row, (name, rule) in enumerate(case.document.rules.items()):
        if int(case["st_rules"]) >> row & 1:
            sure = "broken" if int(case["st_rules_certain"]) >> row & 1 else "perhaps broken: something is not known"
            action = Action(int(case.policy.timing[T_RULE + row * RULE_COLS + RULE_ACTION])).name
            rows.append(f"{name}: {sure}, {action}" + (f" ({rule.description})" if rule.description else ""))
            keys.append(f"rules.{name}")
    return Reason(tuple(rows), tuple(keys))


def _breaker(case: Case, fault: Fault) -> Reason:
    names = list(case.document.breakers)
    field = "st_breaker" if fault == Fault.BREAKER else "st_breaker_trial"
    rows = [f"{'open' if fault == Fault.BREAKER else 'half-open'}: {case.bits(field, names)}"]
    if fault == Fault.BREAKER_TRIAL:
        rows.append(f"share of the envelope: {number(case['st_trial_share'])}")
    else:
        rows.append(f"only a reset closes: {case.bits('st_breaker_latched', names)}")
    return Reason(
        tuple(rows),
        tuple(f"breakers.{name}" for place, name in enumerate(names) if int(case[field]) >> place & 1),
    )


def _intervention(case: Case, fault: Fault) -> Reason:
    action = Action(int(case["out_window_action"])).name
    return Reason(
        (f"{action} in {case['out_window_ns'] / NS_PER_MS:g} ms unless the operator takes over",), ("reactions",)
    )


def _stop_event(case: Case, fault: Fault) -> Reason:
    asked, present = int(case["in_reset_event"]), int(case["st_stop_event"])
    return Reason((f"reset asked for stop event {asked}, present is {present}",), ("stop.reset_needs",))


def _overrides(case: Case, fault: Fault) -> Reason:
    return Reason((f"taken: {case.bits('st_inhibit', case.policy.channels)}",), ("permission.overrides",))


def _function(case: Case, fault: Fault) -> Reason:
    asked = case.name(case.policy.functions, int(case["in_function"]) - 1)
    return Reason((f"function asked for: {asked}",), (f"functions.{asked}" if asked != "none" else "functions",))


def _permission(case: Case, fault: Fault) -> Reason:
    return Reason((), ("permission.engage",))


def _device(case: Case, fault: Fault) -> Reason:
    return Reason((), ("stop.device",))


_TELLERS: dict[Fault, Teller] = {
    **dict.fromkeys(Fault, _plain),
    **dict.fromkeys((Fault.COMMAND_LATE, Fault.COMMAND_STALE, Fault.COMMAND_FUTURE), _age),
    **dict.fromkeys((Fault.COMMAND_REPEATED, Fault.COMMAND_REORDERED, Fault.COMMAND_LOST), _sequence),
    **dict.fromkeys((Fault.COMMAND_NONFINITE, Fault.COMMAND_SIZE), _content),
    **dict.fromkeys((Fault.INPUT_STALE, Fault.INPUT_FUTURE, Fault.INPUT_INVALID, Fault.INPUT_TORN), _sources),
    **dict.fromkeys(_CHANNEL_KEYS, _channels),
    **dict.fromkeys((Fault.BREAKER, Fault.BREAKER_TRIAL), _breaker),
    **dict.fromkeys((Fault.ZONE, Fault.ZONE_NEAR), _zone),
    **dict.fromkeys((Fault.BARRIER, Fault.INFEASIBLE), _barrier),
    **dict.fromkeys((Fault.VOTE, Fault.VOTE_LOST), _vote),
    **dict.fromkeys((Fault.FUNCTION_REFUSED, Fault.FUNCTION_UNKNOWN), _function),
    **dict.fromkeys((Fault.NOT_PERMITTED, Fault.ENGAGE_REFUSED), _permission),
    **dict.fromkeys((Fault.DEVICE_SILENT, Fault.DEVICE_WAITS), _device),
    Fault.NORM: _groups,
    Fault.OVERRIDDEN: _overrides,
    Fault.NOT_FOLLOWING: _follow,
    Fault.MANUAL_LOST: _manual,
    Fault.INTERVENTION: _intervention,
    Fault.RESET_REFUSED: _stop_event,
    Fault.ZONE_OUTSIDE: _outside,
    Fault.OBJECTS: _objects,
    Fault.RSS: _rss,
    Fault.COLLISION: _collision,
    Fault.SHADOW: _shadow,
    Fault.OSCILLATION: _oscillation,
    Fault.OUTLIER: _outlier,
    Fault.STUCK: _stuck,
    Fault.DISAGREE: _disagree,
    Fault.RULE: _rule,
}
