"""The order of the suite: cheap and telling first, real processes last. Also what every test may rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ORDER = ("unit", "parity", "property", "oracle", "policy", "runtime", "blackbox", "ros", "chaos", "demo", "bench")
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
    # DDS between unrelated users of one machine stumbles over shared-memory lock files; UDP does not. A domain of our
    # own keeps a developer's running robot out of the tests.
    os.environ.setdefault("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    os.environ.setdefault("ROS_DOMAIN_ID", str(10 + os.getpid() % 80))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(autouse=True)
def own_run_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test ever touches the run directory of a guard that really runs on this machine."""
    monkeypatch.setenv("SAFETYKIT_RUN_DIR", str(tmp_path_factory.mktemp("run")))
