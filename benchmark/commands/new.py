"""Writes a first task file for a user's own folder of images and ratings."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from benchmark.commands.doctor import OFFLINE
from benchmark.task.bundled import folder as bundled
from rebeca.arrays import Floats
from rebeca.data.cells import number_text
from rebeca.data.dataset import Dataset
from rebeca.data.discover import Discovery, discover
from rebeca.data.folder import read_folder
from rebeca.data.options import TableLayout
from rebeca.data.ratings import counted
from rebeca.errors import DataError, SpecError

MANY_RATERS = 0.8
"""Above this share of rated pairs (within blocks), items are held out for all users."""
LEAST_RATINGS = 12
"""Per user; fewer cannot be divided into training, validation and test."""
GUARANTEED_CANDIDATES = 3
"""Fewest held-out candidates per user and image."""
LEFT_FOR_TRAINING = 2
"""Ratings of every user."""
MOST_OPENED = 5_000
"""Images that are opened to find damaged and equal ones; more take too long."""
SHOWN = 10
"""Damaged images, or pairs of equal ones, in a message."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task file that was written.

    Attributes:
        path: The file.
        summary: What the data hold, in one line.
        odd: What to look at, a sentence each.
    """

    path: Path
    summary: str
    odd: tuple[str, ...]


def write_task(folder: Path, output: Path, force: bool = False) -> NewTask:
    """Looks at the data and writes a commented task file.

    Raises:
        DataError: If the data cannot be read or are too few.
        SpecError: If the file exists.
    """
    if not folder.is_dir():
        raise SpecError(
            f"{folder}: {'a file, not a folder' if folder.exists() else 'no such folder'}",
            hint="name the folder that holds ratings.csv, items.csv and images",
        )
    if output.exists() and not force:
        raise SpecError(f"{output} exists", hint="use --force to overwrite it, or --output for another name")
    discovery = discover(folder)
    data = _read(folder, discovery)
    median = int(np.median(data.ratings.ratings_per_user()))
    if median < LEAST_RATINGS:
        raise DataError(
            f"{folder}: half of the users rated {median} items or fewer", hint=f"about {LEAST_RATINGS} are needed"
        )
    split = _split(data, median)
    if (data.ratings.ratings_per_user() < split.least).any():
        discovery = replace(discovery, rules=replace(discovery.rules, min_ratings=split.least))
        data = _read(folder, discovery)
    odd = [*discovery.odd, *data.notes]
    unrated = data.ratings.num_items - len(np.unique(data.ratings.item))
    if unrated:
        odd.append(f"{counted(unrated, 'item')} without a rating")
    odd += _look_at_images(data)
    like_at = _like_at(data.ratings.rating)
    liked = f"{100 * float((data.ratings.rating >= like_at).mean()):.0f}"
    text = _render(folder, output, data, discovery, split, like_at, liked)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    summary = (
        f"{data.ratings.num_users:,} users, {data.ratings.num_items:,} items, {len(data.ratings):,} ratings from"
        f" {number_text(data.scale[0])} to {number_text(data.scale[1])}; {liked} % are likes"
        f" ({number_text(like_at)} or higher)"
    )
    return NewTask(output, summary, tuple(odd))


def _read(folder: Path, discovery: Discovery) -> Dataset:
    return read_folder(folder, discovery.scale, ratings=discovery.ratings, items=discovery.items, rules=discovery.rules)


@dataclass(frozen=True, slots=True)
class _Split:
    """How ratings are divided: as the task file says it, why, fewest ratings per user, and candidates per user."""

    text: str
    why: str
    least: int
    candidates: int


def _split(data: Dataset, median: int) -> _Split:
    blocks, users_per_block = np.unique(data.block_of_user, return_counts=True)
    items_per_block = np.array([(data.catalogue.block == block).sum() for block in blocks])
    if len(data.ratings) >= MANY_RATERS * users_per_block @ items_per_block:
        return _Split(
            "{kind: held-out-items, test: 0.25, validation: 0.2}",
            "users rated nearly all items, so whole items are held out, and generators are judged by real ratings too",
            LEAST_RATINGS // 2,
            round(0.25 * items_per_block.min()),
        )
    test, validation = max(2, median // 5), max(2, median // 10)
    return _Split(
        f"{{kind: per-user, test: {test}, validation: {validation}}}",
        "users rated different items, so some ratings of each user are held out",
        test + validation + LEFT_FOR_TRAINING,
        len(data.catalogue) - median,
    )


def _look_at_images(data: Dataset) -> Iterator[str]:
    """Opens every item.

    Raises:
        DataError: Naming the items that cannot be opened.
    """
    if len(data.catalogue) > MOST_OPENED:
        yield f"the {len(data.catalogue):,} images were not opened; plan and run do that"
        return
    same: dict[str, list[str]] = defaultdict(list)
    damaged = []
    for index, item in enumerate(data.catalogue.item_ids):
        try:
            same[data.catalogue.digest(index)].append(item)
        except DataError as error:
            damaged.append(error.message)
    if damaged:
        more = f"\n  and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        raise DataError(
            "\n  ".join(damaged[:SHOWN]) + more,
            hint="save these images again as PNG, JPEG or WebP, or remove their rows from the list of items;"
            " new task then leaves out their ratings",
        )
    twice = [items for items in same.values() if len(items) > 1]
    if twice:
        shown = "; ".join(" = ".join(f"'{item}'" for item in items[:3]) for items in twice[:3])
        yield f"{counted(len(twice), 'image')} under more than one id: {shown}"


def _render(
    folder: Path, output: Path, data: Dataset, discovery: Discovery, split: _Split, like_at: float, liked: str
) -> str:
    ratings = data.ratings
    offline = all(importlib.util.find_spec(name) is not None for name in OFFLINE)
    template = (bundled("tasks") / "new_task.template").read_text(encoding="utf-8")
    path, base = folder.resolve(), output.resolve().parent
    relative = path.relative_to(base) if path.is_relative_to(base) else path
    return template.format(
        id=re.sub(r"[^a-z0-9]+", "-", path.name.lower()).strip("-") or "my-task",
        title=path.name.replace('"', "'"),
        path=relative.as_posix(),
        scale=f"[{number_text(data.scale[0])}, {number_text(data.scale[1])}] ",
        options="".join(f"    {line}\n" for line in _options(discovery)),
        like_at=f"{number_text(like_at)} ",
        liked=liked,
        split=split.text,
        why=split.why,
        users=ratings.num_users,
        items=ratings.num_items,
        ratings=len(ratings),
        shared="shared" if np.median(ratings.ratings_per_user()) < 200 else "disjoint",
        images=max(1, min(5, split.candidates // GUARANTEED_CANDIDATES)),
        encoder="efficientnet-lite0" if offline else "fourier:32",
        verifier="efficientnet-lite2" if offline else "fourier:24",
        auditor="efficientnet-lite1" if offline else "fourier:16",
        dims=min(16, max(2, ratings.num_items // 4)),
        judge_dims=min(32, max(2, ratings.num_items // 4)),
    )


def _options(discovery: Discovery) -> Iterator[str]:
    """Lines of the task file for what differs from the usual layout and rules."""
    usual = TableLayout()
    for stem, layout in (("ratings", discovery.ratings), ("items", discovery.items)):
        declared = {
            field.name: getattr(layout, field.name)
            for field in fields(layout)
            if getattr(layout, field.name) != getattr(usual, field.name)
        }
        if declared:
            yield f"{stem}: {json.dumps(declared, ensure_ascii=False)}"
    rules = discovery.rules
    if rules.duplicates != "refuse":
        yield _commented(f"duplicates: {rules.duplicates}", "where a user rated an item several times")
    if rules.min_ratings > 1:
        yield _commented(f"min_ratings: {rules.min_ratings}", "users with fewer are left out")
    if rules.unlisted != "refuse":
        yield _commented(f"unlisted: {rules.unlisted}", "ratings of items that are not listed")
    if rules.missing:
        values = [*map(number_text, rules.missing_values), *map(json.dumps, rules.missing_texts)]
        yield _commented(f"missing: [{', '.join(values)}]", "values that stand for no rating")


def _commented(text: str, comment: str) -> str:
    """A line of the task file, with its comment where those of the template begin."""
    return f"{f'{text} ':<29}# {comment}"


def _like_at(rating: Floats) -> float:
    """The rating from which on the share of likes is nearest to 40 %."""
    values = np.unique(rating)[1:]
    return float(min(values, key=lambda value: abs(float((rating >= value).mean()) - 0.4)))
