"""Every notebook of the docs runs, tells what it does before it does it, and is stored without outputs."""

import ast
import re

import nbformat
import pytest

from scripts.docs_site.notebooks import executed
from tests.conftest import ROOT
from tests.test_language import DISTRIBUTIVE, MOST_WORDS, PERSON, VOCABULARY, Block, found_in, plain, sentences, words

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
FIGURES = {"image/svg+xml", "image/png", "text/html"}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def paragraphs(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for text in re.split(r"\n\n|\n(?=- )", cell.source):
                lines = tuple((number, plain(line)) for number, line in enumerate(text.splitlines(), start=1))
                yield Block("heading" if text.startswith("#") else "prose", False, lines)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 4


@every_notebook
def test_a_notebook_is_stored_without_what_a_run_leaves(path):
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert cell.source.strip(), "an empty cell"
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None and cell.metadata == {}


@every_notebook
def test_a_title_and_text_stand_before_the_first_code(path):
    cells = read(path).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    first_code = next(number for number, cell in enumerate(cells) if cell.cell_type == "code")
    assert sum(words(cell.source) for cell in cells[:first_code]) >= 30
    titles = [cell.source for cell in cells if cell.source.startswith("# ")]
    assert len(titles) == 1 and sum(cell.source.startswith("## ") for cell in cells) >= 3


@every_notebook
def test_a_notebook_speaks_as_the_pages_do(path):
    problems = []
    for block in paragraphs(path):
        patterns = VOCABULARY | DISTRIBUTIVE | PERSON
        problems += [(word, better) for _, word, better in found_in(block.text(), patterns)]
        problems += [sentence for _, sentence in sentences(block) if words(sentence) > MOST_WORDS]
    assert problems == []


@every_notebook
def test_a_notebook_uses_public_names_only(path):
    for cell in read(path).cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, ast.ImportFrom):
                assert not any(alias.name.startswith("_") for alias in node.names), node.module
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_") or node.attr.endswith("__"), node.attr


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs(path):
    outputs = [output for cell in executed(path).cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert sum(bool(FIGURES & set(output.get("data", ()))) for output in outputs) >= 3
