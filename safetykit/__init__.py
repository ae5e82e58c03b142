"""A guard between autonomy and actuators: a small pure function, run on time by a compiled loop."""
