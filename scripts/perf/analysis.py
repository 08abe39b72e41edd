"""How long the whole analysis takes: 200 people, 30 generators, all 435 pairs, 9,999 flips, permutations and draws.

    python scripts/perf/analysis.py

Preference and personal lift by one scorer that everybody can be asked by: summaries, whole-set tests, lifts, ranks,
comparisons of pictures and of people with intervals, max-T and Holm, tie groups and first places. The limit is 20
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


def world(people: int, generators: int, pictures: int, seed: int = 0) -> list[Rows]:
    """Generators of rising quality; everybody's opinion of everybody's set."""
    rng = np.random.default_rng(seed)
    leniency = rng.normal(size=people)
    rows = []
    for g in range(generators):
        scores = leniency[:, None] + rng.normal(size=(people, pictures)) + 0.02 * g
        pairs = leniency[:, None] + rng.normal(size=(people, people)) / np.sqrt(pictures) + 0.02 * g
        np.fill_diagonal(pairs, scores.mean(axis=1))
        digest = np.array([[f"{g}-{u}-{k}" for k in range(pictures)] for u in range(people)])
        rows.append(
            Rows(
                f"g{g}",
                True,
                digest,
                np.full((people, pictures), -1),
                np.zeros((people, pictures), bool),
                {"ncf": scores},
                {"ncf": np.full(people, -5.0)},
                {"ncf": ScorerCard("Verifier", "score", True, "")},
                {},
                {"ncf": pairs},
            )
        )
    return rows


@click.command()
@click.option("--people", default=200, show_default=True)
@click.option("--generators", default=30, show_default=True)
@click.option("--pictures", default=25, show_default=True)
@click.option("--draws", default=9999, show_default=True, help="Flips, permutations and bootstrap draws.")
@click.option("--repeat", default=3, show_default=True)
def main(people: int, generators: int, pictures: int, draws: int, repeat: int) -> None:
    """Prints the median time and the largest memory."""
    rows = world(people, generators, pictures)
    plan = Plan("perf", "ncf", "g0", "all-pairs", 0.05, 0.02, draws, draws, "auto", "exclude", True)
    none = np.zeros(people, np.int64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        found = analyse(plan, rows, none, none)
        seconds.append(time.perf_counter() - started)
    pairs = len(found.task.families["ncf"].comparisons)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    click.echo(
        f"{people} people, {generators} generators, {pairs} pairs, {draws} draws:"
        f" {np.median(seconds):.1f} s (of {', '.join(f'{s:.1f}' for s in seconds)}),"
        f" {memory:.0f} MB ({before:.0f} MB before)"
    )


if __name__ == "__main__":
    main()
