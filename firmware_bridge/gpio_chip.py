"""Two input lines of a GPIO chip, through libgpiod 2 (``gpiod`` on the package index). The only file that imports it.

No debounce in the kernel: it would hold an edge back until the line has been stable. Edges only wake the reader; what
counts is the level, because the kernel's buffer of edges drops the oldest when it is full.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetykit.errors import SafetykitError

CONSUMER = "safetykit button"  # what `gpioinfo` shows
DEVICES = "/dev"


class GpioError(SafetykitError):
    """The GPIO chip or its lines cannot be used; says why and what would help."""


def load_gpiod() -> Any:
    """The gpiod module. Raises GpioError if it is not there, or is the old one of the same name."""
    try:
        import gpiod
    except ImportError as error:
        raise GpioError("gpiod is not installed; install safetykit[gpio]") from error
    if not hasattr(gpiod, "request_lines"):
        version = getattr(gpiod, "__version__", "1.x")
        where = getattr(gpiod, "__file__", None) or "an unknown place"
        raise GpioError(
            f"gpiod {version} in {where} is the old interface (Debian's python3-libgpiod has the same name); "
            "2.1 or later is needed: install safetykit[gpio] into an environment of its own"
        )
    return gpiod


class GpioLines:
    """Two lines as inputs, ours until :meth:`close`. Reading them raises OSError when the chip has gone."""

    def __init__(self, gpiod: Any, chip: str, lines: tuple[int, int]) -> None:
        """Raises GpioError with one clear message."""
        self._lines = lines
        try:
            with gpiod.Chip(chip) as opened:
                _check_numbers(chip, opened.get_info().num_lines, lines)
                self._request = _request(gpiod, opened, chip, lines)
        except OSError as error:
            raise GpioError(f"{chip}: {_reason(chip, error)}") from error

    def levels(self) -> tuple[bool, bool]:
        """True = closed, for each line, now."""
        first, second = self._request.get_values(list(self._lines))
        return bool(first), bool(second)

    def wait(self, seconds: float) -> bool:
        """True as soon as an edge comes; the edges seen so far are used up."""
        if not self._request.wait_edge_events(seconds):
            return False
        self._request.read_edge_events()
        return True

    def close(self) -> None:
        """Give the lines back; from a chip that has gone, too."""
        with suppress(OSError):
            self._request.release()


def _check_numbers(chip: str, count: int, lines: tuple[int, int]) -> None:
    for line in lines:
        if not 0 <= line < count:
            raise GpioError(f"{chip} line {line}: no such line; the chip has {count}, from 0 to {count - 1}")


def _request(gpiod: Any, opened: Any, chip: str, lines: tuple[int, int]) -> Any:
    """Inputs with pull-down: whatever breaks reads 0, which is pressed."""
    settings = gpiod.LineSettings(
        direction=gpiod.line.Direction.INPUT, edge_detection=gpiod.line.Edge.BOTH, bias=gpiod.line.Bias.PULL_DOWN
    )
    try:
        return opened.request_lines(config={lines: settings}, consumer=CONSUMER)
    except OSError as error:
        reason = _users(opened, lines) if error.errno == errno.EBUSY else f"cannot be used: {error.strerror}"
        raise GpioError(f"{chip} lines {lines[0]} and {lines[1]}: {reason}") from error


def _users(opened: Any, lines: tuple[int, int]) -> str:
    """Who has the lines."""
    taken = []
    for line in lines:
        with suppress(OSError):
            info = opened.get_line_info(line)
            if info.used:
                taken.append(f"line {line} is in use by {info.consumer or 'the kernel'!r}")
    return "; ".join(taken) or "in use by another program"


def _reason(chip: str, error: OSError) -> str:
    """Why the chip itself cannot be opened."""
    if error.errno == errno.ENOENT:
        present = sorted(str(path) for path in Path(DEVICES).glob("gpiochip*"))
        return f"no such chip; this computer has {', '.join(present) or 'none'}"
    if error.errno in (errno.EACCES, errno.EPERM):
        group = _group(chip)
        if group == "root":
            return "no right to use it; let a udev rule give it to group gpio, and add yourself to that group"
        return f"no right to use it; add yourself to its group ({group}) and log in again"
    if error.errno in (errno.ENODEV, errno.ENOTTY):
        return "not a GPIO chip"
    return error.strerror or str(error)


def _group(chip: str) -> str:
    try:
        return Path(chip).group()
    except (KeyError, OSError):
        return "gpio"
