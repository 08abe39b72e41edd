"""The look of the leaderboards for charts of your own."""

from __future__ import annotations

from typing import Any

import altair as alt

from benchmark.figures.style import BLUE, GRID, INK, PAGE_FONT, PALETTE, PAPER, SOFT

NAME = "rebeca-bench"
TEXT = {"labelColor": INK, "titleColor": INK, "titleFontWeight": "normal", "labelFontSize": 11, "titleFontSize": 11}
CONFIG: dict[str, Any] = {
    "background": PAPER,
    "font": PAGE_FONT,
    "padding": 8,
    "view": {"stroke": None},
    "axis": TEXT | {"gridColor": GRID, "domainColor": SOFT, "tickColor": SOFT, "tickCount": 6, "labelLimit": 240},
    **{key: {"labelOverlap": True, "labelSeparation": 6} for key in ("axisX", "axisY")},
    "legend": TEXT | {"symbolOpacity": 1, "labelLimit": 240},
    "header": TEXT,
    "title": {"color": INK, "fontSize": 12},
    "mark": {"color": BLUE},
    **{key: {"color": INK} for key in ("text", "rule", "tick")},
    "range": {"category": PALETTE},
}


def use_theme() -> None:
    """Draws Altair's charts in the leaderboards' colours from here on, as SVG, which needs no network."""
    alt.renderers.enable("svg")
    alt.theme.register(NAME, enable=True)(lambda: alt.theme.ThemeConfig(config=CONFIG))
