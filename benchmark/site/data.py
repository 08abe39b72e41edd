"""Data of a site: CSV and JSON to download, and scripts that assign one variable, which the page loads when asked."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np

from benchmark.board import Board, Row, turned_round
from benchmark.record_file import LIFT
from benchmark.site.pictures import Gallery
from benchmark.stats.intervals import mean_intervals
from benchmark.tables import Tables
from rebeca.errors import printable
from rebeca.seeds import SeedScheme

DIGITS = 5
"""Significant digits of what scripts carry; downloads carry all."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def script(value: Any) -> str:
    """A classic script that assigns one variable; pure ASCII, so that nothing in it can end it."""
    return f"rebecaData={json.dumps(value, sort_keys=True, separators=(',', ':')).replace('<', chr(92) + 'u003c')};\n"


def short(value: float | None) -> float | None:
    """A number with few digits; None where there is none."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.{DIGITS}g}")


def leaderboard_json(board: Board) -> str:
    """The board with all digits."""
    columns = board.all_columns()
    rows = [
        {
            "id": row.id, "title": row.title, "family": row.family, "ranked": row.ranked, "rank": row.rank,
            "cells": {c.key: _ends(row.cell(c)) for c in columns}, "seconds_a_picture": row.seconds,
            "failures": row.failures, "status": board.row_status(row), "flags": row.flags,
        }
        for row in board.rows
    ]  # fmt: skip
    described = [
        {"key": c.key, "heading": c.heading, "unit": c.unit, "direction": c.direction, "meaning": c.meaning}
        for c in columns
    ]
    found = {"task": board.task, "people": board.people, "primary": board.primary, "reference": board.reference,
             "made": board.comparison["provenance"]["made"], "digest": board.comparison["digest"],
             "columns": described, "generators": rows}  # fmt: skip
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def leaderboard_csv(board: Board) -> str:
    """The board as a table: three columns a measure; an apostrophe before what a spreadsheet would calculate."""
    columns = board.all_columns()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = [f"{column.key}{part}" for column in columns for part in ("", " low", " high")]
    writer.writerow(
        [
            "id",
            "title",
            "family",
            "rank low",
            "rank high",
            "group",
            *ends,
            "seconds a picture",
            "failures",
            "status",
            "flags",
        ]
    )
    for row in board.rows:
        rank = row.rank or {"low": "", "high": "", "group": ""}
        cells = [_ends(row.cell(column)) or [None] * 3 for column in columns]
        writer.writerow(
            [row.id, plain(row.title), row.family, rank["low"], rank["high"], rank["group"],
             *(value for cell in cells for value in cell), row.seconds, row.failures, board.row_status(row),
             "; ".join(row.flags)]
        )  # fmt: skip
    return out.getvalue()


def plain(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _ends(cell: dict[str, Any] | None) -> list[float | None] | None:
    return None if cell is None else [cell["estimate"], cell["low"], cell["high"]]


def pairs_script(board: Board) -> str:
    """Every tested pair of what was declared: difference, ends, adjusted p, verdict; A minus B."""
    index = {row.id: i for i, row in enumerate(board.rows)}
    found: dict[str, list[Any]] = {}
    for measure in (board.primary, LIFT + board.primary):
        for one in board.families.get(measure, {}).get("comparisons", []):
            if index[one["a"]] > index[one["b"]]:
                one = turned_round(one)
            ends = [short(one["difference"][end]) for end in ("estimate", "low", "high")]
            p = one["test"]["p_max_t"] if one["test"] else None
            found.setdefault(measure, []).append([index[one["a"]], index[one["b"]], *ends, short(p), one["verdict"]])
    return script({"ids": [row.id for row in board.rows], "pairs": found})


def segments_script(tables: Tables) -> str:
    """Every cell for every segment of people: mean and ends; for looking, nothing is tested in segments."""
    board = tables.board
    columns = board.all_columns()
    per_row = [[tables.of(column, row) for column in columns] for row in board.rows]
    table = np.column_stack([values for row in per_row for values in row])
    found = []
    for segment in tables.segments[1:]:
        own = segment.people
        intervals = iter(mean_intervals(table[own], tables.weights[:, own]))
        cells = [[_rounded(next(intervals)) for _ in columns] for _ in board.rows]
        found.append({"id": segment.id, "name": segment.name, "people": int(own.sum()), "cells": cells})
    return script({"columns": [column.key for column in columns], "segments": found})


def _rounded(interval: Any) -> list[float | None] | None:
    ends = [short(value) for value in (interval.estimate, interval.low, interval.high)]
    return None if ends[0] is None else ends


def generator_script(tables: Tables, row: Row, gallery: Gallery) -> str:
    """What the dialog and the comparison need of one generator: everybody's values, and its shown pictures."""
    columns, rows = tables.board.all_columns(), tables.rows[row.id]
    values = {column.key: [short(float(v)) for v in tables.of(column, row)] for column in columns}
    spec, generator = tables.board.comparison["spec"], row.record["generator"]
    seeds = SeedScheme(spec["id"], spec["version"], spec["seed"], generator["offset"])
    pictures = []
    for user, shown in gallery.by_generator.get(row.id, {}).items():
        for one in shown:
            scores = {name: short(float(table[user, one.replicate])) for name, table in rows.scores.items()}
            place = percentile(tables, user, float(rows.scores[tables.primary][user, one.replicate]))
            seed = seeds.picture(tables.users[user], one.replicate, generator["noise_group"])
            pictures.append([user, one.replicate, one.digest, str(seed), scores, place])
    opinions = rows.pairs.get(tables.primary)
    others = {}
    if opinions is not None:
        for user in gallery.by_generator.get(row.id, {}):
            said = np.delete(opinions[:, user], user)
            others[str(user)] = [round(float(v), 3) for v in np.sort(said[np.isfinite(said)], kind="stable")]
    names = {name: row.measures[name]["card"]["name"] for name in rows.scores}
    found = {"id": row.id, "title": row.title, "names": names, "values": values}
    people = {str(user): printable(tables.users[user]) for user in gallery.by_generator.get(row.id, {})}
    return script(found | {"pictures": pictures, "others": others, "people": people})


def percentile(tables: Tables, user: int, score: float) -> int | None:
    """Per cent of all pictures that any generator made for this person which score lower."""
    everything = tables.scores_for[user]
    if not len(everything) or not np.isfinite(score):
        return None
    return round(100 * float(np.searchsorted(everything, score, side="left")) / len(everything))
