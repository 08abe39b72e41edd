"""Actors of Ray that make a run's pieces, all from one queue, into the store that they share.

Data and models stay loaded in an actor, which is given pieces of what it has loaded while there are any. One piece at a
time is given to an actor. A piece that fails, or whose actor dies, is tried again elsewhere; after three tries it is
named and left alone, and so is what needs it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.runner.progress import Report, Reporter
from benchmark.runner.store import Address, Store
from benchmark.runner.threads import VARIABLE
from benchmark.runner.work import Piece, Worker
from benchmark.task.resolved import Task
from rebeca.device import on_processor
from rebeca.errors import PluginError, RebecaError, SpecError, StoreError, counted

TRIES = 3
"""Of a piece that fails, or whose actor dies."""
LONGEST_SILENCE = 600.0
"""Seconds without a single actor that could work, after which a run gives up."""
PASSED_ON = ("HF_HUB_OFFLINE", "REBECA_WEIGHTS", "PYTHONPATH", VARIABLE)
"""Environment variables that actors are given as the run has them."""
EXTRA = "pip install 'rebeca-bench[ray]'"


def require_ray() -> None:
    """Refuses to go on without Ray.

    Raises:
        SpecError: Naming the extra.
    """
    if importlib.util.find_spec("ray") is None:
        raise SpecError("--executor ray: the package ray is not installed", hint=EXTRA)


class Actor:
    """Makes pieces of one task in a process of its own.

    Args:
        task: The task.
        workdir: Work folder on the actor's machine.
        shared: Address of the place that machines share, or None.
        device: Torch device.
    """

    def __init__(self, task: Task, workdir: Path, shared: str | None, device: str) -> None:
        from benchmark.runner.places import shared_place

        reporter = Reporter(quiet=True)
        store = Store(workdir, reporter.warn, None if shared is None else shared_place(shared))
        self._worker = Worker(task, store, device, reporter)

    def ready(self) -> None:
        """Answers once the data are read."""

    def plan(self) -> tuple[list[Piece], list[Address]]:
        """All pieces of the task, and which of them are missing."""
        return list(self._worker.pieces.values()), [piece.address for piece in self._worker.missing()]

    def make(self, address: Address) -> str:
        """Makes a piece; returns what went wrong, or nothing. What it needs is there."""
        try:
            self._worker.make([self._worker.pieces[address]])
        except RebecaError as error:  # as text: plug-ins' errors may not be importable where the queue is
            return error.message
        return ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where and how actors run.

    Attributes:
        task: The task.
        workdir: The work folder; every machine has one of this name, or all share one.
        shared: Address of the place that machines share; None where the work folder itself is shared.
        device: Torch device of the actors.
        reporter: Prints progress.
        address: Of a running cluster; None starts one on this machine.
        actors: How many; None for one per processor, or per GPU.
    """

    task: Task
    workdir: Path
    shared: str | None
    device: str
    reporter: Reporter
    address: str | None = None
    actors: int | None = None

    def make(self, _: Store) -> None:
        """Makes every missing fit, image and score of the task.

        Raises:
            PluginError: If a piece failed three times, once all others are made.
            StoreError: If no actor can work.
        """
        require_ray()
        import ray

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        passed = {name: value for name, value in os.environ.items() if name in PASSED_ON}
        ray.init(
            address=self.address,
            include_dashboard=False if self.address is None else None,
            log_to_driver=True,
            logging_level=logging.WARNING,
            runtime_env={"env_vars": passed},
        )
        try:
            queue = self._queue(ray)
        finally:
            ray.shutdown()
        failed = {piece: error for piece, error in queue.failed.items() if not piece.apart}
        if failed:
            (piece, error), *others = failed.items()
            more = f", and {counted(len(others), 'other piece')}" if others else ""
            raise PluginError(
                f"{piece.title} failed {TRIES} times{more}: {error}", hint="all other pieces are made and kept"
            )

    def _queue(self, ray: Any) -> Queue:
        number = self.actors or self._capacity(ray.cluster_resources())
        gpus = 0 if on_processor(self.device) else 1
        kind = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=0)(Actor)
        actors = [kind.remote(self.task, self.workdir.absolute(), self.shared, self.device) for _ in range(number)]
        with self.reporter.stage(f"work of {counted(number, 'actor')}") as report:
            return Dispatcher(ray, actors, self.reporter.warn, report).run()

    def _capacity(self, resources: dict[str, float]) -> int:
        """Actors that the cluster has room for.

        Raises:
            StoreError: If there is no room for one.
        """
        kind = "CPU" if on_processor(self.device) else "GPU"
        number = int(resources.get(kind, 0))
        if not number:
            raise StoreError(f"the cluster of ray has no {kind}", hint="add a node to it")
        return number


