"""The task of a record, to be run or scored again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmark.task.resolve import resolved_task
from benchmark.task.resolved import Task
from benchmark.task.spec import GeneratorEntry, Spec
from benchmark.task.yaml_source import Source

STAND_IN = {"id": "none", "use": "catalogue"}
"""A task file cannot be without generators."""


def recorded_task(
    spec: Spec, path: Path, generators: Sequence[GeneratorEntry], overrides: tuple[str, ...] = ()
) -> Task:
    """The task of a record with some of its rows, whose generators alone must be installed.

    Args:
        spec: The task as the record keeps it.
        path: The record's file, for messages.
        generators: The rows' entries. Where the reference is not among them, the first one takes its place. Empty where
            images are only scored.
        overrides: ``a.b=value`` texts, as in :func:`benchmark.task.resolve.load_task`.

    Raises:
        SpecError: If a plug-in is not installed, or no longer takes the recorded parameters.
    """
    raw = spec.to_json()
    raw["data"].pop("path")
    entries = [{key: getattr(entry, key) for key in GeneratorEntry.model_fields} for entry in generators] or [STAND_IN]
    raw["generators"] = entries
    if raw["analysis"]["reference"] not in [entry["id"] for entry in entries]:
        raw["analysis"]["reference"] = entries[0]["id"]
    task = resolved_task(Source(path, raw), overrides)
    return task if generators else replace(task, generators=())
