"""What somebody other than the author found out about records: verified, or even reproduced. It lies beside them.

``<root>/<task id>/v<version>/attestation.json`` holds a status and the digest of the record that it is about, so that
it ends with any change of the record. Records without one are self-reported.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import rebeca
from benchmark.disk import write_atomically
from benchmark.records.files import read_comparison
from rebeca.errors import RecordError

ATTESTATION = "attestation.json"
SELF_REPORTED = "self-reported"
MEANINGS = {
    SELF_REPORTED: "Nobody but the author of the records has looked at the numbers.",
    "verified": "Every number was computed again from the record's own rows.",
    "reproduced": "All pictures were made again, elsewhere, and gave the same board.",
}


class Attestation(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    status: Literal["verified", "reproduced"]
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    project: str = Field(max_length=40)
    at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


def attest(folder: Path, status: Literal["verified", "reproduced"]) -> Path:
    """Writes down what was found out about the records of a task version; "verified" never replaces "reproduced"."""
    comparison = read_comparison(folder)
    path = folder / ATTESTATION
    if status == "verified" and status_of(folder, comparison) == "reproduced":
        return path
    made = Attestation(
        status=status, digest=comparison["digest"], project=rebeca.__version__,
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )  # fmt: skip
    write_atomically(path, json.dumps(made.model_dump(), indent=1, sort_keys=True).encode() + b"\n")
    return path


def status_of(folder: Path, comparison: dict[str, Any]) -> str:
    """``self-reported``, ``verified`` or ``reproduced``.

    Raises:
        RecordError: If the file is no attestation.
    """
    path = folder / ATTESTATION
    if not path.exists():
        return SELF_REPORTED
    try:
        found = Attestation.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RecordError(f"{path}: is no attestation", hint="delete it, and verify the records again") from error
    return found.status if found.digest == comparison["digest"] else SELF_REPORTED
