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

from benchmark.runner.run import Run
from benchmark.runner.scoring import score_generator
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task
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
    sys.stdout.write(f"{'':34s}{heading}   right   R@25\n")
    for seed in given.seeds:
        task = load_task(find_task("sprites"), (f"data.params.seed={seed}",) if seed else ())
        run = Run(limited(task, ("rebeca", "catalogue-random")), given.workdir)
        for spec in run.task.generators:
            scores = score_generator(run, spec)
            precision = [float(np.nanmean(scores.by_person[f"precision@{k}"])) for k in AT]
            right = float(np.nanmean(scores.by_picture["top-utility"].own))
            recall = float(np.nanmean(scores.by_person["recall@25"]))
            line(f"{spec.title}, draw {seed}", precision, right, recall)
    exact = exact_values()
    line("exact sampler", [exact["truth"]] * len(AT), exact["top-utility"], None)
    if given.golden is not None:
        for name, (precision, recall) in published(given.golden / "precision_recall_results.json").items():
            line(f"published, {name}", precision, None, recall)
    sys.stdout.write("precision is roughly comparable; recall is not: the published candidates are ten times as many\n")


def line(name: str, precision: list[float], right: float | None, recall: float | None) -> None:
    """Prints one row."""
    cells = "".join(f"   {value:5.3f}" for value in precision)
    tail = "".join("       -" if value is None else f"   {value:5.3f}" for value in (right, recall))
    sys.stdout.write(f"{name:34s}{cells}{tail}\n")
    sys.stdout.flush()


def published(path: Path) -> dict[str, tuple[list[float], float]]:
    """Mean over people and runs of the published results, by method: precision at each k, recall at the last."""
    raw: Any = json.loads(path.read_text(encoding="utf-8"))
    out = {}
    for method, measures in raw.items():
        by_k = {
            name: [float(np.mean([runs[str(k)] for runs in people.values()])) for k in AT]
            for name, people in measures.items()
        }
        out[method] = (by_k["precision"], by_k["recall"][-1])
    return out


if __name__ == "__main__":
    main()
