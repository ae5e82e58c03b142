"""Field paths turned into fast getters and setters, once, at start.

Reading never raises: a value that is not there (a list that is too short) reads as NaN, which the guard rejects.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter, itemgetter
from typing import Any

from safetykit.adapters.ros.message_types import (
    FLOAT32_MAX,
    FLOAT_TYPES,
    INTEGER_RANGES,
    TIME_TYPES,
    FieldPath,
    FieldType,
    MessageTypeError,
    nested_class,
)
from safetykit.core.columns.objects import ID_MAX

NS_PER_S = 1_000_000_000
DIGITS_MAX = len(str(ID_MAX))  # of a text that is taken for a number
UNIT_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": NS_PER_S}
ARRAY_CODES = {"double": "d", "float": "f", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H",
               "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}  # fmt: skip

Getter = Callable[[Any], float]
Setter = Callable[[Any, float], None]


def _walk(path: FieldPath, *, to_parent: bool = False) -> tuple[Callable[[Any], Any], ...]:
    """Callables that lead from a message to the end of a path; ``to_parent`` stops before the last attribute."""
    calls: list[Callable[[Any], Any]] = []
    names: list[str] = []

    def flush() -> None:
        if names:
            calls.append(attrgetter(".".join(names)))
            names.clear()

    last = len(path.steps) - 1
    for position, step in enumerate(path.steps):
        if not (to_parent and position == last and step.index is None):
            names.append(step.name)
        if step.index is not None:
            flush()
            if not (to_parent and position == last):
                calls.append(itemgetter(step.index))
    flush()
    return tuple(calls)


def getter(path: FieldPath) -> Callable[[Any], Any]:
    """Reads the end of a path. Raises IndexError where a list is too short."""
    calls = _walk(path)
    if len(calls) == 1:
        return calls[0]

    def read(message: Any) -> Any:
        for call in calls:
            message = call(message)
        return message

    return read


def number_getter(paths: Sequence[FieldPath], scale: float = 1.0, offset: float = 0.0) -> Getter:
    """Reads a number or bool, or the norm of several, as float; NaN where it is missing."""
    reads = tuple(getter(path) for path in paths)

    def read(message: Any) -> float:
        try:
            if len(reads) == 1:
                value = float(reads[0](message))
            else:
                value = math.hypot(*[float(one(message)) for one in reads])
        except (IndexError, OverflowError, TypeError, ValueError):
            return math.nan
        return value * scale + offset

    return read


def flag_getter(path: FieldPath) -> Callable[[Any], bool]:
    """Reads an actuation request: true for 1, false for 0, NaN or a missing value."""
    read = number_getter([path])
    return lambda message: read(message) >= 0.5


def _hashed(content: bytes) -> float:
    """A number of 48 bits for any content; 0 for none."""
    return float(1 + int.from_bytes(blake2b(content, digest_size=6).digest(), "little")) if any(content) else 0.0


def identity_getter(path: FieldPath) -> Getter:
    """Reads an identity as a whole number from 0 to ID_MAX; 0 = none: missing, empty, all bytes zero, below zero.

    A number, or a text with a number, that is small enough stays itself. Anything else becomes a number by its hash:
    the same text is the same number, and two texts are as good as never.
    """
    read, leaf = getter(path), path.leaf

    def read_identity(item: Any) -> float:
        try:
            content = read(item)
        except IndexError:
            return 0.0
        if leaf.is_list:
            return _hashed(bytes(bytearray(content)))
        if leaf.is_text:
            if not content.isascii() or not content.isdigit() or len(content) > DIGITS_MAX:
                return _hashed(content.encode(errors="surrogatepass"))
            if str(int(content)) != content:
                return _hashed(content.encode())
        number = max(int(content), 0)
        return float(number) if number <= ID_MAX else _hashed(str(number).encode())

    return read_identity


def stamp_getter(path: FieldPath, unit: str | None) -> Callable[[Any], int]:
    """Reads a stamp in ns. A list that is too short reads as 0."""
    read = getter(path)
    if path.leaf.base in TIME_TYPES:

        def read_time(message: Any) -> int:
            try:
                stamp = read(message)
            except IndexError:
                return 0
            return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)

        return read_time
    factor = UNIT_NS[unit or "ns"]

    def read_integer(message: Any) -> int:
        try:
            return int(read(message)) * factor
        except IndexError:
            return 0

    return read_integer


def _as_leaf(leaf: FieldType) -> Callable[[float], Any]:
    """Turns a float into what the field holds: integers are rounded and kept in range, NaN becomes 0 there."""
    if leaf.is_bool:
        return lambda value: value >= 0.5
    if leaf.base in INTEGER_RANGES:
        low, high = INTEGER_RANGES[leaf.base]
        return lambda value: round(min(max(value, low), high)) if math.isfinite(value) else 0
    if leaf.base in ("float", "float32"):
        return lambda value: min(max(float(value), -FLOAT32_MAX), FLOAT32_MAX)
    return float


def _assign(path: FieldPath) -> Callable[[Any, Any], None]:
    """Writes any object to the end of a path."""
    calls = _walk(path, to_parent=True)
    last = path.steps[-1]

    def write(message: Any, value: Any) -> None:
        for call in calls:
            message = call(message)
        if last.index is None:
            setattr(message, last.name, value)
        else:
            message[last.index] = value

    return write


def number_setter(path: FieldPath, scale: float = 1.0, offset: float = 0.0) -> Setter:
    """Writes a number into a prepared message (see `prepare`)."""
    convert = _as_leaf(path.leaf)
    assign = _assign(path)

    def write(message: Any, value: float) -> None:
        assign(message, convert(value * scale + offset))

    return write


def stamp_setter(path: FieldPath, unit: str | None) -> Callable[[Any, int], None]:
    """Writes a stamp given in ns."""
    if path.leaf.base in TIME_TYPES:
        read = getter(path)

        def write_time(message: Any, stamp_ns: int) -> None:
            stamp = read(message)
            stamp.sec, stamp.nanosec = divmod(stamp_ns, NS_PER_S)

        return write_time
    factor = UNIT_NS[unit or "ns"]
    low, high = INTEGER_RANGES[path.leaf.base]
    assign = _assign(path)
    return lambda message, stamp_ns: assign(message, min(max(stamp_ns // factor, low), high))


def constant(leaf: FieldType, value: Any) -> Any:
    """A fixed value as the field holds it. Raises MessageTypeError where it does not fit."""
    if leaf.is_list:
        return _constant_list(leaf, value)
    if leaf.is_bool and isinstance(value, bool):
        return value
    if leaf.is_text and isinstance(value, str):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and leaf.base in FLOAT_TYPES:
        if leaf.base in ("float", "float32") and math.isfinite(value) and abs(value) > FLOAT32_MAX:
            raise MessageTypeError(f"{value!r} does not fit into a {leaf}")
        return float(value)
    if number and leaf.base in INTEGER_RANGES and isinstance(value, int):
        low, high = INTEGER_RANGES[leaf.base]
        if not low <= value <= high:
            raise MessageTypeError(f"{value!r} does not fit into a {leaf}: {low} to {high}")
        return value
    raise MessageTypeError(f"{value!r} is not a {leaf}")


def _constant_list(leaf: FieldType, value: Any) -> Any:
    if not isinstance(value, list) or leaf.is_message:
        raise MessageTypeError(f"{value!r} is not a {leaf}")
    item = FieldType(leaf.base)
    if leaf.size is not None and len(value) != leaf.size:
        raise MessageTypeError(f"{len(value)} items given, {leaf} needs {leaf.size}")
    if leaf.bound is not None and len(value) > leaf.bound:
        raise MessageTypeError(f"{len(value)} items given, {leaf} holds at most {leaf.bound}")
    items = [constant(item, one) for one in value]
    return array(ARRAY_CODES[leaf.base], items) if leaf.base in ARRAY_CODES else items


def _blank(leaf: FieldType) -> Any:
    """One default item of a list."""
    if leaf.is_message:
        return nested_class(leaf)()
    if leaf.is_bool:
        return False
    if leaf.is_text:
        return ""
    return 0.0 if leaf.base in FLOAT_TYPES else 0


def prepare(cls: Any, paths: Sequence[FieldPath], constants: Mapping[FieldPath, Any]) -> Any:
    """A message whose lists are long enough for every path and whose constants are set; everything else is default."""
    message = cls()
    for path, value in constants.items():
        if path.leaf.is_list:
            _lengthen(message, path)
            _assign(path)(message, value)
    for path in paths:
        _lengthen(message, path)
    for path, value in constants.items():
        if not path.leaf.is_list:
            _lengthen(message, path)
            _assign(path)(message, value)
    return message


def _lengthen(message: Any, path: FieldPath) -> None:
    for step in path.steps:
        if step.index is not None and step.type.size is None:
            items = getattr(message, step.name)
            for _ in range(step.index + 1 - len(items)):
                items.append(_blank(FieldType(step.type.base)))
        message = getattr(message, step.name)
        if step.index is not None:
            message = message[step.index]
