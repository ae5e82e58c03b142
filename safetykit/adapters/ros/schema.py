"""What a mapping file may say: which field of which ROS message is which channel, input or function of the policy."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from safetykit.core.bounds import VOTERS_MAX

RECEIPT, SOURCE = "receipt", "source"  # stamps that come from the middleware, not from a field
CMD_VEL_IN, CMD_VEL_OUT = "cmd_vel_in", "cmd_vel_out"


ObjectNumber = Literal[
    "x_m", "y_m", "z_m", "vx_mps", "vy_mps", "vz_mps", "length_m", "width_m", "height_m"
]  # of an object, in the order of the columns OBJ_X to OBJ_HEIGHT of the core

OBJECT_NUMBERS: tuple[str, ...] = get_args(ObjectNumber)


class Part(BaseModel):
    """Base of every section: unknown keys are errors, text is never a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Topic = Annotated[str, Field(pattern=r"^(~/|/)?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*$", max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Finite = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


def _text_as(key: str) -> Any:
    """A plain string is short for a section with one key."""

    def expand(value: Any) -> Any:
        return {key: value} if isinstance(value, str) else value

    return expand


class Value(Part):
    """One number in a message. Reading: channel = field * scale + offset. Writing: field = sent * scale + offset."""

    path: Text | None = None
    norm: Annotated[list[Text], Field(min_length=2, max_length=3)] | None = Field(
        default=None, description="read the Euclidean norm of these fields instead of one field"
    )
    scale: Finite = 1.0
    offset: Finite = 0.0

    _short = model_validator(mode="before")(_text_as("path"))

    @model_validator(mode="after")
    def _one_way(self) -> Value:
        if (self.path is None) == (self.norm is None):
            raise ValueError("say either path or norm")
        if self.scale == 0.0:
            raise ValueError("scale 0 would make every value the same")
        return self


class Stamp(Part):
    """When a message was made: a field, `receipt` (arrived here) or `source` (sent, by the sender's clock)."""

    field: Text
    unit: Literal["ns", "us", "ms", "s"] | None = Field(default=None, description="of an integer field")
    zero: Literal["receipt", "reject"] = Field(
        default="receipt", description="a stamp of zero: use the arrival, or reject"
    )

    _short = model_validator(mode="before")(_text_as("field"))


class Qos(Part):
    """Quality of service of one topic; the defaults are what Nav2 uses for commands."""

    reliability: Literal["reliable", "best_effort"] = "reliable"
    durability: Literal["volatile", "transient_local"] = "volatile"
    depth: Annotated[int, Field(ge=1, le=1000)] = 10


def _list_of_one(value: Any) -> Any:
    """A plain string is short for a list with one item."""
    return [value] if isinstance(value, str) else value


Topics = Annotated[list[Topic], Field(min_length=1, max_length=16), BeforeValidator(_list_of_one)]
Fields = Annotated[dict[Name, Value], Field(min_length=1, max_length=64)]


class CommandTopic(Part):
    """A topic with commands of the autonomy."""

    topic: Topic
    type: Text
    fields: Fields = Field(description="channel: field")
    requests: Annotated[dict[Name, Text], Field(max_length=32)] = Field(
        default={}, description="channel: field with its actuation request; channels without one always request"
    )
    stamp: Stamp | None = Field(default=None, description="default: header.stamp where there is a header, else receipt")
    qos: Qos = Qos()


class InputTopic(Part):
    """A topic that feeds inputs of one source."""

    source: Name
    topic: Topic
    type: Text
    fields: Fields = Field(description="input: field")
    stamp: Stamp | None = Field(default=None, description="default: header.stamp where there is a header, else receipt")
    qos: Qos = Qos()


class ObjectsTopic(Part):
    """A topic with the list of objects. Every number of an object is a field of the list's item, or fixed."""

    topic: Topic
    type: Text
    items: Text = Field(description="field with the list")
    fields: Annotated[dict[ObjectNumber, Value], Field(min_length=1)] = Field(description="number: field of an item")
    constants: dict[ObjectNumber, Finite] = Field(default={}, description="number: the same for all objects")
    id: Text | None = Field(default=None, description="field of an item with its identity; default: objects have none")
    stamp: Stamp | None = Field(default=None, description="default: header.stamp where there is a header, else receipt")
    qos: Qos = Qos()


class FunctionTopic(Part):
    """A topic on which the autonomy asks for functions (take-off, arm, ...) by name or by number."""

    topic: Topic
    type: Text = "std_msgs/msg/String"
    field: Text = "data"
    values: Annotated[dict[str, Name], Field(max_length=256)] = Field(
        default={}, description="content of the field: function; empty = the field holds the function's name"
    )
    qos: Qos = Qos()


class FrameId(Part):
    """Frame that an output message is in."""

    path: Text = "header.frame_id"
    value: str

    _short = model_validator(mode="before")(_text_as("value"))


class OutputTopic(Part):
    """A topic with what the guard lets through. Fields that are not named here are zero."""

    topic: Topic
    type: Text
    fields: Annotated[dict[Name, Value], Field(max_length=64)] = Field(default={}, description="channel: field")
    requests: Annotated[dict[Name, Text], Field(max_length=32)] = Field(
        default={}, description="channel: field that receives its actuation request"
    )
    constants: Annotated[dict[Text, Any], Field(max_length=64)] = Field(default={}, description="field: fixed value")
    stamp: Stamp | None = Field(default=None, description="default: header.stamp where there is a header")
    frame_id: FrameId | None = None
    when: Literal["always", "guard_alive"] = Field(
        default="always", description="guard_alive: silent while the guard is gone or stopped, for keep-alive topics"
    )
    qos: Qos = Qos()


class Mapping(Part):
    """A whole mapping."""

    format: Literal[1] = Field(description="format of this document")
    policy: Text | None = Field(default=None, description="name of the policy that this mapping belongs to")
    commands: Annotated[list[CommandTopic], Field(min_length=1, max_length=16)]
    voters: Annotated[dict[Name, Topics], Field(max_length=VOTERS_MAX)] = Field(
        default={}, description="further voter of the policy: its topics, one for each of `commands`, of the same type"
    )
    manual: Topics | None = Field(default=None, description="topics of the operator's own commands, likewise")
    inputs: Annotated[list[InputTopic], Field(max_length=32)] = []
    objects: ObjectsTopic | None = None
    functions: Annotated[list[FunctionTopic], Field(max_length=8)] = []
    outputs: Annotated[list[OutputTopic], Field(min_length=1, max_length=16)]
