"""The rows of records: ``scores.parquet``, ``users.parquet``, ``pairs.parquet``; written once, read with suspicion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.analysis.analyse import Rows
from benchmark.records.files import read_comparison, read_record
from rebeca.arrays import Floats, Ints
from rebeca.errors import RecordError
from rebeca.seeds import SeedScheme, digest_of

SHARES = ("probability", "share")
"""Units whose values lie in [0, 1]."""
AGREES = 1e-9
"""Means in users and pairs must follow from the scores to this, relative and absolute."""

SCORES = pa.schema(
    [
        ("user", pa.string()), ("replicate", pa.int32()), ("seed", pa.uint64()), ("digest", pa.string()),
        ("item", pa.int32()), ("failure", pa.string()), ("scorer", pa.string()), ("score", pa.float64()),
    ]
)  # fmt: skip
USERS = pa.schema(
    [
        ("user", pa.string()), ("measure", pa.string()), ("value", pa.float64()), ("worst", pa.float64()),
        ("lowest", pa.float64()), ("pictures", pa.int32()),
    ]
)  # fmt: skip
PAIRS = pa.schema(
    [("scorer", pa.string()), ("judge", pa.int32()), ("target", pa.int32()), ("mean", pa.float64()), ("n", pa.int32())]
)


def write_rows(folder: Path, rows: Rows, users: tuple[str, ...], seeds: Ints, failure: list[str]) -> None:
    """Writes the three files.

    Args:
        folder: The generator's.
        rows: What it made and what everybody thinks of it.
        users: Ids of the people.
        seeds: uint64 [people * K]; in the order of people and replicates.
        failure: Names of failures, empty for valid pictures.
    """
    people, k = rows.digest.shape
    tables = []
    for scorer, scores in rows.scores.items():
        columns = {
            "user": np.repeat(users, k).tolist(), "replicate": np.tile(np.arange(k), people), "seed": seeds,
            "digest": rows.digest.ravel().tolist(), "item": rows.item.ravel(), "failure": failure,
            "scorer": [scorer] * (people * k), "score": pa.array(scores.ravel(), from_pandas=True),
        }  # fmt: skip
        tables.append(pa.table(columns, schema=SCORES))
    pq.write_table(pa.concat_tables(tables), folder / "scores.parquet", compression="zstd")
    values, worst = rows.values("exclude"), rows.values("worst")
    tables = []
    for measure, value in values.items():
        count = np.isfinite(rows.scores[measure]).sum(axis=1) if measure in rows.scores else rows.pictures
        lowest = rows.lowest.get(measure, np.full(people, np.nan))
        columns = {
            "user": list(users), "measure": [measure] * people, "value": pa.array(value, from_pandas=True),
            "worst": pa.array(worst[measure], from_pandas=True), "lowest": pa.array(lowest, from_pandas=True),
            "pictures": count,
        }  # fmt: skip
        tables.append(pa.table(columns, schema=USERS))
    pq.write_table(pa.concat_tables(tables), folder / "users.parquet", compression="zstd")
    tables = [PAIRS.empty_table()]
    for scorer, pairs in rows.pairs.items():
        judge, target = np.nonzero(np.isfinite(pairs))
        columns = {
            "scorer": [scorer] * len(judge), "judge": judge, "target": target, "mean": pairs[judge, target],
            "n": rows.pictures[target],
        }  # fmt: skip
        tables.append(pa.table(columns, schema=PAIRS))
    pq.write_table(pa.concat_tables(tables), folder / "pairs.parquet", compression="zstd")


def read_rows(folder: Path, record: dict[str, Any], spec: dict[str, Any], users: list[str]) -> Rows:
    """Reads the three files and checks that they agree with each other, with the seeds and with the record.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    people, k = len(users), int(record["generator"].get("images") or spec["images"])
    one, scores = _read_scores(folder, record, users, k)
    failed = (one["failure"] != "").reshape(people, k)
    digest = one["digest"].astype(np.str_).reshape(people, k)
    _check_seeds(folder, record, spec, users, one["seed"].reshape(people, k))
    _check_pictures(folder, record, users, one, digest, failed)
    stored = _read_users(folder, users)
    cards = {measure: summary["card"] for measure, summary in record["summary"].items()}
    if set(stored) != set(cards) or not set(scores) <= set(cards):
        raise RecordError(f"{folder}: users.parquet and record.json are about different measures")
    rows = Rows(
        id=record["generator"]["id"],
        ranked=record["generator"]["ranked"],
        digest=digest,
        item=one["item"].astype(np.int64).reshape(people, k),
        failed=failed,
        scores=scores,
        lowest={measure: columns["lowest"] for measure, columns in stored.items() if measure in scores},
        higher={measure: bool(cards[measure]["higher_is_better"]) for measure in scores},
        sets={measure: columns["value"] for measure, columns in stored.items() if measure not in scores},
        pairs=_read_pairs(folder, people, k - failed.sum(axis=1)),
        ground_truths=frozenset(measure for measure in scores if cards[measure]["is_ground_truth"]),
    )
    for measure, card in cards.items():
        tables = (rows.scores, rows.lowest, rows.sets, rows.pairs)
        if card["unit"] in SHARES and any(((t[measure] < 0) | (t[measure] > 1)).any() for t in tables if measure in t):
            raise RecordError(f"{folder}: '{measure}' has a {card['unit']} outside [0, 1]")
    _check_means(folder, rows, stored)
    return rows


