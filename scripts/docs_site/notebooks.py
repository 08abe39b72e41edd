"""Notebooks as pages of Markdown: executed, with charts as SVG files that follow a light or dark page."""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from benchmark.figures.style import adaptive

SECONDS_PER_CELL = 300
"""Far more than any cell takes; a cell that hangs is an error."""
SVG_CHARTS = "import altair; altair.renderers.enable('svg')"
"""Run before the first cell, since the other renderers fetch JavaScript from another host."""
THREADS = {"OMP_NUM_THREADS": "1"}
"""Networks this small gain nothing from more; where other processes run, each thread waits for the others."""
QUIET = ["--log-level=ERROR"]
ALTERNATIVE = "Chart that the code above draws"
STYLE = re.compile(r"<style scoped>.*?</style>\s*", re.DOTALL)


def executed(notebook: Path) -> NotebookNode:
    """A notebook with the outputs of its cells, run in an empty folder, so that what it writes does not stay.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    content = nbformat.read(notebook, as_version=4)
    content.cells.insert(0, nbformat.v4.new_code_cell(SVG_CHARTS))
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            content,
            timeout=SECONDS_PER_CELL,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=QUIET,
        )
        client.execute(env=os.environ | THREADS)
    del content.cells[0]
    return content


def markdown_of(notebook: Path, *, execute: bool) -> tuple[str, dict[str, bytes]]:
    """A notebook's text, and its images by file name.

    Args:
        notebook: File.
        execute: Whether to run the cells; without, the page shows the outputs that the file holds.

    Raises:
        nbclient.exceptions.CellExecutionError: As of :func:`executed`.
    """
    content = executed(notebook) if execute else nbformat.read(notebook, as_version=4)
    parts: list[str] = []
    images: dict[str, bytes] = {}
    for cell in content.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code" and cell.source:
            parts.append(f"````python\n{cell.source}\n````")
            for name, part in _outputs(cell, f"{notebook.stem}-{len(images)}"):
                parts.append(part)
                images.update(name)
    return "\n\n".join(parts) + "\n", images


def _outputs(cell: NotebookNode, stem: str) -> Iterator[tuple[dict[str, bytes], str]]:
    """Every output of a cell: the images to write, and the Markdown that shows it."""
    for number, output in enumerate(cell.outputs):
        name = f"{stem}-{number}"
        data = output.get("data", {})
        if "image/svg+xml" in data:
            yield {f"{name}.svg": adaptive(data["image/svg+xml"]).encode()}, f"![{ALTERNATIVE}]({name}.svg)"
        elif "image/png" in data:
            yield {f"{name}.png": base64.b64decode(data["image/png"])}, f"![{ALTERNATIVE}]({name}.png)"
        elif "text/html" in data:
            table = STYLE.sub("", data["text/html"]).replace(' border="1" class="dataframe"', "")
            yield {}, f'<div class="output">\n{table}\n</div>'
        elif text := output.get("text", data.get("text/plain", "")):
            yield {}, f'<pre class="output" tabindex="0">{html.escape(text.rstrip())}</pre>'
