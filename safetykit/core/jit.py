"""The one place that decides how the core is compiled.

Options and why:

* ``error_model="numpy"``: a division by zero gives inf, never an exception inside a tick.
* no ``fastmath``: it makes ``isfinite(nan)`` true.
* ``nogil``: the real-time loop runs without the interpreter lock.
* ``cache``: a second start takes well under a second.
* ``forceinline``: a tick becomes one machine function; arrays cost fourteen arguments per call otherwise (measured:
  86 ns -> 34 ns for a whole tick of one channel). Large parts that are used in several places, or only by
  some policies, stay functions of their own (`jit_apart`), which keeps compile time down.
* ``_nrt=False``: compile without numba's reference-counting run time. Any allocation in the core becomes a
  compile error, and a tick loses its atomic increments (measured: 132 ns -> 5 ns for eight channels).

numba looks only at the file of the decorated function to see whether cached machine code is still current, not at the
functions inlined into it. So the cache lies in a folder named by a digest of all compiled sources: after an edit
anywhere, nothing old is ever run.

``NUMBA_DISABLE_JIT=1`` runs the very same functions interpreted (coverage, mutation, parity tests).
``NUMBA_BOUNDSCHECK=1`` adds bounds checks (tests): an out-of-range read raises nothing otherwise.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "cache": True,
    "_nrt": False,
}
COMPILED_PACKAGES = ("core", "runtime")


def _code_digest() -> str:
    """SHA-256, hex, over names and contents of all sources that may be compiled or inlined."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted(path for name in COMPILED_PACKAGES for path in (package / name).rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package)}:{len(content)}:".encode() + content)
    return digest.hexdigest()


def _cache_folder() -> str:
    """Folder for machine code of exactly these sources, readable by its owner only."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safetykit"
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or default) / f"compiled-{CODE_DIGEST[:16]}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder)


CODE_DIGEST = _code_digest()
_CACHE_FOLDER = _cache_folder()


def jit(function: F) -> F:
    """Compile `function`, inlined into its callers; with ``NUMBA_DISABLE_JIT=1`` it stays Python."""
    return _compile(function, forceinline=True)


def jit_apart(function: F) -> F:
    """As `jit`, but a machine function of its own."""
    return _compile(function)


def _compile(function: F, **more: bool) -> F:
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = _CACHE_FOLDER  # type: ignore[attr-defined]
    try:
        compiled: F = numba.njit(**{**OPTIONS, **more})(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]
    return compiled
