"""A mapping bound to a policy and to real message classes: all paths proven, all getters and setters compiled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from safetykit.adapters.ros import codec
from safetykit.adapters.ros.mapping import MappingProblems, other_senders, policy_problems, source_inputs
from safetykit.adapters.ros.message_types import (
    INTEGER_RANGES,
    FieldPath,
    MessageTypeError,
    has_header,
    message_class,
    nested_class,
    resolve,
    resolve_identity,
    resolve_list,
    resolve_number,
    resolve_stamp,
    resolve_text,
)
from safetykit.adapters.ros.schema import (
    OBJECT_NUMBERS,
    RECEIPT,
    SOURCE,
    CommandTopic,
    FunctionTopic,
    InputTopic,
    Mapping,
    ObjectsTopic,
    OutputTopic,
    Qos,
    Stamp,
    Value,
)
from safetykit.core import layout as at
from safetykit.errors import NO_VALUE, Problem

if TYPE_CHECKING:
    from safetykit.policy import Policy


Values = Callable[[Any], float]


@dataclass(frozen=True)
class BoundStamp:
    """Where a message's stamp comes from. ``read`` is None for ``receipt`` and ``source``."""

    origin: str  # receipt, source or field
    read: Callable[[Any], int] | None = None  # ns in the clock of the sender
    zero_is_receipt: bool = True


@dataclass(frozen=True)
class BoundReader:
    """One subscription that yields numbers: ``reads[i]`` is the value of channel or input number ``numbers[i]``."""

    topic: str
    type_name: str
    message_class: Any
    qos: Qos
    stamp: BoundStamp
    numbers: tuple[int, ...]
    reads: tuple[Values, ...]
    request_reads: tuple[tuple[int, Callable[[Any], bool]], ...] = ()
    source: str = ""  # of the policy; empty for commands


@dataclass(frozen=True)
class BoundObjects:
    """The subscription that yields the list of objects."""

    topic: str
    type_name: str
    message_class: Any
    qos: Qos
    stamp: BoundStamp
    items: Callable[[Any], Sequence[Any]]
    reads: tuple[tuple[int, Values], ...]  # column of an object, from an item
    constants: tuple[tuple[int, float], ...]
    read_id: Values | None  # from an item


@dataclass(frozen=True)
class BoundFunction:
    """One subscription that yields function numbers, -1 = not on the list."""

    topic: str
    type_name: str
    message_class: Any
    qos: Qos
    read: Callable[[Any], int]


@dataclass(frozen=True)
class BoundOutput:
    """One publication. ``message`` is reused: lists and constants are set once, the rest on every write."""

    topic: str
    type_name: str
    message_class: Any
    qos: Qos
    message: Any
    writes: tuple[tuple[int, codec.Setter], ...]
    request_writes: tuple[tuple[int, codec.Setter], ...]
    write_stamp: Callable[[Any, int], None] | None
    only_alive: bool

    def fill(self, sent: Any, request_bits: int, stamp_ns: int) -> Any:
        """The message for these values. Every mapped field is written anew."""
        for number, write in self.writes:
            write(self.message, float(sent[number]))
        for number, write in self.request_writes:
            write(self.message, float(request_bits >> number & 1))
        if self.write_stamp is not None:
            self.write_stamp(self.message, stamp_ns)
        return self.message


@dataclass(frozen=True)
class Binding:
    """Everything the node needs to know about topics."""

    commands: tuple[BoundReader, ...]
    inputs: tuple[BoundReader, ...]
    functions: tuple[BoundFunction, ...]
    outputs: tuple[BoundOutput, ...]
    others: dict[str, tuple[BoundReader, ...]] = field(default_factory=dict)  # further senders of commands, by name
    objects: BoundObjects | None = None


@dataclass
class _Check:
    """Collects problems while names are resolved."""

    policy: Policy
    file: str
    problems: list[Problem] = field(default_factory=list)

    def attempt(self, key: str, value: Any, call: Callable[..., Any], *arguments: Any) -> Any:
        """Result of the call, or None and one more problem."""
        try:
            return call(*arguments)
        except MessageTypeError as error:
            self.problems.append(Problem(self.file, key, value, str(error)))
            return None

    def add(self, key: str, value: Any, message: str) -> None:
        self.problems.append(Problem(self.file, key, value, message))


