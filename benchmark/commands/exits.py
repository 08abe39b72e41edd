"""How a command ends: one message and a documented exit code for whatever a user or a machine does to it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import click

from rebeca.errors import RebecaError, StoreError, disk_full, out_of_memory, printable

OUT_OF_MEMORY = 8
INTERRUPTED = 130
TERMINATED = 143
SECONDS_TO_THE_NEXT_ATTEMPT = 1.0
GO_ON = "the same command goes on where this one left off"


class Terminated(BaseException):
    """SIGTERM came; no ``except Exception`` may swallow it."""


@contextlib.contextmanager
def one_message(debug: bool) -> Iterator[None]:
    """Turns whatever ends a command into one message and its exit code.

    Args:
        debug: Show tracebacks of users' mistakes.
    """
    try:
        with _stoppable():
            yield
    except RebecaError as error:
        if debug:
            raise
        _leave(str(error), error.exit_code)
    except (MemoryError, RuntimeError) as error:
        if debug or not out_of_memory(error):
            raise
        remedy = (
            f"free memory; on a GPU delete rehearsals/ in the work folder, and the batch is tried out again; {GO_ON}"
        )
        _leave(f"out of memory ({_first_line(error)})\n  hint: {remedy}", OUT_OF_MEMORY)
    except BrokenPipeError:  # the reader of the output went away: there is nobody to tell
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        _leave(_about(error), StoreError.exit_code)
    except KeyboardInterrupt:
        click.echo(f"stopped; {GO_ON}", err=True)
        sys.exit(INTERRUPTED)
    except Terminated:
        click.echo(f"stopped by SIGTERM; {GO_ON}", err=True)
        sys.exit(TERMINATED)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the block, at the second attempt if a package swallows the first.

    Some do while they are imported; so the exception is raised once more if the block is not left within a second.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop_by(kind: type[BaseException]) -> Callable[[int, FrameType | None], None]:
        def again(number: int, frame: FrameType | None) -> None:
            raise kind

        def handler(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGALRM, again)
            signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_THE_NEXT_ATTEMPT)
            raise kind

        return handler

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    if before[signal.SIGINT] != signal.SIG_IGN:  # a shell that starts a job in the background means it
        signal.signal(signal.SIGINT, stop_by(KeyboardInterrupt))
    signal.signal(signal.SIGTERM, stop_by(Terminated))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _about(error: OSError) -> str:
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        _, target, reason = error.args[0][0]
        return f"{target}: cannot be written ({reason})\n  hint: make room, or choose another folder; {GO_ON}"
    where = f"{error.filename}: " if error.filename else ""
    remedy = "free disk space" if disk_full(error) else "check the folder and its rights"
    return f"{where}{error.strerror or error}\n  hint: {remedy}; {GO_ON}"


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__


def _leave(message: str, code: int) -> None:
    click.secho("error: ", fg="red", bold=True, err=True, nl=False)
    click.echo(printable(message), err=True)
    sys.exit(code)
