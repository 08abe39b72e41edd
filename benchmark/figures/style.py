"""What all figures share: colours, sizes, and how a chart becomes SVG, PNG and PDF."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from markupsafe import escape
from PIL import Image

from benchmark.board.claims import Claim
from benchmark.board.row import Row
from rebeca.arrays import Ints
from rebeca.errors import printable

T = TypeVar("T")
FAMILY_COLOURS = {
    "rebeca": "#0072B2",
    "catalogue": "#E69F00",
    "prompt": "#009E73",
    "external": "#CC79A7",
    "control": "#56B4E9",
    "adversary": "#D55E00",
}
"""Okabe and Ito's palette, safe for colour-blind readers; the shape tells families apart as well."""
FAMILY_SHAPES = {
    "rebeca": "circle",
    "catalogue": "square",
    "prompt": "triangle-up",
    "external": "diamond",
    "control": "cross",
    "adversary": "triangle-down",
}
BLUE, ORANGE, GREEN, PINK, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
PALETTE = [BLUE, ORANGE, GREEN, PINK, SKY, RED]
INK, SOFT, GRID, PAPER = "#1a1a1a", "#5c5c58", "#d9d9d6", "#fcfcfa"
DARK = {INK: "#ececea", SOFT: "#a8a8a4", GRID: "#3a3a38", PAPER: "#161615", BLUE: "#4aa3df", GREEN: "#1dbd93"}
"""What takes the place of these on a dark page: text, lines, and the two of the palette that are too dark for it."""
PRINT_FONT = "Liberation Sans, Arial, Helvetica"
"""Of PNG and PDF, which the renderer draws itself."""
PAGE_FONT = "DejaVu Sans, Verdana, Arial, Helvetica"
"""Measured with the widest, so that labels fit with any of them."""
SEQUENTIAL = ["#f2f0e6", "#9ecae1", "#4292c6", "#08519c", "#08306b"]
"""From little to much; falls evenly in lightness, so that it reads in grey."""
DIVERGING = ["#8c510a", "#d8b365", "#f6f6f3", "#67a9cf", "#2166ac"]
MOST = 24
"""Generators that a figure with a row or panel for each of them shows."""
SHORTEST_TITLE = 34
TITLE_OFFSET, PADDING, LINE_HEIGHT = 8, 12, 1.25
"""Pixels between a title and its figure, around both, and a line's height as a multiple of its letters'."""
MIDDLE = "length(datum.label) > 40 ? slice(datum.label, 0, 20) + '…' + slice(datum.label, -19) : datum.label"
"""Long names beside an axis are cut in the middle: the generators of a sweep differ at their ends."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a figure is drawn.

    Attributes:
        width: Of the data, in pixels of 1/72 inch on paper.
        font: Size of labels.
    """

    width: int
    font: int


SIZES = {"page": Size(600, 13), "two-column": Size(430, 8), "one-column": Size(180, 7)}
"""The page of the site; 7.2 and 3.5 inches of a printed page, axes included."""


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One figure.

    Attributes:
        name: File name without its ending.
        title: The finding, one sentence.
        claims: What the title states.
        alt: The same in numbers, for those who do not see it.
        data: What it shows; also written as CSV.
        draw: Makes the chart for a size.
        note: How to read it, one or two sentences.
        answers: Whether its marks have labels that the page shows on hover.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    alt: str
    data: pd.DataFrame
    draw: Callable[[Size], Any]
    note: str = ""
    answers: bool = False


@dataclass(frozen=True, slots=True)
class Undrawn:
    """A figure that cannot be drawn.

    Attributes:
        name: Its name, or that of its kind.
        reason: What in its data prevents it.
    """

    name: str
    reason: str


UNUSUAL = (ArithmeticError, LookupError, TypeError, ValueError)
"""What numpy, pandas and the renderer raise for data that a figure does not expect."""


def attempt(name: str, work: Callable[[], T]) -> T | Undrawn:
    """The result of ``work``, or why there is none."""
    try:
        return work()
    except UNUSUAL as error:
        text = str(error).splitlines()
        return Undrawn(name, printable(f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__))


def present(figures: Mapping[str, Callable[[], Figure | None]]) -> list[Figure | Undrawn]:
    """The figures by name, without those that the records have no data for; one that fails costs no other."""
    results = (attempt(name, make) for name, make in figures.items())
    return [figure for figure in results if figure is not None]


def svg(figure: Figure, size: Size, title: bool = True) -> str:
    """A figure as SVG on a transparent ground, in the colours of a light page; without ``title`` for a page."""
    spec = _styled(figure, figure.draw(size), size, title, "transparent")
    return _named_in_order(vl_convert.vegalite_to_svg(spec))


