"""Users by generators, the values behind a leaderboard: input of figures, segments and galleries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchmark.analysis.analyse import gap_values
from benchmark.analysis.fits import Fits
from benchmark.analysis.inputs import HeldOutScores, Rows, with_lifts
from benchmark.analysis.measures import GAP
from benchmark.board.board import Board
from benchmark.board.row import Row
from benchmark.records.files import TASK_FOLDER
from benchmark.records.rows import HELD_OUT, read_held_out, read_rows
from benchmark.stats.intervals import resampling_weights
from benchmark.stats.personalisation import double_centred, filled, well_known
from benchmark.stats.random import stream
from rebeca.arrays import Bools, Floats, Ints

DRAWS = 2000
"""Bootstrap draws of what figures show and records do not hold: segments, rank stability, AUC."""
MOST_PERSONAS = 6
TASTE_DIRECTIONS = 8
FEWEST_FOR_PERSONAS = 12
SMALLEST_DIRECTION = 1e-9
"""Directions whose eigenvalue is a smaller share of the largest are rounding."""
MOST_COMPARED = 500
"""Of more users, a random sample of so many is compared with everybody: all pairs would be too many."""
AT_ONCE = 256
"""Users whose opinions are standardised at once."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some of the users.

    Attributes:
        id: Names it in URLs.
        name: Names it on pages.
        users: Who belongs to it, bool [users].
    """

    id: str
    name: str
    users: Bools


def read_tables(board: Board) -> Tables:
    """All rows of a task version, read and checked once."""
    task = board.record
    rows = {row.id: read_rows(board.folder / row.id, row.record, task) for row in board.rows}
    return Tables(board, {row.id: replace(rows[row.id], ranked=row.ranked) for row in board.rows})


class Tables:
    """All rows of a task version.

    Args:
        board: The leaderboard.
        rows: By generator.
    """

    def __init__(self, board: Board, rows: Mapping[str, Rows]) -> None:
        self.board, self.rows = board, rows
        task = board.record
        self.users = list(task.users.id)
        self.block: Ints = np.array(task.users.block, np.int64)
        self.plan = task.plan
        self.values: dict[str, dict[str, Floats]] = {}
        for name, own in rows.items():
            values = with_lifts(own, self.plan.reading)
            gap = gap_values(own, values)
            self.values[name] = values if gap is None else values | {GAP: gap}
        self.fits = Fits(self.plan, list(rows.values()), self.values, DRAWS)

    @property
    def primary(self) -> str:
        return self.board.primary

    def value(self, generator: str, measure: str) -> Floats:
        """float64 [users]; NaN where a user has none, or the generator lacks the measure."""
        return self.values[generator].get(measure, np.full(len(self.users), np.nan))

    def known(self, row: Row) -> Floats:
        """float64 [users with a value]; values of a generator by the primary scorer."""
        values = self.value(row.id, self.primary)
        return values[np.isfinite(values)]

    def table(self, measure: str, rows: Sequence[Row]) -> Floats:
        """float64 [users, generators]."""
        return np.column_stack([self.value(row.id, measure) for row in rows])

    @cached_property
    def held_out(self) -> HeldOutScores:
        return read_held_out(self.board.folder / TASK_FOLDER / HELD_OUT, len(self.board.record.user_ids))

    @cached_property
    def weights(self) -> Ints:
        """int64 [draws, users]; one set of draws for all figures."""
        return resampling_weights(len(self.users), DRAWS, stream(self.plan.name, "site"))

    @cached_property
    def scores_for(self) -> list[Floats]:
        """For each user, the primary scorer's values of all images that any generator returned, sorted."""
        scores = np.hstack([self.rows[row.id].scores[self.primary] for row in self.board.rows])
        return [np.sort(own[np.isfinite(own)], kind="stable") for own in scores]

    @cached_property
    def ratings(self) -> Ints:
        """int64 [users]; training ratings of each user."""
        return np.array([sum(counts) for counts in self.board.record.taste.counts], np.int64)

    @cached_property
    def opinions(self) -> Floats:
        """float64 [users, k]; each user's scores of all users' images by the primary scorer, centred.

        Each generator's table is centred by judge and by set within a block, which removes leniency and quality.
        Missing pairs say nothing. A generator whose users have too few scores says nothing about its block.
        Empty where the primary scorer cannot score for every user, and where users are compared in groups, since users
        of different groups then judge no common images.
        """
        parts = []
        for row in self.board.rows:
            pairs = self.rows[row.id].mean_pairs(self.primary) if row.ranked else None
            if pairs is None or self.plan.most_compared is not None:
                continue
            centred = np.zeros((len(pairs), len(pairs)))
            for own in self.rows[row.id].groups.each():
                scores = pairs[own, : len(own)]
                if len(own) > 1 and len(well_known(scores)) == len(own):
                    centred[np.ix_(own, own)] = double_centred(filled(scores))
            parts.append(centred)
        return np.hstack(parts) if parts else np.empty((len(self.users), 0))

    @cached_property
    def sampled(self) -> Ints:
        """Int [at most 500], in order; the users with whom all are compared: everybody, or a random sample."""
        users = len(self.users)
        if users <= MOST_COMPARED:
            return np.arange(users)
        return np.sort(stream(self.plan.name, "site-sample").choice(users, MOST_COMPARED, replace=False), kind="stable")

    @cached_property
    def likeness(self) -> Floats:
        """float64 [users, sampled users]; correlation between users' opinions; 0 for users without any."""
        return self.alike(np.arange(len(self.users)), self.sampled)

    def alike(self, some: Ints, others: Ints) -> Floats:
        """float64 [some, others]; correlation between the opinions of these users; 0 for users without any."""
        compared = _standardised(self.opinions[others])
        starts = range(0, len(some), AT_ONCE)
        parts = [_standardised(self.opinions[some[start : start + AT_ONCE]]) @ compared.T for start in starts]
        return np.vstack(parts) if parts else np.empty((0, len(others)))

    @cached_property
    def personas(self) -> tuple[Ints, float]:
        """Int [users], groups of users with similar opinions, largest first; and the mean silhouette.

        k-means on the principal directions of the likenesses, k from 2 to 6 by silhouette. All zero where there are
        too few users, or where they do not differ. Of many users, groups and silhouette are those of the sample;
        everybody else is placed in the same directions (Nyström's extension), and joins the nearest group.
        """
        users = len(self.users)
        nobody: tuple[Ints, float] = np.zeros(users, np.int64), 0.0
        if users < FEWEST_FOR_PERSONAS or not self.likeness.any():
            return nobody
        from sklearn.cluster import KMeans
        from sklearn.metrics import silhouette_score

        values, vectors = np.linalg.eigh(self.likeness[self.sampled])
        first = np.flatnonzero(values > values[-1] * SMALLEST_DIRECTION)[::-1][:TASTE_DIRECTIONS]
        points = self.likeness @ (vectors[:, first] / np.sqrt(values[first]))
        best = nobody
        for k in range(2, min(MOST_PERSONAS, users // 4) + 1):
            model = KMeans(k, n_init=10, random_state=0).fit(points[self.sampled])
            own = model.labels_
            score = float(silhouette_score(points[self.sampled], own)) if len(np.unique(own)) > 1 else -1.0
            if score > best[1]:
                best = model.predict(points).astype(np.int64), score
        _, where, labels, sizes = np.unique(best[0], return_index=True, return_inverse=True, return_counts=True)
        return np.argsort(np.lexsort((where, -sizes)), kind="stable")[labels], best[1]

    @cached_property
    def segments(self) -> list[Segment]:
        """Everybody, then personas, few and many ratings, blocks; only those that split the users."""
        segments = [Segment("all", "everybody", np.ones(len(self.users), bool))]
        labels, _ = self.personas
        if labels.any():
            segments += [
                Segment(f"persona-{k + 1}", f"persona {k + 1}", labels == k) for k in range(int(labels.max()) + 1)
            ]
        middle = np.median(self.ratings)
        few = self.ratings < middle
        if few.any():
            segments.append(Segment("few-ratings", f"fewer than {middle:g} training ratings", few))
            segments.append(Segment("many-ratings", f"{middle:g} training ratings or more", ~few))
        blocks = np.unique(self.block)
        if len(blocks) > 1:
            segments += [Segment(f"block-{b}", f"block {b}", self.block == b) for b in blocks.tolist()]
        return segments


def _standardised(rows: Floats) -> Floats:
    """Rows with mean 0 and length 1, 0 where a row does not vary; in place, as they take most of the memory."""
    if rows.size:
        rows -= rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1)
    rows[length <= 1e-12] = 0.0
    rows /= np.maximum(length, 1e-12)[:, None]
    return rows
