"""Builds the site: records in, a folder of static pages out. The same records give the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import rebeca
from benchmark.analysis.measures import Measure
from benchmark.board.board import NOT_FROZEN, Board, read_board
from benchmark.board.format_numbers import brief, count, number, p_value, percent, with_interval
from benchmark.board.tables import Tables
from benchmark.disk import file_digest, replace_folder
from benchmark.records.attestation import ATTESTATION, MEANINGS
from benchmark.records.files import TASK_FOLDER, newest_records
from benchmark.site import data, view
from benchmark.site.guidance import guidance_of
from benchmark.site.images import Gallery, make_gallery
from benchmark.site.method import method_page
from benchmark.site.speed import Report, read_reports
from benchmark.task.bundled import folder as bundled
from rebeca.errors import RecordError, printable
from rebeca.seeds import digest_of

if TYPE_CHECKING:
    from benchmark.figures.style import Figure

STAMP = "built-from.txt"
STATIC = ("style.css", "site.js")


def build_site(roots: Sequence[Path], out: Path, images: Path | None = None) -> Path:
    """Builds the site into a folder of its own, which is replaced.

    Args:
        roots: Folders that hold ``<task>/v<version>/``, such a task's folder, or such a version folder itself.
        out: Where to.
        images: ``private-images`` of a work folder; only for a site that is not published.

    Returns:
        The page to open.

    Raises:
        RecordError: If there are no records, or ``out`` holds something else.
    """
    folders = find_boards(roots)
    if not folders:
        raise RecordError(f"no records in {', '.join(str(root) for root in roots)}", hint="run a task first")
    if images is not None and not images.is_dir():
        raise RecordError(f"{images}: no such folder", hint="a run keeps them as private-images in its work folder")
    tasks = [folder.parent.name for folder in folders]
    page = out / ("index.html" if len(tasks) > 1 else f"tasks/{tasks[0]}/index.html")
    reports = read_reports(roots)
    stamp = _stamp(folders, reports, images)
    if (out / STAMP).is_file() and (out / STAMP).read_text(encoding="utf-8") == _seal(out, stamp):
        return page
    if out.exists() and not (out / STATIC[0]).exists() and any(out.iterdir()):
        raise RecordError(f"{out} is not a site", hint="choose an empty folder with --out or --site")
    temporary = out.with_name(f".{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    sources, env = bundled("site"), environment()
    for name in STATIC:
        shutil.copyfile(sources / "static" / name, temporary / name)
    boards = [read_board(folder) for folder in folders]
    _method(temporary, env)
    examples = [_task(temporary / "tasks" / board.task.id, env, board, images) for board in boards]
    with_users = [example for example in examples if example.opening]
    example = max(with_users, key=lambda each: len(each.board.rows), default=None)
    _write(temporary / "index.html", env, "home.html", root=".", boards=boards, example=example, reports=reports)
    (temporary / STAMP).write_text(_seal(temporary, stamp), encoding="utf-8")
    replace_folder(temporary, out, sync=False)
    return page


def environment() -> Environment:
    """Templates; everything is escaped that does not say otherwise."""
    env = Environment(
        loader=FileSystemLoader(bundled("site") / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=fit_for_a_page,
    )
    env.globals.update(
        **{show.__name__: show for show in (brief, count, number, p_value, percent, with_interval)},
        **{show.__name__: show for show in (view.bars, view.cell_html, view.measured, view.settings)},
        kind=lambda key: Measure.parse(key).kind,
        not_frozen=NOT_FROZEN,
        statuses=MEANINGS,
        version=rebeca.__version__,
    )
    return env


def fit_for_a_page(value: Any) -> Any:
    """Whatever a record says, without control characters and changes of direction."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def find_boards(roots: Sequence[Path]) -> list[Path]:
    """The newest records of every task below some roots; a folder of records is taken as it is."""
    found: dict[str, Path] = {}
    for root in roots:
        if (root / TASK_FOLDER).is_dir():
            found[root.parent.name] = root
            continue
        for task in [root, *sorted(path for path in root.glob("*") if path.is_dir())]:
            newest = newest_records(task)
            if newest is not None:
                found.setdefault(task.name, newest)
    return [found[name] for name in sorted(found)]


def _stamp(folders: Sequence[Path], reports: Sequence[Report], images: Path | None) -> str:
    """Changes whenever the site could: records, attestations, templates, version, the code that builds it."""
    files = [folder / TASK_FOLDER / "comparison.json" for folder in folders]
    files += [path for folder in folders if (path := folder / ATTESTATION).is_file()]
    files += sorted(path for path in bundled("site").rglob("*") if path.is_file())
    package = Path(__file__).resolve().parent.parent
    files += sorted(package.rglob("*.py"))
    files += sorted(path for path in bundled("docs").rglob("*") if path.is_file())
    if images is not None:
        files += sorted(images.rglob("*.parquet"))
    speeds = [report.model_dump(mode="json") for report in reports]
    return digest_of([rebeca.__version__, [file_digest(path) for path in files], speeds])


def _seal(site: Path, stamp: str) -> str:
    """Changes with the stamp and with every file of a built site, so that a damaged one is built again."""
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.name != STAMP)
    return digest_of([stamp, [[path.relative_to(site).as_posix(), file_digest(path)] for path in files]])


