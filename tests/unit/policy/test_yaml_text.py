"""Scalars by the YAML 1.2 core schema, and the line of every key."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.policy.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("+5", 5),
        ("-5", -5),
        ("012", 12),  # not octal
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("'5'", "5"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("9" * 50, "9" * 50),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_scalar(written: str, value: Any) -> None:
    text = read_yaml(f"a: {written}\n".encode(), "f")
    assert text.problems == []
    assert text.data == {"a": value}
    assert type(text.data["a"]) is type(value)


@pytest.mark.parametrize("written", [".inf", "-.inf", "+.INF", ".nan", ".NaN"])
def test_not_finite(written: str) -> None:
    value = read_yaml(f"a: {written}\n".encode(), "f").data["a"]
    assert not math.isfinite(value)


def test_lines() -> None:
    text = read_yaml(b"a: 1\nb:\n  - c: 2\n    d:\n      3\n", "f")
    assert text.lines[("a",)] == 1
    assert text.lines[("b",)] == 2
    assert text.lines[("b", 0, "c")] == 3
    assert text.lines[("b", 0, "d")] == 4


def test_a_byte_order_mark_is_no_content() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1\n", "f").data == {"a": 1}
