"""Tinyworld on other worlds: what the generators reach, and whether the personalisation test keeps its level.

    python scripts/tinyworld_worlds.py claims [--worlds 2 3 4]
    python scripts/tinyworld_worlds.py level [--worlds 5 6 ... 24]

``claims`` runs REBECA and its controls. It prints the mean percentile by the ground truth, the lift in the ground truth
with its 95 % interval, the p-value of the personalisation test on the verifier's scores, and how much REBECA's ground
truth is higher. ``level`` runs a cheap version (32 users, four images, one fit, a short training) in which three
generators have nothing personal. It counts how often the test rejects at 5 %. Both go on where they were interrupted.
The task's own seed is the world's, so that worlds share no draw.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import benchmark
from benchmark.board.format_numbers import with_interval
from benchmark.records.files import read_record
from benchmark.records.schema import GeneratorRecord
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import records_name, run_task
from benchmark.runner.store import Store
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task

ALPHA = 0.05
CLAIMS = (
    "rebeca",
    "rebeca-no-user",
    "rebeca-shuffled-users",
    "rebeca-dislike",
    "prompts-population",
    "catalogue-random",
)
IMPERSONAL = ("rebeca-no-user", "rebeca-shuffled-users", "prompts-population")
CHEAP = (
    "fits=1",
    "images=4",
    "data.params.users=32",
    "generators.rebeca.images=4",
    "generators.rebeca.params.max_steps=1000",
    "generators.prompts-population.images=4",
    "judges.verifier.params={nets: 4}",
    "judges.auditor.params={nets: 1, epochs: 2}",
)


def measured(world: int, generators: Sequence[str], overrides: Sequence[str], workdir: Path) -> Path:
    """The folder of the records of one world; what is missing is computed."""
    task = load_task(find_task("tinyworld"), (f"data.params.seed={world}", f"seed={world}", *overrides))
    store = Store(workdir, Reporter().info)
    with store.locked(records_name(task)):
        return run_task(limited(task, tuple(generators)), store, command=["scripts/tinyworld_worlds.py"]).records


def row(world: int, generator: str, record: GeneratorRecord, folder: Path) -> float:
    """Prints a generator's figures; returns its p-value."""
    lead = ""
    if generator != CLAIMS[0]:
        pairs = benchmark.load(folder).compare(CLAIMS[0], generator).set_index("measure")
        lead = "{difference:+.3f} ({low:+.3f} to {high:+.3f})".format(**pairs.loc["ground_truth"])
    percentile, lift = record.summary["ground-truth"].interval, record.personal["ground-truth"].lift
    test = record.personal["ncf"].median_double_centred
    assert test is not None
    cells = (
        f"{world:5d}",
        f"{generator:22s}",
        with_interval(percentile),
        with_interval(lift, sign=True),
        f"{test.p:.4f}",
    )
    sys.stdout.write("  ".join((*cells, lead)).rstrip() + "\n")
    sys.stdout.flush()
    return test.p


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("claims", "level"))
    parser.add_argument("--worlds", type=int, nargs="+")
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    given = parser.parse_args()
    level = given.what == "level"
    worlds = given.worlds or (range(5, 25) if level else (2, 3, 4))
    generators, overrides = (("rebeca", *IMPERSONAL), CHEAP) if level else (CLAIMS, ())
    headings = ("world", "generator             ", "mean percentile       ", "lift (ground truth)      ", "p     ")
    sys.stdout.write("  ".join((*headings, "REBECA's lead")) + "\n")
    rejected = dict.fromkeys(generators, 0)
    for world in worlds:
        folder = measured(world, generators, overrides, given.workdir)
        for generator in generators:
            rejected[generator] += row(world, generator, read_record(folder / generator), folder) <= ALPHA
    for generator, count in rejected.items():
        sys.stdout.write(f"{generator}: rejects at {ALPHA:.0%} in {count} of {len(worlds)} worlds\n")


if __name__ == "__main__":
    main()
