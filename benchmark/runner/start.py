"""What the command ``run`` and :func:`benchmark.run` have in common: the task with its changes, and the locked run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmark.runner.devices import check_device
from benchmark.runner.estimate import Step
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import RunResult, run_task
from benchmark.runner.store import Store
from benchmark.runner.threads import thread_setting
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task
from benchmark.task.resolved import Task
from rebeca.errors import counted


def task_to_run(name: str, overrides: Sequence[str], limit_users: int | None, only: Sequence[str], device: str) -> Task:
    """The task of a file or name, changed for this run; number of threads and device are checked as well.

    Args:
        name: Task file, or name of a bundled task.
        overrides: ``a.b=value`` texts.
        limit_users: Users that images are made for; None for the task's own number.
        only: Generators that are run beside the reference; empty for all.
        device: Torch device.

    Raises:
        SpecError: Naming what is impossible.
    """
    thread_setting()
    check_device(device)
    task = load_task(find_task(name), tuple(overrides), limit_users)
    return limited(task, tuple(only)) if only else task


@contextmanager
def running(
    task: Task, workdir: Path, device: str, reporter: Reporter, command: Sequence[str], *after: Step
) -> Iterator[tuple[Store, RunResult]]:
    """Runs a task in a work folder, which stays locked for the block.

    Args:
        task: The task.
        workdir: The work folder.
        device: Torch device.
        reporter: Prints what the run does.
        command: The command line, for the records.
        after: Steps of the block itself, for the time left.
    """
    reporter.info(f"{task.file.title} ({counted(len(task.generators), 'generator')}, work folder {workdir})")
    store = Store(workdir, reporter.info)
    with store.locked(), reporter.run(*after):
        yield store, run_task(task, store, device, reporter, command)
