"""Commands for what others published: ``weights``, ``data`` and, for trials without either, ``dev``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.commands.exits import one_message
from benchmark.commands.options import json_option, print_json


@click.group()
def weights() -> None:
    """Published weights: which a task needs, whether they are here, and fetching them."""


@weights.command("list")
@click.argument("task", required=False)
@json_option
@click.pass_obj
def list_(debug: bool, task: str | None, as_json: bool) -> None:
    """Name revision, size, licence and SHA-256 of all that a task needs, or of all that are known."""
    with one_message(debug):
        from benchmark.commands.weights import describe, print_weights

        found = describe(task)
        if as_json:
            print_json(found)
        else:
            print_weights(found)


@weights.command()
@click.argument("task", required=False)
@json_option
@click.pass_obj
def check(debug: bool, task: str | None, as_json: bool) -> None:
    """Hash everything that a task needs; exit code 4 where something is absent or is not what it should be."""
    with one_message(debug):
        from benchmark.commands.weights import check as look
        from benchmark.commands.weights import print_checked

        found = look(task)
        if as_json:
            print_json(found)
        else:
            print_checked(found)


@weights.command()
@click.argument("what", nargs=-1, required=True, metavar="TASK|NAME...")
@click.pass_obj
def fetch(debug: bool, what: tuple[str, ...]) -> None:
    """Fetch weights from the hub at their pinned commits, and check them."""
    with one_message(debug):
        from benchmark.commands.weights import fetch as get

        for name, path in get(what, click.echo):
            click.echo(f"{name:18s} {path}")


@click.group()
def data() -> None:
    """Published data sets."""


@data.command()
@click.argument("name", type=click.Choice(["flickr-aes"]))
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Where its files lie.")
@click.option(
    "--duplicates",
    type=click.Choice(["refuse", "first"]),
    default="first",
    show_default=True,
    help="What becomes of a picture that a person rated twice.",
)
@json_option
@click.pass_obj
def prepare(debug: bool, name: str, root: Path, duplicates: Any, as_json: bool) -> None:
    """Open every picture once, write the index that runs need, and compare with what was published."""
    with one_message(debug):
        from benchmark.runner.progress import Reporter
        from rebeca.data.flickr_aes import PUBLISHED
        from rebeca.data.flickr_aes import prepare as make

        with Reporter(quiet=as_json).stage(f"prepare {name}") as report:
            found = make(root, duplicates, lambda done, total: report(done, total, "pictures"))
        if as_json:
            print_json({"found": found.counts, "repeated": found.repeated, "as_published": found.as_published})
            return
        for key, value in found.counts.items():
            said = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
            wanted = PUBLISHED.get(key)
            told = "" if wanted is None else "as published" if value == wanted else f"published: {wanted:,}"
            click.echo(f"{key:24s} {said:>10s}  {told}".rstrip())
        if found.repeated:
            click.echo(
                f"{found.repeated:,} ratings repeat an earlier one of the same person and picture; the first counts"
            )
        click.echo(f"ready: --set data.path={root}")


@click.group()
def dev() -> None:
    """Stand-ins for what is not here: random weights and made-up data in the published layouts."""


@dev.command("make-weights")
@click.option(
    "--layout",
    "layouts",
    multiple=True,
    metavar="NAME",
    help="sd15, ip-adapter, vit-h, vit-l, vit-g, hpsv2, hpsv2.1 or laion; may be given several times  [default: all]",
)
@click.option(
    "--size",
    type=click.Choice(["tiny", "full"]),
    default="tiny",
    show_default=True,
    help="The published shapes, or the same tensors, small.",
)
@click.option("--out", type=click.Path(path_type=Path), help="As $REBECA_WEIGHTS  [default: that folder]")
@click.option("--seed", default=0, show_default=True)
@click.pass_obj
def make_weights(debug: bool, layouts: tuple[str, ...], size: Any, out: Path | None, seed: int) -> None:
    """Write random weights in published layouts; what is made with them measures nothing."""
    with one_message(debug):
        from benchmark.dev.random_weights import LAYOUTS
        from benchmark.dev.random_weights import make_weights as write
        from rebeca.errors import SpecError, did_you_mean
        from rebeca.published import weights_root

        for layout in layouts or LAYOUTS:
            if layout not in LAYOUTS:
                raise SpecError(f"--layout {layout}: no such layout", hint=did_you_mean(layout, LAYOUTS))
            folder = write(layout, size, out or weights_root(), seed)
            click.echo(f"{layout:12s} {size}, random: {folder}")


@dev.command("make-data")
@click.argument("name", type=click.Choice(["flickr-aes"]))
@click.option("--root", type=click.Path(path_type=Path), required=True, help="An empty folder.")
@click.option("--people", type=click.IntRange(2), default=12, show_default=True)
@click.option("--pictures", type=click.IntRange(10), default=200, show_default=True)
@click.option("--ratings", type=click.IntRange(4), default=60, show_default=True, help="A person.")
@click.option("--seed", default=0, show_default=True)
@click.pass_obj
def make_data(debug: bool, name: str, root: Path, people: int, pictures: int, ratings: int, seed: int) -> None:
    """Write made-up pictures and ratings in the layout of a published data set."""
    with one_message(debug):
        from benchmark.dev.synthetic_data import write_made_up

        write_made_up(root, people, pictures, ratings, seed)
        click.echo(f"made up: {root}\nnext: rebeca-bench data prepare {name} --root {root}")
