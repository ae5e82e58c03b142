"""Redundant command channels, the vote, the operator's own commands, the shadow model."""

from __future__ import annotations

from safetykit.core import bounds as b

MANUAL_ROW = b.COMMANDS_MAX - 1  # the operator's own commands; rows before it are the voters

# The vote. One voter is the plain case: its commands count as they are.
VOTE_COUNT, VOTE_NEEDED, VOTE_ALIGN_NS, VOTE_DISAGREE_NS, VOTE_COLS = 0, 1, 2, 3, 4
# The operator's own commands: condition row of the switch (-1 = none), ages, mask of the faults that only correct then
MANUAL_TAKE, MANUAL_LATE_NS, MANUAL_STALE_NS, MANUAL_OVERRULES, MANUAL_COLS = 0, 1, 2, 3, 4
# The shadow model: how long it may differ; then the input of each channel, -1 = none
SHADOW_FOR_NS, SHADOW_USED, SHADOW_INPUT = 0, 1, 2
SHADOW_COLS_I = SHADOW_INPUT + b.CHANNELS_MAX

_ROWS, _CH = (b.COMMANDS_MAX,), (b.CHANNELS_MAX,)
_OFFERS = (b.COMMANDS_MAX, b.CHANNELS_MAX)

LIMITS = (
    ("VOTE_TOLERANCE", b.CHANNELS_MAX),
    ("SHADOW_TOLERANCE", b.CHANNELS_MAX),
)
TIMING = (("VOTE", VOTE_COLS), ("MANUAL", MANUAL_COLS), ("SHADOW", SHADOW_COLS_I))
IN = (
    ("in_command_status", "i8", _ROWS),  # NEVER, OK or TORN
    ("in_command_published", "i8", _ROWS),  # the mailbox's own count of publications
    ("in_command_stamp_ns", "i8", _ROWS),
    ("in_command_seq", "i8", _ROWS),  # the sender's sequence number
    ("in_command_count", "i8", _ROWS),  # number of values sent
    ("in_request_bits", "i8", _ROWS),  # actuation request bit of each channel
    ("in_ask", "f8", _OFFERS),
)
STATE = (
    ("st_command_published", "i8", _ROWS),
    ("st_command_seq", "i8", _ROWS),
    ("st_command_stamp_ns", "i8", _ROWS),
    ("st_command_seen", "i8", _ROWS),
    ("st_command_faults", "i8", _ROWS),  # verdict on the latest publication, kept until the next one
    ("st_offer", "f8", _OFFERS),  # last accepted command of each sender
    ("st_request_offer", "i8", _ROWS),  # its request bits
    ("st_vote_faults", "i8", _ROWS),  # what is wrong with each sender in this tick
    ("st_vote_mask", "i8", ()),  # senders whose word counts in this tick
    ("st_voter_excluded", "i8", ()),  # senders that an open breaker keeps out: see breaker.py
    ("st_vote_out", "i8", ()),  # senders that the others outvoted
    ("st_vote_since_ns", "i8", _ROWS),  # when the sender was last seen to be where it belongs, in the vote or out of it
    ("st_vote_agreed_ns", "i8", ()),  # when enough senders last agreed
    ("st_vote_spread", "f8", _CH),  # largest less smallest value of the senders that count
    ("st_manual", "i8", ()),  # 1 = the operator's own commands are the ask
    ("st_shadow_available", "i8", ()),
    ("st_shadow_at_ns", "i8", ()),  # when the shadow model was last looked at
    ("st_shadow_differs_ns", "i8", ()),  # for how long it has differed
    ("st_shadow_worst", "i8", ()),  # channel in which it differs most, in units of the tolerance; -1 = none
)
OUT: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
