"""Models and stand-ins for vehicles and autonomy, for the demo and for tests."""
