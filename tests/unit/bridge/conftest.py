"""A guard at work, with a scripted microcontroller at its line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.bridge.bench import Bench, bench


@pytest.fixture
def at_work() -> Iterator[Bench]:
    with bench() as b:
        b.work()
        yield b
