"""Plug-ins that installed packages register as entry points, in an order that does not depend on the installation."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

DISTRIBUTION = "rebeca-bench"


@cache
def registered(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points by name.

    Args:
        group: Such as ``encoders``.

    Returns:
        Where several packages register one name, the first one is used: this project's own, else the first package by
        name.
    """
    points: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=f"rebeca_bench.{group}"), key=_order):
        points.setdefault(point.name, []).append(point)
    return {name: tuple(same) for name, same in sorted(points.items())}


def package_of(point: EntryPoint) -> str:
    """The package that registers it; empty where its metadata are missing."""
    return "" if point.dist is None else point.dist.name


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    return package_of(point) != DISTRIBUTION, package_of(point).lower(), point.value
