"""The safety core: compiled, pure, no clock, no input or output, no allocation.

Read `step.py` first: it is the whole data flow on one screen.
"""
