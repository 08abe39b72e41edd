"""Compares the numbers of the docs with the records that hold them, or writes them anew.

    python -m scripts.docs_numbers            # fails where a number is another than its record's
    python -m scripts.docs_numbers --write    # writes numbers, tables and pictures from the records

A comment behind a number, which no reader sees, says where the number comes from:

    .823<!-- sprites/v2 rebeca precision@25 -->         a generator's mean; ``low`` or ``high``: its interval;
                                                        ``between-fits``; ``p`` of a lift
    160,000<!-- sprites/v2 data.ratings -->             a field of a task's record
    .795<!-- exact ground-truth -->                     calculated for the world of sprites
    .9699<!-- card adapter, cosine -->                  a figure of tinyworld's models
    .93<!-- reports/tinyworld.md | row | column -->     first number in a cell of the docs; ``| 2``: the second
    1<!-- schema -->                                    version of the records

It is compared after the rounding of the page. A table between ``<!-- table: ... -->`` and ``<!-- end of table -->`` is
written whole. Every other number with decimals needs a reason: page or section says that the record is "not in
`results/`", or the paragraph or row ends in ``<!-- no record: reason -->``. Pictures carry the digest of their record.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark.analysis.measures import Measure
from benchmark.board.board import Board, read_board
from benchmark.board.format_numbers import with_interval
from benchmark.records.files import COMPARISON, TASK_FOLDER
from benchmark.records.schema import SCHEMA
from rebeca.worlds.sprites import exact_values

ROOT = Path(__file__).resolve().parent.parent
RESULTS, DOCS, IMAGES = ROOT / "results", ROOT / "docs", ROOT / "docs" / "images"
CARD = ROOT / "rebeca" / "tinyworld" / "weights" / "card.json"
PAGES = [
    ROOT / "README.md",
    RESULTS / "README.md",
    *sorted(page for page in DOCS.rglob("*.md") if page.name != "statistics.md"),  # constants, tested by its example
    *sorted((ROOT / "tasks").glob("*.md")),
]

MARKED = re.compile(r"(?P<text>[+−]?[\d,]*\.?\d+)<!-- (?!no record|end |table)(?P<source>[^>]+?) -->")
TABLE = re.compile(r"<!-- table: (?P<source>.*?) -->\n.*?<!-- end of table -->", re.DOTALL)
WRITTEN = re.compile(r"<!-- (tables|fields): .*?<!-- end of \1 -->", re.DOTALL)
"""Tables of other scripts, which have tests of their own."""
CODE = re.compile(r"```.*?```|^ {4}.*?$", re.DOTALL | re.MULTILINE)
UNREAD = re.compile(
    r"^#.*?$|`[^`]*`|\]\([^)]*\)|(?:Python |Diffusion |Apache-|HPSv|arXiv |Croissant )[\d.]+", re.MULTILINE
)
"""Headings, code spans, addresses of links, and names with a version."""
DECIMALS = re.compile(r"(?<![\w.,/-])[+−]?\d*\.\d+(?![\w.]*\w)")
NO_RECORD = "<!-- no record:"
ELSEWHERE = re.compile(r"not in `results/`|<!-- no record in this (?:section|page):")
WIDTH, HEIGHT = 1440, 1300
"""Of the window in which the leaderboard is shown, in pixels."""
PICTURES = {
    "site/leaderboard.png": "tinyworld-quick/v8",
    "tinyworld/tinyworld.png": "tinyworld/v4",
    "tinyworld/tinyworld-quick.png": "tinyworld-quick/v8",
    **{f"statistics/{name}.svg": "sprites/v2" for name in ("agreement", "flips", "opinions", "ranks", "whole-sets")},
}
"""Below ``docs/images``, and the record that each shows."""


@cache
def board(record: str) -> Board:
    return read_board(RESULTS / record)


def value_of(source: str) -> float:
    """The number that a mark names.

    Raises:
        LookupError: If there is no such number.
    """
    if " | " in source:
        page, row, column, *position = source.split(" | ")
        return _cell(page, row, column, int(position[0]) if position else 1)
    if source == "schema":
        return SCHEMA
    where, what, *measure = source.split(" ")
    if where == "card":
        return float(json.loads(CARD.read_text(encoding="utf-8"))["evaluation"][source.removeprefix("card ")])
    if where == "exact":
        return exact_values()[what]
    if not measure:
        field = json.loads((RESULTS / where / TASK_FOLDER / COMPARISON).read_text(encoding="utf-8"))
        for key in what.split("."):
            field = field[int(key)] if isinstance(field, list) else field[key]
        return float(len(field) if isinstance(field, list) else field)
    generator, shown = board(where).row(what), Measure.parse(measure[0])
    ends: dict[str, float | None] = {"between-fits": generator.between_fits(shown)}
    if shown.is_lift and (test := generator.lifts[shown.scorer].median_double_centred) is not None:
        ends["p"] = test.p
    if (interval := generator.interval(shown)) is not None:
        ends |= {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    if (value := ends.get(measure[1] if measure[1:] else "estimate")) is None:
        raise LookupError(source)
    return value


def _cell(page: str, row: str, column: str, position: int) -> float:
    """A number in a cell of a table, which the name of its row and its heading lead to."""
    headings: list[str] = []
    for line in re.sub(r"<!--.*?-->", "", (DOCS / page).read_text(encoding="utf-8")).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        headings = cells if not headings else headings if cells else []
        if row in cells and column in headings:
            numbers = re.findall(r"[+−]?\d*\.?\d+", cells[headings.index(column)])
            return float(numbers[position - 1].replace("−", "-"))
    raise LookupError(f"{page} | {row} | {column}")


def as_written(value: float, text: str) -> str:
    """A value with the decimals, the sign, the thousands and the leading zero of an earlier text."""
    digits = f"{abs(value):,.{len(text.partition('.')[2])}f}"
    digits = digits.removeprefix("0") if text.lstrip("+−").startswith(".") else digits
    sign = "−" if value < 0 else "+" if text[0] in "+−" else ""
    return f"{sign}{digits}" if float(digits.replace(",", "")) else digits


def table_of(source: str) -> str:
    """Markdown: the generators of a record by these measures, or the figures of tinyworld's models."""
    if source == "card":
        return _models()
    if source == "recognised":
        return _recognised()
    if source == "inside":
        return _inside()
    record, *measures = source.split(" ")
    columns = {column.key: column for column in board(record).measures.everything()}
    shown = [columns[name] for name in measures]
    rows = [["rank", "generator", *(column.heading for column in shown)], ["---"] * (2 + len(shown))]
    for row in board(record).rows:
        rank = "unranked" if row.rank is None else row.rank.with_letters
        rows.append([rank, row.title, *(with_interval(row.cell(column), column.signed) for column in shown)])
    return "\n".join(f"| {' | '.join(cells)} |".replace("| --- ", "|---").replace("---| |", "---|") for cells in rows)


