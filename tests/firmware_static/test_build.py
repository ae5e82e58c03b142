"""The core builds without a warning with every compiler and analyzer, holds no variable of its own and is small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import toolchain

from tests.firmware_static.conftest import CORE, Breaker

FREESTANDING = ["-Os", "-ffreestanding", "-fno-tree-loop-distribute-patterns", f"-I{CORE}"]
ARM = ["-mcpu=cortex-m3", "-mthumb", *FREESTANDING]
# Of clang's -Weverything only what is meant: padding, C11, a default beside all cases, plain pointers.
MEANT = ("padded", "declaration-after-statement", "covered-switch-default", "unsafe-buffer-usage", "switch-enum",
         "pre-c11-compat")  # fmt: skip
COMPILERS = {
    "arm-none-eabi-gcc": ARM,
    "gcc": ["-O2", f"-I{CORE}"],
    "clang-19": ["-O2", "-Weverything", *(f"-Wno-{name}" for name in MEANT), f"-I{CORE}"],
}
CODE_BYTES_MAX = 8 * 1024


def compiled(compiler: str, folder: Path, *extra: str, core: Path = CORE) -> list[Path]:
    """Object files of the core."""
    objects = []
    for name in toolchain.SOURCES:
        objects.append(folder / f"{compiler}-{name}.o")
        flags = [*toolchain.strict_flags(), *COMPILERS[compiler], *extra]
        said = toolchain.run([toolchain.tool(compiler), *flags, "-c", core / name, "-o", objects[-1]])
        assert said == "", said
    return objects


def symbols(objects: list[Path]) -> list[tuple[str, str]]:
    """Kind and name of every symbol, as nm has them."""
    said = toolchain.run([toolchain.tool("arm-none-eabi-nm"), "-P", *objects])
    return [(line.split()[1], line.split()[0]) for line in said.splitlines() if line and not line.endswith(":")]


@pytest.mark.parametrize("compiler", sorted(COMPILERS))
def test_no_compiler_has_anything_to_say(compiler: str, tmp_path: Path) -> None:
    assert len(compiled(compiler, tmp_path)) == len(toolchain.SOURCES)


def test_the_analyzer_of_gcc_has_nothing_to_say(tmp_path: Path) -> None:
    compiled("gcc", tmp_path, "-fanalyzer")


def test_the_analyzer_of_gcc_sees_a_read_through_nothing(broken: Breaker, tmp_path: Path) -> None:
    dead = "    const wire_t *nowhere = 0;\n    bool dropped = nowhere->count > wire->count;"
    core = broken("wire.c", "    bool dropped = wire->count > 0U;", dead)
    with pytest.raises(toolchain.Failed, match="null-dereference"):
        compiled("gcc", tmp_path, "-fanalyzer", core=core)


def test_the_core_has_no_variable_of_its_own(tmp_path: Path) -> None:
    found = symbols(compiled("arm-none-eabi-gcc", tmp_path))
    assert {name for kind, name in found if kind in "bBdDC"} == set()


def test_only_headers_of_the_language_are_used() -> None:
    """Two headers of the language, the core's own, and no other."""
    for path in sorted(CORE.glob("*.[ch]")):
        named = re.findall(r"#include\s+[<\"]([^>\"]+)", path.read_text(encoding="utf-8"))
        others = {name for name in named if not (CORE / name).exists()}
        assert others <= {"stdbool.h", "stdint.h"}, path.name


def test_the_code_is_small(tmp_path: Path) -> None:
    objects = compiled("arm-none-eabi-gcc", tmp_path)
    said = toolchain.run([toolchain.tool("arm-none-eabi-size"), *objects]).splitlines()[1:]
    text, data, bss = (sum(int(line.split()[column]) for line in said) for column in range(3))
    assert (data, bss) == (0, 0)
    assert 0 < text <= CODE_BYTES_MAX


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name, package in toolchain.DEBIAN.items():
        with pytest.raises(toolchain.Missing, match=f"{name}.* apt-get install {package}"):
            toolchain.tool(name)
