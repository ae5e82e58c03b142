"""Mutants of the firmware's C sources: one token or one statement exchanged at a time. No compiler's parser is needed:
the core keeps to a plain style, and a mutant that does not compile is counted and left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

FILES = ("estop.c", "report.c", "wire.c", "selfcheck.c", "cycle.c")
TOKEN = re.compile(r"<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\+\+|--|->|\w+|[-+*/%&|^~!<>=?:;,.(){}\[\]]")
EXCHANGED = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "<<": (">>",),
    ">>": ("<<",),
    "|=": ("&=", "="),
    "^=": ("|=", "&="),
    "+=": ("-=",),
    "-=": ("+=",),
    "++": ("--",),
    "--": ("++",),
    "true": ("false",),
    "false": ("true",),
    "!": ("",),
    "~": ("",),
}
# Between two operands only.
BINARY = {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("/",), "&": ("|",), "|": ("&",), "^": ("|", "&")}
NUMBER = re.compile(r"(0x[0-9A-Fa-f]+|\d+)U$")
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]+$")
NO_CONSTANTS = {"BIT", "STAGE_TOKENS", "CRC_NIBBLES"}
STATEMENT = re.compile(r"(\(void\))?[\w\->.\[\]+*&() ]+?(\s*([-+*/%&|^]|<<|>>)?=(?!=)|\(|\+\+|--)")
NO_STATEMENTS = re.compile(
    r"(return|const|static|typedef|extern|uint\w+|bool|estop_\w+_t|wire_\w+_t|port_\w+_t|else)\b"
)
CONDITION = re.compile(r"\b(if|while)\s*\(")


Key = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the characters from `begin` to `end` become `new`."""

    file: str
    begin: int
    end: int
    new: str
    kind: str
    line: int
    function: str
    old_text: str  # the line before
    new_text: str  # and after; blanks evened out
    nth: int = 1  # of the changes of this function that read the same

    def source(self, text: str) -> str:
        return text[: self.begin] + self.new + text[self.end :]

    @property
    def key(self) -> Key:
        """What the list of survivors names it by: holds while the line itself is not changed."""
        return self.file, self.function, self.old_text, self.new_text, self.nth

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function}, {self.kind}: {self.old_text}  ->  {self.new_text}"


def masked(text: str) -> str:
    """The source with comments and preprocessor names blanked out, at the same places."""
    blank = re.compile(r"/\*.*?\*/|^#(?:include|ifndef|endif)[^\n]*|^#define \w+(?:\(\w+\))?", re.DOTALL | re.MULTILINE)
    return blank.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def mutants(folder: Path) -> list[Mutant]:
    """Every mutant of every file, each change once."""
    found: dict[tuple[object, ...], Mutant] = {}
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        for mutant in _mutants_of(name, text):
            found.setdefault((name, mutant.source(text)), mutant)
    same: Counter[Key] = Counter()
    numbered = []
    for mutant in found.values():
        same[mutant.key] += 1
        numbered.append(replace(mutant, nth=same[mutant.key]))
    return numbered


def _mutants_of(name: str, text: str) -> Iterator[Mutant]:
    code = masked(text)
    functions = _functions(code)
    changes = [*_token_changes(code), *_conditions(code), *_statements(code)]
    for begin, end, new, kind in sorted(changes):
        line = text.count("\n", 0, begin) + 1
        first, last = text.rfind("\n", 0, begin) + 1, text.find("\n", end)
        after = text[first:begin] + new + text[end:last]
        old_text, new_text = " ".join(text[first:last].split()), " ".join(after.split())
        yield Mutant(name, begin, end, new, kind, line, _function_at(functions, begin), old_text, new_text)


def _functions(code: str) -> list[tuple[int, str]]:
    """Where each function begins."""
    return [
        (match.start(), match[1]) for match in re.finditer(r"^[\w* ]+?\b(\w+)\([^;{}]*\)\s*\n\{", code, re.MULTILINE)
    ]


def _function_at(functions: list[tuple[int, str]], place: int) -> str:
    names = [name for begin, name in functions if begin <= place]
    return names[-1] if names else "file"


Change = tuple[int, int, str, str]


def _token_changes(code: str) -> Iterator[Change]:
    before = ""
    for match in TOKEN.finditer(code):
        token, begin, end = match[0], match.start(), match.end()
        operand = bool(re.search(r"[\w)\]]$", before)) and before not in ("return", "case")
        for new in EXCHANGED.get(token, ()):
            yield begin, end, new, f"{token} to {new or 'nothing'}"
        if operand and not _is_type(before):
            for new in BINARY.get(token, ()):
                yield begin, end, new, f"{token} to {new}"
        if NUMBER.match(token):
            value = int(token[:-1], 0)
            for new_value in (value + 1, value - 1) if value else (1,):
                yield begin, end, f"{new_value}U", "constant"
        elif CONSTANT.match(token) and token not in NO_CONSTANTS and before != "case":
            yield begin, end, f"({token} + 1U)", "constant"
            if token.endswith(("_US", "_MAX", "_MIN", "_LIMIT", "_EVERY", "_SLICE", "_BYTES", "EVENTS", "STAGES")):
                yield begin, end, f"({token} - 1U)", "constant"
        before = token


def _is_type(token: str) -> bool:
    """A star behind this is no product."""
    return token.endswith("_t")


def _closing(code: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if depth == 0:
            return place
    raise ValueError("a bracket never closes")


def _conditions(code: str) -> Iterator[Change]:
    for match in CONDITION.finditer(code):
        opening = match.end() - 1
        closing = _closing(code, opening)
        yield opening, closing + 1, f"(!{code[opening : closing + 1]})", "negated condition"
    for match in re.finditer(r"\?", code):
        begin, end = _choice(code, match.start())
        yield begin, end, f"!({code[begin:end]})", "negated condition"


def _choice(code: str, mark: int) -> tuple[int, int]:
    """Where the condition of a `? :` stands: back to the `=`, `return`, comma or bracket in front of it."""
    place, depth = mark, 0
    while depth > 0 or not re.search(r"([^=<>!]=|return|,|\()$", code[max(0, place - 8) : place]):
        place -= 1
        depth += {")": 1, "(": -1}.get(code[place], 0)
    condition = code[place:mark]
    return place + len(condition) - len(condition.lstrip()), place + len(condition.rstrip())


def _statements(code: str) -> Iterator[Change]:
    """Whole statements, removed: assignments, calls, break."""
    for match in re.finditer(r"(?<=[;{}:])(\s*)((?:[^;{}?:]|\?[^;:]*:)*;)", code):
        statement = match[2]
        begin, end = match.start(2), match.end(2)
        assigns = STATEMENT.match(statement) and not NO_STATEMENTS.match(statement) and "for (" not in statement
        if assigns or statement.strip() == "break;":
            yield begin, end, ";", "removed"
