"""What can be said of Stable Diffusion before its weights are read: scheduler and steps, and how long prompts are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rebeca.errors import MissingDependency
from rebeca.published import folder_of, is_published
from rebeca.schedulers import scheduler_class, take_steps
from rebeca.tinyworld.models import SCHEDULE
from rebeca.tinyworld.words import write_tokenizer
from rebeca.weights import quiet

TINYWORLD = "tinyworld"
SCHEDULER = "decoder.params.scheduler"
SD15_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
}
"""Of Stable Diffusion 1.5, for models that are not on this machine."""
SHORT = 20
"""Bytes of a text that fits into every text encoder, since no token is shorter than a byte."""


@cache
def check_scheduler(model: str, commit: str | None, name: str, steps: int) -> None:
    """Refuses a scheduler that cannot take so many steps.

    Args:
        model: Folder, repository or built-in name of the model.
        commit: Of the repository.
        name: Of the scheduler.
        steps: Solver steps.

    Raises:
        SpecError: With the reason and what to try.
    """
    kind = scheduler_class(name, SCHEDULER)
    config = _config(kind, model, commit)

    def make() -> Any:
        scheduler = kind.from_config(config)
        scheduler.set_timesteps(steps)
        return scheduler

    take_steps(make, lambda x, _: x / 10, (1, 4, 8, 8), SCHEDULER, name, steps)


def cut_prompts(model: str, commit: str | None, texts: Sequence[str]) -> Sequence[str] | None:
    """Those texts whose end the model's text encoder does not read, each once.

    Returns:
        None if the model's tokenizer is not on this machine.
    """
    long = [text for text in dict.fromkeys(texts) if len(text.encode()) > SHORT]
    tokenizer = _tokenizer(model, commit) if long else None
    if tokenizer is None:
        return None if long else ()
    return [text for text in long if len(tokenizer(text, verbose=False)["input_ids"]) > tokenizer.model_max_length]


def _config(kind: type[Any], model: str, commit: str | None) -> Any:
    if model == TINYWORLD:
        return SCHEDULE | {"skip_prk_steps": True}
    try:
        return kind.load_config(_place(model), subfolder="scheduler", revision=commit, local_files_only=True)
    except (OSError, MissingDependency):
        return SD15_SCHEDULE


@cache
def _tokenizer(model: str, commit: str | None) -> Any:
    from transformers import CLIPTokenizer

    if model == TINYWORLD:
        with TemporaryDirectory() as folder:
            write_tokenizer(Path(folder))
            return CLIPTokenizer.from_pretrained(folder)
    try:
        with quiet():
            return CLIPTokenizer.from_pretrained(
                _place(model), subfolder="tokenizer", revision=commit, local_files_only=True
            )
    except (OSError, MissingDependency):
        return None


def _place(model: str) -> str:
    """A folder or the name of a repository; of published weights the folder, whose files are not hashed."""
    return str(folder_of(model)) if is_published(model) else model
