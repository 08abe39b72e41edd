"""How long commands take to start: wall seconds to the first line, the median of seven.

python scripts/perf/startup.py

``plan`` says what it reads before it reads it; how long that takes depends on the data. The limits are 0.3 s for
``--help`` and 1 s for the others.
"""

from __future__ import annotations

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
TIMES = 7


def first_line(words: list[str]) -> float:
    """Seconds until the command says something."""
    started = time.perf_counter()
    script = "from benchmark.commands.main import main; main()"
    command = [sys.executable, "-c", script, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - started
        process.kill()
    return seconds


@click.command()
def main() -> None:
    """Prints a table; the exit code is 1 where a limit is broken."""
    broken = False
    for command, limit in COMMANDS.items():
        seconds = statistics.median(first_line(command.split()) for _ in range(TIMES))
        broken |= seconds > limit
        click.echo(f"{seconds:6.2f} s (limit {limit:g} s)  {command.replace(str(RESULTS), 'results')}")
    sys.exit(broken)


if __name__ == "__main__":
    main()
