"""From older record schemas to this version's, one step a version.

A step rewrites the files to the next schema without their numbers; these are then computed again from the rows, so
that an upgraded record verifies like one that was just made. What an older schema did not hold stays unknown and is
said to be: nothing is declared where no declaration was written down.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.record_file import SCHEMA
from benchmark.record_json import (
    COMPARISON,
    RECORD,
    TASK_FOLDER,
    file_digests,
    read_any,
    write_comparison,
    write_record,
)
from benchmark.record_rows import USERS, read_rows
from benchmark.records import with_numbers
from benchmark.spec import analysis_hash
from benchmark.task_file import ID, TaskFile
from benchmark.verify import recomputed, verify
from rebeca.errors import RecordError
from rebeca.seeds import digest_of


def upgrade(folder: Path, out: Path) -> dict[str, Any]:
    """Writes the records of a task version in this version's schema.

    Args:
        folder: ``<root>/<task id>/v<version>`` of an older schema.
        out: Where to; must not exist.

    Returns:
        What :func:`benchmark.verify.verify` found in the result.

    Raises:
        RecordError: If there is no way, or a file cannot be read.
    """
    found = read_any(folder / TASK_FOLDER / COMPARISON)["schema"]
    if found == SCHEMA:
        raise RecordError(f"{folder} has schema {SCHEMA} already")
    if found not in STEPS:
        raise RecordError(f"{folder}: there is no way from schema {found} to {SCHEMA}", hint="run the task again")
    if out.exists():
        raise RecordError(f"{out} exists", hint="name a folder that does not")
    _check_old(folder)
    temporary = out.with_name(f".{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(folder, temporary)
    try:
        for version in range(found, SCHEMA):
            STEPS[version](temporary)
        _with_numbers(temporary, found)
        checked = verify(temporary)
        temporary.rename(out)
    except (KeyError, IndexError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise RecordError(f"{folder}: is no record of schema {found} ({type(error).__name__}: {error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return checked


def _check_old(folder: Path) -> None:
    """An older record is taken at its word only where it kept its own hashes; and its names stay below its folder.

    Raises:
        RecordError: If a file is not the one that the record was written with.
    """
    comparison = read_any(folder / TASK_FOLDER / COMPARISON)
    records = comparison.get("records")
    if not isinstance(records, dict) or set(records) != {*comparison.get("order", []), TASK_FOLDER}:
        raise RecordError(f"{folder}: the list of files does not cover exactly the generators of the task")
    for name in records:
        if name != TASK_FOLDER and not re.fullmatch(ID, name):
            raise RecordError(f"{folder}: '{name}' is no name of a generator")
    for name, files in records.items():
        if not (folder / name).is_dir() or file_digests(folder / name) != files:
            raise RecordError(f"{folder / name}: files were changed, added or removed since the record was written")


def _from_1_to_2(folder: Path) -> None:
    """Schema 2 adds single pictures against each other, agreement, ROC and learning curves, cautions, a declaration."""
    old = read_any(folder / TASK_FOLDER / COMPARISON)
    dumped = TaskFile.model_validate(old["spec"]).to_json()
    spec = old["spec"] | {key: dumped[key] for key in ("analysis", "judges")}
    header = old["task"] | {"hash": digest_of(spec)}
    origin = old["provenance"] | {"declared": None}
    comparison = {
        "kind": "task", "task": header, "spec": spec,
        "analysis": {"hash": analysis_hash(spec), "frozen": False},
        **{key: old[key] for key in ("address", "data", "users", "user_ids", "order")},
        "provenance": origin,
    }  # fmt: skip
    for name in old["order"]:
        _write(folder / name / RECORD, read_any(folder / name / RECORD) | {"task": header, "provenance": origin})
        _with_lowest(folder / name)
    _with_share(folder / TASK_FOLDER / "verifier.parquet")
    _write(folder / TASK_FOLDER / COMPARISON, comparison | {"schema": 2})


def _from_2_to_3(folder: Path) -> None:
    """Schema 3 adds the gap between verifier and auditor, and how people rated in training, which older ones lack."""
    path = folder / TASK_FOLDER / COMPARISON
    _write(path, read_any(path) | {"taste": None})


def _from_3_to_4(folder: Path) -> None:
    """Schema 4 keeps a bootstrap-t's infinite draws, and names generators added later and pictures of this run."""


def _with_numbers(folder: Path, since: int) -> None:
    """Computes every number from the rows and writes the files in this version's schema."""
    comparison = read_any(folder / TASK_FOLDER / COMPARISON)
    origin = comparison["provenance"]
    origin = origin | {"upgraded_from": [*origin.get("upgraded_from", []), since]}
    spec, users = comparison["spec"], comparison["users"]["id"]
    records = {name: read_any(folder / name / RECORD) | {"provenance": origin} for name in comparison["order"]}
    rows = [read_rows(folder / name, record, spec, users) for name, record in records.items()]
    again = recomputed(folder, comparison, rows)
    for name, record in records.items():
        write_record(folder / name, with_numbers(record, again["generators"][name]) | {"schema": SCHEMA})
    numbers = {"results": again["results"], "judges": again["judges"], "provenance": origin, "schema": SCHEMA}
    write_comparison(folder, comparison | numbers)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _with_lowest(folder: Path) -> None:
    """Schema 1 did not keep the lowest scores by which failures count; without failures nothing is lost."""
    table = pq.read_table(folder / "users.parquet")
    value, worst = (table[name].to_numpy() for name in ("value", "worst"))
    if not np.allclose(value, worst, equal_nan=True):
        raise RecordError(f"{folder}: schema 1 with failures cannot be upgraded", hint="run the task again")
    table = table.append_column("lowest", pa.nulls(len(table), pa.float64()))
    pq.write_table(table.select(USERS.names).cast(USERS), folder / "users.parquet", compression="zstd")


def _with_share(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.append_column("share", pa.array(np.ones(len(table)))), path, compression="zstd")


STEPS: dict[int, Callable[[Path], None]] = {1: _from_1_to_2, 2: _from_2_to_3, 3: _from_3_to_4}
"""By the schema that a step starts from."""
