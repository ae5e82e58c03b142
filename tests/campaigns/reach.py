"""Which test executes which line of the core, and how long it takes: measured once, kept per file of tests.

Of everything that did not change since, the kept figures hold: a file of tests is measured anew after an edit of it,
all of them after an edit of the core or of what the tests share.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType

from tests.campaigns.mutants import CORE, MAKE_TABLE, MODULE, ROOT, Mutant, files

KEPT = ROOT / "out" / "mutation" / "reach.json"
TABLE_OF = {"TRANSITIONS": "NEXT_STATE"}  # what is read in place of a table that only makes another one


def digest(paths: Iterable[Path]) -> str:
    """SHA-256, hex, over names and contents."""
    total = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes()
        total.update(f"{path.relative_to(ROOT)}:{len(content)}:".encode() + content)
    return total.hexdigest()


def shared_digest() -> str:
    """Of the core, the policies and what tests share."""
    return digest([*CORE.rglob("*.py"), *(ROOT / "safetykit/policy").rglob("*.*ml"), *(ROOT / "tests").glob("*.py")])


def digest_of_test(nodeid: str) -> str:
    return digest([ROOT / nodeid.split("::")[0]])


def read_lines(data: Path) -> dict[str, dict[str, int]]:
    """{context: {file: lines as bits of a number}} from coverage's data base."""
    found: dict[str, dict[str, int]] = {}
    query = (
        "select context.context, file.path, line_bits.numbits from line_bits "
        "join file on file.id = file_id join context on context.id = context_id where context.context != ''"
    )
    with sqlite3.connect(data) as base:
        for context, path, bits in base.execute(query):
            found.setdefault(context, {})[Path(path).name] = int.from_bytes(bits, "little")
    return found


@dataclass
class Reach:
    """Of each test, by its pytest name: lines (bits) by file, and processor time in seconds, traced."""

    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, mutant: Mutant) -> set[str]:
        """Tests that execute the changed statement; of a constant: a function that reads it."""
        if mutant.function == MODULE:
            spans = _readers(mutant.what.split(":")[0])
        elif mutant.function in MAKE_TABLE:
            spans = _readers("NEXT_STATE")
        else:
            spans = {mutant.file: _bits(mutant.first, mutant.last)}
        return {
            test
            for test, of_test in self.lines.items()
            if any(of_test.get(file, 0) & span for file, span in spans.items())
        }

    def keep(self) -> None:
        """Writes the figures for the next campaign."""
        by_test = {
            test: {"s": seconds, "lines": {file: hex(bits) for file, bits in self.lines.get(test, {}).items()}}
            for test, seconds in self.seconds.items()
        }
        digests = {name: digest_of_test(name) for name in {test.split("::")[0] for test in by_test}}
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps({"shared": shared_digest(), "files": digests, "tests": by_test}), encoding="utf-8")

    @staticmethod
    def kept() -> Reach:
        """What still holds of the last campaign's figures."""
        reach = Reach()
        if not KEPT.exists():
            return reach
        document = json.loads(KEPT.read_text(encoding="utf-8"))
        if document["shared"] != shared_digest():
            return reach
        same = {
            name for name, was in document["files"].items() if (ROOT / name).exists() and digest_of_test(name) == was
        }
        for test, figures in document["tests"].items():
            if test.split("::")[0] in same:
                reach.seconds[test] = figures["s"]
                reach.lines[test] = {file: int(bits, 16) for file, bits in figures["lines"].items()}
        return reach


def _bits(first: int, last: int) -> int:
    return (1 << last + 1) - (1 << first)


def _readers(name: str) -> dict[str, int]:
    """Lines of the functions that read this name, by file."""
    name, found = TABLE_OF.get(name, name), dict[str, int]()
    for file in files():
        for function in vars(importlib.import_module(f"safetykit.core.{file.removesuffix('.py')}")).values():
            code = function.__code__ if isinstance(function, FunctionType) else None
            if code is not None and name in code.co_names:
                where = Path(code.co_filename).name
                found[where] = found.get(where, 0) | _body(code)
    return found


def _body(code: CodeType) -> int:
    lines = [line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno]
    return _bits(code.co_firstlineno + 1, max(lines))  # not the line of the def: it runs at import
