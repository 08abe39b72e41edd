"""Trains the prior on its own: ``python -m rebeca.train_prior --config FILE --output DIR``.

The config is YAML::

    data: {path: my-data, scale: [1, 5], like_at: 4}     # a folder data set
    embeddings: clip.npy                                 # float [items, dim], in the order of items.csv
    split: {kind: per-user, test: 10, validation: 10}
    seed: 42
    prior: {hidden: 128, objective: sample}              # parameters of the generator 'rebeca'
    grid: {layers: [6, 8], objective: [sample, epsilon]} # optional: every combination is trained
    select: validation-loss                              # optional: the declared selection rule

``validation-loss`` compares losses of one objective and schedule only, since their scales differ; a grid over those
needs ``select: none``, which keeps every model and chooses nothing. Written: ``results.csv`` (one row per
configuration), one folder per configuration with its weights, and ``best`` where a rule was declared. Run again to
resume. :meth:`rebeca.prior.prior.Prior.load` reads such a folder, or the best one of the output.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rebeca.arrays import Floats, Plain
from rebeca.data.folder import read_folder
from rebeca.data.splits import Division, SplitRule, divide
from rebeca.device import check_device
from rebeca.encoders.precomputed import read_embeddings
from rebeca.errors import (
    MACHINE_ERRORS,
    OUT_OF_MEMORY,
    DataError,
    RebecaError,
    SpecError,
    StoreError,
    of_machine,
    out_of_memory,
    printable,
)
from rebeca.options import RebecaParams, prior_params
from rebeca.params import make_params
from rebeca.prior.diffusion import check_sampler
from rebeca.prior.prior import BEST, Prior
from rebeca.prior.training import PriorHistory
from rebeca.seeds import digest_of, seed_of

INCOMPARABLE = ("objective", "schedule", "normalize", "dims", "scale")
"""Losses of different values of these have different scales."""


@dataclass(frozen=True, slots=True)
class TrainData:
    """The data of a config file.

    Attributes:
        path: Folder of the data set, relative to the file.
        scale: Lowest and highest possible rating.
        like_at: Rating from which on an item is liked, or ``user-median``.
    """

    path: str
    scale: tuple[float, float]
    like_at: float | Literal["user-median"]

    def __post_init__(self) -> None:
        low, high = self.scale
        if not low < high:
            raise SpecError(f"scale: the lowest rating, {low:g}, is not below the highest, {high:g}")
        if not isinstance(self.like_at, str) and not low <= self.like_at <= high:
            raise SpecError(f"like_at: {self.like_at:g} lies outside the scale, {low:g} to {high:g}")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A config file; see the module's description.

    Attributes:
        data: Folder of the data set, scale, likes.
        embeddings: File of embeddings, relative to the file.
        split: Changed fields of :class:`rebeca.data.splits.SplitRule`, or None.
        seed: Divides ratings and draws everything.
        prior: Changed parameters of the generator, or None.
        grid: Values of parameters; every combination is trained. None for a single one.
        select: ``validation-loss`` or ``none``; by default the first with a grid.
        device: Torch device, or None for the CPU.
    """

    data: Mapping[str, Any]
    embeddings: str
    split: Mapping[str, Any] | None = None
    seed: int = 42
    prior: Mapping[str, Any] | None = None
    grid: Mapping[str, Sequence[Any]] | None = None
    select: Literal["validation-loss", "none"] | None = None
    device: str | None = None

    @property
    def selects(self) -> bool:
        """Whether the configuration with the lowest validation loss is chosen."""
        return (self.select or ("validation-loss" if self.grid else "none")) == "validation-loss"

    def combinations(self) -> list[dict[str, Any]]:
        """What every configuration takes from the grid."""
        grid = self.grid or {}
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]

    def params(self, chosen: Mapping[str, Any]) -> RebecaParams:
        return prior_params({**(self.prior or {}), **chosen}, "prior")

    @property
    def rule(self) -> SplitRule:
        return make_params(SplitRule, {**(self.split or {}), "ratings": "shared"}, "split")


