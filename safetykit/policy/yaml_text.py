"""YAML 1.2 text to plain data, with the line of every key and every problem at once.

Stricter than YAML on purpose: no anchors, aliases, tags or merge keys (a limit is written where it applies, and a
small file cannot grow into a large one), no duplicate or non-text keys, one document, UTF-8, bounded size and depth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from safetykit.errors import NO_VALUE, Problem
from safetykit.policy.paths import Path, dotted

BYTES_MAX = 262_144
DEPTH_MAX = 24
NODES_MAX = 20_000


@dataclass
class Text:
    """What was read: plain data, the line of each path, and what was wrong with the text itself."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_yaml(raw: bytes, file: str) -> Text:
    """Parse `raw`; problems are collected, never raised. ``data`` is None when nothing could be read."""
    text = Text()
    decoded = _decode(raw, file, text)
    if decoded is None:
        return text
    try:
        if _events_allowed(decoded, file, text):
            root = YAML(typ="safe", pure=True).compose(decoded)
            text.data = _Builder(file, text).build(root, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 0
        text.problems.append(Problem(file, "", NO_VALUE, f"not valid YAML: {error.problem or error}", line=line))
    except (YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        text.problems.append(Problem(file, "", NO_VALUE, f"not valid YAML: {first}"))
    if text.data is None and not text.problems:
        text.problems.append(Problem(file, "", NO_VALUE, "the file holds no policy"))
    return text


def _decode(raw: bytes, file: str, text: Text) -> str | None:
    if len(raw) > BYTES_MAX:
        text.problems.append(Problem(file, "", NO_VALUE, "the file is too large", allowed=f"{BYTES_MAX} bytes"))
        return None
    try:
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        text.problems.append(Problem(file, "", NO_VALUE, "the file is not UTF-8 text", line=line))
        return None
    if not decoded.strip():
        text.problems.append(Problem(file, "", NO_VALUE, "the file is empty"))
        return None
    return decoded


def _events_allowed(decoded: str, file: str, text: Text) -> bool:
    """Look at the flat event stream first: nothing is expanded and nothing recurses here."""
    documents = depth = nodes = 0
    found: dict[str, int] = {}
    for event in YAML(typ="safe", pure=True).parse(decoded):
        line = event.start_mark.line + 1
        documents += isinstance(event, DocumentStartEvent)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        nodes += isinstance(event, NodeEvent)
        if documents > 1:
            found.setdefault("several documents in one file", line)
        if depth > DEPTH_MAX:
            found.setdefault(f"nested deeper than {DEPTH_MAX} levels", line)
            break
        if nodes > NODES_MAX:
            found.setdefault(f"more than {NODES_MAX} values", line)
            break
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None) is not None:
            found.setdefault("anchors and aliases are not allowed; write the value where it applies", line)
        if getattr(event, "tag", None) is not None:
            found.setdefault("tags (!) are not allowed", line)
    text.problems.extend(Problem(file, "", NO_VALUE, message, line=line) for message, line in found.items())
    return not found


class _Builder:
    """Nodes to plain data. The depth was bounded before."""

    def __init__(self, file: str, text: Text) -> None:
        self.file = file
        self.text = text

    def build(self, node: Node | None, path: Path) -> Any:
        if node is None:
            return None
        self.text.lines[path] = node.start_mark.line + 1
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = _scalar(key_node) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                written = getattr(key_node, "value", None)
                shown = written if isinstance(written, str) else NO_VALUE
                self._problem(path, shown, "keys must be plain text", line)
            elif key in result:
                first = self.text.lines[(*path, key)]
                self._problem((*path, key), NO_VALUE, f"the key is given twice, first in line {first}", line)
            else:
                result[key] = self.build(value_node, (*path, key))
                self.text.lines[(*path, key)] = line
        return result

    def _problem(self, path: Path, value: Any, message: str, line: int) -> None:
        self.text.problems.append(Problem(self.file, dotted(path), value, message, line=line))


def _scalar(node: Node) -> Any:
    """The value of a scalar by the YAML 1.2 core schema; anything that is no number, switch or null is text."""
    kind = str(node.tag).rsplit(":", 1)[-1]
    written: str = node.value
    if kind == "null":
        return None
    if kind == "bool":
        return written.lower() == "true"
    if kind in ("int", "float"):
        return _number(written)
    return written


def _number(written: str) -> int | float | str:
    """A decimal, hexadecimal or octal number; ``.inf`` and ``.nan`` stay floats and are refused later."""
    plain = written.lower()
    if plain.lstrip("+-") in (".inf", ".nan"):
        return math.nan if plain.endswith("nan") else math.inf
    if len(plain) > 40 or "_" in plain:
        return written
    try:
        return int(plain, 0) if plain.lstrip("+-")[:2] in ("0x", "0o") else int(plain)
    except ValueError:
        pass
    try:
        return float(plain)
    except ValueError:
        return written
