"""The verifier against the population model on several item splits of a task: within-user AUC on held-out items.

    python scripts/oasis_splits.py tasks/oasis.yaml --data FOLDER [--splits 0 1 2 3 4] [--judge ncf]

Prints one row per split, and the mean gain with two 95 % intervals: over users, who are paired across these splits, and
over splits.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmark.runner.addresses import find_addresses
from benchmark.runner.embed import Encoders, embed
from benchmark.runner.held_out_scores import others_mean
from benchmark.runner.judges import fitted_judge, judge_jobs
from benchmark.runner.progress import Reporter
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import find_data
from benchmark.stats.intervals import mean_interval, resampling_weights
from benchmark.stats.items import split_interval
from benchmark.stats.verifier import auc_by_user
from benchmark.task.resolve import load_task
from benchmark.task.resolved import Task
from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.population import population_scores

BOOTSTRAP = 9999


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--data", required=True)
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--judge", default="ncf")
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    gains, items = [], (0, 0)
    sys.stdout.write("split   population   verifier      gain   others' mean    users\n")
    for split in given.splits:
        overrides = (f"data.path={given.data}", f"seed={split}", f"judges.verifier.use={given.judge}", *given.set)
        gain, items = one_split(load_task(Path(given.task), overrides), given.workdir, split)
        gains.append(gain)
    table = np.array(gains)
    known = np.nanmean(table[:, np.isfinite(table).any(axis=0)], axis=0)
    weights = resampling_weights(len(known), BOOTSTRAP, np.random.default_rng(0))
    interval = mean_interval(known, weights)
    positive = sum(np.nanmean(gain) > 0 for gain in gains)
    sys.stdout.write(
        f"mean gain {interval.estimate:+.4f}, 95 % interval over users {interval.low:+.4f} to {interval.high:+.4f},"
        f" positive in {positive} of {len(gains)} splits\n"
    )
    over_splits = split_interval([float(np.nanmean(gain)) for gain in gains], *items)
    sys.stdout.write(
        f"with the split as the unit {over_splits.low:+.4f} to {over_splits.high:+.4f}"
        f" ({items[0]} items held out, {items[1]} in training; Nadeau and Bengio 2003)\n"
    )


def one_split(task: Task, workdir: Path, split: int) -> tuple[Floats, tuple[int, int]]:
    """Each user's gain in within-user AUC, float64 [users]; how many items are held out, and how many are not."""
    reporter = Reporter()
    stages = Stages(Store(workdir, reporter.info), reporter)
    data = find_data(task, stages.store)
    addresses, world = find_addresses(task, "cpu", data.users, data.addresses), data.read()
    test, users = world.division.test, world.dataset.ratings.num_users
    catalogue = world.dataset.catalogue
    encoders = Encoders(addresses.encoders, catalogue, world.division.training_items, "cpu")
    embeddings = embed("verifier", encoders, addresses.encoders["verifier"], catalogue, stages)
    judge = addresses.judges["verifier"]
    (folder,) = stages.make_all(judge_jobs([judge], {judge.space: embeddings}, world, "cpu"), "cpu")
    scores = fitted_judge(judge, folder, embeddings, encoders, world, "cpu").catalogue_scores()
    population = population_scores(world.division.verifier.joined(), embeddings, task.seeds.fit("population-control"))
    own = auc_by_user(test.user, test.liked, scores[test.user, test.item], users)
    control = auc_by_user(test.user, test.liked, population[test.item], users)
    others = auc_of_others(test)
    sys.stdout.write(
        f"{split:5d}   {np.nanmean(control):10.4f}   {np.nanmean(own):8.4f}   {np.nanmean(own - control):+7.4f}"
        f"   {np.nanmean(others):12.4f}   {np.isfinite(own).sum():6d}\n"
    )
    sys.stdout.flush()
    held_out = int(world.division.test_items.sum())
    return own - control, (held_out, len(catalogue) - held_out)


def auc_of_others(test: Interactions) -> Floats:
    """float64 [users]; within-user AUC of the mean rating by all other users."""
    return auc_by_user(test.user, test.liked, others_mean(test), test.num_users)


if __name__ == "__main__":
    main()
