"""The guidance that a fit chose on validation ratings, as its report has it; reports are free in form."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.board.row import Row


class Line(BaseModel):
    """One guidance scale that was tried."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    prior_guidance: float
    personal_rating: float
    standard_error: float


class Guidance(BaseModel):
    """Every guidance scale that was tried, and the chosen one."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    chosen: float
    table: tuple[Line, ...]


def guidance_of(row: Row) -> Guidance | None:
    """What a fit reports of its choice; None where it reports nothing of this form."""
    try:
        return Guidance.model_validate(row.record.fit.report.get("guidance"))
    except ValidationError:
        return None