def read_config(path: Path) -> TrainConfig:
    """Reads and checks a config file, all configurations of its grid included.

    Raises:
        SpecError: Naming the first problem.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SpecError(f"{path}: cannot be read ({error})") from error
    if not isinstance(raw, dict):
        raise SpecError(f"{path}: expected a mapping of keys to values")
    try:
        config = make_params(TrainConfig, raw, "config")
        make_params(TrainData, config.data, "data")
        if config.split and "ratings" in config.split:
            raise SpecError("split.ratings: there are no judges to share ratings with", hint="leave it out")
        make_params(SplitRule, config.split or {}, "split")
        mixed = [key for key in INCOMPARABLE if len((config.grid or {}).get(key, [])) > 1]
        if config.selects and mixed:
            raise SpecError(
                f"losses of different {mixed[0]} cannot be compared",
                hint="say select: none, and compare the decoded images yourself",
            )
        if not config.combinations():
            raise SpecError("grid: a parameter has no values")
        for chosen in config.combinations():
            params = config.params(chosen)
            check_sampler(params.sampler, params.objective, params.schedule, params.steps)
        if config.device is not None:
            check_device(config.device)
    except SpecError as error:
        raise SpecError(f"{path}: {error.message}", hint=error.hint) from error
    return config


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="YAML file; see the module's description."
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for weights and results.")
def main(config: Path, output: Path) -> None:
    """Train the diffusion prior, or a grid of them, and write a results table."""
    try:
        run(config, output)
    except RebecaError as error:
        _leave(str(error), error.exit_code)
    except MACHINE_ERRORS as error:
        if not of_machine(error) and not isinstance(error, OSError):
            raise
        _leave(
            f"{error}\n  hint: the same command continues",
            OUT_OF_MEMORY if out_of_memory(error) else StoreError.exit_code,
        )


def _leave(message: str, code: int) -> None:
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(code)


def run(config: Path, output: Path) -> list[Mapping[str, Plain]]:
    """Trains every configuration; returns the rows of ``results.csv``, best first where a rule was declared."""
    c = read_config(config)
    folder, about = config.parent, make_params(TrainData, c.data, "data")
    output.mkdir(parents=True, exist_ok=True)
    data = read_folder((folder / about.path).resolve(), about.scale)
    place = (folder / c.embeddings).resolve()
    embeddings = read_embeddings(place)[: len(data.catalogue)]
    if len(embeddings) < len(data.catalogue):
        raise DataError(f"{place}: {len(embeddings)} rows for {len(data.catalogue)} items")
    division = divide(data.ratings, c.rule, about.like_at, data.catalogue.block, c.seed, data.catalogue.originals())
    vectors = hashlib.sha256(np.ascontiguousarray(embeddings).tobytes()).hexdigest()
    inputs = digest_of([data.fingerprint(), vectors, about.like_at, c.split, c.device])
    trained = [_train_one(c, chosen, division, embeddings, inputs, output) for chosen in c.combinations()]
    if c.selects:
        trained.sort(key=lambda pair: pair[0])
        (output / BEST).write_text(f"{trained[0][1]['folder']}\n", encoding="utf-8")
    rows = [row for _, row in trained]
    with (output / "results.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _train_one(
    config: TrainConfig, chosen: Mapping[str, Plain], division: Division, embeddings: Floats, about: str, output: Path
) -> tuple[float, Mapping[str, Plain]]:
    """Best validation loss, and the row of ``results.csv``."""
    name = "prior-" + digest_of([config.prior, chosen, config.seed, about])[:12]
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    prior = Prior.train(
        config.params(chosen),
        division.generators.train,
        division.generators.validation,
        embeddings,
        division.training_items,
        seed_of("train-prior", config.seed),
        config.device or "cpu",
        folder / "checkpoint",
    )
    prior.save(folder)
    (folder / "losses.csv").write_text(_losses(prior.history), encoding="utf-8")
    best = min(prior.history.validation, default=float("nan"))
    epochs = len(prior.history.train)
    click.echo(f"{name}  {dict(chosen) or 'as configured'}  validation loss {best:.5f} after {epochs} epochs")
    return best, {
        "folder": name,
        **chosen,
        "validation_loss": best,
        "epochs": epochs,
        "steps": prior.history.steps,
        "parameters": sum(value.numel() for value in prior.model.parameters()),
    }


def _losses(history: PriorHistory) -> str:
    held = history.validation or (float("nan"),) * len(history.train)
    rows = enumerate(zip(history.train, held, history.learning_rate, strict=True), start=1)
    lines = (f"{epoch},{train:.6g},{validation:.6g},{rate:.6g}\n" for epoch, (train, validation, rate) in rows)
    return "".join(["epoch,train,validation,learning_rate\n", *lines])


if __name__ == "__main__":
    main()
