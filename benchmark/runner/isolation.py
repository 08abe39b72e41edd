"""Plug-in generators in a child process, so that a crash, a hang or a leak costs one row and nothing else.

The child runs this module. It reads its job from its standard input, decodes the generator's images into the same
store by the same code, and reports through a pipe, one JSON object per line. It dies with its parent. This protects
against accidents, not against attackers: the child has the rights of the user who started the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from benchmark.runner.addresses import Addresses, WorkUnit
from benchmark.runner.places import shared_place
from benchmark.runner.progress import Report, Reporter
from benchmark.runner.stages import Stages
from benchmark.runner.steps import runs_apart
from benchmark.runner.store import Store
from benchmark.task.file import IsolateSpec
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.errors import MACHINE_ERRORS, PluginError, RebecaError, StoreError, device_fails, of_machine, out_of_memory
from rebeca.interfaces import no_progress
from rebeca.processes import (
    SECONDS_BETWEEN_LOOKS,
    child_process,
    die_with_parent,
    how_it_ended,
    limit_memory,
    may_lack_memory,
)
from rebeca.spans import Part, span

LONGEST_MESSAGE = 1 << 16
SECONDS_BETWEEN_MESSAGES = 0.2
SECONDS_TO_LEAVE = 10.0


@dataclass(frozen=True, slots=True)
class _Job:
    task: Task
    generator: ResolvedGenerator
    addresses: Addresses
    units: tuple[WorkUnit, ...]
    workdir: Path
    shared: str | None
    device: str
    limits: IsolateSpec


def decode_in_child(
    task: Task,
    spec: ResolvedGenerator,
    addresses: Addresses,
    device: str,
    stages: Stages,
    units: Sequence[WorkUnit] | None = None,
) -> int:
    """Fits a plug-in generator and decodes its images in a child process, as far as they are missing.

    Does nothing where the task does not ask for it, or the generator is the project's own. Only ``units`` are decoded,
    where they are given.

    Returns:
        The number of images that the child decoded.

    Raises:
        PluginError: If the child failed for any other reason than these.
        StoreError: If the work folder is full or not writable.
    """
    limits, own = task.file.isolation, addresses.generators[spec.id]
    if limits is None or not runs_apart(task, spec):
        return 0
    units = own.units if units is None else units
    wanted = [*dict.fromkeys(unit.fit.address for unit in units), *(unit.address for unit in units)]
    missing = [address for address in wanted if stages.store.find(address) is None]  # all are looked up, and fetched
    if not missing:
        return 0
    title, started = f"child process of {spec.id}", time.perf_counter()
    stages.reporter.info(f"  {title} ...")
    seconds: Mapping[str, float] = {}
    try:
        shared = None if stages.store.shared is None else stages.store.shared.address
        job = _Job(task, spec, addresses, tuple(units), stages.store.root, shared, device, limits)
        result = _watch(job, stages.reporter)
        seconds = result.seconds
        return result.decoded
    finally:
        stages.store.sweep()
        for stage, spent in seconds.items():
            stages.seconds[stage] += spent
        stages.seconds[title] += time.perf_counter() - started - sum(seconds.values())


@dataclass(frozen=True, slots=True)
class _Message:
    """What a child sends: a stage, progress, a line to print, or its result, after which nothing follows.

    Attributes:
        stage: Title of the stage that begins; empty where the one that runs ends.
        progress: Done, total, note.
        line: A line to print.
        done: Whether all images are decoded.
        decoded: How many of them by this child.
        seconds: What each stage took.
        error: What went wrong.
        hint: What to do about it.
        machine: Whether the work folder is full or not writable.
    """

    stage: str | None = None
    progress: tuple[int, int, str] | None = None
    line: str = ""
    done: bool = False
    decoded: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str = ""
    hint: str = ""
    machine: bool = False

    @classmethod
    def parsed(cls, line: bytes) -> _Message | None:
        """Reads a message from JSON; None where a generator wrote something else into the pipe."""
        try:
            message = cls(**json.loads(line))
        except (ValueError, TypeError):
            return None
        sound = (
            (message.progress is None or len(message.progress) == 3)
            and all(isinstance(text, str) for text in (message.stage or "", message.line, message.error))
            and isinstance(message.decoded, int)
            and isinstance(message.seconds, dict)
            and all(isinstance(spent, float) for spent in message.seconds.values())
        )
        return message if sound else None


def _watch(job: _Job, reporter: Reporter) -> _Message:
    """Starts a child and waits for its end; returns its last message.

    Raises:
        PluginError: If it failed.
        StoreError: If the work folder did.
    """
    name = f"generator '{job.generator.id}'"
    reader, writer = os.pipe()
    # -P: files in the current folder are not imported by accident
    command = [sys.executable, "-P", "-m", "benchmark.runner.isolation", str(writer)]
    with os.fdopen(reader, "rb", buffering=0) as messages, contextlib.ExitStack() as stage:
        with child_process(command, (writer,), stdin=subprocess.PIPE, stdout=sys.__stderr__) as child:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # a child that has ended is reported below
                child.stdin.write(pickle.dumps(job))
                child.stdin.flush()
            result = _listen(child, messages, job.limits.seconds, reporter, stage)
            if result is None:
                raise PluginError(
                    f"{name} was stopped after {job.limits.seconds:g} s", hint="isolate.seconds sets the time limit"
                )
            code = 0 if result.done or result.error else _exit_code(child)
        if result.error:  # within the block, so that the stage that it cut short is left by the exception
            kind = StoreError if result.machine else PluginError
            raise kind(result.error, hint=str(result.hint))
        if not result.done:
            raise PluginError(f"{name} {_end(code, job.limits)}")
    return result


def _listen(
    child: subprocess.Popen[bytes], messages: Any, seconds: float, reporter: Reporter, stage: contextlib.ExitStack
) -> _Message | None:
    """Passes on stages, progress and lines; returns the result, empty if none was sent, None at the time limit."""
    report: Report = no_progress
    deadline = time.monotonic() + seconds
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(messages, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, SECONDS_BETWEEN_LOOKS)):
                if child.poll() is not None:  # a process that it started may hold the pipe open
                    return _Message()
                continue
            data = messages.read(LONGEST_MESSAGE)
            if not data:
                return _Message()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                message = _Message.parsed(line)
                if message is None:
                    continue
                if message.stage is not None:
                    stage.close()
                    report = stage.enter_context(reporter.stage(message.stage)) if message.stage else no_progress
                    if message.stage:
                        stage.enter_context(span(Part.MODELS, "child process"))
                elif message.progress is not None:
                    report(*message.progress)
                elif message.line:
                    reporter.info(message.line)
                elif message.done or message.error:
                    return message  # how the child ends after that does not matter
            rest = rest[:LONGEST_MESSAGE]
    return None


def _exit_code(child: subprocess.Popen[bytes]) -> int:
    """Exit code of a child without a result; one that closed the pipe and does not end is killed."""
    try:
        return child.wait(SECONDS_TO_LEAVE)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _end(code: int, limits: IsolateSpec) -> str:
    when = " before it was done" if code >= 0 else ""
    return f"{how_it_ended(code)}{when}{_limit(limits) if may_lack_memory(code) else ''}"


def _limit(limits: IsolateSpec) -> str:
    return "" if limits.memory_mb is None else f" (isolate.memory_mb is {limits.memory_mb:,})"


class _Relay(Reporter):
    """Reports to the parent process instead of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(quiet=True)
        self._stream = stream
        self._next = 0.0

    def send(self, message: _Message) -> None:
        self._stream.write(json.dumps(asdict(message)) + "\n")
        self._stream.flush()

    def info(self, text: str) -> None:
        self.send(_Message(line=text))

    @contextlib.contextmanager
    def stage(self, title: str, announce: bool = True) -> Iterator[Report]:
        waiting: list[_Message] = []

        def report(done: int, total: int, note: str) -> None:
            waiting[:] = [_Message(progress=(int(done), int(total), str(note)[:200]))]
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + SECONDS_BETWEEN_MESSAGES
                self.send(waiting.pop())

        self.send(_Message(stage=title))
        yield report
        for last in waiting:  # says where the stage ended
            self.send(last)
        self.send(_Message(stage=""))


