"""How the vehicle moves, zones, walls and the barrier filter."""

from __future__ import annotations

from safetykit.core import bounds as b

# A zone. Limits, in m and m/s; everything but the outline is there for a circle too.
ZONE_FLOOR, ZONE_CEILING = 0, 1
ZONE_X_MIN, ZONE_Y_MIN, ZONE_X_MAX, ZONE_Y_MAX = 2, 3, 4, 5  # what the outline lies in
ZONE_X, ZONE_Y, ZONE_RADIUS = 6, 7, 8  # of a circle
ZONE_CORRECT = 9  # commands are corrected so far ahead of the margin
ZONE_SPEED, ZONE_EXCESS = 10, 11  # speed allowed inside (0 except in speed zones), and by how much it may be exceeded
ZONE_XY = 12  # x, y of each corner, counter-clockwise
ZONE_COLS = 12 + 2 * b.ZONE_VERTICES_MAX
# Timing: corners, 0 = circle (never a keep-in zone: these are polygons); rule
ZONE_N, ZONE_RULE, ZONE_COLS_I = 0, 1, 2
CONDITION_ONLY, KEEP_IN, KEEP_OUT, SLOW = 0, 1, 2, 3
# All zones: 1 = at least one is more than a condition; number of keep-in zones, and the first of them
ZONES_ENFORCED, ZONES_KEEP_INS, ZONES_FIRST_KEEP_IN, ZONES_COLS = 0, 1, 2, 3

# A wall is a plane that the vehicle must not cross faster than its speed: unit normal towards it, the distance left
# after all margins (negative = beyond), the speed allowed at the wall, the wall's own speed towards the vehicle.
WALL_X, WALL_Y, WALL_Z, WALL_GAP, WALL_SPEED, WALL_APPROACH, WALL_COLS = 0, 1, 2, 3, 4, 5, 6

# A half-space of the barrier filter: unit normal, bound, and what made it: number of a wall, or -(walls.OF_...).
PLANE_X, PLANE_Y, PLANE_Z, PLANE_BOUND, PLANE_OF, PLANE_COLS = 0, 1, 2, 3, 4, 5

# A plane that holds the projected point: its normal, its price (Lagrange multiplier), its row.
ACTIVE_X, ACTIVE_Y, ACTIVE_Z, ACTIVE_PRICE, ACTIVE_ROW, ACTIVE_COLS = 0, 1, 2, 3, 4, 5

# How the vehicle moves. Limits, in SI units:
MOTION_RESPONSE = 0  # time constant of the velocity loop; 0 = accelerations are commanded
MOTION_BRAKE, MOTION_ACCEL = 1, 2  # deceleration surely reached; authority of the filter on each axis
MOTION_LATENCY = 3  # from a measurement to the brakes acting in full
MOTION_REACTION = 4  # latency + response: what a vehicle travels at its speed before it slows
MOTION_ERROR, MOTION_ERROR_FACTOR, MOTION_ERROR_WORST = 5, 6, 7  # constant; factor of the input; if it is not valid
MOTION_WIND, MOTION_MARGIN = 8, 9
MOTION_SPEED_MAX, MOTION_GAIN = 10, 11
MOTION_TILT = 12  # tangent of the largest tilt
MOTION_FLOOR, MOTION_CEILING = 13, 14
MOTION_COLS = 15
# Timing:
MOTION_FORM = 0  # what is measured: NO_MOTION (the policy has no such section), BY_AXES, BY_HEADING
NO_MOTION, BY_AXES, BY_HEADING = 0, 1, 2
MOTION_VX, MOTION_VY, MOTION_VZ = 1, 2, 3  # inputs by axes, -1 = none ...
MOTION_SPEED_INPUT, MOTION_HEADING = 1, 2  # ... or by heading
MOTION_ERROR_INPUT = 4  # -1 = the error is constant
MOTION_STEERS = 5  # what is commanded: NOTHING, AXES (x, y, z channels), BICYCLE (along, steer channels)
NOTHING, AXES, BICYCLE = 0, 1, 2
MOTION_CHANNEL = 6  # three channels, -1 = none
MOTION_GROUP = 9  # group of these channels, -1 = none
MOTION_COLS_I = 10

LIMITS = (("ZONE", b.ZONES_MAX * ZONE_COLS), ("MOTION", MOTION_COLS))
TIMING = (("ZONE", b.ZONES_MAX * ZONE_COLS_I), ("ZONES", ZONES_COLS), ("MOTION", MOTION_COLS_I))
IN: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
STATE = (
    ("st_zones", "i8", ()),  # one bit per zone: inside
    ("st_outside", "i8", ()),  # one bit per zone: violated since before the vehicle was engaged (keep-in: the first)
    ("st_outside_depth_m", "f8", (b.ZONES_MAX,)),  # ... and how deep at its best since
    ("st_zone_worst", "i8", ()),  # the fence that leaves the least room belongs to this zone; -1 = none is near
    ("st_zone_gap_m", "f8", ()),  # the way to it; negative = beyond it
    ("st_zone_needed_m", "f8", ()),  # what stopping takes, with every margin; more than the gap is ZONE
    ("st_zone_fast", "i8", ()),  # speed zone that the vehicle is too fast in; -1 = none
    ("st_wall_count", "i8", ()),
    ("st_wall_of", "i8", (b.WALLS_MAX,)),  # what made the wall: see walls.py
    ("st_wall", "f8", (b.WALLS_MAX, WALL_COLS)),
    ("st_way_m", "f8", (3,)),  # way that the velocity set-points went so far, by axis
    ("st_way_then_m", "f8", (b.WAY_MARKS, 3)),  # ... where it was at marks that cover the latency
    ("st_way_marks", "i8", ()),  # number of marks so far
    ("st_way_mark_s", "f8", ()),  # time since the last one
    ("st_plane", "f8", (b.PLANES_MAX, PLANE_COLS)),
    ("st_active", "f8", (3, ACTIVE_COLS)),  # scratch of the projection: the planes that hold its point
    ("st_barrier_of", "i8", (3,)),  # what held the command back, as st_wall_of; -1 = nothing
    ("st_barrier_gap_m", "f8", ()),  # gap and closing speed of the first of them
    ("st_barrier_closing_mps", "f8", ()),
    ("st_barrier_change", "f8", ()),  # length of the change, in the unit of the channels; 0 = left as it was
    ("st_speed_max_mps", "f8", ()),  # what speed zones allow here; UNLIMITED outside them
)
OUT: tuple[tuple[str, str, tuple[int, ...]], ...] = ()
