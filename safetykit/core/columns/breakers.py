"""Circuit breakers, and the arbitration of actions."""

from __future__ import annotations

from safetykit.core import bounds as b

# limits
BREAKER_SHARE, BREAKER_COLS = 0, 1  # share of the envelope that a trial begins with

# timing
BREAKER_MASK = 0  # faults that it counts
BREAKER_K, BREAKER_WINDOW_NS = 1, 2  # trips at K violations within the window; K 0 = counts nothing, window 0 = ever
BREAKER_ACTION = 3  # action while open
BREAKER_OF = 4  # command sender that it watches, -1 = the vehicle
BREAKER_SEVERITY = 5  # trips when a tick's worst action reaches this; NO_SEVERITY = never
BREAKER_SOURCES, BREAKER_LOST_NS = 6, 7  # trips when one of these sources is lost for longer than this
BREAKER_LATCHED = 8  # 1 = only a reset closes it
BREAKER_COOL_NS = 9  # time without a cause from open to half-open
BREAKER_WIDEN_NS = 10  # good time from half-open to closed
BREAKER_REOPEN_MAX = 11  # this many trials may fail in a row, the next failure latches
BREAKER_COLS_I = 12
NO_SEVERITY = 7  # above every action

REACTION_COUNT, REACTION_FAULTS, REACTION_HEAD_COLS = 0, 1, 2  # rows used; the faults that have one
REACTION_FAULT, REACTION_ACTION = 0, 1  # mask of its one fault; the action at the end
REACTION_AFTER_NS, REACTION_TAKEOVER_NS = 2, 3  # delay, and then the time in which the operator may take over
REACTION_MEANWHILE = 4  # action during both
REACTION_DRIVEN = 5  # action while the operator has taken over in that time, -1 = the operator cannot
REACTION_UNTIL = 6  # Until
REACTION_COLS_I = 7

LIMITS = (("BREAKER", b.BREAKERS_MAX * BREAKER_COLS),)
TIMING = (
    ("BREAKER", b.BREAKERS_MAX * BREAKER_COLS_I),
    ("REACTIONS", REACTION_HEAD_COLS),
    ("REACTION", b.REACTIONS_MAX * REACTION_COLS_I),
)
IN: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
_BREAKERS = (b.BREAKERS_MAX,)
STATE = (
    ("st_elapsed_ns", "i8", ()),  # time since the last tick, not capped
    ("st_fresh", "i8", ()),  # sources that are heard and not too old
    ("st_breaker", "i8", ()),  # open breakers, one bit each
    ("st_breaker_latched", "i8", ()),  # of these, the ones that only a reset closes
    ("st_breaker_trial", "i8", ()),  # half-open breakers
    ("st_breaker_cause", "i8", ()),  # breakers whose cause is there in this tick
    ("st_breaker_ns", "i8", _BREAKERS),  # open: time without a cause; half-open: good time
    ("st_breaker_reopened", "i8", _BREAKERS),  # trials that failed in a row
    ("st_breaker_heard_ns", "i8", _BREAKERS),  # when all its sources were last fresh
    ("st_trial_share", "f8", ()),  # smallest share of the envelope that a half-open breaker gives
    ("st_violation_ns", "i8", (b.BREAKERS_MAX, b.BREAKER_COUNT_MAX)),
    ("st_violation_count", "i8", _BREAKERS),
    ("st_reaction_ns", "i8", (b.REACTIONS_MAX,)),  # how much of delay and take-over time is spent
    ("st_reaction_pending", "i8", ()),  # reactions whose fault is there, one bit each
    ("st_reaction_started", "i8", ()),  # reactions whose action is in force
    ("st_reaction_held", "i8", ()),  # of these, the ones that stay when the fault is gone
    ("st_wanted", "i8", ()),  # every action that something asks for in this tick, one bit each
)
OUT = (
    ("out_window_ns", "i8", ()),  # time left for the operator to take over, 0 = no action is announced
    ("out_window_action", "i8", ()),  # the announced action
)
