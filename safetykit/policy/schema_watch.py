"""What a policy may say about plausibility: asks that are doubted, measurements against each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from safetykit.core import bounds as b
from safetykit.policy.schema_parts import Condition, Milliseconds, Name, NotNegative, Number, Part, Positive

WINDOW_MIN = 5  # fewer samples have no robust spread
FACTOR_MIN = 2.5  # from about 2.1 on a steady ramp is never an outlier, at any window length


class Outlier(Part):
    """A sample further than max(floor, factor * 1.4826 * MAD) from the median of the last ones must be confirmed."""

    window: Annotated[int, Field(ge=WINDOW_MIN, le=b.OUTLIER_WINDOW_MAX)] = Field(description="accepted samples kept")
    factor: Annotated[float, Field(ge=FACTOR_MIN, le=100)] = Field(description="robust standard deviations")
    floor: Positive = Field(description="a sample this close is never doubted; doubted ones agree within it")
    confirm: Annotated[int, Field(ge=2, le=b.OUTLIER_CONFIRM_MAX)] = Field(
        description="doubted samples in a row that agree are a real step"
    )


class Oscillation(Part):
    """The squared swings of the ask, forgotten with `window_ms`, may not sum up to more than `energy`."""

    energy: Positive = Field(description="square of the channel's unit")
    window_ms: Milliseconds = Field(description="time constant of forgetting")
    deadband: Positive = Field(description="smaller swings do not count")


class Agree(Part):
    """Independent measurements of one quantity: any two differ by at most error + error_share * the larger one."""

    inputs: Annotated[list[Name], Field(min_length=2, max_length=b.AGREE_INPUTS_MAX)]
    error: NotNegative = Field(description="in the unit of the inputs")
    error_share: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="of the larger magnitude, added to error")
    for_ms: Milliseconds = Field(description="they may contradict each other for this long")


class IntegrityCheck(Part):
    """One quality flag of an estimator (innovation ratio, covariance) and its limits."""

    input: Name
    min: Number | None = None
    max: Number | None = None


class Integrity(Part):
    """The estimator's own word: `count` of the checks may not be out of their limits for longer than `for_ms`."""

    checks: Annotated[list[IntegrityCheck], Field(min_length=1, max_length=b.INTEGRITY_CHECKS_MAX)]
    count: Annotated[int, Field(ge=1, le=b.INTEGRITY_CHECKS_MAX)]
    for_ms: Milliseconds


class Stuck(Part):
    """A value that must change: an input, or what is asked of a channel while engaged."""

    input: Name | None = None
    asked: Name | None = Field(None, description="channel")
    for_ms: Milliseconds
    only_while: Annotated[list[Condition], Field(max_length=b.FUNCTION_CONDITIONS_MAX)] = Field(
        default=[], description="it must change only while all of these hold"
    )


Agrees = Annotated[dict[Name, Agree], Field(max_length=b.AGREE_MAX)]
Integrities = Annotated[dict[Name, Integrity], Field(max_length=b.INTEGRITY_MAX)]
Stucks = Annotated[dict[Name, Stuck], Field(max_length=b.STUCK_MAX)]
