"""Reading and writing the JSON of records: strict, without NaN, without duplicate keys, checked against the model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from benchmark.disk import file_digest, write_atomically
from benchmark.records.schema import SCHEMA, GeneratorRecord, TaskRecord
from rebeca.errors import RecordError
from rebeca.seeds import canonical_json, digest_of

TASK_FOLDER = "_task"
COMPARISON = "comparison.json"
RECORD = "record.json"
LONGEST_TEXT = 20_000
"""Letters; prompts and command lines are a hundredth of that."""


def read_record(folder: Path) -> dict[str, Any]:
    """A generator's record.

    Raises:
        RecordError: If it cannot be read, is of another schema version, or breaks the schema.
    """
    return _read(folder / RECORD, GeneratorRecord)


def read_comparison(folder: Path) -> dict[str, Any]:
    """The task's record below a version folder; errors as :func:`read_record`."""
    return _read(folder / TASK_FOLDER / COMPARISON, TaskRecord)


def newest_records(task: Path) -> Path | None:
    """A task's records of the highest version; a modified task's, the last written, where there is nothing else."""
    found = [path.parent.parent for path in task.glob("v*/_task/comparison.json")]
    own = [folder for folder in found if folder.name[1:].isdigit()]
    if own:
        return max(own, key=lambda folder: int(folder.name[1:]))
    return max(found, key=lambda folder: (folder.stat().st_mtime_ns, folder.name), default=None)


def read_any(path: Path) -> dict[str, Any]:
    """JSON of any schema version, an object with ``schema``.

    Raises:
        RecordError: If it is none.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"the key '{next(n for n in names if names.count(n) > 1)}' is given twice")
        for key, value in pairs:
            texts = [key, *(v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str))]
            if (longest := max(map(len, texts))) > LONGEST_TEXT:
                raise ValueError(f"'{key[:40]}' holds a text of {longest:,} letters, at most {LONGEST_TEXT:,}")
        return found

    def no_number(text: str) -> Any:
        raise ValueError(f"{text} is no JSON number")

    def finite(text: str) -> float:
        value = float(text)
        return value if math.isfinite(value) else no_number(text)

    try:
        raw = json.loads(
            path.read_text(encoding="utf-8"), object_pairs_hook=once, parse_constant=no_number, parse_float=finite
        )
        canonical_json(raw).encode()  # lone surrogates and endless nesting end here, not later
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("schema"), int):
        raise RecordError(f"{path}: no record: it has no schema version")
    return raw


def _read(path: Path, model: type[BaseModel]) -> dict[str, Any]:
    raw = read_any(path)
    if raw["schema"] != SCHEMA:
        raise RecordError(
            f"{path}: record schema {raw['schema']}, this version reads {SCHEMA}",
            hint="it was written by another version of rebeca-bench: install that one, or run the task again",
        )
    check(raw, model, str(path))
    return raw


def check(raw: dict[str, Any], model: type[BaseModel], where: str) -> None:
    """Checks JSON against a model.

    Raises:
        RecordError: Naming the first field that breaks it.
    """
    try:
        model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{where}: {key}: {first['msg']} (found {str(first['input'])[:80]!r})") from error


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Writes a generator's record."""
    _write(folder / RECORD, record, GeneratorRecord)


def write_comparison(folder: Path, comparison: dict[str, Any]) -> None:
    """Writes the task's record, with the hashes of every file beside it and its own."""
    names = [*comparison["order"], TASK_FOLDER]
    comparison = comparison | {"records": {name: file_digests(folder / name) for name in names}}
    comparison["digest"] = own_digest(comparison)
    _write(folder / TASK_FOLDER / COMPARISON, comparison, TaskRecord)


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 by path of every file below a folder but ``_task/comparison.json``, which holds these."""
    own = folder / COMPARISON if folder.name == TASK_FOLDER else None
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != own)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def own_digest(comparison: dict[str, Any]) -> str:
    """SHA-256 over everything in the task's record but the digest itself."""
    return digest_of({key: value for key, value in _finite(comparison).items() if key != "digest"})


def _write(path: Path, value: dict[str, Any], model: type[BaseModel]) -> None:
    value = _finite(value)
    check(value, model, str(path))
    text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode() + b"\n")


def _finite(value: Any) -> Any:
    """Plain JSON values; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else bool(value) if isinstance(value, np.bool_) else value
