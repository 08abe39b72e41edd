"""``_task/ratings.parquet``: the held-out ratings that observed ratings and personal lifts by them are read from.

Only tasks with a scorer of observed ratings have the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.analysis.inputs import HeldOutRatings, HeldOutScores, Rows
from benchmark.analysis.measures import OBSERVED, VERIFIER
from benchmark.records.columns import read_columns
from benchmark.records.files import refuse_if
from benchmark.records.rows import AGREES
from benchmark.stats.personalisation import pair_means
from rebeca.arrays import Bools, Floats, Ints
from rebeca.interfaces import ScorerCard

RATINGS = "ratings.parquet"
COLUMNS = pa.schema([("user", pa.int32()), ("item", pa.int32()), ("rating", pa.float64())])


def reads_ratings(cards: Mapping[str, ScorerCard]) -> bool:
    """Whether a scorer of observed ratings is among these."""
    return any(card.role == OBSERVED for card in cards.values())


def write_ratings(path: Path, ratings: HeldOutRatings) -> None:
    pq.write_table(
        pa.table({"user": ratings.user, "item": ratings.item, "rating": ratings.rating}, schema=COLUMNS),
        path,
        compression="zstd",
    )


def read_ratings(path: Path, users: int, items: int) -> HeldOutRatings:
    """Reads the file, checked.

    Args:
        path: The file.
        users: Users that images were made for.
        items: Items of the data set.

    Raises:
        RecordError: If it cannot be read, or a value is impossible.
    """
    columns = read_columns(path, COLUMNS, users * items)
    user, item, rating = (columns[name] for name in COLUMNS.names)
    for name, column, end in (("a user", user, users), ("an item", item, items)):
        refuse_if(
            len(column) and not (column.min() >= 0 and column.max() < end), f"{path}: {name} outside 0 to {end - 1}"
        )
    refuse_if(not np.isfinite(rating).all(), f"{path}: a rating that is not finite")
    refuse_if(len(np.unique(user.astype(np.int64) * items + item)) != len(user), f"{path}: a rating is given twice")
    return HeldOutRatings(user.astype(np.int64), item.astype(np.int64), rating)


def check_ratings(
    path: Path, ratings: HeldOutRatings, rows: Sequence[Rows], scores: HeldOutScores, users: Ints
) -> None:
    """Checks that the observed ratings of all images, and the judges' held-out ratings, are those of the file.

    Args:
        path: Of the file, for messages.
        ratings: Its contents.
        rows: All generators.
        scores: Of the judges.
        users: int [users]; place of each user that images were made for among all users of the data.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    test = scores.of(VERIFIER, "test")
    place = {int(user): row for row, user in enumerate(users)}
    judged = {(place[u], i) for u, i in zip(test.user.tolist(), test.item.tolist(), strict=True) if u in place}
    listed = set(zip(ratings.user.tolist(), ratings.item.tolist(), strict=True))
    refuse_if(not judged <= listed, f"{path}: a rating that the judges were tested on is missing")
    for row in rows:
        for scorer, card in row.cards.items():
            if card.role == OBSERVED:
                _check_observed(path, ratings, row, scorer)


def _check_observed(path: Path, ratings: HeldOutRatings, row: Rows, scorer: str) -> None:
    """Own ratings against the scores of images, all users' ratings against the means of sets."""
    items = np.unique(row.item[row.item >= 0])
    table = ratings.table(len(row.item), items)
    if not len(items):
        return
    column = np.searchsorted(items, np.where(row.item >= 0, row.item, items[0]))
    counted = (row.item >= 0) & ~row.failed
    own = np.where(counted, table[np.arange(len(table))[:, None], column], np.nan)
    refuse_if(
        not _equal(own, row.scores[scorer]), f"{path}: '{row.id}': a score of '{scorer}' is not the held-out rating"
    )
    if scorer not in row.pairs or row.shared is not None:  # then users judge some images only
        return
    means = np.full(row.pairs[scorer].shape, np.nan)
    for users in row.groups.each():
        for f in range(row.fits):
            shown = column[users, f :: row.fits], counted[users, f :: row.fits]
            means[f, users, : len(users)] = _means(table[users], *shown)
    known = np.isfinite(row.pairs[scorer])
    refuse_if(
        not _equal(np.where(known, means, np.nan), row.pairs[scorer]),
        f"{path}: '{row.id}': pairs of '{scorer}' do not follow from the held-out ratings",
    )


def _means(table: Floats, column: Ints, counted: Bools) -> Floats:
    """float64 [judges, targets]; mean rating of the target's items by the judge, as far as the judge rated them."""
    owner = np.repeat(np.arange(len(column)), column.shape[1])
    return pair_means(np.where(counted.ravel(), table[:, column.ravel()], np.nan), owner)[0]


def _equal(a: Floats, b: Floats) -> bool:
    return bool(np.allclose(a, b, rtol=AGREES, atol=AGREES, equal_nan=True))
