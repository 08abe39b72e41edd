"""The leaderboard and comparisons on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmark.board.board import NOT_FROZEN, Board, read_board, turned_round
from benchmark.board.format_numbers import MISSING, count, number, p_value, with_interval
from benchmark.records.files import newest_records
from benchmark.records.schema import LIFT
from benchmark.task.yaml_source import read_yaml
from rebeca.errors import SpecError, did_you_mean

UNCUT = 240


def find_records(task: str, roots: Sequence[Path]) -> Path:
    """The newest version of a task's records, by id, task file or folder.

    Raises:
        SpecError: If there are none.
    """
    folder = Path(task)
    if (folder / "_task").is_dir():
        return folder
    name = str(read_yaml(folder).data.get("id", folder.stem)) if folder.suffix in (".yaml", ".yml") else folder.name
    for root in roots:
        found = newest_records(root / name)
        if found is not None:
            return found
    known = sorted({p.name for root in roots if root.is_dir() for p in root.iterdir() if p.is_dir()})
    raise SpecError(
        f"no records of '{name}' in {', '.join(str(root) for root in roots)}",
        hint=did_you_mean(name, known) if known else f"run it first (rebeca-bench run {task}), or name its --workdir",
    )


def summary(records: Path) -> dict[str, Any]:
    """The board as JSON."""
    board = read_board(records)
    return {
        "task": board.task,
        "people": board.people,
        "generators": [
            {
                "id": row.id,
                "title": row.title,
                "ranked": row.ranked,
                "rank": row.rank,
                "preference": row.measure(board.primary),
                "personal_lift": row.lift(board.primary),
                "measures": {name: row.measure(name) for name in row.measures},
                "lifts": {name: row.lift(name) for name in row.lifts},
                "flags": row.flags,
            }
            for row in board.rows
        ],
        "failed": board.failed,
        "judges": board.judges,
    }


def print_board(records: Path) -> None:
    """Prints ranks, preference, lift, the truth where the world has one, and the verifier's report."""
    board = read_board(records)
    console = wide_console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [column for column in board.columns() if column.measure in (board.primary, board.truth())]
    table.add_column("rank", no_wrap=True)
    table.add_column("generator", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, no_wrap=True)
    table.add_column("flags", no_wrap=True)
    for row in board.rows:
        rank = "" if row.rank is None else f"{row.rank['text']} {row.rank['group']}"
        cells = [MISSING if (cell := row.cell(c)) is None else with_interval(cell, c.signed) for c in columns]
        table.add_row(rank, row.title, *cells, ", ".join(row.flags))
    console.print(f"[bold]{board.title}[/bold]: {count(board.people)}")
    console.print(table)
    if board.finding:
        console.print(board.finding)
    for one in board.failed:
        console.print(f"without a row: {one['title']} ({one['reason']})", markup=False)
    for caution in [*([] if board.frozen else [NOT_FROZEN]), *board.cautions()]:
        console.print(f"caution: {caution}")
    console.print(_judges(board))


def comparisons(records: Path, a: str, b: str) -> list[dict[str, Any]]:
    """Every recorded comparison of two generators, as a minus b.

    Raises:
        SpecError: If an id is unknown or the pair was not tested.
    """
    board = read_board(records)
    ids = [row.id for row in board.rows]
    for name in (a, b):
        if name not in ids:
            raise SpecError(f"no generator '{name}' in {records}", hint=did_you_mean(name, ids))
    found = []
    for measure, family in board.families.items():
        for one in family["comparisons"]:
            if {one["a"], one["b"]} == {a, b}:
                swap = one["a"] != a
                found.append(
                    {"measure": measure, "declared": family["declared"], **(turned_round(one) if swap else one)}
                )
    if not found:
        raise SpecError(
            f"'{a}' and '{b}' were not compared",
            hint="unranked rows are described, not tested; the family is declared in analysis.family",
        )
    return sorted(found, key=lambda c: (not c["declared"], c["measure"]))


def print_comparisons(records: Path, a: str, b: str, found: Sequence[dict[str, Any]]) -> None:
    """Prints one line a measure."""
    board = read_board(records)
    analysis = board.comparison["spec"]["analysis"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = (
        "measure",
        f"{a} minus {b}",
        "unit",
        "d_z",
        f"people who prefer {a}",
        f"picture of {a} beats one of {b}",
        "skewness",
        "detectable",
        "p, max-T",
        "p, Holm",
        "verdict",
        "",
    )
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for one in found:
        test, prefer, beats = one["test"] or {}, one["prefer"], one["beats"]
        card = board.card(one["measure"].removeprefix(LIFT))
        table.add_row(
            one["measure"].replace(LIFT, "personal lift, "),
            with_interval(one["difference"], sign=True),
            str(card.get("unit", "")) + ("" if card.get("higher_is_better", True) else ", lower is better"),
            number(one["effect"], 2, sign=True),
            f"{number(prefer['share'], 2)} ({number(prefer['low'], 2)} to {number(prefer['high'], 2)})",
            "" if beats is None else with_interval(beats),
            number(one["difference"]["skewness"], 1, sign=True),
            number(one["detectable"], 4),
            p_value(test.get("p_max_t")),
            p_value(test.get("p_holm")),
            one["verdict"] + (" (skewed)" if one["skewed"] else ""),
            "" if one["declared"] else "exploratory",
        )
    console = wide_console()
    console.print(table)
    console.print(
        f"adjusted over {analysis['family'].replace('-', ' ')}, level {analysis['alpha']:g}; equivalent within"
        f" {analysis['equivalence_margin']:g} (declared measures only); detectable:"
        " smallest difference that this pair alone, unadjusted, finds with 80 % power"
    )


def wide_console() -> Console:
    """A console that never cuts a number: outside a terminal lines are as long as they need to be."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=UNCUT)


def _judges(board: Board) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("held-out ratings", "AUC within user", "AUC pooled", "verifier minus it", ""):
        table.add_column(heading, no_wrap=True)
    for name, entry in board.judges.items():
        gain = entry.get("verifier_gain")
        table.add_row(
            name,
            with_interval(entry["auc_within_user"]),
            with_interval(entry["auc_pooled"]),
            with_interval(gain, sign=True) if gain else "",
            entry["meaning"],
        )
    return table
