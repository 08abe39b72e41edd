"""From the scores of a generator to the rows and strata that the analysis reads."""

from __future__ import annotations

import numpy as np

from benchmark.analysis.inputs import Rows
from benchmark.analysis.results import PermutationTest
from benchmark.runner.scoring import GeneratorScores
from benchmark.runner.world import World
from benchmark.stats.personalisation import image_shuffle
from benchmark.stats.random import stream
from benchmark.task.resolve import Task
from rebeca.arrays import Bools, Floats, Ints

PUBLISHED_PERMUTATIONS = 1000


def bootstrap_strata(task: Task, block: Ints, cold: Bools) -> Ints:
    """Int [users]; the bootstrap resamples users within these strata.

    Args:
        task: Names the columns that make up the strata.
        block: int [users].
        cold: bool [users].
    """
    strata = np.zeros(len(block), np.int64)
    for name in task.file.analysis.strata:
        strata = strata * (int(block.max()) + 2) + (block if name == "block" else cold.astype(np.int64))
    return strata


def rows_of(scores: GeneratorScores, world: World, task: Task) -> Rows:
    """A generator's scores as the analysis reads them."""
    spec = scores.images.spec
    shape = len(world.users), task.images_of(spec)
    failed = np.array([bool(image.failure) for image in scores.images.rows]).reshape(shape)
    block = world.dataset.block_of_user[world.users]
    by_scorer: dict[str, Floats] = {}
    pairs: dict[str, Floats] = {}
    for scorer, single in scores.by_image.items():
        by_scorer[scorer] = np.full(shape, np.nan)
        by_scorer[scorer][~failed] = single.own
        if single.everyone is not None:
            table = single.pair_means(scores.owner, len(world.users))
            table[block[:, None] != block[None, :]] = np.nan
            if np.isfinite(table).any():  # a scorer of items has no scores of generated images
                pairs[scorer] = table
    return Rows(
        id=spec.id,
        ranked=not spec.flags().needs,
        digest=np.array([image.digest for image in scores.images.rows], np.str_).reshape(shape),
        item=np.array([image.item for image in scores.images.rows], np.int64).reshape(shape),
        failed=failed,
        scores=by_scorer,
        lowest={scorer: single.worst for scorer, single in scores.by_image.items()},
        cards={scorer: single.card for scorer, single in scores.by_image.items()},
        sets=scores.by_user,
        pairs=pairs,
    )


def published_scheme(scores: GeneratorScores, scorer: str, name: str) -> PermutationTest | None:
    """The published test, anti-conservative and kept for reproduction; None unless all users score all images."""
    single = scores.by_image[scorer]
    if single.everyone is None or not np.isfinite(single.everyone).all():
        return None
    table = single.everyone[:, single.position] * (1 if single.card.higher_is_better else -1)
    rng = stream(name, "picture-shuffle", scorer)
    return PermutationTest.of(image_shuffle(table, scores.owner, PUBLISHED_PERMUTATIONS, rng))
