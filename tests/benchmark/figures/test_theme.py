"""Charts of users in the leaderboards' colours."""

import altair as alt
import pandas as pd
import pytest
import vl_convert

from benchmark.figures.style import BLUE, DARK, INK, PAPER, adaptive
from benchmark.figures.theme import NAME, use_theme


@pytest.fixture
def themed():
    """The theme and its renderer, for one test."""
    with alt.theme.enable("default"), alt.renderers.enable("default"):
        use_theme()
        yield


@pytest.mark.usefixtures("themed")
def test_a_chart_has_the_colours_of_the_leaderboards():
    chart = alt.Chart(pd.DataFrame({"x": ["a"], "y": [1]})).mark_bar().encode(x="x", y="y")
    drawn = adaptive(vl_convert.vegalite_to_svg(chart.to_dict()))
    assert all(f'fill="{colour}"' in drawn for colour in (PAPER, INK, BLUE))
    assert f'[fill="{PAPER}"]{{fill:{DARK[PAPER]}}}' in drawn
    assert list(chart._repr_mimebundle_()) == ["image/svg+xml"]


@pytest.mark.usefixtures("themed")
def test_the_theme_is_named():
    assert alt.theme.active == NAME


def test_importing_it_changes_no_chart():
    assert alt.theme.active != NAME
