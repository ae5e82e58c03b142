"""The bench itself: it says what is missing, and leaves nothing running. And the seal of an image."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware_bridge.qemu.machine import PROGRAM, BoardError
from firmware_bridge.qemu_board import QemuBoard
from safetykit.core import protocol as p
from tests.hil.conftest import ROOT


def test_a_missing_image_names_the_make_target(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="make -C hw/firmware lm3s6965evb"):
        QemuBoard(tmp_path / "none.elf")


def test_a_missing_qemu_names_the_package(firmware: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert shutil.which(PROGRAM) is None
    with pytest.raises(BoardError, match="package qemu-system-arm"):
        QemuBoard(firmware / "lm3s6965evb.elf")


def test_a_qemu_that_ends_is_told(board: QemuBoard) -> None:
    board.wait_state(p.STATE_STOPPED)
    os.kill(board.process_id, signal.SIGKILL)
    with pytest.raises(BoardError, match=r"ended|answer|listen"):
        board.wait(lambda: board.power, "power")


def test_qemu_ends_with_a_bench_that_is_killed(firmware: Path) -> None:
    program = (
        "import sys, pathlib, time\nfrom firmware_bridge.qemu_board import QemuBoard\n"
        "board = QemuBoard(pathlib.Path(sys.argv[1]))\nsys.stdout.write(f'{board.process_id} {board.port}\\n')\n"
        "sys.stdout.flush()\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(firmware / "lm3s6965evb.elf")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as bench:
        assert bench.stdout is not None
        process_id, port = bench.stdout.readline().decode().split()
        qemu, folder = Path("/proc") / process_id, Path(port).parent
        assert qemu.is_dir()
        assert folder.is_dir()
        bench.kill()
    latest = time.monotonic() + 5.0
    while qemu.is_dir():
        assert time.monotonic() < latest, "QEMU goes on without its bench"
        time.sleep(0.01)
    assert not folder.exists()


def test_the_seal_is_checked(firmware: Path, tmp_path: Path) -> None:
    script = str(ROOT / "hw" / "firmware" / "seal_image.py")
    check = [sys.executable, script, "--check"]
    sealed, spoilt = firmware / "lm3s6965evb.elf", tmp_path / "spoilt.elf"
    content = bytearray(sealed.read_bytes())
    content[content.index(struct.pack("<I", p.TOKENS[0]))] ^= 1
    spoilt.write_bytes(content)
    (tmp_path / "other").write_bytes(b"no image")
    assert subprocess.run([*check, str(sealed)], check=False).returncode == 0
    assert subprocess.run([*check, str(firmware / "lm3s6965evb-unsealed.elf")], check=False).returncode == 1
    assert subprocess.run([*check, str(spoilt)], check=False).returncode == 1
    assert subprocess.run([*check, str(tmp_path / "other")], check=False).returncode == 2
