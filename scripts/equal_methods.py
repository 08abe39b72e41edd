"""Are equal methods told apart? One generator, fitted twelve times per seed, stands for four methods.

python scripts/equal_methods.py --workdir FOLDER

Each seed draws another division of ratings, other judges and other fits in tinyworld. To be cheap, fits take 500 steps
and nearest items stand for the diffusion decoder. Fits are dealt to four copies: three fits each, or one fit each. A
leaderboard errs where any pair of copies is called better or worse. Writes docs/reports/equal-methods.json; a seed in
it is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

import benchmark
from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Plan, Rows
from benchmark.analysis.measures import both_by
from benchmark.records.rows import read_all
from rebeca.arrays import Ints

ROOT = Path(__file__).resolve().parent.parent
COPIES, FITS, PER_FIT = 4, 12, 4
"""Methods that are one; fits of a seed; images of each fit per user."""
JUDGES = ("ncf", "ground-truth")
TASK = """\
schema: 1
id: equal-methods
version: 1
title: One generator, twelve fits
seed: SEED
fits: FITS
images: IMAGES
data:
  kind: tinyworld
  params: {items: 2000, users: 32, seed: 2}
  like_at: 4
  split: {kind: per-user, test: 10, validation: 10}
judges:
  verifier: {use: ncf, encoder: "tinyworld:verifier-encoder", params: {nets: 1}}
encoder: "tinyworld:prior-encoder"
decoder: {use: nearest-picture, params: {repeats: false}}
generators:
  - id: rebeca
    use: rebeca
    params:
      {normalize: pca, dims: 16, scale: 0.3, network: mlp, objective: v_prediction, hidden: 256, layers: 2,
       user_rows: taste, freeze_user_rows: true, lr: 0.001, batch: 256, max_steps: 500, patience: null,
       sampler: DPMSolverMultistepScheduler, steps: 25, prior_guidance: 8.0}
scorers: [ncf, ground-truth]
analysis: {reference: rebeca, permutations: 1999, bootstrap: 1999}
"""


def task_of(seed: int) -> str:
    """The text of the task file."""
    text = TASK.replace("SEED", str(seed)).replace("FITS", str(FITS))
    return text.replace("IMAGES", str(FITS * PER_FIT))


def copies(rows: Rows, fits: Sequence[Sequence[int]]) -> list[Rows]:
    """One generator as several: each has the fits of its list.

    Args:
        rows: The generator with all its fits; image k is of fit k mod F.
        fits: Fits of each copy, equally many.
    """
    out = []
    for number, own in enumerate(fits):
        images = [rows.fits * k + fit for k in range(rows.per_user // rows.fits) for fit in own]
        out.append(
            replace(
                rows,
                id=f"copy-{number}",
                digest=rows.digest[:, images],
                item=rows.item[:, images],
                failed=rows.failed[:, images],
                scores={name: scores[:, images] for name, scores in rows.scores.items()},
                sets={},
                pairs={name: pairs[own] for name, pairs in rows.pairs.items()},
                fits=len(own),
                fit_keys=tuple(rows.fit_keys[fit] for fit in own),
            )
        )
    return out


def told_apart(plan: Plan, rows: Rows, block: Ints, fits: int) -> dict[str, float]:
    """By measure, the share of leaderboards of :data:`COPIES` copies with ``fits`` fits each that err."""
    errors: dict[str, list[bool]] = {}
    for start in range(0, FITS - COPIES * fits + 1, COPIES * fits):
        dealt = [range(start + fits * copy, start + fits * (copy + 1)) for copy in range(COPIES)]
        families = analyse(plan, copies(rows, [list(own) for own in dealt]), block, block).task.families
        for measure in (measure.key for judge in JUDGES for measure in both_by(judge)):
            verdicts = {pair.verdict for pair in families[measure].comparisons}
            errors.setdefault(measure, []).append(bool(verdicts & {"better", "worse"}))
    return {measure: sum(hits) / len(hits) for measure, hits in errors.items()}


def one_seed(seed: int, workdir: Path) -> dict[str, dict[str, float]]:
    """Errors by fits per copy and measure."""
    with TemporaryDirectory() as folder:
        task = Path(folder) / "equal-methods.yaml"
        task.write_text(task_of(seed), encoding="utf-8")
        benchmark.run(task, workdir=workdir)
        record, (rows,) = read_all(workdir / "records" / "equal-methods" / "v1")
        block = np.array(record.users.block, np.int64)
        plan = replace(record.plan, reference="copy-0", family="all-pairs")
        return {str(fits): told_apart(plan, rows, block, fits) for fits in (1, 3)}


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), default=Path(".work"), help="Cache of the runs.")
@click.option("--seeds", type=int, default=20, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs" / "reports" / "equal-methods.json")
def main(workdir: Path, seeds: int, out: Path) -> None:
    """Runs what is missing, and prints how often equal methods are told apart."""
    done = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    for seed in range(seeds):
        if str(seed) not in done:
            done[str(seed)] = one_seed(seed, workdir)
            out.write_text(json.dumps(done, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            click.echo(f"seed {seed}: {json.dumps(done[str(seed)])}")
    for fits in ("1", "3"):
        for measure in done["0"][fits]:
            errors = sum(results[fits][measure] for results in done.values())
            click.echo(f"{fits} fits per copy, {measure}: {errors:g} of {len(done)} leaderboards tell copies apart")


if __name__ == "__main__":
    main()
