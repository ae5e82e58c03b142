"""The hand on the button: a chip of the fake gpiod, and what the tests do with it."""

from __future__ import annotations

import os
from pathlib import Path

FAKE = Path(__file__).parent / "fake"
LINES = (17, 27)


class Contacts:
    """Two contacts on a chip. ``chip`` is its path. Closed at the start."""

    def __init__(self, folder: Path, levels: str = "11") -> None:
        self.chip = folder / "gpiochip0"
        self.chip.mkdir()
        os.mkfifo(self.chip / "edges")
        self._pipe = os.open(self.chip / "edges", os.O_RDWR | os.O_NONBLOCK)
        self._write(levels)

    def set(self, a: int, b: int, *, edge: bool = True) -> None:
        """Levels from now on; without `edge` nobody is woken."""
        self._write(f"{a}{b}")
        if edge:
            self.edges(1)

    def edges(self, count: int) -> None:
        os.write(self._pipe, b"e" * count)

    def remove(self, *, edge: bool = True) -> None:
        """The chip goes, as a USB adapter does."""
        self._write("gone")
        if edge:
            self.edges(1)

    def mark(self, name: str, text: str = "") -> None:
        """A file that the fake chip looks for: denied, refuses, user-<line>."""
        (self.chip / name).write_text(text, encoding="ascii")

    def close(self) -> None:
        os.close(self._pipe)

    def _write(self, text: str) -> None:
        fresh = self.chip / "levels.new"
        fresh.write_text(text, encoding="ascii")
        fresh.replace(self.chip / "levels")  # a reader sees the old or the new levels, never half of them
