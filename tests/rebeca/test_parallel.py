"""Parts in forked processes: in order, with the errors of the parts, and nothing left running."""

import io
import multiprocessing
import os
import signal
import sys
import time

import pytest
from rich.console import Console

from benchmark.runner.progress import Reporter
from rebeca.errors import PluginError
from rebeca.parallel import processes, spread

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


def pid(_):
    time.sleep(0.05)
    return os.getpid()


def test_without_permission_everything_stays_here():
    assert set(spread(pid, [1, 2, 3])) == {os.getpid()}
    with processes(4):
        assert list(spread(pid, [1])) == [os.getpid()]
        assert list(spread(pid, [])) == []


@linux
def test_parts_run_elsewhere_and_come_back_in_order():
    def late(i):
        time.sleep(0.2 if i == 0 else 0)
        return i, os.getpid()

    with processes(2):
        numbers, pids = zip(*spread(late, range(5)), strict=True)
    assert numbers == (0, 1, 2, 3, 4)
    assert os.getpid() not in pids and len(set(pids)) == 2


@linux
def test_a_part_does_not_fork_again():
    def outer(i):
        return list(spread(pid, [1, 2])) == [os.getpid()] * 2

    with processes(2):
        assert all(spread(outer, [1, 2]))


@linux
def test_the_error_of_a_part_arrives_whole_and_ends_the_others():
    def part(i):
        if i == 0:
            raise PluginError("it broke", hint="mend it")
        time.sleep(60)

    started = time.monotonic()
    with processes(2), pytest.raises(PluginError, match="it broke") as caught:
        list(spread(part, [0, 1, 2]))
    assert caught.value.hint == "mend it"
    assert time.monotonic() - started < 30 and not multiprocessing.active_children()


@linux
def test_a_killed_part_is_named():
    with processes(2), pytest.raises(MemoryError, match="killed"):
        list(spread(lambda i: os.kill(os.getpid(), signal.SIGKILL), [0, 1]))
    with processes(2):
        assert list(spread(abs, [-1, -2])) == [1, 2]


@linux
def test_with_several_threads_everything_stays_here():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with processes(2):
            assert set(spread(pid, [1, 2])) == {os.getpid()}
    finally:
        torch.set_num_threads(before)


class Odd(Exception):
    """Cannot be read back from its pickle."""

    def __init__(self, a, b):
        super().__init__(f"{a} {b}")


@linux
def test_an_error_that_cannot_be_sent_keeps_its_message():
    def part(i):
        raise Odd("two", "words")

    with processes(2), pytest.raises(RuntimeError, match="Odd: two words"):
        list(spread(part, [0, 1]))


@linux
def test_signals_to_a_part_are_left_to_the_process_that_forked_it():
    def part(i):
        os.kill(os.getpid(), signal.SIGTERM)
        return i

    with processes(2):
        assert list(spread(part, [0, 1])) == [0, 1]


@linux
def test_nothing_is_forked_beside_a_gpu(monkeypatch):
    """Threads of autograd for the GPU, and its state, would be missing."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with processes(2):
        assert set(spread(pid, [1, 2])) == {os.getpid()}


@linux
def test_a_part_writes_to_the_real_streams(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as if a display had replaced it
    with processes(2):
        assert list(spread(lambda _: sys.stdout is sys.__stdout__, [1, 2])) == [True, True]


def test_items_are_taken_one_by_one_where_nothing_is_forked():
    taken = []
    results = spread(str, (taken.append(i) or i for i in range(3)))
    assert next(results) == "0" and taken == [0]


@linux
def test_a_part_prints_nothing_and_moves_no_bar():
    console = Console(file=io.StringIO())
    reporter = Reporter(console)

    def part(i):
        with reporter.stage("part", announce=False) as report:
            report(i, 2, "steps")
            reporter.info("info")
            reporter.warn("warning")
        return reporter.console.file.getvalue()

    with processes(2):
        assert list(spread(part, [0, 1])) == ["", ""]
    reporter.warn("here")
    assert console.file.getvalue() == "here\n"
