"""Records as data frames; :class:`benchmark.Results` describes their columns.

All frames call measures by the same names. ``preference`` and ``lift`` are by the primary scorer, ``observed`` by the
users' own ratings, and ``ground_truth`` by what a synthetic world knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from benchmark.analysis.measures import GROUND_TRUTH, OBSERVED, Measure, both_by, with_role
from benchmark.board.board import Board
from benchmark.board.plain_rows import Cell, board_rows, compare_generators, comparison_row
from benchmark.board.tables import Tables
from rebeca.arrays import Floats
from rebeca.errors import SpecError, did_you_mean

ALWAYS = ("preference", "lift", "observed", "ground_truth")
"""Columns that frames have whether or not the task has such a scorer."""
ENDS = ("", "_low", "_high", "_n")
"""What the four columns of a measure end in: mean, ends of its interval, users with a value."""
WHOLE = ("rank_low", "rank_high", "users", "images_requested", "images_valid", "fits")
"""Columns of whole numbers, some of which may be missing."""
COMPARED = {"difference_low": "low", "difference_high": "high", "difference_n": "users", "p_max_t": "p"}
"""Column of a comparison in CSV -> its name in the frame."""
LEFT_OUT = ("measure", "declared", "a", "b", "beats_n")


def measure_names(board: Board) -> dict[str, str]:
    """Name in frames -> key in records; an empty key where no scorer of the task has the role."""
    preference, lift = both_by(board.primary)
    roles = {"observed": with_role(board.cards, OBSERVED), "ground_truth": with_role(board.cards, GROUND_TRUTH)}
    values = (preference.key, lift.key, *(scorer or "" for scorer in roles.values()))
    keys = dict(zip(ALWAYS, values, strict=True))
    known = {scorer: name for name, scorer in roles.items()}
    lifts = [Measure(scorer, is_lift=True) for scorer in sorted(board.measures.lifted)]
    for measure in [column.measure for column in board.measures.everything()] + lifts:
        if measure.key not in keys.values():
            name = known.get(measure.scorer, measure.scorer)
            keys[f"lift_{name}" if measure.is_lift else name] = measure.key
    return keys


def leaderboard_frame(board: Board) -> pd.DataFrame:
    """One row per generator, best first."""
    shown = {column.key for column in board.measures.everything()}
    names = {name: key for name, key in measure_names(board).items() if key in shown or name in ALWAYS}
    columns = {f"{name}{end}": f"{key}{end}" for name, key in names.items() for end in ENDS}
    measured = {f"{key}{end}" for key in shown for end in ENDS}

    def named(row: Mapping[str, Cell]) -> dict[str, Cell]:
        about = {key: value for key, value in row.items() if key not in measured}
        flags = about.pop("flags")
        return {**about, **{name: row.get(key) for name, key in columns.items()}, "flags": flags}

    return _typed(pd.DataFrame([named(row) for row in board_rows(board)]))


def users_frame(tables: Tables) -> pd.DataFrame:
    """One row per generator and user."""
    labels, _ = tables.personas
    persona = pd.array(labels + 1 if labels.any() else [pd.NA] * len(labels), dtype="Int64")
    about = {"block": tables.block, "ratings": tables.ratings, "persona": persona}
    names = measure_names(tables.board)

    def parts() -> Iterator[pd.DataFrame]:
        for row in tables.board.rows:
            values = {name: tables.value(row.id, key) for name, key in names.items()}
            yield pd.DataFrame({"user": tables.users, "generator": row.id, **about, **values})

    return pd.concat(parts(), ignore_index=True)


def pairs_frame(tables: Tables, scorer: str) -> pd.DataFrame:
    """One row per generator and pair of users.

    Raises:
        SpecError: If no generator has scores of this scorer for images of other users.
    """
    users = np.array(tables.users, object)
    tables_of = {
        row.id: own for row in tables.board.rows if (own := tables.rows[row.id].mean_pairs(scorer)) is not None
    }
    if not tables_of:
        able = {name for rows in tables.rows.values() for name in rows.pairs}
        hint = did_you_mean(scorer, able) if able else "no scorer of this task does"
        raise SpecError(f"no scorer '{scorer}' scores users' images for other users", hint=hint)

    def parts() -> Iterator[pd.DataFrame]:
        for generator, scores in tables_of.items():
            user, place = np.nonzero(np.isfinite(scores))
            images_for = tables.rows[generator].groups.targets[user, place]
            yield pd.DataFrame(
                {
                    "user": users[user],
                    "generator": generator,
                    "images_for": users[images_for],
                    "score": scores[user, place],
                }
            )

    return pd.concat(parts(), ignore_index=True)


def images_frame(tables: Tables) -> pd.DataFrame:
    """One row per generator, user and replicate."""
    scored = {scorer for rows in tables.rows.values() for scorer in rows.scores}
    names = {name: key for name, key in measure_names(tables.board).items() if key in scored}

    def parts() -> Iterator[pd.DataFrame]:
        for row in tables.board.rows:
            own = tables.rows[row.id]
            shown = {(each.user, each.replicate) for each in row.record.images.shown}
            user = np.repeat(np.array(tables.users, object), own.per_user)
            replicate = np.tile(np.arange(own.per_user), len(tables.users))
            item = pd.array(own.item.ravel(), dtype="Int64")
            item[own.item.ravel() < 0] = pd.NA
            columns = {
                "user": user,
                "generator": row.id,
                "replicate": replicate,
                "fit": replicate % own.fits,
                "item": item,
                "failed": own.failed.ravel(),
                "shown": [image in shown for image in zip(user, replicate.tolist(), strict=True)],
                "digest": own.digest.ravel(),
            }
            yield pd.DataFrame(columns | {name: _scores(own.scores.get(key), len(user)) for name, key in names.items()})

    return pd.concat(parts(), ignore_index=True)


def _scores(scores: Floats | None, images: int) -> Floats:
    """float64 [images]; NaN where the generator has none by this scorer."""
    return np.full(images, np.nan) if scores is None else scores.ravel()


def comparison_frame(board: Board, a: str, b: str) -> pd.DataFrame:
    """One row per measure, declared measures first, as a minus b.

    Raises:
        SpecError: If an id is unknown or the pair was not tested.
    """
    names = {key: name for name, key in reversed(measure_names(board).items())}
    rows = []
    for each in compare_generators(board, a, b):
        analysis = "confirmatory" if each.declared else "exploratory"
        values = {COMPARED.get(key, key): value for key, value in comparison_row(each).items() if key not in LEFT_OUT}
        rows.append({"measure": names[each.measure], "analysis": analysis, **values})
    return _typed(pd.DataFrame(rows))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers stay whole where some are missing, and a column without any value is one of numbers."""
    for name in frame.columns:
        if name in WHOLE or name.endswith("_n"):
            frame[name] = frame[name].astype("Int64")
        elif frame[name].isna().all():
            frame[name] = frame[name].astype(float)
    return frame
