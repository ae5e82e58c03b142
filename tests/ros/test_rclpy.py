"""Says why the other files of this folder are not collected."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


def test_rclpy_is_here() -> None:
    if find_spec("rclpy") is None:
        reason = "rclpy cannot be imported: install the extra [ros], or source ROS 2"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
