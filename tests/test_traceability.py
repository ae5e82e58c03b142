"""Every path and every test that docs/traceability.md names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "traceability.md"
CLAUSES = ("(a)", "(b)", "(c)", "(d)", "(e)")

NAMED = sorted(set(re.findall(r"`([\w./]+\.(?:py|md)(?:::\w+)?)`", PAGE.read_text(encoding="utf-8"))))


def functions_of(path: Path) -> set[str]:
    """All test functions of a file, methods too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file(), f"{PAGE.name} names {file}, which does not exist"
    if test:
        assert test in functions_of(ROOT / file), f"{PAGE.name} names {name}, which does not exist"
    elif file.startswith("tests/"):
        assert functions_of(ROOT / file), f"{PAGE.name} names {file}, which holds no test"


def test_the_page_is_read_and_covers_every_clause() -> None:
    assert len(NAMED) > 30
    text = PAGE.read_text(encoding="utf-8")
    sections = re.split(r"^## 4\.2\.3 ", text, flags=re.MULTILINE)[1:]
    assert [section[:3] for section in sections] == list(CLAUSES)
    for section in sections:
        assert "`tests/" in section or "Gap:" in section, f"clause {section[:3]}: neither a test nor a gap"