@dataclass(slots=True)
class Queue:
    """Pieces that are left, and what became of the others.

    Attributes:
        left: Pieces whose needs are there, in their order.
        waiting: How many needs of a piece are missing.
        needed_by: Pieces that wait for an artefact.
        tries: Failures by piece.
        failed: Pieces that are left alone, and why.
        done: Number of pieces made.
        total: Of all pieces that were missing.
    """

    left: dict[Address, Piece] = field(default_factory=dict)
    waiting: dict[Address, int] = field(default_factory=dict)
    needed_by: dict[Address, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    tries: Counter[Address] = field(default_factory=Counter)
    failed: dict[Piece, str] = field(default_factory=dict)
    done: int = 0
    total: int = 0

    @classmethod
    def of(cls, pieces: Iterable[Piece], missing: Iterable[Address]) -> Queue:
        absent = set(missing)
        queue = cls(total=len(absent))
        for piece in pieces:
            if piece.address not in absent:
                continue
            needs = absent.intersection(piece.needs)
            queue.waiting[piece.address] = len(needs)
            for address in needs:
                queue.needed_by[address].append(piece)
            if not needs:
                queue.left[piece.address] = piece
        return queue

    def take(self, model: str) -> Piece | None:
        """The next piece, of a model if there is one; None where none is ready."""
        own = next((piece for piece in self.left.values() if piece.model == model), None)
        piece = own or next(iter(self.left.values()), None)
        if piece is not None:
            del self.left[piece.address]
        return piece

    def finish(self, piece: Piece) -> None:
        self.done += 1
        for other in self.needed_by.pop(piece.address, []):
            self.waiting[other.address] -= 1
            if not self.waiting[other.address]:
                self.left[other.address] = other

    def fail(self, piece: Piece, why: str) -> None:
        """Notes a failure; the piece is tried again, or left alone."""
        self.tries[piece.address] += 1
        if self.tries[piece.address] >= TRIES:
            self.failed[piece] = why
        else:
            self.left[piece.address] = piece


class Dispatcher:
    """Gives pieces to actors until none is left.

    Args:
        ray: The package.
        actors: Handles.
        warn: Prints a line.
        report: Told how many pieces are made.
    """

    def __init__(self, ray: Any, actors: Sequence[Any], warn: Callable[[str], None], report: Report) -> None:
        self._ray, self._warn, self._report = ray, warn, report
        self._models: dict[Any, str] = dict.fromkeys(actors, "")
        self._starting: dict[Any, Any] = {actor.ready.remote(): actor for actor in actors}
        self._busy: dict[Any, tuple[Any, Piece]] = {}
        self._idle: list[Any] = []
        self._queue: Queue | None = None

    def run(self) -> Queue:
        """The queue at its end.

        Raises:
            StoreError: If no actor could work for ten minutes.
        """
        last = time.monotonic()
        while self._queue is None or self._busy or self._queue.left:
            finished, _ = self._ray.wait([*self._starting, *self._busy], num_returns=1, timeout=1.0)
            for answer in finished:
                self._finished(answer)
            self._give()
            if self._busy or self._idle:
                last = time.monotonic()
            elif time.monotonic() - last > LONGEST_SILENCE:
                raise StoreError("no actor of ray could work for ten minutes", hint="look at ray status")
        return self._queue

    def _finished(self, answer: Any) -> None:
        if answer in self._starting:
            actor = self._starting.pop(answer)
            try:
                self._ray.get(answer)
                if self._queue is None:
                    self._queue = Queue.of(*self._ray.get(actor.plan.remote()))
            except self._ray.exceptions.RayActorError:
                self._starting[actor.ready.remote()] = actor
                return
            except self._ray.exceptions.RayTaskError as error:  # reading the data failed: it would fail everywhere
                raise StoreError(f"an actor of ray cannot start: {error.cause}") from error
            self._idle.append(actor)
            return
        actor, piece = self._busy.pop(answer)
        assert self._queue is not None
        try:
            problem = self._ray.get(answer)
        except self._ray.exceptions.RayActorError as error:
            problem = f"its actor died ({str(error).splitlines()[0]})"
            self._models[actor] = ""
            self._starting[actor.ready.remote()] = actor  # given nothing until it answers
        except self._ray.exceptions.RayTaskError as error:
            problem = str(error.cause)
            self._idle.append(actor)
        else:
            self._idle.append(actor)
        if not problem:
            self._queue.finish(piece)
        else:
            self._queue.fail(piece, problem)
            self._warn(f"{piece.title}: try {self._queue.tries[piece.address]} of {TRIES} failed: {problem}")
        self._report(self._queue.done, self._queue.total, "pieces")

    def _give(self) -> None:
        while self._queue is not None and self._idle:
            actor = self._idle[-1]
            piece = self._queue.take(self._models[actor])
            if piece is None:
                return
            self._idle.pop()
            self._models[actor] = piece.model
            self._busy[actor.make.remote(piece.address)] = actor, piece
