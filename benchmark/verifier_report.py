"""What is reported about the judges, from the rows of ``verifier.parquet``. Pure, so that ``verify`` can repeat it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmark.record_file import MEANINGS
from benchmark.record_rows import read_columns
from benchmark.stats.intervals import mean_interval, resampling_weights
from benchmark.stats.random import stream
from benchmark.stats.verifier import (
    auc,
    auc_by_user,
    auc_over_users,
    bootstrap_rows_auc,
    calibration,
    roc,
)
from rebeca.arrays import Floats, Ints
from rebeca.errors import RecordError

JUDGES = ("verifier", "auditor")
CONTROLS = ("population", "user mean", "users permuted")
ROWS_BOOTSTRAP = 1000
JUDGED = pa.schema(
    [
        ("user", pa.int32()), ("item", pa.int32()), ("split", pa.string()), ("label", pa.bool_()),
        ("judge", pa.string()), ("score", pa.float64()), ("share", pa.float64()),
    ]
)  # fmt: skip


def judge_report(rows: dict[str, Any], people: int, draws: int, name: str) -> dict[str, Any]:
    """Everything that is reported about the judges.

    Args:
        rows: Columns of ``verifier.parquet`` as arrays.
        people: People of the data set.
        draws: Bootstrap draws over people, the same for all judges.
        name: Names the random streams.
    """
    report: dict[str, Any] = {}
    within: dict[str, Floats] = {}
    weights = resampling_weights(people, draws, stream(name, "judges"))
    for judge in MEANINGS:
        test = _select(rows, judge, "test")
        if not len(test["label"]):
            continue
        within[judge] = auc_by_user(test["user"], test["label"], test["score"], people)
        pooled = auc_over_users(test["user"], test["label"], test["score"], weights)
        entry: dict[str, Any] = {
            "meaning": MEANINGS[judge],
            "rows": len(test["label"]),
            "auc_within_user": mean_interval(within[judge], weights).to_json(),
            "auc_pooled": pooled.to_json(),
            "roc": roc(test["label"], test["score"]),
        }
        if judge in JUDGES:
            entry |= _own_report(rows, judge, test, weights, name)
        report[judge] = entry
    for judge in CONTROLS:
        if judge in within and "verifier" in within:
            report[judge]["verifier_gain"] = mean_interval(within["verifier"] - within[judge], weights).to_json()
    return report


def _own_report(rows: dict[str, Any], judge: str, test: dict[str, Any], weights: Ints, name: str) -> dict[str, Any]:
    """What only a fitted judge has: training ratings, probabilities, and fits on fewer ratings."""
    people = weights.shape[1]
    low, high = bootstrap_rows_auc(test["label"], test["score"], ROWS_BOOTSTRAP, stream(name, "auc-rows", judge))
    train = _select(rows, judge, "train")
    curve = []
    for share in sorted({float(s) for s in rows["share"][rows["judge"] == judge]}):
        part = _select(rows, judge, "test", share)
        by_user = auc_by_user(part["user"], part["label"], part["score"], people)
        curve.append({"share": share, "auc_within_user": mean_interval(by_user, weights).to_json()})
    return {
        "auc_pooled_rows_interval": {"low": low, "high": high},
        "calibration": calibration(test["label"], test["score"]),
        "train": {
            "rows": len(train["label"]),
            "auc_pooled": auc(train["label"], train["score"]),
            "auc_within_user": mean_interval(
                auc_by_user(train["user"], train["label"], train["score"], people), weights
            ).to_json(),
            "roc": roc(train["label"], train["score"]),
        },
        "learning_curve": curve,
    }


def _select(rows: dict[str, Any], judge: str, split: str, share: float = 1.0) -> dict[str, Any]:
    own = (rows["judge"] == judge) & (rows["split"] == split) & (rows["share"] == share)
    return {column: rows[column][own] for column in ("user", "label", "score")}


def read_judged(path: Path, people: int) -> dict[str, Any]:
    """Columns of ``verifier.parquet`` as arrays, checked.

    Args:
        path: The file.
        people: People of the data set.

    Raises:
        RecordError: If it cannot be read, a column is missing or of another type, or a value is impossible.
    """
    rows = read_columns(path, JUDGED)
    if len(rows["user"]) and not (rows["user"].min() >= 0 and rows["user"].max() < people):
        raise RecordError(f"{path}: a person outside 0 to {people - 1}")
    if len(rows["item"]) and rows["item"].min() < 0:
        raise RecordError(f"{path}: a picture below 0")
    if not np.isfinite(rows["score"]).all():
        raise RecordError(f"{path}: a score that is not finite")
    probability = np.isin(rows["judge"], JUDGES)
    if ((rows["score"] < 0) | (rows["score"] > 1))[probability].any():
        raise RecordError(f"{path}: a judge's probability outside [0, 1]")
    names = [np.unique(rows[c].astype(np.str_), return_inverse=True)[1] for c in ("judge", "split", "share")]
    if np.unique(np.stack([*names, rows["user"], rows["item"]]), axis=1).shape[1] != len(rows["user"]):
        raise RecordError(f"{path}: a rating is given twice")
    return rows
