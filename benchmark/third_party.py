"""Running code that is not ours: whatever it raises is named, and none of it becomes a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmark import registry
from benchmark.spec import ResolvedGenerator
from rebeca.errors import GeneratorError, RebecaError, disk_full, out_of_memory
from rebeca.interfaces import Generator


def build_generator(spec: ResolvedGenerator) -> Generator:
    """A generator from its parameters, neither fitted nor loaded."""
    kind = registry.load("generators", spec.use)
    with named_failures(spec.id):
        generator: Generator = kind(spec.params)
    return generator


@contextmanager
def named_failures(generator: str) -> Iterator[None]:
    """Turns whatever a generator raises into an error that names it; the harness's own errors pass.

    So do a full disk and exhausted memory, which are the machine's.
    """
    try:
        yield
    except RebecaError:
        raise
    except Exception as error:  # third-party code: anything can come, and it must be named
        if disk_full(error) or out_of_memory(error):
            raise
        raise GeneratorError(
            f"generator '{generator}' failed: {type(error).__name__}: {error}",
            hint="rebeca-bench --debug run ... shows where",
        ) from error
