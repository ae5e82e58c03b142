"""The firmware, built once; a fresh board and a host of its own for every test."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.qemu_board import QemuBoard
from tests.hil.host import Host

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "firmware"


@pytest.fixture(scope="session")
def firmware() -> Path:
    """Folder of the built images."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run of the tests may build at the same time
        command = ["make", "--silent", "-C", str(ROOT / "hw" / "firmware"), "lm3s6965evb"]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return OUT


@pytest.fixture
def board(firmware: Path) -> Iterator[QemuBoard]:
    with QemuBoard(firmware / "lm3s6965evb.elf") as board:
        yield board


@pytest.fixture
def host(board: QemuBoard) -> Iterator[Host]:
    """Talks: STOP, at rest."""
    with Host(board.port) as host:
        host.talk()
        yield host
