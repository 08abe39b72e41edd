"""A generator that fails on purpose, and what that gains it: the control that failing must not pay.

    python -m scripts.abstaining [--users 100] [--rank-by random most-liked centroid]

``Abstaining`` retrieves items as the built-in ``catalogue`` does, shows the best few of them by a surrogate of the
judge, and answers None for the rest. The surrogate is fitted on the generators' own ratings, so the generator is not
privileged. The script runs it on tinyworld beside the same generator without failures. For both readings of failures it
prints the gain in preference and in personal lift, with the 95 % interval over users. Nothing is decoded.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from baselines.catalogue import CatalogueGenerator, CatalogueParams, RankBy, best_positions
from benchmark.analysis.inputs import READINGS, Rows, with_lifts
from benchmark.analysis.measures import both_by
from benchmark.board.format_numbers import number
from benchmark.records.rows import read_all
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import records_name, run_task
from benchmark.runner.store import Store
from benchmark.stats.intervals import mean_interval, resampling_weights
from benchmark.stats.random import stream
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task
from rebeca.arrays import Floats
from rebeca.data.interactions import Interactions
from rebeca.interfaces import GeneratedImage, Generator, GeneratorContext, Request, whole_users
from rebeca.params import Count
from rebeca.population import fit_population
from rebeca.registered import registered
from rebeca.space import LinearSpace
from rebeca.taste import ridge_tastes

TASTE_DIMS = 32
KEPT = {16: (15, 8, 4, 1), 20: (19,)}
"""By number of images: how many of them are not withheld."""
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class AbstainingParams:
    """Parameters of a task file.

    Attributes:
        keep: Images per user that are returned.
        by: What they are the best by: ``liking``, the predicted rating, or ``taste``, its personal part alone.
        rank_by: How ``catalogue`` chooses the items.
    """

    keep: Count = 8
    by: Literal["liking", "taste"] = "liking"
    rank_by: RankBy = "random"


class Abstaining(Generator[AbstainingParams]):
    Params = AbstainingParams
    family = "control"

    def __init__(self, params: AbstainingParams, context: GeneratorContext) -> None:
        super().__init__(params, context)
        self._inner = CatalogueGenerator(CatalogueParams(params.rank_by), context)
        self._liking: Floats = np.zeros((0, 0))

    @classmethod
    def decodes_in(cls, params: AbstainingParams) -> frozenset[str]:
        """Nowhere: its images exist."""
        return frozenset()

    def fit(self, train: Interactions) -> None:
        """Fits the inner generator, and one regression per user on top of the population model."""
        self._inner.fit(train)
        embeddings, training = self.context.embeddings, self.context.training_items
        points = LinearSpace("pca", TASTE_DIMS).fit(embeddings[training]).forward(embeddings)
        self._liking = ridge_tastes(train, points) @ points.T.astype(np.float64)
        if self.params.by == "liking":
            deviation = float((train.rating - train.user_mean()[train.user]).std())
            population = fit_population(train, embeddings, self.context.fit_seed).predict(embeddings)
            self._liking += population[None, :] * deviation

    def save(self, folder: Path) -> None:
        self._inner.save(folder)
        np.save(folder / "liking.npy", self._liking)

    def load(self, folder: Path) -> None:
        self._inner.load(folder)
        self._liking = np.load(folder / "liking.npy", allow_pickle=False)

    def generate(self, requests: Sequence[Request]) -> Iterator[GeneratedImage | None]:
        index = {name: i for i, name in enumerate(self.context.users)}
        for group in whole_users(requests):
            images = list(self._inner.generate(group))
            items = [-1 if image is None or image.item is None else image.item for image in images]
            best = best_positions(self._liking[index[group[0].user], items], group)[: self.params.keep]
            yield from (image if place in best else None for place, image in enumerate(images))


@contextmanager
def installed(packages: Path) -> Iterator[None]:
    """The generator ``abstaining`` as if its package were installed in the folder ``packages``."""
    about = packages / "abstaining-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: abstaining\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[rebeca_bench.generators]\nabstaining = scripts.abstaining:Abstaining\n")
    sys.path.insert(0, str(packages))
    registered.cache_clear()
    try:
        yield
    finally:
        sys.path.remove(str(packages))
        registered.cache_clear()


def name_of(rank_by: str, images: int, keep: int, by: str) -> str:
    """Id of a generator; the one that keeps all images is its own comparison."""
    return f"{rank_by}-{images}" if keep == images else f"{rank_by}-{images}-{by}-{keep}"


def generators_of(rankings: Sequence[str]) -> list[str]:
    """Lines of a task file: every ranking with all its images, and with some of them withheld."""
    lines = []
    for rank_by in rankings:
        for images, kept in KEPT.items():
            whole = f"use: catalogue, images: {images}, params: {{rank_by: {rank_by}}}"
            lines.append(f"  - {{id: {name_of(rank_by, images, images, '')}, {whole}}}")
            for by in ("liking", "taste"):
                for keep in kept:
                    some = f"params: {{rank_by: {rank_by}, keep: {keep}, by: {by}}}"
                    name = name_of(rank_by, images, keep, by)
                    lines.append(f"  - {{id: {name}, use: abstaining, images: {images}, {some}}}")
    return lines


def gains(whole: Rows, some: Rows, measure: str, reading: str) -> Floats:
    """float64 [users]; what failing adds to a measure."""
    return with_lifts(some, reading)[measure] - with_lifts(whole, reading)[measure]


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--rank-by", nargs="+", default=["random", "most-liked", "centroid"])
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    given = parser.parse_args()
    with TemporaryDirectory() as folder, installed(Path(folder) / "packages"):
        path = Path(folder) / "task.yaml"
        path.write_text(
            f"extends: {find_task('tinyworld').resolve()}\nid: abstaining\nversion: 1\n"
            f"data: {{params: {{users: {given.users}}}}}\nscorers: [ncf, ground-truth]\n"
            f"analysis: {{reference: {given.rank_by[0]}-16, permutations: 999, bootstrap: 999}}\n"
            + "\n".join(["generators:", *generators_of(given.rank_by), ""])
        )
        task = load_task(path)
        store = Store(given.workdir, Reporter().info)
        with store.locked(records_name(task)):
            records = run_task(task, store, command=["scripts/abstaining.py"]).records
    record, rows = read_all(records)
    by_id = {row.id: row for row in rows}
    weights = resampling_weights(len(record.users.id), DRAWS, stream("abstaining", "bootstrap"))
    measures = [measure for scorer in ("ncf", "ground-truth") for measure in both_by(scorer)]
    head = "  ".join(f"{measure.label:>32s}" for measure in measures)
    sys.stdout.write(f"{'generator':28s}  {'reading':8s}  {'ranked':6s}  {head}\n")
    for rank_by in given.rank_by:
        for images, kept in KEPT.items():
            whole = by_id[name_of(rank_by, images, images, "")]
            for name in [name_of(rank_by, images, keep, by) for by in ("liking", "taste") for keep in kept]:
                for reading in READINGS:
                    cells = []
                    for measure in measures:
                        gain = mean_interval(gains(whole, by_id[name], measure.key, reading), weights)
                        ends = f"({number(gain.low, 3, True)} to {number(gain.high, 3, True)})"
                        cells.append(f"{number(gain.estimate, 3, True)} {ends}")
                    ranked = "no" if name in record.results.failing else "yes"
                    line = "  ".join(f"{cell:>32s}" for cell in cells)
                    sys.stdout.write(f"{name:28s}  {reading:8s}  {ranked:6s}  {line}\n")


if __name__ == "__main__":
    main()
