"""How far the run of a task is: a note that the run writes and ``rebeca-bench status`` reads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from benchmark.disk import write_atomically
from benchmark.runner.estimate import Estimate
from benchmark.runner.notes import note_bytes, read_notes

FILE = "status.json"
Moment = Annotated[float, Field(ge=0, lt=253_402_300_800, allow_inf_nan=False)]
"""Seconds since 1970, before the year 10000."""
Seconds = Annotated[float, Field(ge=0, lt=253_402_300_800, allow_inf_nan=False)]
SECONDS_BETWEEN_WRITES = 1.0
"""Within a step; every step is written when it begins and when it ends."""
StepState = Literal["done", "now", "left"]
RunState = Literal["running", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class StepStatus:
    """A step of a run.

    Attributes:
        title: Its title.
        state: ``left`` before it begins.
        seconds: Wall seconds so far; 0 before it begins.
    """

    title: Annotated[str, Field(pattern=r"\S")]
    state: StepState
    seconds: Seconds


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run was when it last wrote this.

    Attributes:
        title: Of the task.
        pid: Its process.
        began: When it began, in seconds since 1970.
        seen: When this was written, in seconds since 1970.
        finished: Whether nothing is left.
        steps: What it computes; results that were cached are no steps.
        share: How much of the present step is done, in [0, 1]; None where nobody knows.
        count: The same in words, such as ``40/64 images``.
        seconds_left: Of all steps whose time is known; None where none is.
        complete: Whether the time of every step is known.
    """

    title: str
    pid: int
    began: Moment
    seen: Moment
    finished: bool
    steps: tuple[StepStatus, ...]
    share: float | None
    count: str
    seconds_left: Seconds | None
    complete: bool


class StatusFile:
    """Where a run notes how far it is. A disk that is full, or read-only, stops no run for that.

    Args:
        folder: The folder of the task's notes; created when needed.
        title: Of the task.
        clock: Seconds.
    """

    def __init__(self, folder: Path, title: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._title, self._clock = folder / FILE, title, clock
        self._began = clock()
        self._next = 0.0

    def due(self) -> bool:
        """Whether a second has passed since the last write."""
        return self._clock() >= self._next

    def write(self, estimate: Estimate, count: str = "", finished: bool = False) -> None:
        now, left = self._clock(), estimate.left()
        self._next = now + SECONDS_BETWEEN_WRITES
        status = RunStatus(
            title=self._title,
            pid=os.getpid(),
            began=self._began,
            seen=now,
            finished=finished,
            steps=tuple(_steps(estimate, finished)),
            share=None if finished else estimate.share(),
            count=count,
            seconds_left=None if left is None or finished else left.seconds,
            complete=left is not None and left.complete,
        )
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, note_bytes(status), sync=False)


def _steps(estimate: Estimate, finished: bool) -> Iterator[StepStatus]:
    current = estimate.current
    titles = [step.title for step in estimate.steps]
    pending = set() if finished else {step.title for step in estimate.pending}
    for title in titles:
        now = current is not None and title == current.title
        state: StepState = "now" if now else "left" if title in pending else "done"
        yield StepStatus(title, state, estimate.spent.get(title, 0.0) + (estimate.seconds if now else 0.0))
    if current is not None and current.title not in titles:
        yield StepStatus(current.title, "now", estimate.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatus:
    """The last run of a task.

    Attributes:
        task: Id and version, such as ``sprites/v2``.
        state: ``stopped`` where the process ended before the run did, however it ended.
        run: What it wrote last.
        seconds_left: Of the run that goes on; None where nobody knows, and where nothing goes on.
    """

    task: str
    state: RunState
    run: RunStatus
    seconds_left: float | None


def read_statuses(root: Path, runners: Collection[int], now: float | None = None) -> list[TaskStatus]:
    """The last run of every task in a work folder, the newest first. Nothing is written.

    A process that was killed cannot say so. It is known by the lock of its run, which nobody holds then.

    Args:
        root: The work folder.
        runners: The processes that hold a lock of a run.
        now: Seconds since 1970.
    """
    now = time.time() if now is None else now
    statuses = []
    for task, run in read_notes(root, FILE, RunStatus).items():
        state: RunState = "done" if run.finished else "running" if run.pid in runners else "stopped"
        left = None
        if state == "running" and run.seconds_left is not None:
            left = max(run.seconds_left - max(now - run.seen, 0.0), 0.0)
        statuses.append(TaskStatus(task=task, state=state, run=run, seconds_left=left))
    return sorted(statuses, key=lambda status: (status.state == "running", status.run.seen), reverse=True)
