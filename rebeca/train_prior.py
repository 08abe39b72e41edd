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
resume.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rebeca.arrays import Bools, Floats, Plain
from rebeca.data.folder import read_folder
from rebeca.data.interactions import Interactions
from rebeca.data.splits import Division, SplitRule, divide
from rebeca.encoders.precomputed import read_embeddings
from rebeca.errors import DataError, RebecaError, SpecError, did_you_mean
from rebeca.options import RebecaParams
from rebeca.params import make_params
from rebeca.prior.options import PriorShape
from rebeca.prior.training import PriorHistory, PriorTraining
from rebeca.seeds import digest_of, seed_of, substream
from rebeca.space import LinearSpace
from rebeca.taste import taste_rows

KEYS = {"data", "embeddings", "split", "seed", "prior", "grid", "select", "device"}
RULES = ("validation-loss", "none")
INCOMPARABLE = ("objective", "schedule", "normalize", "dims", "scale")
"""Losses of different values of these have different scales."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedPrior:
    """A prior that was trained on a catalogue.

    Attributes:
        model: The network.
        shape: Its shape.
        space: Its space.
        points: float32 [items, prior dim]; the catalogue in that space.
        history: Losses.
    """

    model: Any
    shape: PriorShape
    space: LinearSpace
    points: Floats
    history: PriorHistory


def train_prior(
    params: RebecaParams,
    train: Interactions,
    validation: Interactions,
    embeddings: Floats,
    training_items: Bools,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainedPrior:
    """Fits space, user rows and network.

    Args:
        params: Parameters of the generator; those of sampling are not used.
        train: Training ratings.
        validation: Ratings for early stopping.
        embeddings: float32 [items, dim]; the whole catalogue.
        training_items: bool [items]; items from which the space may be learned.
        seed: Seed of the fit.
        device: Torch device.
        checkpoint: File to resume from.
        progress: Called with (step, steps, note).

    Raises:
        SpecError: If ``dims`` asks for more directions than the embeddings have.
    """
    if params.normalize == "pca" and params.dims > embeddings.shape[1]:
        raise SpecError(f"dims: {params.dims} directions of a space of {embeddings.shape[1]} dimensions")
    space = LinearSpace(params.normalize, params.dims, params.scale).fit(embeddings[training_items])
    points = space.forward(embeddings)
    shape = PriorShape(
        points.shape[1],
        train.num_users,
        params.network,
        params.tokens,
        params.hidden,
        params.heads,
        params.layers,
        params.residual,
    )
    rows = (
        taste_rows(train, points, shape.user_width, params.ridge, substream(seed, "rotation"))
        if params.user_rows == "taste"
        else None
    )
    if params.train_users == "nobody":
        params = replace(params, drop_user=1.0)
    training = PriorTraining(shape, params, train, validation, points, seed, device, rows)
    model, history = training.run(checkpoint, progress)
    return TrainedPrior(model, shape, space, points, history)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A config file; see the module's description.

    Attributes:
        data: Folder of the data set.
        scale: Lowest and highest possible rating.
        like_at: Rating from which on an item is liked, or ``user-median``.
        embeddings: File of embeddings.
        split: Changed fields of :class:`rebeca.data.splits.SplitRule`, or None.
        seed: Divides ratings and draws everything.
        prior: Changed parameters of the generator, or None.
        grid: Values of parameters; every combination is trained.
        select: ``validation-loss`` or ``none``.
        device: Torch device, or None for the CPU.
    """

    data: Path
    scale: tuple[float, float]
    like_at: float | str
    embeddings: Path
    split: Mapping[str, object] | None
    seed: int
    prior: Mapping[str, object] | None
    grid: Mapping[str, Sequence[Plain]]
    select: str
    device: str | None


