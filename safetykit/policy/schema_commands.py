"""Redundant commands, the operator's own commands, the shadow model: what a policy may say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from safetykit.core import bounds as b
from safetykit.core.vocabulary import Fault
from safetykit.policy.schema_parts import Condition, Milliseconds, Name, Part, Positive

if TYPE_CHECKING:
    FaultName = str
else:
    FaultName = Literal[tuple(fault.name for fault in Fault)]

ShortName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Commands(Part):
    """Several senders of the same commands, and how they are brought to one: `vote_tolerance` is in the channels."""

    voters: Annotated[list[ShortName], Field(min_length=2, max_length=b.VOTERS_MAX)] = Field(
        description="senders in order; the first one has the plain command mailbox"
    )
    needed: Annotated[int, Field(ge=1, le=b.VOTERS_MAX)] = Field(description="senders that must agree")
    align_ms: Milliseconds = Field(description="a command this much older than the newest one is left out")
    disagree_ms: Milliseconds = Field(description="a disagreement of this length has consequences")


class Manual(Part):
    """The operator's own commands, which take over from the autonomy."""

    take: Condition = Field(description="the operator's switch; letting go withdraws permission")
    late_ms: Milliseconds = Field(description="an older command of the operator is late")
    stale_ms: Milliseconds = Field(description="an older command of the operator is lost: MANUAL_LOST")
    overrules: Annotated[list[FaultName], Field(max_length=b.FAULTS_MAX)] = Field(
        default=[], description="faults that only correct while the operator drives"
    )


class ShadowChannel(Part):
    """What the model says about one channel."""

    input: Name = Field(description="input with the model's value, in the channel's unit")
    tolerance: Positive = Field(description="it may differ this much from what is asked")


class Shadow(Part):
    """A model that computes the commands a second time; it may object, no more."""

    source: Name = Field(description="source with the model's values; not needed")
    map: Annotated[dict[Name, ShadowChannel], Field(min_length=1, max_length=b.CHANNELS_MAX)]
    for_ms: Milliseconds = Field(description="SHADOW once it has differed for this long")
