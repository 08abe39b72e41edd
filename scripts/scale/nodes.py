"""What a second node of Ray saves, and what Ray costs on one node.

    python -m scripts.scale.nodes --workdir /tmp/nodes --task tinyworld-quick

Fits come first and are not measured: images and scores are made with one node of one processor, with two, and by the
run itself in one process, in turns. Every turn begins with a copy of the same fits.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import click

from benchmark.records.files import read_comparison
from benchmark.runner.reproduce import compare

RUN = "from benchmark.commands.main import main; main()"


class Measured(NamedTuple):
    """Seconds of a whole run, and of its images and scores alone."""

    run: float
    pieces: float


def bench(words: list[str], environment: dict[str, str]) -> Measured:
    started = time.perf_counter()
    command = [sys.executable, "-c", RUN, *words]
    said = subprocess.run(
        command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    whole = time.perf_counter() - started
    pieces = re.search(r"pieces in ([0-9.]+) s", said.stderr)
    return Measured(whole, float(pieces[1]) if pieces else float("nan"))


def of_stages(records: Path) -> float:
    """Seconds that a run in one process spent on images and scores."""
    seconds = read_comparison(records).provenance.seconds
    return sum(own for title, own in seconds.items() if title.startswith(("images", "score ")))


@click.command()
@click.option("--task", default="tinyworld-quick", show_default=True)
@click.option("--limit-users", default=0, help="0 for the task's own number.")
@click.option("--turns", default=3, show_default=True)
@click.option("--workdir", type=click.Path(path_type=Path), required=True, help="An empty folder.")
def main(task: str, limit_users: int, turns: int, workdir: Path) -> None:
    """Measure a run with one and two nodes."""
    from ray.cluster_utils import Cluster

    environment = os.environ | {"REBECA_PROCESSES": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    words = [task, *(["--limit-users", str(limit_users)] if limit_users else [])]
    bench(["work", *words, "--stage", "fits", "--workdir", str(workdir / "fits")], environment)
    measured: dict[str, list[Measured]] = {"local": [], "one node": [], "two nodes": []}
    records: list[Path] = []
    for turn in range(turns):
        for name, nodes in (("local", 0), ("one node", 1), ("two nodes", 2)):
            folder = workdir / f"{name.replace(' ', '-')}-{turn}"
            shutil.copytree(workdir / "fits", folder)
            command = ["run", *words, "--workdir", str(folder)]
            if nodes:
                cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
                for _ in range(nodes - 1):
                    cluster.add_node(num_cpus=1)
                command += ["--executor", "ray", "--address", cluster.address]
                measured[name].append(bench(command, environment))
                cluster.shutdown()  # type: ignore[no-untyped-call]
            else:
                measured[name].append(bench(command, environment))
            records += (folder / "records").glob("*/*")
            if not nodes:
                measured[name][-1] = measured[name][-1]._replace(pieces=of_stages(records[-1]))
    runs, pieces = (
        {name: statistics.median(getattr(each, kind) for each in own) for name, own in measured.items()}
        for kind in Measured._fields
    )
    result = {
        "seconds of runs": {name: round(value, 1) for name, value in runs.items()},
        "seconds of images and scores": {name: round(value, 1) for name, value in pieces.items()},
        "images and scores, two nodes, times faster than one": round(pieces["one node"] / pieces["two nodes"], 3),
        "images and scores, one node against local": round(pieces["one node"] / pieces["local"], 3),
        "whole run, one node against local": round(runs["one node"] / runs["local"], 3),
        "records equal": not any(compare(records[0], other).bytes for other in records[1:]),
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
