"""Addresses of a task, and living processes, for tests that compare them."""

import subprocess
import time

from benchmark.runner.addresses import find_addresses
from benchmark.runner.store import Store
from benchmark.runner.world import find_data


def find(task, workdir, device="cpu"):
    """Addresses of a task."""
    data = find_data(task, Store(workdir, print))
    return find_addresses(task, device, data.users, data.addresses)


def wait_until_gone(started, seconds=200):
    """Waits until none of these processes lives."""
    deadline = time.monotonic() + seconds
    while (left := started & set(processes())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def processes():
    """Parents of all living processes, by process."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def descendants(pid):
    """Processes that a process started, and those that they started."""
    parents, family = processes(), {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {pid}
