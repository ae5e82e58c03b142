"""The demo: an autonomy that goes wrong on a script, the guard, and a simulated vehicle."""
