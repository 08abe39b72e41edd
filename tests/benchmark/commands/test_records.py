"""``site build`` and ``figures``: which records they take, and what they say."""

import json

import pytest

from benchmark.figures import build as figures
from benchmark.site import build as site
from tests.conftest import invoke


@pytest.fixture
def asked(monkeypatch):
    """What would be built, instead of building it."""
    calls = []

    def build_site(roots, out, images, docs):
        calls.append((roots, out, images, docs))
        return out / "index.html"

    def write_figures(records, out):
        calls.append((records, out))
        return [out / "plane.svg", out / "plane.csv"]

    monkeypatch.setattr(site, "build_site", build_site)
    monkeypatch.setattr(figures, "write_figures", write_figures)
    return calls


def test_a_site_is_built_from_the_work_folder_by_default(asked, tmp_path, monkeypatch):
    output = invoke("site", "build", "--workdir", tmp_path / "w", "--out", tmp_path / "site")
    assert output == f"page  {tmp_path / 'site' / 'index.html'}\n"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    invoke("site", "build", "--out", tmp_path / "site")
    assert [roots for roots, *_ in asked] == [
        (tmp_path / "w" / "records",),
        (tmp_path / "cache" / "rebeca-bench" / "records",),
    ]


def test_named_roots_take_the_place_of_the_work_folder(asked):
    output = invoke(
        "site", "build", "results", "more", "--workdir", "w", "--images", "private", "--docs", "d", "--json"
    )
    assert json.loads(output) == {"page": "dist/site/index.html"}
    ((roots, *folders),) = asked
    assert ([str(root) for root in roots], [str(folder) for folder in folders]) == (
        ["results", "more"],
        ["dist/site", "private", "d"],
    )


def test_figures_are_drawn_from_a_tasks_records(asked, done, tmp_path):
    output = invoke("figures", "tiny", "--workdir", done / "w", "--out", tmp_path / "f")
    assert output == f"wrote 2 files to {tmp_path / 'f'}\n"
    output = invoke("figures", "tiny", "--results", done / "w" / "records", "--out", tmp_path / "f", "--json")
    assert json.loads(output) == [str(tmp_path / "f" / name) for name in ("plane.svg", "plane.csv")]
    assert asked == [(done / "w" / "records" / "tiny" / "v1", tmp_path / "f")] * 2


def test_figures_of_no_records_and_without_a_folder(asked, tmp_path):
    assert "rebeca-bench run sprites" in invoke("figures", "sprites", "--workdir", tmp_path, "--out", tmp_path, code=2)
    assert "--out" in invoke("figures", "tiny", code=2)
    assert asked == []
