"""Builds the site: a folder of static pages from records. The same records give the same bytes."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

import rebeca
from benchmark.analysis.measures import Measure
from benchmark.board.board import NOT_FROZEN, Board, read_board
from benchmark.board.format_numbers import brief, count, exact_percent, number, p_value, percent, with_interval
from benchmark.board.row import CLASSES
from benchmark.board.tables import Tables, read_tables
from benchmark.disk import absent_beside, file_digest, is_vacant, locked, replace_folder
from benchmark.records.attestation import ATTESTATIONS, HANDED_IN, STEPS
from benchmark.records.files import COMPARISON, MANIFEST, TASK_FOLDER, is_bundle
from benchmark.records.merge import find_sources, merged
from benchmark.site import data, view
from benchmark.site.images import Gallery, make_gallery
from benchmark.site.parts import Part, pages_of_users
from benchmark.task.bundled import folder as bundled
from rebeca.errors import RecordError, StoreError, printable
from rebeca.seeds import digest_of

if TYPE_CHECKING:
    from benchmark.figures.style import Figure, Undrawn

STAMP = "built-from.txt"
STATIC = ("style.css", "site.js")
IMAGE_LINK = re.compile(r'src="\.\./images/statistics/([\w.-]+)"')
LINK_WITHIN_DOCS = re.compile(r'<a href="(?!https://)[^"]*">(.*?)</a>', re.DOTALL)


def build_site(roots: Sequence[Path], out: Path, images: Path | None = None, docs: Path | None = None) -> Path:
    """Builds the site into a folder of its own, which is replaced.

    Args:
        roots: Folders that hold ``<task>/v<version>/``, such a task's folder, or such a version folder itself; bundles,
            or folders that hold ``<task>/v<version>/<generator>/``. What belongs to one version of a task is merged.
        out: Folder of the site.
        images: ``private-images`` of a work folder; only for a site that is not published.
        docs: A built site of the docs, to be copied into the folder ``docs`` and linked by every page.

    Returns:
        The page to open.

    Raises:
        RecordError: If there are no records, or those of one task and version do not belong together.
        StoreError: If ``out`` holds something else, ``images`` is no folder, or ``docs`` has no home page.
    """
    sources = find_sources(roots)
    if not sources:
        raise RecordError(f"no records in {', '.join(str(root) for root in roots)}", hint="run a task first")
    if images is not None and not images.is_dir():
        raise StoreError(f"{images}: no such folder", hint="a run keeps them as private-images in its work folder")
    if docs is not None and not (docs / "index.html").is_file():
        raise StoreError(f"{docs / 'index.html'}: no such file", hint="make docs builds the docs in dist/docs")
    tasks = list(sources)
    page = out / ("index.html" if len(tasks) > 1 else f"tasks/{tasks[0]}/index.html")
    reports = view.read_reports(roots)
    stamp = _stamp([folder for group in sources.values() for folder in group], reports, images, docs)
    if (out / STAMP).is_file() and (out / STAMP).read_text(encoding="utf-8") == _seal(out, stamp):
        return page
    check_site(out)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with locked(out.absolute().parent), ExitStack() as open_folders:
        folders = [open_folders.enter_context(merged(group)) for group in sources.values()]
        _replace_site(out, folders, reports, images, docs, stamp)
    return page


def check_site(out: Path, only: str | None = None) -> None:
    """Refuses a folder that a site may not replace.

    Args:
        out: Where the site is to be built.
        only: Id of its only task: a site with pages of other tasks is refused as well.

    Raises:
        StoreError: If ``out`` is a file, or holds something that is not a site or not to be replaced.
    """
    if not is_vacant(out) and not (out / STAMP).is_file():
        raise StoreError(f"{out} is not a site, so none is built in its place", hint="choose an empty folder")
    others = sorted({path.name for path in (out / "tasks").glob("*")} - {only})
    if only is not None and others:
        raise StoreError(
            f"--site {out} holds the pages of {', '.join(others)}, which a run of {only} would replace",
            hint="choose another folder; rebeca-bench site build RECORDS RECORDS --out DIR builds one site of several",
        )


def _replace_site(
    out: Path,
    folders: Sequence[Path],
    reports: Sequence[view.Report],
    images: Path | None,
    docs: Path | None,
    stamp: str,
) -> None:
    temporary = absent_beside(out)
    temporary.mkdir()
    env = environment(has_docs=docs is not None)
    if docs is not None:
        shutil.copytree(docs, temporary / "docs")
    for name in STATIC:
        shutil.copyfile(bundled("site") / "static" / name, temporary / name)
    boards = [read_board(folder) for folder in folders]
    _method(temporary, env)
    example: _Pages | None = None  # of the largest leaderboard; the tables of the others are let go
    for board in boards:
        pages = _task(temporary / "tasks" / board.task.id, env, board, images)
        if pages.opening and (example is None or len(board.rows) > len(example.tables.board.rows)):
            example = pages
    _write(temporary / "index.html", env, "home.html", root=".", boards=boards, example=example, reports=reports)
    (temporary / STAMP).write_text(_seal(temporary, stamp), encoding="utf-8")
    replace_folder(temporary, out, sync=False)


def environment(*, has_docs: bool = False) -> Environment:
    """Templates, which escape all that is not marked as HTML; with ``has_docs``, every page leads to the docs."""
    env = Environment(
        loader=FileSystemLoader(bundled("site") / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable_text,
    )
    env.globals.update(
        **{show.__name__: show for show in (brief, count, exact_percent, number, p_value, percent, with_interval)},
        **{show.__name__: show for show in (view.bars, view.cell_html, view.measured, view.settings)},
        has_docs=has_docs,
        kind=lambda key: Measure.parse(key).kind,
        not_frozen=NOT_FROZEN,
        classes=CLASSES,
        handed_in=HANDED_IN,
        steps=STEPS,
        version=rebeca.__version__,
    )
    return env


def printable_text(value: Any) -> Any:
    """Text of a record without control characters and changes of direction; other values as they are."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _stamp(folders: Sequence[Path], reports: Sequence[view.Report], images: Path | None, docs: Path | None) -> str:
    """Changes whenever the site could: records, attestations, templates, docs, version, the code that builds it."""
    files = [
        *(folder / (MANIFEST if is_bundle(folder) else f"{TASK_FOLDER}/{COMPARISON}") for folder in folders),
        *(path for folder in folders for path in sorted((folder / ATTESTATIONS).glob("*.json")) if path.is_file()),
        *sorted(path for name in ("site", "docs") for path in bundled(name).rglob("*") if path.is_file()),
        *sorted(Path(__file__).resolve().parent.parent.rglob("*.py")),
        *(sorted(images.rglob("*.parquet")) if images is not None else ()),
        *(sorted(path for path in docs.rglob("*") if path.is_file()) if docs is not None else ()),
    ]
    speeds = [report.model_dump(mode="json") for report in reports]
    return digest_of([rebeca.__version__, [file_digest(path) for path in files], speeds])