def chart(figure: Figure, size: Size) -> Any:
    """A figure with its title as an Altair chart on white."""
    drawn = figure.draw(size)
    return type(drawn).from_dict(_styled(figure, drawn, size, True, "white"), validate=False)


def titled(drawn: str, figure: Figure, size: Size) -> str:
    """A figure that was drawn for a page, with its title above it and in the fonts of print.

    Drawing it again would take longer than all else that is done for the page.
    """
    lines = _wrapped(figure.title, size)
    step = round((size.font + 2) * LINE_HEIGHT)
    room = step * len(lines) + TITLE_OFFSET
    root, content = drawn.split(">", 1)
    width, height = (float(re.findall(rf'\b{side}="([\d.]+)"', root)[0]) for side in ("width", "height"))
    text = "".join(
        f'<text x="{PADDING}" y="{PADDING + step * k + size.font}">{escape(printable(line))}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width:g}"'
        f' height="{height + room:g}" viewBox="0 0 {width:g} {height + room:g}">'
        f'<g font-family="{PRINT_FONT}" font-size="{size.font + 2}px" fill="{INK}">{text}</g>'
        f'<g transform="translate(0,{room})">{content.removesuffix("</svg>")}</g></svg>'
    ).replace(PAGE_FONT, PRINT_FONT)


def _wrapped(title: str, size: Size) -> list[str]:
    wide = max(SHORTEST_TITLE, int(size.width / size.font * 2.0))
    return textwrap.wrap(title, wide, break_long_words=True)


def _styled(figure: Figure, drawn: Any, size: Size, title: bool, background: str) -> Any:
    """A chart as Vega-Lite with its data, and the look that all figures share.

    The look is added to the finished specification: Altair copies the whole chart for each part of it.
    """
    with alt.data_transformers.enable("default", max_rows=None):
        spec = drawn.to_dict(validate=False)
    if title:
        spec["title"] = {
            "text": _wrapped(figure.title, size),
            "anchor": "start",
            "fontSize": size.font + 2,
            "color": INK,
            "fontWeight": "normal",
            "offset": TITLE_OFFSET,
        }
    plain = {"labelFontSize": size.font, "titleFontSize": size.font, "labelColor": INK, "titleColor": INK}
    plain |= {"titleFontWeight": "normal"}
    axis = {"gridColor": GRID, "domainColor": SOFT, "tickColor": SOFT, "labelExpr": MIDDLE, "tickCount": 6}
    spec["config"] = {
        "font": PRINT_FONT if title else PAGE_FONT,
        "background": background,
        "padding": PADDING,
        "aria": figure.answers,
        "view": spec["config"]["view"] | {"stroke": None},
        "axis": plain | axis | {"labelLimit": size.font * 30},
        "legend": plain | {"symbolOpacity": 1, "labelLimit": 260},
        "header": plain | {"labelLimit": 240},
    }
    return _printable(spec)


