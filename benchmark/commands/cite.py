"""``rebeca-bench cite``: what a paper with a leaderboard cites."""

from __future__ import annotations

import click

from benchmark.commands.completion import task_files
from benchmark.commands.options import load, print_utf8


@click.command(short_help="Print what a task rests on as BibTeX.")
@click.argument("task", shell_complete=task_files)
def cite(task: str) -> None:
    """Print what a task rests on as BibTeX: benchmark, method, data, plug-ins, weights.

    TASK is a task file or the name of a bundled task.
    """
    from benchmark.task.references import bibtex

    print_utf8(bibtex(load(task, (), None)))
