"""Judges tested: their scores of every held-out rating, beside controls on the same ratings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.analysis.measures import CONTROLS, OTHERS, PRIOR
from benchmark.records.costs import HELD_OUT_STAGE
from benchmark.records.rows import HELD_OUT
from benchmark.runner.addresses import Addresses
from benchmark.runner.materials import Materials
from benchmark.runner.progress import Report
from benchmark.runner.stages import Stages
from benchmark.runner.world import World
from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Part
from rebeca.population import population_scores
from rebeca.seeds import SeedScheme
from rebeca.spans import Part as Spent
from rebeca.spans import span


def score_held_out(
    addresses: Addresses, materials: Materials, shares: list[float], seeds: SeedScheme, stages: Stages
) -> Path:
    """The file with every judge's scores of its training ratings and of the held-out ratings.

    Columns are user, item, split, label, judge, score and share. The last is the share of each user's training ratings
    that the judge was fitted on: 1, or a smaller share of the verifier's learning curve.

    Args:
        addresses: All addresses of the run.
        materials: Judges and data.
        shares: Of the learning curve.
        seeds: The task's.
        stages: Takes the file from the store, or makes it.
    """

    def write(folder: Path, _: Report) -> None:
        pq.write_table(
            pa.concat_tables(judge_tables(materials, seeds) + curve_tables(materials, shares)).combine_chunks(),
            folder / HELD_OUT,
            compression="zstd",
        )

    return stages.make(addresses.held_out, HELD_OUT_STAGE, write) / HELD_OUT


def judge_tables(materials: Materials, seeds: SeedScheme) -> list[pa.Table]:
    """Rows of the verifier with its controls, and of the auditor."""
    world = materials.world
    test = world.division.test
    tables = []
    for role, judge in materials.judges.items():
        if role == PRIOR:
            continue
        part: Part = getattr(world.division, role)
        scores = judge.catalogue_scores()
        tables.append(_table(role, "test", test, _at(scores, test)))
        tables.append(_table(role, "train", part.train, _at(scores, part.train)))
        if role == "verifier":
            tables += control_tables(world, part.joined(), scores, materials.embeddings[role], seeds)
    return tables


def curve_tables(materials: Materials, shares: list[float]) -> list[pa.Table]:
    test = materials.world.division.test
    return [
        _table("verifier", "test", test, _at(judge.catalogue_scores(), test), share)
        for share, judge in zip(shares, materials.curve, strict=True)
    ]


def control_tables(
    world: World, train: Interactions, scores: Floats, embeddings: Floats, seeds: SeedScheme
) -> list[pa.Table]:
    """Rows of baselines that a judge should beat, and of the others' mean, which a new image does not have.

    Args:
        world: The data.
        train: All ratings of the verifier.
        scores: float64 [users, items]; the verifier's.
        embeddings: float32 [items, dim]; in the verifier's space.
        seeds: The task's.
    """
    test, block = world.division.test, world.dataset.block_of_user
    rng = np.random.default_rng(seeds.fit("permuted-users"))
    permuted = np.arange(test.num_users)
    for number in np.unique(block):
        permuted[block == number] = rng.permutation(permuted[block == number])
    with span(Spent.MODELS, "fit the population control"):
        population = population_scores(train, embeddings, seeds.fit("population-control"))
    likes = np.bincount(train.user, weights=train.liked, minlength=train.num_users)
    share = likes / np.maximum(train.ratings_per_user(), 1)
    controls = population[test.item], share[test.user], scores[permuted[test.user], test.item]
    columns = dict(zip(CONTROLS, controls, strict=True))
    others = others_mean(test)
    if np.isfinite(others).all():
        columns[OTHERS] = others
    return [_table(name, "test", test, values) for name, values in columns.items()]


def others_mean(ratings: Interactions) -> Floats:
    """float64 [ratings]; the mean of the other users' ratings of the same item, NaN where there are none."""
    count = np.bincount(ratings.item, minlength=ratings.num_items)
    total = np.bincount(ratings.item, weights=ratings.rating, minlength=ratings.num_items)
    others = count[ratings.item] - 1
    out = np.full(len(ratings), np.nan)
    return np.divide(total[ratings.item] - ratings.rating, others, out=out, where=others > 0)


def _at(scores: Floats, rows: Interactions) -> Floats:
    return np.asarray(scores[rows.user, rows.item])


def _table(judge: str, split: str, rows: Interactions, score: Floats, share: float = 1.0) -> pa.Table:
    judges, splits = pa.array([judge] * len(rows)), pa.array([split] * len(rows))
    return pa.table(
        {
            "user": pa.array(rows.user, pa.int32()),
            "item": pa.array(rows.item, pa.int32()),
            "split": splits.dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
            "label": pa.array(rows.liked),
            "judge": judges.dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
            "score": pa.array(np.asarray(score, np.float64)),
            "share": pa.array(np.full(len(rows), share)),
        }
    )
