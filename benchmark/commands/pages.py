"""Commands that show a task: the site, and figures for print."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.commands.exits import one_message
from benchmark.commands.options import json_option, print_json, results_option, workdir_option
from rebeca.places import cache_folder


@click.group()
def site() -> None:
    """The leaderboard as a static site."""


@site.command("build")
@click.argument("roots", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("dist/site"), show_default=True)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Images of data that may not be republished, for a private site: private-images in a work folder.",
)
@workdir_option
@json_option
@click.pass_obj
def site_build(
    debug: bool, roots: tuple[Path, ...], out: Path, images: Path | None, workdir: Path | None, as_json: bool
) -> None:
    """Build the site from folders of records (those of the work folder by default)."""
    with one_message(debug):
        from benchmark.site.build import build_site

        page = build_site(list(roots) or [(workdir or cache_folder()) / "records"], out, images)
        if as_json:
            print_json({"page": str(page)})
        else:
            click.echo(f"page  {page}")


@click.command()
@click.argument("task")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@workdir_option
@results_option
@json_option
@click.pass_obj
def figures(debug: bool, task: str, out: Path, workdir: Path | None, roots: tuple[Path, ...], as_json: bool) -> None:
    """Draw every figure of a task for print: SVG, PDF, PNG in one and two columns, and the CSV behind each."""
    with one_message(debug):
        from benchmark.commands.show import find_records
        from benchmark.figures.build import write_figures

        written = write_figures(find_records(task, roots or ((workdir or cache_folder()) / "records",)), out)
        if as_json:
            print_json([str(path) for path in written])
        else:
            click.echo(f"wrote {len(written)} files to {out}")
