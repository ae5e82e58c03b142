"""Edits of a preset's plain document by dotted path, and the command line run in this process."""

from __future__ import annotations

import copy
import functools
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from safetykit.adapters import cli

DELETE: Any = object()
_PART = re.compile(r"[^.\[\]]+|\[\d+\]")


@functools.cache
def _read(preset: str) -> Any:
    raw = resources.files("safetykit.policy").joinpath("presets", f"{preset}.yaml").read_bytes()
    return YAML(typ="safe", pure=True).load(raw)


def plain(preset: str) -> dict[str, Any]:
    """A fresh plain document of a preset."""
    document: dict[str, Any] = copy.deepcopy(_read(preset))
    return document


def edited(preset: str, edits: dict[str, Any]) -> dict[str, Any]:
    """The preset with values set, or removed by DELETE, at dotted paths like ``recovery[0].set.vx_mps``."""
    document = plain(preset)
    for path, given in edits.items():
        value = given if given is DELETE else copy.deepcopy(given)  # a later edit may go into this one
        parts = [int(part[1:-1]) if part.startswith("[") else part for part in _PART.findall(path)]
        node: Any = document
        for part in parts[:-1]:
            node = node.setdefault(part, {}) if isinstance(node, dict) else node[part]
        if value is DELETE:
            del node[parts[-1]]
        elif isinstance(node, list) and parts[-1] == len(node):
            node.append(value)
        else:
            node[parts[-1]] = value
    plainest: dict[str, Any] = json.loads(json.dumps(document))  # no object twice: YAML would write an alias
    return plainest


def write_yaml(document: dict[str, Any], file: Path) -> Path:
    """Write a plain document, keys in their order."""
    YAML(pure=True).dump(document, file)
    return file


def run_cli(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of ``safetykit ...``."""
    monkeypatch.setattr("sys.argv", ["safetykit", *arguments])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    code = leaving.value.code
    return code if isinstance(code, int) else 0
