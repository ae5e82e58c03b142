"""What a policy may say. Structure and single values only; relations between values are in `checks.py`.

Values of a channel are in the channel's own declared unit. Every other number carries its unit in its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from safetykit.core import bounds as b
from safetykit.policy.schema_breakers import Breaker, FaultName, ReactionEntry
from safetykit.policy.schema_commands import Commands, Manual, Shadow
from safetykit.policy.schema_motion import Motion
from safetykit.policy.schema_objects import Collision, Objects, Rss
from safetykit.policy.schema_parts import (
    Condition,
    Engage,
    FunctionEntry,
    Limit,
    Milliseconds,
    Name,
    NotNegative,
    Number,
    Part,
    Positive,
    Samples,
    Scope,
    Seconds,
    Share,
    Withdrawal,
)
from safetykit.policy.schema_rules import Rules
from safetykit.policy.schema_watch import Agrees, Integrities, Oscillation, Outlier, Stucks
from safetykit.policy.schema_zones import Origin, Zone
from safetykit.policy.units import UNITS

if TYPE_CHECKING:
    UnitName = str
else:
    UnitName = Literal[tuple(UNITS)]


class Timing(Part):
    """Periods and ages of the loop and of the commands."""

    period_ms: Annotated[float, Field(ge=0.5, le=1000)] = Field(description="time from tick to tick")
    dt_max_ms: Milliseconds = Field(description="a longer gap between ticks counts as this long for rate limits")
    command_late_ms: Milliseconds = Field(description="an older command is late")
    command_stale_ms: Milliseconds = Field(description="an older command is stale")
    command_future_ms: NotNegative = Field(description="a command may be stamped this far in the future")
    command_lost_max: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        description="sequence numbers that may be skipped between two commands"
    )


class Input(Part):
    """One measured or operator value; outside its range it counts as invalid."""

    unit: UnitName
    min: Number
    max: Number


class Source(Part):
    """One mailbox that feeds inputs."""

    age_ms: Milliseconds = Field(description="older values are stale")
    future_ms: NotNegative = Field(description="values may be stamped this far in the future")
    needed: bool = Field(description="true: the loss of this source raises INPUT_* faults")
    inputs: Annotated[dict[Name, Input], Field(min_length=1, max_length=b.INPUTS_MAX)]


class Position(Part):
    """Inputs with the vehicle's position in local east, north, up coordinates, metres."""

    x: Name
    y: Name
    z: Name | None = None


class Slew(Part):
    """No more than `delta` of change within any `window_ms`."""

    delta: Positive
    window_ms: Milliseconds


class Lead(Part):
    """The command may not lead the measured minimum and maximum of the last samples by more than `error`."""

    error: Positive
    samples: Samples
    towards_zero_free: bool = Field(True, description="a move towards zero is always allowed")


class Oppose(Part):
    """The operator's opposing input, beyond `allowance`, reduces the bound by `gain` for each unit."""

    input: Name
    allowance: NotNegative
    gain: Positive
    samples: Samples


class Lateral(Part):
    """Lateral acceleration v^2 * curvature, and its change, for a steering channel."""

    geometry: Literal["curvature", "angle"]
    accel_mps2: Positive | None = None
    jerk_mps3: Positive | None = None
    wheelbase_m: Positive | None = None
    ratio: Positive | None = Field(None, description="channel angle for each road wheel angle; steering ratio")
    understeer_s2pm2: NotNegative | None = None
    speed_min_mps: Positive = Field(description="slower speeds count as this fast")


class Request(Part):
    """Cadence of the channel's actuation request bit."""

    drop_ms_max: Milliseconds = Field(description="longest time that a request may drop while actuating")
    up_ms_min: Milliseconds = Field(description="shortest time that a request must stay up before it drops")


class Follow(Part):
    """The measured response must come within `error` of what was sent, at the latest after `for_ms`."""

    error: Positive
    for_ms: Milliseconds
    tau_s: Annotated[float, Field(ge=0, le=3600)] = Field(0.0, description="time constant of a healthy response")


