"""Building blocks of the policy document: strict numbers, names, tables, conditions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from safetykit.core import bounds as b

NUMBER_MAX = 1e9  # larger numbers are typing mistakes, and would come near UNLIMITED
DAY_MS = 86_400_000.0


class Part(BaseModel):
    """Base of every section: unknown keys are errors, text is never a number, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Number = Annotated[float, Field(ge=-NUMBER_MAX, le=NUMBER_MAX)]
Positive = Annotated[float, Field(gt=0, le=NUMBER_MAX)]
NotNegative = Annotated[float, Field(ge=0, le=NUMBER_MAX)]
Share = Annotated[float, Field(gt=0, le=1)]
Milliseconds = Annotated[float, Field(gt=0, le=DAY_MS)]
Seconds = Annotated[float, Field(gt=0, le=DAY_MS / 1000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Samples = Annotated[int, Field(ge=1, le=b.SAMPLES_MAX)]

TablePoint = Annotated[list[Number], Field(min_length=2, max_length=2)]


# Names of union branches as they appear in pydantic's locations; no key path ever shows them.
BRANCHES = frozenset(
    {"<number>", "<table>", "<word>", "<condition>", "<list>", "<rule>", "<scaled>", "<axes>", "<bicycle>"}
)


def _word_or(other: str) -> Any:
    """Choose the branch of a union by shape, so that a message names the key and not the branch."""
    return Discriminator(lambda value: "<word>" if isinstance(value, str) else other)


class Table(Part):
    """A limit as a function of one input: straight lines between points, constant beyond the ends."""

    over: Name = Field(description="input that the limit depends on")
    points: list[TablePoint] = Field(
        min_length=2, max_length=b.TABLE_POINTS_MAX, description="[input value, limit] pairs, input value increasing"
    )


Limit = Annotated[
    Annotated[Number, Tag("<number>")] | Annotated[Table, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, dict | Table) else "<number>"),
]


class Condition(Part):
    """One comparison: an input within a range (now, or entered recently), or the position and a zone."""

    input: Name | None = Field(None, description="input to compare")
    min: Number | None = Field(None, description="smallest value that satisfies, default the input's own minimum")
    max: Number | None = Field(None, description="largest value that satisfies, default the input's own maximum")
    within_s: Seconds | None = Field(None, description="the input must have entered the range within this time")
    inside: Name | None = Field(None, description="zone that the position must be in")
    outside: Name | None = Field(None, description="zone that the position must be out of")


class Withdrawal(Part):
    """Leaves permission only while the input stays within [below, above]; an invalid input withdraws too."""

    input: Name
    above: Number | None = Field(None, description="permission is withdrawn above this value")
    below: Number | None = Field(None, description="permission is withdrawn below this value")


Conditions = Annotated[list[Condition], Field(min_length=1, max_length=b.FUNCTION_CONDITIONS_MAX)]
Engage = Annotated[
    Annotated[Literal["never"], Tag("<word>")] | Annotated[Condition, Tag("<condition>")], _word_or("<condition>")
]
Scope = Annotated[
    Annotated[Literal["all"], Tag("<word>")]
    | Annotated[Annotated[list[Name], Field(min_length=1, max_length=b.CHANNELS_MAX)], Tag("<list>")],
    _word_or("<list>"),
]


class FunctionRule(Part):
    """A function that is granted only while every condition holds."""

    when: Conditions


FunctionEntry = Annotated[
    Annotated[Literal["never", "always"], Tag("<word>")] | Annotated[FunctionRule, Tag("<rule>")], _word_or("<rule>")
]
