"""Running code that is not ours: whatever it does is named, and none of it becomes a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.task import registry
from benchmark.task.resolve import ResolvedGenerator
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


@contextmanager
def inside(spec: ResolvedGenerator, root: Path, *own: Path) -> Iterator[None]:
    """Sees to it that a third-party generator writes nowhere in the work folder but into its own folders.

    Raises:
        GeneratorError: Naming the first file that appeared, changed or went.
    """
    if not registry.is_foreign("generators", spec.use):
        yield
        return
    before = _files(root, own)
    yield
    after = _files(root, own)
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    if changed:
        raise GeneratorError(
            f"generator '{spec.id}' wrote outside its folder: {changed[0].relative_to(root)}",
            hint="write into the folder of save, or during fit into context.workdir; look at what it left there",
        )


def _files(root: Path, own: tuple[Path, ...]) -> dict[Path, tuple[int, int, int]]:
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and not any(path.is_relative_to(folder) for folder in own):
            state = path.stat()
            found[path] = state.st_ino, state.st_size, state.st_mtime_ns
    return found
