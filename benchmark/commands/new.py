"""Writes a first task file for a user's own folder of images and ratings."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np

from benchmark.commands.doctor import OFFLINE
from benchmark.task.bundled import folder as bundled
from rebeca.arrays import Floats
from rebeca.data.dataset import Dataset
from rebeca.data.folder import rating_scale, read_folder
from rebeca.errors import DataError, SpecError

MANY_RATERS = 0.8
"""Above this share of rated pairs (within blocks), items are held out for all users."""
LEAST_RATINGS = 12
"""Per user; fewer cannot be divided into training, validation and test."""
GUARANTEED_CANDIDATES = 3
"""Fewest held-out candidates per user and image."""


def write_task(folder: Path, output: Path, force: bool = False) -> Path:
    """Looks at the data and writes a commented task file.

    Raises:
        DataError: If the data cannot be read or are too few.
        SpecError: If the file exists.
    """
    if output.exists() and not force:
        raise SpecError(f"{output} exists", hint="use --force to overwrite it, or --output for another name")
    data = read_folder(folder, rating_scale(folder))
    median = int(np.median(data.ratings.ratings_per_user()))
    if median < LEAST_RATINGS:
        raise DataError(
            f"{folder}: half of the users rated {median} items or fewer", hint=f"about {LEAST_RATINGS} are needed"
        )
    text = _render(folder, output, data, median)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    return output


def _render(folder: Path, output: Path, data: Dataset, median: int) -> str:
    ratings = data.ratings
    blocks, users_per_block = np.unique(data.block_of_user, return_counts=True)
    items_per_block = np.array([(data.catalogue.block == block).sum() for block in blocks])
    like_at = _like_at(ratings.rating)
    offline = all(importlib.util.find_spec(name) is not None for name in OFFLINE)
    if len(ratings) >= MANY_RATERS * users_per_block @ items_per_block:
        candidates = round(0.25 * items_per_block.min())
        split = "{kind: held-out-items, test: 0.25, validation: 0.2}"
        why = "users rated nearly all items, so whole items are held out, and generators are judged by real ratings too"
    else:
        candidates = len(data.catalogue) - median
        split = f"{{kind: per-user, test: {max(2, median // 5)}, validation: {max(2, median // 10)}}}"
        why = "users rated different items, so some ratings of each user are held out"
    template = (bundled("tasks") / "new_task.template").read_text(encoding="utf-8")
    path, base = folder.resolve(), output.resolve().parent
    relative = path.relative_to(base) if path.is_relative_to(base) else path
    return template.format(
        id=re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-") or "my-task",
        title=path.name.replace('"', "'"),
        path=relative.as_posix(),
        low=f"{data.scale[0]:g}",
        high=f"{data.scale[1]:g}",
        like_at=f"{like_at:g}",
        liked=f"{100 * float((ratings.rating >= like_at).mean()):.0f}",
        split=split,
        why=why,
        users=ratings.num_users,
        items=ratings.num_items,
        ratings=len(ratings),
        shared="shared" if median < 200 else "disjoint",
        images=max(1, min(5, candidates // GUARANTEED_CANDIDATES)),
        encoder="efficientnet-lite0" if offline else "fourier:32",
        verifier="efficientnet-lite2" if offline else "fourier:24",
        auditor="efficientnet-lite1" if offline else "fourier:16",
        dims=min(16, max(2, ratings.num_items // 4)),
        judge_dims=min(32, max(2, ratings.num_items // 4)),
    )


def _like_at(rating: Floats) -> float:
    """The rating from which on the share of likes is nearest to 40 %."""
    return float(min(np.unique(rating)[1:], key=lambda value: abs(float((rating >= value).mean()) - 0.4)))
