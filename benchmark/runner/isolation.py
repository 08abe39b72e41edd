"""Generators of other packages in a child process, so that a crash, a hang or a leak costs one row and nothing else.

The child is this module: it gets the task through its standard input, makes the generator's pictures into the same
store by the same code, and tells how it goes through a pipe, a JSON object a line. It dies with its parent. This keeps
accidents apart, not attackers: the child has the rights of whoever started the run.
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
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import TypeAdapter, ValidationError

from benchmark.runner.progress import Report, Reporter
from benchmark.task.registry import identity
from rebeca.errors import PluginError, RebecaError, StoreError, disk_full, out_of_memory

if TYPE_CHECKING:
    from benchmark.runner.run import Run
    from benchmark.task.file import IsolateSpec
    from benchmark.task.resolve import ResolvedGenerator, Task

LONGEST_MESSAGE = 1 << 16
SECONDS_BETWEEN_MESSAGES = 0.2
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_LEAVE = 10.0


@dataclass(frozen=True, slots=True)
class _Job:
    task: Task
    generator: ResolvedGenerator
    workdir: Path
    device: str
    limits: IsolateSpec


@dataclass(frozen=True, slots=True)
class _Message:
    """What the child tells, one JSON object per line.

    Attributes:
        progress: Done, total, note.
        say: A line for people.
        error: How it failed; then nothing follows.
        hint: What to do about it.
        machine: Whether the machine failed, and not the generator.
        done: That it is done; then nothing follows.
    """

    progress: tuple[int, int, str] | None = None
    say: str | None = None
    error: str | None = None
    hint: str = ""
    machine: bool = False
    done: bool = False


def make_in_child(run: Run, spec: ResolvedGenerator) -> PluginError | None:
    """Makes the missing images of a generator of another package, in a process of its own.

    Does nothing where the task does not ask for it, the generator is the project's own, or nothing is missing.

    Returns:
        How the child failed, where it did.

    Raises:
        StoreError: If it found the work folder full or not writable.
    """
    limits = run.task.file.isolation
    if limits is None or identity("generator", spec.use).is_own or run.has_all_pictures(spec):
        return None
    run.prepare(spec)
    started = time.perf_counter()
    with run.reporter.stage(f"{spec.id}, in a child process") as report:
        run.reporter.say(f"  {spec.id}, in a child process ...")
        try:
            _watch(_Job(run.task, spec, run.store.root, run.device, limits), run.reporter, report)
        except PluginError as error:
            return error
        finally:
            run.store.sweep()
            run.timing.add(f"child process of {spec.id}", time.perf_counter() - started)
    return None


def _watch(job: _Job, reporter: Reporter, report: Report) -> None:
    name = f"generator '{job.generator.id}'"
    reader, writer = os.pipe()
    lifeline, ours = os.pipe()  # ends when we do
    # -P: what lies in the present folder is not importable by accident
    command = [sys.executable, "-P", "-m", "benchmark.runner.isolation", str(writer), str(lifeline)]
    with os.fdopen(reader, "rb", buffering=0) as messages, os.fdopen(ours, "wb"):
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=sys.__stderr__, pass_fds=(writer, lifeline),
                start_new_session=True,
            )  # fmt: skip
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
            code = 0 if last.done or last.error is not None else _exit_code(child)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and whatever it started
            child.wait()
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()
    if last.done:
        return
    if last.error is not None:
        raise (StoreError if last.machine else PluginError)(last.error, hint=last.hint)
    raise PluginError(f"{name} {_end(code, job.limits)}")


def _listen(
    child: subprocess.Popen[bytes], messages: Any, seconds: float, reporter: Reporter, report: Report
) -> _Message | None:
    """Passes on what the child says; its last message, an empty one if it ended without, None when its time was up."""
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
                message = _parsed(line)
                if message.progress is not None:
                    report(*message.progress)
                elif message.say is not None:
                    reporter.say(message.say)
                elif message.done or message.error is not None:
                    return message  # its last one; whether it can leave after that does not matter
            rest = rest[:LONGEST_MESSAGE]
    return None


def _exit_code(child: subprocess.Popen[bytes]) -> int:
    """Of a child that said nothing to the end; one that closed the pipe and stays is killed."""
    try:
        return child.wait(SECONDS_TO_LEAVE)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _parsed(line: bytes) -> _Message:
    """A message; an empty one for a line that is none, which a generator may have written."""
    try:
        return TypeAdapter(_Message).validate_json(line)
    except ValidationError:
        return _Message()


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
        """One line for people."""
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
    from benchmark.runner.run import Run

    run = Run(job.task, job.workdir, job.device, relay)
    name = f"generator '{job.generator.id}'"
    try:
        run.make_pictures(job.generator)
    except RebecaError as error:
        said, machine = error.message[: LONGEST_MESSAGE // 8], isinstance(error, StoreError)
        relay.tell(_Message(error=said, hint=error.hint, machine=machine))
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
