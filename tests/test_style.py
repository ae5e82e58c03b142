"""The house style as a test. Every message says where, what is banned, and what to use instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("safetykit", "firmware_bridge", "sim", "scenarios", "tests", "hw")

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
STEP_FUNCTION_LINES_MAX = 70  # step.py shows the whole flow on one screen
PARAMETERS_MAX = 8

BANNED_WORDS = {
    "manager": "the noun of the thing (mailbox, guard, recorder)",
    "handler": "what it does, as a verb",
    "util": "the module of the noun it serves",
    "utils": "the module of the noun it serves",
    "helper": "the module of the noun it serves",
    "helpers": "the module of the noun it serves",
}
BANNED_TEXT = {
    r"\bTO[D]O\b|\bFIX[M]E\b|\bX[X]X\b": ("an unfinished mark", "finish it, or write an issue"),
    r"(?<![\w.])/(?:work|root|home/\w+)/": ("a machine path", "a path relative to the repository"),
    r"py[p]i\.org|python[h]osted|registry\.np[m]js|deb\.debi[a]n": ("a package host", "the plain package client"),
    r"(?i)\bsafe[ _-]m[o]de\b": ("that word", "the name of the state or of the recovery function"),
}
CORE_IMPORTS = {"__future__", "collections", "enum", "math", "numba", "numpy", "typing", "safetykit.core"}

# jit.py decides at import where machine code is kept; nothing of this runs on a tick.
CORE_IMPORTS_OF = {"jit.py": {"hashlib", "os", "pathlib"}, "progress.py": {"llvmlite"}}

Rule = Callable[[Path, str, ast.Module], Iterator[tuple[int, str]]]


def python_files() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert len(found) > 20, "the style test looks in the wrong place"
    return sorted(found)


def markdown_files() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "hw").rglob("*.md")])


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length_of_file(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    count = len(text.splitlines())
    if count > FILE_LINES_MAX:
        yield FILE_LINES_MAX, f"a file of {count} lines is banned, use two modules of one noun each"


def length_of_function(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    allowed = STEP_FUNCTION_LINES_MAX if path.name == "step.py" else FUNCTION_LINES_MAX
    for node in functions(tree):
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > allowed:
            yield node.lineno, f"{node.name}: {count} lines are banned, use at most {allowed}"


def parameters(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in functions(tree):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > PARAMETERS_MAX:
            yield node.lineno, f"{node.name}: {count} parameters are banned, use at most {PARAMETERS_MAX} or a record"


def calls(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "fastmath":
            yield node.value.lineno, "fastmath is banned (it makes isfinite(nan) true), use core.jit"
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.time":
            yield node.lineno, "time.time is banned (it jumps), use CLOCK_MONOTONIC through runtime.clock"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno, "print is banned, use typer.echo or rich in a command"
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield node.lineno, "bare except is banned, use the exception you expect"
        if isinstance(node, ast.ImportFrom) and node.module == "time" and any(a.name == "time" for a in node.names):
            yield node.lineno, "time.time is banned (it jumps), use CLOCK_MONOTONIC through runtime.clock"


def words(name: str) -> set[str]:
    """The lower-case words of a snake_case or CamelCase name."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def names(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    named = [(1, path.stem), *((node.lineno, node.name) for node in functions(tree))]
    named += [(node.lineno, node.name) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for line, name in named:
        for word in sorted(words(name) & BANNED_WORDS.keys()):
            yield line, f"the word {word} in {name} is banned, use {BANNED_WORDS[word]}"


def banned_text(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, content in enumerate(text.splitlines(), start=1):
        for pattern, (what, instead) in BANNED_TEXT.items():
            if re.search(pattern, content):
                yield line, f"{what} is banned, use {instead}"


def core_imports(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if not path.is_relative_to(ROOT / "safetykit" / "core"):
        return
    allowed = CORE_IMPORTS | CORE_IMPORTS_OF.get(path.name, set())
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            if module.split(".")[0] not in allowed and not module.startswith("safetykit.core"):
                yield node.lineno, f"importing {module} in the core is banned, use numpy, numba and core only"


PYTHON_RULES: tuple[Rule, ...] = (
    length_of_file,
    length_of_function,
    parameters,
    calls,
    names,
    banned_text,
    core_imports,
)


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_python_follows_the_style(rule: Rule) -> None:
    problems = []
    for path in python_files():
        text = path.read_text(encoding="utf-8")
        found = rule(path, text, ast.parse(text, str(path)))
        problems += [f"{path.relative_to(ROOT)}:{line}: {message}" for line, message in found]
    assert not problems, "\n" + "\n".join(problems)


def title_lines(text: str) -> list[int]:
    """Line numbers of top-level titles outside of code fences."""
    lines, fenced = [], False
    for number, content in enumerate(text.splitlines(), start=1):
        if content.startswith("```"):
            fenced = not fenced
        elif content.startswith("# ") and not fenced:
            lines.append(number)
    return lines


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: path.name)
def test_markdown_has_one_title_and_no_banned_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    titles = title_lines(text)
    assert titles[:1] == [1], f"{path.name}:1: the first line must be the title"
    assert len(titles) == 1, f"{path.name}:{titles[-1]}: a second title is banned, use ##"
    problems = [f"{path.name}:{line}: {message}" for line, message in banned_text(path, text, ast.parse(""))]
    assert not problems, "\n".join(problems)


BAD = {
    length_of_file: "x = 1\n" * 401,
    length_of_function: "def f():\n" + "    x = 1\n" * 60,
    parameters: "def f(a, b, c, d, e, f, g, h, i): ...",
    calls: "jit(fastmath=True)",
    names: "class ThingManager: ...",
    banned_text: "# TO" + "DO later",
    core_imports: "import os",
}


@pytest.mark.parametrize("rule", PYTHON_RULES, ids=lambda rule: rule.__name__)
def test_every_rule_can_fail(rule: Rule) -> None:
    path = ROOT / "safetykit" / "core" / "example.py"
    assert list(rule(path, BAD[rule], ast.parse(BAD[rule])))
    assert not list(
        rule(
            path, "import math\n\n\ndef f(a):\n    return a\n", ast.parse("import math\n\n\ndef f(a):\n    return a\n")
        )
    )


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time",
        "print(1)",
        "try:\n    f()\nexcept:\n    pass",
        "f(fastmath=1)",
    ],
)
def test_every_banned_call_is_seen(source: str) -> None:
    assert list(calls(ROOT / "x.py", source, ast.parse(source)))
