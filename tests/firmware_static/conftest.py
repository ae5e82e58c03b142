"""The analysis scripts of the firmware as modules, and copies of the core that a test may break."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ANALYSIS = Path(__file__).resolve().parents[2] / "hw" / "firmware" / "analysis"
CORE = ANALYSIS.parent / "core"

sys.path.insert(0, str(ANALYSIS))

Breaker = Callable[..., Path]


@pytest.fixture
def broken(tmp_path: Path) -> Breaker:
    """broken("estop.c", old, new): a copy of the core in which one text was replaced."""

    def change(file: str, old: str, new: str) -> Path:
        core = tmp_path / "core"
        shutil.copytree(CORE, core)
        text = (core / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} holds {text.count(old)} times: {old}"
        (core / file).write_text(text.replace(old, new), encoding="utf-8")
        return core

    return change
