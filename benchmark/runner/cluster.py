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
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
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
LONGEST_SILENCE = 1800.0
"""Seconds without a single actor that could work, after which a run gives up; reading the data takes long."""
LONGEST_REST = 60.0
"""Seconds after which an actor that was lost, or whose store failed, is asked again at the latest."""
LOOK = 0.5
"""Seconds between looks at actors that rest."""
PASSED_ON = (
    "HF_HUB_OFFLINE",
    "REBECA_WEIGHTS",
    "PYTHONPATH",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_ALLOW_HTTP",
    VARIABLE,
)
"""Environment variables that actors are given as the run has them. Secrets are none: nodes have them on their own."""
EXTRA = "pip install 'rebeca-bench[ray]'"


def require_ray() -> None:
    """Refuses to go on without Ray.

    Raises:
        SpecError: Naming the extra.
    """
    if importlib.util.find_spec("ray") is None:
        raise SpecError("--executor ray: the package ray is not installed", hint=EXTRA)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an actor says at the end of a piece, or when it is ready.

    Attributes:
        problem: What went wrong; empty where nothing did.
        of_store: Whether the store or the disk was the cause, and no piece.
    """

    problem: str = ""
    of_store: bool = False


class Actor:
    """Makes pieces of one task in a process of its own.

    Args:
        task: The task.
        workdir: Work folder on the actor's machine.
        shared: Address of the place that machines share, or None.
        device: Torch device.
    """

    def __init__(self, task: Task, workdir: Path, shared: str | None, device: str) -> None:
        self._task, self._workdir, self._shared, self._device = task, workdir, shared, device
        self._used = ExitStack()

    @cached_property
    def _worker(self) -> Worker:
        from benchmark.runner.places import shared_place

        reporter = Reporter(quiet=True)
        place = None if self._shared is None else shared_place(self._shared)
        store = Store(self._workdir, reporter.warn, place)
        self._used.enter_context(store.used())  # until the process ends
        return Worker(self._task, store, self._device, reporter)

    def ready(self) -> Answer:
        """Answers once the data are read."""
        return self._answer(lambda: self._worker.make([]))

    def plan(self) -> tuple[list[Piece], list[Address]]:
        """All pieces of the task, and which of them are missing."""
        return list(self._worker.pieces.values()), [piece.address for piece in self._worker.missing()]

    def make(self, address: Address) -> Answer:
        """Makes a piece. What it needs is cached."""
        return self._answer(lambda: self._worker.make([self._worker.pieces[address]]))

    def _answer(self, work: Callable[[], Mapping[str, PluginError]]) -> Answer:
        """Errors as text: those of plug-ins may not be importable where the queue is."""
        try:
            failed = work()
        except RebecaError as error:
            return Answer(str(error), isinstance(error, StoreError))
        return Answer(str(next(iter(failed.values()), "")))


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where and how actors run.

    Attributes:
        task: The task.
        workdir: The work folder; every machine has one of this name.
        shared: Address of the place that machines share; None where all actors run on one machine.
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
        try:
            ray.init(
                address=self.address or "local",
                include_dashboard=False if self.address is None else None,
                log_to_driver=True,
                logging_level=logging.WARNING,
                runtime_env={"env_vars": passed},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise StoreError(f"ray cannot be reached: {error}", hint="see --address, and ray status") from error
        try:
            queue = self._queue(ray)
        finally:
            ray.shutdown()
        failed = {piece: why for piece, why in queue.failed.items() if not piece.apart}
        if failed:
            (piece, reason), *others = failed.items()
            more = f", and {counted(len(others), 'other piece')}" if others else ""
            raise PluginError(
                f"{piece.title} failed {TRIES} times{more}: {reason}", hint="all other pieces are made and kept"
            )

    def _queue(self, ray: Any) -> Queue:
        number = self.actors or self._capacity(ray.cluster_resources())
        gpus = 0.0 if on_processor(self.device) else min(1.0, ray.cluster_resources().get("GPU", 0) / number)
        kind = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=0)(Actor)
        actors = [kind.remote(self.task, self.workdir.absolute(), self.shared, self.device) for _ in range(number)]
        with self.reporter.stage(f"work of {counted(number, 'actor')}") as report:
            dispatcher = Dispatcher(ray, actors, self.reporter.warn, report)
            queue = dispatcher.run()
        self.reporter.info(
            f"  {counted(queue.done, 'piece')} in {dispatcher.seconds:.1f} s, once the first actor was ready"
        )
        return queue

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
        left: Pieces whose needs are there, by model and in their order.
        waiting: How many needs of a piece are missing.
        needed_by: Pieces that wait for an artefact.
        tries: Failures by piece.
        failed: Pieces that are left alone, and why.
        done: Number of pieces made.
        total: Of all pieces that were missing.
    """

    left: dict[str, deque[Piece]] = field(default_factory=dict)
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
                queue.put(piece)
        return queue

    def put(self, piece: Piece) -> None:
        """Adds a piece that is ready, or that could not be tried."""
        self.left.setdefault(piece.model, deque()).append(piece)

    def take(self, model: str, refused: Collection[Address] = ()) -> Piece | None:
        """The next piece, of a model if there is one; None where none is ready.

        Args:
            model: What an actor has loaded.
            refused: Pieces that it should not be given.
        """
        for name in [model, *self.left]:
            for piece in self.left.get(name, ()):
                if piece.address not in refused:
                    self.left[name].remove(piece)
                    if not self.left[name]:
                        del self.left[name]
                    return piece
        return None

    def finish(self, piece: Piece) -> None:
        self.done += 1
        for other in self.needed_by.pop(piece.address, []):
            self.waiting[other.address] -= 1
            if not self.waiting[other.address]:
                self.put(other)

    def fail(self, piece: Piece, why: str) -> None:
        """Notes a failure; the piece is tried again, or left alone."""
        self.tries[piece.address] += 1
        if self.tries[piece.address] >= TRIES:
            self.failed[piece] = why
        else:
            self.put(piece)


