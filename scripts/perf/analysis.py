"""How long the whole analysis takes: 200 users, 30 generators, all 435 pairs, 9,999 flips, permutations and draws.

    python scripts/perf/analysis.py

Preference and personal lift by one scorer that everybody can be asked by: summaries, whole-set tests, lifts, ranks,
comparisons of images and of users with intervals, max-T and Holm, letters and first places. The limit is 20
seconds on two cores and 2 GB.
"""

from __future__ import annotations

import resource
import time

import click
import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Plan, Rows
from rebeca.interfaces import ScorerCard


def world(users: int, generators: int, images: int, seed: int = 0) -> list[Rows]:
    """Generators of rising quality; everybody's opinion of everybody's set."""
    rng = np.random.default_rng(seed)
    leniency = rng.normal(size=users)
    rows = []
    for g in range(generators):
        scores = leniency[:, None] + rng.normal(size=(users, images)) + 0.02 * g
        pairs = leniency[:, None] + rng.normal(size=(users, users)) / np.sqrt(images) + 0.02 * g
        np.fill_diagonal(pairs, scores.mean(axis=1))
        digest = np.array([[f"{g}-{u}-{k}" for k in range(images)] for u in range(users)])
        rows.append(
            Rows(
                f"g{g}",
                True,
                digest,
                np.full((users, images), -1),
                np.zeros((users, images), bool),
                {"ncf": scores},
                {"ncf": np.full(users, -5.0)},
                {"ncf": ScorerCard("Verifier", "score", True, "")},
                {},
                {},
                {"ncf": pairs[None]},
            )
        )
    return rows


@click.command()
@click.option("--users", default=200, show_default=True)
@click.option("--generators", default=30, show_default=True)
@click.option("--images", default=25, show_default=True)
@click.option("--draws", default=9999, show_default=True, help="Flips, permutations and bootstrap draws.")
@click.option("--repeat", default=3, show_default=True)
def main(users: int, generators: int, images: int, draws: int, repeat: int) -> None:
    """Prints the median time and the largest memory."""
    rows = world(users, generators, images)
    plan = Plan("perf", "ncf", "g0", "all-pairs", 0.05, 0.02, draws, draws, "auto", "exclude", 0.05, True)
    none = np.zeros(users, np.int64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        analysis = analyse(plan, rows, none, none)
        seconds.append(time.perf_counter() - started)
    pairs = len(analysis.task.families["ncf"].comparisons)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{users} users, {generators} generators, {pairs} pairs, {draws} draws:"
        f" {np.median(seconds):.1f} s (of {', '.join(f'{s:.1f}' for s in seconds)}),"
        f" {memory:.0f} MB ({before:.0f} MB before)"
    )


if __name__ == "__main__":
    main()
