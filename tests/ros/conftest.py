"""ROS 2 tests need rclpy. Without it test_rclpy.py says so, and is an error in CI."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

import safetykit.policy

if TYPE_CHECKING:
    from tests.ros.stand import Stand

collect_ignore: list[str] = []
if find_spec("rclpy") is None:
    collect_ignore = [
        "test_node.py",
        "test_faults.py",
        "test_mapping.py",
        "test_command.py",
        "test_chaos.py",
        "test_bridge.py",
        "test_redundant.py",
    ]


def patient_policy(folder: Path) -> Path:
    """The rover with ages that a busy test machine can keep; everything else as it is shipped."""
    preset = Path(safetykit.policy.__file__).parent / "presets" / "rover.yaml"
    document = YAML(typ="safe").load(preset.read_text())
    document["timing"] |= {"command_late_ms": 1000, "command_stale_ms": 2000, "command_lost_max": 1000}
    for source in document["sources"].values():
        source["age_ms"] = 3000
    for channel in document["channels"].values():
        channel["follow"]["for_ms"] = 10_000
        del channel["degraded_scale"]
    document["breakers"] = {}  # tests dwell on a fault for longer than a breaker allows
    path = folder / "rover.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(document, file)
    return path


@pytest.fixture(scope="session")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return patient_policy(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="session")
def shared_stand(tmp_path_factory: pytest.TempPathFactory, policy_file: Path) -> Iterator[Stand]:
    from tests.ros.stand import Stand

    stand = Stand(tmp_path_factory.mktemp("stand"), policy_file)
    try:
        yield stand
    finally:
        stand.close()


@pytest.fixture
def stand(shared_stand: Stand) -> Iterator[Stand]:
    """The running stand, standing by."""
    shared_stand.state("STANDBY")
    yield shared_stand
    logging.getLogger("stand").warning("at the end: %s", shared_stand.observer.story())  # shown where a test failed
    shared_stand.rest()