def _seal(site: Path, stamp: str) -> str:
    """Changes with the stamp and with every file of a built site, so that a damaged one is built again."""
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.name != STAMP)
    return digest_of([stamp, [[path.relative_to(site).as_posix(), file_digest(path)] for path in files]])


SCROLL = '<div class="scroll" role="region" aria-label="Table {}" tabindex="0"><table>'
"""A numbered table that may be wider than the page: what scrolls must be reached by the keyboard."""


def method_page(source: Path) -> tuple[Markup, list[str]]:
    """HTML of a Markdown file, and the names of the images that it shows.

    Raw HTML is not passed on, and links to other files of the docs become plain text.
    """
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(source.read_text(encoding="utf-8"))
    images = IMAGE_LINK.findall(html)
    html = IMAGE_LINK.sub(r'src="method/\1" loading="lazy"', html)
    html = LINK_WITHIN_DOCS.sub(r"\1", html).replace("<pre>", '<pre tabindex="0">')
    numbers = itertools.count(1)
    html = re.sub("<table>", lambda _: SCROLL.format(next(numbers)), html).replace("</table>", "</table></div>")
    return Markup(html), images  # noqa: S704 - the project's own text


def _method(folder: Path, env: Environment) -> None:
    """Writes docs/explanation/statistics.md as a page, so that site and docs say the same."""
    docs = bundled("docs")
    text, images = method_page(docs / "explanation" / "statistics.md")
    _write(folder / "method.html", env, "method.html", root=".", text=text)
    (folder / "method").mkdir()
    for name in images:
        shutil.copyfile(docs / "images" / "statistics" / name, folder / "method" / name)


