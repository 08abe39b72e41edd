"""Independent parts of one computation, in forked processes that compute with one thread each.

Small models gain nothing from more threads: they wait for each other at every operation. Whole parts, such as the fits
of a generator, gain nearly all. A part computes what it would compute alone, so results do not depend on the number of
processes. Forked processes share what was loaded before. So they need Linux and a processor as device.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
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


def spread(work: Callable[[Item], Result], items: Iterable[Item], device: str = "cpu") -> Generator[Result, None, None]:
    """``work`` of every item, in the order of the items; in forked processes where these are allowed and help.

    Args:
        work: May not change anything that the caller reads later: its process ends. Its results and exceptions are
            pickled.
        items: Parts that do not depend on each other; taken one by one where nothing is forked.
        device: Torch device of the work; only work on the processor is spread.

    Raises:
        MemoryError: If a process was killed, which the system does where memory runs out.
    """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    from rebeca.device import on_processor

    global _work
    if _processes < 2 or _work is not None or not (on_processor(device) and _forks()):
        yield from map(work, items)
        return
    parts = list(items)
    number = min(_processes, len(parts))
    if number < 2:
        yield from map(work, parts)
        return
    before = multiprocessing.active_children()
    _work = lambda i: work(parts[i])  # noqa: E731
    try:
        with ProcessPoolExecutor(number, multiprocessing.get_context("fork"), _begin, (os.getpid(),)) as pool:
            try:
                yield from pool.map(_call, range(len(parts)))
            except BaseException:
                for child in set(multiprocessing.active_children()) - set(before):
                    child.kill()  # nobody waits for what is still running
                raise
    except BrokenProcessPool as error:
        raise MemoryError("a process that computed a part was killed; it may have run out of memory") from error
    finally:
        _work = None


def _forks() -> bool:
    """Whether this process can be forked: threads of a package, and a GPU's state, are missing in a forked process."""
    if sys.platform != "linux":
        return False
    torch = sys.modules.get("torch")
    return torch is None or (torch.get_num_threads() == 1 and not torch.cuda.is_available())


def in_part() -> bool:
    """Whether this is a forked process, whose reports nobody sees."""
    return _forked


def _begin(parent: int) -> None:
    global _forked
    _forked = True
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # a display of the parent may have replaced them
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the process that forked it decides, and kills it


def _call(number: int) -> Any:
    assert _work is not None
    try:
        return _work(number)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  our own
        except (pickle.PicklingError, TypeError, ValueError, AttributeError):
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise
