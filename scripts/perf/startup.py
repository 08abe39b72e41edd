"""How long commands take to start, and how long a run takes that has nothing to do: medians of seven.

    python scripts/perf/startup.py
    python scripts/perf/startup.py --workdir FOLDER   # and tinyworld-quick again, which was run there before

To the first line for most commands: ``plan`` says what it reads before it reads it. The run is measured to its end; it
reads every byte of its artefacts and records. With ``--imports`` the dearest imports of that run are listed.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

RESULTS = Path(__file__).resolve().parent.parent.parent / "results"
COMMANDS = {
    "--help": 0.3,
    "validate sprites": 1.0,
    f"show sprites --results {RESULTS}": 1.0,
    "plan sprites": 1.0,
}
AGAIN, LIMIT_AGAIN = "run tinyworld-quick", 1.5
"""Seconds of a run with nothing to do, page and leaderboard included, on a machine that does nothing else."""
TIMES = 7
SCRIPT = "from benchmark.commands.main import main; main()"
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)")
DEAREST = 25


def first_line(words: list[str]) -> float:
    """Seconds until the command prints something."""
    started = time.perf_counter()
    command = [sys.executable, "-c", SCRIPT, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - started
        process.kill()
    return seconds


def to_the_end(words: list[str]) -> float:
    """Seconds of a whole command."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, check=True)
    return time.perf_counter() - started


def dearest_imports(words: list[str]) -> list[tuple[float, str]]:
    """Milliseconds of modules, what they import aside, the dearest first."""
    command = [sys.executable, "-X", "importtime", "-c", SCRIPT, *words]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    matches = (IMPORT.match(line) for line in log.splitlines())
    return sorted(((int(each[1]) / 1000, each[4]) for each in matches if each), reverse=True)[:DEAREST]


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Work folder in which tinyworld-quick was run.")
@click.option("--imports", is_flag=True, help="List the dearest imports of that run.")
def main(workdir: Path | None, imports: bool) -> None:
    """Prints a table; the exit code is 1 where a limit is broken."""
    broken = False
    measured = [(command, limit, first_line) for command, limit in COMMANDS.items()]
    if workdir is not None:
        again = f"{AGAIN} --workdir {workdir}"
        to_the_end(again.split())  # builds the page, should it be missing
        measured.append((again, LIMIT_AGAIN, to_the_end))
    for command, limit, measure in measured:
        seconds = statistics.median(measure(command.split()) for _ in range(TIMES))
        broken |= seconds > limit
        click.echo(f"{seconds:6.2f} s (limit {limit:g} s)  {command.replace(str(RESULTS), 'results')}")
    if workdir is not None and imports:
        for milliseconds, name in dearest_imports(again.split()):
            click.echo(f"{milliseconds:8.1f} ms  {name}")
    sys.exit(broken)


if __name__ == "__main__":
    main()
