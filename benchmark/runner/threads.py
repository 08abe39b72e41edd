"""How many threads and processes a run computes with.

Sums are rounded differently with another number of threads, and so are results. Processes change no image, and scores
by no more than another order of generators does.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rebeca.errors import SpecError

VARIABLE = "OMP_NUM_THREADS"
DEFAULT = "1"
"""Where the variable is not set."""
PROCESSES, PROCESSES_BY_DEFAULT = "REBECA_PROCESSES", "2"
NUMBERS = re.compile(r"[1-9][0-9]{0,3}(,[1-9][0-9]{0,3})*")
"""One number, or one per level of nesting."""


def thread_setting() -> str:
    """``OMP_NUM_THREADS``, or the default.

    Raises:
        SpecError: If it is no number of threads.
    """
    threads = os.environ.get(VARIABLE) or DEFAULT
    if not NUMBERS.fullmatch(threads):
        raise SpecError(f"{VARIABLE}={threads}: not a number of threads", hint="set it to 1 or more, or unset it")
    return threads


def process_setting() -> int:
    """``REBECA_PROCESSES``, or the default: in how many processes independent parts of a run are computed.

    Raises:
        SpecError: If it is no number of processes.
    """
    number = os.environ.get(PROCESSES) or PROCESSES_BY_DEFAULT
    if not NUMBERS.fullmatch(number) or "," in number:
        raise SpecError(f"{PROCESSES}={number}: not a number of processes", hint="set it to 1 or more, or unset it")
    return int(number)


@contextmanager
def computing_threads() -> Iterator[None]:
    """The block computes with as many threads as a command, also where numpy and torch are imported already.

    Both read ``OMP_NUM_THREADS`` only when they are imported. What the block imports keeps its number of threads.

    Raises:
        SpecError: If ``OMP_NUM_THREADS`` is no number of threads.
    """
    from threadpoolctl import threadpool_limits

    setting, before, torch = thread_setting(), os.environ.get(VARIABLE), sys.modules.get("torch")
    number, own = int(setting.partition(",")[0]), None if torch is None else torch.get_num_threads()
    os.environ[VARIABLE] = setting  # for packages and child processes that the block starts
    try:
        with threadpool_limits(number):
            if torch is not None:
                torch.set_num_threads(number)
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(own)
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
