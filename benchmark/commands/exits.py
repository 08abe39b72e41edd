"""How a command ends: every error is one message and a documented exit code."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import click

from rebeca.errors import (
    MACHINE_ERRORS,
    OUT_OF_MEMORY,
    DataError,
    MissingDependency,
    PluginError,
    RebecaError,
    RecordError,
    SpecError,
    StoreError,
    disk_full,
    lacks_locks,
    of_machine,
    out_of_memory,
    printable,
)

DIFFERS = 1
CODES = {
    0: "done; generators that failed in isolation are named in the output",
    DIFFERS: "`check`, `verify --rescore`: a result differs from the published record; `reproduce`: a row fell;"
    " `cache verify`: a cached result is damaged",
    SpecError.exit_code: "invalid task file or option, or a device that is missing or cannot do this",
    DataError.exit_code: "invalid data",
    MissingDependency.exit_code: "missing package or weights; the message contains the command that adds them",
    PluginError.exit_code: "a plug-in broke its contract",
    StoreError.exit_code: "a folder cannot be used: full disk, no permission, no locks, or something else in its place",
    RecordError.exit_code: "a record is missing, damaged or does not add up",
    OUT_OF_MEMORY: "out of memory",
    128 + signal.SIGHUP: "stopped by SIGHUP, such as a closed terminal",
    128 + signal.SIGINT: "stopped by Ctrl-C",
    128 + signal.SIGTERM: "stopped by SIGTERM",
}
"""Every exit code and its meaning, as docs/reference/commands.md lists them."""
SECONDS_TO_THE_NEXT_ATTEMPT = 1.0
GO_ON = "the same command continues where this one stopped"
MORE_MEMORY = "free memory; on a GPU delete rehearsals/ in the work folder to measure the batch anew"


class Stopped(BaseException):
    """SIGTERM or SIGHUP was received; no ``except Exception`` may swallow it.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)


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
    except BrokenPipeError:  # the program that reads the output has ended
        sys.stdout = None
        sys.exit(1)
    except MACHINE_ERRORS as error:
        if debug or not (isinstance(error, OSError) or of_machine(error)):
            raise
        _leave(*_of_machine(error))
    except KeyboardInterrupt:
        click.echo(f"stopped; {GO_ON}", err=True)
        sys.exit(128 + signal.SIGINT)
    except Stopped as stopped:
        with contextlib.suppress(OSError):  # the terminal may be gone
            click.echo(f"stopped by {stopped.number.name}; {GO_ON}", err=True)
        sys.exit(128 + stopped.number)


def _of_machine(error: Exception) -> tuple[str, int]:
    """Message and exit code where the machine is to blame."""
    if out_of_memory(error):
        return f"out of memory ({_first_line(error)})\n  hint: {MORE_MEMORY}; {GO_ON}", OUT_OF_MEMORY
    if isinstance(error, OSError):
        return _about(error), StoreError.exit_code
    return f"the device failed ({_first_line(error)})\n  hint: choose another --device", SpecError.exit_code


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP stop the block, at the second attempt if a package swallows the first.

    Some packages swallow it during import. The exception is raised again if the block still runs after a second.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        error = KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)

        def again(alarm: int, frame: FrameType | None) -> None:
            raise error

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_THE_NEXT_ATTEMPT)
        raise error

    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in (*stopping, signal.SIGALRM)}
    for number in stopping:
        if before[number] != signal.SIG_IGN:  # a shell ignores Ctrl-C in the background, and nohup SIGHUP
            signal.signal(number, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _about(error: OSError) -> str:
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        _, target, reason = error.args[0][0]
        return f"{target}: cannot be written ({reason})\n  hint: make room, or choose another folder; {GO_ON}"
    where = f"{error.filename}: " if error.filename else ""
    remedy = "choose a folder whose file system has locks" if lacks_locks(error) else "check the folder and its rights"
    remedy = "free disk space" if disk_full(error) else remedy
    return f"{where}{error.strerror or error}\n  hint: {remedy}; {GO_ON}"


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__


def _leave(message: str, code: int) -> None:
    click.secho("error: ", fg="red", bold=True, err=True, nl=False)
    click.echo(printable(message), err=True)
    sys.exit(code)