def _printable(spec: Any) -> Any:
    """The spec without characters that no SVG may hold: the renderer ends the process over them."""
    if isinstance(spec, dict):
        return {key: _printable(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_printable(value) for value in spec]
    return printable(spec) if isinstance(spec, str) else spec


def _named_in_order(drawn: str) -> str:
    """Numbers gradients and clips anew in every figure; the renderer counts them over the whole process."""
    names = re.findall(r'id="(\w+?\d+)"', drawn)
    place = {name: f"part-{k}" for k, name in enumerate(dict.fromkeys(names))}
    return re.sub(r'(id="|url\(#)(\w+?\d+)', lambda match: match[1] + place.get(match[2], match[2]), drawn)


def adaptive(drawn: str) -> str:
    """SVG that follows the reader's choice of a light or dark page, also as an image."""
    rules = "".join(
        f'[fill="{light}"]{{fill:{dark}}}[stroke="{light}"]{{stroke:{dark}}}' for light, dark in DARK.items()
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    return re.sub(r"(<svg [^>]*>)", lambda match: match[1] + style, drawn, count=1)


def png(drawn: str, scale: float = 2.0) -> bytes:
    """PNG on white, in 128 colours: figures have few, and files a quarter of the size."""
    image = Image.open(BytesIO(vl_convert.svg_to_png(_on_white(drawn), scale=scale))).convert("RGB")
    buffer = BytesIO()
    image.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(buffer, "PNG")
    return buffer.getvalue()


def pdf(drawn: str) -> bytes:
    """PDF on white; the renderer's random order of names is sorted, so that equal figures are equal files."""
    unsorted = bytes(vl_convert.svg_to_pdf(_on_white(drawn)))
    names = rb"(?:[ ]*/[A-Za-z]+\d+ \d+ 0 R\n){2,}"
    return re.sub(names, lambda match: b"".join(sorted(match[0].splitlines(True))), unsorted)


def _on_white(drawn: str) -> str:
    return re.sub(r"(<svg [^>]*>)", r'\1<rect width="100%" height="100%" fill="white"/>', drawn, count=1)


def shown(rows: Sequence[Row], reference: str, most: int = MOST) -> list[Row]:
    """The first rows of a leaderboard, the reference among them if it is one; figures name how many were left out."""
    kept, cut = list(rows[:most]), [row for row in rows[most:] if row.id == reference]
    return kept[: most - len(cut)] + cut


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Rows that take part in the ranks, or all where none does: findings are about these, however few are drawn."""
    return [row for row in rows if row.ranked] or list(rows)


def shortened(titles: Sequence[str], most: int) -> list[str]:
    """Titles that fit, cut in the middle, where they differ least; those that are then equal get a number."""
    out: list[str] = []
    for title in titles:
        keep = max(8, most - 1)
        text = title if len(title) <= most else f"{title[: keep - keep // 2].rstrip()}…{title[-(keep // 2) :].lstrip()}"
        name, count = text, 1
        while name in out:
            count += 1
            name = f"{text} ({count})"
        out.append(name)
    return out


def left_out(kept: Sequence[Row], rows: Sequence[Row]) -> str:
    """How many rows a figure does not show, as a sentence; empty for none."""
    return f"The first {len(kept)} of {len(rows)} generators by preference." if len(kept) < len(rows) else ""


def evenly(n: int, most: int) -> Ints:
    """Int [at most ``most``]; evenly spaced positions of n, all where they are few."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)


def line_colour(names: Sequence[str], size: Size) -> alt.Color:
    """A colour per generator, for up to six lines."""
    return alt.Color(
        "generator:N",
        sort=list(names),
        scale=alt.Scale(domain=list(names), range=PALETTE[: len(names)]),
        legend=alt.Legend(title=None, orient="bottom", columns=2 if size.width > 250 else 1),
    )


def family_colour(rows: Sequence[Row]) -> alt.Color:
    return alt.Color("family:N", scale=family_scale(rows), legend=alt.Legend(title=None, orient="bottom"))


def family_scale(rows: Sequence[Row]) -> alt.Scale:
    families = present_families(rows)
    return alt.Scale(domain=families, range=[FAMILY_COLOURS[family] for family in families])


def family_shape(rows: Sequence[Row]) -> alt.Shape:
    """Shape by family; the colour's legend explains it too."""
    families = present_families(rows)
    scale = alt.Scale(domain=families, range=[FAMILY_SHAPES[family] for family in families])
    return alt.Shape("family:N", scale=scale, legend=alt.Legend(title=None, orient="bottom"))


def present_families(rows: Sequence[Row]) -> list[str]:
    """Families in the palette's order."""
    return [family for family in FAMILY_COLOURS if any(row.family == family for row in rows)]


def heat(size: Size, data: pd.DataFrame, x: Any, y: Any, value: str, **options: Any) -> Any:
    """A heat map with its numbers written in the cells.

    Args:
        size: How large.
        data: One row per cell, with ``value``, ``text`` and the fields of ``x`` and ``y``.
        x: Horizontal encoding.
        y: Vertical encoding.
        value: Field that is coloured.
        **options: ``title`` of the legend, ``cell`` (width and height), ``diverging``, ``domain``.
    """
    diverging = bool(options.get("diverging"))
    low, high = float(data[value].min()), float(data[value].max())
    if diverging:
        high = max(abs(low), abs(high), 1e-9)
        low = -high
    low, high = options.get("domain", (low, high))
    scale = alt.Scale(domain=[low, high], range=DIVERGING if diverging else SEQUENTIAL, interpolate="lab")
    legend = alt.Legend(title=options.get("title", value), orient="right", gradientLength=90)
    base = alt.Chart(data).encode(x=x, y=y)
    middle, reach = (low + high) / 2, (high - low) / 2
    light = f"abs(datum['{value}'] - {middle}) > {0.6 * reach}" if diverging else f"datum['{value}'] > {middle}"
    ink = alt.condition(light, alt.value("#ffffff"), alt.value(INK_ON_CELLS))
    layers = [base.mark_rect().encode(color=alt.Color(f"{value}:Q", scale=scale, legend=legend))]
    if "text" in data:
        layers.append(base.mark_text(fontSize=size.font).encode(text="text:N", color=ink))
    cell = options.get("cell", (size.width / max(1, data[x.shorthand.partition(":")[0]].nunique()), size.font * 2.2))
    return alt.layer(*layers).properties(width=alt.Step(cell[0]), height=alt.Step(cell[1]))


INK_ON_CELLS = "#1b1b1b"
"""Text on coloured cells; another value than INK, because cells keep their colours on a dark page."""
