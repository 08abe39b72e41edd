"""The table of a page from what `rebeca-bench stress TASK --csv` printed.

python -m scripts.stress_table FILE.csv
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from pathlib import Path

NUMBERS = {
    "preference": "preference",
    "confirmed": "confirmed",
    "lift": "lift",
    "lift_auditor": "auditor's lift",
    "lift_confirming": "confirming lift",
    "known": "best informed",
    "lift_known": "its lift",
}
REASONS = ("needs", "unconfirmed", "near-copies", "too many failures", "outside the world")
"""Beginnings of the flags that are shown."""


def table(rows: Sequence[dict[str, str]]) -> str:
    """Markdown; a row per generator, adversaries that reach the reference in bold."""
    lines = [["", *NUMBERS.values(), "rank without", "rank with", "why"]]
    lines.append(["---"] * len(lines[0]))
    for row in rows:
        name = f"`{row['id']}`"
        numbers = [written(row[key], sign="lift" in key) for key in NUMBERS]
        why = [flag for flag in row["flags"].split("; ") if flag.startswith(REASONS)]
        ranks = [row["undefended"] or "–", row["defended"] or "–"]
        lines.append([f"**{name}**" if row["counted"] == "True" else name, *numbers, *ranks, ", ".join(why)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def written(text: str, sign: bool) -> str:
    """``.527``, ``+.020``; nothing stays nothing."""
    return re.sub(r"^([+-]?)0\.", r"\1.", f"{float(text):{'+' if sign else ''}.3f}") if text else ""


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    with Path(arguments[0]).open(encoding="utf-8", newline="") as file:
        sys.stdout.write(table(list(csv.DictReader(file))))


if __name__ == "__main__":
    main(sys.argv[1:])
