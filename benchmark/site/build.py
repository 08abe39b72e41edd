"""Builds the site: records in, a folder of static pages out. The same records give the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import rebeca
from benchmark.board.board import NOT_FROZEN, Board, read_board
from benchmark.board.format_numbers import brief, count, number, p_value, percent, with_interval
from benchmark.board.tables import Tables
from benchmark.disk import file_digest, replace_folder
from benchmark.records.attestation import ATTESTATION, MEANINGS
from benchmark.records.files import TASK_FOLDER, newest_records
from benchmark.site import data, view
from benchmark.site.method import method_page
from benchmark.site.pictures import Gallery, make_gallery
from benchmark.site.speed import read_reports
from benchmark.task.bundled import folder as bundled
from rebeca.errors import RecordError, printable
from rebeca.seeds import digest_of

STAMP = "built-from.txt"
STATIC = ("style.css", "site.js")


def build_site(roots: Sequence[Path], out: Path, pictures: Path | None = None) -> Path:
    """Builds the site into a folder of its own, which is replaced.

    Args:
        roots: Folders that hold ``<task>/v<version>/``, such a task's folder, or such a version folder itself.
        out: Where to.
        pictures: Pictures of data that may not be republished, by digest; only for a site that is not published.

    Returns:
        The page to open.

    Raises:
        RecordError: If there are no records, or ``out`` holds something else.
    """
    folders = find_boards(roots)
    if not folders:
        raise RecordError(f"no records in {', '.join(str(root) for root in roots)}", hint="run a task first")
    if pictures is not None and not pictures.is_dir():
        raise RecordError(
            f"{pictures}: no such folder", hint="a run keeps it as private-pictures/TASK in its work folder"
        )
    tasks = [folder.parent.name for folder in folders]
    page = out / ("index.html" if len(tasks) > 1 else f"tasks/{tasks[0]}/index.html")
    reports = read_reports(roots)
    stamp = _stamp(folders, [report.model_dump(mode="json") for report in reports], pictures)
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
    examples = [_task(temporary / "tasks" / str(board.task["id"]), env, board, pictures) for board in boards]
    with_people = [one for one in examples if one["people"]]
    example = max(with_people, key=lambda one: len(one["board"].rows), default=None)
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
        not_frozen=NOT_FROZEN,
        statuses=MEANINGS,
        cell_html=view.cell_html,
        version=rebeca.__version__,
        bars=view.bars,
        settings=view.settings,
        measured=view.measured,
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


def _stamp(folders: Sequence[Path], reports: Any, pictures: Path | None) -> str:
    """Changes whenever the site could: records, attestations, templates, version, the code that builds it."""
    files = [folder / TASK_FOLDER / "comparison.json" for folder in folders]
    files += [path for folder in folders if (path := folder / ATTESTATION).is_file()]
    files += sorted(path for path in bundled("site").rglob("*") if path.is_file())
    package = Path(__file__).resolve().parent.parent
    files += sorted(package.rglob("*.py"))
    files += sorted(path for path in bundled("docs").rglob("*") if path.is_file())
    private = sorted(path.name for path in pictures.iterdir()) if pictures is not None else []
    return digest_of([rebeca.__version__, [file_digest(path) for path in files], reports, private])


def _seal(site: Path, stamp: str) -> str:
    """Changes with the stamp and with every file of a built site, so that a damaged one is built again."""
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.name != STAMP)
    return digest_of([stamp, [[path.relative_to(site).as_posix(), file_digest(path)] for path in files]])


def _method(folder: Path, env: Environment) -> None:
    docs = bundled("docs")
    text, pictures = method_page(docs / "explanation" / "statistics.md")
    _write(folder / "method.html", env, "method.html", root=".", text=text)
    (folder / "method").mkdir()
    for name in pictures:
        shutil.copyfile(docs / "images" / "statistics" / name, folder / "method" / name)


def _task(folder: Path, env: Environment, board: Board, private: Path | None) -> dict[str, Any]:
    """Writes all pages of a task; gives what the home page shows of it."""
    for name in ("generators", "people", "data", "figures"):
        (folder / name).mkdir(parents=True)
    tables = Tables(board)
    gallery = make_gallery(tables, folder / "pictures", private)
    shared: dict[str, Any] = {
        "board": board,
        "tables": tables,
        "gallery": gallery,
        "users": [printable(user) for user in tables.users],
    }
    figures, hero = _figures(folder / "figures", tables)
    columns = board.all_columns()
    scales = {column.key: view.scale_of(board, column) for column in columns}
    shared |= {"figures": figures, "has_people": bool(gallery.people)}
    top: dict[str, Any] = {"root": "../..", "here": ".", **shared}
    opening = view.opening(tables, gallery)
    _write(
        folder / "index.html",
        env,
        "leaderboard.html",
        page="leaderboard",
        hero=hero,
        columns=columns,
        scales=scales,
        verdicts=view.verdicts(board),
        hidden=view.hidden_at_first(board, columns),
        opening=opening,
        common=view.common_flags(board),
        **top,
    )
    for page in ("personal", "compare", "people", "verifier", "figures", *(["validity"] if board.validity else [])):
        histogram = {u: view.histogram(tables, u) for u in range(len(tables.users))} if page == "people" else {}
        _write(folder / f"{page}.html", env, f"{page}.html", page=page, histogram=histogram, **top)
    _each_generator(folder, env, tables, gallery, shared)
    _each_person(folder, env, tables, gallery, shared)
    texts = {
        "leaderboard.json": data.leaderboard_json(board),
        "leaderboard.csv": data.leaderboard_csv(board),
        "pairs.js": data.pairs_script(board),
        "segments.js": data.segments_script(tables),
    }
    for name, text in texts.items():
        (folder / "data" / name).write_text(text, encoding="utf-8")
    return {"board": board, "people": opening, "gallery": gallery, "users": shared["users"]}


def _each_generator(folder: Path, env: Environment, tables: Tables, gallery: Gallery, shared: dict[str, Any]) -> None:
    for row in tables.board.rows:
        _write(
            folder / "generators" / f"{row.id}.html",
            env,
            "generator.html",
            root="../../..",
            here="..",
            page="generator",
            row=row,
            columns=tables.board.all_columns(),
            people=view.galleries(tables, gallery, row),
            **shared,
        )
        script = data.generator_script(tables, row, gallery)
        (folder / "data" / f"generator-{row.id}.js").write_text(script, encoding="utf-8")


def _each_person(folder: Path, env: Environment, tables: Tables, gallery: Gallery, shared: dict[str, Any]) -> None:
    for user in gallery.people:
        _write(
            folder / "people" / f"{user}.html",
            env,
            "person.html",
            root="../../..",
            here="..",
            page="person",
            user=user,
            made=view.made_for(tables, gallery, user),
            histogram=view.histogram(tables, user),
            **shared,
        )


def _figures(folder: Path, tables: Tables) -> tuple[dict[str, list[Any]], Markup | None]:
    """Writes every figure as SVG, PNG, PDF and CSV; gives them by heading, and the hero."""
    from benchmark.figures.build import figures_of  # imports altair, which takes a second
    from benchmark.figures.style import SIZES, adaptive, pdf, png, svg

    found: dict[str, list[Any]] = {}
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
