"""Commands for what others published: ``weights``, ``data`` and, for trials without either, ``dev``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmark.commands.completion import task_files, weights_names
from benchmark.commands.options import csv_option, dry_run_option, json_option, print_json, print_result


@click.group()
def weights() -> None:
    """List, fetch and check published weights."""


@weights.command("list")
@click.argument("task", required=False, shell_complete=task_files)
@json_option
@csv_option
def list_(task: str | None, as_json: bool, as_csv: bool) -> None:
    """Print revision, size, licence and SHA-256 of the weights of a task.

    Without a task, list all published weights that are known.
    """
    from benchmark.commands.weights import describe, file_rows, print_weights

    known = describe(task)
    print_result(known, as_json, print_weights, file_rows(known) if as_csv else None)


@weights.command()
@click.argument("task", required=False, shell_complete=task_files)
@json_option
def check(task: str | None, as_json: bool) -> None:
    """Hash the weights that a task needs.

    The exit code is 4 if a file is missing or differs from the published one.
    """
    from benchmark.commands.weights import check_weights, print_checked

    print_result(check_weights(task), as_json, print_checked)


@weights.command()
@click.argument("what", nargs=-1, required=True, metavar="TASK|NAME...", shell_complete=weights_names)
@dry_run_option
def fetch(what: tuple[str, ...], dry_run: bool) -> None:
    """Fetch weights from the hub at their pinned commits, and check them."""
    from benchmark.commands.weights import fetch_weights, missing_weights

    if dry_run:
        click.echo(missing_weights(what))
        return

    for name, path in fetch_weights(what, click.echo):
        click.echo(f"{name:18s} {path}")


@click.group()
def data() -> None:
    """Prepare published data sets."""


@data.command()
@click.argument("name", type=click.Choice(["flickr-aes"]))
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Folder of its files.")
@click.option(
    "--duplicates",
    type=click.Choice(["refuse", "first"]),
    default="first",
    show_default=True,
    help="What to do if a user rated an item twice: stop, or take the first rating.",
)
@json_option
def prepare(name: str, root: Path, duplicates: Any, as_json: bool) -> None:
    """Check and index a published data set.

    Every item is opened once, and the counts are compared with the published ones.
    """
    from benchmark.runner.progress import Reporter
    from rebeca.data import flickr_aes

    with Reporter(quiet=as_json).stage(f"prepare {name}") as report:
        facts = flickr_aes.prepare(root, duplicates, lambda done, total: report(done, total, "items"))
    if as_json:
        print_json({"counts": facts.counts, "repeated": facts.repeated, "as_published": facts.as_published})
        return
    for key, value in facts.counts.items():
        number = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
        published = flickr_aes.PUBLISHED.get(key)
        verdict = "" if published is None else "as published" if value == published else f"published: {published:,}"
        click.echo(f"{key:24s} {number:>10s}  {verdict}".rstrip())
    if facts.repeated:
        click.echo(f"{facts.repeated:,} ratings repeat an earlier one of the same user and item; the first counts")
    click.echo(f"ready: --set data.path={root}")


@click.group()
def dev() -> None:
    """Write random weights and synthetic data, for trials."""


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
    help="The published shapes (full), or the same tensors in small (tiny).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to  [default: $REBECA_WEIGHTS]")
@click.option("--seed", default=0, show_default=True, help="Seed of the weights.")
def make_weights(layouts: tuple[str, ...], size: Any, out: Path | None, seed: int) -> None:
    """Write random weights in published layouts.

    Everything runs with them, and no result means anything.
    """
    from benchmark.dev import random_weights
    from rebeca.errors import SpecError, did_you_mean
    from rebeca.published import weights_root

    for layout in layouts or random_weights.LAYOUTS:
        if layout not in random_weights.LAYOUTS:
            raise SpecError(f"--layout {layout}: no such layout", hint=did_you_mean(layout, random_weights.LAYOUTS))
        folder = random_weights.make_weights(layout, size, out or weights_root(), seed)
        click.echo(f"{layout:12s} {size}, random: {folder}")


@dev.command("make-data")
@click.argument("name", type=click.Choice(["flickr-aes"]))
@click.option("--root", type=click.Path(path_type=Path), required=True, help="An empty folder.")
@click.option("--users", type=click.IntRange(2), default=12, show_default=True, help="Users.")
@click.option("--items", type=click.IntRange(10), default=200, show_default=True, help="Items.")
@click.option("--ratings", type=click.IntRange(4), default=60, show_default=True, help="Ratings per user.")
@click.option("--seed", default=0, show_default=True, help="Seed of items and ratings.")
def make_data(name: str, root: Path, users: int, items: int, ratings: int, seed: int) -> None:
    """Write synthetic items and ratings in a published layout."""
    from benchmark.dev.synthetic_data import write_synthetic

    write_synthetic(root, users, items, ratings, seed)
    click.echo(f"synthetic: {root}\nnext: rebeca-bench data prepare {name} --root {root}")
