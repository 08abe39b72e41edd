"""``rebeca-bench completion``, and what completes the names of tasks, generators and weights.

A shell asks for names by running the program, so nothing here imports torch or pandas, and nothing here fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from rebeca.errors import RebecaError

Completions = list[CompletionItem]
PROGRAM = "rebeca-bench"
VARIABLE = "_REBECA_BENCH_COMPLETE"
"""The script sets it when it runs the program."""
TASK_FILES = (".yaml", ".yml")


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands, options and names.

    For bash: eval "$(rebeca-bench completion bash)". Add that line to
    ~/.bashrc to keep it. The page docs/reference/commands.md shows zsh and
    fish.
    """
    main = click.get_current_context().find_root().command
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(main, {}, PROGRAM, VARIABLE).source())


def task_files(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Bundled tasks, and task files."""
    from benchmark.task.bundled import bundled_tasks

    return _files(incomplete) or _beginning(incomplete, [*bundled_tasks(), *_here()])


def recorded_tasks(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Tasks with records in the work folder or in ``--results``, and task files."""
    return _files(incomplete) or _beginning(incomplete, [*_recorded(context), *_here()])


def generators_of_task(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Generators of the task file that was named before."""
    from benchmark.task.bundled import find_task
    from benchmark.task.resolve import load_task

    given = {str(name) for name in context.params.get(parameter.name or "") or ()}
    try:
        task = load_task(
            find_task(context.params.get("task") or context.args[0])
        )  # args, where the option lacks a value
    except (RebecaError, IndexError):
        return []
    return _beginning(incomplete, [spec.id for spec in task.generators if spec.id not in given])


def generators_of_records(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Generators in the records of the task that was named before."""
    from benchmark.records.files import COMPARISON, TASK_FOLDER, newest_records
    from benchmark.task.yaml_source import task_id

    try:
        task = context.params["task"]
        folders = [newest_records(root / task_id(task)) for root in _roots(context)]
        folder = next((folder for folder in folders if folder is not None), Path(task))
        order = json.loads((folder / TASK_FOLDER / COMPARISON).read_bytes())["order"]
    except (RebecaError, OSError, ValueError, KeyError, TypeError):
        return []
    return _beginning(incomplete, [str(name) for name in order if name != context.params.get("a")])


def weights_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> Completions:
    """Published weights, and tasks that name some."""
    from rebeca.published import ALL

    return _beginning(incomplete, ALL) + task_files(context, parameter, incomplete)


def _beginning(incomplete: str, names: Iterable[str]) -> Completions:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _files(incomplete: str) -> Completions:
    """Leaves a path to the shell."""
    return [CompletionItem(incomplete, type="file")] if "/" in incomplete or incomplete.startswith("~") else []


def _here() -> list[str]:
    """Task files of the current folder."""
    return sorted(path.name for path in Path().iterdir() if path.suffix in TASK_FILES)


def _roots(context: click.Context) -> list[Path]:
    """Folders of records that the command would read."""
    from rebeca.hashes import cache_folder

    roots = context.params.get("roots")
    return list(roots) if roots else [(context.params.get("workdir") or cache_folder()) / "records"]


def _recorded(context: click.Context) -> list[str]:
    names = set()
    for root in _roots(context):
        names |= {path.parent.parent.name for path in root.glob("*/v*/_task")}
    return sorted(names)
