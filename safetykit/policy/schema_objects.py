"""What a policy may say about objects around it: the list, responsibility-sensitive safety, collision checks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from safetykit.core import bounds as b
from safetykit.policy.schema_parts import Milliseconds, Name, NotNegative, Number, Part, Positive, Seconds


class Ranges(Part):
    """Numbers of an object beyond these make the list faulty."""

    distance_m_max: Positive = Field(description="of each coordinate, and of each size")
    speed_mps_max: Positive = Field(description="of each component of the velocity")


class Objects(Part):
    """The list of objects. A late list, or one with numbers that cannot be, counts as missing."""

    age_ms: Milliseconds = Field(description="an older list is stale")
    future_ms: NotNegative = Field(description="a list may be stamped this far in the future")
    needed: bool = Field(description="true: the loss of the list raises INPUT_* faults")
    count_max: Annotated[int, Field(ge=1, le=b.OBJECTS_MAX)] = Field(description="longer lists are faulty")
    frame: Literal["road", "world"] = Field(
        description="road: x along the road, y to its left; world: the axes of the position. The vehicle is the origin"
    )
    ranges: Ranges


class Rss(Part):
    """Responsibility-sensitive safety (Shalev-Shwartz et al. 2017, arXiv 1708.06374)."""

    speed: Name = Field(description="input: the vehicle's speed along the road")
    lateral_speed: Name | None = Field(None, description="input: its speed to the left of the road; without it 0")
    curvature: Name | None = Field(None, description="input: curvature of the road, left positive; without it 0")
    length_m: Positive = Field(description="of the vehicle")
    width_m: Positive = Field(description="of the vehicle")
    centre_m: Number = Field(0.0, description="the vehicle's centre lies this far ahead of the objects' origin")
    response_s: Seconds = Field(description="from something being there to the vehicle braking in full")
    accel_mps2_max: Positive = Field(description="nobody speeds up harder during the response time")
    brake_mps2_min: Positive = Field(description="whoever must brake brakes at least as hard")
    brake_mps2_max: Positive = Field(description="nobody ahead brakes harder")
    brake_mps2_min_correct: Positive = Field(description="as brake_mps2_min, towards oncoming traffic on its own side")
    speed_mps_max: Positive | None = Field(None, description="the vehicle gets no faster during the response time")
    others_speed_mps_max: Positive | None = Field(None, description="nor do the others")
    lateral_accel_mps2_max: NotNegative = Field(description="nobody moves sideways harder during the response time")
    lateral_brake_mps2_min: Positive = Field(description="whoever moves sideways towards another brakes as hard")
    lateral_margin_m: NotNegative = Field(description="mu: distance left after that, for swaying within the lane")
    along: Name = Field(description="channel that brakes: acceleration, or speed set-point")
    steer: Name | None = Field(None, description="channel that steers, left positive; without it every answer brakes")


class Collision(Part):
    """Time to collision and required deceleration, for vehicles without a lane."""

    radius_m: Positive = Field(description="of the vehicle, around the objects' origin")
    ttc_s_min: Seconds | None = Field(None, description="a shorter time to collision is a fault")
    decel_mps2_max: Positive | None = Field(None, description="so is an object that demands more deceleration")
    clearance_m: NotNegative | None = Field(
        None, description="the barrier filter keeps this distance from objects; without it they are no barrier"
    )
