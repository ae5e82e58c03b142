"""Builds of the library from changed copies of the core's sources."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.firmware.library import FIRMWARE, core_folder, opened

CC = os.environ.get("CC", "cc")
HOST = FIRMWARE / "ports" / "host"
HOST_SOURCES = tuple(HOST / name for name in ("port.c", "driver.c", "abstraction.c", "search.c"))
CORE_SOURCES = ("estop.c", "report.c", "wire.c", "selfcheck.c", "cycle.c")


Change = Callable[[str], str]


def exchanged(old: str, new: str) -> Change:
    """A text that stands in the file once becomes another one."""

    def change(text: str) -> str:
        if text.count(old) != 1:
            raise ValueError(f"{text.count(old)} times {old!r}")
        return text.replace(old, new)

    return change


def without(pattern: str, number: int) -> Change:
    """The `number`-th place that the pattern finds is cut out."""

    def change(text: str) -> str:
        place = list(re.finditer(pattern, text))[number]
        return text[: place.start()] + text[place.end() :]

    return change


def built(folder: Path, changes: Mapping[str, Change], optimise: str = "-O1") -> ctypes.CDLL:
    """The library with each of the named files changed."""
    core = folder / "core"
    shutil.copytree(core_folder(), core)
    for name, change in changes.items():
        (core / name).write_text(change((core / name).read_text(encoding="utf-8")), encoding="utf-8")
    target = folder / "libestop.so"
    sources = [str(core / name) for name in CORE_SOURCES] + [str(path) for path in HOST_SOURCES]
    command = [CC, "-std=c11", optimise, "-fPIC", "-shared", f"-I{core}", f"-I{HOST}", "-o", str(target), *sources]
    subprocess.run(command, check=True)
    return opened(target)
