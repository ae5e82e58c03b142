"""What the guard does about each fault: the default, and the mildest reaction that a policy may choose.

Why the floors are where they are:

* A value that was limited is at least CLAMP; a command that cannot be trusted is at least HOLD.
* Without fresh commands, trusted inputs, a known position or a loop on time nobody drives: at least RECOVER.
  A torn read of an input keeps the last good copy, which ages: HOLD until it is stale.
* A stop asked for by a person or a device is a stop. A state that cannot be is treated as the worst.
* ``FIXED`` faults have one reaction that no policy chooses: reports of something already refused or withdrawn, and
  what the emergency stop device says of itself.
"""

from __future__ import annotations

from safetykit.core.vocabulary import Action, Fault

A = Action
F = Fault

# fault: (default, floor)
_TABLE: dict[Fault, tuple[Action, Action]] = {
    F.COMMAND_MISSING: (A.HOLD, A.HOLD),
    F.COMMAND_LATE: (A.HOLD, A.PASS),
    F.COMMAND_STALE: (A.RECOVER, A.RECOVER),
    F.COMMAND_FUTURE: (A.HOLD, A.HOLD),
    F.COMMAND_NONFINITE: (A.HOLD, A.HOLD),
    F.COMMAND_SIZE: (A.HOLD, A.HOLD),
    F.COMMAND_REPEATED: (A.HOLD, A.HOLD),
    F.COMMAND_REORDERED: (A.HOLD, A.HOLD),
    F.COMMAND_LOST: (A.PASS, A.PASS),
    F.COMMAND_TORN: (A.HOLD, A.HOLD),
    F.INPUT_STALE: (A.RECOVER, A.RECOVER),
    F.INPUT_FUTURE: (A.RECOVER, A.RECOVER),
    F.INPUT_INVALID: (A.RECOVER, A.RECOVER),
    F.INPUT_TORN: (A.HOLD, A.HOLD),  # the last good copy ages; once stale, INPUT_STALE counts
    F.BOUND: (A.CLAMP, A.CLAMP),
    F.RATE: (A.CLAMP, A.CLAMP),
    F.JERK: (A.CLAMP, A.CLAMP),
    F.SLEW: (A.CLAMP, A.CLAMP),
    F.LEAD: (A.CLAMP, A.CLAMP),
    F.OPPOSED: (A.CLAMP, A.CLAMP),
    F.LATERAL: (A.CLAMP, A.CLAMP),
    F.NORM: (A.CLAMP, A.CLAMP),
    F.REQUEST_CADENCE: (A.CLAMP, A.CLAMP),
    F.REJECTED: (A.CLAMP, A.CLAMP),
    F.DEGRADED: (A.CLAMP, A.CLAMP),
    F.NOT_PERMITTED: (A.PASS, A.PASS),
    F.OVERRIDDEN: (A.PASS, A.PASS),
    F.FUNCTION_REFUSED: (A.PASS, A.PASS),
    F.FUNCTION_UNKNOWN: (A.PASS, A.PASS),
    F.ZONE: (A.RECOVER, A.RECOVER),
    F.NOT_FOLLOWING: (A.RECOVER, A.DEGRADE),
    F.BREAKER: (A.PASS, A.PASS),  # each breaker has its own action
    F.BREAKER_TRIAL: (A.CLAMP, A.CLAMP),
    F.MANUAL_LOST: (A.RECOVER, A.HOLD),
    F.INTERVENTION: (A.PASS, A.PASS),  # the action meanwhile is that of the reaction that waits
    F.STOP_REQUEST: (A.PROTECTIVE_STOP, A.PROTECTIVE_STOP),
    F.STOP_BUTTON: (A.EMERGENCY_STOP, A.EMERGENCY_STOP),
    F.DEADLINE: (A.RECOVER, A.RECOVER),
    F.SELFTEST: (A.PROTECTIVE_STOP, A.PROTECTIVE_STOP),
    F.CLOCK: (A.PROTECTIVE_STOP, A.RECOVER),
    F.INTERNAL: (A.EMERGENCY_STOP, A.EMERGENCY_STOP),
    F.BLACKBOX: (A.PASS, A.PASS),
    F.SENDER: (A.PASS, A.PASS),
    F.RESET_REFUSED: (A.PASS, A.PASS),
    F.ENGAGE_REFUSED: (A.PASS, A.PASS),
    F.DEVICE_SILENT: (A.EMERGENCY_STOP, A.EMERGENCY_STOP),
    F.DEVICE_WAITS: (A.HOLD, A.HOLD),  # nothing may be engaged while power is off: it would start by itself later
    F.ZONE_NEAR: (A.CLAMP, A.CLAMP),
    F.ZONE_OUTSIDE: (A.CLAMP, A.CLAMP),
    F.OBJECTS: (A.RECOVER, A.RECOVER),
    F.RSS: (A.CLAMP, A.CLAMP),
    F.COLLISION: (A.RECOVER, A.DEGRADE),
    F.BARRIER: (A.CLAMP, A.CLAMP),
    F.INFEASIBLE: (A.RECOVER, A.RECOVER),
    F.VOTE: (A.PASS, A.PASS),
    F.VOTE_LOST: (A.RECOVER, A.HOLD),
    F.SHADOW: (A.RECOVER, A.DEGRADE),
    F.OSCILLATION: (A.RECOVER, A.CLAMP),
    F.OUTLIER: (A.CLAMP, A.CLAMP),
    F.STUCK: (A.RECOVER, A.DEGRADE),
    F.DISAGREE: (A.RECOVER, A.DEGRADE),
    F.RULE: (A.PASS, A.PASS),  # each rule has its own action
}

DEFAULT: dict[Fault, Action] = {fault: default for fault, (default, _) in _TABLE.items()}
FLOOR: dict[Fault, Action] = {fault: floor for fault, (_, floor) in _TABLE.items()}
FIXED: frozenset[Fault] = frozenset(
    {
        F.NOT_PERMITTED,
        F.OVERRIDDEN,
        F.RESET_REFUSED,
        F.ENGAGE_REFUSED,
        F.DEVICE_SILENT,
        F.DEVICE_WAITS,
        F.BREAKER,
        F.BREAKER_TRIAL,
        F.INTERVENTION,
        F.RULE,
    }
)
# Not counted by a breaker: breakers themselves, what ends the drive at once, and what cannot occur while engaged.
UNCOUNTED: frozenset[Fault] = frozenset(
    {
        F.BREAKER,
        F.BREAKER_TRIAL,
        F.INTERVENTION,
        F.STOP_REQUEST,
        F.STOP_BUTTON,
        F.DEVICE_SILENT,
        F.DEVICE_WAITS,
        F.SELFTEST,
        F.INTERNAL,
        F.COMMAND_MISSING,
        F.NOT_PERMITTED,
        F.RESET_REFUSED,
    }
)
