"""Finding generators, scorers, encoders, decoders, data sets and judges by name, through entry points.

The project's own register in ``pyproject.toml`` like anybody else's. Nothing is imported until it is asked for.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal

from rebeca.errors import MissingDependency, SpecError, did_you_mean

Group = Literal["generators", "scorers", "encoders", "decoders", "datasets", "judges"]
OWN = ("rebeca", "baselines", "benchmark")


@cache
def names(group: Group) -> tuple[str, ...]:
    """All registered names of a group, sorted."""
    return tuple(sorted(_points(group)))


def load(group: Group, name: str) -> Any:
    """The object registered under a name.

    Raises:
        SpecError: If there is none, with the nearest spelling.
        MissingDependency: If importing it fails for want of a package.
    """
    points = _points(group)
    if name not in points:
        hint = f"{did_you_mean(name, points)}; others are found once their package is installed"
        raise SpecError(f"no {group[:-1]} is called '{name}'", hint=hint)
    try:
        return points[name].load()
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"{group[:-1]} '{name}' needs the package '{error.name}'", hint=f"pip install {error.name}"
        ) from error
    except (AttributeError, ImportError) as error:
        raise SpecError(
            f"{group[:-1]} '{name}' is registered as {points[name].value}, which is not there ({error})"
        ) from error
    except Exception as error:
        raise SpecError(
            f"{group[:-1]} '{name}': importing {points[name].value} failed: {type(error).__name__}: {error}"
        ) from error


def is_foreign(group: Group, name: str) -> bool:
    """Whether the code behind a name is not the project's own."""
    module: str = load(group, name).__module__
    return module.partition(".")[0] not in OWN


def foreign_code(group: Group, name: str) -> str | None:
    """SHA-256 of the module behind a name that is not the project's own, so that changed code is never taken for done.

    The project's own code is watched by stage versions instead.
    """
    module = load(group, name).__module__
    if not is_foreign(group, name):
        return None
    source = inspect.getsourcefile(sys.modules[module]) if module in sys.modules else None
    return module if source is None else hashlib.sha256(Path(source).read_bytes()).hexdigest()


@cache
def _points(group: Group) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"rebeca_bench.{group}"):
        found.setdefault(point.name, point)
    return found
