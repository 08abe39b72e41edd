"""Tinyworld on other worlds: what the arms reach, and whether the personalisation test keeps its level.

    python scripts/tinyworld_worlds.py claims [--worlds 2 3 4]
    python scripts/tinyworld_worlds.py level [--worlds 5 6 ... 24]

``claims`` runs a few arms of the whole task: mean true percentile, lift in truth with its 95 % interval, and the
p-value of the personalisation test on the verifier's opinion. ``level`` runs a cheap version (32 people, four pictures,
a short training) in which three arms have nothing personal, and counts how often the test rejects at 5 %. Both go on
where they were interrupted. The task's own seed is the world's, so that worlds share no draw.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.board.format_numbers import with_interval
from benchmark.records.files import read_record
from benchmark.records.schema import GeneratorRecord
from benchmark.runner.run_task import run_task
from benchmark.runner.store import Store
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task

ALPHA = 0.05
CLAIMS = ("rebeca", "rebeca-dislike", "rebeca-published")
IMPERSONAL = ("rebeca-no-user", "rebeca-shuffled-users", "prompts-population")
CHEAP = (
    "data.params.users=32",
    "generators.rebeca.images=4",
    "generators.rebeca.params.max_steps=1000",
    "generators.prompts-population.images=4",
    "judges.verifier.params={nets: 4}",
    "judges.auditor.params={nets: 1, epochs: 2}",
)


def measured(world: int, arms: Sequence[str], overrides: Sequence[str], workdir: Path) -> dict[str, GeneratorRecord]:
    """Records by arm of one world, made where they are missing."""
    task = load_task(find_task("tinyworld"), (f"data.params.seed={world}", f"seed={world}", *overrides))
    store = Store(workdir, sys.stderr.write)
    with store.locked():
        folder = run_task(limited(task, tuple(arms)), store, command=["scripts/tinyworld_worlds.py"]).records
    return {arm: read_record(folder / arm) for arm in arms}


def row(world: int, arm: str, record: GeneratorRecord) -> float:
    """Prints an arm's figures; returns its p-value."""
    truth, lift = record.summary["ground-truth"].interval, record.personal["ground-truth"].lift
    test = record.personal["ncf"].median_double_centred
    assert test is not None
    sys.stdout.write(f"{world:5d}  {arm:22s}  {with_interval(truth)}  {with_interval(lift, sign=True)}  {test.p:.4f}\n")
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
    arms, overrides = (("rebeca", *IMPERSONAL), CHEAP) if level else (CLAIMS, ())
    sys.stdout.write(f"{'world':5s}  {'arm':22s}  {'true percentile':22s}  {'lift in truth':25s}  p\n")
    rejected = dict.fromkeys(arms, 0)
    for world in worlds:
        for arm, record in measured(world, arms, overrides, given.workdir).items():
            rejected[arm] += row(world, arm, record) <= ALPHA
    for arm, count in rejected.items():
        sys.stdout.write(f"{arm}: rejects at {ALPHA:.0%} in {count} of {len(worlds)} worlds\n")


if __name__ == "__main__":
    main()
