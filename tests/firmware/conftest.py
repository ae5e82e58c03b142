"""The library is built before the first test: the suite works from a clean clone."""

from __future__ import annotations

import ctypes

import pytest

from tests.firmware.library import library


@pytest.fixture(scope="session", autouse=True)
def built() -> ctypes.CDLL:
    """The library under test."""
    return library()