def read_all(folder: Path) -> tuple[dict[str, Any], list[Rows]]:
    """The task's record and the rows of all its generators, below a version folder.

    Raises:
        RecordError: If something cannot be read or does not add up.
    """
    comparison = read_comparison(folder)
    spec, users = comparison["spec"], comparison["users"]["id"]
    return comparison, [
        read_rows(folder / name, read_record(folder / name), spec, users) for name in comparison["order"]
    ]


def read_columns(path: Path, schema: pa.Schema) -> dict[str, Any]:
    """Columns as arrays; numbers that are missing are NaN."""
    try:
        table = pq.read_table(path)
        if table.schema.names != schema.names:
            raise RecordError(f"{path}: columns {table.schema.names}, expected {schema.names}")
        table = table.cast(schema)
        columns = {name: table[name].to_numpy() for name in schema.names}
    except (OSError, pa.ArrowException, ValueError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    out = {}
    for name, kind in zip(schema.names, schema.types, strict=True):
        if kind != pa.float64() and table[name].null_count:
            raise RecordError(f"{path}: column '{name}' has missing values")
        column = columns[name]
        if kind == pa.float64() and np.isinf(column).any():
            raise RecordError(f"{path}: column '{name}' holds an infinity")
        out[name] = column
    return out


def _read_scores(
    folder: Path, record: dict[str, Any], users: list[str], k: int
) -> tuple[dict[str, Any], dict[str, Floats]]:
    """Columns of the first scorer, and scores [people, K] of all; every scorer must be about the same pictures."""
    path = folder / "scores.parquet"
    columns = read_columns(path, SCORES)
    people = len(users)
    names = list(dict.fromkeys(columns["scorer"].tolist()))
    if not names:
        raise RecordError(f"{path}: no rows")
    scores: dict[str, Floats] = {}
    first: dict[str, Any] = {}
    for scorer in names:
        own = {name: column[columns["scorer"] == scorer] for name, column in columns.items()}
        expected = np.repeat(np.array(users, object), k)
        if len(own["user"]) != people * k:
            raise RecordError(f"{path}: scorer '{scorer}' has {len(own['user'])} rows, expected {people * k}")
        if (own["user"] != expected).any() or (own["replicate"] != np.tile(np.arange(k), people)).any():
            raise RecordError(f"{path}: scorer '{scorer}': not every picture of every person once, in order")
        first = first or own
        for name in ("seed", "digest", "item", "failure"):
            if (own[name] != first[name]).any():
                raise RecordError(f"{path}: scorer '{scorer}': '{name}' is not that of '{names[0]}'")
        if np.isfinite(own["score"][own["failure"] != ""]).any():
            raise RecordError(f"{path}: scorer '{scorer}' scores a picture that failed")
        scores[scorer] = own["score"].reshape(people, k)
    return first, scores


def _check_seeds(folder: Path, record: dict[str, Any], spec: dict[str, Any], users: list[str], found: Any) -> None:
    generator = record["generator"]
    seeds = SeedScheme(spec["id"], spec["version"], spec["seed"], generator["offset"])
    for u, user in enumerate(users):
        for replicate in range(found.shape[1]):
            if seeds.picture(user, replicate, generator["noise_group"]) != int(found[u, replicate]):
                raise RecordError(
                    f"{folder}: scores.parquet: person '{user}', picture {replicate}: the seed {found[u, replicate]}"
                    " is not this picture's"
                )


def _check_pictures(
    folder: Path, record: dict[str, Any], users: list[str], one: dict[str, Any], digest: Any, failed: Any
) -> None:
    pictures = record["pictures"]
    if ((one["digest"] == "") != (one["failure"] == "missing")).any():
        raise RecordError(f"{folder}: scores.parquet: exactly the missing pictures have no digest")
    made = [[user, int(k), d] for user, k, d in zip(one["user"], one["replicate"], one["digest"], strict=True)]
    if digest_of(made) != pictures["digest"] or digest_of(sorted(m[2] for m in made)) != pictures["set_digest"]:
        raise RecordError(f"{folder}: the pictures' digests are not those of the record")
    names, counts = np.unique(one["failure"][one["failure"] != ""].astype(np.str_), return_counts=True)
    found = {
        "requested": len(made),
        "valid": int((~failed).sum()),
        "failures": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "different": len({m[2] for m in made if m[2]}),
        "from_catalogue": int((one["item"] >= 0).sum()),
    }
    for name, value in found.items():
        if pictures[name] != value:
            raise RecordError(f"{folder}: pictures.{name}: recorded {pictures[name]}, found {value}")
    index = {user: u for u, user in enumerate(users)}
    for shown in pictures["shown"]:
        u = index.get(shown["user"])
        if u is None or shown["replicate"] >= digest.shape[1] or digest[u, shown["replicate"]] != shown["digest"]:
            raise RecordError(f"{folder}: pictures.shown: {shown['user']}, {shown['replicate']} is another picture")


def _read_users(folder: Path, users: list[str]) -> dict[str, dict[str, Any]]:
    path = folder / "users.parquet"
    columns = read_columns(path, USERS)
    out = {}
    for measure in dict.fromkeys(columns["measure"].tolist()):
        own = {name: column[columns["measure"] == measure] for name, column in columns.items()}
        if own["user"].tolist() != users:
            raise RecordError(f"{path}: measure '{measure}' is not about everybody once, in order")
        out[str(measure)] = own
    return out


def _check_means(folder: Path, rows: Rows, stored: dict[str, dict[str, Any]]) -> None:
    for reading, column in (("exclude", "value"), ("worst", "worst")):
        for measure, value in rows.values(reading).items():
            if not np.allclose(value, stored[measure][column], rtol=AGREES, atol=AGREES, equal_nan=True):
                raise RecordError(f"{folder}: users.parquet: '{column}' of '{measure}' does not follow from the scores")
    for measure, own in stored.items():
        count = np.isfinite(rows.scores[measure]).sum(axis=1) if measure in rows.scores else rows.pictures
        if (own["pictures"] != count).any():
            raise RecordError(
                f"{folder}: users.parquet: 'pictures' of '{measure}' is not the number of scored pictures"
            )
    values = rows.values("exclude")
    for scorer, pairs in rows.pairs.items():
        if scorer not in rows.scores:
            raise RecordError(f"{folder}: pairs.parquet: '{scorer}' scores no pictures")
        if not np.allclose(np.diag(pairs), values[scorer], rtol=AGREES, atol=AGREES, equal_nan=True):
            raise RecordError(f"{folder}: pairs.parquet: own sets of '{scorer}' do not agree with the scores")


def _read_pairs(folder: Path, people: int, pictures: Ints) -> dict[str, Floats]:
    path = folder / "pairs.parquet"
    columns = read_columns(path, PAIRS)
    judge, target = columns["judge"], columns["target"]
    if len(judge) and not (min(judge.min(), target.min()) >= 0 and max(judge.max(), target.max()) < people):
        raise RecordError(f"{path}: a person outside 0 to {people - 1}")
    if (columns["n"] != pictures[target]).any():
        raise RecordError(f"{path}: 'n' is not the number of the target's valid pictures")
    out: dict[str, Floats] = {}
    for scorer in dict.fromkeys(columns["scorer"].tolist()):
        own = columns["scorer"] == scorer
        full = np.full((people, people), np.nan)
        if len(np.unique(judge[own].astype(np.int64) * people + target[own])) != int(own.sum()):
            raise RecordError(f"{path}: a pair of '{scorer}' is given twice")
        full[judge[own], target[own]] = columns["mean"][own]
        out[str(scorer)] = full
    return out
