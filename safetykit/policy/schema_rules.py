"""What a policy may say about the recent past: formulas of past temporal logic, and rules made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from safetykit.core import bounds as b
from safetykit.core.vocabulary import Action
from safetykit.policy.schema_parts import Name, Number, Part, Seconds

if TYPE_CHECKING:
    ActionName = str
else:
    ActionName = Literal[tuple(action.name for action in Action)]

_WORDS = {"if_": "if", "not_": "not", "from_": "from"}


class Worded(Part):
    """A part with keys that Python keeps for itself (if, not, from): written out by their aliases, absent ones not."""

    @model_serializer(mode="wrap")
    def _as_written(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {_WORDS.get(key, key): value for key, value in plain(self).items() if value is not None}


class Formula(Worded):
    """One comparison, or one operator over other formulas. True or false in each period of the loop."""

    input: Name | None = Field(None, description="measured or operator value to compare")
    asked: Name | None = Field(None, description="channel: what it is asked for; counts only while engaged")
    sent: Name | None = Field(None, description="channel: what it was last sent")
    min: Number | None = Field(None, description="smallest value for which the comparison is true")
    max: Number | None = Field(None, description="largest value for which the comparison is true")
    inside: Name | None = Field(None, description="zone that the position is in")
    outside: Name | None = Field(None, description="zone that the position is out of")
    state: Literal["standby", "engaged", "recovery"] | None = Field(None, description="state of the guard")
    all: Annotated[list[Formula], Field(min_length=2, max_length=b.RULE_LEAVES_MAX)] | None = None
    any: Annotated[list[Formula], Field(min_length=2, max_length=b.RULE_LEAVES_MAX)] | None = None
    not_: Formula | None = Field(None, alias="not")
    once: Formula | None = Field(None, description="was true in at least one period of the window")
    historically: Formula | None = Field(None, description="was true in every period of the window")
    since: Formula | None = Field(None, description="has been true in every period after `from` was, in the window")
    from_: Formula | None = Field(None, alias="from")
    within_s: Seconds | None = Field(None, description="the window reaches back this far")
    after_s: Seconds | None = Field(None, description="the window ends this long ago, default now")


class Rule(Worded):
    """While `if` is true, `require` must be true, or `forbid` false; else the guard does `action`."""

    if_: Formula | None = Field(None, alias="if", description="the rule counts only while this is true")
    require: Formula | None = None
    forbid: Formula | None = None
    action: ActionName
    description: Annotated[str, Field(max_length=400)] = ""


Rules = Annotated[dict[Name, Rule], Field(max_length=b.RULES_MAX)]
