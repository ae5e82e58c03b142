"""Two runs on one machine never share a ROS 2 domain, and none uses that of the user's shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sim.demo.domain import FIRST, LAST, reserve_domain, ros_environment


def test_each_gets_its_own_until_its_process_ends(tmp_path: Path) -> None:
    assert reserve_domain(tmp_path) == FIRST
    code = "import sys, pathlib; from sim.demo.domain import reserve_domain as r; print(r(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    for _ in range(2):  # the second process may have what the first one left
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(result.stdout) == FIRST + 1


def test_when_all_are_taken_it_says_so(tmp_path: Path) -> None:
    numbers = {reserve_domain(tmp_path) for _ in range(FIRST, LAST + 1)}
    assert len(numbers) == LAST + 1 - FIRST
    with pytest.raises(OSError, match="are taken"):
        reserve_domain(tmp_path)


def test_the_users_own_domain_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "3")
    environment = ros_environment()
    assert FIRST <= int(environment["ROS_DOMAIN_ID"]) <= LAST
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
