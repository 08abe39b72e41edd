"""How many users a choice of guidance needs: the true taste for the chosen value, by the number of users who choose.

    python -m scripts.guidance_choice TASK GENERATOR [--workdir FOLDER]

The task has a ground truth, and the generator ``prior_guidance: validation``. Users are drawn at random. They choose by
personal ratings, and by ratings less item means that contain the own rating. A choice is worth the mean true
utility, over all users, of the validation items that are nearest to the samples of the chosen value.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.dev.running import Running
from benchmark.task.resolve import load_task
from rebeca.data.splits import Part
from rebeca.population import personal_ratings
from scripts.sparse_ratings import less_item_means

DRAWS = 2000
SIZES = (1, 2, 4, 8, 16, 32, 64)


def main() -> None:
    """Prints one row per number of users."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("generator")
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    given = parser.parse_args()
    run = Running.of(load_task(given.task, ()), given.workdir, quiet=False)
    generator: Any = run.fitted(run.generator(given.generator))
    generator = getattr(generator, "inner", generator)  # within its guards
    part, embeddings = run.world.division.generators, generator.context.embeddings
    held = part.validation
    users = np.flatnonzero(held.ratings_per_user() > 4)
    utility = run.materials.world.ground_truth().utility(held.user[:, None], held.item[:, None])[:, 0]
    before = less_item_means(held)
    now = personal_ratings(Part(part.train, held).joined(), embeddings)[len(part.train) :]
    points = generator._space.forward(embeddings)
    by_utility, *ways = (generator.compare_guidance(points, users, values) for values in (utility, before, now))
    worth = by_utility.mean(axis=1)
    sys.stdout.write(f"guidance {generator.params.guidance_grid}, worth {worth.round(3)}, mean {worth.mean():.3f}\n")
    rng = np.random.default_rng(0)
    sys.stdout.write("users   item mean   others, shrunken\n")
    for size in [size for size in SIZES if size <= len(users)]:
        drawn = [rng.choice(len(users), size, replace=False) for _ in range(DRAWS)]
        chosen = [np.mean([worth[way[:, some].mean(axis=1).argmax()] for some in drawn]) for way in ways]
        sys.stdout.write(f"{size:5d}   {chosen[0]:9.3f}   {chosen[1]:16.3f}\n")


if __name__ == "__main__":
    main()
