"""Commands for generators that somebody hands in: ``submit``, ``check submission`` and ``results merge``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmark.commands.completion import task_files
from benchmark.commands.options import (
    device_option,
    json_option,
    print_folders,
    print_json,
    print_result,
    profile_command,
    profile_option,
    quiet_option,
    workdir_option,
)


@click.command()
@click.argument("task", shell_complete=task_files)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("submissions"),
    show_default=True,
    help="Folder of bundles.",
)
@click.option("--set", "overrides", multiple=True, metavar="data.path=FOLDER", help="Folder of the data.")
@workdir_option
@device_option()
@profile_option
@quiet_option
@json_option
def submit(
    task: str,
    file: Path,
    out: Path,
    overrides: tuple[str, ...],
    workdir: Path,
    device: str,
    profile: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run a generator of your own on a published task and write its bundle.

    FILE names the generator, as in a task file, and its card: authors, class,
    training data, licence. The bundle lies in OUT/TASK/vVERSION/GENERATOR.
    """
    profile_command(profile, quiet)
    from benchmark.runner.folders import check_folders
    from benchmark.runner.progress import Reporter
    from benchmark.runner.start import task_to_run
    from benchmark.submissions.file import read_submission
    from benchmark.submissions.remarks import remarks
    from benchmark.submissions.submit import beside, check_submit
    from benchmark.submissions.submit import submit as write_bundle

    resolved = task_to_run(task, overrides, None, (), device)
    submission = read_submission(file, resolved)
    check_folders(workdir, None, out)
    place = check_submit(resolved, submission, out)
    reporter = Reporter(quiet=quiet or as_json)
    record = write_bundle(resolved, submission, place, workdir, device, reporter, ["rebeca-bench", *sys.argv[1:]])
    noted = remarks(record, resolved.spec())
    if as_json:
        print_json({"bundle": place, "generator": record.generator.id, "remarks": noted, "summary": record.summary})
        return
    images = record.images
    click.echo(f"{record.generator.title}: {images.valid:,} of {images.requested:,} images valid")
    for remark in noted:
        click.echo(remark)
    if submission.images:
        click.echo(f"images  {beside(place, submission)}\nupload  them to {submission.images}")
    click.echo(f"bundle  {place}\nnext    rebeca-bench check submission {place}")


@click.command("submission")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    multiple=True,
    default=(Path("results"),),
    show_default=True,
    help="Published records, or a folder of them; may be repeated.",
)
@click.option("--comment", type=click.Path(path_type=Path), help="Write the comment of a pull request to this file.")
@json_option
def check_submission(folder: Path, against: tuple[Path, ...], comment: Path | None, as_json: bool) -> None:
    """Check a bundle, and say what its row changes for others.

    Nothing in a bundle is executed, and nothing is written but the comment.
    """
    from benchmark.commands.submission_report import print_report
    from benchmark.submissions.check import check_bundle
    from benchmark.submissions.comment import comment_of, refusal
    from rebeca.errors import RecordError

    try:
        report = check_bundle(folder, against)
    except RecordError as error:
        if comment is not None:
            comment.write_text(refusal(error.message, error.hint), encoding="utf-8")
        raise
    if comment is not None:
        comment.write_text(comment_of(report), encoding="utf-8")
    print_result(report, as_json, print_report)


@click.group()
def results() -> None:
    """Merge records and bundles of one task."""


@results.command("merge")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder of records."
)
@click.option("--without", multiple=True, metavar="ID", help="Leave this generator out; may be repeated.")
@json_option
def results_merge(folders: tuple[Path, ...], out: Path, without: tuple[str, ...], as_json: bool) -> None:
    """Merge records and bundles of one task into one leaderboard.

    FOLDERS are version folders of records, and bundles. They are merged into
    OUT/TASK/vVERSION together with what lies there. The order changes nothing.
    """
    from benchmark.records.merge import merge

    place, task = merge(folders, out, without)
    fields = {"records": str(place), "generators": task.order, "submitted": [entry.id for entry in task.submitted]}
    if as_json:
        print_result(fields, as_json, "")
        return
    click.echo(f"{len(task.order)} generators, {len(task.submitted)} of them handed in; every number agrees")
    print_folders(place, None, None)