def _models() -> str:
    from scripts.tinyworld.evaluate import AIMS

    words = {"ge": "at least", "le": "at most", "lt": "under"}
    card = json.loads(CARD.read_text(encoding="utf-8"))
    lines = ["| figure | measured | aim |", "|---|---|---|"]
    for name, value in card["evaluation"].items():
        measured = f"{value:.4f} **missed**" if name in card["missed"] else f"{value:.3f}"
        aim = f"{words[AIMS[name][0].__name__]} {f'{AIMS[name][1]:g}'.removeprefix('0')}" if name in AIMS else ""
        lines.append(f"| {name} | {measured} | {aim} |")
    return "\n".join(lines)


def _recognised() -> str:
    shares = json.loads(CARD.read_text(encoding="utf-8"))["recognised"]
    contents = list(next(iter(shares.values())))
    rows = [f"| {content} | {' | '.join(f'{of[content]:.3f}' for of in shares.values())} |" for content in contents]
    return "\n".join([f"| | {' | '.join(shares)} |", "|---" * (len(shares) + 1) + "|", *rows])


def _inside() -> str:
    groups = json.loads(CARD.read_text(encoding="utf-8"))["inside"]
    rows = [
        f"| {group} | {name} | {shares[0]:.3f} | {shares[1]:.3f} |"
        for group, kinds in sorted(groups.items(), key=lambda entry: (entry[0] != "postcards", entry[0]))
        for name, shares in kinds.items()
    ]
    return "\n".join(["| | images | inside | by statistics alone |", "|---|---|---|---|", *rows])


