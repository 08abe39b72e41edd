"""Speed of the full-size models on some devices: the reports of scripts/gpu_check.py, validated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.records.files import newest_records
from rebeca.errors import RecordError

FOLDER = "perf"
MOST_BYTES = 1 << 20
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Figures(BaseModel):
    """Measurements that have a limit in scripts/gpu_check.py."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: Number = Field(alias="images per second")
    times: Number = Field(alias="times faster than the original's way")
    scoring: Number = Field(alias="scoring / generating")
    outside: Number = Field(alias="outside model calls")


class Report(BaseModel):
    """One device's report; keys that the page does not show are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    device: str = Field(max_length=200)
    size: Literal["full", "tiny"]
    weights: Literal["random", "published"]
    steps: Annotated[int, Field(ge=1)]
    measured: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    figures: Figures


def read_reports(roots: Sequence[Path]) -> list[Report]:
    """Reports in ``perf/`` below folders of records, or beside the folder of one task; full-size ones first.

    Raises:
        RecordError: Naming a file that is not a report.
    """
    folders = {((root.parent if newest_records(root) else root) / FOLDER).resolve() for root in roots}
    reports = []
    for path in sorted(path for folder in folders for path in folder.glob("*.json")):
        if path.stat().st_size > MOST_BYTES:
            raise RecordError(f"{path}: {path.stat().st_size:,} bytes are too many for a report")
        try:
            reports.append(Report.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise RecordError(f"{path}: {where}: {first['msg'].lower()}", hint="python scripts/gpu_check.py") from error
    return sorted(reports, key=lambda report: (report.size != "full", report.device))
