"""What a policy may say about circuit breakers, and about reactions that wait or outlast their fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from safetykit.core import bounds as b
from safetykit.core.vocabulary import Action, Fault
from safetykit.policy.schema_parts import Milliseconds, Name, Part, Seconds, Share

if TYPE_CHECKING:
    FaultName = str
    ActionName = str
else:
    FaultName = Literal[tuple(fault.name for fault in Fault)]
    ActionName = Literal[tuple(action.name for action in Action)]

VEHICLE = "vehicle"
COUNT_MAX = 1_000_000  # without a window


class Breaker(Part):
    """Trips by count, by rate, by severity or by the loss of a source; any of them that is given suffices."""

    of: Name = Field(VEHICLE, description="vehicle, or the sender of commands that it watches and keeps out")
    faults: list[FaultName] = Field(default=[], max_length=b.FAULTS_MAX, description="what is counted")
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)] | None = Field(None, description="ticks with one of the faults")
    window_ms: Milliseconds | None = Field(None, description="they must fall within this; without it: since the reset")
    at_action: ActionName | None = Field(None, description="trips in a tick whose worst action reaches this")
    sources: list[Name] = Field(default=[], max_length=b.SOURCES_MAX, description="trips when one of them is lost ...")
    for_ms: Milliseconds | None = Field(None, description="... for longer than this")
    action: ActionName | None = Field(None, description="demanded while open")
    level: Literal["latched", "self"] = Field("latched", description="who closes it: a reset, or good behaviour")
    cool_down_s: Seconds | None = Field(None, description="self: time without a cause before a trial")
    trial_share: Share | None = Field(None, description="self: share of the envelope that a trial begins with")
    widen_s: Seconds | None = Field(None, description="self: good time until the whole envelope is given back")
    reopen_max: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None, description="self: this many trials may fail in a row, the next one latches"
    )


class Reaction(Part):
    """A reaction that waits, or outlasts its fault."""

    action: ActionName
    after_s: Seconds | None = Field(None, description="the fault must be there for this long")
    takeover_s: Seconds | None = Field(None, description="then it is announced, and the operator may take over first")
    takeover: Literal["allowed", "never"] = Field(
        "allowed", description="allowed: while the operator's own commands count, the announced action waits"
    )
    meanwhile: ActionName | None = Field(None, description="action until then")
    until: Literal["cleared", "engaged_again", "reset", "never"] = Field(
        "cleared", description="what ends the action, the fault being gone"
    )


ReactionEntry = Annotated[
    Annotated[ActionName, Tag("<word>")] | Annotated[Reaction, Tag("<rule>")],
    Discriminator(lambda value: "<word>" if isinstance(value, str) else "<rule>"),
]


def waits(entry: str | Reaction) -> bool:
    """Whether anything comes before the action."""
    return isinstance(entry, Reaction) and (entry.after_s is not None or entry.takeover_s is not None)


def last_action(entry: str | Reaction) -> Action:
    """The action in the end."""
    return Action[entry] if isinstance(entry, str) else Action[entry.action]


def first_action(entry: str | Reaction, floor: Action) -> Action:
    """The action in the first tick of the fault, of which `floor` is the mildest reaction.

    While an action is announced, the default is to stop using the commands.
    """
    if isinstance(entry, str) or not waits(entry):
        return last_action(entry)
    if entry.meanwhile is not None:
        return Action[entry.meanwhile]
    return floor if entry.takeover_s is None else max(Action.HOLD, floor)