def read_config(path: Path) -> TrainConfig:
    """Reads and checks a config file.

    Raises:
        SpecError: Naming the first problem.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SpecError(f"{path}: cannot be read ({error})") from error
    if not isinstance(raw, dict):
        raise SpecError(f"{path}: expected a mapping of keys to values")
    _check_keys(path, "", raw, KEYS)
    for key in ("data", "embeddings"):
        if key not in raw:
            raise SpecError(f"{path}: the key '{key}' is missing")
    _check_keys(path, "data.", raw["data"], {"path", "scale", "like_at"})
    _check_keys(path, "split.", raw.get("split") or {}, {f.name for f in fields(SplitRule)} - {"ratings"})
    names = {f.name for f in fields(RebecaParams)}
    _check_keys(path, "prior.", raw.get("prior") or {}, names)
    grid = raw.get("grid") or {}
    _check_keys(path, "grid.", grid, names)
    rule = raw.get("select", "validation-loss" if grid else "none")
    if rule not in RULES:
        raise SpecError(f"{path}: select: unknown rule '{rule}'", hint=did_you_mean(str(rule), RULES))
    mixed = [key for key in INCOMPARABLE if len(grid.get(key, [])) > 1]
    if rule == "validation-loss" and mixed:
        raise SpecError(
            f"{path}: losses of different {mixed[0]} cannot be compared",
            hint="say select: none, and compare the decoded images yourself",
        )
    base, data = path.parent, raw["data"]
    low, high = data["scale"]
    return TrainConfig(
        (base / data["path"]).resolve(), (float(low), float(high)), data["like_at"],
        (base / raw["embeddings"]).resolve(), raw.get("split"), int(raw.get("seed", 42)), raw.get("prior"), grid, rule,
        raw.get("device"),
    )  # fmt: skip


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
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def run(config: Path, output: Path) -> list[Mapping[str, Plain]]:
    """Trains every configuration; returns the rows of ``results.csv``, best first where a rule was declared."""
    c = read_config(config)
    data = read_folder(c.data, c.scale)
    embeddings = read_embeddings(c.embeddings)[: len(data.catalogue)]
    if len(embeddings) < len(data.catalogue):
        raise DataError(f"{c.embeddings}: {len(embeddings)} rows for {len(data.catalogue)} items")
    rule = make_params(SplitRule, {**(c.split or {}), "ratings": "shared"}, "split")
    division = divide(data.ratings, rule, c.like_at, data.catalogue.block, c.seed, data.catalogue.originals())
    vectors = hashlib.sha256(np.ascontiguousarray(embeddings).tobytes()).hexdigest()
    about = digest_of([data.fingerprint(), vectors, c.like_at, c.split, c.device])
    trained = [
        _train_one(c, dict(zip(c.grid, values, strict=True)), division, embeddings, about, output)
        for values in itertools.product(*c.grid.values())
    ]
    if c.select == "validation-loss":
        trained.sort(key=lambda pair: pair[0])
        (output / "best").write_text(f"{trained[0][1]['folder']}\n", encoding="utf-8")
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
    from rebeca.weights import save_weights

    params = make_params(RebecaParams, {**(config.prior or {}), **chosen}, "prior")
    name = "prior-" + digest_of([config.prior, chosen, config.seed, about])[:12]
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    trained = train_prior(
        params,
        division.generators.train,
        division.generators.validation,
        embeddings,
        division.training_items,
        seed_of("train-prior", config.seed),
        config.device or "cpu",
        folder / "checkpoint",
    )
    save_weights(folder / "prior.safetensors", trained.model.state_dict())
    (folder / "losses.csv").write_text(_losses(trained.history), encoding="utf-8")
    best = min(trained.history.validation, default=float("nan"))
    epochs = len(trained.history.train)
    click.echo(f"{name}  {dict(chosen) or 'as configured'}  validation loss {best:.5f} after {epochs} epochs")
    return best, {
        "folder": name,
        **chosen,
        "validation_loss": best,
        "epochs": epochs,
        "steps": trained.history.steps,
        "parameters": sum(value.numel() for value in trained.model.parameters()),
    }


def _losses(history: PriorHistory) -> str:
    held = history.validation or (float("nan"),) * len(history.train)
    rows = enumerate(zip(history.train, held, history.learning_rate, strict=True), start=1)
    lines = (f"{epoch},{train:.6g},{validation:.6g},{rate:.6g}\n" for epoch, (train, validation, rate) in rows)
    return "".join(["epoch,train,validation,learning_rate\n", *lines])


def _check_keys(path: Path, where: str, raw: Any, allowed: set[str]) -> None:
    if not isinstance(raw, dict):
        raise SpecError(f"{path}: {where.rstrip('.')}: expected a mapping, found {raw!r}")
    for key in raw:
        if key not in allowed:
            raise SpecError(f"{path}: unknown key '{where}{key}'", hint=did_you_mean(str(key), allowed))


if __name__ == "__main__":
    main()
