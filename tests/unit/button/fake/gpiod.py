"""gpiod 2 without hardware: a chip is a folder, a level a character in its file ``levels``, an edge a byte in a pipe.

As in the kernel, a level can be read at any time, an edge wakes a waiting reader, and a chip that has gone answers
ENODEV. Only what the button uses is here; a test compares names and arguments with the real module.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any

LINES = 58
FIRST_LINES = (17, 27)  # of the file `levels`
__version__ = "2.5.0"


class line:
    class Value(Enum):
        INACTIVE = 0
        ACTIVE = 1

        def __bool__(self) -> bool:
            return self is line.Value.ACTIVE

    class Direction(Enum):
        AS_IS = 1
        INPUT = 2

    class Edge(Enum):
        NONE = 1
        BOTH = 4

    class Bias(Enum):
        AS_IS = 1
        PULL_DOWN = 5


@dataclass
class LineSettings:
    direction: line.Direction = line.Direction.AS_IS
    edge_detection: line.Edge = line.Edge.NONE
    bias: line.Bias = line.Bias.AS_IS
    active_low: bool = False
    debounce_period: timedelta = timedelta()


@dataclass(frozen=True)
class ChipInfo:
    num_lines: int


@dataclass(frozen=True)
class LineInfo:
    used: bool
    consumer: str


def _failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


class LineRequest:
    latest: LineRequest

    def __init__(self, folder: Path, config: dict[Any, LineSettings], consumer: str | None) -> None:
        self.folder, self.config, self.consumer = folder, config, consumer
        self.released = False
        self._edges = os.open(folder / "edges", os.O_RDWR | os.O_NONBLOCK)
        LineRequest.latest = self

    def _levels(self) -> str:
        text = (self.folder / "levels").read_text(encoding="ascii")
        if text == "gone":
            raise _failure(errno.ENODEV)
        return text

    def get_values(self, lines: Iterable[int | str] | None = None) -> list[line.Value]:
        levels = dict(zip(FIRST_LINES, self._levels(), strict=True))
        return [line.Value(int(levels[int(number)])) for number in lines or FIRST_LINES]

    def wait_edge_events(self, timeout: timedelta | float | None = None) -> bool:
        assert isinstance(timeout, float)
        return bool(select([self._edges], [], [], timeout)[0])

    def read_edge_events(self, max_events: int | None = None) -> list[int]:
        edges = os.read(self._edges, 64)
        self._levels()
        return list(edges)

    def release(self) -> None:
        os.close(self._edges)
        self.released = True
        self._levels()


class Chip:
    def __init__(self, path: str) -> None:
        self.folder = Path(path)
        if not self.folder.exists():
            raise _failure(errno.ENOENT)
        if not (self.folder / "levels").exists():
            raise _failure(errno.ENOTTY)
        if (self.folder / "denied").exists():
            raise _failure(errno.EACCES)
        if (self.folder / "levels").read_text(encoding="ascii") == "gone":
            raise _failure(errno.ENOENT)

    def __enter__(self) -> Chip:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def get_info(self) -> ChipInfo:
        return ChipInfo(LINES)

    def get_line_info(self, line: int | str) -> LineInfo:
        user = self.folder / f"user-{line}"
        return LineInfo(user.exists(), user.read_text(encoding="ascii") if user.exists() else "")

    def request_lines(
        self,
        config: dict[Any, LineSettings],
        consumer: str | None = None,
        event_buffer_size: int | None = None,
        output_values: Any = None,
    ) -> LineRequest:
        numbers = [number for key in config for number in (key if isinstance(key, tuple) else (key,))]
        if any(self.get_line_info(number).used for number in numbers):
            raise _failure(errno.EBUSY)
        if (self.folder / "refuses").exists():
            raise _failure(errno.EINVAL)
        return LineRequest(self.folder, config, consumer)


def request_lines(path: str, config: dict[Any, LineSettings], consumer: str | None = None) -> LineRequest:
    return Chip(path).request_lines(config, consumer)
