"""``rebeca-bench check run``: does a task still give what was published?

Where processor, packages and threads are those of the published run, everything is made again from nothing and every
byte must be the same. Elsewhere training gives other weights, since no two processors round alike, so the published
weights are used where they lie beside the records (``run --publish --with-weights``), and scores may differ by
:data:`TOLERANCE`; verdicts may not.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmark.commands.show import find_records, wide_console
from benchmark.records.files import COMPARISON, RECORD, TASK_FOLDER, file_digests, read_comparison, read_record
from benchmark.runner.progress import Reporter
from benchmark.runner.provenance import machine
from benchmark.runner.publish import weights_folder
from benchmark.runner.run import Run
from benchmark.runner.write_records import make_records
from benchmark.task.resolve import Task
from rebeca.errors import RecordError, SpecError

TOLERANCE = 1e-4
SAME_MACHINE = ("python", "system", "processor", "threads", "packages", "device")
FREE = ("provenance", "records", "digest")
"""Keys of records that hold times and the hashes of what holds them."""
SHOWN = 20
BEGUN = "begun-by-check-run"
"""Marks a work folder that was empty when a check began."""


def check_run(
    task: Task, against: Path, workdir: Path | None, device: str, reporter: Reporter, command: Sequence[str]
) -> dict[str, Any]:
    """Runs a task in a fresh work folder and compares it with published records.

    Args:
        task: The task.
        against: Its records, or a folder of records of several tasks.
        workdir: Work folder to use, and to go on in, instead of a temporary one.
        device: Torch device.
        reporter: Told what goes on.
        command: The command line, for the provenance.

    Returns:
        What :func:`compare` says, and ``machine``, ``equal``, ``weights``.

    Raises:
        SpecError: If the records are of another task, or the work folder is of another run.
        RecordError: If they cannot be read.
    """
    folder = against if (against / TASK_FOLDER).is_dir() else find_records(task.file.id, (against,))
    published = read_comparison(folder)
    _check_same_task(task, folder, published)
    if workdir is not None and workdir.is_dir() and any(workdir.iterdir()) and not (workdir / BEGUN).exists():
        raise SpecError(
            f"{workdir} holds something already, so that not everything would be made again",
            hint="name an empty folder, or one of an earlier check run",
        )
    with tempfile.TemporaryDirectory(prefix="rebeca-check-") as temporary:
        run = Run(task, workdir or Path(temporary), device, reporter)
        with run.store.locked():
            (run.store.root / BEGUN).touch()
            here = machine(device)
            differs = [key for key in SAME_MACHINE if here.get(key) != published["provenance"].get(key)]
            weights = weights_folder(folder)
            used = bool(differs) and weights.is_dir()
            if used:
                shutil.copytree(weights, run.store.root, dirs_exist_ok=True)
            _say(reporter, folder, differs, used)
            found = compare(folder, make_records(run, command))
    within = not any(found[key] for key in ("scores", "measures", "verdicts", "rows"))
    return found | {
        "against": str(folder),
        "machine": "another" if differs else "the same",
        "differs": differs,
        "weights": "published" if used else "made again",
        "equal": not found["bytes"] if not differs else within,
    }


def compare(published: Path, here: Path) -> dict[str, Any]:
    """What differs between two records of one task.

    Returns:
        ``bytes``: files that are not equal, times aside. ``rows``: generators that only one side has. ``pictures``:
        other pictures (generator, user, replicate). ``scores`` and ``measures``: what is further apart than
        :data:`TOLERANCE` (generator, scorer, user, replicate, published, here; a measure is of a person and has no
        replicate). ``verdicts``: other ones (measure, a, b, published, here). ``users``: everybody named in these.
        ``largest``: the largest difference of a score.
    """
    old, new = read_comparison(published), read_comparison(here)
    found: dict[str, Any] = {
        "bytes": _other_files(published, here, old["order"], new["order"]),
        "rows": sorted({*old["order"]} ^ {*new["order"]}),
        "pictures": [],
        "scores": [],
        "measures": [],
        "verdicts": _verdicts(old, new),
        "largest": 0.0,
    }
    for name in (name for name in old["order"] if name in new["order"]):
        _compare_rows(name, published / name, here / name, found)
    moved = [row[1] for row in found["pictures"]] + [row[2] for key in ("scores", "measures") for row in found[key]]
    found["users"] = sorted(set(moved))
    return found


def print_check(found: dict[str, Any]) -> None:
    """Prints the verdict, and what moved."""
    console = wide_console()
    if found["equal"]:
        how = "byte for byte" if not found["bytes"] else f"within {TOLERANCE:g} (largest {found['largest']:.1g})"
        other = f", {len(found['pictures'])} pictures are others of the same scores" if found["pictures"] else ""
        console.print(f"equal to {found['against']} {how}, with the same verdicts{other}")
        return
    console.print(f"not equal to {found['against']}, on {found['machine']} machine, with weights {found['weights']}")
    headings = {
        "rows": ("generator on one side only",),
        "pictures": ("generator", "user", "picture"),
        "scores": ("generator", "scorer", "user", "picture", "published", "here"),
        "measures": ("generator", "measure", "user", "published", "here"),
        "verdicts": ("measure", "a", "b", "published", "here"),
        "bytes": ("file",),
    }
    for key, columns in headings.items():
        rows = found[key]
        if not rows or (key == "bytes" and found["machine"] == "another"):
            continue
        table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
        table.title = f"{key}: {len(rows):,} moved" if key != "bytes" else f"files: {len(rows):,} differ"
        for column in columns:
            table.add_column(column, no_wrap=True)
        for row in rows[:SHOWN]:
            table.add_row(*(str(cell) for cell in (row if isinstance(row, tuple) else (row,))))
        console.print(table)
        if len(rows) > SHOWN:
            console.print(f"and {len(rows) - SHOWN:,} more (--json names all)")
    users = found["users"]
    console.print(f"users moved: {len(users)}" + (f" ({', '.join(users[:SHOWN])})" if users else ""), markup=False)


def _say(reporter: Reporter, folder: Path, differs: list[str], used: bool) -> None:
    if not differs:
        reporter.say(f"  the machine is that of {folder}: everything is made again, every byte must be the same")
        return
    how = "with the published weights" if used else "with weights trained here (there are no published ones)"
    reporter.say(f"  not the machine of {folder} ({', '.join(differs)}): scores within {TOLERANCE:g}, {how}")


def _check_same_task(task: Task, folder: Path, published: dict[str, Any]) -> None:
    if published["task"]["hash"] == task.hash():
        return
    mine = task.to_json()
    changed = sorted(key for key in {*mine, *published["spec"]} if mine.get(key) != published["spec"].get(key))
    raise SpecError(
        f"{folder} holds another task: {', '.join(changed) or 'the hash'} differs",
        hint="a task that changed needs a new version and new records",
    )


def _other_files(published: Path, here: Path, old: list[str], new: list[str]) -> list[str]:
    """Files that differ; JSON is compared without times, and without the hashes of what holds them."""
    out = []
    for name in (*(name for name in old if name in new), TASK_FOLDER):
        one, two = file_digests(published / name), file_digests(here / name)
        out += [f"{name}/{file}" for file in sorted({*one, *two} - {RECORD}) if one.get(file) != two.get(file)]
        read, file = (read_comparison, COMPARISON) if name == TASK_FOLDER else (read_record, RECORD)
        a, b = (read(root if name == TASK_FOLDER else root / name) for root in (published, here))
        if {k: v for k, v in a.items() if k not in FREE} != {k: v for k, v in b.items() if k not in FREE}:
            out.append(f"{name}/{file}")
    return out


def _verdicts(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    def said(comparison: dict[str, Any]) -> dict[tuple[str, str, str], str]:
        families = comparison["results"]["families"]
        return {(m, one["a"], one["b"]): one["verdict"] for m, f in families.items() for one in f["comparisons"]}

    one, two = said(old), said(new)
    keys = sorted({*one, *two})
    return [(*key, one.get(key, "–"), two.get(key, "–")) for key in keys if one.get(key) != two.get(key)]


def _compare_rows(name: str, published: Path, here: Path, found: dict[str, Any]) -> None:
    key = ["scorer", "user", "replicate"]
    both = _joined(published / "scores.parquet", here / "scores.parquet", key)
    other = both[(both.digest_old != both.digest_new) | (both.failure_old != both.failure_new)]
    pictures = dict.fromkeys(zip(other["user"].astype(str), other["replicate"].astype(int), strict=True))
    found["pictures"] += [(name, user, replicate) for user, replicate in pictures]
    found["largest"] = max(found["largest"], float(np.nanmax(np.abs(both.score_old - both.score_new), initial=0.0)))
    moved = both[_apart(both.score_old, both.score_new)]
    columns = (moved[c].tolist() for c in (*key, "score_old", "score_new"))
    found["scores"] += [(name, *row) for row in zip(*columns, strict=True)]
    both = _joined(published / "users.parquet", here / "users.parquet", ["measure", "user"])
    moved = both[_apart(both.value_old, both.value_new)]
    columns = (moved[c].tolist() for c in ("measure", "user", "value_old", "value_new"))
    found["measures"] += [(name, *row) for row in zip(*columns, strict=True)]


def _joined(published: Path, here: Path, key: list[str]) -> pd.DataFrame:
    old, new = pd.read_parquet(published), pd.read_parquet(here)
    joined = old.merge(new, on=key, how="outer", suffixes=("_old", "_new"), indicator=True)
    lonely = joined[joined._merge != "both"]
    if len(lonely):
        row = lonely.iloc[0]
        raise RecordError(f"{published}: only one side has {', '.join(f'{k} {row[k]}' for k in key)}")
    return joined


def _apart(old: pd.Series[float], new: pd.Series[float]) -> Any:
    """Further apart than the tolerance, or a number on one side only."""
    return (np.abs(old - new) > TOLERANCE) | (old.isna() != new.isna())
