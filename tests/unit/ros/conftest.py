"""Fake message packages for every test here; the rover policy, which has two channels and two sources."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from safetykit.policy import Policy, load_policy
from tests.unit.ros.fake_messages import modules


@pytest.fixture(autouse=True)
def fake_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy("rover")


@pytest.fixture
def document() -> dict[str, Any]:
    """A good mapping for the rover."""
    command = {"topic": "cmd", "type": "demo_msgs/msg/Command"}
    return {
        "format": 1,
        "policy": "rover",
        "commands": [{**command, "fields": {"linear_mps": "vector.x", "angular_radps": "vector.z"}}],
        "inputs": [
            {
                "source": "vehicle",
                "topic": "odom",
                "type": "demo_msgs/msg/State",
                "fields": {"speed_mps": "speed", "yaw_rate_meas_radps": "yaw_rate"},
            },
            {"source": "operator", "topic": "engage", "type": "std_msgs/msg/Bool", "fields": {"engage": "data"}},
        ],
        "functions": [{"topic": "function"}],
        "outputs": [
            {
                "topic": "out",
                "type": "demo_msgs/msg/Command",
                "fields": {"linear_mps": "vector.x", "angular_radps": "vector.z"},
            }
        ],
    }
