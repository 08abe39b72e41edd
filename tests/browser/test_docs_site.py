"""The site of the docs in a browser: nothing fetched or cut off, nothing that axe finds, search, keyboard."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from scripts.docs_site.notebooks import executed
from tests.browser.conftest import until
from tests.conftest import ROOT
from tests.test_docs_site import CHART, notebook

pytestmark = pytest.mark.slow

PAGES = [
    "index.html", "tutorial/first-generator.html", "how-to/write-a-plugin.html", "reference/commands.html",
    "reference/records.html", "api/contracts.html", "api/method.html", "api/results.html",
    "explanation/statistics.html", "reports/calibration.html", "repository/index.html", "repository/CONTRIBUTING.html",
    "notebooks/small.html",
]  # fmt: skip
LONG = "print('a long line ' * 40)"


@pytest.fixture(scope="module")
def docs_site(tmp_path_factory):
    """The site as CI builds it, with a small notebook that was executed; the others show their code."""
    root = tmp_path_factory.mktemp("repository")
    for path in ROOT.iterdir():
        if path.name not in ("docs", "dist", ".git"):
            (root / path.name).symlink_to(path)
    shutil.copytree(ROOT / "docs", root / "docs")
    small = notebook(root / "docs" / "notebooks", "# A small notebook", CHART, "table", LONG)
    nbformat.write(executed(small), small)
    with (root / "docs" / "README.md").open("a") as index:
        index.write("\n## More\n\n| page | it shows |\n|---|---|\n| [Small](notebooks/small.ipynb) | a chart |\n")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", root / "mkdocs.yml"]
    environment = {
        **os.environ, "EXECUTE_NOTEBOOKS": "false", "LEADERBOARDS": "../index.html", "NO_MKDOCS_2_WARNING": "1"
    }  # fmt: skip
    done = subprocess.run(build, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "dist" / "docs"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(open_page, violations, docs_site, name, scheme):
    assert violations(open_page(docs_site / name, color_scheme=scheme)) == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_its_width(open_page, docs_site, name, width):
    page = open_page(docs_site / name, width=width)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = """() => [...document.querySelectorAll('article *')].filter(e => e.getBoundingClientRect().right > innerWidth)
        .filter(e => !e.closest('pre, .md-typeset__scrollwrap, .output')).map(e => e.outerHTML.slice(0, 200))"""
    assert page.evaluate(cut) == []


def test_search_works_from_the_disk(open_page, docs_site):
    page = open_page(docs_site / "index.html", width=1280)
    page.locator("input.md-search__input").press_sequentially("personal lift")
    until(page, "document.querySelectorAll('.md-search-result__link').length > 2")
    page.locator(".md-search-result__link").first.click()
    page.wait_for_load_state()
    assert "personal lift" in page.locator("article").inner_text().lower()


def test_a_chart_of_a_notebook_is_drawn(open_page, docs_site):
    page = open_page(docs_site / "notebooks" / "small.html")
    assert page.locator("article img").evaluate("image => image.naturalWidth") > 50
    assert page.locator("article table tbody tr").count() == 2
    assert page.evaluate("document.querySelectorAll('article script, article style').length") == 0


def test_pages_lead_to_the_leaderboards_and_to_the_next_page(open_page, docs_site):
    page = open_page(docs_site / "tutorial" / "first-leaderboard.html", width=1280)
    assert page.locator(".md-tabs a", has_text="Leaderboards").get_attribute("href") == "../../index.html"
    assert page.locator(".md-footer__link--next").count() == 1


def test_dark_pages_have_the_colours_of_the_leaderboards(open_page, docs_site):
    page = open_page(docs_site / "index.html", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 21)"
    link = page.locator("article a:not(.headerlink)").first
    assert link.evaluate("element => getComputedStyle(element).color") == "rgb(108, 184, 238)"
