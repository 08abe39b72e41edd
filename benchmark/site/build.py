"""Builds the site: a home page, a page a task, a page a generator."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import rebeca
from benchmark import numbers
from benchmark.board import NOT_FROZEN, Board, read_board
from benchmark.bundled import folder as bundled
from benchmark.record_json import newest_records
from benchmark.store import file_digest, replace_folder
from rebeca.errors import RecordError
from rebeca.seeds import digest_of

WHISKER_WIDTH, WHISKER_HEIGHT = 96, 14
GALLERY_PEOPLE = 8
STAMP = "built-from.txt"


def build_site(roots: Sequence[Path], out: Path) -> Path:
    """Builds the site into a folder of its own, which is replaced.

    Args:
        roots: Folders that hold ``<task>/v<version>/``, or such a version folder itself.
        out: Where to.

    Returns:
        The page to open.

    Raises:
        RecordError: If there are no records.
    """
    folders = find_boards(roots)
    if not folders:
        raise RecordError(f"no records in {', '.join(str(root) for root in roots)}", hint="run a task first")
    tasks = [folder.parent.name for folder in folders]
    page = out / ("index.html" if len(tasks) > 1 else f"tasks/{tasks[0]}/index.html")
    sources = bundled("site")
    stamp = _stamp(folders, sources)
    if (out / STAMP).is_file() and (out / STAMP).read_text(encoding="utf-8") == _seal(out, stamp):
        return page
    if out.exists() and not (out / "style.css").exists() and any(out.iterdir()):
        raise RecordError(f"{out} is not a site", hint="choose an empty folder with --out or --site")
    boards = [read_board(folder) for folder in folders]
    env = Environment(
        loader=FileSystemLoader(sources / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    env.globals.update(
        count=numbers.count, with_interval=numbers.with_interval,
        number=numbers.number, percent=numbers.percent, p_value=numbers.p_value,
        whisker=whisker, not_frozen=NOT_FROZEN,
    )  # fmt: skip
    temporary = out.with_name(f".{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    shutil.copyfile(sources / "static" / "style.css", temporary / "style.css")
    _write(temporary / "index.html", env, "home.html", root=".", boards=boards)
    for board in boards:
        _task(temporary / "tasks" / str(board.task["id"]), env, board)
    (temporary / STAMP).write_text(_seal(temporary, stamp), encoding="utf-8")
    replace_folder(temporary, out)
    return page


def _stamp(folders: Sequence[Path], sources: Path) -> str:
    """Changes whenever the site could: records, templates, stylesheet, version."""
    files = [folder / "_task" / "comparison.json" for folder in folders]
    files += sorted(path for path in sources.rglob("*") if path.is_file())
    return digest_of([rebeca.__version__, [file_digest(path) for path in files]])


def _seal(site: Path, stamp: str) -> str:
    """Changes with the stamp and with every file of a built site, so that a damaged one is built again."""
    files = sorted(path for path in site.rglob("*") if path.is_file() and path.name != STAMP)
    return digest_of([stamp, [[path.relative_to(site).as_posix(), file_digest(path)] for path in files]])


def find_boards(roots: Sequence[Path]) -> list[Path]:
    """The newest records of every task below some roots; a folder of records is taken as it is."""
    found: dict[str, Path] = {}
    for root in roots:
        if (root / "_task").is_dir():
            found[root.parent.name] = root
            continue
        for task in sorted(path for path in root.glob("*") if path.is_dir()):
            newest = newest_records(task)
            if newest is not None:
                found.setdefault(task.name, newest)
    return [found[name] for name in sorted(found)]


def _task(folder: Path, env: Environment, board: Board) -> None:
    from benchmark import figures  # imports altair, which takes a second

    folder.mkdir(parents=True)
    columns = board.columns()
    scales = {column: _scale([row.cell(column) for row in board.rows]) for column in columns}
    planes = [Markup(svg) for svg in figures.planes(board)]  # noqa: S704 - our own SVG, names escaped by the renderer
    judges = Markup(figures.judge_dots(board))  # noqa: S704 - likewise
    curves = [figures.roc_curves(board), figures.reliability(board), figures.learning_curve(board)]
    details = [Markup(svg) for svg in curves if svg]  # noqa: S704 - likewise
    _write(
        folder / "index.html", env, "task.html",
        root="../..", board=board, columns=columns, scales=scales, planes=planes, judges=judges, details=details,
        gallery=_gallery(folder, board),
    )  # fmt: skip
    for row in board.rows:
        _write(folder / f"{row.id}.html", env, "generator.html", root="../..", board=board, row=row, columns=columns)


def _gallery(folder: Path, board: Board) -> list[dict[str, Any]]:
    """The same people's first pictures by every generator; empty where pictures may not be shown."""
    shown: dict[str, dict[str, list[str]]] = {}
    for row in board.rows:
        for picture in row.record["pictures"]["shown"]:
            source = board.folder / row.id / "pictures" / f"{picture['digest']}.png"
            target = folder / "pictures" / source.name
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(source, target)
            shown.setdefault(picture["user"], {}).setdefault(row.id, []).append(f"pictures/{source.name}")
    return [{"user": user, "pictures": shown[user]} for user in sorted(shown)[:GALLERY_PEOPLE]]


def _scale(cells: Sequence[dict[str, Any] | None]) -> tuple[float, float]:
    ends = [v for cell in cells if cell for v in (cell["low"], cell["high"], cell["estimate"]) if v is not None]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def whisker(cell: dict[str, Any], scale: tuple[float, float], zero: bool) -> Markup:
    """A tiny interval on the column's common scale, as SVG; the number beside it says the same in words."""
    low, high = scale
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{3 + (value - low) / span * (WHISKER_WIDTH - 6):.1f}"

    middle = WHISKER_HEIGHT / 2
    parts = []
    if zero:
        parts.append(f'<line class="zero" x1="{x(0.0)}" x2="{x(0.0)}" y1="0" y2="{WHISKER_HEIGHT}"/>')
    if cell["low"] is not None and cell["high"] is not None:
        parts.append(f'<line x1="{x(cell["low"])}" x2="{x(cell["high"])}" y1="{middle}" y2="{middle}"/>')
    parts.append(f'<circle cx="{x(cell["estimate"])}" cy="{middle}" r="3"/>')
    size = f'width="{WHISKER_WIDTH}" height="{WHISKER_HEIGHT}"'
    return Markup(f'<svg class="whisker" {size} aria-hidden="true">{"".join(parts)}</svg>')  # noqa: S704 - numbers only


def _write(path: Path, env: Environment, template: str, **values: Any) -> None:
    path.write_text(env.get_template(template).render(**values), encoding="utf-8")
