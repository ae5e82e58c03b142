"""Mapping files: what is good binds, what is bad gives one message that names every problem."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safetykit.adapters.ros.binding import bind
from safetykit.adapters.ros.mapping import (
    MappingProblems,
    load_mapping,
    parse_mapping,
    policy_problems,
    preset_mappings,
    unmapped_sources,
    unstamped,
    with_topics,
)
from safetykit.errors import MappingError
from safetykit.policy import PRESETS, Policy, load_policy

Document = dict[str, Any]
Change = Callable[[Document], Any]


def put(*path: Any) -> Change:
    """Sets the last of `path` as value at the keys before it."""
    *keys, last, value = path

    def change(document: Document) -> None:
        part: Any = document
        for key in keys:
            part = part[key]
        part[last] = value

    return change


def drop(*path: Any) -> Change:
    *keys, last = path

    def change(document: Document) -> None:
        part: Any = document
        for key in keys:
            part = part[key]
        del part[last]

    return change


FIELDS = ("commands", 0, "fields")
OUT = ("outputs", 0)
BAD: dict[str, tuple[Change, str]] = {
    "no format": (drop("format"), "format: is missing"),
    "other format": (put("format", 2), "format = 2"),
    "unknown key": (put("command", []), "command"),
    "no commands": (drop("commands"), "commands: is missing"),
    "empty commands": (put("commands", []), "at least 1 item"),
    "commands is no list": (put("commands", {}), "valid list"),
    "no outputs": (drop("outputs"), "outputs: is missing"),
    "other policy": (put("policy", "quadrotor"), "the policy in use is 'rover'"),
    "topic with space": (put("commands", 0, "topic", "cmd vel"), "commands[0].topic"),
    "topic is a number": (put("commands", 0, "topic", 7), "valid string"),
    "type without msg": (put("commands", 0, "type", "demo_msgs/Command"), "write package/msg/Type"),
    "unknown package": (put("commands", 0, "type", "no_such_msgs/msg/Command"), "package 'no_such_msgs' cannot be"),
    "unknown type": (put("commands", 0, "type", "demo_msgs/msg/Comand"), "did you mean 'Command'"),
    "unknown channel": (put(*FIELDS, "linear_mp", "vector.y"), "did you mean 'linear_mps'"),
    "channel missing": (drop(*FIELDS, "angular_radps"), "channel 'angular_radps' of the policy is not mapped"),
    "channel missing in output": (drop(*OUT, "fields", "linear_mps"), "outputs: channel 'linear_mps'"),
    "unknown field": (put(*FIELDS, "linear_mps", "vectr.x"), "did you mean 'vector'"),
    "unknown nested field": (put(*FIELDS, "linear_mps", "vector.w"), "Vector has no field 'w'"),
    "field of a number": (put(*FIELDS, "linear_mps", "speed.x"), "has no fields"),
    "not a number": (put(*FIELDS, "linear_mps", "mode"), "a number or bool is needed"),
    "a message, not a number": (put(*FIELDS, "linear_mps", "vector"), "fields of it: x, y, z"),
    "a list, not a number": (put(*FIELDS, "linear_mps", "data"), "for example data[0]"),
    "index of a number": (put(*FIELDS, "linear_mps", "speed[0]"), "not a list"),
    "index out of an array": (put(*FIELDS, "linear_mps", "fixed[3]"), "items 0 to 2"),
    "index out of a bounded list": (put(*FIELDS, "linear_mps", "few[2]"), "items 0 to 1"),
    "huge index": (put(*FIELDS, "linear_mps", "data[99999999]"), "out of range"),
    "negative index": (put(*FIELDS, "linear_mps", "data[-1]"), "not a field path"),
    "empty path": (put(*FIELDS, "linear_mps", ""), "commands[0].fields.linear_mps.path"),
    "path with spaces": (put(*FIELDS, "linear_mps", "vector . x"), "not a field path"),
    "list without item": (put(*FIELDS, "linear_mps", "points.x"), "say which item"),
    "same field twice": (put(*FIELDS, "linear_mps", "vector.z"), "also read by"),
    "scale zero": (put(*FIELDS, "linear_mps", {"path": "vector.x", "scale": 0.0}), "scale 0"),
    "scale infinite": (put(*FIELDS, "linear_mps", {"path": "vector.x", "scale": float("inf")}), "scale"),
    "scale as text": (put(*FIELDS, "linear_mps", {"path": "vector.x", "scale": "2"}), "valid number"),
    "path and norm": (put(*FIELDS, "linear_mps", {"path": "vector.x", "norm": ["speed", "gear"]}), "either path"),
    "neither path nor norm": (put(*FIELDS, "linear_mps", {"scale": 2.0}), "either path or norm"),
    "norm written": (put(*OUT, "fields", "linear_mps", {"norm": ["speed", "vector.y"]}), "norm cannot be written"),
    "unknown stamp": (put("commands", 0, "stamp", "header.time"), "Header has no field 'time'"),
    "stamp is no time": (put("commands", 0, "stamp", "mode"), "a builtin_interfaces/Time or an integer"),
    "integer stamp without unit": (put("commands", 0, "stamp", "timestamp"), "an integer needs a unit"),
    "time stamp with unit": (
        put("commands", 0, "stamp", {"field": "header.stamp", "unit": "us"}),
        "a Time has no unit",
    ),
    "receipt with unit": (put("commands", 0, "stamp", {"field": "receipt", "unit": "us"}), "has no unit"),
    "unknown unit": (put("commands", 0, "stamp", {"field": "timestamp", "unit": "min"}), "commands[0].stamp.unit"),
    "output stamped by receipt": (put(*OUT, "stamp", "receipt"), "an output is stamped into a field"),
    "unknown source": (put("inputs", 0, "source", "vehicel"), "did you mean 'vehicle'"),
    "unknown input": (put("inputs", 0, "fields", "speed_mph", "more"), "has no input 'speed_mph'"),
    "input of another source": (put("inputs", 0, "fields", "engage", "more"), "source 'vehicle' has no input 'engage'"),
    "input missing": (drop("inputs", 0, "fields", "speed_mps"), "input 'speed_mps' of source 'vehicle' is not mapped"),
    "input twice": (lambda d: d["inputs"].append(copy.deepcopy(d["inputs"][1])), "is already mapped by inputs[1]"),
    "unknown request channel": (put("commands", 0, "requests", {"steer": "active"}), "no channel 'steer'"),
    "unknown request field": (put("commands", 0, "requests", {"linear_mps": "actve"}), "did you mean 'active'"),
    "unknown quality of service": (put("commands", 0, "qos", {"reliability": "high"}), "qos.reliability"),
    "depth zero": (put("commands", 0, "qos", {"depth": 0}), "qos.depth"),
    "unknown function": (put("functions", 0, "values", {"1": "hron"}), "did you mean 'horn'"),
    "function field is a number": (
        lambda d: d["functions"][0].update(type="demo_msgs/msg/Bare", field="command"),
        "say which value is which function",
    ),
    "function field is a float": (
        lambda d: d["functions"][0].update(type="demo_msgs/msg/Bare", field="linear"),
        "a string, an integer or a bool is needed",
    ),
    "constant of the wrong kind": (put(*OUT, "constants", {"gear": "first"}), "is not a uint8"),
    "constant out of range": (put(*OUT, "constants", {"gear": 256}), "does not fit into a uint8"),
    "constant over a channel": (put(*OUT, "constants", {"vector.x": 0.0}), "also written by"),
    "constant bool as number": (put(*OUT, "constants", {"active": 1}), "is not a boolean"),
    "constant list too long": (put(*OUT, "constants", {"fixed": [1.0, 2.0, 3.0, 4.0]}), "needs 3"),
    "constant list of text": (put(*OUT, "constants", {"data": ["a"]}), "is not a double"),
    "constant field unknown": (put(*OUT, "constants", {"geer": 1}), "did you mean 'gear'"),
    "frame without header": (
        lambda d: d["outputs"][0].update(
            type="demo_msgs/msg/Bare", frame_id="map", fields={"linear_mps": "linear", "angular_radps": "angular"}
        ),
        "outputs[0].frame_id",
    ),
    "output feeds the command": (put(*OUT, "topic", "cmd"), "the guard would listen to itself"),
    "two outputs on one topic": (
        lambda d: d["outputs"].append({"topic": "out", "type": "std_msgs/msg/Bool"}),
        "2 times",
    ),
}


def problems_of(document: Any, policy: Policy) -> tuple[str, ...]:
    try:
        bind(parse_mapping(document, "m.yaml"), policy, "m.yaml")
    except MappingProblems as error:
        return tuple(str(error).splitlines()[1:])
    return ()


def test_the_good_mapping_binds(document: Document, policy: Policy) -> None:
    assert problems_of(document, policy) == ()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_mapping_is_one_clear_problem(name: str, document: Document, policy: Policy) -> None:
    change, expected = BAD[name]
    change(document)
    found = problems_of(document, policy)
    assert any(expected in problem for problem in found), found
    assert all(problem.startswith("  m.yaml: ") for problem in found)


@pytest.mark.parametrize("document", [None, [], "text", 7], ids=repr)
def test_a_document_that_is_no_table(document: Any, policy: Policy) -> None:
    assert "must be a table" in problems_of(document, policy)[0]


def test_all_problems_come_at_once(document: Document, policy: Policy) -> None:
    for name in ("unknown type", "unknown source", "unknown function", "constant out of range"):
        BAD[name][0](document)
    found = problems_of(document, policy)
    for name in ("unknown type", "unknown source", "unknown function", "constant out of range"):
        assert any(BAD[name][1] in problem for problem in found), name


FILES = {
    "not there": (None, "cannot be read"),
    "not utf-8": (b"\xff\xfe\x00", "is not UTF-8"),
    "not yaml": (b"a: [1, 2", "is not YAML"),
    "key twice": (b"format: 1\nformat: 1\n", "is not YAML"),
    "two documents": (b"a: 1\n---\nb: 2\n", "is not YAML"),
    "a python object": (b"!!python/object/apply:os.system ['true']", "is not YAML"),
    "deep": (b"[" * 3000, "is not YAML"),
    "large": (b"#" * 1_000_001, "is larger than"),
    "empty": (b"", "must be a table"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_used(name: str, policy: Policy, tmp_path: Path) -> None:
    content, expected = FILES[name]
    path = tmp_path / "mapping.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MappingError, match=expected):
        load_mapping(path, policy)


def test_a_policy_without_a_mapping_of_its_own(policy: Policy) -> None:
    class Other:
        name = "hovercraft"

    with pytest.raises(MappingError, match="has no mapping of its own"):
        load_mapping(None, Other())  # type: ignore[arg-type]


def test_every_preset_has_a_mapping() -> None:
    assert set(preset_mappings()) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_the_mapping_of_a_preset_fits_its_policy(name: str) -> None:
    policy = load_policy(name)
    mapping, file = load_mapping(None, policy)
    assert list(policy_problems(mapping, policy, file)) == []
    assert unmapped_sources(mapping, policy) == ()


def test_unstamped_turns_twist_stamped_into_twist(policy: Policy) -> None:
    mapping, _ = load_mapping(None, policy)
    plain = unstamped(mapping)
    assert [part.type for part in (*plain.commands, *plain.outputs)] == ["geometry_msgs/msg/Twist"] * 2
    assert plain.commands[0].fields["linear_mps"].path == "linear.x"
    assert plain.commands[0].stamp is not None
    assert plain.commands[0].stamp.field == "receipt"
    assert plain.outputs[0].frame_id is None
    assert plain.inputs == mapping.inputs


def test_parameters_rename_the_first_topics(document: Document, policy: Policy) -> None:
    mapping = with_topics(parse_mapping(document), "a", "b")
    assert (mapping.commands[0].topic, mapping.outputs[0].topic) == ("a", "b")


def test_sources_that_nobody_feeds(document: Document, policy: Policy) -> None:
    del document["inputs"][1]
    assert problems_of(document, policy) == ()
    assert unmapped_sources(parse_mapping(document), policy) == ("operator",)
