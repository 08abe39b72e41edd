"""Commands that show a task: the site, and figures for print."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.commands.options import json_option, print_json, results_option, workdir_option


@click.group()
def site() -> None:
    """Build the leaderboards as a static site."""


@site.command("build")
@click.argument("roots", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("dist/site"), show_default=True, help="Folder to write to."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="For a private site: the folder private-images of a work folder, with images that may not be republished.",
)
@workdir_option
@json_option
def site_build(roots: tuple[Path, ...], out: Path, images: Path | None, workdir: Path, as_json: bool) -> None:
    """Build the site from folders of records.

    Without folders, the records of the work folder are used.
    """
    from benchmark.site.build import build_site

    page = build_site(roots or (workdir / "records",), out, images)
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
def figures(task: str, out: Path, workdir: Path, roots: tuple[Path, ...], as_json: bool) -> None:
    """Draw the figures of a task for print.

    Each figure is written as SVG, PDF and PNG, for one and two columns, with a CSV file of its data.
    """
    from benchmark.commands.show import find_records
    from benchmark.figures.build import write_figures

    written = write_figures(find_records(task, roots or (workdir / "records",)), out)
    if as_json:
        print_json([str(path) for path in written])
    else:
        click.echo(f"wrote {len(written)} files to {out}")
