"""Columns of the policy's blocks and fields of the frame, one module for each family of checks.

Each module says what its blocks are called and how long they are (LIMITS, TIMING) and which fields it keeps in the
frame (IN, STATE, OUT). `layout.py` puts them together.
"""
