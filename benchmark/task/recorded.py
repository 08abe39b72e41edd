"""The task of a record, to be run or scored again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from benchmark.task.resolve import resolved_task
from benchmark.task.resolved import Task
from benchmark.task.spec import Spec
from benchmark.task.yaml_source import Source


def recorded_task(spec: Spec, path: Path, generators: Collection[str], overrides: tuple[str, ...] = ()) -> Task:
    """The task of a record with some of its generators; those alone must be installed.

    Args:
        spec: The task as the record keeps it.
        path: The record's file, for messages.
        generators: Ids, of the spec. Where the reference is not among them, the first one takes its place. May be
            empty, where images are only scored.
        overrides: ``a.b=value`` texts, as in :func:`benchmark.task.resolve.load_task`.

    Raises:
        SpecError: If a plug-in is not installed, or no longer takes the recorded parameters.
    """
    raw = spec.to_json()
    raw["data"].pop("path")
    raw["generators"] = [entry for entry in raw["generators"] if entry["id"] in generators] or [STAND_IN]
    if raw["analysis"]["reference"] not in generators:
        raw["analysis"]["reference"] = raw["generators"][0]["id"]
    task = resolved_task(Source(path, raw), overrides)
    return task if generators else replace(task, generators=())


STAND_IN = {"id": "none", "use": "catalogue"}
"""A task file cannot be without generators."""
