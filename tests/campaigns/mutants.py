"""Mutants of the core's Python: one operator, number, condition, statement or table entry exchanged at a time.

Nothing is written to disk. A mutant is a code object, put into its function, or a number, put into its module; both
work on the interpreted core only (``NUMBA_DISABLE_JIT=1``), and only in a process that ends with the trial.
"""

from __future__ import annotations
import __future__

import ast
import copy
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "safetykit" / "core"
# Data and plumbing without a decision; protocol.py is generated, and both ends of the line check it.
SKIPPED = ("bounds.py", "jit.py", "layout.py", "vocabulary.py", "protocol.py", "__init__.py")
COMPILER_ONLY = ("_word", "_load", "_store")  # code generators: the interpreted core never calls them
MAKE_TABLE = ("next_by_rows", "_dense")  # of stop.py: they run at import
COMPARE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
}
CALLS = {"min": "max", "max": "min", "abs": "float"}
MODULE = "module"  # in the place of a function's name, for a constant of the module
SMALL = 1e-3  # a tolerance; twice of it would still be one
Key = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class Mutant:
    """One change. `first` and `last` are the lines of its statement, without the block below."""

    file: str
    function: str
    first: int
    last: int
    text: str  # the source line, blanks evened out
    what: str
    install: Callable[[], None]
    nth: int = 1  # of the changes of this function that read the same

    @property
    def key(self) -> Key:
        """What the list of survivors names it by: holds while the line itself is not changed."""
        return self.file, self.function, self.text, self.what, self.nth

    def __str__(self) -> str:
        nth = f" (nth: {self.nth})" if self.nth > 1 else ""
        return f"{self.file}:{self.first} {self.function}: {self.text}  [{self.what}]{nth}"


def files() -> list[str]:
    """Names of the files of the core that decide something."""
    return sorted(path.name for path in CORE.glob("*.py") if path.name not in SKIPPED)


def mutants(file: str) -> list[Mutant]:
    """Every mutant of one file. A change that gives the same machine code of the interpreter is none."""
    text = (CORE / file).read_text(encoding="utf-8")
    tree, module = ast.parse(text), importlib.import_module(f"safetykit.core.{file.removesuffix('.py')}")
    found = [*_constants(file, tree, text, module)]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name not in COMPILER_ONLY:
            found += _of_function(file, node, text.splitlines(), module)
    same: Counter[Key] = Counter()
    numbered = []
    for mutant in found:
        same[mutant.key] += 1
        numbered.append(replace(mutant, nth=same[mutant.key]))
    return numbered


def _of_function(file: str, function: ast.FunctionDef, lines: list[str], module: Any) -> Iterator[Mutant]:
    plain = copy.deepcopy(function)
    plain.decorator_list = []
    original = _essence(_compiled(plain))
    target = getattr(module, function.name)
    for statement in [node for node in ast.walk(plain) if isinstance(node, ast.stmt) and node is not plain]:
        for line, what, change, undo in _changes(plain, statement, vars(module)):
            change()
            code = _compiled(plain)
            undo()
            if _essence(code) != original:
                text = _told_line(lines[line - 1])
                last = _header_end(statement)
                install = _putting_code(module, target, code)
                yield Mutant(file, function.name, statement.lineno, last, text, what, install)


def _compiled(function: ast.FunctionDef) -> CodeType:
    module = ast.fix_missing_locations(ast.Module([function], []))
    code = compile(module, "mutant", "exec", __future__.annotations.compiler_flag, dont_inherit=True)
    return next(item for item in code.co_consts if isinstance(item, CodeType) and item.co_name == function.name)


def _essence(code: CodeType) -> tuple[object, ...]:
    # repr: 1 == 1.0 == True would hide a change.
    return code.co_code, repr(code.co_consts), code.co_names, code.co_varnames


def _putting_code(module: Any, target: FunctionType, code: CodeType) -> Callable[[], None]:
    def install() -> None:
        target.__code__ = code  # everybody who imported the function sees it
        if target.__name__ in MAKE_TABLE:
            _make_table(module)

    return install


