"""How long the whole analysis takes, and how it grows with the users.

    python scripts/perf/analysis.py                                     # 200 users, 30 generators, all 435 pairs
    python scripts/perf/analysis.py --users 4000 --generators 10        # in groups of at most 200 users

Preference and personal lift by one scorer that everybody can be asked by: summaries, whole-set tests, lifts, ranks,
comparisons of images and of users with intervals, max-T and Holm, letters and first places.
"""

from __future__ import annotations

import json
import resource
import time

import click
import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Plan, Rows
from benchmark.stats.groups import Groups
from rebeca.arrays import Ints
from rebeca.interfaces import ScorerCard

MOST_COMPARED = 200


def world(group: Ints, generators: int, images: int, seed: int = 0) -> list[Rows]:
    """Generators of rising quality; what everybody in a group thinks of everybody's set."""
    rng = np.random.default_rng(seed)
    users, groups = len(group), Groups.of(group)
    leniency = rng.normal(size=users)
    rows = []
    for g in range(generators):
        scores = leniency[:, None] + rng.normal(size=(users, images)) + 0.02 * g
        pairs = leniency[:, None] + rng.normal(size=groups.targets.shape) / np.sqrt(images) + 0.02 * g
        pairs[np.arange(users), groups.place] = scores.mean(axis=1)
        pairs[groups.targets < 0] = np.nan
        rows.append(
            Rows(
                id=f"g{g}",
                ranked=True,
                digest=np.array([[f"{g}-{u}-{k}" for k in range(images)] for u in range(users)]),
                item=np.full((users, images), -1),
                failed=np.zeros((users, images), bool),
                scores={"ncf": scores},
                lowest={"ncf": np.full(users, -5.0)},
                cards={"ncf": ScorerCard("Verifier", "score", True, "")},
                ranges={},
                sets={},
                pairs={"ncf": pairs[None]},
                group=group,
            )
        )
    return rows


@click.command()
@click.option("--users", default=200, show_default=True)
@click.option("--generators", default=30, show_default=True)
@click.option("--images", default=10, show_default=True)
@click.option("--draws", default=9999, show_default=True, help="Flips, permutations and bootstrap draws.")
@click.option("--repeat", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list of figures as JSON.")
def main(users: int, generators: int, images: int, draws: int, repeat: int, as_json: bool) -> None:
    """Prints the median time and the largest memory."""
    plan = Plan(
        "perf", "ncf", "g0", "all-pairs", 0.05, 0.02, draws, draws, "auto", "exclude", 0.05, True,
        most_compared=MOST_COMPARED,
    )  # fmt: skip
    none = np.zeros(users, np.int64)
    rows = world(plan.groups(none), generators, images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        analysis = analyse(plan, rows, none, none)
        seconds.append(time.perf_counter() - started)
    pairs = len(analysis.task.families["ncf"].comparisons)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    median = float(np.median(seconds))
    what = f"{users:,} users, {generators} generators, {pairs} pairs, {draws:,} draws"
    if as_json:
        figures = {"seconds": median, "memory, MB": memory}
        lines = [
            {"what": f"{what}: {name}", "value": value, "limit": None, "met": None} for name, value in figures.items()
        ]
        click.echo(json.dumps(lines, indent=1))
        return
    each = ", ".join(f"{s:.1f}" for s in seconds)
    click.echo(f"{what}: {median:.1f} s (of {each}), {memory:.0f} MB ({before:.0f} MB before)")


if __name__ == "__main__":
    main()
