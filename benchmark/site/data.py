"""Data of a site: CSV and JSON to download, and scripts that assign one variable, which pages load on demand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmark.analysis.numbers import Interval
from benchmark.board.board import Board
from benchmark.board.row import Row
from benchmark.board.tables import Tables
from benchmark.records.submitted import FORMULA
from benchmark.site.images import Gallery
from benchmark.site.parts import SCRIPT, cut, parts_of_values
from benchmark.stats.groups import Groups
from benchmark.stats.intervals import mean_intervals
from rebeca.arrays import Floats
from rebeca.errors import printable
from rebeca.seeds import SeedScheme

MOST_OTHERS = 200
"""Other users in the strip below an image."""
DIGITS = 5
"""Significant digits of numbers in scripts; downloads hold all digits."""


def script(value: Any) -> str:
    """A classic script that assigns one variable; pure ASCII without ``<``, so that no text can end it."""
    return f"rebecaData={json.dumps(value, sort_keys=True, separators=(',', ':')).replace('<', chr(92) + 'u003c')};\n"


def short(value: float | None) -> float | None:
    """A number with few digits; None where it is missing or not finite."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.{DIGITS}g}")


def leaderboard_json(board: Board) -> str:
    """The leaderboard with all digits."""
    columns = board.measures.everything()
    leaderboard = {
        "task": board.task.model_dump(),
        "users": board.users,
        "primary": board.primary,
        "reference": board.reference,
        "created": board.record.provenance.created,
        "digest": board.record.digest,
        "columns": [
            {"key": c.key, "heading": c.heading, "unit": c.unit, "direction": c.direction, "meaning": c.meaning}
            for c in columns
        ],
        "generators": [
            {
                "id": row.id,
                "title": row.title,
                "family": row.family,
                "ranked": row.ranked,
                "rank": None if row.rank is None else asdict(row.rank),
                "fits": row.fits,
                "between_fits": row.between_fits(board.preference),
                "cells": {column.key: _ends(row.cell(column)) for column in columns},
                "seconds_per_image": row.seconds,
                "failures": row.failures,
                "class": row.category,
                "who": row.who,
                "status": row.status,
                "flags": row.flags,
            }
            for row in board.rows
        ],
    }
    return json.dumps(leaderboard, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def leaderboard_csv(board: Board) -> str:
    """The leaderboard as a table, with three columns per measure: estimate, low, high."""
    columns = board.measures.everything()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = [f"{column.key}{part}" for column in columns for part in ("", " low", " high")]
    first = ("id", "title", "family", "rank low", "rank high", "letters", "fits", "between fits")
    writer.writerow([*first, *ends, "seconds per image", "failures", "class", "who", "status", "flags"])
    for row in board.rows:
        rank = ("", "", "") if row.rank is None else (row.rank.low, row.rank.high, row.rank.letters)
        cells = [value for column in columns for value in _ends(row.cell(column)) or [None] * 3]
        writer.writerow(
            [
                row.id,
                plain(row.title),
                row.family,
                *rank,
                row.fits,
                row.between_fits(board.preference),
                *cells,
                row.seconds,
                row.failures,
                row.category,
                plain(row.who),
                row.status,
                "; ".join(row.flags),
            ]
        )
    return out.getvalue()


def plain(text: str) -> str:
    """A text with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _ends(cell: Interval | None) -> list[float | None] | None:
    return None if cell is None else [cell.estimate, cell.low, cell.high]


def pairs_script(board: Board) -> str:
    """Every tested pair of every measure: A minus B, its interval, adjusted p, verdict."""
    index = {row.id: i for i, row in enumerate(board.rows)}
    pairs: dict[str, list[list[int | float | str | None]]] = {}
    for measure in (column.measure for column in board.measures.everything()):
        for recorded in board.comparisons(measure):
            pair = recorded.reversed() if index[recorded.a] > index[recorded.b] else recorded
            ends = [short(value) for value in _ends(pair.difference) or ()]
            pairs.setdefault(measure.key, []).append([index[pair.a], index[pair.b], *ends, short(pair.p), pair.verdict])
    return script({"ids": [row.id for row in board.rows], "pairs": pairs})


def segments_scripts(tables: Tables) -> dict[str, str]:
    """Which segments of users there are; and for each, mean and interval of every cell. Nothing is tested in them.

    Returns:
        By name: ``segments``, which every leaderboard loads, and ``segment-ID``, which it loads when it is chosen.
    """
    board = tables.board
    columns = board.measures.everything()
    any_row = tables.rows[board.rows[0].id]
    measured = [(tables.table(column.key, board.rows), any_row.bounds(column.measure)) for column in columns]
    scripts, segments = {}, []
    for segment in tables.segments[1:]:
        own = segment.users
        means = [
            [
                tables.fits.widened(mean, column.key, row.id, bounds)
                for row, mean in zip(
                    board.rows, mean_intervals(table[own], tables.weights[:, own], bounds=bounds), strict=True
                )
            ]
            for column, (table, bounds) in zip(columns, measured, strict=True)
        ]
        rows = [[_rounded(Interval.of(mean)) for mean in row] for row in zip(*means, strict=True)]
        segments.append({"id": segment.id, "name": segment.name, "users": int(own.sum())})
        scripts[f"segment-{segment.id}"] = script({"cells": rows})
    return {"segments": script({"columns": [column.key for column in columns], "segments": segments})} | scripts


def _rounded(interval: Interval) -> list[float | None] | None:
    ends = [short(value) for value in (interval.estimate, interval.low, interval.high)]
    return None if ends[0] is None else ends


def names_scripts(users: Sequence[str], most: int = SCRIPT) -> dict[str, str]:
    """Names of all users, which the search and the comparison load; ``users/1``, and more where they are many."""
    parts = cut([len(json.dumps(user)) + 1 for user in users], most)
    return {f"users/{part.number}": script({"names": [users[u] for u in part.users]}) for part in parts}


def generator_scripts(tables: Tables, row: Row, gallery: Gallery, most: int = SCRIPT) -> dict[str, str]:
    """What the dialog and the comparison need of one generator: all users' values, and its shown images.

    Returns:
        By name: ``generator-ID`` with the images and the first users' values; and ``generator-ID/2`` and so on with
        those of the others, where users are many.
    """
    keys = [column.key for column in tables.board.measures.everything()]
    values = {key: [short(value) for value in tables.value(row.id, key).tolist()] for key in keys}
    parts = parts_of_values(len(tables.users), len(keys), most)
    scripts = {}
    for part in parts:
        own: dict[str, Any] = {"values": {key: values[key][part.users.start : part.users.stop] for key in keys}}
        if part.number == 1:
            own |= asdict(_shown(tables, row, gallery)) | {"parts": len(parts)}
        scripts[f"generator-{row.id}" + (f"/{part.number}" if part.number > 1 else "")] = script(own)
    return scripts


@dataclass(frozen=True, slots=True)
class _Shown:
    """A generator's names, and what is shown of the users with images.

    Attributes:
        names: Of its scorers, by key.
        images: User, replicate, digest, seed, scores and percentile of each image.
        own: Preference, by user.
        others: How other users like a user's set, from low to high, by user.
        users: Names, by user.
    """

    id: str
    title: str
    names: dict[str, str]
    images: list[list[Any]]
    own: dict[str, float | None]
    others: dict[str, list[float]]
    users: dict[str, str]


def _shown(tables: Tables, row: Row, gallery: Gallery) -> _Shown:
    rows = tables.rows[row.id]
    spec, generator = tables.board.record.spec, row.record.generator
    seeds = SeedScheme(spec.id, spec.version, spec.seed, generator.offset)
    own = gallery.by_generator.get(row.id, {})
    images = [
        [
            user,
            image.replicate,
            image.digest,
            str(seeds.image(tables.users[user], image.replicate, generator.noise_group)),
            {name: short(float(table[user, image.replicate])) for name, table in rows.scores.items()},
            percentile(tables, user, float(rows.scores[tables.primary][user, image.replicate])),
        ]
        for user, shown in own.items()
        for image in shown
    ]
    pairs, groups = rows.mean_pairs(tables.primary), rows.groups
    preference = tables.value(row.id, tables.primary)
    return _Shown(
        id=row.id,
        title=row.title,
        names={name: row.card(name).name for name in rows.scores},
        images=images,
        own={str(user): short(float(preference[user])) for user in own},
        others={str(user): _others(pairs, groups, user) for user in own if pairs is not None},
        users={str(user): printable(tables.users[user]) for user in own},
    )


def _others(pairs: Floats, groups: Groups, user: int) -> list[float]:
    """How other users like a user's set, from low to high; of many, evenly spaced ones with the lowest and highest."""
    judges = groups.each()[groups.label[user]]
    scores = np.sort(pairs[judges[judges != user], groups.place[user]], kind="stable")
    known = scores[np.isfinite(scores)]
    drawn = np.linspace(0, len(known) - 1, min(len(known), MOST_OTHERS)).round().astype(int)
    return [round(score, 3) for score in known[drawn].tolist()]


def percentile(tables: Tables, user: int, score: float) -> int | None:
    """Percentage of lower scores among all images that any generator returned for this user."""
    scores = tables.scores_for[user]
    if not len(scores) or not np.isfinite(score):
        return None
    return round(100 * float(np.searchsorted(scores, score, side="left")) / len(scores))
