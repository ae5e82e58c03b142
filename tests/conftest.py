"""The order of the suite: cheap and telling first, real processes last. Also what every test may rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sim.demo.domain import ros_environment

ORDER = (
    "unit",
    "parity",
    "property",
    "oracle",
    "policy",
    "runtime",
    "blackbox",
    "doctor",
    "button",
    "bridge",
    "campaigns",
    "hw",
    "firmware",
    "firmware_static",
    "hil",
    "ros",
    "chaos",
    "demo",
    "bench",
)
TESTS = Path(__file__).resolve().parent


def rank(item: pytest.Item) -> int:
    """Place of a test's folder in `ORDER`; files directly in tests/ come first, unlisted folders before ROS."""
    folder = item.path.relative_to(TESTS).parts[0]
    if folder.endswith(".py"):
        return -1
    return ORDER.index(folder) if folder in ORDER else ORDER.index("ros") - 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=rank)  # stable: the order within a folder stays


def pytest_configure() -> None:
    # Whatever the developer's shell says: tests never talk to a robot, nor to another run of the tests.
    os.environ.update(ros_environment())


@pytest.fixture(autouse=True)
def own_run_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test ever touches the run directory of a guard that really runs on this machine."""
    monkeypatch.setenv("SAFETYKIT_RUN_DIR", str(tmp_path_factory.mktemp("run")))
