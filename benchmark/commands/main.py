"""The command line: ``rebeca-bench run task.yaml``.

Heavy packages are imported inside the commands that need them, so that ``--help`` stays fast.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from benchmark.commands.exits import one_message
from benchmark.commands.options import json_option, load, print_json, results_option, task_options, workdir_option
from benchmark.commands.pages import figures, site
from benchmark.commands.published import data, dev, weights
from benchmark.commands.records import check, verify
from rebeca.errors import did_you_mean
from rebeca.places import cache_folder

THREADS = "2"
"""Unless ``OMP_NUM_THREADS`` says otherwise; how sums are rounded hangs on the number of threads."""


class _Group(click.Group):
    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args and args[0] not in self.commands:
                raise click.UsageError(
                    f"no command '{args[0]}'; {did_you_mean(args[0], self.commands)}", ctx
                ) from error
            raise


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rebeca-bench")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """A benchmark for pictures made for a person: what people like, and what is personal about it."""
    ctx.obj = debug
    if not os.environ.get("OMP_NUM_THREADS"):  # read by numpy and torch when they are imported
        os.environ["OMP_NUM_THREADS"] = THREADS


for _command in (verify, check, site, figures, weights, data, dev):
    main.add_command(_command)


@main.command()
@task_options
@json_option
@click.pass_obj
def validate(debug: bool, task: str, overrides: tuple[str, ...], limit_users: int | None, as_json: bool) -> None:
    """Check a task file."""
    with one_message(debug):
        resolved = load(task, overrides, limit_users)
        if as_json:
            print_json({"hash": resolved.hash(), "spec": resolved.to_json()})
        else:
            click.echo(
                f"{resolved.source}: the task file is fine ({len(resolved.generators)} generators, hash"
                f" {resolved.hash()[:12]}); plan and run read the data"
            )


@main.command()
@task_options
@workdir_option
@click.option("--device", default="cpu", show_default=True, help="Torch device of the run.")
@click.option("--pilot", type=click.Path(path_type=Path), help="Records of an earlier or smaller run of the task.")
@json_option
@click.pass_obj
def plan(
    debug: bool,
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    workdir: Path | None,
    device: str,
    pilot: Path | None,
    as_json: bool,
) -> None:
    """Say what a run would compute and cost, what is cached, and what it could detect."""
    with one_message(debug):
        resolved = load(task, overrides, limit_users)
        if not as_json:
            click.echo(f"{resolved.file.title}: reading the data ...")
        from benchmark.commands.plan import plan_task, print_plan

        found = plan_task(resolved, workdir or cache_folder(), pilot, device)
        if as_json:
            print_json(found)
        else:
            print_plan(found)


@main.command()
@task_options
@workdir_option
@click.option("--only", multiple=True, metavar="ID", help="Only these generators; the task is then a modified one.")
@click.option("--device", default="cpu", show_default=True, help="Torch device.")
@click.option(
    "--publish",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=Path("results"),
    default=None,
    help="Copy the records to a folder  [results when no folder is given]",
)
@click.option("--with-weights", is_flag=True, help="Publish what was learned as well, beside the records.")
@click.option("--site", type=click.Path(path_type=Path), help="Where to build the page  [default: in the work folder]")
@click.option("--quiet", is_flag=True, help="Say nothing but the result.")
@json_option
@click.pass_obj
def run(
    debug: bool,
    task: str,
    overrides: tuple[str, ...],
    limit_users: int | None,
    workdir: Path | None,
    only: tuple[str, ...],
    device: str,
    publish: Path | None,
    with_weights: bool,
    site: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run a task: fit, decode, score, analyse, write records, build the page. Run again to go on."""
    with one_message(debug):
        from benchmark.runner.devices import check_device
        from benchmark.runner.progress import Reporter
        from benchmark.runner.publish import publish as copy_records
        from benchmark.runner.run_task import run_task
        from benchmark.runner.store import Store
        from benchmark.site.build import build_site
        from benchmark.task.resolve import limited

        check_device(device)
        resolved = load(task, overrides, limit_users)
        if only:
            resolved = limited(resolved, only)
        where = workdir or cache_folder()
        reporter = Reporter(quiet=quiet)
        reporter.info(f"{resolved.file.title} ({len(resolved.generators)} generators, work folder {where})")
        store, published = Store(where, reporter.info), None
        with store.locked():
            result = run_task(resolved, store, device, reporter, ["rebeca-bench", *sys.argv[1:]])
            records = result.records
            if publish is not None:
                published = copy_records(resolved, result.addresses, store, records, publish, with_weights)
            page = build_site([records], site or where / "site")
        if as_json:
            from benchmark.commands.show import summary

            print_json(summary(records), records=str(records), page=str(page))
            return
        from benchmark.commands.show import print_board

        print_board(records)
        click.echo(f"records  {records}")
        if published is not None:
            click.echo(f"published  {published}")
        click.echo(f"page  {page}")


