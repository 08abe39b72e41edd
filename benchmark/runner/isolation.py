"""Plug-in generators in a child process, so that a crash, a hang or a leak costs one row and nothing else.

The child is this module: it gets its job through its standard input, decodes the generator's images into the same
store by the same code, and reports through a pipe, one JSON object per line. It dies with its parent. This protects
against accidents, not against attackers: the child has the rights of whoever started the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from benchmark.runner.addresses import Addresses
from benchmark.runner.progress import Report, Reporter
from benchmark.runner.stage import Stages
from benchmark.runner.store import Store
from benchmark.task.file import IsolateSpec
from benchmark.task.registry import identity
from benchmark.task.resolve import ResolvedGenerator, Task
from rebeca.errors import PluginError, RebecaError, StoreError, disk_full, out_of_memory

LONGEST_MESSAGE = 1 << 16
SECONDS_BETWEEN_MESSAGES = 0.2
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_LEAVE = 10.0


@dataclass(frozen=True, slots=True)
class _Job:
    task: Task
    generator: ResolvedGenerator
    addresses: Addresses
    workdir: Path
    device: str
    limits: IsolateSpec


def decode_in_child(task: Task, spec: ResolvedGenerator, addresses: Addresses, device: str, stages: Stages) -> None:
    """Fits a plug-in generator and decodes its images in a process of its own, as far as they are missing.

    Does nothing where the task does not ask for it, or the generator is the project's own.

    Raises:
        PluginError: If the child failed, in whatever way.
        StoreError: If it found the work folder full or not writable.
    """
    limits, own = task.file.isolation, addresses.generators[spec.id]
    if limits is None or identity("generator", spec.use).is_own:
        return
    if all(stages.store.find(address) is not None for address in (own.fit, *own.units)):
        return
    title, started = f"child process of {spec.id}", time.perf_counter()
    with stages.reporter.stage(title) as report:
        stages.reporter.say(f"  {title} ...")
        try:
            _watch(_Job(task, spec, addresses, stages.store.root, device, limits), stages.reporter, report)
        finally:
            stages.store.sweep()
            stages.timing.add(title, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Message:
    """What a child says: progress, a line to print, or its last word.

    Attributes:
        progress: Done, total, note.
        say: A line.
        done: Whether all images are made.
        error: What went wrong.
        hint: What to do about it.
        machine: Whether the work folder is full or not writable.
    """

    progress: tuple[int, int, str] | None = None
    say: str = ""
    done: bool = False
    error: str = ""
    hint: str = ""
    machine: bool = False

    @classmethod
    def parsed(cls, line: bytes) -> _Message | None:
        """A message out of its JSON; None where a generator wrote something else into the pipe."""
        try:
            message = cls(**json.loads(line))
        except (ValueError, TypeError):
            return None
        sound = message.progress is None or len(message.progress) == 3
        return message if sound and isinstance(message.error, str) and isinstance(message.say, str) else None


def _watch(job: _Job, reporter: Reporter, report: Report) -> None:
    name = f"generator '{job.generator.id}'"
    reader, writer = os.pipe()
    lifeline, ours = os.pipe()  # ends when we do
    # -P: what lies in the present folder is not importable by accident
    command = [sys.executable, "-P", "-m", "benchmark.runner.isolation", str(writer), str(lifeline)]
    with os.fdopen(reader, "rb", buffering=0) as messages, os.fdopen(ours, "wb"):
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=sys.__stderr__,
                pass_fds=(writer, lifeline),
                start_new_session=True,
            )
        finally:
            os.close(writer)
            os.close(lifeline)
        assert child.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # a child that is gone already is named below
                child.stdin.write(pickle.dumps(job))
                child.stdin.flush()
            last = _listen(child, messages, job.limits.seconds, reporter, report)
            if last is None:
                raise PluginError(
                    f"{name} was stopped after {job.limits.seconds:g} s", hint="isolate.seconds sets the time limit"
                )
            code = 0 if last.done or last.error else _exit_code(child)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and whatever it started
            child.wait()
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
    if last.done:
        return
    if last.error:
        kind = StoreError if last.machine else PluginError
        raise kind(last.error, hint=str(last.hint))
    raise PluginError(f"{name} {_end(code, job.limits)}")


def _listen(
    child: subprocess.Popen[bytes], messages: Any, seconds: float, reporter: Reporter, report: Report
) -> _Message | None:
    """Passes on what the child says; its last word, an empty one if it ended without, None when its time was up."""
    deadline = time.monotonic() + seconds
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(messages, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, SECONDS_BETWEEN_LOOKS)):
                if child.poll() is not None:  # something that it started may hold the pipe open
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
                if message.progress is not None:
                    report(*message.progress)
                elif message.say:
                    reporter.say(message.say)
                elif message.done or message.error:
                    return message  # its last word; whether it can leave after that does not matter
            rest = rest[:LONGEST_MESSAGE]
    return None


def _exit_code(child: subprocess.Popen[bytes]) -> int:
    """Of a child that said nothing to the end; one that closed the pipe and stays is killed."""
    try:
        return child.wait(SECONDS_TO_LEAVE)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _end(code: int, limits: IsolateSpec) -> str:
    if code >= 0:
        return f"left with exit code {code} before it was done"
    number = signal.Signals(-code)
    perhaps = _limit(limits) if number in (signal.SIGABRT, signal.SIGKILL) else ""
    return f"was killed by {number.name}{perhaps}"


def _limit(limits: IsolateSpec) -> str:
    return "" if limits.memory_mb is None else f" (isolate.memory_mb is {limits.memory_mb:,})"


class _Relay(Reporter):
    """Tells the parent instead of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(quiet=True)
        self._stream = stream
        self._next = 0.0

    def tell(self, message: _Message) -> None:
        """One message."""
        self._stream.write(json.dumps(asdict(message)) + "\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """One line to print."""
        self.tell(_Message(say=text))

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[Report]:
        """Progress, a few times a second."""

        def report(done: int, total: int, note: str) -> None:
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + SECONDS_BETWEEN_MESSAGES
                self.tell(_Message(progress=(int(done), int(total), str(note)[:200])))

        yield report


def _work(job: _Job, relay: _Relay) -> None:
    from benchmark.runner.decode import fit_and_decode
    from benchmark.runner.freeze import Freezer
    from benchmark.runner.materials import prepare
    from benchmark.runner.world import build_world

    name = f"generator '{job.generator.id}'"
    stages = Stages(Store(job.workdir, relay.say), relay)
    try:
        materials = prepare(build_world(job.task), job.addresses, job.device, stages)
        fit_and_decode(job.task, job.generator, job.addresses, materials, stages, Freezer(job.workdir, job.task))
    except RebecaError as error:
        said = error.message[: LONGEST_MESSAGE // 8]
        relay.tell(_Message(error=said, hint=error.hint, machine=isinstance(error, StoreError)))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        relay.tell(_Message(error=f"{name} ran out of memory{_limit(job.limits)}"))
    except OSError as error:
        if not disk_full(error):
            raise
        relay.tell(_Message(error=str(error), machine=True))
    else:
        relay.tell(_Message(done=True))


def _die_with_parent(lifeline: int, messages: int) -> None:
    """Starts a process that kills the whole group when the parent is gone; a thread would need the interpreter."""
    if os.fork():
        os.close(lifeline)
        return
    os.close(messages)
    os.close(sys.stdin.fileno())
    while os.read(lifeline, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """The child."""
    messages, lifeline = map(int, sys.argv[1:])
    _die_with_parent(lifeline, messages)  # before anything that could start a thread
    job: _Job = pickle.load(sys.stdin.buffer)  # noqa: S301  from our own parent
    if job.limits.memory_mb is not None:
        import resource

        most = job.limits.memory_mb << 20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with os.fdopen(messages, "w", encoding="utf-8") as stream:
        _work(job, _Relay(stream))
    os._exit(0)  # whatever threads it left behind


if __name__ == "__main__":
    main()