def rewritten(text: str) -> str:
    """A page with every marked number and table as its record has it."""
    text = MARKED.sub(lambda m: as_written(value_of(m["source"]), m["text"]) + m[0][len(m["text"]) :], text)
    return TABLE.sub(
        lambda m: f"<!-- table: {m['source']} -->\n\n{table_of(m['source'])}\n\n<!-- end of table -->", text
    )


def differences(text: str) -> list[str]:
    """Lines of a page that are others in the records: ``-`` as they stand, ``+`` by the records."""
    lines = difflib.unified_diff(text.splitlines(), rewritten(text).splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def unmarked(text: str) -> Iterator[str]:
    """Numbers with decimals that no mark, table, section or paragraph accounts for."""
    head, *sections = re.split(r"^(?=## )", CODE.sub("", text), flags=re.MULTILINE)
    if ELSEWHERE.search(head):
        return
    for section in (head, *sections):
        if not ELSEWHERE.search(section):
            own = WRITTEN.sub("", TABLE.sub("", section))
            for part in re.split(r"\n\n|\n(?=[|-])", own):
                if NO_RECORD not in part:
                    yield from DECIMALS.findall(UNREAD.sub("", MARKED.sub("", part)))


def stamp_of(file: Path) -> str:
    """Record and digest that a picture carries; empty where it carries none."""
    if file.suffix == ".png":
        with Image.open(file) as image:
            return str(image.info.get("record", ""))
    marks = re.findall(r"<!-- record: (.*?) -->", file.read_text(encoding="utf-8"))
    return marks[0] if marks else ""


def expected_stamp(record: str) -> str:
    return f"{record} {board(record).record.digest}"


def draw(name: str, record: str) -> None:
    """Makes a picture anew and stamps it."""
    file = IMAGES / name
    if name.startswith("statistics/"):
        from scripts import statistics_figures

        getattr(statistics_figures, file.stem.replace("-", "_"))()
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"\n<!-- record: {expected_stamp(record)} -->\n")
        return
    if name.startswith("site/"):
        _photograph(record, file)
        image = Image.open(file).convert("RGB").quantize(256)  # a third of the bytes
    else:
        from scripts.tinyworld.sheets import generators

        image = generators(RESULTS / record)
    stamp = PngInfo()
    stamp.add_text("record", expected_stamp(record))
    image.save(file, optimize=True, pnginfo=stamp)


def _photograph(record: str, file: Path) -> None:
    """The top of a task's leaderboard in Chromium."""
    from playwright.sync_api import sync_playwright

    from benchmark.site.build import build_site

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = build_site([RESULTS / record], Path(folder) / "site")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        window.goto(page.as_uri())
        window.screenshot(path=file)
        browser.close()


@click.command()
@click.option("--write", is_flag=True, help="Write numbers, tables and pictures from the records.")
def main(write: bool) -> None:
    """Compares the docs with the records; leaves with 1 where they differ."""
    problems = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if write:
            page.write_text(rewritten(text), encoding="utf-8")
            continue
        problems += [f"{page.relative_to(ROOT)}: {each}" for each in differences(text)]
        problems += [f"{page.relative_to(ROOT)}: {each} names no record" for each in unmarked(text)]
    for name, record in PICTURES.items():
        if stamp_of(IMAGES / name) != expected_stamp(record):
            if write:
                draw(name, record)
            else:
                problems.append(f"docs/images/{name} shows an earlier state of {record}")
    if problems:
        sys.exit("\n".join([*problems, "python -m scripts.docs_numbers --write"]))


if __name__ == "__main__":
    main()
