"""A chip for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.button.contacts import Contacts


@pytest.fixture
def contacts(tmp_path: Path) -> Iterator[Contacts]:
    made = Contacts(tmp_path)
    yield made
    made.close()
