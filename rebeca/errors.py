"""Every error that a user can cause, as one tree.

RebecaError
├── SpecError            a task file says something impossible (exit code 2)
├── DataError            a data set holds something impossible (exit code 3)
├── MissingDependency    an optional package or its weights are absent (exit code 4)
├── PluginError          a plug-in broke its contract (exit code 5)
├── StoreError           the work folder cannot be used (exit code 6)
└── RecordError          a record is damaged or does not add up (exit code 7)

What a machine does to a run comes as the exceptions of Python and of the packages. :func:`disk_full`,
:func:`out_of_memory`, :func:`lacks_locks` and :func:`device_fails` know them, and :func:`of_machine` all of them.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Sequence

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
DEVICE_WORDS = (
    "cuda driver",
    "no cuda gpus",
    "no kernel image",
    "busy or unavailable",
    "uncorrectable ecc",
    "for the mps device",
    "mps framework",
)
"""Messages of torch about a device that fails or lacks an operation or number type."""
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""Numpy's message when the disk is full."""
MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "_status_alloc_failed",
    "unable to find an engine",
)
"""Messages of torch and the libraries below it; their errors are plain RuntimeErrors. cuDNN finds no engine where none
fits into the memory left."""


MACHINE_ERRORS = (MemoryError, OSError, RuntimeError, TypeError)
"""What failures of the machine come as; :func:`of_machine` tells which of them are."""
OUT_OF_MEMORY = 8
"""Exit code."""


class RebecaError(Exception):
    """An error with one clear message and, where there is one, a remedy.

    Args:
        message: What is wrong, with file, line and value where they are known.
        hint: What to do about it, or an empty string.

    Attributes:
        exit_code: What the command line ends with, 1 to 7.

    Example:
        >>> from rebeca import DatasetContext, RebecaError
        >>> try:
        ...     folder = DatasetContext().folder
        ... except RebecaError as error:
        ...     print(error)
        data.path is not set
          hint: name the folder in the task file, or with --set data.path=FOLDER
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class SpecError(RebecaError):
    """A task file, or an option that overrides it, says something impossible; a plug-in's ``check`` raises it.

    Example:
        >>> from rebeca import SpecError
        >>> raise SpecError("blur.radius: 9 exceeds the image's side of 8", hint="lower it")
        Traceback (most recent call last):
        ...
        rebeca.errors.SpecError: blur.radius: 9 exceeds the image's side of 8
          hint: lower it
        >>> SpecError.exit_code
        2
    """

    exit_code = 2


class DataError(RebecaError):
    """A data set holds something impossible; the message names file, row and value.

    Example:
        >>> from rebeca import DataError
        >>> raise DataError("ratings.csv:7: the rating 'high' is not a number")
        Traceback (most recent call last):
        ...
        rebeca.errors.DataError: ratings.csv:7: the rating 'high' is not a number
        >>> DataError.exit_code
        3
    """

    exit_code = 3


class MissingDependency(RebecaError):
    """An optional package, or the weights that it needs, is missing.

    Example:
        >>> from rebeca import MissingDependency
        >>> def load_segmenter():
        ...     try:
        ...         import segmenter
        ...     except ImportError as error:
        ...         raise MissingDependency("'segmenter' is not installed", hint="pip install segmenter") from error
        >>> load_segmenter()
        Traceback (most recent call last):
        ...
        rebeca.errors.MissingDependency: 'segmenter' is not installed
          hint: pip install segmenter
        >>> MissingDependency.exit_code
        4
    """

    exit_code = 4


class PluginError(RebecaError):
    """A generator, scorer, judge, encoder, decoder or data set broke its contract; the message says which.

    Example:
        >>> from rebeca import PluginError, Privileges
        >>> try:
        ...     judge = Privileges().judge
        ... except PluginError as error:
        ...     print(error.exit_code, error)
        5 it uses 'judge', which its needs() does not name
          hint: name it in needs(params)
    """

    exit_code = 5


class StoreError(RebecaError):
    """The work folder cannot be used.

    Example:
        >>> from rebeca import StoreError
        >>> raise StoreError("work: cannot be written", hint="name another folder with --workdir")
        Traceback (most recent call last):
        ...
        rebeca.errors.StoreError: work: cannot be written
          hint: name another folder with --workdir
        >>> StoreError.exit_code
        6
    """

    exit_code = 6


class RecordError(RebecaError):
    """A record is damaged, incomplete, or its numbers do not follow from its rows.

    Example:
        >>> from rebeca import RecordError
        >>> raise RecordError("records/sprites/v2: no records in this folder")
        Traceback (most recent call last):
        ...
        rebeca.errors.RecordError: records/sprites/v2: no records in this folder
        >>> RecordError.exit_code
        7
    """

    exit_code = 7


def disk_full(error: BaseException) -> bool:
    """Whether a write failed for want of room."""
    return isinstance(error, OSError) and (error.errno in FULL or bool(SHORT_WRITE.search(str(error))))


def out_of_memory(error: BaseException) -> bool:
    """Whether something failed for want of memory, of the machine or of a device."""
    if isinstance(error, RuntimeError):
        return any(word in str(error).lower() for word in MEMORY_WORDS)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def lacks_locks(error: BaseException) -> bool:
    """Whether a file system refused a lock because it has none."""
    return isinstance(error, OSError) and error.errno in NO_LOCKS


def device_fails(error: BaseException) -> bool:
    """Whether a device failed, or lacks an operation; a number type that it lacks comes as a TypeError."""
    return isinstance(error, RuntimeError | TypeError) and any(word in str(error).lower() for word in DEVICE_WORDS)


def of_machine(error: BaseException) -> bool:
    """Whether the machine, and no plug-in, is to blame."""
    return disk_full(error) or out_of_memory(error) or lacks_locks(error) or device_fails(error)


def printable(text: str) -> str:
    """A text that may hold anything, fit for a terminal: no control characters, no change of direction."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)


RENAMED = {
    "pictures": ("images", "items"),
    "truth": ("ground-truth",),
    "prior-eyes": ("prior-encoder",),
    "verifier-eyes": ("verifier-encoder",),
    "auditor-eyes": ("auditor-encoder",),
}
"""Old spellings in task files, and what they are called now."""


def counted(number: int, noun: str) -> str:
    """A number and what it counts, such as ``1 rating`` or ``2,000 ratings``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first_few(texts: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """The first texts of a list, and how many more there are."""
    more = [f"and {len(texts) - most:,} more"] if len(texts) > most else []
    return between.join([*texts[:most], *more])


def did_you_mean(given: str, allowed: Iterable[str]) -> str:
    """Returns ``"did you mean 'x'?"`` for the new name or the nearest allowed spelling, else the allowed names."""
    given, names = str(given), sorted(allowed)
    for new in RENAMED.get(given, ()):
        if new in names:
            return f"'{given}' is now '{new}'"
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"allowed: {', '.join(names)}" if names else "nothing is allowed here"