Edit = Callable[[], None]
Change = tuple[int, str, Edit, Edit]


def _header_end(statement: ast.stmt) -> int:
    """Last line of a statement without the block below it."""
    body = getattr(statement, "body", None)
    return body[0].lineno - 1 if body else statement.end_lineno or statement.lineno


def _changes(function: ast.FunctionDef, statement: ast.stmt, globals_: dict[str, Any]) -> Iterator[Change]:
    """Line, description, do and undo of each change to one statement; not to the statements below it."""
    for node in _expressions(statement):
        for field, value in _replacements(node):
            if _adds_nothing(node, globals_):
                continue
            old = getattr(node, field)
            what = _told(node, field, value)
            line = getattr(node, "lineno", statement.lineno)
            yield line, what, _setter(node, field, value), _setter(node, field, old)
    yield from _removals(function, statement)
    yield from _unary(statement)


def _adds_nothing(node: ast.AST, globals_: dict[str, Any]) -> bool:
    """`row + COLUMN` where the column has number 0: taken off, it is the same row."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return False
    return isinstance(node.right, ast.Name) and globals_.get(node.right.id, 1) == 0


def _told_line(line: str) -> str:
    """A source line without its comment, blanks evened out."""
    return " ".join(line.split("  # ")[0].split())


def _told(node: Any, field: str, value: Any) -> str:
    """The change in words: short, the source line stands beside it."""
    if field == "test":
        return "negated"
    if isinstance(node, ast.BoolOp):
        return "or -> and" if isinstance(value, ast.And) else "and -> or"
    if isinstance(node, ast.Compare):
        place = next(place for place, operator in enumerate(node.ops) if operator is not value[place])
        left, right = [node.left, *node.comparators][place : place + 2]
        pair, changed = (ast.Compare(left, [ops[place]], [right]) for ops in (node.ops, value))
        return f"{ast.unparse(pair)} -> {ast.unparse(changed)}"
    old, before = getattr(node, field), ast.unparse(node)
    setattr(node, field, value)
    after = ast.unparse(node)
    setattr(node, field, old)
    return f"{before} -> {after}"


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The statement and its own expressions."""
    yield statement
    for field, value in ast.iter_fields(statement):
        if field in ("body", "orelse", "annotation", "handlers", "finalbody"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.expr):
                yield from ast.walk(node)


def _replacements(node: ast.AST) -> Iterator[tuple[str, object]]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in COMPARE:
                yield "ops", [*node.ops[:place], COMPARE[type(operator)](), *node.ops[place + 1 :]]
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield "op", ARITHMETIC[type(node.op)]()
    if isinstance(node, ast.BoolOp):
        yield "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "value", not node.value
        elif isinstance(node.value, int | float):
            yield "value", node.value + 1
    if isinstance(node, ast.Name) and node.id in CALLS:
        yield "id", CALLS[node.id]
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not _negated_elsewhere(node.test):
        yield "test", ast.UnaryOp(ast.Not(), node.test)


def _negated_elsewhere(test: ast.expr) -> bool:
    """A `not` is taken away, == and != change places: the same as negating the condition."""
    if isinstance(test, ast.Compare):
        return len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq | ast.NotEq)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _removals(function: ast.FunctionDef, statement: ast.stmt) -> Iterator[Change]:
    """Statements that act on something outside of the function, or leave a loop: replaced by nothing."""
    acts = isinstance(statement, ast.Continue | ast.Break | ast.AugAssign)
    acts |= isinstance(statement, ast.Return) and statement.value is None
    acts |= isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    if isinstance(statement, ast.Assign):
        acts |= any(isinstance(target, ast.Attribute | ast.Subscript) for target in statement.targets)
    if not acts:
        return
    for parent in ast.walk(function):
        for _, block in ast.iter_fields(parent):
            if isinstance(block, list) and statement in block:
                place = block.index(statement)
                nothing = ast.copy_location(ast.Pass(), statement)
                yield statement.lineno, "removed", _placer(block, place, nothing), _placer(block, place, statement)


