"""Builds of the library from changed copies of the core's sources."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.firmware.library import FIRMWARE, core_folder, opened

CC = os.environ.get("CC", "cc")
HOST = FIRMWARE / "ports" / "host"
HOST_SOURCES = tuple(HOST / name for name in ("port.c", "driver.c", "abstraction.c", "search.c"))
CORE_SOURCES = ("estop.c", "wire.c", "selfcheck.c", "cycle.c")


def built(folder: Path, changes: Mapping[str, tuple[str, str]], optimise: str = "-O1") -> ctypes.CDLL:
    """The library with one text exchanged in each of the named files; the text must stand there exactly once."""
    core = folder / "core"
    shutil.copytree(core_folder(), core)
    for name, (old, new) in changes.items():
        text = (core / name).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{name} has {text.count(old)} times {old!r}")
        (core / name).write_text(text.replace(old, new), encoding="utf-8")
    target = folder / "libestop.so"
    sources = [str(core / name) for name in CORE_SOURCES] + [str(path) for path in HOST_SOURCES]
    command = [CC, "-std=c11", optimise, "-fPIC", "-shared", f"-I{core}", f"-I{HOST}", "-o", str(target), *sources]
    subprocess.run(command, check=True)
    return opened(target)
