"""The method page: docs/explanation/statistics.md as HTML, so that site and docs say the same."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

PICTURES = re.compile(r'src="\.\./images/statistics/([\w.-]+)"')
LINKS = re.compile(r'<a href="(?!https://)[^"]*">(.*?)</a>', re.DOTALL)


def method_page(source: Path) -> tuple[Markup, list[str]]:
    """HTML of a Markdown file, and the pictures that it shows.

    Raw HTML is not passed on, and links to other files of the docs become plain text.
    """
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(source.read_text(encoding="utf-8"))
    pictures = PICTURES.findall(html)
    html = PICTURES.sub(r'src="method/\1" loading="lazy"', html)
    html = LINKS.sub(r"\1", html).replace("<pre>", '<pre tabindex="0">')
    return Markup(html), pictures  # noqa: S704 - the project's own text
