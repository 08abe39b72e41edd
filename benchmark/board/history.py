"""How a fit's loss fell, where the generator reports it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.records.schema import Fit


class History(BaseModel):
    """Losses in the report of a fit; plug-ins may report others, or none.

    Attributes:
        train: Loss per epoch on training ratings.
        validation: Loss per epoch on validation ratings.
        best_epoch: The one that was kept.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    train: tuple[float, ...] = Field(min_length=1)
    validation: tuple[float, ...] = Field(min_length=1)
    best_epoch: int | None = None

    @property
    def best(self) -> int:
        return self.validation.index(min(self.validation)) if self.best_epoch is None else self.best_epoch


def history_of(fit: Fit) -> History | None:
    """None where the fit's report has no history of this form."""
    try:
        return History.model_validate(fit.report.get("history"))
    except ValidationError:
        return None
