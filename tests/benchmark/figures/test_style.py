"""Colours, names and files that all figures share."""

from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest
from PIL import Image

from benchmark.figures.style import (
    BLUE,
    DARK,
    FAMILY_COLOURS,
    INK,
    SIZES,
    Figure,
    adaptive,
    evenly,
    family_colour,
    family_scale,
    family_shape,
    heat,
    left_out,
    pdf,
    png,
    present_families,
    ranked,
    shortened,
    shown,
    svg,
    titled,
)


def rows(count, family="rebeca", in_ranks=True):
    return [SimpleNamespace(id=f"g{i}", title=f"G {i}", family=family, ranked=in_ranks) for i in range(count)]


@pytest.fixture
def figure():
    data = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0], "name": ["one", "two\u202e\u0007"]})

    def draw(size):
        return alt.Chart(data).mark_point(color=BLUE).encode(x="a:Q", y="b:Q", detail="name:N").properties(width=80)

    return Figure("points", "Two points stand here", (), "one: 3; two: 4", data, draw)


def test_the_reference_is_always_among_the_shown():
    board = rows(30)
    assert [row.id for row in shown(board, "g3", 5)] == ["g0", "g1", "g2", "g3", "g4"]
    assert [row.id for row in shown(board, "g29", 5)] == ["g0", "g1", "g2", "g3", "g29"]
    assert left_out(shown(board, "g3", 5), board) == "The first 5 of 30 generators by preference."
    assert left_out(board, board) == ""


def test_findings_are_about_ranked_rows_where_there_are_any():
    board = [*rows(2, in_ranks=False), *rows(3)[2:]]
    assert [row.id for row in ranked(board)] == ["g2"]
    assert len(ranked(rows(2, in_ranks=False))) == 2


def test_long_titles_are_cut_in_the_middle_and_stay_apart():
    long = "rebeca with prior guidance 3 and image guidance"
    cut = shortened([f"{long} 4", f"{long} 5", "short", "short"], 21)
    assert cut[0].startswith("rebeca") and cut[0].endswith("guidance 4") and len(cut[0]) <= 21
    assert cut[1].endswith("guidance 5")
    assert cut[2:] == ["short", "short (2)"]


def test_families_keep_the_palettes_order_and_colours():
    board = [*rows(1, "prompt"), *rows(1, "rebeca"), *rows(1, "prompt")]
    assert present_families(board) == ["rebeca", "prompt"]
    scale = family_scale(board).to_dict()
    assert scale == {"domain": ["rebeca", "prompt"], "range": [FAMILY_COLOURS["rebeca"], FAMILY_COLOURS["prompt"]]}
    assert family_colour(board).to_dict()["scale"] == scale
    assert family_shape(board).to_dict()["scale"]["range"] == ["circle", "triangle-up"]


def test_a_title_is_drawn_for_print_and_left_to_the_page(figure):
    printed, bare = svg(figure, SIZES["two-column"]), svg(figure, SIZES["page"], title=False)
    assert "Two points stand here" in printed and "Two points stand here" not in bare
    assert printed.count(f'stroke="{BLUE}"') == 2
    assert "\u202e" not in printed and "\u0007" not in printed
    assert svg(figure, SIZES["two-column"]) == printed


def test_a_dark_page_changes_the_inks(figure):
    drawn = adaptive(svg(figure, SIZES["page"]))
    assert f'[fill="{INK}"]{{fill:{DARK[INK]}}}' in drawn
    assert drawn.count("prefers-color-scheme: dark") == 1


def test_files_for_print(figure):
    drawn = svg(figure, SIZES["one-column"])
    image = Image.open(BytesIO(png(drawn, 2.0)))
    wide = Image.open(BytesIO(png(drawn, 4.0)))
    assert wide.width == pytest.approx(2 * image.width, abs=2)
    assert min(image.convert("RGB").getpixel((0, 0))) > 250  # white, but for the palette
    assert pdf(drawn)[:5] == b"%PDF-"


@pytest.mark.parametrize(("diverging", "domain"), [(True, [-2.0, 2.0]), (False, [-1.0, 2.0])])
def test_a_heat_map_spans_its_values(diverging, domain):
    data = pd.DataFrame({"x": ["a", "b"], "y": ["c", "c"], "value": [-1.0, 2.0], "text": ["-1", "2"]})
    chart = heat(SIZES["page"], data, alt.X("x:N"), alt.Y("y:N"), "value", diverging=diverging).to_dict()
    cells, numbers = chart["layer"]
    assert cells["encoding"]["color"]["scale"]["domain"] == domain
    assert numbers["encoding"]["text"]["field"] == "text"
    assert chart["width"] == {"step": SIZES["page"].width / 2}


def test_a_title_is_put_above_what_was_drawn_for_a_page(figure):
    drawn = svg(figure, SIZES["page"], title=False)
    alone = titled(drawn, replace(figure, title="A & B < C " * 20 + "\u202e"), SIZES["page"])
    root = ElementTree.fromstring(alone)
    inner = ElementTree.fromstring(drawn)
    assert float(root.get("height")) > float(inner.get("height")) and root.get("width") == inner.get("width")
    lines = [text.text for text in root[0]]
    assert " ".join(lines) == "A & B < C " * 20 + "\ufffd" and len(lines) > 1
    assert alone.count(f'stroke="{BLUE}"') == 2
    assert "DejaVu" in drawn and "DejaVu" not in alone and "Liberation" in alone
    assert png(alone)[1:4] == b"PNG" and pdf(alone)[:5] == b"%PDF-"


@pytest.mark.parametrize(("n", "most", "expected"), [(3, 5, [0, 1, 2]), (5, 3, [0, 2, 4]), (1, 1, [0]), (0, 3, [])])
def test_positions_are_even_and_hold_both_ends(n, most, expected):
    assert evenly(n, most).tolist() == expected