def _unary(statement: ast.stmt) -> Iterator[Change]:
    """A sign, a `not` or a complement taken away."""
    for parent in _expressions(statement):
        for field, value in ast.iter_fields(parent):
            for node in value if isinstance(value, list) else [value]:
                if not isinstance(node, ast.UnaryOp) or (isinstance(parent, ast.stmt) and field == "body"):
                    continue
                what = f"{ast.unparse(node)} -> {ast.unparse(node.operand)}"
                if isinstance(value, list):
                    place = value.index(node)
                    yield node.lineno, what, _placer(value, place, node.operand), _placer(value, place, node)
                else:
                    yield node.lineno, what, _setter(parent, field, node.operand), _setter(parent, field, node)


def _setter(node: ast.AST, field: str, value: object) -> Edit:
    return lambda: setattr(node, field, value)


def _placer(block: list[Any], place: int, value: object) -> Edit:
    return lambda: block.__setitem__(place, value)


def _constants(file: str, tree: ast.Module, text: str, module: Any) -> Iterator[Mutant]:
    """Numbers, tuples of numbers and whole-number tables of the module, each changed alone."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        line = _told_line(text.splitlines()[node.lineno - 1])
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for name in [item.id for target in targets for item in ast.walk(target) if isinstance(item, ast.Name)]:
            for what, install in _changed_constant(module, name, getattr(module, name)):
                yield Mutant(file, MODULE, node.lineno, node.lineno, line, f"{name}: {what}", install)


def _changed_constant(module: Any, name: str, value: Any) -> Iterator[tuple[str, Edit]]:
    if name == "TRANSITIONS":
        yield from ((f"row {place} removed", _without_row(module, place)) for place in range(len(value)))
    elif name == "NEXT_STATE" or isinstance(value, bool):
        return
    elif isinstance(value, int | float):
        if value == value + 1 and not value < 1e300:
            return  # infinity
        yield f"{value!r} -> {_other(value)!r}", _putting_value(module, name, _other(value))
    elif isinstance(value, tuple) and all(isinstance(item, int | float) for item in value):
        for place, item in enumerate(value):
            changed = (*value[:place], item + 1, *value[place + 1 :])
            yield f"[{place}] {item!r} -> {item + 1!r}", _putting_value(module, name, changed)
    elif type(value).__name__ == "ndarray":
        for place in range(value.size):
            yield f"[{place}] + 1", _adding_one(value, place)


def _other(value: float) -> float:
    if isinstance(value, int):
        # A single bit moves to the next one.
        return value << 1 if value >= 2 and value & (value - 1) == 0 else value + 1
    return value * 1000 if 0 < abs(value) < SMALL else value * 2 or 1.0


def _putting_value(module: Any, name: str, value: object) -> Edit:
    def install() -> None:
        old = getattr(module, name)
        for other in list(sys.modules.values()):
            shared = other is module or (not name.startswith("_") and _imports(other, module, name))
            if shared and getattr(other, name, None) == old:
                setattr(other, name, value)

    return install


def _imports(other: Any, module: Any, name: str) -> bool:
    """Whether `other` has `name` from `module`."""
    if not str(getattr(other, "__name__", "")).startswith(("safetykit", "tests")) or name not in vars(other):
        return False
    source = Path(getattr(other, "__file__", None) or "")
    if source.suffix != ".py":
        return False
    imports = [node for node in ast.parse(source.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    return any(node.module == module.__name__ and any(a.name == name for a in node.names) for node in imports)


def _adding_one(table: Any, place: int) -> Edit:
    def install() -> None:
        table.flags.writeable = True
        table.flat[place] += 1

    return install


def _without_row(module: Any, place: int) -> Edit:
    """The diagram of states without one of its rows, and the dense table made from it."""

    def install() -> None:
        module.TRANSITIONS = (*module.TRANSITIONS[:place], *module.TRANSITIONS[place + 1 :])
        _make_table(module)

    return install


def _make_table(module: Any) -> None:
    """Works out the dense table of states again, in place: everybody who imported it sees it."""
    module.NEXT_STATE.flags.writeable = True
    module.NEXT_STATE[...] = module._dense()
