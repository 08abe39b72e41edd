"""``rebeca-bench status``: how far the run of a task is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.commands.completion import recorded_tasks
from benchmark.commands.options import json_option, print_result, workdir_option
from rebeca.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from benchmark.runner.status import RunStatus, StepStatus, TaskStatus


@click.command()
@click.argument("task", required=False, shell_complete=recorded_tasks)
@workdir_option
@json_option
def status(task: str | None, workdir: Path, as_json: bool) -> None:
    """Print how far the run of a task is: steps, time left, process.

    Without a task, print the run that goes on, or the last one. A run that
    was stopped shows where.
    """
    from benchmark.runner.status import read_statuses
    from benchmark.runner.store import Store

    statuses = read_statuses(workdir, Store(workdir, lambda line: click.echo(line, err=True)).runners())
    if task is not None:
        from benchmark.task.yaml_source import task_id

        known = {name for each in statuses for name in (each.task, each.task.partition("/")[0])}
        names = {task, task_id(task)}
        statuses = [each for each in statuses if names & {each.task, each.task.partition("/")[0]}]
        if not statuses:
            raise SpecError(f"no run of '{task}' in {workdir}", hint=did_you_mean(task_id(task), known))
    print_result({"runs": statuses}, as_json, lambda _: print_statuses(statuses, workdir))


def print_statuses(statuses: Sequence[TaskStatus], workdir: Path) -> None:
    """Prints the first run in full, and a row for each of the others."""
    from benchmark.commands.layout import Column, print_rows, terminal

    console = terminal()
    if not statuses:
        console.print(f"no run in {workdir}")
        return
    _print_status(statuses[0])
    others = statuses[1:]
    if others:
        console.print("\nearlier runs\n", style="bold")
        columns = (
            Column("task", [each.task for each in others]),
            Column("state", [each.state for each in others]),
            Column("steps", [_steps_done(each) for each in others]),
            Column("last sign of life (UTC)", [_moment(each.run.seen) for each in others]),
        )
        print_rows(console, columns)


def _print_status(status: TaskStatus) -> None:
    from benchmark.commands.layout import Column, print_pairs, print_rows, terminal
    from benchmark.runner.progress import by_kind, duration

    console, run = terminal(), status.run
    console.print(f"{run.title}: {status.state}", style="bold")
    elapsed = run.seen - run.began
    rows = [
        ("task", status.task),
        ("process", str(run.pid) + ("" if status.state == "running" else " (ended)")),
        ("began", f"{_moment(run.began)} UTC"),
        ("last sign of life", f"{_moment(run.seen)} UTC, after {duration(elapsed)}"),
        ("steps", _steps_done(status)),
    ]
    if status.seconds_left is not None:
        least = "" if run.complete else "at least "
        rows.append(("time left", f"{least}{duration(status.seconds_left)}{_percent_of_run(status)}"))
    now = next((step for step in run.steps if step.state == "now"), None)
    if now is not None:
        rows.append(("present step" if status.state == "running" else "stopped in", _present(now, run)))
    console.print()
    print_pairs(console, rows)
    if run.steps:
        console.print()
        kinds = by_kind((step.title, step) for step in run.steps)
        columns = (
            Column("steps", list(kinds)),
            *(
                Column(state, [_number(own, state) for own in kinds.values()], right=True)
                for state in ("done", "now", "left")
            ),
            Column("time so far", [_seconds(own) for own in kinds.values()], right=True),
        )
        print_rows(console, columns)
    if status.state == "stopped":
        console.print("\nThe command that was stopped goes on from here when it is run again.")


def _number(steps: Sequence[StepStatus], state: str) -> str:
    number = sum(step.state == state for step in steps)
    return f"{number:,}" if number else ""


def _seconds(steps: Sequence[StepStatus]) -> str:
    from benchmark.runner.progress import duration

    begun = [step.seconds for step in steps if step.state != "left"]
    return duration(sum(begun)) if begun else ""


def _present(step: StepStatus, run: RunStatus) -> str:
    """A step that has begun, and how much of it is done."""
    parts = [f"{run.share:.0%}"] if run.share is not None else []
    parts += [run.count] if run.count else []
    return f"{step.title}: {', '.join(parts)}" if parts else step.title


def _steps_done(status: TaskStatus) -> str:
    steps = status.run.steps
    if not steps:
        return "everything was cached" if status.state == "done" else "none yet"
    return f"{sum(step.state == 'done' for step in steps)} of {len(steps)} done"


def _percent_of_run(status: TaskStatus) -> str:
    """Share of the run's time that has passed, where the time of every step is known."""
    left, elapsed = status.seconds_left, status.run.seen - status.run.began
    if left is None or not status.run.complete or elapsed + left <= 0:
        return ""
    return f", {elapsed / (elapsed + left):.0%} of the time has passed"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
