"""Rules over the recent past: what must not be in force for a rule is a formula of formulas.py; here is its time.

Time goes by in whole periods, counted on a grid of the policy's period that follows the ticks: a tick is one
period, a late one counts the periods that were missed as well. In these, everything counts as it last was, and a rule
broken in one of them counts as broken now. After a gap of more than RULE_CATCH_UP_MAX periods the past is unknown, and
only the present is judged. A tick that comes early is a period all the same.

Whatever is not known (an input that is not valid, an unknown position) never hides a violation: a rule is broken when
it is possibly broken. Until it could be told of a rule for the first time whether it is broken, it only withholds
permission (RECOVER at most), so that a start without inputs does not end in a latched stop.

Rules are judged in every state: memory goes on, and a rule may speak against engaging.
"""

from __future__ import annotations

from safetykit.core import formulas
from safetykit.core.bounds import RULE_CATCH_UP_MAX
from safetykit.core.columns.rules import RULE_ACTION, RULE_COLS, RULE_COUNT
from safetykit.core.jit import jit, jit_apart
from safetykit.core.layout import PERIOD_NS, T_RULE, T_RULES, Frame, Limits, Timing
from safetykit.core.vocabulary import Action, Fault, State

_RULE = 1 << Fault.RULE
_RECOVER, _STANDBY = int(Action.RECOVER), int(State.STANDBY)


@jit
def check(limits: Limits, timing: Timing, frame: Frame) -> tuple[int, int]:
    """(RULE or 0, worst action of the broken rules)."""
    if timing[T_RULES + RULE_COUNT] == 0:
        return 0, 0
    return _check_all(limits, timing, frame)


@jit_apart
def _check_all(limits: Limits, timing: Timing, frame: Frame) -> tuple[int, int]:
    certain, possible = 0, 0
    missed = _missed(timing, frame)
    if missed > RULE_CATCH_UP_MAX:
        formulas.forget(timing, frame)
    else:
        for _ in range(missed):
            sure, may = formulas.period(timing, frame)
            certain, possible = certain | sure, possible | may
    formulas.look(limits, timing, frame)
    sure, may = formulas.period(timing, frame)
    everything = (1 << timing[T_RULES + RULE_COUNT]) - 1
    frame.st_rules_armed |= everything & (sure | ~may)
    frame.st_rules_certain, frame.st_rules = certain | sure, possible | may
    return _judge(timing, frame)


@jit
def _missed(timing: Timing, frame: Frame) -> int:
    """Periods between the last tick and this one; moves the grid of periods on."""
    now_ns, period_ns = frame.in_now_ns, timing[PERIOD_NS]
    if frame.st_rule_periods == 0:
        frame.st_rule_clock_ns = now_ns
        return 0
    periods = max((now_ns - frame.st_rule_clock_ns + period_ns // 2) // period_ns, 1)
    # Early ticks must not run ahead of the clock, or a later gap would go unseen.
    frame.st_rule_clock_ns = min(frame.st_rule_clock_ns + periods * period_ns, now_ns + period_ns // 2)
    return periods - 1


@jit
def _judge(timing: Timing, frame: Frame) -> tuple[int, int]:
    """Worst action of the broken rules; keeps which one decides, and since when any is broken."""
    frame.st_rule_worst = 0
    if frame.st_rules == 0:
        frame.st_rules_since_ns = 0
        return 0, 0
    if frame.st_rules_since_ns == 0:
        frame.st_rules_since_ns = frame.in_now_ns
    worst = 0
    for rule in range(timing[T_RULES + RULE_COUNT]):
        if frame.st_rules >> rule & 1 == 0:
            continue
        action = timing[T_RULE + rule * RULE_COLS + RULE_ACTION]
        if frame.st_rules_armed >> rule & 1 == 0 and frame.st_state <= _STANDBY:
            action = min(action, _RECOVER)
        if action > worst:
            worst, frame.st_rule_worst = action, rule + 1
    return _RULE, worst
