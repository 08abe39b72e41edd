"""Independent parts of one computation, in forked processes that compute with one thread each.

Small models gain nothing from more threads: they wait for each other at every operation. Whole parts, such as the fits
of a generator, gain nearly all. A part computes what it would compute alone, so results do not depend on the number of
processes. Forked processes share what was loaded before. So they need Linux and a processor as device.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""
_processes = 1
_forked = False
_work: Callable[[int], Any] | None = None
"""Computes the item of a number. Forked processes inherit it, so neither it nor the items are pickled."""


@contextmanager
def processes(number: int) -> Iterator[None]:
    """Within the block :func:`spread` uses up to so many processes; outside it uses none."""
    global _processes
    before, _processes = _processes, number
    try:
        yield
    finally:
        _processes = before


def spread(work: Callable[[Item], Result], items: Sequence[Item], device: str = "cpu") -> Generator[Result, None, None]:
    """``work`` of every item, in the order of the items; in forked processes where these are allowed and help.

    Args:
        work: May not change anything that the caller reads later: its process ends. Its results and exceptions are
            pickled.
        items: Parts that do not depend on each other.
        device: Torch device of the work; only work on the processor is spread.

    Raises:
        MemoryError: If a process was killed, which the system does where memory runs out.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    from rebeca.device import on_processor

    global _work
    number = min(_processes, len(items))
    if number < 2 or _work is not None or not (on_processor(device) and _forks()):
        yield from map(work, items)
        return
    before = multiprocessing.active_children()
    _work = lambda i: work(items[i])  # noqa: E731
    try:
        with ProcessPoolExecutor(number, multiprocessing.get_context("fork"), _begin) as pool:
            try:
                yield from pool.map(_call, range(len(items)))
            except BaseException:
                for child in set(multiprocessing.active_children()) - set(before):
                    child.kill()  # nobody waits for what is still running
                raise
    except BrokenProcessPool as error:
        raise MemoryError("a process that computed a part was killed; it may have run out of memory") from error
    finally:
        _work = None


def _forks() -> bool:
    """Whether this process can be forked: the threads of a package would be missing in a forked process."""
    torch = sys.modules.get("torch")
    return sys.platform == "linux" and (torch is None or torch.get_num_threads() == 1)


def in_part() -> bool:
    """Whether this is a forked process, whose reports nobody sees."""
    return _forked


def _begin() -> None:
    global _forked
    _forked = True
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that forked it decides


def _call(number: int) -> Any:
    assert _work is not None
    return _work(number)
