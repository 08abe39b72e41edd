"""Spans: what runs, by name, nested. Without a recorder, which is the rule, they cost next to nothing.

The harness records them for ``rebeca-bench run --profile``. A thread records spans only if it was given the context of
the one that started it, see :func:`contextvars.copy_context`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import Enum
from typing import Protocol


class Part(Enum):
    """What the time of a span is spent on, apart from the spans within it."""

    MODELS = "models and solvers"
    STATISTICS = "statistics"
    DATA = "data"
    IMAGES = "image files"
    STORE = "store"
    PAGE = "page"
    PLUGINS = "plug-ins' own files"
    IMPORTS = "imports"
    STAGE = "rest of a stage"
    RUN = "rest of the run"


class Recorder(Protocol):
    """Records spans."""

    def span(self, part: Part, name: str) -> AbstractContextManager[None]:
        """Lasts as long as the block."""


_NOTHING = nullcontext()
_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def span(part: Part, name: str) -> AbstractContextManager[None]:
    """A span as long as the block; nothing unless spans are recorded.

    Args:
        part: What its time is spent on.
        name: What runs, such as ``generator 'rebeca': fit``.
    """
    recorder = _recorder.get()
    return _NOTHING if recorder is None else recorder.span(part, name)


@contextmanager
def recorded(recorder: Recorder) -> Iterator[None]:
    """Spans within the block go to ``recorder``."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