@main.command()
@click.argument("task")
@workdir_option
@results_option
@json_option
@click.pass_obj
def show(debug: bool, task: str, workdir: Path | None, roots: tuple[Path, ...], as_json: bool) -> None:
    """Print the leaderboard of a task that was run."""
    with one_message(debug):
        from benchmark.commands.show import find_records, print_board, summary

        records = find_records(task, roots or ((workdir or cache_folder()) / "records",))
        if as_json:
            print_json(summary(records))
        else:
            print_board(records)


@main.command()
@click.argument("task")
@click.argument("a")
@click.argument("b")
@workdir_option
@results_option
@json_option
@click.pass_obj
def compare(
    debug: bool, task: str, a: str, b: str, workdir: Path | None, roots: tuple[Path, ...], as_json: bool
) -> None:
    """Compare two generators of a task: by how much, how sure, and the verdict."""
    with one_message(debug):
        from benchmark.commands.show import comparisons, find_records, print_comparisons

        records = find_records(task, roots or ((workdir or cache_folder()) / "records",))
        found = comparisons(records, a, b)
        if as_json:
            print_json({"a": a, "b": b, "comparisons": found})
        else:
            print_comparisons(records, a, b, found)


@main.command()
@click.argument("task")
@click.option("--users", type=click.IntRange(2), help="Users  [default: as in the records]")
@click.option("--images", type=click.IntRange(1), help="Images per user  [default: as in the records]")
@click.option(
    "--correlation",
    type=click.FloatRange(0, 0.99),
    help="Of two images of one set for one judge  [default: estimated from the records]",
)
@click.option(
    "--lift", type=float, help="Planted lift, in standard deviations of a score  [default: as in the records]"
)
@click.option("--runs", type=click.IntRange(20), default=2000, show_default=True, help="Simulated runs per cell.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@workdir_option
@results_option
@json_option
@click.pass_obj
def calibrate(
    debug: bool,
    task: str,
    users: int | None,
    images: int | None,
    correlation: float | None,
    lift: float | None,
    runs: int,
    workers: int,
    workdir: Path | None,
    roots: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check the board's tests and intervals on simulated tasks of this task's shape."""
    with one_message(debug):
        from benchmark.commands.calibrate import TaskShape, calibrate_task, print_calibration
        from benchmark.runner.progress import Reporter

        given = TaskShape(users, images, correlation, lift)
        where = roots or ((workdir or cache_folder()) / "records",)
        found = calibrate_task(task, where, given, runs, workers, Reporter(quiet=as_json))
        if as_json:
            print_json(found)
        else:
            print_calibration(found)


@main.command()
@click.option("--record", is_flag=True, help="Of records instead of task files.")
def schema(record: bool) -> None:
    """Print the JSON Schema of a task file, or of records."""
    if record:
        from benchmark.records.schema import json_schema as record_schema

        print_json(record_schema())
        return
    from benchmark.task.file import json_schema

    print_json(json_schema())


@main.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what this machine can run, and how to add what is missing."""
    from benchmark.commands.doctor import examine, print_report

    found = examine()
    if as_json:
        print_json(found)
    else:
        print_report(found)


@main.command()
@json_option
def tasks(as_json: bool) -> None:
    """List the tasks that come with the package."""
    from benchmark.task.bundled import folder
    from benchmark.task.yaml_source import read_yaml

    found = {path.stem: str(read_yaml(path).data.get("title", "")) for path in sorted(folder("tasks").glob("*.yaml"))}
    if as_json:
        print_json(found)
        return
    for name, title in found.items():
        click.echo(f"{name:20s} {title}")


@main.group()
def new() -> None:
    """Start something of your own."""


@new.command("task")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Task file to write  [default: FOLDER/task.yaml]")
@click.option("--force", is_flag=True, help="Overwrite it.")
@json_option
@click.pass_obj
def new_task(debug: bool, folder: Path, output: Path | None, force: bool, as_json: bool) -> None:
    """Write a commented task file for a folder of pictures and ratings, ready to run."""
    with one_message(debug):
        from benchmark.commands.new import write_task

        path = write_task(folder, output or folder / "task.yaml", force)
        if as_json:
            print_json({"task": str(path)})
        else:
            click.echo(f"wrote {path}\nnext: rebeca-bench run {path}")
