"""Every figure of a task, in the order of the page; and all of them as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark.board.board import read_board
from benchmark.board.claims import Claim
from benchmark.board.finding import FITS
from benchmark.board.scope import Scope
from benchmark.board.tables import Tables, read_tables
from benchmark.figures.diversity import diversity
from benchmark.figures.fits import fits
from benchmark.figures.guidance import guidance
from benchmark.figures.judges import judges
from benchmark.figures.making import making
from benchmark.figures.pairs import pairs, ranks
from benchmark.figures.permutations import permutations
from benchmark.figures.plane import planes
from benchmark.figures.scorers import scorers
from benchmark.figures.spreads import spreads
from benchmark.figures.style import SIZES, Figure, Undrawn, attempt, pdf, png, svg
from benchmark.figures.users import users
from benchmark.figures.validity import validity

Files = Mapping[str, bytes]
"""By name."""
Drawing = tuple[Figure, Files]
Family = Callable[[Tables], Sequence[Figure | Undrawn]]
FAMILIES: dict[str, tuple[Family, ...]] = {
    "Preference and personal lift": (planes, diversity),
    "Ranks and pairs": (ranks, permutations, pairs),
    "Fits": (fits,),
    "How users differ": (spreads, users),
    "Guidance": (guidance,),
    "Judges": (judges,),
    "Scorers": (scorers,),
    "Validity": (validity,),
    "Training and cost": (making,),
}
"""Heading of the page -> its figures."""
OF_GENERATORS = ("Ranks and pairs", "How users differ", "Scorers", "Validity")
"""Headings of figures that compare fitted models, and say so in their titles."""


def figures_of(tables: Tables) -> Iterator[tuple[str, Figure | Undrawn]]:
    """Heading and figure, for every figure that the records have data for, drawn or not."""
    names: set[str] = set()
    for heading, families in FAMILIES.items():
        for family in families:
            figures = attempt(family.__name__, partial(family, tables))
            for drawn in [figures] if isinstance(figures, Undrawn) else figures:
                figure = _scoped(drawn, tables.board.scope) if heading in OF_GENERATORS else drawn
                if figure.name in names:
                    raise RuntimeError(f"two figures are called {figure.name}")
                names.add(figure.name)
                yield heading, figure


def _scoped(figure: Figure | Undrawn, scope: Scope) -> Figure | Undrawn:
    if isinstance(figure, Undrawn) or not scope.fits:
        return figure
    claims = (*figure.claims, Claim("", FITS, "is", scope.fits))
    return replace(figure, title=scope.titled(figure.title), claims=claims)


def drawings_of(tables: Tables, draw: Callable[[Figure], Files]) -> Iterator[tuple[str, Drawing | Undrawn]]:
    """As :func:`figures_of`, each figure with the files that ``draw`` makes of it."""
    for heading, figure in figures_of(tables):
        if isinstance(figure, Undrawn):
            yield heading, figure
        else:
            files = attempt(figure.name, partial(draw, figure))
            yield heading, files if isinstance(files, Undrawn) else (figure, files)


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
    for heading, drawing in drawings_of(read_tables(read_board(records)), _for_print):
        if isinstance(drawing, Undrawn):
            index.append({"name": drawing.name, "heading": heading, "cannot be drawn": drawing.reason})
            continue
        figure, files = drawing
        for name, content in files.items():
            (out / name).write_bytes(content)
            written.append(out / name)
        index.append(
            {"name": figure.name, "heading": heading, "title": figure.title, "alt": figure.alt, "note": figure.note}
        )
    path = out / "figures.json"
    path.write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*written, path]


def _for_print(figure: Figure) -> Files:
    files = {f"{figure.name}.csv": figure.data.to_csv(index=False, lineterminator="\n").encode()}
    for name in ("one-column", "two-column"):
        drawn = svg(figure, SIZES[name])
        files |= {
            f"{figure.name}-{name}.svg": drawn.encode(),
            f"{figure.name}-{name}.pdf": pdf(drawn),
            f"{figure.name}-{name}.png": png(drawn, 4.0),
        }
    return files
