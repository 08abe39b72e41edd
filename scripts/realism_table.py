"""Realism of a task's generators on a part of their images, where a run with an encoder of full size takes too long.

    python -m scripts.realism_table tinyworld --workdir FOLDER --encoder efficientnet-lite0 --images 3

Images that the folder lacks are generated. Intervals are over users only, so fits are taken as given.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from benchmark.dev.running import Running
from benchmark.runner.freeze import Freezer
from benchmark.runner.generate import generate_images
from benchmark.runner.plugins import build
from benchmark.runner.scoring import ImageVectors, score_arrays, scored_images, scorer_context
from benchmark.scorers.realism import RealismParams, RealismScorer
from benchmark.stats.intervals import mean_interval, resampling_weights
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from rebeca.declared import scorer_flags
from rebeca.testing.scorer import some_of


@click.command()
@click.argument("task")
@click.option("--workdir", type=click.Path(path_type=Path), default=Path(".work"), show_default=True)
@click.option("--encoder", default=RealismParams().encoder, show_default=True)
@click.option("--images", default=3, show_default=True, help="Images per user; a multiple of the task's fits.")
def main(task: str, workdir: Path, encoder: str, images: int) -> None:
    """Prints one row per generator, in the order of the task."""
    run = Running.of(load_task(find_task(task)), workdir)
    params = RealismParams(encoder)
    context = scorer_context(scorer_flags(RealismScorer, params, "realism"), run.materials, Path())
    scorer = build("scorer", "realism", params, context, "realism")
    users = run.world.users
    weights = resampling_weights(len(users), 9999, np.random.default_rng(0))
    generated, _ = generate_images(
        run.task, run.addresses, run.materials, run.stages, Freezer(run.stages.store.root, run.task)
    )
    vectors = ImageVectors(run.materials.encoders)
    click.echo("| generator | KID | CMMD |\n|---|---|---|")
    for each in generated:
        scored = scored_images(each, run.materials, vectors)
        part = some_of(scored, scored.replicate < images)
        cells = []
        values = score_arrays(scorer, part, users, run.addresses.fits)
        for measure in ("kid", "cmmd"):
            interval = mean_interval(np.nanmean(values[measure].reshape(-1, len(users)), axis=0), weights)
            cells.append(f"{interval.estimate:.4f} ({interval.low:.4f} to {interval.high:.4f})")
        click.echo(f"| {each.spec.id} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
