"""Kendall's tau between a leaderboard and the ground truth, over all pairs and over those that it leaves open.

    python scripts/contested.py results/tinyworld-quick

Two generators are contested if their ranks overlap: the tests do not tell them apart. Far apart generators make tau
large, whatever a leaderboard does where it matters.
"""

from __future__ import annotations

import sys

import click
import numpy as np
import pandas as pd

import benchmark


@click.command()
@click.argument("records")
def main(records: str) -> None:
    """Print tau by preference and by lift."""
    table = benchmark.load(records).table()
    ranked = table[table["rank_low"].notna()].sort_values("preference", ascending=False)
    upper = ranked.head(max(2, round(len(ranked) / 3)))
    for measure, known in (("preference", "ground_truth"), ("lift", "lift_ground_truth")):
        sys.stdout.write(
            f"{measure:11s}  {tau(ranked, measure, known)} over all pairs"
            f"  {tau(ranked, measure, known, contested=True)} over contested pairs"
            f"  {tau(upper, measure, known)} over the upper third\n"
        )


def tau(table: pd.DataFrame, measure: str, known: str, *, contested: bool = False) -> str:
    """``0.60 (10)``: tau-a and its number of pairs; a pair that either side ties adds nothing."""
    values = table.dropna(subset=[measure, known])[[measure, known, "rank_low", "rank_high"]].to_numpy(float)
    a, b = (values[rows] for rows in np.triu_indices(len(values), 1))
    signs = np.sign(a[:, 0] - b[:, 0]) * np.sign(a[:, 1] - b[:, 1])
    if contested:
        signs = signs[(a[:, 2] <= b[:, 3]) & (b[:, 2] <= a[:, 3])]
    return f"{signs.mean():5.2f} ({len(signs)})" if len(signs) else "    - (0)"


if __name__ == "__main__":
    main()