def bind(mapping: Mapping, policy: Policy, file: str = "<mapping>") -> Binding:
    """Binds a mapping. Raises MappingError that lists every problem with names, types and fields."""
    check = _Check(policy, file, list(policy_problems(mapping, policy, file)))
    channels = {name: number for number, name in enumerate(policy.channels)}
    sources = source_inputs(policy)
    commands = tuple(_reader(check, f"commands[{i}]", part, channels) for i, part in enumerate(mapping.commands))
    objects = None if mapping.objects is None else _objects(check, mapping.objects)
    binding = Binding(
        commands,
        tuple(
            _reader(check, f"inputs[{i}]", part, {name: k for k, name in enumerate(sources.get(part.source, ()))})
            for i, part in enumerate(mapping.inputs)
        ),
        tuple(_function(check, f"functions[{i}]", part) for i, part in enumerate(mapping.functions)),
        tuple(_output(check, f"outputs[{i}]", part, channels) for i, part in enumerate(mapping.outputs)),
    )
    if check.problems:
        raise MappingProblems(check.problems)
    others = {
        name: tuple(replace(reader, topic=topic) for reader, topic in zip(commands, topics, strict=True))
        for name, topics in other_senders(mapping).items()
    }
    return replace(binding, others=others, objects=objects)


def _paths(check: _Check, key: str, cls: Any, value: Value) -> list[FieldPath]:
    texts = [value.path] if value.path is not None else list(value.norm or ())
    found = [check.attempt(key, text, resolve_number, cls, text) for text in texts]
    return [path for path in found if path is not None]


def _refuse_overlaps(check: _Check, paths: Iterable[tuple[str, FieldPath]], verb: str) -> None:
    """Two names for one field are a copy-and-paste mistake."""
    taken: list[tuple[str, FieldPath]] = []
    for key, path in paths:
        for other_key, other in taken:
            if path.overlaps(other):
                check.add(key, path.text, f"this field is also {verb} by {other_key}")
        taken.append((key, path))


def _reader(check: _Check, place: str, part: CommandTopic | InputTopic, numbers: dict[str, int]) -> Any:
    cls = check.attempt(f"{place}.type", part.type, message_class, part.type)
    if cls is None:
        return None
    reads, wanted, used = [], [], []
    for name, value in part.fields.items():
        key = f"{place}.fields.{name}"
        paths = _paths(check, key, cls, value)
        used += [(key, path) for path in paths if value.path is not None]  # a norm shares its fields with its parts
        if paths and name in numbers:
            wanted.append(numbers[name])
            reads.append(codec.number_getter(paths, value.scale, value.offset))
    requests = []
    for name, text in (part.requests if isinstance(part, CommandTopic) else {}).items():
        path = check.attempt(f"{place}.requests.{name}", text, resolve_number, cls, text)
        if path is not None and name in numbers:
            requests.append((numbers[name], codec.flag_getter(path)))
    _refuse_overlaps(check, used, "read")
    stamp = _stamp_in(check, f"{place}.stamp", cls, part.stamp)
    source = part.source if isinstance(part, InputTopic) else ""
    return BoundReader(
        part.topic, part.type, cls, part.qos, stamp, tuple(wanted), tuple(reads), tuple(requests), source
    )


def _objects(check: _Check, part: ObjectsTopic) -> BoundObjects | None:
    cls = check.attempt("objects.type", part.type, message_class, part.type)
    if cls is None:
        return None
    stamp = _stamp_in(check, "objects.stamp", cls, part.stamp)
    path = check.attempt("objects.items", part.items, resolve_list, cls, part.items)
    item = None if path is None else check.attempt("objects.items", part.items, nested_class, path.leaf)
    if path is None or item is None:
        return None
    reads, used = [], []
    for name, value in part.fields.items():
        key = f"objects.fields.{name}"
        paths = _paths(check, key, item, value)
        if value.path is not None:
            used += [(key, one) for one in paths]
        if paths:
            reads.append((OBJECT_NUMBERS.index(name), codec.number_getter(paths, value.scale, value.offset)))
    _refuse_overlaps(check, used, "read")
    identity = None if part.id is None else check.attempt("objects.id", part.id, resolve_identity, item, part.id)
    return BoundObjects(
        topic=part.topic,
        type_name=part.type,
        message_class=cls,
        qos=part.qos,
        stamp=stamp,
        items=codec.getter(path),
        reads=tuple(reads),
        constants=tuple((OBJECT_NUMBERS.index(name), value) for name, value in part.constants.items()),
        read_id=None if identity is None else codec.identity_getter(identity),
    )


def _stamp_in(check: _Check, key: str, cls: Any, stamp: Stamp | None) -> BoundStamp:
    if stamp is None:
        stamp = Stamp(field="header.stamp" if has_header(cls) else RECEIPT)
    if stamp.field in (RECEIPT, SOURCE):
        if stamp.unit is not None:
            check.add(f"{key}.unit", stamp.unit, f"a stamp from {stamp.field} has no unit")
        return BoundStamp(stamp.field)
    path = _stamp_path(check, key, cls, stamp)
    read = None if path is None else codec.stamp_getter(path, stamp.unit)
    return BoundStamp("field", read, stamp.zero == "receipt")


