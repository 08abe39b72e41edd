"""What a second node of Ray saves, and what Ray costs on one node.

    python -m scripts.scale.nodes --workdir /tmp/nodes --task tinyworld --limit-users 32

Fits come first and are not measured: images and scores are made with one node of one processor, with two, and by the
run itself in one process, in turns. Every turn begins with a copy of the same fits.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

from benchmark.runner.reproduce import compare

RUN = "from benchmark.commands.main import main; main()"


def bench(words: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", RUN, *words], check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


@click.command()
@click.option("--task", default="tinyworld", show_default=True)
@click.option("--limit-users", default=32, show_default=True)
@click.option("--set", "overrides", multiple=True)
@click.option("--turns", default=3, show_default=True)
@click.option("--workdir", type=click.Path(path_type=Path), required=True, help="An empty folder.")
def main(task: str, limit_users: int, overrides: tuple[str, ...], turns: int, workdir: Path) -> None:
    """Measure a run with one and two nodes."""
    from ray.cluster_utils import Cluster

    environment = os.environ | {"REBECA_PROCESSES": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    words = [task, "--limit-users", str(limit_users), *(word for each in overrides for word in ("--set", each))]
    bench(["work", *words, "--stage", "fits", "--workdir", str(workdir / "fits")], environment)
    seconds: dict[str, list[float]] = {"local": [], "one node": [], "two nodes": []}
    records: list[Path] = []
    for turn in range(turns):
        for name, nodes in (("local", 0), ("one node", 1), ("two nodes", 2)):
            folder = workdir / f"{name.replace(' ', '-')}-{turn}"
            shutil.copytree(workdir / "fits", folder)
            command = ["run", *words, "--workdir", str(folder), "--quiet"]
            if not nodes:
                seconds[name].append(bench(command, environment))
            else:
                cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
                for _ in range(nodes - 1):
                    cluster.add_node(num_cpus=1)
                options = ["--executor", "ray", "--address", cluster.address]
                seconds[name].append(bench([*command, *options], environment))
                cluster.shutdown()  # type: ignore[no-untyped-call]
            records += (folder / "records").glob("*/*")
    medians = {name: statistics.median(own) for name, own in seconds.items()}
    result = {
        "seconds": {name: [round(value, 1) for value in own] for name, own in seconds.items()},
        "two nodes, times faster than one": round(medians["one node"] / medians["two nodes"], 3),
        "one node against local": round(medians["one node"] / medians["local"], 3),
        "records equal": not any(compare(records[0], other).bytes for other in records[1:]),
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
