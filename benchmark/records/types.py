"""Types that the models of records are made of, and how people's taste is recorded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.task.file import ID

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
P = Annotated[float, Field(gt=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=ID, max_length=120)]
Methods = Literal["student-t", "bca", "bootstrap-t", "percentile", "exact", "none"]


class Strict(BaseModel):
    """No unknown fields, no conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RatedPicture(Strict):
    """A training picture and the rating that a person gave it."""

    item: Count = Field(description="Index in the catalogue.")
    digest: Sha256 = Field(description="SHA-256 of its size and pixels; also the name of the file.")
    rating: Finite = Field(description="On the data's scale.")


class ShownTaste(Strict):
    """What one person liked and did not like, out of the training ratings."""

    user: str = Field(description="Whose.")
    liked: list[RatedPicture] = Field(description="Highest rating first.", max_length=6)
    disliked: list[RatedPicture] = Field(description="Lowest rating first.", max_length=3)


class Taste(Strict):
    """How people rated in training: what the site shows of a person beside the pictures made for them."""

    levels: list[str] = Field(description="Ratings, or ranges of ratings, from low to high.")
    counts: list[list[Count]] = Field(description="By person, then by level.")
    shown: list[ShownTaste] = Field(
        description="The people of the galleries; pictures in `_task/pictures/` where the data may be republished."
    )
