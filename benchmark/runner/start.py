"""What the command ``run`` and :func:`benchmark.run` have in common: the task with its changes, and the locked run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.runner.devices import check_device
from benchmark.runner.estimate import Step
from benchmark.runner.places import shared_place
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import RunResult, records_name, run_task
from benchmark.runner.store import Store
from benchmark.runner.threads import thread_setting
from benchmark.task.bundled import find_task
from benchmark.task.resolve import limited, load_task
from benchmark.task.resolved import Task
from rebeca.errors import counted
from rebeca.parallel import processes

if TYPE_CHECKING:
    from benchmark.runner.work import Shard, Stage


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
def opened(workdir: Path, shared: str | None, reporter: Reporter) -> Iterator[Store]:
    """The store of a work folder, and of a shared place if there is one.

    With an object store the block computes in one process: connections do not survive a fork. Start as many workers as
    there are processors instead.

    Args:
        workdir: The work folder.
        shared: Address of the place that several machines share, see :func:`benchmark.runner.places.shared_place`.
        reporter: Told what is damaged.
    """
    place = None if shared is None else shared_place(shared)
    with nullcontext() if place is None or place.FORKS else processes(1):
        yield Store(workdir, reporter.info, place)


@contextmanager
def running(
    task: Task,
    workdir: Path,
    device: str,
    reporter: Reporter,
    command: Sequence[str],
    *after: Step,
    shared: str | None = None,
    before: Sequence[Callable[[Store], None]] = (),
) -> Iterator[tuple[Store, RunResult]]:
    """Runs a task in a work folder; what it writes there stays locked for the block.

    Args:
        task: The task.
        workdir: The work folder.
        device: Torch device.
        reporter: Prints what the run does.
        command: The command line, for the records.
        after: Steps of the block itself, for the time left.
        shared: As of :func:`opened`.
        before: Called first: executors that fill the store.
    """
    reporter.info(f"{task.file.title} ({counted(len(task.generators), 'generator')}, work folder {workdir})")
    with opened(workdir, shared, reporter) as store, store.locked(records_name(task)):
        for fill in before:
            fill(store)
        with reporter.run(*after):
            yield store, run_task(task, store, device, reporter, command)


def work(
    task: Task, workdir: Path, shared: str | None, device: str, stage: Stage, shard: Shard, reporter: Reporter
) -> tuple[int, int]:
    """Makes a share of a stage's pieces, as far as they are missing.

    Returns:
        Number of pieces of the share, and how many of them were missing.
    """
    from benchmark.runner.work import Worker

    with opened(workdir, shared, reporter) as store, store.used():
        worker = Worker(task, store, device, reporter)
        share = shard.share([piece for piece in worker.pieces.values() if piece.stage == stage])
        missing = {piece.address for piece in worker.missing(stage)}
        lacking = [piece for piece in share if piece.address in missing]
        for error in worker.make(lacking).values():
            reporter.warn(f"{error.message}; the run decides what becomes of its row")
        return len(share), len(lacking)
