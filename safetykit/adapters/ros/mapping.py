"""Mapping files: reading, the mappings that come with the presets, and the check against a policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Dict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from safetykit.adapters.ros.message_types import did_you_mean
from safetykit.adapters.ros.schema import (
    OBJECT_NUMBERS,
    RECEIPT,
    CommandTopic,
    Mapping,
    OutputTopic,
    Stamp,
    Value,
)
from safetykit.errors import NO_VALUE, MappingError, Problem
from safetykit.runtime.paths import MANUAL

if TYPE_CHECKING:
    from safetykit.policy import Policy


STAMPED, UNSTAMPED = "geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist"
FILE_BYTES_MAX = 1_000_000


class MappingProblems(MappingError):
    """A mapping cannot be used. ``problems`` names every reason found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{count} problem{'' if count == 1 else 's'} in the ROS 2 mapping"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


def preset_mappings() -> dict[str, Path]:
    """Mappings that come with the package, by policy name."""
    folder = Path(str(resources.files("safetykit.adapters.ros"))) / "mappings"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_mapping(source: str | Path | None, policy: Policy) -> tuple[Mapping, str]:
    """Mapping and its file name. ``None`` = the one that comes with the policy's name. Raises MappingError."""
    if source is None:
        known = preset_mappings()
        if policy.name not in known:
            message = f"policy {policy.name!r} has no mapping of its own; write one and name it with --mapping"
            raise MappingProblems([Problem("<mapping>", "", NO_VALUE, message, allowed=", ".join(known))])
        source = known[policy.name]
    path = Path(source)
    file = path.name if path.is_absolute() else str(path)
    return parse_mapping(_read(path, file), file), file


