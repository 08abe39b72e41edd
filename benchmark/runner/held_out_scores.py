"""The verifier on trial: its scores of every held-out rating beside controls on the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.runner.run import Run
from benchmark.runner.store import stage_key
from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.population import population_scores


def verifier_rows(run: Run) -> tuple[Path, str]:
    """The folder of ``verifier.parquet`` (user, item, split, label, judge, score, share) and its address.

    ``share`` is the share of each person's training ratings that the judge was fitted on: 1, and the smaller ones of
    the verifier's learning curve.
    """
    shares = run.task.file.judges.learning_curve
    inputs = {
        "judges": {role: judge.fingerprint for role, judge in run.judges.items()},
        "shares": [run.judge("verifier", share).fingerprint for share in shares],
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
        test = run.world.division.test
        for share in shares:
            scores = run.judge("verifier", share).catalogue_scores()
            tables.append(_table("verifier", "test", test, _at(scores, test), share))
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
    share = likes / np.maximum(train.ratings_per_user(), 1)
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


def _at(scores: Floats, rows: Interactions) -> Floats:
    return np.asarray(scores[rows.user, rows.item])


def _table(judge: str, split: str, rows: Interactions, score: Floats, share: float = 1.0) -> pa.Table:
    names = pa.array([judge] * len(rows)), pa.array([split] * len(rows))
    return pa.table(
        {
            "user": pa.array(rows.user, pa.int32()),
            "item": pa.array(rows.item, pa.int32()),
            "split": names[1].dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
            "label": pa.array(rows.liked),
            "judge": names[0].dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
            "score": pa.array(np.asarray(score, np.float64)),
            "share": pa.array(np.full(len(rows), share)),
        }
    )
