"""The commands ``check``, and those that show records."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmark.commands.completion import recorded_tasks, task_files
from benchmark.commands.exits import DIFFERS
from benchmark.commands.options import (
    attest_option,
    device_option,
    json_option,
    print_result,
    quiet_option,
    results_option,
    workdir_option,
)

KINDS = ("generator", "scorer", "judge", "encoder", "decoder", "data-set")


@click.group()
def check() -> None:
    """Check published results, or a plug-in."""


@check.command("run")
@click.argument("task", shell_complete=task_files)
@click.option("--set", "overrides", multiple=True, metavar="data.path=FOLDER", help="Folder of the data.")
@click.option(
    "--against", type=click.Path(path_type=Path), required=True, help="Published records, or a folder of them."
)
@click.option("--workdir", type=click.Path(path_type=Path), help="Work folder to continue in  [default: a new one]")
@device_option()
@quiet_option
@attest_option
@json_option
def check_run(
    task: str,
    overrides: tuple[str, ...],
    against: Path,
    workdir: Path | None,
    device: str,
    quiet: bool,
    attest: bool,
    as_json: bool,
) -> None:
    """Run a task again and compare it with published records.

    On an equal machine every byte must be the same; elsewhere published
    weights are used, and scores may differ slightly. The exit code is 1 if a
    result changed.
    """
    from benchmark.commands.check import print_check
    from benchmark.records.attestation import attest as write_statements
    from benchmark.records.find import find_records
    from benchmark.runner.progress import Reporter
    from benchmark.runner.reproduce import made_again, reproduce
    from benchmark.runner.start import task_to_run

    resolved = task_to_run(task, overrides, None, (), device)
    records = against if (against / "_task").is_dir() else find_records(resolved.file.id, (against,))
    result = reproduce(resolved, records, workdir, device, Reporter(quiet=quiet), ["rebeca-bench", *sys.argv[1:]])
    if attest and result.equal:
        write_statements(Path(result.against), made_again(result))
    print_result(result, as_json, print_check)
    if not result.equal:
        sys.exit(DIFFERS)


@check.command("plugin")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="Where kinds share NAME.")
@click.option("--params", "raw", default="{}", metavar="JSON", help="Parameters, as in a task file.")
@click.option("--set", "folder", metavar="data.path=FOLDER", help="Folder of a data set's files.")
@json_option
def check_plugin(name: str, kind: str | None, raw: str, folder: str | None, as_json: bool) -> None:
    """Check that a plug-in keeps the contract of its kind.

    NAME is registered, or module:Class. Every check is printed with yes or no,
    and the exit code is 5 if the contract is broken. Give small parameters to
    what trains for long: it is fitted about ten times.
    """
    from benchmark.commands.check_plugin import run_checks

    report = run_checks(name, kind, raw, folder, quiet=as_json)
    print_result(report, as_json, f"\n{report.summary}")
    if report.exit_code:
        sys.exit(report.exit_code)


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
@click.option("--docs", type=click.Path(path_type=Path), help="A built site of the docs, to be put beside the pages.")
@workdir_option
@json_option
def site_build(
    roots: tuple[Path, ...], out: Path, images: Path | None, docs: Path | None, workdir: Path, as_json: bool
) -> None:
    """Build the site from folders of records.

    Without folders, the records of the work folder are used.
    """
    from benchmark.site.build import build_site

    page = build_site(roots or (workdir / "records",), out, images, docs)
    print_result({"page": str(page)}, as_json, f"page  {page}")


@click.command()
@click.argument("task", shell_complete=recorded_tasks)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@workdir_option
@results_option
@json_option
def figures(task: str, out: Path, workdir: Path, roots: tuple[Path, ...], as_json: bool) -> None:
    """Draw the figures of a task for print.

    Each figure is written as SVG, PDF and PNG, for one and two columns, with a CSV file of its data.
    """
    from benchmark.figures.build import write_figures
    from benchmark.records.find import find_records

    written = write_figures(find_records(task, roots or (workdir / "records",)), out)
    print_result([str(path) for path in written], as_json, f"wrote {len(written)} files to {out}")
