"""The words of the guard: actions, stop states and faults, each an integer with a fixed meaning.

Numbers are part of the log format: append, never renumber.
"""

from __future__ import annotations

from enum import IntEnum


class Action(IntEnum):
    """What the guard does; the worst one of a tick wins."""

    PASS = 0  # sent as asked
    CLAMP = 1  # corrected to the nearest allowed value
    HOLD = 2  # this command is not used: each channel falls back (last sent, measured or zero)
    DEGRADE = 3  # commands pass within a smaller envelope
    RECOVER = 4  # minimal risk manoeuvre: hover, land, brake comfortably
    PROTECTIVE_STOP = 5  # stop category 1: stop under control, then remove power; latched
    EMERGENCY_STOP = 6  # stop category 0: power is removed at once; latched


class State(IntEnum):
    """States of the stop state machine. Anything else is treated as EMERGENCY_STOP."""

    BOOT = 0  # self-test not passed yet; nothing but neutral values leave the guard
    STANDBY = 1  # healthy, not permitted: neutral values, waits for the operator's engage edge
    ENGAGED = 2  # commands pass through the checks
    RECOVERY = 3  # the recovery function drives
    PROTECTIVE_STOP = 4  # latched
    EMERGENCY_STOP = 5  # latched


class Fault(IntEnum):
    """Reason bits. ``1 << Fault.X`` is the mask kept in frames, logs and messages."""

    COMMAND_MISSING = 0  # no command was ever received
    COMMAND_LATE = 1  # older than one command period allows, not yet stale
    COMMAND_STALE = 2  # older than the policy's limit
    COMMAND_FUTURE = 3  # stamped later than now plus the tolerance
    COMMAND_NONFINITE = 4  # NaN or infinity in any channel
    COMMAND_SIZE = 5  # wrong number of values
    COMMAND_REPEATED = 6  # same sequence number or stamp again
    COMMAND_REORDERED = 7  # sequence number or stamp went backwards
    COMMAND_LOST = 8  # more sequence numbers skipped than allowed
    COMMAND_TORN = 9  # the mailbox could not be read consistently
    INPUT_STALE = 10  # a needed source is too old or never came
    INPUT_FUTURE = 11  # a needed source is stamped in the future
    INPUT_INVALID = 12  # a needed input is not finite or outside its declared range
    INPUT_TORN = 13  # a needed source's mailbox could not be read consistently
    BOUND = 14  # beyond the channel's bounds
    RATE = 15  # faster than the channel's rate limits
    JERK = 16  # rate changes faster than allowed
    SLEW = 17  # too much change within the time window
    LEAD = 18  # too far ahead of the measured value
    OPPOSED = 19  # against the operator's own input
    LATERAL = 20  # lateral acceleration or lateral jerk
    NORM = 21  # vector norm (horizontal speed, tilt)
    REQUEST_CADENCE = 22  # actuation request bit dropped too often, too early or too long
    REJECTED = 23  # a channel's value was replaced by its fallback
    DEGRADED = 24  # asked for more than the degraded envelope
    NOT_PERMITTED = 25  # a command arrived without permission to actuate
    OVERRIDDEN = 26  # an operator input withdrew permission for some channels
    FUNCTION_REFUSED = 27  # function on the allow-list, its conditions do not hold
    FUNCTION_UNKNOWN = 28  # function not on the allow-list
    ZONE = 29  # outside a keep-in zone or inside a keep-out zone, or position unknown
    NOT_FOLLOWING = 30  # the measured response does not follow what was sent
    BREAKER = 31  # a circuit breaker is open
    BREAKER_TRIAL = 32  # a circuit breaker is half-open: a reduced envelope, wider with every good tick
    MANUAL_LOST = 33  # the operator drives, and the operator's commands are missing or late
    INTERVENTION = 34  # an action is announced and waits, so that the operator may take over first
    STOP_REQUEST = 35  # software stop; needs no right
    STOP_BUTTON = 36  # the emergency stop device says stop
    DEADLINE = 37  # the loop itself ran late too often
    SELFTEST = 38  # power-on self-test failed
    CLOCK = 39  # time went backwards or jumped
    INTERNAL = 40  # a state that cannot be; treated as the worst
    BLACKBOX = 41  # the recorder is not keeping up or is gone
    SENDER = 42  # a second sender tried to take the command mailbox
    RESET_REFUSED = 43  # a reset came without its conditions, or for another stop event
    ENGAGE_REFUSED = 44  # the engage edge came while the other faults of this tick spoke against it
    DEVICE_SILENT = 45  # the emergency stop device that must be there is not heard, or not in time
    DEVICE_WAITS = 46  # the microcontroller is reset, its relays are still open
    ZONE_NEAR = 47  # the command would come too near to a zone that may not be entered or left
    ZONE_OUTSIDE = 48  # outside already when engaged: only the way back is open
    OBJECTS = 49  # the list of objects cannot be used: not finite, too long, of another size
    RSS = 50  # responsibility-sensitive safety: the proper response is in force
    COLLISION = 51  # time to collision or required deceleration beyond its limit
    BARRIER = 52  # the command was changed so that the state stays where it is allowed to be
    INFEASIBLE = 53  # no allowed command keeps the state there
    VOTE = 54  # a command channel is out of the vote
    VOTE_LOST = 55  # too few command channels agree
    SHADOW = 56  # the shadow model asks for something else
    OSCILLATION = 57  # a command swings to and fro
    OUTLIER = 58  # a single sample far from its neighbours, held back until confirmed
    STUCK = 59  # a value that must change does not
    DISAGREE = 60  # measurements contradict each other, or the estimator says that it is not sure
    RULE = 61  # a rule over the recent past is broken


class Device(IntEnum):
    """Emergency stop device that a policy demands."""

    NONE = 0
    BUTTON = 1  # two contacts on pins of this computer, read by `safetykit button`
    MICROCONTROLLER = 2  # button, reset key and power relays on a microcontroller of their own


class ConditionKind(IntEnum):
    """Kinds of row in the condition table."""

    RANGE = 0  # the input is valid and lies within [lo, hi]
    RECENT = 1  # RANGE became true within the last `within_ns`
    ZONE_INSIDE = 2  # position known and inside the zone
    ZONE_OUTSIDE = 3  # position known and outside the zone


class Breaker(IntEnum):
    """States of a circuit breaker."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class Until(IntEnum):
    """When an action that has started ends; none of these ends it while its fault is there."""

    CLEARED = 0  # with its fault
    ENGAGED_AGAIN = 1  # at the next engage edge
    RESET = 2  # at a granted reset
    NEVER = 3  # when the guard is started anew


class Fallback(IntEnum):
    """What replaces a value that is rejected or may not be used."""

    ZERO = 0  # the channel's neutral value
    LAST = 1  # last sent
    MEASURED = 2  # the measured value where valid, else last sent


class Geometry(IntEnum):
    """How a steering channel's value maps to path curvature."""

    CURVATURE = 0  # value is curvature, 1/m
    ANGLE = 1  # value is an angle: road wheel or steering wheel, through ratio and vehicle model, rad


def fault_names(mask: int) -> tuple[str, ...]:
    """Names of the bits set in a fault mask, in bit order; bits without a name read ``BIT_<n>``."""
    return tuple(_NAMES.get(bit, f"BIT_{bit}") for bit in range(64) if mask >> bit & 1) if mask else ()


_NAMES = {int(fault): fault.name for fault in Fault}
RETIRED = frozenset(f"BREAKER_{number}" for number in range(4))  # bits 31 to 34 in the words of logs before layout 3
