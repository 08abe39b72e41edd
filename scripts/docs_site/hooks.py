"""Hooks of mkdocs: navigation from the index of the docs, links to files outside docs/, notebooks, and colours.

The index, ``docs/README.md``, is the site's home page as well. Its tables are the navigation, in their order. A page of
another folder becomes part of the site once the index names it. A link to any other file of the repository leads to the
address that ``[project.urls] Repository`` of pyproject.toml names; without one, it becomes plain text.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Link, Navigation
from mkdocs.structure.pages import Page

from scripts.docs_site.notebooks import markdown_of

INDEX = "README.md"
OUTSIDE = "repository/"
"""Folder of the site for pages that lie outside docs/."""
LINK = re.compile(r"(!?)\[([^]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def navigation(index: str) -> list[dict[str, Any]]:
    """Sections of the index with the pages that their tables name, as mkdocs wants them."""
    sections: list[dict[str, Any]] = [{"Home": INDEX}]
    for section in index.split("\n## ")[1:]:
        links = re.findall(r"^\| \[([^]]+)\]\(([^)]+)\)", section, re.MULTILINE)
        title = section.partition("\n")[0]
        sections.append({title: [{name: place_of(posixpath.normpath(f"docs/{target}"))} for name, target in links]})
    return sections


def places_in(sections: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Places of all pages of a navigation but the home page."""
    for section in sections:
        for pages in section.values():
            for page in pages if isinstance(pages, list) else []:
                yield from page.values()


def place_of(path: str) -> str:
    """Where a file of the repository lies in the site; ``path`` begins at the root of the repository."""
    place = path.removeprefix("docs/") if path.startswith("docs/") else OUTSIDE + path
    return re.sub(r"\.ipynb$", ".md", place)


def path_of(place: str) -> str:
    """The file of the repository at a place of the site."""
    return place.removeprefix(OUTSIDE) if place.startswith(OUTSIDE) else f"docs/{place}"


def root_of(config: MkDocsConfig) -> Path:
    """The repository."""
    return Path(config.docs_dir).parent


def on_config(config: MkDocsConfig) -> None:
    """Takes the navigation from the index, and leaves out what needs to know the site's address."""
    config.theme.static_templates.clear()  # sitemap.xml and 404.html
    config.nav = navigation((Path(config.docs_dir) / INDEX).read_text(encoding="utf-8"))


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Adds pages from outside docs/, notebooks as pages, and the colours of the leaderboards."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(file)
        text, images = markdown_of(Path(str(file.abs_src_path)), execute=config.extra["execute_notebooks"])
        files.append(File.generated(config, place_of(path_of(file.src_uri)), content=text))
        for name, content in images.items():
            files.append(File.generated(config, posixpath.join(posixpath.dirname(file.src_uri), name), content=content))
    for place in places_in(config.nav or []):
        if place.startswith(OUTSIDE):
            files.append(File.generated(config, place, abs_src_path=str(root_of(config) / path_of(place))))
    style = (root_of(config) / "site" / "static" / "style.css").read_text(encoding="utf-8")
    files.append(File.generated(config, "colours.css", content=style[: style.index("* {")]))


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Leads to the leaderboards where the docs are published beside them."""
    if leaderboards := config.extra["leaderboards"]:
        nav.items.append(Link("Leaderboards", leaderboards))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Text without the comments behind numbers, and with links that lead somewhere in the site."""
    return LINK.sub(lambda link: _link(link, page.file.src_uri, config, files), COMMENT.sub("", markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Empty cells above a column are no headings, and no space stands after the default of a parameter."""
    return re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html).replace("</code>\n)", "</code>)")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The theme gives its dialog no name."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def _link(link: re.Match[str], page: str, config: MkDocsConfig, files: Files) -> str:
    """One link of a page; what leads nowhere in the repository is left for mkdocs to report."""
    image, text, target, anchor = link.groups(default="")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(path_of(page)), target))
    if not (root_of(config) / path).exists():
        return link[0]
    place = place_of(path)
    if place in files.src_uris:
        return f"{image}[{text}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{anchor})"
    address = _repository(root_of(config))
    return f"[{text}]({address}/blob/main/{path}{anchor})" if address else text


def _repository(root: Path) -> str:
    """Address of the repository, or an empty string."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address: str = project.get("urls", {}).get("Repository", "")
    return address.rstrip("/")