class Dispatcher:
    """Gives pieces to actors until none is left.

    Attributes:
        seconds: From the first actor that was ready to the last piece.

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
        self._idle: deque[Any] = deque()
        self._resting: list[tuple[float, Any]] = []
        self._pauses: Counter[Any] = Counter()
        self._failed_on: dict[Any, set[Address]] = defaultdict(set)
        self._queue: Queue | None = None
        self._problem = "no actor became ready"
        self._began = time.monotonic()
        self.seconds = 0.0
        self._last_sign = time.monotonic()

    def run(self) -> Queue:
        """The queue at its end.

        Raises:
            StoreError: If no actor can work: at once where all are lost, otherwise after half an hour.
        """
        while self._queue is None or self._busy or self._queue.left:
            waiting = [*self._busy, *self._starting]
            if not (waiting or self._idle or self._resting):
                raise StoreError(f"ray has no actor left: {self._problem}", hint="look at ray status, then run again")
            if waiting:
                self._ray.wait(waiting, num_returns=1, timeout=LOOK)
            else:
                time.sleep(LOOK)
            finished = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)[0] if waiting else []
            for answer in finished:  # all of them, so that a lost actor hides nobody's answer
                self._made(answer) if answer in self._busy else self._started(answer)
            self._wake()
            self._give()
            if not self._busy and time.monotonic() - self._last_sign > LONGEST_SILENCE:
                raise StoreError(f"no actor of ray works: {self._problem}", hint="look at ray status, then run again")
        self.seconds = time.monotonic() - self._began
        return self._queue

    def _started(self, answer: Any) -> None:
        """An actor is ready, or lost, or cannot start."""
        actor, failures = self._starting.pop(answer), self._ray.exceptions
        try:
            said: Answer = self._ray.get(answer)
            if not said.problem and self._queue is None:
                self._queue = Queue.of(*self._ray.get(actor.plan.remote()))
                self._began = time.monotonic()
        except failures.ActorUnavailableError as error:
            self._rest(actor, error)
            return
        except failures.RayError as error:
            self._lose(error)
            return
        if not said.problem:
            self._idle.append(actor)
        elif said.of_store and self._queue is not None:
            self._rest(actor, said.problem)
        elif self._queue is None:  # it would fail everywhere
            raise StoreError(f"an actor of ray cannot start: {said.problem}", hint="see that its machine has the data")
        else:
            self._lose(said.problem)

    def _made(self, answer: Any) -> None:
        """A piece is made, or failed, or its actor was lost."""
        (actor, piece), failures, queue = self._busy.pop(answer), self._ray.exceptions, self._queue
        assert queue is not None
        try:
            said: Answer = self._ray.get(answer)
        except failures.RayTaskError as error:
            said = Answer(f"{type(error.cause).__name__}: {error.cause}")
            self._idle.append(actor)
        except failures.RayError as error:  # the actor died, or its machine; it may come back
            said = Answer(f"its actor was lost ({_first_line(error)})")
            self._models[actor] = ""
            self._rest(actor, error)
        else:
            if said.of_store:
                self._warn(f"{piece.title} has to wait: {said.problem}")
                queue.put(piece)
                self._rest(actor, said.problem)
                return
            self._pauses[actor] = 0
            self._idle.append(actor)
        self._last_sign = time.monotonic()
        if said.problem:
            self._failed_on[actor].add(piece.address)
            queue.fail(piece, said.problem)
            self._warn(f"{piece.title}: try {queue.tries[piece.address]} of {TRIES} failed: {said.problem}")
        else:
            queue.finish(piece)
        self._report(queue.done, queue.total, "pieces")

    def _rest(self, actor: Any, why: object) -> None:
        """Asks an actor again later, whenever it fails twice as late."""
        self._problem = _first_line(why)
        if not self._pauses[actor]:
            self._last_sign = time.monotonic()
        self._resting.append((time.monotonic() + min(2.0 ** self._pauses[actor], LONGEST_REST), actor))
        self._pauses[actor] += 1

    def _lose(self, why: object) -> None:
        self._problem = _first_line(why)
        self._warn(f"ray lost an actor: {self._problem}")

    def _wake(self) -> None:
        now = time.monotonic()
        for until, actor in self._resting:
            if until <= now:
                self._starting[actor.ready.remote()] = actor
        self._resting = [(until, actor) for until, actor in self._resting if until > now]

    def _give(self) -> None:
        """Gives pieces to idle actors; one that failed elsewhere before goes to another actor, if there is one."""
        if self._queue is None:
            return
        for _ in range(len(self._idle)):
            actor = self._idle.popleft()
            others = [self._failed_on[other] for other in (*self._idle, *(busy for busy, _ in self._busy.values()))]
            refused = {each for each in self._failed_on[actor] if any(each not in failed for failed in others)}
            piece = self._queue.take(self._models[actor], refused)
            if piece is None:
                self._idle.append(actor)
                continue
            self._models[actor] = piece.model
            self._busy[actor.make.remote(piece.address)] = actor, piece


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
