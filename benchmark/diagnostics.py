"""The verifier on trial: its scores of every held-out rating beside controls on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.runner import Run
from benchmark.stats.random import stream
from benchmark.stats.verifier import auc, auc_by_user, bootstrap_rows_auc, calibration, mean_over_users
from benchmark.store import stage_key
from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.population import population_scores

MEANINGS = {
    "verifier": "the verifier",
    "auditor": "the auditor",
    "population": "control: the same pictures and ratings without people",
    "user mean": "control: how often this person likes anything",
    "users permuted": "control: the verifier asked as somebody else of the same block",
    "others' mean": "ceiling: mean held-out rating of the picture by all other people",
}
CONTROLS = ("population", "user mean", "users permuted")
ROWS_BOOTSTRAP = 1000


def verifier_rows(run: Run) -> tuple[Path, str]:
    """The folder of ``verifier.parquet`` (user, item, split, label, judge, score) and its address."""
    inputs = {
        "judges": {role: judge.fingerprint for role, judge in run.judges.items()},
        "ratings": run.world.fingerprint,
    }
    key = stage_key("verifier", inputs)

    def write(folder: Path) -> None:
        from rebeca.ncf.verifier import joined

        tables = []
        for role, judge in run.judges.items():
            part: Part = getattr(run.world.division, role)
            scores = judge.catalogue_scores()
            tables.append(_table(role, "test", run.world.division.test, _at(scores, run.world.division.test)))
            tables.append(_table(role, "train", part.train, _at(scores, part.train)))
            if role == "verifier":
                tables += _controls(run, joined(part), scores)
        pq.write_table(pa.concat_tables(tables).combine_chunks(), folder / "verifier.parquet", compression="zstd")

    return run.make("verifier", key, inputs, write, "score held-out ratings"), key


def _controls(run: Run, train: Interactions, scores: Floats) -> list[pa.Table]:
    test = run.world.division.test
    rng = np.random.default_rng(run.task.seeds.fit("permuted-users"))
    block = run.world.dataset.block_of_user
    permuted = np.arange(test.num_users)
    for b in np.unique(block):
        own = np.flatnonzero(block == b)
        permuted[own] = rng.permutation(own)
    embeddings = run.embeddings("verifier")
    population = population_scores(train, embeddings, run.task.seeds.fit("population-control"))
    likes = np.bincount(train.user, weights=train.liked, minlength=train.num_users)
    share = likes / np.maximum(train.ratings_a_user(), 1)
    count = np.bincount(test.item, minlength=test.num_items)
    total = np.bincount(test.item, weights=test.rating, minlength=test.num_items)
    others = count[test.item] - 1
    ceiling = np.divide(total[test.item] - test.rating, others, out=np.full(len(test), np.nan), where=others > 0)
    columns = {
        "population": population[test.item],
        "user mean": share[test.user],
        "users permuted": scores[permuted[test.user], test.item],
    }
    if np.isfinite(ceiling).all():
        columns["others' mean"] = ceiling
    return [_table(name, "test", test, values) for name, values in columns.items()]


def judge_report(rows: dict[str, Any], num_users: int, draws: int, name: str) -> dict[str, Any]:
    """Everything that is reported about the judges.

    Args:
        rows: Columns of ``verifier.parquet`` as arrays.
        num_users: People of the data set.
        draws: Bootstrap draws over people.
        name: Names the random streams.
    """
    report: dict[str, Any] = {}
    within: dict[str, Floats] = {}
    for judge in MEANINGS:
        own = (rows["judge"] == judge) & (rows["split"] == "test")
        if not own.any():
            continue
        user, label, score = rows["user"][own], rows["label"][own], rows["score"][own]
        by_user = auc_by_user(user, label, score, num_users)
        within[judge] = by_user
        entry: dict[str, Any] = {
            "meaning": MEANINGS[judge],
            "rows": int(own.sum()),
            "auc_within_user": mean_over_users(by_user, draws, stream(name, "auc", judge)).to_json(),
            "auc_pooled": auc(label, score),
        }
        if judge in ("verifier", "auditor"):
            low, high = bootstrap_rows_auc(label, score, ROWS_BOOTSTRAP, stream(name, "auc-rows", judge))
            entry["auc_pooled_rows_interval"] = {"low": low, "high": high}
            entry["calibration"] = calibration(label, score)
            train = (rows["judge"] == judge) & (rows["split"] == "train")
            entry["auc_train_pooled"] = auc(rows["label"][train], rows["score"][train])
        report[judge] = entry
    for judge in CONTROLS:
        if judge in within and "verifier" in within:
            gain = within["verifier"] - within[judge]
            report[judge]["verifier_gain"] = mean_over_users(gain, draws, stream(name, "gain", judge)).to_json()
    return report


def read_rows(path: Path) -> dict[str, Any]:
    """Columns of ``verifier.parquet`` as arrays."""
    table = pq.read_table(path)
    out = {name: table[name].to_numpy() for name in ("user", "item", "label", "score")}
    return out | {name: np.array(table[name].to_pylist()) for name in ("split", "judge")}


def _at(scores: Floats, rows: Interactions) -> Floats:
    return np.asarray(scores[rows.user, rows.item])


def _table(judge: str, split: str, rows: Interactions, score: Floats) -> pa.Table:
    names = pa.array([judge] * len(rows)), pa.array([split] * len(rows))
    return pa.table(
        {
            "user": pa.array(rows.user, pa.int32()),
            "item": pa.array(rows.item, pa.int32()),
            "split": names[1].dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
            "label": pa.array(rows.liked),
            "judge": names[0].dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
            "score": pa.array(np.asarray(score, np.float64)),
        }
    )
