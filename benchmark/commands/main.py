"""The command line: ``rebeca-bench run task.yaml``.

Heavy packages are imported inside the commands that need them, so that ``--help`` stays fast.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmark.commands.cache import cache
from benchmark.commands.cite import cite
from benchmark.commands.completion import completion, generators_of_records, generators_of_task, recorded_tasks
from benchmark.commands.encoding import print_plainly
from benchmark.commands.exits import one_message
from benchmark.commands.export import export
from benchmark.commands.new_plugin import GROUPS, write_plugin
from benchmark.commands.options import (
    Executor,
    csv_option,
    device_option,
    dry_run_option,
    executor_options,
    json_option,
    latex_option,
    load,
    markdown_option,
    print_csv,
    print_folders,
    print_json,
    print_result,
    print_utf8,
    profile_command,
    profile_option,
    quiet_option,
    results_option,
    store_option,
    task_options,
    workdir_option,
)
from benchmark.commands.published import data, dev, weights
from benchmark.commands.records import check, figures, site
from benchmark.commands.reproduce import reproduce
from benchmark.commands.settings import THREADS_BY_DEFAULT, settings
from benchmark.commands.status import status
from benchmark.commands.stress import stress
from benchmark.commands.submissions import check_submission, results, submit
from benchmark.commands.verify import verify
from benchmark.commands.work import work
from benchmark.runner import threads
from rebeca.errors import did_you_mean
from rebeca.parallel import processes


class _Main(click.Group):
    """Names the nearest command where one is misspelt, and ends every command with one message."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            raise click.UsageError(f"no command '{args[0]}'; {did_you_mean(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        print_plainly()
        with one_message("--debug" in args):  # --help and --version print already here
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with one_message(ctx.params["debug"]):
            return super().invoke(ctx)


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rebeca-bench")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def main(debug: bool) -> None:
    """A benchmark for personalised image generation: do users like the images, and are they personal?"""
    if not os.environ.get(threads.VARIABLE):  # read by numpy and torch when they are imported
        os.environ[threads.VARIABLE] = threads.DEFAULT
        click.get_current_context().meta[THREADS_BY_DEFAULT] = True
    click.get_current_context().with_resource(processes(threads.process_setting()))


check.add_command(check_submission)
RECORDS = (export, submit, cite, verify, reproduce, check, results, site, figures)
MACHINE = (work, weights, data, dev, cache, status, completion, settings, stress)
for _command in (*RECORDS, *MACHINE):
    main.add_command(_command)


@main.command()
@task_options
@json_option
def validate(task: str, overrides: tuple[str, ...], limit_users: int | None, as_json: bool) -> None:
    """Check a task file without reading the data."""
    from benchmark.runner.checks import check_task

    resolved = load(task, overrides, limit_users)
    notes = check_task(resolved)
    fine = (
        f"{resolved.source}: the task file is fine ({len(resolved.generators)} generators, hash"
        f" {resolved.hash()[:12]}); plan and run read the data"
    )
    fields = {"hash": resolved.hash(), "spec": resolved.to_json(), "notes": notes}
    print_result(fields, as_json, "\n".join([fine, *(f"note: {note}" for note in notes)]))


@main.command(short_help="Print what a run needs and could detect.")
@task_options
@workdir_option
@device_option("Torch device of the run.")
@click.option("--pilot", type=click.Path(path_type=Path), help="Records of an earlier or smaller run of the task.")
@json_option
@csv_option
def plan(
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    workdir: Path,
    device: str,
    pilot: Path | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Print what a run needs, what is cached, and what it could detect."""
    resolved = load(task, overrides, limit_users)
    if not (as_json or as_csv):
        click.echo(f"{resolved.file.title}: reading the data ...")
    from benchmark.commands.plan import plan_task, print_plan

    planned = plan_task(resolved, workdir, pilot, device)
    print_result(planned, as_json, print_plan, map(asdict, planned.generators) if as_csv else None)


@main.command()
@task_options
@workdir_option
@store_option
@executor_options
@click.option(
    "--only",
    multiple=True,
    metavar="ID",
    shell_complete=generators_of_task,
    help="Only this generator and the reference; may be repeated.",
)
@device_option()
@click.option(
    "--publish",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=Path("results"),
    default=None,
    help="Copy the records to a folder  [without a value: results]",
)
@click.option("--with-weights", is_flag=True, help="Publish the fitted weights as well, beside the records.")
@click.option("--site", type=click.Path(path_type=Path), help="Where to build the page  [default: in the work folder]")
@profile_option
@quiet_option
@dry_run_option
@json_option
def run(
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    workdir: Path,
    store: str | None,
    executor: Executor,
    only: tuple[str, ...],
    device: str,
    publish: Path | None,
    with_weights: bool,
    site: Path | None,
    profile: Path | None,
    quiet: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run a task, write its records and build its page.

    The stages are fit, decode, score and analyse. Finished stages are cached:
    the same command continues a run that was stopped.
    """
    profile_command(None if dry_run else profile, quiet)
    from benchmark.records.costs import PAGE_STAGE
    from benchmark.runner.estimate import Step
    from benchmark.runner.folders import check_folders, page_folder
    from benchmark.runner.progress import Reporter
    from benchmark.runner.publish import check_publish
    from benchmark.runner.publish import publish as copy_records
    from benchmark.runner.start import running, task_to_run
    from benchmark.site.build import build_site, check_site
    from rebeca.spans import Part, span

    resolved = task_to_run(task, overrides, limit_users, only, device)
    check_folders(workdir, site, publish)
    folder = site or page_folder(workdir, resolved)
    check_site(folder, resolved.file.id)
    place = None if publish is None else check_publish(resolved, publish)
    if dry_run:
        from benchmark.commands.dry_run import dry_run as plan_run
        from benchmark.commands.dry_run import print_dry_run

        print_result(plan_run(resolved, workdir, device, folder, place), as_json, print_dry_run)
        return
    reporter, published = Reporter(quiet=quiet), None
    command, page_step = ["rebeca-bench", *sys.argv[1:]], Step(PAGE_STAGE, PAGE_STAGE, resolved.file.id)
    with running(
        resolved, workdir, device, reporter, command, page_step,
        shared=store, before=executor.before_run(resolved, workdir, store, device, reporter),
    ) as (kept, result):  # fmt: skip
        records = result.records
        if publish is not None:
            published = copy_records(resolved, result.addresses, kept, records, publish, with_weights)
        with reporter.stage(PAGE_STAGE, announce=False), span(Part.PAGE, "build the page"):
            page = build_site([records], folder)
    _print_run(records, published, page, as_json)


def _print_run(records: Path, published: Path | None, page: Path, as_json: bool) -> None:
    from benchmark.commands.show import print_board, summary

    if as_json:
        print_json(summary(records), records=str(records), page=str(page))
        return
    print_board(records)
    click.echo()
    print_folders(records, published, page)


@main.command()
@click.argument("task", shell_complete=recorded_tasks)
@workdir_option
@results_option
@json_option
@csv_option
@latex_option
@markdown_option
def show(
    task: str,
    workdir: Path,
    roots: tuple[Path, ...],
    as_json: bool,
    as_csv: bool,
    as_latex: bool,
    as_markdown: bool,
) -> None:
    """Print the leaderboard of a task that was run."""
    from benchmark.board.board import read_board
    from benchmark.board.plain_rows import board_rows
    from benchmark.board.typeset import latex_table, markdown_table
    from benchmark.commands.show import cautions_of, print_board, summary
    from benchmark.records.find import find_records

    records = find_records(task, roots or (workdir / "records",))
    for caution in cautions_of(task, records):
        click.echo(f"caution: {caution}", err=True)
    if as_json:
        print_json(summary(records))
    elif as_csv:
        print_csv(board_rows(read_board(records)))
    elif as_latex or as_markdown:
        print_utf8((latex_table if as_latex else markdown_table)(read_board(records)))
    else:
        print_board(records)


@main.command()
@click.argument("task", shell_complete=recorded_tasks)
@click.argument("a", shell_complete=generators_of_records)
@click.argument("b", shell_complete=generators_of_records)
@workdir_option
@results_option
@json_option
@csv_option
def compare(task: str, a: str, b: str, workdir: Path, roots: tuple[Path, ...], as_json: bool, as_csv: bool) -> None:
    """Compare two generators: difference, interval and verdict."""
    from benchmark.board.board import read_board
    from benchmark.board.plain_rows import compare_generators, comparison_row
    from benchmark.commands.show import print_comparisons
    from benchmark.records.find import find_records

    board = read_board(find_records(task, roots or (workdir / "records",)))
    comparisons = compare_generators(board, a, b)
    print_result(
        {"a": a, "b": b, "comparisons": comparisons},
        as_json,
        lambda _: print_comparisons(board, a, b, comparisons),
        map(comparison_row, comparisons) if as_csv else None,
    )


@main.command()
@click.argument("task", shell_complete=recorded_tasks)
@click.option("--users", type=click.IntRange(2), help="Users  [default: as in the records]")
@click.option("--images", type=click.IntRange(1), help="Images per user  [default: as in the records]")
@click.option(
    "--correlation",
    type=click.FloatRange(0, 0.99),
    help="Between a judge's scores of two images of one user  [default: estimated from the records]",
)
@click.option(
    "--lift",
    type=float,
    help="Personal lift to simulate, in standard deviations of a score  [default: as in the records]",
)
@click.option("--fits", type=click.IntRange(1), help="Fits per generator  [default: as in the records, else 1]")
@click.option("--runs", type=click.IntRange(20), default=2000, show_default=True, help="Simulated runs per condition.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@workdir_option
@results_option
@json_option
def calibrate(
    task: str,
    users: int | None,
    images: int | None,
    correlation: float | None,
    lift: float | None,
    fits: int | None,
    runs: int,
    workers: int,
    workdir: Path,
    roots: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check the leaderboard's tests and intervals by simulation.

    The simulated tasks have as many users and images per user as this task.
    """
    from benchmark.commands.calibrate import TaskShape, calibrate_task, print_calibration
    from benchmark.runner.progress import Reporter

    given, reporter = TaskShape(users, images, correlation, lift, fits), Reporter(quiet=as_json)
    calibration = calibrate_task(task, roots or (workdir / "records",), given, runs, workers, reporter)
    print_result(calibration, as_json, print_calibration)


@main.command()
@click.option("--record", is_flag=True, help="Of records instead of task files.")
def schema(record: bool) -> None:
    """Print the JSON Schema of a task file, or of records."""
    if record:
        from benchmark.records.schema import json_schema
    else:
        from benchmark.task.file import json_schema

    print_json(json_schema())


@main.command()
@json_option
def doctor(as_json: bool) -> None:
    """List what this machine can run, and how to add what is missing."""
    from benchmark.commands.doctor import examine, print_report

    print_result(examine(), as_json, print_report)


@main.command()
@json_option
def tasks(as_json: bool) -> None:
    """List the tasks that come with the package."""
    from benchmark.task.bundled import bundled_tasks
    from benchmark.task.yaml_source import read_yaml

    titles = {name: str(read_yaml(path).data.get("title", "")) for name, path in bundled_tasks().items()}
    width = max(map(len, titles))
    print_result(titles, as_json, "\n".join(f"{name:{width}}  {title}" for name, title in titles.items()))


@main.group()
def new() -> None:
    """Start a task or a plug-in of your own."""


@new.command("task")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Task file to write  [default: FOLDER/task.yaml]")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@json_option
def new_task(folder: Path, output: Path | None, force: bool, as_json: bool) -> None:
    """Write a commented task file for a folder of images and ratings."""
    from benchmark.commands.new import write_task

    written = write_task(folder, output or folder / "task.yaml", force)
    notes = [f"note: {sentence}" for sentence in written.odd]
    lines = [written.summary, *notes, f"wrote {written.path}", f"next: rebeca-bench run {written.path}"]
    fields = {"task": str(written.path), "summary": written.summary, "odd": list(written.odd)}
    print_result(fields, as_json, "\n".join(lines))


@new.command("plugin")
@click.argument("kind", metavar="KIND", type=click.Choice(tuple(GROUPS)))
@click.option("--name", help="What task files call it  [default: my-KIND]")
@click.option("--output", type=click.Path(path_type=Path), help="Folder to write  [default: the name]")
@click.option("--force", is_flag=True, help="Overwrite the package in an existing folder.")
@json_option
def new_plugin(kind: str, name: str | None, output: Path | None, force: bool, as_json: bool) -> None:
    """Write a package with a plug-in, its tests and an example task.

    KIND is generator, scorer, set-scorer, judge, encoder, decoder or dataset.
    """
    name = name or f"my-{kind}"
    written = write_plugin(kind, name, output or Path(name), force)
    folder = shlex.quote(str(written.folder))
    lines = [
        f"wrote {written.folder}: {', '.join(written.files)}",
        f'next: cd {folder} && python3 -m pip install --editable ".[test]" && python3 -m pytest',
        "then: rebeca-bench run task.yaml",
    ]
    print_result(written, as_json, "\n".join(lines))
