"""Reading and writing the JSON of records: strict, without NaN, without duplicate keys, validated by the schema."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchmark.disk import file_digest, write_atomically
from benchmark.records.schema import SCHEMA, GeneratorRecord, TaskRecord
from rebeca.errors import RecordError
from rebeca.seeds import canonical_json, digest_of

TASK_FOLDER = "_task"
COMPARISON = "comparison.json"
RECORD = "record.json"
MANIFEST = "bundle.json"
"""Of a bundle: one generator that somebody hands in."""
LONGEST_TEXT = 20_000
"""Characters; prompts and command lines have a hundredth of that."""
UNSET = "0" * 64
"""Stands for a digest that is not computed yet."""

Model = TypeVar("Model", bound=BaseModel)


def utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refuse_if(condition: object, message: str) -> None:
    """Raises a RecordError with this message where the condition is true."""
    if condition:
        raise RecordError(message)


def read_record(folder: Path) -> GeneratorRecord:
    """A generator's record.

    Raises:
        RecordError: If it cannot be read, is of another schema version, or breaks the schema.
    """
    return read_strict(folder / RECORD, GeneratorRecord)


def read_comparison(folder: Path, intact: bool = False) -> TaskRecord:
    """The task's record below a version folder, refused with ``intact`` where its digest is another.

    Raises:
        RecordError: As :func:`read_record`.
    """
    path = folder / TASK_FOLDER / COMPARISON
    record = read_strict(path, TaskRecord)
    refuse_if(
        intact and record.digest != own_digest(to_json(record)),
        f"{folder / TASK_FOLDER}: {COMPARISON} was changed (its digest is another)",
    )
    return record


def is_bundle(folder: Path) -> bool:
    """Whether a folder says that it is a bundle."""
    return os.path.lexists(folder / MANIFEST)


def newest_records(task: Path) -> Path | None:
    """A task's records of the highest version; where all are of modified tasks, the last written."""
    folders = [path.parent.parent for path in task.glob("v*/_task/comparison.json")]
    own = [folder for folder in folders if folder.name[1:].isdigit()]
    if own:
        return max(own, key=lambda folder: int(folder.name[1:]))
    return max(folders, key=lambda folder: (folder.stat().st_mtime_ns, folder.name), default=None)


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
        canonical_json(raw).encode()  # refuses lone surrogates and endless nesting
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    if not isinstance(raw, dict) or type(raw.get("schema")) is not int:
        raise RecordError(f"{path}: no record: it has no schema version")
    return text, raw


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key '{twice[:40]}' is given twice")
    for key, value in pairs:
        texts = [key, *(v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str))]
        if (longest := max(map(len, texts))) > LONGEST_TEXT:
            raise ValueError(f"'{key[:40]}' holds a text of {longest:,} characters, at most {LONGEST_TEXT:,}")
    return values


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def read_strict(path: Path, model: type[Model], schema: int = SCHEMA) -> Model:
    """A JSON file of this schema version, in exactly the form in which the model is written.

    Raises:
        RecordError: If it cannot be read, is of another version, or breaks the schema.
    """
    text, raw = _parsed(path)
    if raw["schema"] != schema:
        raise RecordError(
            f"{path}: record schema {raw['schema']}, this version reads {schema}",
            hint="it was written by another version of rebeca-bench: install that one, or run the task again",
        )
    record = _validated(text, model, path)
    if (key := _difference(raw, to_json(record))) is not None:
        raise RecordError(f"{path}: {key}: not as records are written", hint="run the task again")
    return record


def _validated(text: str, model: type[Model], path: Path) -> Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path}: {key}: {first['msg']} (found {str(first['input'])[:80]!r})") from error


def _difference(given: Any, written: Any, key: str = "") -> str | None:
    """Dotted key of the first value that reading completed or converted; None where there is none."""
    if given == written:
        return None
    if isinstance(given, dict) and isinstance(written, dict):
        for name in sorted({*given, *written}):
            below = f"{key}.{name}".lstrip(".")
            if name not in given or name not in written:
                return below
            if given[name] != written[name]:
                return _difference(given[name], written[name], below)
    return key


def to_json(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json", by_alias=True)


def write_record(folder: Path, record: GeneratorRecord) -> None:
    write_strict(folder / RECORD, to_json(record), GeneratorRecord)


def write_comparison(folder: Path, record: TaskRecord) -> TaskRecord:
    """Writes the task's record with the hashes of every file beside it and its own, and returns it."""
    digests = {name: file_digests(folder / name) for name in (*record.order, TASK_FOLDER)}
    raw = to_json(record) | {"records": digests}
    raw["digest"] = own_digest(raw)
    return write_strict(folder / TASK_FOLDER / COMPARISON, raw, TaskRecord)


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 by path of every file below a folder, except ``_task/comparison.json``, which holds these.

    Raises:
        RecordError: If a file cannot be read.
    """
    own = folder / COMPARISON if folder.name == TASK_FOLDER else None
    try:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path != own)
        return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
    except OSError as error:
        raise RecordError(f"{error.filename or folder}: cannot be read ({error.strerror})") from error


def own_digest(raw: Mapping[str, Any]) -> str:
    """SHA-256 over everything in the JSON of the task's record except the digest itself."""
    return digest_of({key: value for key, value in raw.items() if key != "digest"})


def write_strict(path: Path, raw: dict[str, Any], model: type[Model]) -> Model:
    """Writes JSON that :func:`read_strict` reads, and returns what it will read."""
    data = canonical_bytes(raw)
    record = _validated(data.decode(), model, path)
    write_atomically(path, data)
    return record


def canonical_bytes(raw: Mapping[str, Any]) -> bytes:
    """The only form in which records are written."""
    return json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
