"""Plausibility: followers, rivals, the estimator's own word, oscillation, outliers, stuck values."""

from __future__ import annotations

from safetykit.core import bounds as b

# Scalars: how many rows of each block are used
OUTLIER_COUNT, OSCILLATION_COUNT, AGREE_COUNT, INTEGRITY_COUNT, STUCK_COUNT, WATCH_COLS = range(6)

# limits
OUTLIER_GAIN, OUTLIER_FLOOR, OUTLIER_COLS = range(3)  # allowed residual = max(floor, gain * MAD)
SWING_ENERGY, SWING_WINDOW_S, SWING_DEADBAND, SWING_COLS = range(4)
AGREE_ERROR, AGREE_SHARE, AGREE_COLS = range(3)  # allowed difference = error + share * the larger magnitude
INTEGRITY_LO, INTEGRITY_HI, INTEGRITY_COLS = 0, b.INTEGRITY_CHECKS_MAX, 2 * b.INTEGRITY_CHECKS_MAX

# timing
OUTLIER_CHANNEL, OUTLIER_WINDOW, OUTLIER_CONFIRM, OUTLIER_COLS_I = range(4)
SWING_CHANNEL, SWING_COLS_I = range(2)
AGREE_NS, AGREE_N, AGREE_INPUT = range(3)
AGREE_COLS_I = AGREE_INPUT + b.AGREE_INPUTS_MAX
INTEGRITY_NS, INTEGRITY_N, INTEGRITY_K, INTEGRITY_INPUT = range(4)  # K of N checks
INTEGRITY_COLS_I = INTEGRITY_INPUT + b.INTEGRITY_CHECKS_MAX
STUCK_NS, STUCK_INPUT, STUCK_CHANNEL, STUCK_WHILE, STUCK_COLS_I = range(5)  # -1 = none; mask of conditions

LIMITS = (
    ("FOLLOW", b.CHANNELS_MAX),  # time constant of the response, s; 0 = the vehicle follows at once
    ("OUTLIER", b.OUTLIER_SLOTS_MAX * OUTLIER_COLS),
    ("SWING", b.SWING_SLOTS_MAX * SWING_COLS),
    ("AGREE", b.AGREE_MAX * AGREE_COLS),
    ("INTEGRITY", b.INTEGRITY_MAX * INTEGRITY_COLS),
)
TIMING = (
    ("WATCH", WATCH_COLS),
    ("OUTLIER", b.OUTLIER_SLOTS_MAX * OUTLIER_COLS_I),
    ("SWING", b.SWING_SLOTS_MAX * SWING_COLS_I),
    ("AGREE", b.AGREE_MAX * AGREE_COLS_I),
    ("INTEGRITY", b.INTEGRITY_MAX * INTEGRITY_COLS_I),
    ("STUCK", b.STUCK_MAX * STUCK_COLS_I),
)
IN: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
_OUTLIERS, _SWINGS = (b.OUTLIER_SLOTS_MAX,), (b.SWING_SLOTS_MAX,)
STATE = (
    ("st_follow_model", "f8", (b.CHANNELS_MAX,)),  # what a healthy vehicle has answered by now to what was sent
    ("st_follow_error", "f8", (b.CHANNELS_MAX,)),  # how far the measured response is from that
    ("st_outlier_stamp_ns", "i8", ()),  # stamp of the command judged last
    ("st_outlier_held", "i8", ()),  # channels whose new value is held back
    ("st_outlier_window", "f8", (b.OUTLIER_SLOTS_MAX, b.OUTLIER_WINDOW_MAX)),  # last accepted values, a ring
    ("st_outlier_count", "i8", _OUTLIERS),  # accepted values; the ring's place
    ("st_outlier_doubted", "f8", (b.OUTLIER_SLOTS_MAX, b.OUTLIER_CONFIRM_MAX)),  # values that wait, oldest first
    ("st_outlier_doubts", "i8", _OUTLIERS),  # how many wait
    ("st_outlier_ns", "i8", _OUTLIERS),  # stamp of the last accepted value
    ("st_outlier_residual", "f8", _OUTLIERS),  # distance of the latest value from the median
    ("st_outlier_allowed", "f8", _OUTLIERS),  # distance allowed for it
    ("st_swing_energy", "f8", _SWINGS),  # squared swings, forgotten with time
    ("st_swing_start", "f8", _SWINGS),  # last turning point
    ("st_swing_edge", "f8", _SWINGS),  # farthest value since
    ("st_swing_way", "i8", _SWINGS),  # 1 up, -1 down, 0 not known yet
    ("st_agree_since_ns", "i8", (b.AGREE_MAX,)),  # since when they contradict each other; 0 = they agree
    ("st_agree_difference", "f8", (b.AGREE_MAX,)),  # largest difference of two of them, -1 = one is not valid
    ("st_agree_odd", "i8", (b.AGREE_MAX,)),  # input number + 1 of the one that stands alone, 0 = not known
    ("st_agree_rows", "i8", ()),  # rows that contradict for too long
    ("st_integrity_since_ns", "i8", (b.INTEGRITY_MAX,)),  # since when too many are out; 0 = they are not
    ("st_integrity_out", "i8", (b.INTEGRITY_MAX,)),  # one bit per check: out of its limits or not valid
    ("st_integrity_rows", "i8", ()),  # rows out for too long
    ("st_stuck_value", "f8", (b.STUCK_MAX,)),
    ("st_stuck_since_ns", "i8", (b.STUCK_MAX,)),  # since when it has that value; 0 = need not change now
    ("st_stuck_rows", "i8", ()),  # rows that did not change for too long
)
OUT: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
