"""Turns what pydantic found into problems that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from safetykit.errors import NO_VALUE, Problem
from safetykit.policy import schema, schema_parts
from safetykit.policy.paths import Path, did_you_mean, dotted
from safetykit.policy.schema_parts import BRANCHES
from safetykit.policy.units import unit_at

_MESSAGES = {
    "missing": "is missing",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be a section with keys",
    "model_type": "must be a section with keys",
    "finite_number": "must be finite",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "greater_than": "is outside the allowed range",
    "greater_than_equal": "is outside the allowed range",
    "less_than": "is outside the allowed range",
    "less_than_equal": "is outside the allowed range",
}
_BOUND_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_PATTERNS = {
    "version": "three numbers, for example 1.0.0",
    "name": "lower-case letters, digits and hyphens, at most 48",
}
_NAME_PATTERN = "lower-case letters, digits and underscores, at most 48, starting with a letter"


def _known_keys() -> frozenset[str]:
    """Every key that occurs anywhere in the schema, for suggestions."""
    models: list[type[BaseModel]] = [schema.PolicyDocument, *schema_parts.Part.__subclasses__()]
    for model in models:  # grows while it is walked through: parts of parts
        models += model.__subclasses__()
    return frozenset(field.alias or key for model in models for key, field in model.model_fields.items())


_KEYS = _known_keys()


def problems_from(error: ValidationError, document: Any, file: str, lines: Mapping[Path, int]) -> list[Problem]:
    """One problem for each error, with key path, value, unit and what is allowed."""
    return [_problem(detail, document, file, lines) for detail in error.errors(include_url=False)]


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """Line of the value at `path`, or of the nearest section around it; 0 = unknown."""
    for end in range(len(path), -1, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 0


def _problem(detail: ErrorDetails, document: Any, file: str, lines: Mapping[Path, int]) -> Problem:
    kind = detail["type"]
    path, is_key = _path(detail["loc"], kind)
    value = NO_VALUE if kind == "missing" or is_key else detail["input"]
    if isinstance(value, Mapping | list) and kind != "model_type":
        value = NO_VALUE
    message, allowed = _wording(kind, detail.get("ctx", {}), path, detail, is_key)
    unit = "" if is_key or kind == "extra_forbidden" else unit_at(path, document)
    return Problem(file, dotted(path), value, message, unit, allowed, line_of(path, lines))


def _path(location: tuple[int | str, ...], kind: str) -> tuple[Path, bool]:
    """(key path, whether the key itself is wrong). An unknown key may be called anything, even like a branch."""
    if kind == "extra_forbidden":
        return (*(part for part in location[:-1] if part not in BRANCHES), location[-1]), False
    is_key = len(location) > 1 and location[-1] == "[key]"
    return tuple(part for part in location[: -1 if is_key else None] if part not in BRANCHES), is_key


def _wording(kind: str, context: Mapping[str, Any], path: Path, detail: ErrorDetails, is_key: bool) -> tuple[str, str]:
    """Message and allowed values."""
    if kind == "extra_forbidden":
        return "unknown key" + did_you_mean(path[-1], _KEYS), ""
    if kind == "literal_error":
        words = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ", ").split(",")]
        given = path[-1] if is_key else detail["input"]
        start = "unknown name" if is_key else "unknown word"
        return start + did_you_mean(given, words), ", ".join(words)
    if kind == "string_pattern_mismatch":
        allowed = _PATTERNS.get(str(path[-1]), _NAME_PATTERN) if len(path) == 1 else _NAME_PATTERN
        return "is not a valid name" if path[-1] != "version" else "is not a version", allowed
    if kind in ("too_long", "too_short"):
        sign = "at most" if kind == "too_long" else "at least"
        limit = context["max_length"] if kind == "too_long" else context["min_length"]
        return f"has {context['actual_length']} entries", f"{sign} {limit}"
    if kind in ("string_too_long", "string_too_short"):
        return _MESSAGES[kind], f"{context.get('min_length', 0)} to {context.get('max_length', 'any')} characters"
    allowed = ", ".join(f"{sign} {context[key]:g}" for key, sign in _BOUND_SIGNS.items() if key in context)
    return _MESSAGES.get(kind, detail["msg"]), allowed
