"""A limit of memory while files of strangers are read: they can claim to be small and unpack to more than there is."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_MEMORY = 8 << 30
"""Bytes beyond those in use; the largest published records take a tenth of it."""
STATM = Path("/proc/self/statm")


@contextmanager
def limited_memory() -> Iterator[None]:
    """Within the block, what needs more than :data:`MOST_MEMORY` fails with a MemoryError. Works on Linux."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _in_use() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _in_use() -> int:
    """Bytes of private memory that the process has reserved."""
    return int(STATM.read_text().split()[5]) * resource.getpagesize() if STATM.exists() else 0