def _read(path: Path, file: str) -> Any:
    """The YAML document of a file."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise MappingProblems([Problem(file, "", NO_VALUE, f"is larger than {FILE_BYTES_MAX} bytes")])
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingProblems([Problem(file, "", NO_VALUE, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise MappingProblems([Problem(file, "", NO_VALUE, "is not UTF-8 text")]) from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 0
        what = " ".join(str(getattr(error, "problem", None) or error).split())
        raise MappingProblems([Problem(file, "", NO_VALUE, f"is not YAML: {what}", line=line)]) from error
    except (RecursionError, ValueError) as error:
        raise MappingProblems([Problem(file, "", NO_VALUE, f"is not YAML: {error}")]) from error


def parse_mapping(document: Any, file: str = "<mapping>") -> Mapping:
    """Structure and single values. Raises MappingError that lists every problem."""
    if not isinstance(document, dict):
        raise MappingProblems([Problem(file, "", NO_VALUE, "must be a table of keys, see docs/ros2.md")])
    try:
        return Mapping.model_validate(document)
    except ValidationError as error:
        raise MappingProblems([_problem(file, item) for item in error.errors(include_url=False)]) from error


def _problem(file: str, item: Any) -> Problem:
    """One pydantic error in our words."""
    key = ""
    for part in item["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f"{'.' if key else ''}{part}"
    value: Any = NO_VALUE if item["type"] == "missing" else item["input"]
    messages = {"missing": "is missing", "extra_forbidden": "is not a key of this section"}
    return Problem(file, key, value, messages.get(item["type"], item["msg"].removeprefix("Value error, ")))


def unstamped(mapping: Mapping) -> Mapping:
    """The same mapping with plain Twist in place of TwistStamped (parameter ``enable_stamped_cmd_vel`` false)."""

    def short(path: str) -> str:
        return path.removeprefix("twist.")

    def value(old: Value) -> Value:
        path = None if old.path is None else short(old.path)
        norm = None if old.norm is None else [short(one) for one in old.norm]
        return old.model_copy(update={"path": path, "norm": norm})

    def plain(part: Any) -> Any:
        if part.type != STAMPED:
            return part
        update: dict[str, Any] = {"type": UNSTAMPED, "fields": {name: value(old) for name, old in part.fields.items()}}
        update["requests"] = {name: short(path) for name, path in part.requests.items()}
        if isinstance(part, OutputTopic):
            constants = {short(path): fixed for path, fixed in part.constants.items()}
            update |= {"stamp": None, "frame_id": None, "constants": constants}
        else:
            update["stamp"] = Stamp(field=RECEIPT)
        return part.model_copy(update=update)

    commands = [plain(part) for part in mapping.commands]
    return mapping.model_copy(update={"commands": commands, "outputs": [plain(part) for part in mapping.outputs]})


def with_topics(mapping: Mapping, command: str, output: str) -> Mapping:
    """The same mapping with other topics for the first command and the first output (the ROS parameters)."""
    commands = [mapping.commands[0].model_copy(update={"topic": command}), *mapping.commands[1:]]
    outputs = [mapping.outputs[0].model_copy(update={"topic": output}), *mapping.outputs[1:]]
    return mapping.model_copy(update={"commands": commands, "outputs": outputs})


def resolved(mapping: Mapping, resolve: Callable[[str], str]) -> Mapping:
    """The same mapping with the full names of the topics of commands and outputs, after remaps."""

    def full(part: Any) -> Any:
        return part.model_copy(update={"topic": resolve(part.topic)})

    update: dict[str, Any] = {
        "commands": [full(part) for part in mapping.commands],
        "voters": {name: [resolve(topic) for topic in topics] for name, topics in mapping.voters.items()},
        "manual": None if mapping.manual is None else [resolve(topic) for topic in mapping.manual],
        "outputs": [full(part) for part in mapping.outputs],
    }
    return mapping.model_copy(update=update)


def policy_problems(mapping: Mapping, policy: Policy, file: str) -> Iterator[Problem]:
    """Every channel exactly once on each side, every input of a mapped source exactly once, no unknown name."""
    if mapping.policy is not None and mapping.policy != policy.name:
        yield Problem(file, "policy", mapping.policy, f"the policy in use is {policy.name!r}")
    yield from _channel_problems("commands", mapping.commands, policy, file)
    yield from _channel_problems("outputs", mapping.outputs, policy, file)
    yield from _sender_problems(mapping, policy, file)
    yield from _input_problems(mapping, policy, file)
    yield from _object_problems(mapping, policy, file)
    for place, function in enumerate(mapping.functions):
        for text, name in function.values.items():
            if name not in policy.functions:
                message = f"the policy has no function {name!r}{did_you_mean(name, policy.functions)}"
                yield Problem(file, f"functions[{place}].values.{text}", name, message)
    yield from _loop_problems(mapping, file)


def _channel_problems(
    section: str, topics: Iterable[CommandTopic | OutputTopic], policy: Policy, file: str
) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for place, topic in enumerate(topics):
        for group, names in (("fields", topic.fields), ("requests", topic.requests)):
            for name in names:
                key = f"{section}[{place}].{group}.{name}"
                if name not in policy.channels:
                    hint = did_you_mean(name, policy.channels)
                    yield Problem(file, key, NO_VALUE, f"the policy has no channel {name!r}{hint}")
                elif f"{group}.{name}" in first:
                    yield Problem(file, key, NO_VALUE, f"is already mapped by {first[f'{group}.{name}']}")
                else:
                    first[f"{group}.{name}"] = key
    for name in policy.channels:
        if f"fields.{name}" not in first:
            yield Problem(file, section, NO_VALUE, f"channel {name!r} of the policy is not mapped")


def other_senders(mapping: Mapping) -> Dict[str, list[str]]:
    """Topics of every further sender of commands, by the name of its mailbox's sender."""
    manual = {} if mapping.manual is None else {MANUAL: mapping.manual}
    return {**mapping.voters, **manual}


def _sender_problems(mapping: Mapping, policy: Policy, file: str) -> Iterator[Problem]:
    """Every further voter, and the operator where the policy lets one drive; each with one topic per command topic."""
    first, further = policy.voters[:1], policy.voters[1:]
    for name in mapping.voters:
        if name in first:
            yield Problem(file, f"voters.{name}", NO_VALUE, "is the first voter, which sends on the topics of commands")
        elif name not in further:
            message = f"the policy has no voter {name!r}{did_you_mean(name, further)}"
            yield Problem(file, f"voters.{name}", NO_VALUE, message)
    for name in further:
        if name not in mapping.voters:
            yield Problem(file, "voters", NO_VALUE, f"voter {name!r} of the policy is not mapped")
    if policy.document.manual is None and mapping.manual is not None:
        yield Problem(file, "manual", NO_VALUE, "the policy has no section manual")
    if policy.document.manual is not None and mapping.manual is None:
        yield Problem(file, "manual", NO_VALUE, "is missing: the policy lets the operator drive")
    for key, topics in _sender_keys(mapping):
        if len(topics) != len(mapping.commands):
            message = "must name one topic for each of commands, in the same order"
            yield Problem(file, key, topics, message, allowed=f"{len(mapping.commands)} topics")


