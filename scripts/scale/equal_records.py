"""What two runs of a task must have in common, byte for byte: everything but times, places, and digests of these."""

from __future__ import annotations

import json
from pathlib import Path

DIFFERS = ("provenance", "digest", "records")


def contents(records: Path) -> dict[str, bytes]:
    """The bytes of every file of a version folder by name, records without :data:`DIFFERS`."""
    files = {}
    for path in sorted(path for path in records.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix == ".json":
            record = {name: value for name, value in json.loads(data).items() if name not in DIFFERS}
            data = json.dumps(record, sort_keys=True).encode()
        files[path.relative_to(records).as_posix()] = data
    return files
