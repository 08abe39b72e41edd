"""One variant of a task's prior on one item split: personal lift in real ratings, at several guidances.

    python scripts/oasis_prior.py tasks/oasis.yaml --data FOLDER --split 0 --set scale=1.0 --guidance 3 6 10

Validation and test items are both shown; choices are to be made on the first. Fits are kept in the work folder.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark.dev.running import Running
from benchmark.stats.personalisation import personal_lift, strata_of
from benchmark.task.resolve import load_task
from rebeca.arrays import Ints
from rebeca.data.interactions import Interactions


def main() -> None:
    """Prints one row per guidance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", type=int, default=0)
    parser.add_argument("--generator", default="rebeca")
    parser.add_argument("--set", action="append", default=[], metavar="PARAM=VALUE")
    parser.add_argument("--guidance", type=float, nargs="+", default=[1.0, 3.0, 6.0, 10.0])
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    given = parser.parse_args()
    changes = [f"generators.{given.generator}.params.{change}" for change in ("guidance_grid=[]", *given.set)]
    changes.append(f"generators.{given.generator}.params.prior_guidance=1.0")
    task = load_task(Path(given.task), (f"data.path={given.data}", f"seed={given.split}", *changes))
    run = Running.of(task, given.workdir, quiet=False)
    spec, world = run.generator(given.generator), run.world
    division, candidates = world.division, world.candidates
    block = world.dataset.catalogue.block
    requests = run.requests(spec)
    for guidance in given.guidance:
        guided = replace(spec, params=replace(spec.params, prior_guidance=guidance))
        cells = []
        for items, ratings in (
            (division.validation_items, division.generators.validation),
            (division.test_items, division.test),
        ):
            of_block = np.stack([items & (block == b) for b in range(int(block.max()) + 1)])
            shown = replace(run.materials, world=replace(world, candidates=replace(candidates, of_block=of_block)))
            generator = run.fitted(guided, materials=shown)
            chosen = np.array([image.item for image in generator.generate(requests) if image is not None])
            cells.append(lift(chosen.reshape(-1, task.file.images), ratings, world.dataset.block_of_user))
        (validation, _), (test, error) = cells
        sys.stdout.write(
            f"split {given.split}  {' '.join(given.set) or 'as in the task'}  guidance {guidance:g}:"
            f"  validation {validation:+.3f}  test {test:+.3f} (standard error {error:.3f})\n"
        )
        sys.stdout.flush()


def lift(chosen: Ints, ratings: Interactions, block: Ints) -> tuple[float, float]:
    """Mean personal lift and its standard error over users, from each user's chosen items."""
    table = ratings.matrix()[:, chosen].mean(axis=2)
    strata, _ = strata_of(table, block, np.full(len(block), chosen.shape[1]))
    lifts = np.concatenate([personal_lift(stratum.scores) for stratum in strata])
    return float(lifts.mean()), float(lifts.std(ddof=1) / np.sqrt(len(lifts)))


if __name__ == "__main__":
    main()
