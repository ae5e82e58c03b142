"""Reading and writing fields: NaN stays NaN, what is missing is NaN, what is written fits the field."""

from __future__ import annotations

import math
from typing import Any

import pytest

from safetykit.adapters.ros import codec
from safetykit.adapters.ros.binding import bind
from safetykit.adapters.ros.mapping import parse_mapping
from safetykit.adapters.ros.message_types import (
    FieldType,
    MessageTypeError,
    parse_field_type,
    resolve,
    resolve_number,
    resolve_stamp,
)
from safetykit.policy import Policy
from tests.unit.ros.fake_messages import message


def command() -> Any:
    return message("demo_msgs/Command")()


def read(text: str, made: Any, scale: float = 1.0, offset: float = 0.0) -> float:
    return codec.number_getter([resolve_number(type(made), text)], scale, offset)(made)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("double", FieldType("double")),
        ("double[36]", FieldType("double", True, 36)),
        ("sequence<double>", FieldType("double", True)),
        ("sequence<float, 3>", FieldType("float", True, None, 3)),
        ("sequence<demo_msgs/Vector>", FieldType("demo_msgs/Vector", True)),
        ("geometry_msgs/Twist", FieldType("geometry_msgs/Twist")),
    ],
)
def test_field_types(text: str, expected: FieldType) -> None:
    assert parse_field_type(text) == expected


def test_reads_nested_fields_lists_and_bools() -> None:
    made = command()
    made.vector.x, made.gear, made.active = -1.5, 3, True
    made.data.extend([1.0, 2.0])
    made.points.append(message("demo_msgs/Vector")())
    made.points[0].y = 7.0
    assert [read(text, made) for text in ("vector.x", "gear", "active", "data[1]", "points[0].y")] == [-1.5, 3, 1, 2, 7]
    assert read("vector.x", made, scale=2.0, offset=1.0) == -2.0


@pytest.mark.parametrize("text", ["data[0]", "points[0].y", "few[1]"])
def test_a_list_that_is_too_short_reads_as_nan(text: str) -> None:
    assert math.isnan(read(text, command()))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_stays_so(value: float) -> None:
    made = command()
    made.vector.x = value
    found = read("vector.x", made, scale=2.0)
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_norm_reads_several_fields() -> None:
    made = command()
    made.vector.x, made.vector.y = 3.0, 4.0
    paths = [resolve_number(type(made), text) for text in ("vector.x", "vector.y")]
    assert codec.number_getter(paths)(made) == 5.0
    made.vector.y = math.nan
    assert math.isnan(codec.number_getter(paths)(made))


@pytest.mark.parametrize(("value", "expected"), [(1, True), (0, False), (math.nan, False)])
def test_a_request_that_is_not_a_number_is_no_request(value: float, expected: bool) -> None:
    made = command()
    made.speed = value
    assert codec.flag_getter(resolve_number(type(made), "speed"))(made) is expected


def test_stamps_in_both_forms() -> None:
    made = command()
    made.header.stamp.sec, made.header.stamp.nanosec, made.timestamp = 3, 5, 7
    cls = type(made)
    assert codec.stamp_getter(resolve_stamp(cls, "header.stamp"), None)(made) == 3_000_000_005
    assert codec.stamp_getter(resolve_stamp(cls, "timestamp"), "us")(made) == 7_000
    codec.stamp_setter(resolve_stamp(cls, "header.stamp"), None)(made, 8_000_000_009)
    codec.stamp_setter(resolve_stamp(cls, "timestamp"), "us")(made, 8_000_000_999)
    assert (made.header.stamp.sec, made.header.stamp.nanosec, made.timestamp) == (8, 9, 8_000_000)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("gear", 2.6, 3),
        ("gear", 1e9, 255),
        ("gear", -4.0, 0),
        ("gear", math.nan, 0),
        ("active", 0.5, True),
        ("active", 0.4, False),
        ("speed", 1e300, 3.4028234663852886e38),
        ("vector.x", -2.5, -2.5),
        ("data[2]", 4.0, 4.0),
        ("points[1].z", 4.0, 4.0),
        ("fixed[2]", 4.0, 4.0),
    ],
)
def test_what_is_written_fits_the_field(text: str, value: float, expected: Any) -> None:
    cls = message("demo_msgs/Command")
    path = resolve_number(cls, text)
    made = codec.prepare(cls, [path], {})
    codec.number_setter(path)(made, value)
    assert codec.getter(path)(made) == expected


def test_constants_and_unmapped_fields(document: dict[str, Any], policy: Policy) -> None:
    document["outputs"][0] |= {
        "frame_id": "base",
        "constants": {"names": ["a", "b"], "vector.y": math.nan, "gear": 4, "active": True, "data[1]": 9.0},
        "fields": {"linear_mps": {"path": "vector.x", "scale": 2.0, "offset": 1.0}, "angular_radps": "data[0]"},
        "requests": {"linear_mps": "speed"},
    }
    output = bind(parse_mapping(document), policy).outputs[0]
    for values, bits in (((5.0, 6.0), 1), ((1.0, 2.0), 0)):
        made = output.fill(values, bits, 2_000_000_003)
        assert (made.vector.x, list(made.data), made.speed) == (values[0] * 2 + 1, [values[1], 9.0], float(bits))
        assert (made.names, made.gear, made.active, made.header.frame_id) == (["a", "b"], 4, True, "base")
        assert math.isnan(made.vector.y)
        assert (made.vector.z, made.mode, made.timestamp) == (0.0, "", 0)  # not mapped: never copied from anywhere
        assert (made.header.stamp.sec, made.header.stamp.nanosec) == (2, 3)


@pytest.mark.parametrize("value", [None, {"a": 1}, [[1]], b"x"])
def test_constants_of_no_kind(value: Any) -> None:
    for text in ("speed", "data", "vector", "points"):
        with pytest.raises(MessageTypeError):
            codec.constant(resolve(message("demo_msgs/Command"), text).leaf, value)


def test_function_numbers(document: dict[str, Any], policy: Policy) -> None:
    document["functions"].append(
        {"topic": "code", "type": "demo_msgs/msg/Bare", "field": "command", "values": {"400": "dock"}}
    )
    by_name, by_number = bind(parse_mapping(document), policy).functions
    text, code = message("std_msgs/String")(), message("demo_msgs/Bare")()
    for word, number in (("horn", 1), ("dock", 2), ("HORN", -1), ("", -1), ("rm -rf", -1)):
        text.data = word
        assert by_name.read(text) == number
    for word, number in ((400, 2), (0, -1), (401, -1)):
        code.command = word
        assert by_number.read(code) == number