def _work(job: _Job, relay: _Relay) -> None:
    from benchmark.runner.decode import UnitDecoder
    from benchmark.runner.freeze import Freezer
    from benchmark.runner.materials import prepare
    from benchmark.runner.world import build_world

    store = Store(job.workdir, relay.info, None if job.shared is None else shared_place(job.shared))
    stages = Stages(store, relay)
    try:
        materials = prepare(build_world(job.task), job.addresses, job.device, stages)
        freezer = Freezer(job.workdir, job.task, store.shared)
        with TemporaryDirectory(prefix="rebeca-") as workdir:
            decoder = UnitDecoder(job.task, job.addresses, materials, stages, freezer, Path(workdir))
            decoder.decode(job.generator, job.units)
    except RebecaError as error:
        text = error.message[: LONGEST_MESSAGE // 8]
        relay.send(_Message(error=text, hint=error.hint, machine=isinstance(error, StoreError)))
    except MACHINE_ERRORS as error:
        if not of_machine(error):
            raise
        if out_of_memory(error):
            relay.send(_Message(error=f"generator '{job.generator.id}' ran out of memory{_limit(job.limits)}"))
        elif device_fails(error):
            relay.send(_Message(error=f"generator '{job.generator.id}': the device failed ({error})"))
        else:
            relay.send(_Message(error=str(error), machine=True))
    else:
        relay.send(_Message(done=True, decoded=decoder.decoded, seconds=dict(stages.seconds)))


def main() -> None:
    messages, lifeline = map(int, sys.argv[1:])
    die_with_parent(lifeline, (0, messages))
    job: _Job = pickle.load(sys.stdin.buffer)  # noqa: S301  sent by the parent process
    if job.limits.memory_mb is not None:
        limit_memory(job.limits.memory_mb)
    with os.fdopen(messages, "w", encoding="utf-8") as stream:
        _work(job, _Relay(stream))
    os._exit(0)  # without waiting for threads of the generator


if __name__ == "__main__":
    main()
