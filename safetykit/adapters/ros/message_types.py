"""What a ROS message type offers: names and types of its fields, found through the class itself, without rclpy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple

TYPE_NAME = re.compile(r"([a-z][a-z0-9_]*)/msg/([A-Z][A-Za-z0-9]*)")
_STEP = re.compile(r"([a-z][a-z0-9_]*)(?:\[(\d+)\])?", re.IGNORECASE)
_FIELD_TYPE = re.compile(r"(?:sequence<(?P<item>.+?)(?:, (?P<bound>\d+))?>|(?P<base>.+?)(?:\[(?P<size>\d+)\])?)")
INDEX_MAX = 4096  # no vehicle command is longer; keeps a typing error from reserving memory

TIME_TYPES = ("builtin_interfaces/Time",)
FLOAT_TYPES = ("double", "float", "float32", "float64")
INTEGER_RANGES: dict[str, tuple[int, int]] = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
FLOAT32_MAX = 3.4028234663852886e38


class MessageTypeError(ValueError):
    """A type or a field path that does not exist or cannot be used; the text says why."""


class FieldType(NamedTuple):
    """Type of one field: ``double``, ``double[36]``, ``sequence<float, 3>``, ``geometry_msgs/Twist``."""

    base: str
    is_list: bool = False
    size: int | None = None  # items of a fixed array
    bound: int | None = None  # most items of a bounded sequence

    @property
    def is_number(self) -> bool:
        return not self.is_list and (self.base in FLOAT_TYPES or self.base in INTEGER_RANGES)

    @property
    def is_bool(self) -> bool:
        return not self.is_list and self.base == "boolean"

    @property
    def is_text(self) -> bool:
        return not self.is_list and self.base.split("<")[0] in ("string", "wstring")

    @property
    def is_message(self) -> bool:
        return "/" in self.base

    def __str__(self) -> str:
        if not self.is_list:
            return self.base
        return f"{self.base}[{self.size}]" if self.size is not None else f"sequence<{self.base}>"


@dataclass(frozen=True)
class Step:
    """One step of a field path: the attribute and, in a list, the item."""

    name: str
    index: int | None
    type: FieldType  # of the attribute itself, before the index


@dataclass(frozen=True)
class FieldPath:
    """A field path proven against a message class."""

    text: str
    steps: tuple[Step, ...]
    leaf: FieldType  # after the last index

    def overlaps(self, other: FieldPath) -> bool:
        """True where one path contains the other."""
        ours = [(step.name, step.index) for step in self.steps]
        theirs = [(step.name, step.index) for step in other.steps]
        for (name, index), (name_2, index_2) in zip(ours, theirs, strict=False):
            if name != name_2:
                return False
            if index != index_2:
                return index is None or index_2 is None
        return True


def parse_field_type(text: str) -> FieldType:
    """``sequence<double, 3>`` and its like, as ``get_fields_and_field_types()`` writes them."""
    match = _FIELD_TYPE.fullmatch(text)
    if match is None:
        raise MessageTypeError(f"field type {text!r} is not understood")
    if match["item"]:
        return FieldType(match["item"], True, None, int(match["bound"]) if match["bound"] else None)
    return FieldType(match["base"], match["size"] is not None, int(match["size"]) if match["size"] else None)


def did_you_mean(word: str, known: Any) -> str:
    """``; did you mean 'x'?``, or the known words when none is close."""
    words = [str(item) for item in known]
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(words)}" if words and len(words) <= 12 else ""


def message_class(name: str) -> Any:
    """The class of ``package/msg/Type``. Raises MessageTypeError."""
    match = TYPE_NAME.fullmatch(name)
    if match is None:
        raise MessageTypeError(f"{name!r} is not a message type; write package/msg/Type, as ros2 interface list does")
    package, type_name = match.groups()
    try:
        module = import_module(f"{package}.msg")
    except ImportError as error:
        raise MessageTypeError(
            f"package {package!r} cannot be imported ({error}); install it, or source the workspace that has it"
        ) from error
    found = getattr(module, type_name, None)
    if found is None or not hasattr(found, "get_fields_and_field_types"):
        types = [key for key, value in vars(module).items() if hasattr(value, "get_fields_and_field_types")]
        raise MessageTypeError(f"package {package!r} has no message {type_name!r}{did_you_mean(type_name, types)}")
    return found


def nested_class(field: FieldType) -> Any:
    """Class of a field that is itself a message: ``geometry_msgs/Twist``."""
    package, _, type_name = field.base.rpartition("/")
    return message_class(f"{package.removesuffix('/msg')}/msg/{type_name}")


def field_types(cls: Any) -> dict[str, FieldType]:
    """Fields of a message class in order."""
    return {name: parse_field_type(text) for name, text in cls.get_fields_and_field_types().items()}


def resolve(cls: Any, text: str) -> FieldPath:
    """Proves ``twist.linear.x`` or ``points[0].positions[2]`` against a class. Raises MessageTypeError."""
    steps: list[Step] = []
    present: Any = cls
    leaf = FieldType(cls.__name__)
    words = text.split(".")
    for position, word in enumerate(words):
        match = _STEP.fullmatch(word)
        if match is None:
            raise MessageTypeError(f"{text!r} is not a field path; write name.name[index].name")
        name, index = match[1], None if match[2] is None else int(match[2])
        known = field_types(present)
        if name not in known:
            raise MessageTypeError(f"{present.__name__} has no field {name!r}{did_you_mean(name, known)}")
        field = known[name]
        leaf = _item(text, field, name, index)
        steps.append(Step(name, index, field))
        if position < len(words) - 1:
            if leaf.is_list:
                raise MessageTypeError(
                    f"{name!r} in {text!r} is a list ({leaf}); say which item, for example {name}[0]"
                )
            if not leaf.is_message:
                raise MessageTypeError(f"{name!r} in {text!r} is a {leaf} and has no fields")
            present = nested_class(leaf)
    return FieldPath(text, tuple(steps), leaf)


def _item(text: str, field: FieldType, name: str, index: int | None) -> FieldType:
    """Type behind ``name`` or ``name[index]``."""
    if index is None:
        return field
    if not field.is_list:
        raise MessageTypeError(f"{name!r} in {text!r} is a {field}, not a list")
    most = field.size if field.size is not None else field.bound
    if most is None:
        most = INDEX_MAX
    if index >= most:
        raise MessageTypeError(f"{name}[{index}] in {text!r} is out of range: items 0 to {most - 1}")
    return FieldType(field.base)


def resolve_number(cls: Any, text: str) -> FieldPath:
    """A path whose end is a number or a bool. Raises MessageTypeError."""
    path = resolve(cls, text)
    if not (path.leaf.is_number or path.leaf.is_bool):
        hint = f"; say which item, for example {text}[0]" if path.leaf.is_list else ""
        if path.leaf.is_message and not path.leaf.is_list:
            hint = f"; fields of it: {', '.join(field_types(nested_class(path.leaf)))}"
        raise MessageTypeError(f"{text!r} is a {path.leaf}, a number or bool is needed{hint}")
    return path


def resolve_stamp(cls: Any, text: str) -> FieldPath:
    """A path whose end is a ``builtin_interfaces/Time`` or an integer. Raises MessageTypeError."""
    path = resolve(cls, text)
    if not path.leaf.is_list and (path.leaf.base in TIME_TYPES or path.leaf.base in INTEGER_RANGES):
        return path
    raise MessageTypeError(f"{text!r} is a {path.leaf}, a builtin_interfaces/Time or an integer is needed")


def resolve_text(cls: Any, text: str) -> FieldPath:
    """A path whose end is a string, an integer or a bool. Raises MessageTypeError."""
    path = resolve(cls, text)
    if path.leaf.is_text or path.leaf.is_bool or (not path.leaf.is_list and path.leaf.base in INTEGER_RANGES):
        return path
    raise MessageTypeError(f"{text!r} is a {path.leaf}, a string, an integer or a bool is needed")


def resolve_list(cls: Any, text: str) -> FieldPath:
    """A path whose end is a list of messages, and that is there in every message. Raises MessageTypeError."""
    path = resolve(cls, text)
    if not (path.leaf.is_list and path.leaf.is_message):
        raise MessageTypeError(f"{text!r} is a {path.leaf}, a list of messages is needed")
    if any(step.index is not None for step in path.steps):
        # an item that is missing would read as an empty list, which says that nothing is there
        raise MessageTypeError(f"{text!r} leads through an item of another list, which may be missing")
    return path


def resolve_identity(cls: Any, text: str) -> FieldPath:
    """A path whose end is an integer, a string or a list of bytes (UUID). Raises MessageTypeError."""
    path = resolve(cls, text)
    leaf = path.leaf
    if leaf.is_text or leaf.base == "uint8" or (not leaf.is_list and leaf.base in INTEGER_RANGES):
        return path
    raise MessageTypeError(f"{text!r} is a {leaf}, an integer, a string or a list of uint8 is needed")


def has_header(cls: Any) -> bool:
    """True where the message carries a ``std_msgs/Header`` named ``header``."""
    return bool(cls.get_fields_and_field_types().get("header") == "std_msgs/Header")
