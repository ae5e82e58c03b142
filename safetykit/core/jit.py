"""The one place that decides how the core is compiled.

Options and why:

* ``error_model="numpy"``: a division by zero gives inf, never an exception inside a tick.
* no ``fastmath``: it makes ``isfinite(nan)`` true.
* ``nogil``: the real-time loop runs without the interpreter lock.
* ``cache``: a second start takes well under a second.
* ``_nrt=False``: compile without numba's reference-counting run time. Any allocation in the core becomes a
  compile error, and a tick loses its atomic increments (measured: 132 ns -> 5 ns for eight channels).

``NUMBA_DISABLE_JIT=1`` runs the very same functions interpreted (coverage, mutation, parity tests).
``NUMBA_BOUNDSCHECK=1`` adds bounds checks (tests): an out-of-range read raises nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "cache": True, "_nrt": False}


def jit(function: F) -> F:
    """Compile `function` with the core's options; with ``NUMBA_DISABLE_JIT=1`` it stays Python."""
    compiled: F = numba.njit(**OPTIONS)(function)
    return compiled
