"""The policy's section `motion`: what is measured of the vehicle's movement, what steers it, how well it brakes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from safetykit.policy.schema_parts import Milliseconds, Name, NotNegative, Number, Part, Positive

Tilt = Annotated[float, Field(gt=0, le=1.2)]  # rad; beyond it nothing is left of the lift


class Axes(Part):
    """Names along the axes of the position: east, north, up."""

    x: Name
    y: Name
    z: Name | None = None


class Bicycle(Part):
    """Channels of a vehicle on wheels."""

    along: Name = Field(description="speed set-point or acceleration along the heading")
    steer: Name | None = Field(None, description="path curvature, or an angle with lateral geometry")


class ScaledError(Part):
    """An error that the estimator itself reports."""

    input: Name
    factor: Positive = Field(description="the error counts as this many times the input")


PositionError = Annotated[
    Annotated[NotNegative, Tag("<number>")] | Annotated[ScaledError, Tag("<scaled>")],
    Discriminator(lambda value: "<scaled>" if isinstance(value, dict | ScaledError) else "<number>"),
]
SteeredBy = Annotated[
    Annotated[Axes, Tag("<axes>")] | Annotated[Bicycle, Tag("<bicycle>")],
    Discriminator(
        lambda value: (
            "<bicycle>"
            if isinstance(value, Bicycle) or (isinstance(value, dict) and {"along", "steer"} & set(value))
            else "<axes>"
        )
    ),
]


class Motion(Part):
    """How the vehicle moves; predictive zones, the barrier filter and collision checks count on it."""

    velocity: Axes | None = Field(None, description="measured velocity, in the axes of the position")
    speed: Name | None = Field(None, description="measured speed along the heading, instead of velocity")
    heading: Name | None = Field(None, description="measured heading, 0 = east, counter-clockwise, with speed")
    steered_by: SteeredBy | None = Field(None, description="channels that the barrier filter may change")
    response_s: Annotated[float, Field(gt=0, le=10)] | None = Field(
        None, description="time constant of the velocity loop; for velocity set-points only"
    )
    brake_mps2: Positive = Field(description="deceleration that the vehicle surely reaches")
    accel_mps2_max: Positive | None = Field(None, description="authority of the barrier filter on each axis")
    latency_ms: Milliseconds = Field(description="from a measurement being taken to the brakes acting in full")
    position_error_m: PositionError = 0.0
    wind_mps: NotNegative = Field(0.0, description="wind may push the vehicle this fast while it stops")
    margin_m: NotNegative = Field(0.0, description="kept from every fence")
    speed_mps_max: Positive | None = Field(None, description="bound of the whole velocity")
    tilt_rad_max: Tilt | None = Field(None, description="bound of the tilt that accelerations need")
    floor_m: Number | None = Field(None, description="lowest altitude, less margin and error")
    ceiling_m: Number | None = Field(None, description="highest altitude, less margin and error")
    gain_per_s: Positive | None = Field(None, description="how fast the filter lets the state approach a barrier")
