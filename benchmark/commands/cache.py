"""``rebeca-bench cache``: what the work folder keeps, and its removal."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.commands.completion import recorded_tasks
from benchmark.commands.exits import DIFFERS
from benchmark.commands.options import (
    csv_option,
    dry_run_option,
    json_option,
    print_result,
    quiet_option,
    workdir_option,
)
from rebeca.errors import SpecError

if TYPE_CHECKING:
    from benchmark.board.plain_rows import Cell
    from benchmark.runner.cache import Cache, Entry, Removal
    from benchmark.runner.store import Store

AGE = re.compile(r"([0-9]{1,6})([dh])")
SECONDS = {"d": 86400, "h": 3600}
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@dataclass(frozen=True, slots=True)
class CacheRow:
    """Entries of one kind that the same tasks need.

    Attributes:
        kind: Folder of the work folder, or ``other``.
        needed_by: Tasks by id and version.
        wrong: Why no run can use them; empty where one can.
        key: Of a single artefact; empty for several.
        number: How many there are.
        bytes: Their size.
        last_used: In UTC.
    """

    kind: str
    needed_by: tuple[str, ...]
    wrong: str
    key: str
    number: int
    bytes: int
    last_used: str


@dataclass(frozen=True, slots=True)
class CacheList:
    """What ``cache ls`` prints.

    Attributes:
        workdir: The work folder.
        rows: One per kind and tasks.
        bytes: Of all rows.
        unknown: Tasks with records, but without a note of what they use.
        links: Links, which are not followed.
    """

    workdir: str
    rows: Sequence[CacheRow]
    bytes: int
    unknown: Sequence[str]
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed, or is going to be.

    Attributes:
        rows: One per kind and tasks.
        bytes: Of all rows.
        shared: How many results stay since other tasks need them, too.
        removed: Whether they are gone.
    """

    rows: Sequence[CacheRow]
    bytes: int
    shared: int
    removed: bool


@click.group()
def cache() -> None:
    """List, remove and check what the work folder keeps."""


@cache.command("ls")
@click.argument("tasks", nargs=-1, metavar="[TASK]...", shell_complete=recorded_tasks)
@click.option("--units", is_flag=True, help="One row per result, with its key.")
@workdir_option
@json_option
@csv_option
def list_(tasks: tuple[str, ...], units: bool, workdir: Path, as_json: bool, as_csv: bool) -> None:
    """List what is kept: kind, size, last use, and which tasks need it."""
    from benchmark.runner.cache import links_of, read_cache, tasks_called

    kept = read_cache(workdir)
    entries: Sequence[Entry] = kept.entries
    if tasks:
        chosen = {task for name in tasks for task in tasks_called(kept, name)}
        entries = [entry for entry in entries if chosen & {*entry.needed_by}]
    rows = list(_rows(entries, units))
    links = [path.name for path in links_of(workdir)]
    listed = CacheList(str(workdir), rows, sum(row.bytes for row in rows), kept.unknown, links)
    print_result(listed, as_json, print_list, map(_flat, rows) if as_csv else None)


@cache.command()
@click.argument("names", nargs=-1, required=True, metavar="TASK|KEY...", shell_complete=recorded_tasks)
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only results of this stage; may be repeated.")
@click.option("--records", is_flag=True, help="Remove the tasks' records, images and pages as well.")
@_yes
@dry_run_option
@workdir_option
@json_option
def rm(
    names: tuple[str, ...],
    stages: tuple[str, ...],
    records: bool,
    yes: bool,
    dry_run: bool,
    workdir: Path,
    as_json: bool,
) -> None:
    """Remove the results of tasks, or single ones by their keys.

    What another task needs stays, and so do records and declarations.
    """
    from benchmark.runner.cache import STAGES, select

    for stage in stages:
        if stage not in STAGES:
            raise SpecError(f"--stage {stage}: no such stage", hint=f"one of {', '.join(STAGES)}")
    if stages and records:
        raise SpecError("--records removes whole tasks, --stage parts of them", hint="name only one of them")
    store = _store(workdir)
    _remove(store, lambda kept: select(kept, names, stages, records), yes, dry_run, as_json)


@cache.command()
@click.option("--older-than", metavar="AGE", help="Only what was last used so long ago, e.g. 30d or 12h.")
@_yes
@dry_run_option
@workdir_option
@json_option
def prune(older_than: str | None, yes: bool, dry_run: bool, workdir: Path, as_json: bool) -> None:
    """Remove what no task needs and what no run can use.

    That is damaged results, files of killed processes, and results of older
    versions. Records stay.
    """
    from benchmark.runner.cache import unneeded

    before = float("inf") if older_than is None else time.time() - _seconds(older_than)
    _remove(_store(workdir), lambda kept: unneeded(kept, before), yes, dry_run, as_json)


@cache.command()
@quiet_option
@workdir_option
@json_option
def verify(quiet: bool, workdir: Path, as_json: bool) -> None:
    """Read every byte and set damaged results aside.

    The exit code is 1 if any was damaged. The next run computes it again.
    """
    from benchmark.runner.cache import STAGES, damaged, read_cache
    from benchmark.runner.progress import Reporter
    from benchmark.runner.store import Store

    reporter = Reporter(quiet=quiet or as_json)
    store = Store(workdir, reporter.info)
    read_cache(workdir)  # refuses a folder that does not exist, which a lock would create
    with store.claimed():
        kept = read_cache(workdir)
        with reporter.stage("verify", announce=False) as report:
            problems = list(damaged(store, kept, lambda read, total: report(read, total, "bytes")))
    number = sum(entry.kind in STAGES and not entry.path.name.startswith(".") for entry in kept.entries)
    lines = [
        f"{problem.stage}/{problem.key[:12]}: {problem.problem}\n  set aside as {problem.aside}"
        f"{'; needed by ' + ', '.join(problem.needed_by) if problem.needed_by else ''}"
        for problem in problems
    ]
    verdict = f"{number:,} results read; " + (f"{len(problems):,} damaged" if problems else "all intact")
    print_result({"read": number, "damaged": problems}, as_json, "\n".join([*lines, verdict]))
    if problems:
        sys.exit(DIFFERS)


