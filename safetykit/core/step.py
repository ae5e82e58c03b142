"""One tick of the guard: read it from top to bottom.

inputs -> zones, conditions, permission, functions -> envelope of the ask -> plausibility -> breaker -> stop state
machine -> RTA switch -> output. Each stage returns fault bits; the worst action the policy gives to any of them wins.
Each leaves its token in the frame's progress, which the emergency-stop microcontroller checks (see progress.py).
"""

from __future__ import annotations

from safetykit.core import (
    arbitration,
    barrier,
    breaker,
    cadence,
    collision,
    conditions,
    crosscheck,
    envelope,
    functions,
    inputs,
    manual,
    measurements,
    objects,
    oscillation,
    outliers,
    output,
    permission,
    planes,
    recovery,
    rss,
    rules,
    shadow,
    slew,
    stop,
    vote,
    walls,
    windows,
    zones,
)
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import (
    ALL_CHANNELS,
    CADENCE_USED,
    CH_COLS,
    CHANNEL_COUNT,
    CHI_COLS,
    DT_MAX_NS,
    L_CHANNEL,
    NEUTRAL,
    PERIOD_NS,
    SLEW_SLOT,
    T_CHANNEL,
    Frame,
    Limits,
    Timing,
)
from safetykit.core.progress import begin, passed
from safetykit.core.protocol import Stage
from safetykit.core.vocabulary import Action, Fault, State

_CLOCK, _OVERRIDDEN, _NOT_PERMITTED = 1 << Fault.CLOCK, 1 << Fault.OVERRIDDEN, 1 << Fault.NOT_PERMITTED
_ENGAGE_REFUSED = 1 << Fault.ENGAGE_REFUSED
_INTERNAL, _KNOWN = 1 << Fault.INTERNAL, (1 << len(Fault)) - 1
_NO_USE = (1 << Fault.COMMAND_MISSING) | (1 << Fault.COMMAND_LATE) | (1 << Fault.COMMAND_STALE)
_NO_USE |= 1 << Fault.MANUAL_LOST
_CLAMP, _HOLD, _RECOVER = int(Action.CLAMP), int(Action.HOLD), int(Action.RECOVER)
_STANDBY, _ENGAGED = int(State.STANDBY), int(State.ENGAGED)
_RECOVERY, _EMERGENCY = int(State.RECOVERY), int(State.EMERGENCY_STOP)
_COMMAND, _SOURCES, _ZONES = int(Stage.COMMAND), int(Stage.SOURCES), int(Stage.ZONES)
_CONDITIONS, _PERMISSION, _FUNCTIONS = int(Stage.CONDITIONS), int(Stage.PERMISSION), int(Stage.FUNCTIONS)
_CROSSCHECK, _ENVELOPE, _STATE = int(Stage.CROSSCHECK), int(Stage.ENVELOPE), int(Stage.STATE)
_SWITCH, _COMMIT = int(Stage.SWITCH), int(Stage.COMMIT)
_NS = 1e-9


@jit_apart
def start(limits: Limits, timing: Timing, frame: Frame) -> None:
    """Puts a zeroed frame into its first state: BOOT, everything at neutral."""
    for c in range(timing[CHANNEL_COUNT]):
        neutral = limits[L_CHANNEL + c * CH_COLS + NEUTRAL]
        frame.st_sent[c] = frame.out_sent[c] = neutral
        if timing[T_CHANNEL + c * CHI_COLS + SLEW_SLOT] >= 0:
            slew.start(timing, frame, c, neutral)


