"""Measures everything that has a limit of speed or memory, and writes docs/performance.md.

    python scripts/perf/report.py                 # an hour on two idle cores
    python scripts/perf/report.py --only prior    # one part; the others keep their figures

Where the peer is this package's own past, an earlier commit is checked out beside, and both take turns. All figures are
kept in docs/reports/performance.json, from which the page is written.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT, PAGE = ROOT / "docs" / "reports" / "performance.json", ROOT / "docs" / "performance.md"
START, END = "<!-- figures: made by scripts/perf/report.py -->", "<!-- end of figures -->"
BEFORE = "2f67d380"
"""The commit that is the peer of the package itself."""
RUN = "from benchmark.commands.main import main; main()"
OLD_ANALYSIS = re.compile(r": ([\d.]+) s \(.*, (\d+) MB \(")
OUTSIDE = re.compile(r"outside models and solvers: .*, ([\d.]+) %")


class Figure(NamedTuple):
    """A line of the page.

    Attributes:
        what: What was measured, with its unit.
        value: The figure.
        limit: At least or at most so much; None where nothing is asked.
        met: Whether it is.
    """

    what: str
    value: float
    limit: float | None = None
    met: bool | None = None


def at_most(what: str, value: float, limit: float) -> Figure:
    return Figure(what, value, limit, value <= limit)


def script(name: str, *options: str) -> list[Figure]:
    """What a script of this folder prints with ``--json``."""
    command = [sys.executable, str(ROOT / "scripts" / "perf" / f"{name}.py"), *options, "--json"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment(ROOT)).stdout
    return [Figure(**figure) for figure in json.loads(output)]


def environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(root), "HF_HUB_OFFLINE": "1"}


def bench(root: Path, *words: str | Path) -> float:
    """Wall seconds of a command of one checkout."""
    started = time.perf_counter()
    command = [sys.executable, "-c", RUN, *map(str, words)]
    subprocess.run(command, check=True, cwd=root, env=environment(root), capture_output=True)
    return time.perf_counter() - started


@contextmanager
def earlier() -> Iterator[Path]:
    """The earlier commit, checked out for the block."""
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", f"{folder}/before", BEFORE], check=True, capture_output=True)
        try:
            yield Path(folder, "before")
        finally:
            subprocess.run([*git, "remove", "--force", f"{folder}/before"], check=True)


def ncf() -> list[Figure]:
    return script("ncf")


def prior() -> list[Figure]:
    return script("prior")


def quick(runs: int = 3) -> list[Figure]:
    """A run from nothing, now and before, in turns; and how much of it is neither model nor solver."""
    seconds: dict[str, list[float]] = {"now": [], "before": []}
    with earlier() as before, tempfile.TemporaryDirectory() as folder:
        for turn in range(runs):
            for name, root in (("before", before), ("now", ROOT)):
                seconds[name].append(bench(root, "run", "tinyworld-quick", "--workdir", Path(folder, f"{name}{turn}")))
        bench(ROOT, "run", "tinyworld-quick", "--workdir", Path(folder, "p"), "--profile", Path(folder, "profile"))
        outside = OUTSIDE.search(Path(folder, "profile", "stages.txt").read_text(encoding="utf-8"))
    assert outside is not None
    medians = {name: statistics.median(own) for name, own in seconds.items()}
    return [
        *(Figure(f"tinyworld-quick from nothing, {name}: seconds", own) for name, own in medians.items()),
        at_most("tinyworld-quick from nothing: share of the time before", medians["now"] / medians["before"], 0.6),
        at_most("tinyworld-quick in one process: outside models and solvers, %", float(outside[1]), 5),
    ]


def analysis() -> list[Figure]:
    """Of 4,000 users, now and before; and how it grows."""
    with earlier() as before:
        command = [
            sys.executable,
            "scripts/perf/analysis.py",
            "--users=4000",
            "--generators=10",
            "--images=10",
            "--repeat=1",
        ]
        output = subprocess.run(
            command, cwd=before, env=environment(before), stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    old = OLD_ANALYSIS.search(output)
    assert old is not None
    few = script("analysis", "--users=4000", "--generators=10", "--repeat=3")
    many = script("analysis", "--users=20000", "--generators=10", "--repeat=1")
    growth = many[0].value / few[0].value / (20_000 / 4_000)
    return [
        Figure("analysis before, 4,000 users, 10 generators: seconds", float(old[1])),
        Figure("analysis before, 4,000 users, 10 generators: memory, MB", float(old[2])),
        *few[:1],
        at_most("analysis, 4,000 users: share of the time before", few[0].value / float(old[1]), 0.25),
        at_most(few[1].what, few[1].value, 1000),
        *many[:1],
        at_most(many[1].what, many[1].value, 3000),
        at_most("analysis: time per user with 20,000 users over that with 4,000", growth, 1.2),
    ]


def site() -> list[Figure]:
    """The script's own figures; and one site built now and before, in turns."""
    from scripts.perf.site import make_records

    seconds: dict[str, list[float]] = {"now": [], "before": []}
    with earlier() as before, tempfile.TemporaryDirectory() as folder:
        make_records(Path(folder, "records"), 200, 210)
        for turn in range(2):
            for name, root in (("before", before), ("now", ROOT)):
                target = Path(folder, f"{name}{turn}")
                seconds[name].append(bench(root, "site", "build", Path(folder, "records"), "--out", target))
    ratio = min(seconds["now"]) / min(seconds["before"])
    figures = script("site", "--runs", "1")
    return [*figures, at_most("200 generators x 210 users: share of the time before", ratio, 1.0)]


