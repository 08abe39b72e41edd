"""How a command ends: every error is one message and a documented exit code."""

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
GO_ON = "the same command continues where this one stopped"


class Terminated(BaseException):
    """SIGTERM was received; no ``except Exception`` may swallow it."""


@contextlib.contextmanager
def one_message(debug: bool) -> Iterator[None]:
    """Turns any error, signal or lack of memory into one message and its exit code.

    Args:
        debug: Show tracebacks.
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
        remedy = f"free memory; on a GPU delete rehearsals/ in the work folder to measure the batch anew; {GO_ON}"
        _leave(f"out of memory ({_first_line(error)})\n  hint: {remedy}", OUT_OF_MEMORY)
    except BrokenPipeError:  # the program that reads the output has ended
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

    Some packages swallow it during import. The exception is raised again if the block still runs after a second.
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
    if before[signal.SIGINT] != signal.SIG_IGN:  # a shell ignores Ctrl-C for jobs in the background
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