@jit_apart
def step(limits: Limits, timing: Timing, frame: Frame) -> None:
    """One tick. Reads the frame's in_ fields, updates st_, writes out_. Bounded work, no allocation, never raises.

    `limits` float64 (LIMITS_SIZE,) and `timing` int64 (TIMING_SIZE,) come from a compiled policy and are read-only.
    """
    dt_s, faults = _begin(limits, timing, frame)
    inputs.check_commands(timing, frame)
    passed(frame, _COMMAND)
    faults |= inputs.check_sources(limits, timing, frame) | objects.check(limits, timing, frame)
    passed(frame, _SOURCES)
    faults |= zones.check(limits, timing, frame)
    passed(frame, _ZONES)
    conditions.evaluate(limits, timing, frame)
    passed(frame, _CONDITIONS)
    taken, withdrawn = permission.overridden(timing, frame)
    asked = permission.engage_edge(timing, frame) or manual.engages(timing, frame)
    withdrawn = manual.take(timing, frame) or withdrawn
    passed(frame, _PERMISSION)
    faults |= functions.decide(timing, frame)
    passed(frame, _FUNCTIONS)
    engaged = frame.st_state == _ENGAGED
    faults |= vote.choose(limits, timing, frame)
    why, action = _crosscheck(limits, timing, frame, engaged, dt_s)
    faults |= manual.relevant(frame, why)
    passed(frame, _CROSSCHECK)
    if engaged:
        faults |= _limit_ask(limits, timing, frame, dt_s, taken)
    else:
        cadence.release(frame)
    passed(frame, _ENVELOPE)
    reset, why = stop.reset_asked(timing, frame)
    ruling = manual.ruling(timing, frame, faults)
    own = max(action, _CLAMP) if ruling != faults else action
    faults |= arbitration.decide(timing, frame, ruling, asked) | _weigh(limits, timing, frame, ruling, own, engaged)
    action = stop.worst(frame.st_wanted)
    if reset:
        reset, why, action = _reset(timing, frame, ruling, own, action)
    faults |= why
    state = _next_state(timing, frame, action, taken, withdrawn, reset, asked)
    passed(frame, _STATE)
    frame.out_action = _switch(limits, timing, frame, dt_s, action, state, taken if engaged else -1)
    passed(frame, _SWITCH)
    if state <= _STANDBY and faults & _NO_USE == 0:
        faults |= _NOT_PERMITTED
    if not engaged and state != _ENGAGED and asked:
        faults |= _ENGAGE_REFUSED
    frame.out_faults = faults | output.commit(limits, timing, frame, dt_s)
    frame.out_power = output.power(timing, frame, state)
    frame.out_request_bits = frame.st_request_sent if state == _ENGAGED else 0
    passed(frame, _COMMIT)


@jit
def _begin(limits: Limits, timing: Timing, frame: Frame) -> tuple[float, int]:
    """(dt in s, faults): time since the last tick, capped; what was last sent is sound."""
    begin(frame)
    windows.clear(timing, frame)
    walls.clear(frame)
    dt_ns, faults = frame.in_now_ns - frame.st_now_ns, 0
    if frame.st_started == 0:
        frame.st_started = 1
        frame.st_function_seq, frame.st_reset_seq = frame.in_function_seq, frame.in_reset_seq
        dt_ns = timing[PERIOD_NS]
    elif dt_ns < 0 or dt_ns > timing[DT_MAX_NS]:
        faults |= _CLOCK if dt_ns < 0 else 0
        dt_ns = max(dt_ns, 0)
    frame.st_elapsed_ns, dt_ns = dt_ns, min(dt_ns, timing[DT_MAX_NS])
    frame.st_now_ns = frame.in_now_ns
    frame.out_seq += 1
    faults |= frame.in_faults & _KNOWN
    if frame.in_faults & ~_KNOWN:
        faults |= _INTERNAL
    for c in range(timing[CHANNEL_COUNT]):
        faults |= envelope.sound(limits, frame, c)
    planes.remember(limits, timing, frame, frame.st_elapsed_ns * _NS)
    return dt_ns * _NS, faults


@jit_apart
def _crosscheck(limits: Limits, timing: Timing, frame: Frame, engaged: bool, dt_s: float) -> tuple[int, int]:
    """(faults, action) of everything that doubts: measurements, the ask, other road users, rules."""
    faults = outliers.confirm(limits, timing, frame)
    faults |= oscillation.check(limits, timing, frame, engaged, dt_s)
    faults |= shadow.check(limits, timing, frame, engaged)
    faults |= crosscheck.follows(limits, timing, frame, engaged, dt_s)
    faults |= measurements.check(limits, timing, frame)
    faults |= rss.check(limits, timing, frame)
    faults |= collision.check(limits, timing, frame)
    why, action = rules.check(limits, timing, frame)
    return faults | why, action


