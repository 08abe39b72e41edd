"""REBECA's precision on several draws of the sprites, beside the published figures.

    python scripts/sprites_seeds.py [--seeds 0 1 2] [--golden FOLDER]

``--golden`` names a folder with the published ``precision_recall_results.json``; without it those rows are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.runner.addresses import find_addresses
from benchmark.runner.freeze import Freezer
from benchmark.runner.generate import generate_images
from benchmark.runner.materials import prepare
from benchmark.runner.progress import Reporter
from benchmark.runner.scoring import GeneratorScores, score_all
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import find_data
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task
from benchmark.task.resolved import Task
from rebeca.worlds.sprites import exact_values

AT = (1, 5, 10, 20, 25)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    given = parser.parse_args()
    heading = "".join(f"   P@{k:<3d}" for k in AT)
    sys.stdout.write(f"{'':34s}{heading}   match   R@25\n")
    for seed in given.seeds:
        task = load_task(find_task("sprites"), (f"data.params.seed={seed}",) if seed else ())
        for scores in scored(limited(task, ("rebeca", "catalogue-random")), given.workdir):
            precision = [float(np.nanmean(scores.by_user[f"precision@{k}"])) for k in AT]
            matching = float(np.nanmean(scores.by_image["top-utility"].own))
            recall = float(np.nanmean(scores.by_user["recall@25"]))
            line(f"{scores.images.spec.title}, draw {seed}", precision, matching, recall)
    exact = exact_values()
    line("exact sampler", [exact["ground-truth"]] * len(AT), exact["top-utility"], None)
    if given.golden is not None:
        for name, (precision, recall) in published(given.golden / "precision_recall_results.json").items():
            line(f"published, {name}", precision, None, recall)
    sys.stdout.write("precision is roughly comparable; recall is not: the published candidates are ten times as many\n")


def scored(task: Task, workdir: Path) -> list[GeneratorScores]:
    """Scores of all generators of a task."""
    reporter = Reporter()
    stages = Stages(Store(workdir, reporter.info), reporter)
    data = find_data(task, stages.store)
    addresses = find_addresses(task, "cpu", data.users, data.addresses)
    materials = prepare(data.read(), addresses, "cpu", stages)
    images, _ = generate_images(task, addresses, materials, stages, Freezer(workdir, task))
    return score_all(task, images, addresses, materials, stages)


def line(name: str, precision: list[float], matching: float | None, recall: float | None) -> None:
    """Prints one row."""
    cells = "".join(f"   {value:5.3f}" for value in precision)
    tail = "".join("       -" if value is None else f"   {value:5.3f}" for value in (matching, recall))
    sys.stdout.write(f"{name:34s}{cells}{tail}\n")
    sys.stdout.flush()


def published(path: Path) -> dict[str, tuple[list[float], float]]:
    """Mean over users and runs of the published results, by method: precision at each k, recall at the last."""
    raw: Any = json.loads(path.read_text(encoding="utf-8"))
    out = {}
    for method, measures in raw.items():
        by_k = {
            name: [float(np.mean([runs[str(k)] for runs in users.values()])) for k in AT]
            for name, users in measures.items()
        }
        out[method] = (by_k["precision"], by_k["recall"][-1])
    return out


if __name__ == "__main__":
    main()