class Channel(Part):
    """One actuator channel; values are in `unit`."""

    unit: UnitName
    min: Limit
    max: Limit
    neutral: Number = Field(0.0, description="sent in BOOT and STANDBY")
    neutral_tracks_measured: bool = Field(False, description="at rest the value follows the measured one, if valid")
    stop: Number = Field(0.0, description="sent in PROTECTIVE_STOP, within the rates")
    emergency: Number = Field(0.0, description="sent in EMERGENCY_STOP")
    emergency_jumps: bool = Field(True, description="EMERGENCY_STOP sends its value at once, without a ramp")
    rate_up_per_s: Limit | None = None
    rate_down_per_s: Limit | None = None
    rate_away_from_zero_per_s: Limit | None = None
    rate_towards_zero_per_s: Limit | None = None
    jerk_per_s2: Limit | None = None
    slew: Slew | None = None
    measured: Name | None = Field(None, description="input with this channel's measured value")
    lead: Lead | None = None
    oppose: Oppose | None = None
    lateral: Lateral | None = None
    request: Request | None = None
    follow: Follow | None = None
    outlier: Outlier | None = None
    oscillation: Oscillation | None = None
    vote_tolerance: NotNegative | None = Field(None, description="redundant commands may differ this much")
    on_violation: Literal["clamp", "reject"] = "clamp"
    fallback: Literal["zero", "last", "measured"] = Field("last", description="used by reject and by HOLD")
    fallback_jumps: bool = Field(False, description="a rejected value is replaced at once, without a ramp")
    degraded_scale: Share = Field(1.0, description="share of the bounds that is left when degraded")


class Group(Part):
    """Channels that form a vector: its norm is limited, its direction kept."""

    channels: Annotated[list[Name], Field(min_length=2, max_length=b.GROUP_CHANNELS_MAX)]
    norm: Limit
    norm_rate_per_s: Positive | None = None


class Override(Part):
    """An operator input that takes permission away."""

    withdraw: Withdrawal | None = None
    keep: Condition | None = None
    channels: Scope
    until: Literal["released", "engaged_again"] = "engaged_again"


class Permission(Part):
    """Actuation is allowed after a rising edge of `engage`, until something takes it away."""

    engage: Engage
    hold_to_run: bool = Field(False, description="letting go of engage withdraws permission")
    overrides: Annotated[dict[Name, Override], Field(max_length=b.OVERRIDES_MAX)] = {}


class Phase(Part):
    """One step of the recovery function. Every channel is either set or held."""

    name: Name
    set: dict[Name, Number] = Field(default={}, description="set-point of each channel")
    hold: list[Name] = Field(default=[], max_length=b.CHANNELS_MAX, description="channels that keep their last value")
    for_s: Seconds | None = Field(None, description="the phase ends after this time at the latest")
    until: Condition | None = Field(None, description="the phase ends when this holds")


class Stop(Part):
    """How stops end."""

    power_off_after_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        description="PROTECTIVE_STOP removes power after this time at the latest"
    )
    power_in_standby: bool = Field(description="true for a vehicle that needs power to be safe")
    reset_needs: Annotated[list[Condition], Field(max_length=b.FUNCTION_CONDITIONS_MAX)] = []
    device: Literal["none", "button", "microcontroller"] = Field(
        "none", description="emergency stop device that must be heard; without it the guard stays stopped"
    )


class PolicyDocument(Part):
    """A whole policy."""

    format: Literal[1] = Field(description="format of this document; changes when old policies no longer fit")
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
    version: Annotated[str, Field(pattern=r"^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$")]
    vehicle: Annotated[str, Field(min_length=1, max_length=80)] = Field(description="kind of vehicle")
    description: Annotated[str, Field(max_length=4000)] = ""
    timing: Timing
    sources: Annotated[dict[Name, Source], Field(max_length=b.SOURCES_MAX)]
    position: Position | None = None
    origin: Origin | None = Field(None, description="where x = y = 0 of the position lies, for zones in degrees")
    speed: Name | None = Field(None, description="input with the vehicle's speed, for lateral limits")
    motion: Motion | None = None
    channels: Annotated[dict[Name, Channel], Field(min_length=1, max_length=b.CHANNELS_MAX)]
    groups: Annotated[dict[Name, Group], Field(max_length=b.GROUPS_MAX)] = {}
    permission: Permission
    functions: Annotated[dict[Name, FunctionEntry], Field(max_length=b.FUNCTIONS_MAX)] = {}
    zones: Annotated[dict[Name, Zone], Field(max_length=b.ZONES_MAX)] = {}
    objects: Objects | None = None
    rss: Rss | None = None
    collision: Collision | None = None
    agree: Agrees = {}
    integrity: Integrities = {}
    stuck: Stucks = {}
    rules: Rules = {}
    recovery: Annotated[list[Phase], Field(min_length=1, max_length=b.PHASES_MAX)]
    stop: Stop
    breakers: Annotated[dict[Name, Breaker], Field(max_length=b.BREAKERS_MAX)] = {}
    commands: Commands | None = None
    manual: Manual | None = None
    shadow: Shadow | None = None
    reactions: dict[FaultName, ReactionEntry] = {}
