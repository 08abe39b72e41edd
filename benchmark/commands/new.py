"""Writes a first task file for a user's own folder of images and ratings."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmark.commands.doctor import OFFLINE
from benchmark.task.bundled import folder as bundled
from rebeca.arrays import Floats, Ints
from rebeca.data.cells import number_text
from rebeca.data.dataset import Dataset
from rebeca.data.discover import Discovery, discover
from rebeca.data.folder import read_folder
from rebeca.data.interactions import rows_by_group
from rebeca.data.options import TableLayout
from rebeca.data.remains import find_candidates, remarks
from rebeca.data.splits import SplitRule, divide
from rebeca.errors import DataError, SpecError, counted

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
SEED = 42
MANY_RATINGS = 200
"""Per user; from here on judges and generators may have ratings of their own."""


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
    opened = len(data.catalogue) <= MOST_OPENED
    originals = data.catalogue.originals() if opened else np.arange(len(data.catalogue))
    if not opened:
        odd.append(f"the {len(data.catalogue):,} images were not opened; plan and run do that")
    odd += _equal(originals, data.catalogue.item_ids)
    like_at = _like_at(data.ratings.rating)
    odd += _remarks(data, split.rule, like_at, originals)
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
    """How ratings are divided, why, fewest ratings per user, and candidates per user."""

    rule: SplitRule
    why: str
    least: int
    candidates: int


def _split(data: Dataset, median: int) -> _Split:
    ratings: Literal["shared", "disjoint"] = "shared" if median < MANY_RATINGS else "disjoint"
    blocks, users_per_block = np.unique(data.block_of_user, return_counts=True)
    items_per_block = np.array([(data.catalogue.block == block).sum() for block in blocks])
    if len(data.ratings) >= MANY_RATERS * users_per_block @ items_per_block:
        return _Split(
            SplitRule("held-out-items", 0.25, 0.2, ratings),
            "users rated nearly all items, so whole items are held out, and generators are judged by real ratings too",
            LEAST_RATINGS // 2,
            round(0.25 * items_per_block.min()),
        )
    test, validation = max(2, median // 5), max(2, median // 10)
    return _Split(
        SplitRule("per-user", test, validation, ratings),
        "users rated different items, so some ratings of each user are held out",
        test + validation + LEFT_FOR_TRAINING,
        len(data.catalogue) - median,
    )


def _equal(originals: Ints, item_ids: tuple[str, ...]) -> Iterator[str]:
    """Which items have the same pixels."""
    same = [rows.tolist() for rows in rows_by_group(originals, len(originals)) if len(rows) > 1]
    if same:
        shown = "; ".join(" = ".join(f"'{item_ids[item]}'" for item in items[:3]) for items in same[:3])
        yield f"{counted(len(same), 'image')} under more than one id: {shown}"


def _remarks(data: Dataset, rule: SplitRule, like_at: float, originals: Ints) -> Iterator[str]:
    """Who would be left without something by the split."""
    division = divide(data.ratings, rule, like_at, data.catalogue.block, SEED, originals)
    candidates = find_candidates(data.ratings, division, data.block_of_user, data.catalogue.block, originals)
    return remarks(data.ratings, division, candidates, originals)


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
        seed=SEED,
        split=f"{{kind: {split.rule.kind}, test: {split.rule.test}, validation: {split.rule.validation}}}",
        why=split.why,
        users=ratings.num_users,
        items=ratings.num_items,
        ratings=len(ratings),
        shared=split.rule.ratings,
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
        yield _commented(f"missing: [{', '.join(map(_value, rules.missing))}]", "values that stand for no rating")


def _value(value: float | str) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else number_text(value)


def _commented(text: str, comment: str) -> str:
    """A line of the task file, with its comment where those of the template begin."""
    return f"{f'{text} ':<29}# {comment}"


def _like_at(rating: Floats) -> float:
    """The rating from which on the share of likes is nearest to 40 %."""
    values = np.unique(rating)[1:]
    return float(min(values, key=lambda value: abs(float((rating >= value).mean()) - 0.4)))
