"""Addresses of a task, for tests that compare them."""

from benchmark.runner.addresses import find_addresses
from benchmark.runner.store import Store
from benchmark.runner.world import find_data


def find(task, workdir, device="cpu"):
    """Addresses of a task."""
    data = find_data(task, Store(workdir, print))
    return find_addresses(task, device, data.users, data.addresses)
