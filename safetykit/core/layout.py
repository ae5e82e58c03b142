"""Where everything lies: the frame, and the policy's two read-only arrays.

One frame is kernel memory, black-box record and replay input. A policy is two plain read-only arrays because
numba rejects writes to these at compile time, while it silently writes through a read-only structured array.

`limits` (float64) and `timing` (int64) are flat; the constants below are offsets. A block for row `r` starts at
``BLOCK + r * BLOCK_COLS``. Units are SI; times are integer nanoseconds.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from safetykit.core import bounds as b
from safetykit.core.columns import breakers, commands, motion, objects, rules, watch
from safetykit.core.vocabulary import Action

Limits: TypeAlias = npt.NDArray[np.float64]
Timing: TypeAlias = npt.NDArray[np.int64]
Frame: TypeAlias = Any  # np.void in compiled code, np.record interpreted: fields as attributes

LAYOUT_VERSION = 3
UNLIMITED = 1e300  # finite on purpose: UNLIMITED * 0 is 0, inf * 0 is NaN

# --------------------------------------------------------------------------- frame
_CH = (b.CHANNELS_MAX,)
_CHECKS = (motion, objects, commands, rules, watch, breakers)

FRAME = np.dtype(
    [
        # in: written by the loop before each step
        ("in_now_ns", "i8"),
        ("in_faults", "i8"),  # fault bits that the run time raises itself (stop request, button, deadline, ...)
        ("in_selftest_ok", "i8"),
        ("in_progress", "i8"),  # challenge of the emergency-stop microcontroller, with the loop's first stage folded in
        ("in_device", "i8"),  # what the emergency stop device says, see heartbeat.device_word; for the record only
        ("in_reset_seq", "i8"),  # a change is a reset request ...
        ("in_reset_event", "i8"),  # ... for this stop event
        ("in_function_seq", "i8"),  # a change is a new function request ...
        ("in_function", "i8"),  # ... for this entry of the allow-list, 1-based; anything else is unknown
        ("in_source_status", "i8", (b.SOURCES_MAX,)),
        ("in_source_stamp_ns", "i8", (b.SOURCES_MAX,)),
        ("in_value", "f8", (b.INPUTS_MAX,)),
        *(field for check in _CHECKS for field in check.IN),
        # state: written by the core only
        ("st_started", "i8"),
        ("st_now_ns", "i8"),
        ("st_state", "i8"),
        ("st_state_since_ns", "i8"),
        ("st_stop_event", "i8"),  # number of the latest stop, recovery or breaker trip
        ("st_reset_seq", "i8"),
        ("st_phase", "i8"),
        ("st_phase_since_ns", "i8"),
        ("st_function_seq", "i8"),
        ("st_valid", "i8"),  # one bit per input
        ("st_conditions", "i8"),  # one bit per condition
        ("st_low", "i8"),  # conditions last seen validly false: only these can have a rising edge
        ("st_edges", "i8"),  # conditions that became true in this tick
        ("st_inhibit", "i8"),  # channels whose permission an operator input withdrew, kept until engaged again
        ("st_degraded", "i8"),
        ("st_condition_since_ns", "i8", (b.CONDITIONS_MAX,)),
        ("st_ask", "f8", _CH),  # the command that counts: see vote.py
        ("st_target", "f8", _CH),  # what the limiter steers to in this tick
        ("st_sent", "f8", _CH),  # last sent: the only history that counts
        ("st_rate", "f8", _CH),  # last sent rate, per second
        ("st_request_ask", "i8"),  # its request bits
        ("st_request_sent", "i8"),  # request bits last sent
        ("st_request_since_ns", "i8", _CH),  # when the sent request bit last changed
        ("st_follow_since_ns", "i8", _CH),  # since when the response does not follow; 0 = it does
        ("st_slew_min", "f8", (b.SLEW_SLOTS_MAX, b.SLEW_BUCKETS)),
        ("st_slew_max", "f8", (b.SLEW_SLOTS_MAX, b.SLEW_BUCKETS)),
        ("st_slew_bucket", "i8", (b.SLEW_SLOTS_MAX,)),  # absolute number of the newest bucket
        ("st_sample", "f8", (b.SAMPLE_SLOTS_MAX, b.SAMPLES_MAX)),
        ("st_sample_count", "i8", (b.SAMPLE_SLOTS_MAX,)),
        ("st_sample_stamp_ns", "i8", (b.SAMPLE_SLOTS_MAX,)),
        # what the checks allow each channel in this tick, besides its own envelope: see windows.py
        ("st_window_lo", "f8", _CH),
        ("st_window_hi", "f8", _CH),
        ("st_window_why", "i8", _CH),
        ("st_reach_lo", "f8", _CH),  # what all limits but jerk leave: see envelope.py
        ("st_reach_hi", "f8", _CH),
        *(field for check in _CHECKS for field in check.STATE),
        # out: written by the core, read by the loop
        ("out_seq", "i8"),
        ("out_progress", "i8"),  # proof that every stage of this tick ran in order
        ("out_action", "i8"),
        ("out_faults", "i8"),
        ("out_power", "i8"),  # 1 = actuator power allowed, 0 = remove it
        ("out_request_bits", "i8"),
        ("out_function", "i8"),  # function granted in this tick, 0 = none
        ("out_function_refused", "i8"),  # 1 = the request of this tick was refused
        ("out_sent", "f8", _CH),
        ("out_reason", "i8", _CH),  # fault bits per channel
        *(field for check in _CHECKS for field in check.OUT),
    ],
    align=True,
)

STATUS_NEVER, STATUS_OK, STATUS_TORN = 0, 1, 2


def _offsets(start: int, *names_and_sizes: tuple[str, int]) -> dict[str, int]:
    """Consecutive offsets, and ``END``."""
    table = {}
    for name, size in names_and_sizes:
        table[name] = start
        start += size
    table["END"] = start
    return table


# --------------------------------------------------------------------------- limits (float64): columns
# Channel: the first seven may be given by a table instead (timing: CHI_TABLE + same column).
LO, HI, RATE_UP, RATE_DOWN, RATE_AWAY, RATE_TOWARD, JERK = range(7)
TABLED = 7
HARD_LO, HARD_HI = 7, 8  # never exceeded, whatever else conflicts
SLEW_DELTA = 9
LEAD_ERROR = 10
OPPOSE_ALLOWANCE, OPPOSE_GAIN = 11, 12
LATERAL_ACCEL, LATERAL_JERK = 13, 14  # m/s^2, m/s^3
WHEELBASE, RATIO, UNDERSTEER, SPEED_MIN = 15, 16, 17, 18  # m, 1, s^2/m^2, m/s
NEUTRAL, STOP, EMERGENCY = 19, 20, 21  # values in STANDBY, PROTECTIVE_STOP, EMERGENCY_STOP
DEGRADED_SCALE = 22  # share of the bounds left when degraded
FOLLOW_ERROR = 23
TOLERANCE = 24  # asked values this close to a limit count as inside (float noise)
CH_COLS = 25

TABLE_X, TABLE_Y, TABLE_WORST = 0, b.TABLE_POINTS_MAX, 2 * b.TABLE_POINTS_MAX
TABLE_COLS = 2 * b.TABLE_POINTS_MAX + 1

INPUT_LO, INPUT_HI = 0, 1
INPUT_COLS = 2

NORM, NORM_RATE = 0, 1  # norm of the value, norm of its change per second
GROUP_COLS = 2

COND_LO, COND_HI = 0, 1
COND_COLS = 2

_LIMITS = _offsets(
    0,
    ("CHANNEL", b.CHANNELS_MAX * CH_COLS),
    ("TABLE", b.TABLES_MAX * TABLE_COLS),
    ("INPUT", b.INPUTS_MAX * INPUT_COLS),
    ("GROUP", b.GROUPS_MAX * GROUP_COLS),
    ("COND", b.CONDITIONS_MAX * COND_COLS),
    ("PHASE", b.PHASES_MAX * b.CHANNELS_MAX),  # set-point per phase and channel
    *(block for check in _CHECKS for block in check.LIMITS),
)
L_CHANNEL, L_TABLE, L_INPUT = _LIMITS["CHANNEL"], _LIMITS["TABLE"], _LIMITS["INPUT"]
L_GROUP, L_COND, L_ZONE, L_PHASE = _LIMITS["GROUP"], _LIMITS["COND"], _LIMITS["ZONE"], _LIMITS["PHASE"]
L_MOTION = _LIMITS["MOTION"]
L_VOTE_TOLERANCE, L_SHADOW_TOLERANCE = _LIMITS["VOTE_TOLERANCE"], _LIMITS["SHADOW_TOLERANCE"]
L_FOLLOW, L_OUTLIER, L_SWING = _LIMITS["FOLLOW"], _LIMITS["OUTLIER"], _LIMITS["SWING"]
L_AGREE, L_INTEGRITY = _LIMITS["AGREE"], _LIMITS["INTEGRITY"]
L_OBJECTS, L_RSS, L_COLLISION = _LIMITS["OBJECTS"], _LIMITS["RSS"], _LIMITS["COLLISION"]
L_RULE_LEAF = _LIMITS["RULE_LEAF"]
LIMITS_SIZE = _LIMITS["END"]

# --------------------------------------------------------------------------- timing (int64): columns
# Head: scalars at the start of the array.
PERIOD_NS, DT_MAX_NS = 0, 1
COMMAND_LATE_NS, COMMAND_STALE_NS, COMMAND_FUTURE_NS = 2, 3, 4
COMMAND_LOST_MAX = 5
CHANNEL_COUNT, INPUT_COUNT, SOURCE_COUNT, GROUP_COUNT = 6, 7, 8, 9
CONDITION_COUNT, OVERRIDE_COUNT, FUNCTION_COUNT, ZONE_COUNT = 10, 11, 12, 13
BREAKER_COUNT, PHASE_COUNT, SAMPLE_COUNT = 14, 15, 16
ENGAGE_CONDITION = 17  # condition row of the engage input, -1 = never permitted
HOLD_TO_RUN = 18  # 1 = releasing engage withdraws permission
RESET_CONDITIONS = 19  # mask of conditions that a reset needs
POSITION_X, POSITION_Y, POSITION_Z = 20, 21, 22  # inputs, -1 = none
SPEED_INPUT = 23  # for lateral limits, -1 = none
STOP_TIME_NS = 24  # PROTECTIVE_STOP removes power after this time at the latest
POWER_IN_STANDBY = 25  # 1 = a vehicle that needs power to be safe (drone) keeps it in STANDBY
ALL_CHANNELS = 26  # mask of the policy's channels
CADENCE_USED = 27  # 1 = at least one channel supervises its request bit
DEVICE = 28  # emergency stop device that the vehicle must have: Device
HEAD_COLS = 29

# Channel
FLAGS, GROUP_OF = 0, 1
FALLBACK = 2
LEAD_SLOT, OPPOSE_SLOT, SLEW_SLOT = 3, 4, 5  # -1 = none
SLEW_BUCKET_NS = 6
MEASURED = 7  # input with the measured value, -1 = none
GEOMETRY = 8
REQUEST_DROP_NS, REQUEST_UP_NS = 9, 10  # longest drop, shortest time up before a drop
FOLLOW_NS = 11
CHI_TABLE = 12  # seven table numbers, -1 = constant
CHI_COLS = 12 + TABLED

TABLE_POINTS, TABLE_INPUT, TABLE_COLS_I = 0, 1, 2
SOURCE_OF, INPUT_COLS_I = 0, 1
SOURCE_AGE_NS, SOURCE_FUTURE_NS, SOURCE_NEEDED, SOURCE_COLS = 0, 1, 2, 3  # needed: its loss raises INPUT_*
GROUP_N, GROUP_CHANNEL, GROUP_TABLE = 0, 1, 1 + b.GROUP_CHANNELS_MAX  # table for NORM, -1 = constant
GROUP_COLS_I = GROUP_TABLE + 1
COND_KIND, COND_OPERAND, COND_WITHIN_NS, COND_COLS_I = 0, 1, 2, 3
OVERRIDE_KEEP, OVERRIDE_CHANNELS, OVERRIDE_LATCHED, OVERRIDE_COLS = 0, 1, 2, 3  # keep: condition that must hold
FUNCTION_MASK, FUNCTION_NEVER, FUNCTION_COLS = 0, 1, 2  # mask of conditions; 1 = never
PHASE_NS, PHASE_CONDITION, PHASE_HOLD, PHASE_COLS = 0, 1, 2, 3  # longest time; end condition; mask: keep last sent
SAMPLE_INPUT, SAMPLE_DEPTH, SAMPLE_COLS = 0, 1, 2

_TIMING = _offsets(
    0,
    ("HEAD", HEAD_COLS),
    ("ACTION", len(Action)),  # mask of the faults that lead to each action
    ("CHANNEL", b.CHANNELS_MAX * CHI_COLS),
    ("TABLE", b.TABLES_MAX * TABLE_COLS_I),
    ("INPUT", b.INPUTS_MAX * INPUT_COLS_I),
    ("SOURCE", b.SOURCES_MAX * SOURCE_COLS),
    ("GROUP", b.GROUPS_MAX * GROUP_COLS_I),
    ("COND", b.CONDITIONS_MAX * COND_COLS_I),
    ("OVERRIDE", b.OVERRIDES_MAX * OVERRIDE_COLS),
    ("FUNCTION", b.FUNCTIONS_MAX * FUNCTION_COLS),
    ("PHASE", b.PHASES_MAX * PHASE_COLS),
    ("SAMPLE", b.SAMPLE_SLOTS_MAX * SAMPLE_COLS),
    *(block for check in _CHECKS for block in check.TIMING),
)
T_ACTION, T_CHANNEL, T_TABLE, T_INPUT = _TIMING["ACTION"], _TIMING["CHANNEL"], _TIMING["TABLE"], _TIMING["INPUT"]
T_SOURCE, T_GROUP, T_COND, T_OVERRIDE = _TIMING["SOURCE"], _TIMING["GROUP"], _TIMING["COND"], _TIMING["OVERRIDE"]
T_FUNCTION, T_ZONE, T_BREAKER = _TIMING["FUNCTION"], _TIMING["ZONE"], _TIMING["BREAKER"]
T_REACTIONS, T_REACTION, L_BREAKER = _TIMING["REACTIONS"], _TIMING["REACTION"], _LIMITS["BREAKER"]
T_PHASE, T_SAMPLE = _TIMING["PHASE"], _TIMING["SAMPLE"]
T_MOTION, T_ZONES = _TIMING["MOTION"], _TIMING["ZONES"]
T_VOTE, T_MANUAL, T_SHADOW = _TIMING["VOTE"], _TIMING["MANUAL"], _TIMING["SHADOW"]
T_WATCH, T_OUTLIER, T_SWING, T_AGREE = _TIMING["WATCH"], _TIMING["OUTLIER"], _TIMING["SWING"], _TIMING["AGREE"]
T_INTEGRITY, T_STUCK = _TIMING["INTEGRITY"], _TIMING["STUCK"]
T_OBJECTS, T_RSS, T_COLLISION = _TIMING["OBJECTS"], _TIMING["RSS"], _TIMING["COLLISION"]
T_RULES, T_RULE, T_RULE_NODE = _TIMING["RULE_HEAD"], _TIMING["RULE"], _TIMING["RULE_NODE"]
T_RULE_LEAF = _TIMING["RULE_LEAF"]
TIMING_SIZE = _TIMING["END"]

# Channel flags
HAS_TABLE = 1 << 0  # at least one of the seven limits is a table
HAS_ZERO_RATES = 1 << 1  # rates away from and towards zero
HAS_JERK = 1 << 2
HAS_LATERAL = 1 << 3
HAS_REQUEST = 1 << 4
HAS_FOLLOW = 1 << 5
REJECTS = 1 << 6  # a violation replaces the value by the fallback instead of clamping
JUMPS = 1 << 7  # ... at once instead of ramping
EMERGENCY_JUMPS = 1 << 8  # EMERGENCY_STOP sends its value at once
NEUTRAL_TRACKS = 1 << 10  # at rest the value follows the measured one, where it is valid
LEAD_TOWARD_ZERO = 1 << 9  # moving towards zero is always allowed, whatever is measured


def new_frames(count: int = 1) -> npt.NDArray[np.void]:
    """Zeroed frames, shape ``(count,)``. Pass ``frames[i]`` to the compiled step."""
    return np.zeros(count, FRAME)
