"""Options that several commands share, and what they all do with them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmark.commands.completion import task_files
from rebeca.hashes import cache_folder

if TYPE_CHECKING:
    from benchmark.board.plain_rows import Cell
    from benchmark.runner.progress import Reporter
    from benchmark.runner.store import Store
    from benchmark.task.resolved import Task

Command = TypeVar("Command", bound=Callable[..., Any])
Result = TypeVar("Result")


def task_options(command: Command) -> Command:
    """The task, ``--set`` and ``--limit-users``."""
    for option in (
        click.option("--limit-users", type=click.IntRange(1), metavar="N", help="Make images for N users only."),
        click.option("--set", "overrides", multiple=True, metavar="A.B=VALUE", help="Change a key of the task file."),
        click.argument("task", shell_complete=task_files),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Executor:
    """Who makes fits, images and scores.

    Attributes:
        name: ``local`` or ``ray``.
        address: Of a running cluster of ray; None for one of this machine.
        actors: How many; None for one per processor or GPU.
    """

    name: str
    address: str | None
    actors: int | None

    def before_run(
        self, task: Task, workdir: Path, shared: str | None, device: str, reporter: Reporter
    ) -> list[Callable[[Store], None]]:
        """What fills the store before a run of the task.

        Raises:
            SpecError: If the executor is not installed.
        """
        if self.name == "local":
            return []
        from benchmark.runner.cluster import Cluster, require_ray

        require_ray()
        return [Cluster(task, workdir, shared, device, reporter, self.address, self.actors).make]


def executor_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--executor`` and what belongs to it; the command is given an :class:`Executor`."""

    @wraps(command)
    def with_executor(*, executor: str, address: str | None, actors: int | None, **others: Any) -> Any:
        return command(executor=Executor(executor, address, actors), **others)

    for option in (
        click.option("--actors", type=click.IntRange(1), help="Of ray  [default: one per processor or GPU]"),
        click.option("--address", metavar="HOST:PORT", help="A running cluster of ray  [default: one of this machine]"),
        click.option(
            "--executor",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Who makes fits, images and scores; ray needs the extra 'ray'.",
        ),
    ):
        with_executor = option(with_executor)
    return with_executor


workdir_option = click.option(
    "--workdir",
    type=click.Path(path_type=Path),
    default=cache_folder,
    envvar="REBECA_WORKDIR",
    show_envvar=True,
    help="Work folder  [default: the user's cache]",
)
store_option = click.option(
    "--store",
    metavar="ADDRESS",
    envvar="REBECA_STORE",
    show_envvar=True,
    help="Where machines share what they make: s3://, gs://, az:// or file://.",
)
quiet_option = click.option(
    "--quiet", is_flag=True, envvar="REBECA_QUIET", show_envvar=True, help="Print the result only."
)
attest_option = click.option(
    "--attest", is_flag=True, help="On success, write a statement per row beside the records; the site shows it."
)
profile_option = click.option(
    "--profile",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write where the time goes: a trace and a table of stages.",
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be done.")


def device_option(what: str = "Torch device.") -> Callable[[Command], Command]:
    """``--device``, with what it is for."""
    return click.option(
        "--device", default="cpu", show_default=True, envvar="REBECA_DEVICE", show_envvar=True, help=what
    )


def profile_command(folder: Path | None, quiet: bool) -> None:
    """Profiles the present command from here on, and prints the table at its end; does nothing without a folder."""
    if folder is not None:
        from benchmark.runner.profile import profiled

        show: Callable[[str], object] = (lambda _: None) if quiet else partial(click.echo, err=True)
        click.get_current_context().with_resource(profiled(folder, show))


FORMATS = ("json", "csv", "latex", "markdown")
"""Options that say how a result is printed; a command takes one of them."""


def _one_format(context: click.Context, option: click.Parameter, chosen: bool) -> bool:
    name = str(option.name).removeprefix("as_")
    if chosen and (first := context.meta.setdefault("format", name)) != name:
        both = " and ".join(f"--{form}" for form in FORMATS if form in (first, name))
        raise click.UsageError(f"{both} exclude each other", context)
    return chosen


json_option = click.option("--json", "as_json", is_flag=True, callback=_one_format, help="Machine-readable output.")
csv_option = click.option("--csv", "as_csv", is_flag=True, callback=_one_format, help="One row per line, all digits.")
latex_option = click.option(
    "--latex", "as_latex", is_flag=True, callback=_one_format, help="A table for a paper; needs the package booktabs."
)
markdown_option = click.option(
    "--markdown", "as_markdown", is_flag=True, callback=_one_format, help="A table for a page."
)
results_option = click.option(
    "--results",
    "roots",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of records; may be given several times  [default: that of the work folder]",
)


def load(name: str, overrides: tuple[str, ...], limit_users: int | None) -> Task:
    """The task of that name or in that file, resolved."""
    from benchmark.task.bundled import find_task
    from benchmark.task.resolve import load_task

    return load_task(find_task(name), overrides, limit_users)


def print_result(
    result: Result,
    as_json: bool,
    text: str | Callable[[Result], None],
    rows: Iterable[Mapping[str, Cell]] | None = None,
) -> None:
    """Prints a result as JSON, as rows of CSV if there are any, or its text; a function prints that itself."""
    if as_json:
        print_json(result)
    elif rows is not None:
        print_csv(rows)
    elif isinstance(text, str):
        click.echo(text)
    else:
        text(result)


def print_json(value: Any, **more: str) -> None:
    """Prints data as JSON, with further keys."""
    from pydantic_core import to_jsonable_python

    data = to_jsonable_python(value)
    print_utf8(json.dumps(data | more if more else data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def print_folders(records: object, published: object | None, page: object) -> None:
    """Prints where results lie. A path is never broken, so that it can be copied."""
    for what, folder in (("records", records), ("published", published), ("page", page)):
        if folder is not None:
            click.echo(f"{what:9}  {folder}")


def print_csv(rows: Iterable[Mapping[str, Cell]]) -> None:
    """Prints rows as CSV with a header; a number keeps all its digits, what is missing is empty."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, dict.fromkeys(key for row in rows for key in row), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print_utf8(text.getvalue())


def print_utf8(text: str) -> None:
    """Data for programs are UTF-8, whatever the terminal is."""
    click.echo(text.encode("utf-8", "backslashreplace"), nl=False)
