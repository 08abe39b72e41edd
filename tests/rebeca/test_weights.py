"""Weights on disk: what cannot be read is one message, what is not the file's fault stays what it is."""

from __future__ import annotations

import errno

import pytest

from rebeca.errors import MissingDependency
from rebeca.weights import reading


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no room"), RuntimeError("CUDA out of memory. Tried"), MemoryError()]
)
def test_a_full_disk_and_exhausted_memory_are_not_called_damaged_weights(error):
    with pytest.raises(type(error)), reading("weights", MissingDependency):
        raise error
