"""What a policy may say about zones: volumes to stay in, stay out of, go slowly in, or name in conditions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from safetykit.core import bounds as b
from safetykit.policy.schema_parts import NotNegative, Number, Part, Positive, TablePoint

CORRECT_M = 0.5  # more than a controller overshoots at walking pace
Corners = Annotated[list[TablePoint], Field(min_length=3, max_length=b.ZONE_VERTICES_MAX)]
Degrees = Annotated[list[Annotated[float, Field(ge=-180, le=180)]], Field(min_length=2, max_length=2)]
CornersDegrees = Annotated[list[Degrees], Field(min_length=3, max_length=b.ZONE_VERTICES_MAX)]


class Origin(Part):
    """Where the local coordinates begin, WGS 84; not at a pole, where there is no east."""

    lat_deg: Annotated[float, Field(ge=-89, le=89)]
    lon_deg: Annotated[float, Field(ge=-180, le=180)]


class Zone(Part):
    """A polygon or a circle from a floor up to a ceiling. Exactly one of the corners and centres is given."""

    rule: Literal["keep_in", "keep_out", "speed", "condition"]
    corners_m: Corners | None = Field(None, description="[east, north] of each corner in local metres")
    corners_deg: CornersDegrees | None = Field(None, description="[latitude, longitude] of each corner, WGS 84")
    centre_m: TablePoint | None = Field(None, description="[east, north] of a circle's centre in local metres")
    centre_deg: Degrees | None = Field(None, description="[latitude, longitude] of a circle's centre, WGS 84")
    radius_m: Positive | None = Field(None, description="of a circle")
    floor_m: Number | None = None
    ceiling_m: Number | None = None
    speed_mps_max: Positive | None = Field(None, description="rule speed: fastest inside")
    excess_mps: NotNegative | None = Field(None, description="rule speed: measured faster by more than this is ZONE")
    correct_m: NotNegative | None = Field(
        None, description=f"commands are corrected this much ahead of the margin already, default {CORRECT_M:g}"
    )

    @property
    def ahead_m(self) -> float:
        """What counts for correct_m."""
        return CORRECT_M if self.correct_m is None else self.correct_m
