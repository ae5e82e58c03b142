"""Every capacity of the core, with the reason for its size. All memory is fixed when a policy is loaded."""

CHANNELS_MAX = 32  # actuator channels of one vehicle; the issue's own bound
INPUTS_MAX = 48  # named measured and operator values; one validity bit each in an int64
SOURCES_MAX = 8  # mailboxes that feed inputs (vehicle state, operator, sensor health, ...)
TABLES_MAX = 32  # limits given as a function of a state
TABLE_POINTS_MAX = 8  # break points of one table; speed tables in the field have 3 to 6
GROUPS_MAX = 4  # vector norms (horizontal velocity, tilt, ...)
GROUP_CHANNELS_MAX = 3  # a vector has at most three components
SLEW_SLOTS_MAX = 8  # channels with a slew limit over a time window
SLEW_BUCKETS = 16  # time resolution of that window: W/16, on the safe (longer) side
SAMPLE_SLOTS_MAX = 8  # inputs whose recent minimum and maximum are kept
SAMPLES_MAX = 16  # depth of that memory; cars in the field use 6
CONDITIONS_MAX = 48  # comparisons of the state used by permission, functions, reset, recovery; one bit each
OVERRIDES_MAX = 8  # operator inputs that withdraw permission
FUNCTIONS_MAX = 32  # entries of the function allow-list
FUNCTION_CONDITIONS_MAX = 8  # conditions that one function may need
ZONES_MAX = 8  # geofence volumes
ZONE_VERTICES_MAX = 16  # corners of one zone
BREAKERS_MAX = 4  # circuit breakers
BREAKER_COUNT_MAX = 64  # violations that one breaker can remember
PHASES_MAX = 4  # steps of the recovery function (for example: hover, descend, rest)
FAULTS_MAX = 48  # fault bits in an int64
