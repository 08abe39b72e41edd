"""Child processes with limits: they end with this process, at a time limit, and with all that they started.

Run as a program, this file sets limits and becomes another program. It imports nothing but the standard library, so
that it runs anywhere. Limits protect against accidents, not against attackers: a child has the rights of its parent.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS_BETWEEN_LOOKS = 0.5
KEPT_OUTPUT = 1 << 16
"""Last bytes of a child's output that are kept."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        code: Its exit code, negative for the signal that killed it; None where it was stopped at the time limit.
        output: The end of what it wrote to its standard output and error output.
    """

    code: int | None
    output: str


@contextlib.contextmanager
def child_process(
    command: Sequence[str], given: Sequence[int] = (), **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a process in a group of its own; at the end of the block the whole group is killed.

    Args:
        command: Program and arguments. A last argument is added, for :func:`die_with_parent`: the number of a pipe
            that closes when this process ends.
        given: Descriptors that the child takes over; they are closed here.
        options: Of ``subprocess.Popen``.

    Raises:
        OSError: If it cannot be started.
    """
    lifeline, ours = os.pipe()
    with os.fdopen(ours, "wb"):
        try:
            child = subprocess.Popen(
                [*command, str(lifeline)], pass_fds=(*given, lifeline), start_new_session=True, **options
            )
        finally:
            for descriptor in (*given, lifeline):
                os.close(descriptor)
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # with all processes that it started
            child.wait()
            if child.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    child.stdin.close()


def die_with_parent(lifeline: int, closed: Sequence[int]) -> None:
    """Starts a process that kills the whole group when the parent has ended; a thread would need the interpreter.

    Called by the child before anything that could start a thread.

    Args:
        lifeline: The last argument that :func:`child_process` added.
        closed: Descriptors that only the child itself may hold open.
    """
    if os.fork():
        os.close(lifeline)
        return
    for descriptor in closed:
        os.close(descriptor)
    while os.read(lifeline, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def limit_memory(megabytes: int) -> None:
    """Limits the private memory of this process, and of each that it starts."""
    import resource

    most = megabytes << 20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def how_it_ended(code: int) -> str:
    """For messages: ``left with exit code 3``, or ``was killed by SIGSEGV``."""
    names = {number.value: number.name for number in signal.Signals}
    return f"left with exit code {code}" if code >= 0 else f"was killed by {names.get(-code, f'signal {-code}')}"


def may_lack_memory(code: int) -> bool:
    """Whether a limit of memory may have ended a process: allocators abort, and systems kill."""
    return -code in (signal.SIGABRT, signal.SIGKILL)


def run_limited(
    command: Sequence[str],
    *,
    seconds: float,
    memory_mb: int | None = None,
    folder: Path,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Runs a program to its end.

    Args:
        command: Path of the program, and its arguments.
        seconds: Limit of time.
        memory_mb: Limit of its private memory; none by default.
        folder: Its current folder.
        variables: Its environment variables; by default those of this process.

    Raises:
        OSError: If no process can be started.
    """
    limited = [sys.executable, "-I", "-S", __file__, str(memory_mb or 0), *command]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    deadline = time.monotonic() + seconds
    with child_process(limited, cwd=folder, env=variables, bufsize=0, **options) as child:
        assert child.stdout is not None
        with child.stdout:
            output = _end_of_output(child, deadline)
        try:
            code = child.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            code = None
    return Ended(code, output.decode("utf-8", "replace"))


def _end_of_output(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The last bytes that a child writes until it ends or time is up; what it started may hold the pipe open."""
    kept = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        while (left := deadline - time.monotonic()) > 0:
            ended = child.poll() is not None
            ready = selector.select(0 if ended else min(left, SECONDS_BETWEEN_LOOKS))
            data = child.stdout.read(KEPT_OUTPUT) if ready else b""  # type: ignore[union-attr]
            kept = (kept + data)[-KEPT_OUTPUT:]
            if ended or (ready and not data):  # a pipe holds no more than one call reads
                break
    return kept


def main() -> None:
    memory_mb, *command, lifeline = sys.argv[1:]
    die_with_parent(int(lifeline), (0, 1, 2))
    if int(memory_mb):
        limit_memory(int(memory_mb))
    try:
        os.execv(command[0], command)  # noqa: S606  a program that the task names
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
