"""How well a run knows the time it still takes, on its second run.

    python scripts/perf/time_left.py                # tinyworld-quick
    python scripts/perf/time_left.py sprites

Runs the task twice, each in an empty work folder and a process of its own. The second is given what the stages of the
first cost. At every tenth of it, the time left that it shows is compared with the time that it then took.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import click

from benchmark.runner.estimate import FILE, Step
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import run_task
from benchmark.runner.store import Store
from benchmark.site.build import build_site
from benchmark.task.bundled import find_task
from benchmark.task.resolve import load_task

SECONDS_BETWEEN_SAMPLES = 0.2


def run(task: str, workdir: Path, overrides: tuple[str, ...]) -> dict[str, list[tuple[float, float, bool]] | float]:
    """Samples of a whole run as (elapsed, time left, whether it is complete), and the seconds that it took."""
    reporter, over = Reporter(), threading.Event()
    samples: list[tuple[float, float, bool]] = []

    def sample() -> None:
        while not over.wait(SECONDS_BETWEEN_SAMPLES):
            elapsed, left = reporter.elapsed(), reporter.left()
            if left is not None:
                samples.append((elapsed, left.seconds, left.complete))

    threading.Thread(target=sample, daemon=True).start()
    store = Store(workdir, reporter.info)
    with store.locked("records"), reporter.run(Step("page", "page", task)):
        records = run_task(load_task(find_task(task), overrides), store, reporter=reporter).records
        with reporter.stage("page"):
            build_site([records], workdir / "site")
    over.set()
    return {"samples": samples, "seconds": reporter.elapsed()}


@click.command()
@click.argument("task", default="tinyworld-quick")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="As of rebeca-bench run.")
@click.option("--once", type=click.Path(path_type=Path), help="Run in this work folder and print the samples.")
def main(task: str, overrides: tuple[str, ...], once: Path | None) -> None:
    """Prints the time left that the second run estimates, and the true one, at every tenth."""
    if once is not None:
        click.echo(json.dumps(run(task, once, overrides)))
        return
    with tempfile.TemporaryDirectory() as folder:
        results: list[Any] = []
        for name in ("first", "second"):
            workdir = Path(folder) / name
            workdir.mkdir()
            if results:
                shutil.copyfile(Path(folder) / "first" / FILE, workdir / FILE)
            given = [f"--set={override}" for override in overrides]
            command = [sys.executable, __file__, task, *given, "--once", str(workdir)]
            results.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
    click.echo(f"first run {results[0]['seconds']:.0f} s, second run {results[1]['seconds']:.0f} s")
    click.echo("elapsed  s left  estimated  ratio")
    seconds, samples = results[1]["seconds"], results[1]["samples"]
    for tenth in range(1, 10):
        elapsed, estimated, complete = min(samples, key=lambda each: abs(each[0] - seconds * tenth / 10))
        mark = "" if complete else "  incomplete"
        click.echo(
            f"{tenth * 10:6d} %  {seconds - elapsed:6.1f}  {estimated:9.1f}"
            f"  {estimated / (seconds - elapsed):5.2f}{mark}"
        )


if __name__ == "__main__":
    main()
