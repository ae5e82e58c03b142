"""The worst stack of every ARM port, from the compiler's own call graph and frame sizes.

``python hw/firmware/analysis/stack.py`` builds each port with the flags of its Makefile, walks every chain of calls and
prints the worst one. It ends with 1 if a chain has no bound (recursion, a frame of dynamic size, a call through a
pointer, a function without a known frame) or needs more than half of the linker script's ``_stack_size``. Calls made in
assembly are not in the graph: the two ports make them in ``reset`` and ``fault`` only, which begin a new stack.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchain import FIRMWARE, OUT, Failed, Missing, run, say, tool

# The first C function on the port's stack; everything else runs below it or in an exception.
ENTRIES = {"lm3s6965evb": "reset", "nucleo-f103rb": "start_above"}
CYCLE = "cycle_run"
EXCEPTION_BYTES = 36  # eight words that the processor pushes, and one to align them
NO_INTERRUPT = {"reset", "fault"}

NODE = re.compile(r'^node: \{ title: "(?P<title>[^"]+)" label: "(?P<label>[^"]*)"')
EDGE = re.compile(r'^edge: \{ sourcename: "(?P<caller>[^"]+)" targetname: "(?P<called>[^"]+)"')
FRAME = re.compile(r"\\n(?P<bytes>\d+) bytes \((?P<kind>[^)]+)\)")
VECTOR = re.compile(r"\.go = (\w+)")
STACK_SIZE = re.compile(r"^_stack_size = (\d+)(K?);", re.MULTILINE)


class Unbounded(Exception):
    """The stack of a chain of calls has no bound that the compiler knows; the message says why."""


@dataclass
class Graph:
    """Frames and calls of one program."""

    frames: dict[str, int] = field(default_factory=dict)
    unbounded: dict[str, str] = field(default_factory=dict)
    calls: dict[str, set[str]] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """What ``-fcallgraph-info=su`` wrote for one source file."""
        for line in text.splitlines():
            if edge := EDGE.match(line):
                self.calls.setdefault(edge["caller"], set()).add(edge["called"])
            elif (node := NODE.match(line)) and (frame := FRAME.search(node["label"])):
                self.frames[node["title"]] = int(frame["bytes"])
                if frame["kind"] != "static":
                    self.unbounded[node["title"]] = frame["kind"]


@dataclass(frozen=True)
class Chain:
    """Calls from the outermost to the innermost, and their frames."""

    links: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return sum(size for _, size in self.links)

    def __str__(self) -> str:
        return " > ".join(f"{name.rsplit(':', 1)[-1]} {size}" for name, size in self.links)


def worst(graph: Graph, entry: str, above: tuple[str, ...] = (), known: dict[str, Chain] | None = None) -> Chain:
    """The chain from `entry` that needs most."""
    known = {} if known is None else known
    if entry in above:
        raise Unbounded(f"recursion: {' > '.join((*above[above.index(entry) :], entry))}")
    if entry == "__indirect_call":
        raise Unbounded(f"{above[-1]} calls through a pointer")
    if entry not in graph.frames:
        raise Unbounded(f"{entry}: no frame size known, called by {above[-1] if above else 'nobody'}")
    if entry in graph.unbounded:
        raise Unbounded(f"{entry}: a frame of {graph.unbounded[entry]} size")
    if entry not in known:
        below = [worst(graph, called, (*above, entry), known) for called in sorted(graph.calls.get(entry, ()))]
        deepest = max(below, key=lambda chain: chain.size, default=Chain(()))
        known[entry] = Chain(((entry, graph.frames[entry]), *deepest.links))
    return known[entry]


@dataclass(frozen=True)
class Stack:
    """What one port needs and has."""

    port: str
    size: int  # _stack_size of the linker script
    cycle: Chain
    main: Chain
    interrupt: Chain  # the worst one; empty where none is enabled

    @property
    def need(self) -> int:
        """Main chain, one interrupt above it, and the fault that may end both."""
        interrupt = EXCEPTION_BYTES + self.interrupt.size if self.interrupt.links else 0
        return self.main.size + interrupt + EXCEPTION_BYTES

    @property
    def fits(self) -> bool:
        """At least half of the stack is never used."""
        return 0 < 2 * self.need <= self.size


def compilations(firmware: Path, port: str, folder: Path) -> list[list[str]]:
    """The commands that compile the port's released image, as its Makefile has them; no test build."""
    compiler = tool("arm-none-eabi-gcc")
    make = shutil.which("make")
    if make is None:
        raise Missing("make is not installed: apt-get install make")
    prefix = compiler[: -len("gcc")]
    wished = run([make, "-n", "-B", "-C", firmware, f"OUT={folder}", f"CROSS={prefix}", port])
    commands = [shlex.split(line) for line in wished.replace("\\\n", " ").splitlines() if " -c " in line]
    return [words for words in commands if words[0] == compiler and "-DTEST_HANG" not in words]


