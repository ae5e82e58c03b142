"""How much stack the firmware needs at worst, and what its core needs besides itself."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import stack
import toolchain

from tests.firmware_static.conftest import CORE

FIRMWARE = CORE.parent
BOARD = re.compile(r"\b(port_\w+)\(")
COMPILERS = {
    "gcc": ("gcc", "nm", ()),
    "clang-19": ("clang-19", "nm", ()),
    "arm-none-eabi-gcc": (
        "arm-none-eabi-gcc",
        "arm-none-eabi-nm",
        ("-mcpu=cortex-m3", "-mthumb", "-ffreestanding"),
    ),
}


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """A copy of the firmware that a test may break."""
    copy = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, copy)
    return copy


def add_to_step(firmware: Path, function: str, call: str) -> None:
    """Puts a function into estop.c and a call of it at the end of the step."""
    path = firmware / "core" / "estop.c"
    text = path.read_text(encoding="utf-8")
    head, last = "void estop_step(estop_state_t *s, ", "    report_speak(s, in, out);\n"
    assert text.count(head) == text.count(last) == 1
    path.write_text(text.replace(head, f"{function}\n\n{head}").replace(last, last + call), encoding="utf-8")


def test_every_port_uses_less_than_half_of_its_stack() -> None:
    stacks = stack.measure()
    assert {s.port for s in stacks} == {path.parent.name for path in FIRMWARE.glob("ports/*/*.ld")}
    assert len(stacks) == 2
    for s in stacks:
        assert 0 < s.cycle.size < s.main.size < s.need
        assert s.need < s.size / 2, f"{s.port}: {s.need} of {s.size} bytes"
        assert stack.CYCLE in dict(s.main.links), "the worst chain is not the one of the cycle"


def test_interrupts_count() -> None:
    assert {s.port: [name for name, _ in s.interrupt.links] for s in stack.measure()} == {
        "lm3s6965evb": [],
        "nucleo-f103rb": ["line_interrupt"],
    }


def test_a_big_frame_is_found(firmware: Path) -> None:
    big = "static uint32_t big(uint32_t at)\n{\n    volatile uint8_t room[3000] = {0};\n    return room[at];\n}"
    add_to_step(firmware, big, "    s->damaged += big(s->bad);\n")
    stacks = stack.measure(firmware)
    assert all(s.need > 3000 for s in stacks)
    assert not any(s.fits for s in stacks)


@pytest.mark.parametrize(
    ("function", "call", "said"),
    [
        (
            "uint32_t deep(volatile uint32_t *n);\nuint32_t deep(volatile uint32_t *n)\n"
            "{\n    *n = (*n == 0U) ? 1U : deep(n + 1);\n    return *n;\n}",
            "    s->damaged += deep(&s->bad);\n",
            "recursion: deep > deep",
        ),
        (
            "uint32_t wide(uint32_t n);\nuint32_t wide(uint32_t n)\n"
            "{\n    volatile uint8_t room[n + 1U];\n    room[n] = 1U;\n    return room[n];\n}",
            "    s->damaged += wide(s->bad);\n",
            "frame of dynamic",
        ),
        (
            "typedef uint32_t (*hook_t)(void);\nextern volatile hook_t hook;\nvolatile hook_t hook;",
            "    s->damaged += hook();\n",
            "calls through a pointer",
        ),
        (
            "uint32_t elsewhere(void);",
            "    s->damaged += elsewhere();\n",
            "elsewhere: no frame size known",
        ),
    ],
    ids=["recursion", "dynamic", "pointer", "library"],
)
def test_a_stack_without_bound_is_found(firmware: Path, function: str, call: str, said: str) -> None:
    add_to_step(firmware, function, call)
    with pytest.raises(stack.Unbounded, match=said):
        stack.measure(firmware)


def undefined(name: str, core: Path, folder: Path) -> set[str]:
    """Compiles the core under the Makefile's STRICT flags; what its objects together do not define."""
    compiler, lister, flags = COMPILERS[name]
    objects = [folder / f"{name}-{source}.o" for source in toolchain.SOURCES]
    for source, target in zip(toolchain.SOURCES, objects, strict=True):
        strict = toolchain.strict_flags()
        assert {"-Wall", "-Wextra", "-Wconversion", "-Werror"} <= set(strict)
        toolchain.run(
            [toolchain.tool(compiler), *strict, *flags, "-Os", f"-I{core}", "-c", core / source, "-o", target]
        )
    listed = toolchain.run([toolchain.tool(lister), "-g", *objects])
    symbols = [words for line in listed.splitlines() if len(words := line.split()) >= 2]
    defined = {words[-1] for words in symbols if words[-2] != "U"}
    assert {"estop_step", "cycle_run", "wire_push", "selfcheck_ram"} <= defined
    return {words[-1] for words in symbols if words[-2] == "U"} - defined


@pytest.mark.parametrize("name", COMPILERS)
def test_the_core_needs_nothing_but_its_board(name: str, tmp_path: Path) -> None:
    """No heap, no library: only what port.h declares, and the two functions that a compiler calls for assignments."""
    board = set(BOARD.findall((CORE / "port.h").read_text(encoding="utf-8")))
    assert undefined(name, CORE, tmp_path) - {"memcpy", "memset"} == board


@pytest.mark.parametrize("name", COMPILERS)
def test_a_core_that_asks_for_memory_is_found(name: str, firmware: Path, tmp_path: Path) -> None:
    asks = "extern void *malloc(unsigned size);\nextern void *volatile kept;\nvoid *volatile kept;"
    add_to_step(firmware, asks.replace("unsigned", "__SIZE_TYPE__"), "    kept = malloc(8U);\n")
    assert "malloc" in undefined(name, firmware / "core", tmp_path)


@pytest.mark.parametrize("name", COMPILERS)
def test_a_warning_ends_the_build(name: str, firmware: Path, tmp_path: Path) -> None:
    add_to_step(firmware, "", "    out->reply[0] = s->bad;\n")
    with pytest.raises(toolchain.Failed, match="conversion"):
        undefined(name, firmware / "core", tmp_path)