def _method(folder: Path, env: Environment) -> None:
    docs = bundled("docs")
    text, images = method_page(docs / "explanation" / "statistics.md")
    _write(folder / "method.html", env, "method.html", root=".", text=text)
    (folder / "method").mkdir()
    for name in images:
        shutil.copyfile(docs / "images" / "statistics" / name, folder / "method" / name)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """What the home page shows of a task.

    Attributes:
        board: Its board.
        opening: Users of different taste.
        gallery: Its images.
        users: Names of users for pages.
    """

    board: Board
    opening: Sequence[view.UserGallery]
    gallery: Gallery
    users: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Pages:
    """What all pages of a task share.

    Attributes:
        folder: Of the task's pages.
        env: Templates.
        tables: Rows.
        gallery: Images.
        users: Names of users for pages.
        figures: By heading.
    """

    folder: Path
    env: Environment
    tables: Tables
    gallery: Gallery
    users: Sequence[str]
    figures: Mapping[str, Sequence[Figure]]

    def write(self, place: str, template: str, **values: Any) -> None:
        """Writes a page; ``place`` is relative to the folder of the task."""
        below = "/" in place
        _write(
            self.folder / place,
            self.env,
            template,
            root="../../.." if below else "../..",
            here=".." if below else ".",
            board=self.tables.board,
            tables=self.tables,
            gallery=self.gallery,
            users=self.users,
            figures=self.figures,
            has_images=bool(self.gallery.users),
            **values,
        )


def _task(folder: Path, env: Environment, board: Board, private: Path | None) -> Example:
    """Writes all pages of a task; gives what the home page shows of it."""
    for name in ("generators", "people", "data", "figures"):
        (folder / name).mkdir(parents=True)
    tables = Tables(board)
    gallery = make_gallery(tables, folder / "pictures", private)
    figures, hero = _figures(folder / "figures", tables)
    pages = _Pages(folder, env, tables, gallery, [printable(user) for user in tables.users], figures)
    columns = board.all_columns()
    opening = view.opening(tables, gallery)
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
        common=view.common_flags(board),
    )
    for page in ("personal", "compare", "people", "verifier", "figures", *(["validity"] if board.validity else [])):
        histogram = {u: view.histogram(tables, u) for u in range(len(tables.users))} if page == "people" else {}
        pages.write(f"{page}.html", f"{page}.html", page=page, histogram=histogram)
    _each_generator(pages)
    _each_user(pages)
    texts = {
        "leaderboard.json": data.leaderboard_json(board),
        "leaderboard.csv": data.leaderboard_csv(board),
        "pairs.js": data.pairs_script(board),
        "segments.js": data.segments_script(tables),
    }
    for name, text in texts.items():
        (folder / "data" / name).write_text(text, encoding="utf-8")
    return Example(board, opening, gallery, pages.users)


def _each_generator(pages: _Pages) -> None:
    tables, gallery = pages.tables, pages.gallery
    for row in tables.board.rows:
        pages.write(
            f"generators/{row.id}.html",
            "generator.html",
            page="generator",
            row=row,
            columns=tables.board.all_columns(),
            galleries=view.galleries(tables, gallery, row),
            guidance=guidance_of(row),
        )
        script = data.generator_script(tables, row, gallery)
        (pages.folder / "data" / f"generator-{row.id}.js").write_text(script, encoding="utf-8")


def _each_user(pages: _Pages) -> None:
    tables, gallery = pages.tables, pages.gallery
    for user in gallery.users:
        pages.write(
            f"people/{user}.html",
            "person.html",
            page="person",
            user=user,
            made=view.made_for(tables, gallery, user),
            histogram=view.histogram(tables, user),
        )


def _figures(folder: Path, tables: Tables) -> tuple[dict[str, list[Figure]], Markup | None]:
    """Writes every figure as SVG, PNG, PDF and CSV; gives them by heading, and the hero."""
    from benchmark.figures.build import figures_of  # imports altair, which takes a second
    from benchmark.figures.style import SIZES, adaptive, pdf, png, svg

    found: dict[str, list[Figure]] = {}
    hero = None
    for heading, figure in figures_of(tables):
        drawn = svg(figure, SIZES["page"])
        plain = svg(figure, SIZES["page"], title=False)
        files = {
            f"{figure.name}.svg": adaptive(plain).encode(),
            f"{figure.name}.png": png(drawn),
            f"{figure.name}.pdf": pdf(drawn),
            f"{figure.name}.csv": figure.data.to_csv(index=False, lineterminator="\n").encode(),
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
        found.setdefault(heading, []).append(figure)
        if hero is None and figure.answers:
            hero = Markup(inline(plain))  # noqa: S704 - our own SVG, names escaped by the renderer
    return found, hero


def inline(drawn: str) -> str:
    """SVG for the page itself: no role that hides its links, relative links, no namespaces that HTML does not need."""
    drawn = drawn.replace("https://vega.github.io/vega-datasets/", "").replace("xlink:href", "href")
    drawn = drawn.replace(' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    for word in ("graphics-object", "graphics-symbol", "graphics-document"):
        drawn = drawn.replace(f' role="{word}"', "")
    return drawn


def _write(path: Path, env: Environment, template: str, **values: Any) -> None:
    path.write_text(env.get_template(template).render(**values), encoding="utf-8")
