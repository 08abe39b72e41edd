"""What scorers of images share: where weights lie, and one prompt per image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

from rebeca.errors import DataError, MissingDependency, SpecError
from rebeca.published import ALL, PREFIX, how_to_fetch, is_published, locate, published

TINYWORLD = "tinyworld"
"""Names the weights of tinyworld's stand-in, which come with the package."""


def located(scorer: str, weights: str | PathLike[str], names: Sequence[str]) -> Path:
    """Published weights where they lie on this machine, or the file itself.

    Args:
        scorer: Its name, for messages.
        weights: ``published:NAME``, or a file.
        names: Published weights that are the scorer's.

    Raises:
        SpecError: If published weights are not the scorer's.
        MissingDependency: If they are not on this machine, with the command that fetches them.
    """
    if not isinstance(weights, str | PathLike):
        raise SpecError(f"scorer '{scorer}': weights is {weights!r}", hint=f"write '{PREFIX}{names[-1]}', or a file")
    text = str(weights)
    own = " or ".join(f"{PREFIX}{name}" for name in names)
    if is_published(text):
        if published(text).name not in names:
            raise SpecError(f"scorer '{scorer}': {text} is {published(text).title}", hint=f"its weights are {own}")
        return locate(text)
    if not (Path(weights).is_file() and os.access(weights, os.R_OK)):
        hint = f"write {PREFIX}{text}" if text in ALL else f"{how_to_fetch(ALL[names[0]])}; then write {own}"
        raise MissingDependency(f"scorer '{scorer}': {text} does not exist, or cannot be read", hint=hint)
    return Path(weights)


def one_per_image(prompts: str | Sequence[str], count: int) -> tuple[str, ...]:
    """As many prompts as images.

    Raises:
        DataError: If their number differs, or one is no text.
    """
    if isinstance(prompts, str):
        return (prompts,) * count
    if not isinstance(prompts, Iterable):
        raise DataError(f"prompts is a {type(prompts).__name__}", hint="give one prompt for all, or one per image")
    given = tuple(prompts)
    if len(given) != count:
        raise DataError(f"{len(given)} prompts for {count} images", hint="give one prompt for all, or one per image")
    for place, prompt in enumerate(given):
        if not isinstance(prompt, str):
            raise DataError(f"prompts[{place}] is a {type(prompt).__name__}, expected a text")
    return given
