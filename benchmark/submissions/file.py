"""The file that describes a submission: one generator, as in a task file, and its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.records.schema import Archive, Submission
from benchmark.records.submitted import fault_of_title, takes_the_tasks_seeds, without_marks
from benchmark.task.resolve import with_generators
from benchmark.task.resolved import ResolvedGenerator, Task
from benchmark.task.yaml_source import Source, read_yaml
from rebeca.arrays import Plain
from rebeca.errors import SpecError, did_you_mean

KEYS = ("generators", "card", "images")
FAULTS = {
    "tuple_type": "expected a list, such as [Ada Lovelace]",
    "string_pattern_mismatch": "expected an address that begins with https://",
}
"""In words that a reader of YAML knows."""
HINT = "docs/submit.md shows a whole file"


@dataclass(frozen=True, slots=True)
class SubmissionFile:
    """A submission, resolved against its task.

    Attributes:
        generator: What makes the images.
        card: What its authors say; without images.
        images: Address where all images will lie; empty where the bundle holds them.
    """

    generator: ResolvedGenerator
    card: Submission
    images: str


def read_submission(path: Path, task: Task) -> SubmissionFile:
    """Reads a submission.

    Args:
        path: The file; paths in it are relative to it.
        task: What it is handed in to.

    Raises:
        SpecError: With file, line, key, what was found and what is allowed.
    """
    source = read_yaml(path)
    for key in source.data:
        if key not in KEYS:
            raise SpecError(f"{source.at((key,))}: unknown key '{key}'", hint=did_you_mean(key, KEYS))
    own = len(task.generators)
    generators = with_generators(
        task, Source(path, {"generators": source.data.get("generators")}, source.places)
    ).generators[own:]
    if len(generators) != 1:
        raise SpecError(
            f"{source.at(('generators',))}: generators: one is handed in at a time, found {len(generators)}", hint=HINT
        )
    if not takes_the_tasks_seeds(generators[0]):
        raise SpecError(
            f"{source.at(('generators', 0))}: rows share their seeds: leave out offset, noise_group and images",
            hint=HINT,
        )
    _check_title(generators[0], task, source)
    images = source.data.get("images", "")
    card = _card(source)
    flags = generators[0].flags()
    if (card.category == "privileged") != bool(flags.needs):
        needs = f"needs {', '.join(sorted(flags.needs))}" if flags.needs else "needs nothing privileged"
        raise SpecError(
            f"{source.at(('card', 'class'))}: card.class is '{card.category}', and the generator {needs}",
            hint="'privileged' is for generators that know a judge, held-out ratings or the ground truth",
        )
    _check_address(card, images, source)
    return SubmissionFile(generators[0], card, str(images))


def _check_title(generator: ResolvedGenerator, task: Task, source: Source) -> None:
    if fault := fault_of_title(generator.title):
        raise SpecError(f"{source.at(('generators', 0, 'title'))}: the title {fault}", hint="choose another title")
    other = next(
        (each for each in task.generators if without_marks(each.title) == without_marks(generator.title)), None
    )
    if other is not None:
        raise SpecError(
            f"{source.at(('generators', 0, 'title'))}: the title '{generator.title}' is that of '{other.id}'",
            hint="choose another title",
        )


def _card(source: Source) -> Submission:
    written = source.data.get("card")
    if not isinstance(written, dict):
        raise SpecError(f"{source.at(('card',))}: the key 'card' is missing, or holds no keys", hint=HINT)
    authors = written.get("authors")
    names = ", ".join(map(str, authors)) if isinstance(authors, list) else ""
    return _validated({"made_by": names, "scored_by": names, **written}, ("card",), source)


def _check_address(card: Submission, address: Any, source: Source) -> None:
    """Checks the address of the images, which is known before the file whose hash belongs to it."""
    if address:
        values = card.model_dump(mode="json", by_alias=True)
        _validated(values | {"images": {"address": address, "sha256": "0" * 64, "bytes": 1}}, (), source)


def _validated(values: Mapping[str, Plain], below: tuple[str, ...], source: Source) -> Submission:
    try:
        return Submission.model_validate_json(json.dumps(values))
    except ValidationError as error:
        errors = error.errors()
        first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
        path = (*below, *(part for part in first["loc"] if part != "address"))
        name, where = ".".join(map(str, path)), source.at(path)
        if first["type"] == "extra_forbidden":
            allowed = [field.alias or key for key, field in Submission.model_fields.items() if key != "images"]
            raise SpecError(
                f"{where}: unknown key '{name}'", hint=did_you_mean(str(first["loc"][-1]), allowed)
            ) from error
        if first["type"] == "missing":
            raise SpecError(f"{where}: the key '{name}' is missing", hint=HINT) from error
        fault, given = first["msg"].removeprefix("Value error, "), str(first["input"])[:80]
        fault = FAULTS.get(first["type"], f"{fault[0].lower()}{fault[1:]}")
        raise SpecError(f"{where}: {name}: {fault}, found {given!r}", hint=HINT) from error


def archived(card: Submission, address: str, sha256: str, size: int) -> Submission:
    """The card with the place of a file with all images."""
    return card.model_copy(update={"images": Archive(address=address, sha256=sha256, bytes=size)})