def _stamp_path(check: _Check, key: str, cls: Any, stamp: Stamp) -> FieldPath | None:
    path: FieldPath | None = check.attempt(key, stamp.field, resolve_stamp, cls, stamp.field)
    if path is not None and (path.leaf.base in INTEGER_RANGES) != (stamp.unit is not None):
        what = "an integer needs a unit: ns, us, ms or s" if stamp.unit is None else "a Time has no unit"
        check.add(key, stamp.field, what)
    return path


def _function(check: _Check, place: str, part: FunctionTopic) -> Any:
    cls = check.attempt(f"{place}.type", part.type, message_class, part.type)
    if cls is None:
        return None
    path = check.attempt(f"{place}.field", part.field, resolve_text, cls, part.field)
    if path is None:
        return None
    if not part.values and not path.leaf.is_text:
        check.add(f"{place}.values", NO_VALUE, f"{part.field!r} is a {path.leaf}: say which value is which function")
    read = codec.getter(path)
    names = part.values or {name: name for name in check.policy.functions}
    table = {text: function_number(check.policy, name) for text, name in names.items()}

    def number(message: Any) -> int:
        try:
            return table.get(_word(read(message)), -1)
        except IndexError:
            return -1

    return BoundFunction(part.topic, part.type, cls, part.qos, number)


def _word(content: Any) -> str:
    """Content of a function field as the mapping file writes it."""
    return str(content).lower() if isinstance(content, bool) else str(content)


def function_number(policy: Policy, name: str) -> int:
    """1-based place in the allow-list; -1 where it is not on it."""
    return policy.functions.index(name) + 1 if name in policy.functions else -1


def _output(check: _Check, place: str, part: OutputTopic, numbers: dict[str, int]) -> Any:
    cls = check.attempt(f"{place}.type", part.type, message_class, part.type)
    if cls is None:
        return None
    used: list[tuple[str, FieldPath]] = []
    writes, request_writes = [], []
    for name, value in part.fields.items():
        key = f"{place}.fields.{name}"
        if value.path is None:
            check.add(key, value.norm, "a norm cannot be written; name one field")
            continue
        for path in _paths(check, key, cls, value):
            used.append((key, path))
            writes.append((numbers.get(name, 0), codec.number_setter(path, value.scale, value.offset)))
    for name, text in part.requests.items():
        path = check.attempt(f"{place}.requests.{name}", text, resolve_number, cls, text)
        if path is not None:
            used.append((f"{place}.requests.{name}", path))
            request_writes.append((numbers.get(name, 0), codec.number_setter(path)))
    constants = _constants(check, place, cls, part)
    used += [(f"{place}.constants.{path.text}", path) for path in constants]
    stamp = _stamp_out(check, f"{place}.stamp", cls, part.stamp)
    write_stamp = None
    if stamp is not None:
        used.append((f"{place}.stamp", stamp))
        write_stamp = codec.stamp_setter(stamp, part.stamp.unit if part.stamp else None)
    _refuse_overlaps(check, used, "written")
    message = codec.prepare(cls, [path for _, path in used], constants)
    only_alive = part.when == "guard_alive"
    return BoundOutput(
        part.topic, part.type, cls, part.qos, message, tuple(writes), tuple(request_writes), write_stamp, only_alive
    )


def _constants(check: _Check, place: str, cls: Any, part: OutputTopic) -> dict[FieldPath, Any]:
    fixed = dict(part.constants)
    keys = {text: f"{place}.constants.{text}" for text in fixed}
    if part.frame_id is not None:
        fixed[part.frame_id.path] = part.frame_id.value
        keys[part.frame_id.path] = f"{place}.frame_id"
    found = {}
    for text, value in fixed.items():
        path = check.attempt(keys[text], value, resolve, cls, text)
        ready = None if path is None else check.attempt(keys[text], value, codec.constant, path.leaf, value)
        if path is not None and ready is not None:
            found[path] = ready
    return found


def _stamp_out(check: _Check, key: str, cls: Any, stamp: Stamp | None) -> FieldPath | None:
    if stamp is None:
        return resolve_stamp(cls, "header.stamp") if has_header(cls) else None
    if stamp.field in (RECEIPT, SOURCE):
        check.add(key, stamp.field, "an output is stamped into a field; name it, or leave this out")
        return None
    return _stamp_path(check, key, cls, stamp)


def neutral_values(policy: Policy) -> tuple[float, ...]:
    """What is sent when there is no guard to ask: every channel's neutral value."""
    rows = (at.L_CHANNEL + number * at.CH_COLS for number in range(len(policy.channels)))
    values = tuple(float(policy.limits[row + at.NEUTRAL]) for row in rows)
    assert all(math.isfinite(value) for value in values), "the policy compiler proves this"
    return values
