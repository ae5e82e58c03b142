"""The list of objects, responsibility-sensitive safety, collision checks."""

from __future__ import annotations

from safetykit.core import bounds as b

# One object: centre relative to the vehicle's reference point (m), velocity over ground (m/s) in the same axes, size
# (m), identity. On a road x is along it and y to its left, sizes lie along these; else the axes are those of the
# position (east, north, up). The identity is a whole number that the sender keeps for one thing; 0 = none.
OBJ_X, OBJ_Y, OBJ_Z, OBJ_VX, OBJ_VY, OBJ_VZ, OBJ_LENGTH, OBJ_WIDTH, OBJ_HEIGHT, OBJ_ID = range(b.OBJECT_COLS)
ID_MAX = 2**52  # whole numbers up to here are exact in a float64

OBJECTS_DISTANCE, OBJECTS_SPEED, OBJECTS_COLS = 0, 1, 2  # largest number of each kind, m and m/s
OBJECTS_USED, OBJECTS_AGE_NS, OBJECTS_FUTURE_NS, OBJECTS_NEEDED, OBJECTS_COUNT, OBJECTS_COLS_I = range(6)

RSS_RESPONSE_S, RSS_ACCEL, RSS_BRAKE_MIN, RSS_BRAKE_MAX, RSS_BRAKE_CORRECT = range(5)  # s, m/s^2
RSS_LAT_ACCEL, RSS_LAT_BRAKE, RSS_LAT_MARGIN = 5, 6, 7  # m/s^2, m/s^2, m
RSS_CAP, RSS_CAP_OTHERS = 8, 9  # m/s: nobody gets faster than this within the response time
RSS_LENGTH, RSS_WIDTH, RSS_CENTRE = 10, 11, 12  # m: the vehicle, and its centre ahead of the reference point
RSS_WHEELBASE, RSS_RATIO, RSS_UNDERSTEER, RSS_SPEED_MIN, RSS_COLS = 13, 14, 15, 16, 17  # of the steering channel
RSS_USED, RSS_SPEED, RSS_LAT_SPEED, RSS_CURVATURE = range(4)  # the last three are inputs, -1 = none
RSS_ALONG, RSS_ALONG_KIND, RSS_STEER, RSS_STEER_KIND, RSS_COLS_I = 4, 5, 6, 7, 8  # channels, -1 = none
ALONG_ACCEL, ALONG_SPEED = 0, 1
STEER_ACCEL, STEER_CURVATURE, STEER_ANGLE = 0, 1, 2

COLLISION_RADIUS, COLLISION_TTC_S, COLLISION_DECEL, COLLISION_CLEARANCE = 0, 1, 2, 3  # m, s, m/s^2, m
COLLISION_SPEED, COLLISION_COLS = 4, 5  # m/s: the vehicle's top speed
COLLISION_USED, COLLISION_WALLS, COLLISION_FLAT, COLLISION_COLS_I = range(4)  # flat: heights do not count

LIMITS = (("OBJECTS", OBJECTS_COLS), ("RSS", RSS_COLS), ("COLLISION", COLLISION_COLS))
TIMING = (("OBJECTS", OBJECTS_COLS_I), ("RSS", RSS_COLS_I), ("COLLISION", COLLISION_COLS_I))
IN = (
    ("in_objects_status", "i8", ()),
    ("in_objects_stamp_ns", "i8", ()),
    ("in_objects_count", "i8", ()),
    ("in_object", "f8", (b.OBJECTS_MAX, b.OBJECT_COLS)),
)
STATE = (
    ("st_objects_count", "i8", ()),  # objects to look at in this tick, from the first; 0 if the list is late
    ("st_objects_unsound", "i8", ()),  # how many of them have a number that cannot be
    ("st_objects_first_unsound", "i8", ()),  # the first of them, -1 = none
    # what was known of each object when it was last not dangerous: identity * 4 + 1 (the distance along the road was
    # safe) + 2 (the distance across was safe); two banks, written in turn, so that a list may change its order
    ("st_rss_memory", "i8", (2, b.OBJECTS_MAX)),
    ("st_rss_memory_count", "i8", ()),
    ("st_rss_bank", "i8", ()),
    ("st_rss_now_ns", "i8", ()),
    ("st_rss_object", "i8", ()),  # the object nearest to danger, -1 = none
    ("st_rss_gap_m", "f8", ()),  # along the road between it and the vehicle ...
    ("st_rss_needed_m", "f8", ()),  # ... and what is needed
    ("st_rss_lateral_gap_m", "f8", ()),
    ("st_rss_lateral_needed_m", "f8", ()),
    ("st_rss_response", "i8", ()),  # what the vehicle must do: see rss.py
    ("st_collision_object", "i8", ()),  # the object with the shortest time to collision, -1 = none
    ("st_ttc_s", "f8", ()),  # UNLIMITED = no object is on a collision course
    ("st_decel_object", "i8", ()),  # the object that demands the largest deceleration, -1 = none
    ("st_decel_mps2", "f8", ()),
)
OUT: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
