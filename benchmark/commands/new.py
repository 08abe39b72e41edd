"""Writes a first task file for somebody's own folder of pictures and ratings."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.commands.doctor import OFFLINE
from benchmark.task.bundled import folder as bundled
from rebeca.arrays import Floats
from rebeca.data.folder import rating_scale, read_folder
from rebeca.errors import DataError, SpecError

if TYPE_CHECKING:
    from rebeca.data.dataset import Dataset

MANY_RATERS = 0.8
"""Above this share of rated pairs (within blocks) pictures are held out for everybody."""
LEAST_RATINGS = 12
"""Fewer ratings a person cannot be divided."""
GUARANTEED_CANDIDATES = 3
"""Held-out candidates a person for every picture shown, at least."""


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
            f"{folder}: half of the people rated {median} pictures or fewer", hint=f"about {LEAST_RATINGS} are needed"
        )
    text = _render(folder, output, data, median)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    return output


def _render(folder: Path, output: Path, data: Dataset, median: int) -> str:
    ratings = data.ratings
    pairs = sum(
        int((data.block_of_user == b).sum()) * int((data.catalogue.block == b).sum())
        for b in np.unique(data.block_of_user)
    )
    dense = len(ratings) / max(pairs, 1) >= MANY_RATERS
    like_at = _like_at(ratings.rating)
    offline = all(importlib.util.find_spec(name) is not None for name in OFFLINE)
    test = 0.25 if dense else max(2, median // 5)
    if dense:
        smallest = min(int((data.catalogue.block == b).sum()) for b in np.unique(data.block_of_user))
        candidates = round(0.25 * smallest)
        split = "{kind: held-out-items, test: 0.25, validation: 0.2}"
        why = "everybody rated nearly everything, so whole pictures are held out and real ratings judge everybody"
    else:
        candidates = len(data.catalogue) - median
        split = f"{{kind: per-user, test: {test}, validation: {max(2, median // 10)}}}"
        why = "people rated different pictures, so some ratings of everybody are held out"
    template = (bundled("tasks") / "new_task.template").read_text(encoding="utf-8")
    path = folder.resolve()
    base = output.resolve().parent
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
        people=ratings.num_users,
        pictures_in_all=ratings.num_items,
        ratings=len(ratings),
        shared="shared" if median < 200 else "disjoint",
        pictures=max(1, min(5, candidates // GUARANTEED_CANDIDATES)),
        encoder="efficientnet-lite0" if offline else "fourier:32",
        verifier="efficientnet-lite2" if offline else "fourier:24",
        auditor="efficientnet-lite1" if offline else "fourier:16",
        truth="observed",
        dims=min(16, max(2, ratings.num_items // 4)),
        judge_dims=min(32, max(2, ratings.num_items // 4)),
    )


def _like_at(rating: Floats) -> float:
    """The rating value whose share of likes is nearest to 40 %."""
    values = np.unique(rating)[1:]
    return float(min(values, key=lambda value: abs(float((rating >= value).mean()) - 0.4)))
