"""The harness: task files, plan, store, runner, scorers, statistics, records and the site.

From Python: :func:`run` runs a task, :func:`load` reads records, and both return :class:`Results`. They are imported
when they are first used.

Example:
    >>> import benchmark
    >>> benchmark.load("results/sprites").path.name
    'v2'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.results import Results, load, run

__all__ = ["Results", "load", "run"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from benchmark import results

    return getattr(results, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
