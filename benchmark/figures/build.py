"""Every figure of a task, in the order of the page; and all of them as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmark.board.board import read_board
from benchmark.board.tables import Tables, read_tables
from benchmark.figures.guidance import guidance
from benchmark.figures.judges import judges
from benchmark.figures.making import making
from benchmark.figures.pairs import pairs, ranks
from benchmark.figures.permutations import permutations
from benchmark.figures.plane import planes
from benchmark.figures.scorers import scorers
from benchmark.figures.spreads import spreads
from benchmark.figures.style import SIZES, Figure, pdf, png, svg
from benchmark.figures.users import users
from benchmark.figures.validity import validity

FAMILIES = {
    "Preference and personal lift": planes,
    "Ranks and pairs": lambda tables: [*ranks(tables), *permutations(tables), *pairs(tables)],
    "How users differ": lambda tables: [*spreads(tables), *users(tables)],
    "Guidance": guidance,
    "Judges": judges,
    "Scorers": scorers,
    "Validity": validity,
    "Training and cost": making,
}
"""Heading of the page -> its figures."""


def figures_of(tables: Tables) -> Iterator[tuple[str, Figure]]:
    """Heading and figure, for every figure that the records have data for."""
    names: set[str] = set()
    for heading, family in FAMILIES.items():
        for figure in family(tables):
            if figure.name in names:
                raise ValueError(f"two figures are called {figure.name}")
            names.add(figure.name)
            yield heading, figure


def write_figures(records: Path, out: Path) -> list[Path]:
    """Writes every figure of a task version for print: NAME.csv, and NAME-SIZE.svg, .pdf and .png.

    Args:
        records: ``<root>/<task id>/v<version>``.
        out: Where to.

    Returns:
        The files, and ``figures.json`` with the findings and text alternatives.
    """
    out.mkdir(parents=True, exist_ok=True)
    written, index = [], []
    for heading, figure in figures_of(read_tables(read_board(records))):
        path = out / f"{figure.name}.csv"
        figure.data.to_csv(path, index=False, lineterminator="\n")
        written.append(path)
        for name in ("one-column", "two-column"):
            drawn = svg(figure, SIZES[name])
            for ending, content in (("svg", drawn.encode()), ("pdf", pdf(drawn)), ("png", png(drawn, 4.0))):
                path = out / f"{figure.name}-{name}.{ending}"
                path.write_bytes(content)
                written.append(path)
        index.append(
            {"name": figure.name, "heading": heading, "title": figure.title, "alt": figure.alt, "note": figure.note}
        )
    path = out / "figures.json"
    path.write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*written, path]
