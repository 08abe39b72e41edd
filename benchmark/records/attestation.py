"""The status of records that somebody other than their author checked: verified or reproduced.

``<root>/<task id>/v<version>/attestation.json`` holds a status and the digest of the record, so that the status
ends with any change of the record. Records without an attestation are self-reported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import rebeca
from benchmark.disk import write_atomically
from benchmark.records.files import read_comparison, utc_now
from benchmark.records.schema import TaskRecord
from rebeca.errors import RecordError

ATTESTATION = "attestation.json"
SELF_REPORTED = "self-reported"
MEANINGS = {
    SELF_REPORTED: "Only the author of the records has checked the numbers.",
    "verified": "Every number was computed again from the record's own rows.",
    "reproduced": "All images were generated again, elsewhere, and gave the same leaderboard.",
}


class Attestation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    status: Literal["verified", "reproduced"]
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    project: str = Field(max_length=40)
    at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def attest(folder: Path, status: Literal["verified", "reproduced"]) -> Path:
    """Writes the status of the records of a task version; "verified" never replaces "reproduced"."""
    record = read_comparison(folder)
    path = folder / ATTESTATION
    if status == "verified" and status_of(folder, record) == "reproduced":
        return path
    attestation = Attestation(status=status, digest=record.digest, project=rebeca.__version__, at=utc_now())
    write_atomically(path, attestation.model_dump_json(indent=1).encode() + b"\n")
    return path


def status_of(folder: Path, record: TaskRecord) -> str:
    """``self-reported``, ``verified`` or ``reproduced``.

    Raises:
        RecordError: If the file is no attestation.
    """
    path = folder / ATTESTATION
    if not path.exists():
        return SELF_REPORTED
    try:
        attestation = Attestation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RecordError(f"{path}: is no attestation", hint="delete it, and verify the records again") from error
    return attestation.status if attestation.digest == record.digest else SELF_REPORTED