def _store(workdir: Path) -> Store:
    from benchmark.runner.store import Store

    return Store(workdir, lambda line: click.echo(line, err=True))


def _seconds(age: str) -> float:
    """Seconds of an age such as ``30d``."""
    match = AGE.fullmatch(age)
    if match is None:
        raise SpecError(f"--older-than {age}: not an age", hint="write days as 30d, hours as 12h")
    return int(match[1]) * SECONDS[match[2]]


def _remove(store: Store, choose: Callable[[Cache], Removal], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Says what is removed and how large it is, asks, and removes it while no run uses the folder."""
    from benchmark.runner.cache import read_cache, remove

    removal = choose(read_cache(store.root))
    if not dry_run and removal.entries:
        with store.claimed():
            kept = read_cache(store.root)
            removal = choose(kept)
            if not as_json:
                print_removal(_removed(removal, False), kept)
            if not yes:
                _ask(removal.bytes)
            remove(kept, removal.entries)
        if not as_json:
            click.echo(f"removed {_size(removal.bytes)}")
            return
    print_result(
        _removed(removal, not dry_run), as_json, lambda removed: print_removal(removed, read_cache(store.root))
    )


def _ask(size: int) -> None:
    try:
        sure = click.confirm(f"remove {_size(size)}?", err=True)
    except click.Abort as error:
        raise SpecError("nothing was removed: there was no answer", hint="--yes does not ask") from error
    if not sure:
        raise SpecError("nothing was removed", hint="--dry-run only shows what would be")


def _removed(removal: Removal, gone: bool) -> Removed:
    return Removed(list(_rows(removal.entries, False)), removal.bytes, len(removal.shared), gone)


def _rows(entries: Sequence[Entry], units: bool) -> Iterator[CacheRow]:
    """Rows, those of the same tasks together, those that no task needs last."""
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        single = entry.path if units else ""
        groups.setdefault((entry.needed_by, entry.wrong, entry.kind, single), []).append(entry)
    order = sorted(groups.values(), key=_order)
    for group in order:
        first = group[0]
        yield CacheRow(
            kind=first.kind,
            needed_by=first.needed_by,
            wrong=first.wrong,
            key=first.key if units else "",
            number=len(group),
            bytes=sum(entry.bytes for entry in group),
            last_used=datetime.fromtimestamp(max(entry.used for entry in group), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


def _order(group: Sequence[Entry]) -> tuple[object, ...]:
    first = group[0]
    return first.kind == "other", not first.needed_by, first.needed_by, first.wrong


def _flat(row: CacheRow) -> dict[str, Cell]:
    return asdict(row) | {"needed_by": " ".join(row.needed_by)}


def _size(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)


def print_list(listed: CacheList) -> None:
    """Prints a row per kind and tasks, and the total."""
    from benchmark.commands.layout import terminal

    console = terminal()
    console.print(f"{listed.workdir}: {_size(listed.bytes)}\n")
    _print_rows(listed.rows)
    if listed.unknown:
        console.print(
            f"\nNo run has noted yet what {', '.join(listed.unknown)} needs. Until then prune removes only what no run"
            " can use. The next run of such a task notes it; nothing is computed again for that."
        )
    if listed.links:
        console.print(f"\nlinks are not followed: {', '.join(listed.links)}")


def print_removal(removed: Removed, kept: Cache) -> None:
    """Prints what is removed, and what stays for want of certainty or for other tasks."""
    from benchmark.commands.layout import terminal

    console = terminal()
    if not removed.rows:
        console.print(f"nothing to remove in {kept.root}")
    else:
        _print_rows(removed.rows)
        number = sum(row.number for row in removed.rows)
        console.print(f"\n{number:,} of these, {_size(removed.bytes)}")
    if removed.shared:
        console.print(f"{removed.shared:,} results stay: other tasks need them, too")
    if kept.unknown:
        console.print(f"kept whole, since no run noted what it needs: {', '.join(kept.unknown)}")


def _print_rows(rows: Sequence[CacheRow]) -> None:
    """Prints rows below the tasks that need them. All columns are narrow, so that they fit everywhere."""
    from benchmark.commands.layout import terminal

    console = terminal()
    cells = [("kind", "number", "size", "last used", "key" if any(row.key for row in rows) else "")]
    cells += [(row.kind, f"{row.number:,}", _size(row.bytes), row.last_used[:10], row.key[:12]) for row in rows]
    kind, number, size, used, _ = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = [f"  {c[0]:{kind}}  {c[1]:>{number}}  {c[2]:>{size}}  {c[3]:{used}}  {c[4]}" for c in cells]
    console.print(lines[0], style="bold")
    headings = [_heading(row) for row in rows]
    for place, line in enumerate(lines[1:]):
        if place == 0 or headings[place] != headings[place - 1]:
            console.print(headings[place])
        console.print(line)


def _heading(row: CacheRow) -> str:
    if row.kind == "other":
        return "other files"
    return ", ".join(row.needed_by) or (f"no task: {row.wrong}" if row.wrong else "no task")
