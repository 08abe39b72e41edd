"""Attacks by somebody who knows every defence, on images that are good already.

    python -m scripts.adaptive_attack --work FOLDER [--users 40] [--steps 300] [--budgets 0 4 8 16]

FOLDER is the work folder of a finished run of tinyworld. REBECA's own images are changed by at most so many of 255,
towards surrogates of both judges and eight networks of random patches, which stand for the confirming judge. They are
no copies of items, so copy detection is blind to them, and they begin with a confirming score above the verifier's.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from baselines.adversaries.gradient import GradientAttack, GradientParams, ascend
from benchmark.runner.materials import Materials
from benchmark.scorers.confirming import ConfirmingScorer
from benchmark.scorers.near_copies import NearCopiesScorer
from benchmark.stats.personalisation import pair_means, personal_lift
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task
from rebeca.arrays import Floats, Ints, Pixels
from rebeca.interfaces import GeneratedImage, GeneratorContext, NoParams, ScoredImages, ScorerContext
from scripts.finished_run import finished_run

GENERATOR = "rebeca"
IMAGES = 3
"""Per user: the first one of each fit."""


def attacker(materials: Materials) -> GradientAttack:
    """Surrogates of both judges and of the confirming judge, fitted to the generators' ratings."""
    world = materials.world
    encoders = tuple(f"tinyworld:{role}-encoder" for role in ("verifier", "auditor"))
    context = dataclasses.replace(
        GeneratorContext.alone(),
        users=world.dataset.ratings.user_ids,
        catalogue=world.dataset.catalogue,
        training_items=world.division.training_items,
    )
    attack = GradientAttack(GradientParams(surrogates=encoders, patch_nets=8), context)
    attack.fit(world.division.generators.train)
    return attack


def tables_of(materials: Materials, images: Sequence[Pixels], owner: Ints, users: Ints) -> Mapping[str, Floats]:
    """By judge, float64 [users, n]: every image for every user."""
    dataset, division = materials.world.dataset, materials.world.division
    given = {"verifier": lambda: materials.judges["verifier"], "auditor-ratings": lambda: division.auditor.train}
    given["training"] = lambda: division.generators.train
    given["validation"] = lambda: division.generators.validation
    context = dataclasses.replace(ScorerContext.alone(dataset, given), training_items=division.training_items)
    scored = ScoredImages.of([GeneratedImage(image) for image in images], owner)
    judges = {role: materials.judges[role] for role in ("verifier", "auditor")}
    out = {role: judge.model().score_all(judge.encode(images), users) for role, judge in judges.items()}
    known = materials.world.ground_truth()
    out["confirming"] = ConfirmingScorer(NoParams(), context).score_all(scored, users)
    assert known.of_images is not None
    out["ground truth"] = known.of_images(images)[users]
    copies = NearCopiesScorer(NoParams(), context).score(scored, owner)
    out["near-copies"] = np.tile(copies, (len(users), 1))
    return out


def figures(table: Floats, owner: Ints) -> tuple[Floats, Floats]:
    """Preference and lift of every user."""
    means, _ = pair_means(table, owner)
    return np.diag(means), personal_lift(means)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints preference and lift by every judge, and by how much the verifier exceeds the confirming judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--budgets", type=int, nargs="+", default=[0, 4, 8, 16], help="of 255; 0 changes nothing")
    given = parser.parse_args(arguments)
    task = limited(load_task(find_task("tinyworld")), (GENERATOR,))
    materials, images = finished_run(task, given.work)
    attack, own = attacker(materials), images[GENERATOR]
    users = np.arange(given.users)
    chosen = np.flatnonzero((own.user < given.users) & (own.replicate < IMAGES))
    owner, start = own.user[chosen], np.stack([own.pixels_of(int(i)) for i in chosen])
    for budget in given.budgets:
        changed = start.copy()
        for user in users if budget else ():
            mine = owner == user
            changed[mine] = ascend(start[mine], attack.scores_of(int(user)), budget, given.steps)
        tables = tables_of(materials, list(changed), owner, users)
        preference, lift = ({name: figures(table, owner)[i] for name, table in tables.items()} for i in (0, 1))
        sys.stdout.write(f"{budget:2d} of 255\n")
        for name in tables:
            sys.stdout.write(f"  {name:12s} {preference[name].mean():.3f} {lift[name].mean():+.3f}\n")
        for what, values in (("preference", preference), ("lift", lift)):
            gap = values["verifier"] - values["confirming"]
            half = stats.t.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
            sys.stdout.write(f"  excess of {what}: {gap.mean():+.3f} (lower end {gap.mean() - half:+.3f})\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