PARTS: dict[str, tuple[str, Callable[[], list[Figure]]]] = {
    "ncf": ("The verifier's training, one core", ncf),
    "prior": ("Sampling from the prior, one core", prior),
    "quick": ("A whole run", quick),
    "analysis": ("Analysis", analysis),
    "site": ("Site", site),
}


def machine() -> str:
    import torch

    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.is_file() else []
    processor = names[0] if names else platform.processor() or platform.machine()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{os.cpu_count()} cores of {processor}, {memory:.0f} GiB, {versions}"


def tables(kept: dict[str, dict[str, object]]) -> str:
    """Markdown: one table per part."""
    verdicts = {None: "", True: "yes", False: "**no**"}
    lines: list[str] = []
    for name, (title, _) in PARTS.items():
        if name not in kept:
            continue
        part = kept[name]
        lines += [f"## {title}", "", f"Commit {part['commit']}, {part['date']}: {part['machine']}.", ""]
        lines += ["| | measured | limit | met |", "|---|---|---|---|"]
        for entry in part["figures"]:  # type: ignore[attr-defined]
            figure = Figure(*entry)
            limit = "" if figure.limit is None else f"{figure.limit:g}"
            value = f"{figure.value:,.0f}" if figure.value >= 1000 else f"{figure.value:.3g}"
            lines.append(f"| {figure.what} | {value} | {limit} | {verdicts[figure.met]} |")
        lines.append("")
    return "\n".join(lines)


def write_page() -> None:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(f"{before}{START}\n\n{tables(kept)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="A part; may be repeated.")
@click.option("--page", is_flag=True, help="Only write the page anew from the kept figures.")
def main(only: Sequence[str], page: bool) -> None:
    """Measures, keeps the figures, and writes the page."""
    sys.path.insert(0, str(ROOT))
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=8", "HEAD"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    for name in () if page else only or PARTS:
        click.echo(f"{PARTS[name][0]} ...", err=True)
        figures = PARTS[name][1]()
        kept[name] = {
            "commit": commit, "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine(), "figures": figures,
        }  # fmt: skip
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        for figure in figures:
            click.echo(
                f"{figure.value:10.3g}  {figure.what}{'' if figure.met is None else f'  (limit {figure.limit:g})'}"
            )
    write_page()


if __name__ == "__main__":
    main()