def graph_of(firmware: Path, port: str, folder: Path) -> Graph:
    """Builds the port's objects into the folder and reads what the compiler says about them."""
    commands = compilations(firmware, port, folder)
    if not any("core/cycle.c" in words for words in commands):
        raise Failed(f"no command of the Makefile compiles core/cycle.c for {port}")
    graph = Graph()
    for words in commands:
        target = Path(words[words.index("-o") + 1])
        target.parent.mkdir(parents=True, exist_ok=True)
        run([*words, "-fstack-usage", "-fcallgraph-info=su"], cwd=firmware)
        graph.add(target.with_suffix(".ci").read_text(encoding="utf-8"))
    return graph


def stack_size(script: Path) -> int:
    """Bytes that the linker script gives to the stack."""
    found = STACK_SIZE.search(script.read_text(encoding="utf-8"))
    if found is None:
        raise Failed(f"{script.name}: no _stack_size")
    return int(found[1]) * (1024 if found[2] else 1)


def interrupts(folder: Path) -> list[str]:
    """Functions in the vector table that come back."""
    named = {name for path in folder.glob("*.c") for name in VECTOR.findall(path.read_text(encoding="utf-8"))}
    if not named:
        raise Failed(f"{folder.name}: no vector table found")
    return sorted(named - NO_INTERRUPT)


def measure(firmware: Path = FIRMWARE, entries: Mapping[str, str] = ENTRIES) -> list[Stack]:
    """Every port that has a linker script."""
    OUT.mkdir(parents=True, exist_ok=True)
    stacks = []
    for script in sorted(firmware.glob("ports/*/*.ld")):
        port = script.parent.name
        if port not in entries:
            raise Failed(f"{port}: the first function on its stack is not known, add it to ENTRIES")
        with tempfile.TemporaryDirectory(dir=OUT) as folder:  # one of its own: several may measure at once
            graph = graph_of(firmware, port, Path(folder))
        known: dict[str, Chain] = {}
        above = [worst(graph, name, (), known) for name in interrupts(script.parent)]
        stacks.append(
            Stack(
                port=port,
                size=stack_size(script),
                cycle=worst(graph, CYCLE, (), known),
                main=worst(graph, entries[port], (), known),
                interrupt=max(above, key=lambda chain: chain.size, default=Chain(())),
            )
        )
    return stacks


def main() -> int:
    try:
        stacks = measure()
    except (Unbounded, Missing, Failed) as error:
        say(str(error))
        return 1
    for stack in stacks:
        say(f"{stack.port}: {stack.need} of {stack.size} bytes ({'fits' if stack.fits else 'MORE THAN HALF'})")
        say(f"  cycle      {stack.cycle.size:4}  {stack.cycle}")
        say(f"  main       {stack.main.size:4}  {stack.main}")
        if stack.interrupt.links:
            say(f"  interrupt  {stack.interrupt.size:4}  {stack.interrupt}, and {EXCEPTION_BYTES} pushed")
        say(f"  fault      {EXCEPTION_BYTES:4}  pushed before it begins a new stack")
    return 0 if stacks and all(stack.fits for stack in stacks) else 1


if __name__ == "__main__":
    sys.exit(main())