@dataclass(frozen=True, slots=True, eq=False)
class _Pages:
    """What all pages of a task share; the home page shows the opening of one task.

    Attributes:
        folder: Of the task's pages.
        env: Templates.
        tables: Rows.
        gallery: Images.
        opening: Users of different taste.
        users: Printable names of users.
        user_pages: Parts of the list of users, a page each.
        figures: Figures by heading.
        undrawn: Figures that cannot be drawn.
    """

    folder: Path
    env: Environment
    tables: Tables
    gallery: Gallery
    opening: Sequence[view.UserGallery]
    users: Sequence[str]
    user_pages: Sequence[Part]
    figures: Mapping[str, Sequence[Figure]]
    undrawn: Sequence[Undrawn]

    def write(self, name: str, template: str, **values: Any) -> None:
        """Writes a page; ``name`` is its path in the folder of the task."""
        here = ".." if "/" in name else "."
        _write(
            self.folder / name,
            self.env,
            template,
            root=f"{here}/../..",
            here=here,
            board=self.tables.board,
            tables=self.tables,
            gallery=self.gallery,
            users=self.users,
            user_pages=self.user_pages,
            figures=self.figures,
            undrawn=self.undrawn,
            has_images=bool(self.gallery.users),
            **values,
        )

    def write_data(self, texts: Mapping[str, str]) -> None:
        """Writes texts by their path in the folder ``data`` of the task."""
        for name, text in texts.items():
            path = self.folder / "data" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _task(folder: Path, env: Environment, board: Board, private: Path | None) -> _Pages:
    """Writes all pages of a task."""
    for name in ("generators", "users", "data", "figures"):
        (folder / name).mkdir(parents=True)
    tables = read_tables(board)
    gallery = make_gallery(tables, folder / "images", private)
    figures, undrawn, hero = _figures(folder / "figures", tables)
    users, opening = [printable(user) for user in tables.users], view.opening(tables, gallery)
    pages = _Pages(folder, env, tables, gallery, opening, users, pages_of_users(users), figures, undrawn)
    columns = board.measures.everything()
    names = data.names_scripts(users)
    pages.write(
        "index.html",
        "leaderboard.html",
        page="leaderboard",
        hero=hero,
        columns=columns,
        scales={column.key: view.scale_of(board, column) for column in columns},
        verdicts=view.verdicts(board),
        hidden=view.hidden_at_first(board, columns),
        opening=opening,
        common=board.common_flags,
    )
    for page in ("personal", "verifier", "figures", *(["validity"] if board.validity or board.confirms else [])):
        pages.write(f"{page}.html", f"{page}.html", page=page)
    pages.write("compare.html", "compare.html", page="compare", names=len(names))
    for part in pages.user_pages:
        histogram = {u: view.histogram(tables, u) for u in part.users}
        pages.write(part.page, "users.html", page="users", part=part, histogram=histogram, names=len(names))
    _each_generator(pages)
    _each_user(pages)
    scripts = {"pairs": data.pairs_script(board), **data.segments_scripts(tables), **names}
    pages.write_data({f"{name}.js": text for name, text in scripts.items()})
    pages.write_data({"leaderboard.json": data.leaderboard_json(board), "leaderboard.csv": data.leaderboard_csv(board)})
    return pages


def _each_generator(pages: _Pages) -> None:
    tables, gallery = pages.tables, pages.gallery
    for row in tables.board.rows:
        pages.write(
            f"generators/{row.id}.html",
            "generator.html",
            page="generator",
            row=row,
            columns=tables.board.measures.everything(),
            galleries=view.galleries(tables, gallery, row.id),
            fits=view.fits_of(row),
        )
        scripts = data.generator_scripts(tables, row, gallery)
        pages.write_data({f"{name}.js": text for name, text in scripts.items()})


def _each_user(pages: _Pages) -> None:
    tables, gallery = pages.tables, pages.gallery
    for user in gallery.users:
        pages.write(
            f"users/{user}.html",
            "user.html",
            page="user",
            user=user,
            returned=view.returned_for(tables, gallery, user),
            histogram=view.histogram(tables, user),
        )


def _figures(folder: Path, tables: Tables) -> tuple[dict[str, list[Figure]], list[Undrawn], Markup | None]:
    """Writes every figure as SVG, PNG, PDF and CSV; returns them by heading, those without a drawing, and the hero."""
    from benchmark.figures.build import drawings_of  # imports altair, which takes a second
    from benchmark.figures.style import Undrawn

    by_heading: dict[str, list[Figure]] = {}
    undrawn: list[Undrawn] = []
    hero = None
    for heading, drawing in drawings_of(tables, _files_of):
        if isinstance(drawing, Undrawn):
            undrawn.append(drawing)
            continue
        figure, files = drawing
        for name, content in files.items():
            (folder / name).write_bytes(content)
        by_heading.setdefault(heading, []).append(figure)
        if hero is None and figure.answers:
            hero = Markup(inline(files[f"{figure.name}.svg"].decode()))  # noqa: S704 - our own SVG, names escaped
    return by_heading, undrawn, hero


def _files_of(figure: Figure) -> Mapping[str, bytes]:
    from benchmark.figures.style import SIZES, adaptive, pdf, png, svg, titled

    drawn = svg(figure, SIZES["page"], title=False)
    alone = titled(drawn, figure, SIZES["page"])
    return {
        f"{figure.name}.svg": adaptive(drawn).encode(),
        f"{figure.name}.png": png(alone),
        f"{figure.name}.pdf": pdf(alone),
        f"{figure.name}.csv": figure.data.to_csv(index=False, lineterminator="\n").encode(),
    }


def inline(drawn: str) -> str:
    """SVG for use in a page: with relative links, without a style, roles that hide them, and namespaces."""
    drawn = re.sub("<style>.*?</style>", "", drawn)
    drawn = drawn.replace("https://vega.github.io/vega-datasets/", "").replace("xlink:href", "href")
    drawn = drawn.replace(' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    for word in ("graphics-object", "graphics-symbol", "graphics-document"):
        drawn = drawn.replace(f' role="{word}"', "")
    return drawn


def _write(path: Path, env: Environment, template: str, **values: Any) -> None:
    path.write_text(env.get_template(template).render(**values), encoding="utf-8")
