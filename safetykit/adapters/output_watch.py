"""Waiting for what a running guard sends: for commands that ask for something and then see whether it came."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safetykit.runtime.actuator import ActuatorReader, ActuatorView

ANSWER_S = 1.0  # a guard that runs has acted long before
_LOOK_S = 0.005


def latest_live(reader: ActuatorReader) -> ActuatorView | None:
    """The latest output, if a guard still makes new ones."""
    first, end_s = reader.read(), time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        time.sleep(_LOOK_S)
        latest = reader.read()
        if latest is not None and (first is None or latest.seq != first.seq):
            return latest
    return None


def wait_for(directory: Path, reached: Callable[[ActuatorView], bool]) -> ActuatorView | None:
    """The first live output for which `reached` holds, or None."""
    from safetykit.runtime import paths
    from safetykit.runtime.actuator import ActuatorReader

    reader = ActuatorReader(directory / paths.ACTUATOR)
    end_s = time.monotonic() + ANSWER_S
    while time.monotonic() < end_s:
        view = latest_live(reader)
        if view is not None and reached(view):
            return view
    return None
