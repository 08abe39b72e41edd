"""The site of the docs: every page is in the index, every public name in the API pages, links and notebooks work."""

import re
from importlib import import_module

import nbformat
import pytest
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbclient.exceptions import CellExecutionError

from scripts.docs_site import hooks
from scripts.docs_site.docstrings import as_markdown
from scripts.docs_site.notebooks import markdown_of
from tests.conftest import ROOT

DOCS = ROOT / "docs"
NAVIGATION = hooks.navigation((DOCS / "README.md").read_text())
PACKAGES = ("rebeca", "rebeca.scorers", "rebeca.testing", "benchmark")


def test_every_page_and_notebook_is_in_the_navigation():
    listed = list(hooks.places_in(NAVIGATION))
    files = {path.relative_to(ROOT).as_posix() for kind in ("*.md", "*.ipynb") for path in DOCS.rglob(kind)}
    inside = [place for place in listed if not place.startswith(hooks.OUTSIDE)]
    assert sorted(inside) == sorted(hooks.place_of(path) for path in files - {"docs/README.md"})
    assert all((ROOT / hooks.path_of(place)).is_file() for place in set(listed) - set(inside))


def test_the_tutorial_comes_first():
    assert NAVIGATION[0] == {"Home": "README.md"}
    assert list(NAVIGATION[1]) == ["Tutorial"]


def public_names(package):
    """Names that users import; none where the package or its list is absent."""
    try:
        return [f"{package}.{name}" for name in getattr(import_module(package), "__all__", ())]
    except ModuleNotFoundError:
        return []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_its_place_in_the_api_pages(package):
    pages = "\n".join(page.read_text() for page in sorted(DOCS.glob("api/*.md")))
    described = re.findall(r"^::: (\S+)$", pages, re.MULTILINE)
    assert len(described) == len(set(described))
    missing = sorted(set(public_names(package)) - set(described))
    assert not missing, "each needs a line '::: NAME' in a page of docs/api"


def test_public_names_are_found():
    assert "rebeca.Generator" in public_names("rebeca")


# ------------------------------------------------------------------------------------------------------------- links


@pytest.fixture
def rewritten(tmp_path):
    """What a link of a page becomes, in a repository of a few files."""
    for path in ("docs/README.md", "docs/how-to/a.md", "docs/n.ipynb", "docs/i.svg", "tasks/t.md", "tasks/t.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    config = MkDocsConfig()
    config.load_dict({"site_name": "x", "docs_dir": str(tmp_path / "docs"), "site_dir": str(tmp_path / "out")})
    config.validate()
    places = ("README.md", "how-to/a.md", "n.md", "i.svg", "repository/tasks/t.md")
    files = Files([File(place, config.docs_dir, config.site_dir, use_directory_urls=False) for place in places])

    def rewrite(page, text):
        page = Page(None, files.get_file_from_path(page), config)
        return hooks.on_page_markdown(text, page, config, files)

    return rewrite


@pytest.mark.parametrize(
    ("page", "before", "after"),
    [
        ("how-to/a.md", "[x](../README.md#b)", "[x](../README.md#b)"),
        ("how-to/a.md", "[x](../../tasks/t.md)", "[x](../repository/tasks/t.md)"),
        ("how-to/a.md", "[x](../n.ipynb)", "[x](../n.md)"),
        ("how-to/a.md", "[x](../../tasks/t.yaml) and [y](https://a.b/c)", "x and [y](https://a.b/c)"),
        ("how-to/a.md", "[x](gone.md)", "[x](gone.md)"),
        ("how-to/a.md", "1<!-- record | row --> of 2", "1 of 2"),
        ("repository/tasks/t.md", "![x](../docs/i.svg)", "![x](../../i.svg)"),
        ("repository/tasks/t.md", "[x](../docs/how-to/a.md)", "[x](../../how-to/a.md)"),
    ],
)
def test_links_lead_to_the_same_file_in_the_site(rewritten, page, before, after):
    assert rewritten(page, before) == after


def test_other_files_are_linked_where_the_repository_has_an_address(rewritten, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "https://code.example/r/"\n')
    text = rewritten("README.md", "[x](../tasks/t.yaml#L3)")
    assert text == "[x](https://code.example/r/blob/main/tasks/t.yaml#L3)"


def test_a_broken_link_is_an_error():
    """mkdocs warns of it, and ``make docs`` is strict."""
    validation = yaml.safe_load((ROOT / "mkdocs.yml").read_text().partition("validation:")[2])
    assert {level for kind in validation.values() for level in kind.values()} == {"warn"}
    assert "mkdocs build --strict" in (ROOT / "Makefile").read_text()


# ----------------------------------------------------------------------------------------- docstrings and notebooks


def test_docstrings_become_markdown():
    text = "See :func:`like` and :class:`~rebeca.Part`.\n\nExample:\n    >>> 1\n    1"
    assert as_markdown(text) == "See `like` and `rebeca.Part`.\n\nExamples: Example:\n    >>> 1\n    1"


def notebook(folder, *cells):
    """A notebook without outputs; text cells begin with ``#``."""
    make = {True: nbformat.v4.new_markdown_cell, False: nbformat.v4.new_code_cell}
    path = folder / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[make[cell.startswith("#")](cell) for cell in cells]), path)
    return path


CHART = """import altair as alt
import pandas as pd
table = pd.DataFrame({"x": [1, 2], "y": ["<a>", "b"]})
alt.Chart(table).mark_bar().encode(x="x", y="y")"""


def test_a_notebook_becomes_a_page_with_its_outputs(tmp_path):
    text, images = markdown_of(notebook(tmp_path, "# Title", CHART, "table", "print('a < b')"), execute=True)
    assert text.startswith("# Title\n\n````python\nimport altair")
    assert "![Chart that the code above draws](small-0-0.svg)" in text
    assert list(images) == ["small-0-0.svg"] and b"prefers-color-scheme: dark" in images["small-0-0.svg"]
    assert "<table>" in text and "&lt;a&gt;" in text and "<style" not in text and "<script" not in text
    assert text.count("````python") == 3 and "renderers" not in text
    assert '<pre class="output" tabindex="0">a &lt; b</pre>' in text


def test_a_notebook_that_is_not_executed_shows_its_code(tmp_path):
    text, images = markdown_of(notebook(tmp_path, "# Title", "1 / 0"), execute=False)
    assert text == "# Title\n\n````python\n1 / 0\n````\n" and images == {}


def test_a_cell_that_fails_is_an_error(tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        markdown_of(notebook(tmp_path, "1 / 0"), execute=True)
