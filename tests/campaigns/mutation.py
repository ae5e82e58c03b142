"""Breaks the core in one place at a time and sees whether the core's own tests notice: ``make mutation``.

Each mutant is a copy of the package with one operator, constant or function exchanged, run interpreted. A mutant that
no test notices is printed with its line. Exit code 1 if there are more survivors than the known, named ones.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = ("bounds.py", "jit.py", "layout.py", "vocabulary.py", "__init__.py")  # data and plumbing, no decisions
COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd}
ARITHMETIC |= {ast.BitAnd: ast.BitOr}
CALLS = {"min": "max", "max": "min", "abs": "float"}
TIMEOUT_S = 120
Edit = Callable[[], None]


@dataclass(frozen=True)
class Mutant:
    """One change: the file, the line and what it does."""

    path: Path
    line: int
    what: str
    source: str


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = [node for function in _functions(tree) for node in ast.walk(function)]
    for node in places:
        for what, change, undo in _changes(node):
            change()
            yield Mutant(path, node.lineno, what, ast.unparse(tree))  # type: ignore[attr-defined]
            undo()


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]


def _changes(node: ast.AST) -> Iterator[tuple[str, Edit, Edit]]:
    """(description, do, undo) of each change to one node."""
    for field, value in _replacements(node):
        old = getattr(node, field)
        text = f"{type(node).__name__}.{field}: {_text(old)} -> {_text(value)}"
        yield text, _setter(node, field, value), _setter(node, field, old)


def _replacements(node: ast.AST) -> Iterator[tuple[str, object]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        yield "ops", [COMPARE[type(node.ops[0])](), *node.ops[1:]]
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield "op", ARITHMETIC[type(node.op)]()
    if isinstance(node, ast.BoolOp):
        yield "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "value", node.value + 1
    if isinstance(node, ast.Name) and node.id in CALLS:
        yield "id", CALLS[node.id]
    if isinstance(node, ast.If | ast.IfExp):
        yield "test", ast.UnaryOp(ast.Not(), node.test)


def _setter(node: ast.AST, field: str, value: object) -> Edit:
    return lambda: setattr(node, field, value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(type(item).__name__ for item in value)
    return ast.unparse(value) if isinstance(value, ast.expr) else getattr(value, "id", type(value).__name__)


def killed(mutant: Mutant, workshop: Path) -> bool:
    """True if the core's tests notice the mutant."""
    target = workshop / mutant.path.relative_to(ROOT)
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "tests/unit/core", "tests/oracle"]
    # No bytecode: it is told from its source by size and second, and mutants come faster than that.
    python = {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(workshop), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **python}
    try:
        done = subprocess.run(
            command, cwd=workshop, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False
        )
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(original, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="only this many, chosen by --seed; 0 = all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only files whose name contains this")
    options = parser.parse_args()
    files = [
        p for p in sorted((ROOT / "safetykit/core").glob("*.py")) if p.name not in SKIPPED and options.only in p.name
    ]
    chosen = [mutant for path in files for mutant in mutants(path)]
    if options.sample:
        chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        workshop = Path(folder)
        for part in ("safetykit", "tests", "docs"):
            shutil.copytree(ROOT / part, workshop / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", workshop)
        for number, mutant in enumerate(chosen, 1):
            if not killed(mutant, workshop):
                survivors.append(mutant)
                sys.stdout.write(f"survived {mutant.path.name}:{mutant.line} {mutant.what}\n")
            if number % 25 == 0:
                sys.stdout.write(f"{number} of {len(chosen)} mutants, {len(survivors)} survived\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants noticed\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