@jit
def _limit_ask(limits: Limits, timing: Timing, frame: Frame, dt_s: float, taken: int) -> int:
    """The envelope of what was asked; channels that an operator input took go to neutral."""
    asked = timing[ALL_CHANNELS] & ~taken
    for c in range(timing[CHANNEL_COUNT]):
        if asked >> c & 1:
            frame.st_target[c] = frame.st_ask[c]
        else:
            frame.st_target[c] = envelope.neutral(limits, timing, frame, c)
    faults = _OVERRIDDEN if taken else 0
    broken = 0
    if timing[CADENCE_USED]:
        broken = cadence.check(limits, timing, frame)
    faults |= output.limit_all(limits, timing, frame, dt_s, asked & ~broken)
    faults |= barrier.protect(limits, timing, frame, dt_s)
    outliers.blame(timing, frame, asked & ~broken)
    if taken | broken:
        for c in range(timing[CHANNEL_COUNT]):
            if taken >> c & 1:
                frame.out_reason[c] |= _OVERRIDDEN
            if broken >> c & 1:
                frame.out_reason[c] |= cadence.REASON
                faults |= cadence.REASON
    return faults


@jit
def _weigh(limits: Limits, timing: Timing, frame: Frame, faults: int, own: int, engaged: bool) -> int:
    """Leaves every action that something asks for in st_wanted; returns the faults of breakers.

    `own` is the action that rules ask for themselves.
    """
    wanted = 1 << own | arbitration.wanted(timing, frame, faults, frame.st_reaction_held)
    opened = breaker.judge(limits, timing, frame, faults, stop.worst(wanted), engaged)
    frame.st_wanted = wanted | breaker.wanted(timing, frame)
    arbitration.degrade(timing, frame, faults, own, engaged)
    return opened


@jit
def _reset(timing: Timing, frame: Frame, faults: int, own: int, action: int) -> tuple[bool, int, int]:
    """(granted, why not, action) of a reset: refused while a stop is asked for by anything that it does not end.

    Granted, it closes the breakers and ends the degraded envelope and what outlasts its fault until a reset; the
    action is judged anew.
    """
    pressing = 1 << own | arbitration.wanted(timing, frame, faults, arbitration.lasting(timing, frame))
    without = stop.worst(pressing)
    if without > _RECOVER:
        return False, stop.RESET_REFUSED, action
    breaker.close(timing, frame)
    arbitration.release(timing, frame)
    return True, 0, without


@jit
def _next_state(
    timing: Timing, frame: Frame, action: int, taken: int, withdrawn: bool, reset: bool, asked: bool
) -> int:
    """Condition bits of this tick, and the state they lead to."""
    bits = stop.action_bits(action)
    if frame.in_selftest_ok == 1:
        bits |= stop.SELFTEST_OK
    if withdrawn:
        bits |= stop.WITHDRAWN
    if reset:
        bits |= stop.RESET
    before = frame.st_state
    live = taken & ~frame.st_inhibit
    if asked and action < _HOLD and live == 0 and before != _ENGAGED:
        bits |= stop.ENGAGE
    if before == _RECOVERY and recovery.finished(timing, frame):
        bits |= stop.RECOVERED
    after = stop.advance(frame, bits)
    if after == _ENGAGED and before != _ENGAGED:
        frame.st_inhibit = 0
    if after == _RECOVERY and before != _RECOVERY:
        recovery.start(frame)
    return after


@jit
def _switch(limits: Limits, timing: Timing, frame: Frame, dt_s: float, action: int, state: int, taken: int) -> int:
    """The RTA switch: leaves the chosen values in out_sent, returns the action that was really taken.

    In ENGAGED the envelope of the ask is already in out_sent, unless this tick only began it (`taken` is -1 then).
    DEGRADE is worse than HOLD, and does not do its work: when both are asked for, both are done.
    """
    if state == _ENGAGED and taken >= 0:
        if frame.st_wanted >> _HOLD & 1 == 0:
            return action
        output.hold_targets(limits, timing, frame, taken)
        output.limit_all(limits, timing, frame, dt_s, 0)
        barrier.protect(limits, timing, frame, dt_s)
        return action
    output.override_targets(limits, timing, frame, state)
    output.limit_all(limits, timing, frame, dt_s, 0)
    if state == _EMERGENCY:
        output.emergency_jumps(limits, timing, frame)
    return _HOLD if state <= _ENGAGED else state + 1  # RECOVERY.. -> RECOVER..: the same order, one apart
