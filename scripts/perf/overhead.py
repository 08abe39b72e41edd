"""Where the wall time of a run goes: models and solvers, and everything else.

python scripts/perf/overhead.py              # sprites
python scripts/perf/overhead.py oasis --data ../shared/data/oasis

Runs the task in an empty work folder and charges every moment to the innermost of the parts below. What is not charged
to ``models`` is overhead, imports included.
"""

from __future__ import annotations

import builtins
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

MODELS = "models and solvers"
spent: dict[str, float] = defaultdict(float)
stack: list[str] = []
last = 0.0


def charge() -> None:
    """Charges the time since the last change to the part that was running."""
    global last
    now = time.perf_counter()
    spent[stack[-1] if stack else "the rest"] += now - last
    last = now


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose time is charged to a part."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        charge()
        stack.append(part)
        try:
            return function(*arguments, **options)
        finally:
            charge()
            stack.pop()

    return wrapped


def watch(part: str, owner: Any, *names: str) -> None:
    """Replaces functions of a module or class by timed ones."""
    for name in names:
        setattr(owner, name, timed(part, getattr(owner, name)))


def watch_imports() -> None:
    """Charges imports, but not what runs below one that is charged already."""
    real = builtins.__import__
    counted = timed("imports", real)

    def importing(*arguments: Any, **options: Any) -> Any:
        return (real if stack and stack[-1] == "imports" else counted)(*arguments, **options)

    builtins.__import__ = importing


@click.command()
@click.argument("task", default="sprites")
@click.option("--data", help="Folder of the data set.")
def main(task: str, data: str | None) -> None:
    """Prints a table."""
    global last
    started = last = time.perf_counter()
    watch_imports()
    from rebeca import population

    watch(MODELS, population, "fit_leaving_out", "population_scores")
    from rebeca import taste

    watch(MODELS, taste, "ridge_tastes")
    from rebeca.encoders import autoencoder, clip, efficientnet, simple
    from rebeca.interfaces import Encoder

    for module in (autoencoder, clip, efficientnet, simple):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Encoder) and kind is not Encoder:
                watch(MODELS, kind, "encode", "fit")
    from rebeca.ncf.judge import NCFJudge
    from rebeca.prior import sampling
    from rebeca.prior.training import PriorTraining

    watch(MODELS, NCFJudge, "fit", "score_all")
    watch(MODELS, PriorTraining, "run", "__init__")
    watch(MODELS, sampling, "sample_prior")
    import baselines.catalogue
    from benchmark.runner import world, write_records
    from benchmark.runner.run_task import run_task
    from benchmark.runner.store import Store
    from benchmark.site import build
    from rebeca.data.catalogue import Catalogue
    from rebeca.decoders.nearest import NearestItem

    watch(MODELS, baselines.catalogue.CatalogueGenerator, "fit", "generate")
    watch(MODELS, NearestItem, "decode")
    watch("data", world, "build_world")
    watch("data", Catalogue, "pixels", "digest", "fingerprint")
    watch("store", Store, "find", "make")
    watch("statistics", write_records, "analyse", "judge_report")
    watch("page", build, "build_site")
    from benchmark.task.bundled import find_task
    from benchmark.task.resolve import load_task

    resolved = load_task(find_task(task), () if data is None else (f"data.path={data}",))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "w", lambda _: None)
        with store.locked():
            result = timed("records", run_task)(resolved, store)
            build.build_site([result.records], Path(folder) / "site")
    charge()
    wall = time.perf_counter() - started
    click.echo(f"{task}: {wall:.1f} s on the wall")
    for part, seconds in sorted(spent.items(), key=lambda entry: -entry[1]):
        click.echo(f"{seconds:8.2f} s {100 * seconds / wall:5.1f} %  {part}")
    click.echo(f"outside models and solvers: {100 * (1 - spent[MODELS] / wall):.1f} %")


if __name__ == "__main__":
    main()
