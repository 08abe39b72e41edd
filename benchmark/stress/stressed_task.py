"""A task with adversaries beside its own generators, and with the defences that it may lack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.analysis.measures import CONFIRMING, COPIES, SUPPORT, VERIFIER
from benchmark.task.file import ConfirmationSpec
from benchmark.task.registry import plugin_class
from benchmark.task.resolve import with_generators
from benchmark.task.resolved import ResolvedScorer, Task
from benchmark.task.yaml_source import Source, at, read_yaml
from rebeca.arrays import Plain
from rebeca.errors import SpecError, did_you_mean
from rebeca.interfaces import NoParams

ADVERSARIES = Path(__file__).with_name("adversaries.yaml")
MOST_COPIES = 0.05
"""Of undeclared near-copies among the images of a ranked generator, where a task declares none."""
MOST_OUTSIDE = 0.15
"""Of images that could not be items of the world, where a task declares none and has a scorer that can tell."""
PLACEHOLDERS = ("$verifier", "$auditor", "$images")
"""In parameters of adversaries."""
DEFENCES = {CONFIRMING: "confirming", COPIES: "near-copies"}
"""Registered names of scorers, by the role that they play."""


def stressed(task: Task, more: Sequence[Path], note: Callable[[str], None]) -> Task:
    """The task with adversaries and defences; ids, seeds and whatever is cached stay the same.

    Args:
        task: The task.
        more: Files with further adversaries, written as ``generators`` in a task file.
        note: Told which adversaries are left out, and why.

    Raises:
        SpecError: If a file of adversaries is not valid.
    """
    file, confirmation = task.file, task.file.analysis.confirmation
    roles = {flags.card.role for flags in (each.flags() for each in task.scorers) if not flags.of_sets}
    missing = {role: name for role, name in DEFENCES.items() if role not in roles}
    primary = next(each.flags().card for each in task.scorers if each.id == file.analysis.primary.scorer)
    if primary.role == VERIFIER:
        confirmation = confirmation or ConfirmationSpec()
    else:
        note(f"nothing is confirmed: the primary scorer '{file.analysis.primary.scorer}' is no verifier")
        missing.pop(CONFIRMING, None)
    analysis = file.analysis.model_copy(
        update={
            "confirmation": confirmation,
            "most_copies": MOST_COPIES if file.analysis.most_copies is None else file.analysis.most_copies,
            "most_outside": MOST_OUTSIDE
            if file.analysis.most_outside is None and SUPPORT in roles
            else file.analysis.most_outside,
        }
    )
    scorers = (*task.scorers, *(ResolvedScorer(name, NoParams(), name) for name in missing.values()))
    out = replace(task, file=file.model_copy(update={"analysis": analysis}), scorers=scorers, modified=True)
    for path in (ADVERSARIES, *more):
        out = _with_those_possible(out, read_yaml(path), note)
    return out


def _with_those_possible(task: Task, source: Source, note: Callable[[str], None]) -> Task:
    """Adds the generators of a file one by one, but for those of the package that this task's encoders rule out."""
    values = _placeholders(task)
    entries = source.data.get("generators")
    if source.path != ADVERSARIES or not isinstance(entries, list):
        data = source.data
        if isinstance(entries, list):
            data = data | {"generators": [_filled(entry, values, source, place) for place, entry in enumerate(entries)]}
        return with_generators(task, replace(source, data=data))
    for place, entry in enumerate(entries):
        alone = replace(source, data={"generators": [_filled(entry, values, source, place)]}, places={})
        try:
            longer = with_generators(task, alone)
            for added in longer.generators[len(task.generators) :]:
                kind = plugin_class("generator", added.use)
                kind.check(added.params)
                kind.fingerprint(added.params)  # names the weights of its encoders, which must be known
            task = longer
        except SpecError as error:
            note(f"left out: {entry['id']} ({error.message.rpartition(': ')[2]})")
    return task


def _placeholders(task: Task) -> Mapping[str, Plain]:
    """What stands for what; an encoder above another one cannot be named in a word, and is left as it is."""
    encoders = {role: judge.encoder for role, judge in task.judges.items()}
    encoders.setdefault("auditor", encoders["verifier"])
    names = {f"${role}": encoder.text for role, encoder in encoders.items() if encoder.of is None}
    return {**names, "$images": task.file.images}


def _filled(entry: Any, values: Mapping[str, Plain], source: Source, place: int) -> Any:
    """A generator as written, with placeholders replaced."""
    with at(source, "generators", place):
        return _replaced(entry, values)


def _replaced(value: Any, values: Mapping[str, Plain]) -> Any:
    """A part of a generator; where two placeholders of a list stand for the same, it is kept once."""
    if isinstance(value, dict):
        return {name: _replaced(each, values) for name, each in value.items()}
    if isinstance(value, list):
        new = [_replaced(each, values) for each in value]
        return [each for place, each in enumerate(new) if value[place] == each or each not in new[:place]]
    if isinstance(value, str) and value.startswith("$") and value not in PLACEHOLDERS:
        raise SpecError(f"'{value}' stands for nothing", hint=did_you_mean(value, PLACEHOLDERS))
    return values.get(value, value) if isinstance(value, str) else value
