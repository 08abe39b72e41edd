"""How often intervals hold the mean over many draws of held-out items, with users alone and with items as well.

    python scripts/oasis_items.py tasks/oasis.yaml --data FOLDER --draws 30 --generator catalogue-ridge

Each draw is a run of the task with another seed, without the auditor and with two scorers. Its records hold both
intervals: observed ratings, personal lift by them, and the verifier's gain over the population model and the user mean.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmark.analysis.numbers import Interval
from benchmark.records.files import read_comparison, read_record
from benchmark.runner.progress import Reporter
from benchmark.runner.run_task import run_task
from benchmark.runner.store import Store
from benchmark.task.resolve import limited, load_task

GAINS = ("population", "user mean")
CHEAPER = ("judges.auditor=null", "judges.learning_curve=[]", "scorers=[ncf, observed]", "analysis.permutations=199")


def main() -> None:
    """Prints one row per number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--generator", action="append", required=True)
    parser.add_argument("--workdir", type=Path, default=Path(".work"))
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    first = f"analysis.reference={given.generator[0]}"
    changes = (f"data.path={given.data}", *CHEAPER, first, *given.set)
    intervals: dict[str, list[Interval]] = defaultdict(list)
    for draw in range(given.draws):
        task = limited(load_task(given.task, (*changes, f"seed={draw}")), tuple(given.generator))
        records = run_task(task, Store(given.workdir, Reporter().info)).records
        for name in given.generator:
            record = read_record(records / name)
            intervals[f"{name}, observed rating"].append(record.summary["observed"].interval)
            lift = record.personal["observed"].lift
            if lift is not None:
                intervals[f"{name}, lift (observed)"].append(lift)
        judges = read_comparison(records).judges
        for control in GAINS:
            gain = judges[control].verifier_gain
            assert gain is not None
            intervals[f"verifier minus {control}"].append(gain)
        sys.stderr.write(f"draw {draw} done\n")
    sys.stdout.write(
        "| number | mean | spread over draws | users: hold it | width | users and items: hold it | width |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for name, of_draws in intervals.items():
        sys.stdout.write(row(name, of_draws) + "\n")


def row(name: str, intervals: list[Interval]) -> str:
    """Counts of intervals that hold the mean over all draws, and their mean widths."""
    estimates = np.array([interval.estimate for interval in intervals], np.float64)
    mean, n = estimates.mean(), len(intervals)
    cells = [name, f"{mean:.4f}", f"{estimates.std(ddof=1):.4f}"]
    for ends in ([interval.over_users for interval in intervals], intervals):
        known = np.array([(np.nan, np.nan) if e is None else (e.low, e.high) for e in ends], np.float64)
        holds = ((known[:, 0] <= mean) & (mean <= known[:, 1])).sum()
        cells += [f"{holds} of {n}", f"{np.diff(known).mean():.4f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