def _sender_keys(mapping: Mapping) -> Iterator[tuple[str, list[str]]]:
    for name, topics in other_senders(mapping).items():
        yield (f"voters.{name}" if name in mapping.voters else MANUAL), topics


def _object_problems(mapping: Mapping, policy: Policy, file: str) -> Iterator[Problem]:
    """The list of objects where the policy has one; every number of an object exactly once."""
    wanted, part = policy.document.objects, mapping.objects
    if wanted is None and part is not None:
        yield Problem(file, "objects", NO_VALUE, "the policy has no section objects")
    if wanted is not None and part is None:
        yield Problem(file, "objects", NO_VALUE, "is missing: the policy has a list of objects")
    if part is None:
        return
    for name in OBJECT_NUMBERS:
        if name in part.fields and name in part.constants:
            message = "is already mapped by objects.fields"
            yield Problem(file, f"objects.constants.{name}", part.constants[name], message)
        if name not in part.fields and name not in part.constants:
            yield Problem(file, "objects", NO_VALUE, f"number {name!r} of an object is neither a field nor a constant")


def _input_problems(mapping: Mapping, policy: Policy, file: str) -> Iterator[Problem]:
    sources = source_inputs(policy)
    seen: dict[str, str] = {}
    for place, topic in enumerate(mapping.inputs):
        if topic.source not in sources:
            message = f"the policy has no source {topic.source!r}{did_you_mean(topic.source, sources)}"
            yield Problem(file, f"inputs[{place}].source", topic.source, message)
            continue
        for name in topic.fields:
            key = f"inputs[{place}].fields.{name}"
            if name not in sources[topic.source]:
                hint = did_you_mean(name, sources[topic.source])
                yield Problem(file, key, NO_VALUE, f"source {topic.source!r} has no input {name!r}{hint}")
            elif name in seen:
                yield Problem(file, key, NO_VALUE, f"is already mapped by {seen[name]}")
            else:
                seen[name] = key
    for source in {topic.source: None for topic in mapping.inputs if topic.source in sources}:
        for name in sources[source]:
            if name not in seen:
                yield Problem(file, "inputs", NO_VALUE, f"input {name!r} of source {source!r} is not mapped")


def _loop_problems(mapping: Mapping, file: str) -> Iterator[Problem]:
    """An output that feeds a command is a loop; two commands on one topic would fight over its publisher."""
    heard = {part.topic: f"commands[{place}]" for place, part in enumerate(mapping.commands)}
    for key, names in _sender_keys(mapping):
        for own in names:
            if own in heard:
                yield Problem(file, key, own, f"is also read by {heard[own]}: every sender needs topics of its own")
            heard.setdefault(own, key)
    for place, output in enumerate(mapping.outputs):
        if output.topic in heard:
            message = f"is also read by {heard[output.topic]}: the guard would listen to itself"
            yield Problem(file, f"outputs[{place}].topic", output.topic, message)
    for section, topics in (("commands", mapping.commands), ("outputs", mapping.outputs)):
        for topic, count in Counter(part.topic for part in topics).items():
            if count > 1:
                yield Problem(file, section, topic, f"this topic is named {count} times")


def source_inputs(policy: Policy) -> Dict[str, tuple[str, ...]]:
    """Names of the inputs of every source, in policy order."""
    return {source.name: tuple(policy.inputs[index] for index in source.inputs) for source in policy.sources}


def unmapped_sources(mapping: Mapping, policy: Policy) -> tuple[str, ...]:
    """Sources that somebody else must feed, or that stay silent."""
    mapped = {topic.source for topic in mapping.inputs}
    return tuple(source.name for source in policy.sources if source.name not in mapped)
