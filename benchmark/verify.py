"""Checks records: hashes, completeness, ranges, and every number recomputed from the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark import registry
from benchmark.analysis import Rows, analyse
from benchmark.diagnostics import judge_report, read_rows
from benchmark.records import MATCHES, TASK_FOLDER, plan_of, read_json
from benchmark.store import file_digest
from rebeca.arrays import Floats, Ints
from rebeca.errors import RecordError
from rebeca.seeds import SeedScheme, digest_of

PROBABILITY_SCORERS = ("ncf", "auditor")


def verify(folder: Path) -> dict[str, Any]:
    """Checks the records of one task version.

    Args:
        folder: ``<root>/<task id>/v<version>``.

    Returns:
        What was checked: numbers, files, generators.

    Raises:
        RecordError: Naming the first thing that does not add up.
    """
    if not (folder / TASK_FOLDER).is_dir():
        below = sorted(path.parent for path in folder.glob(f"**/{TASK_FOLDER}"))[:1]
        raise RecordError(
            f"{folder} holds no records",
            hint=f"did you mean {below[0]}?" if below else "name <records>/<task>/v<version>",
        )
    comparison = read_json(folder / TASK_FOLDER / "comparison.json")
    _files(folder, comparison)
    spec = comparison["spec"]
    if comparison["task"]["hash"] != digest_of(spec):
        raise RecordError(f"{folder}: the task hash does not belong to the spec")
    about = {k: v for k, v in spec.items() if k in ("id", "version", "seed", "users", "pictures", "analysis")}
    if comparison["analysis_hash"] != digest_of(about):
        raise RecordError(f"{folder}: the analysis hash does not belong to the spec")
    declared = [generator["id"] for generator in spec["generators"]]
    if comparison["order"] != declared:
        raise RecordError(f"{folder}: the records are of other generators than the spec's")
    users = comparison["users"]
    rows, records = [], {}
    for name in declared:
        record = read_json(folder / name / "record.json")
        if record["task"] != comparison["task"]:
            raise RecordError(f"{folder / name}: belongs to another version of the task")
        entry = next(generator for generator in spec["generators"] if generator["id"] == name)
        if {key: record["generator"][key] for key in entry} != entry:
            raise RecordError(f"{folder / name}: the generator is not the one of the spec")
        _needs(folder / name, record["generator"])
        records[name] = record
        rows.append(_rows(folder / name, record, spec, users["id"]))
    block, strata = np.array(users["block"]), np.array(users["stratum"])
    plan = plan_of(spec, comparison["analysis_hash"])
    again = analyse(plan, rows, block, strata)
    checked = 0
    for name, record in records.items():
        expected = again["generators"][name]
        summary = {m: {k: v for k, v in s.items() if k != "card"} for m, s in record["summary"].items()}
        personal = {s: {k: v for k, v in p.items() if k != "published_scheme"} for s, p in record["personal"].items()}
        checked += _same(summary, expected["summary"], f"{name}: summary")
        checked += _same(personal, expected["personal"], f"{name}: personal")
    results = {k: v for k, v in again.items() if k != "generators"}
    checked += _same(comparison["results"], results, "comparison: results")
    columns = read_rows(folder / TASK_FOLDER / "verifier.parquet")
    people = len(comparison["user_ids"])
    judges = judge_report(columns, people, plan.bootstrap, plan.name)
    checked += _same(comparison["judges"], judges, "comparison: judges")
    files = sum(len(f) for f in comparison["records"].values())
    return {"generators": len(declared), "files": files, "numbers": checked}


def _files(folder: Path, comparison: dict[str, Any]) -> None:
    if set(comparison["records"]) != {*comparison["order"], TASK_FOLDER}:
        raise RecordError(f"{folder}: the list of files does not cover exactly the generators of the task")
    for name, files in comparison["records"].items():
        present = {str(p.relative_to(folder / name)) for p in (folder / name).rglob("*") if p.is_file()}
        present -= {"comparison.json"} if name == TASK_FOLDER else set()
        if present != set(files):
            raise RecordError(f"{folder / name}: files are missing or added: {sorted(present ^ set(files))[:3]}")
        for file, digest in files.items():
            if file_digest(folder / name / file) != digest:
                raise RecordError(f"{folder / name / file}: was changed (its SHA-256 is another)")


def _needs(folder: Path, generator: dict[str, Any]) -> None:
    """What a generator was granted follows from its class; one that is not installed here is taken at its word."""
    if generator["use"] in registry.names("generators"):
        kind = registry.load("generators", generator["use"])
        found = kind(registry.make_params(kind.Params, generator["params"], str(folder)))
        if sorted(found.needs) != generator["needs"]:
            raise RecordError(f"{folder}: 'needs' is {generator['needs']}, the generator says {sorted(found.needs)}")


def _rows(folder: Path, record: dict[str, Any], spec: dict[str, Any], users: list[str]) -> Rows:
    scores = pd.read_parquet(folder / "scores.parquet")
    stored = pd.read_parquet(folder / "users.parquet")
    generator = record["generator"]
    pictures = int(spec["pictures"])
    seeds = SeedScheme(spec["id"], spec["version"], spec["seed"], generator["offset"])
    index = {name: i for i, name in enumerate(users)}
    values: dict[str, Floats] = {}
    counts: Ints = np.zeros(len(users), np.int64)
    for label, own in scores.groupby("scorer", sort=False):
        scorer = str(label)
        if len(own) != len(users) * pictures or own.duplicated(["user", "replicate"]).any():
            raise RecordError(f"{folder}: scorer '{scorer}' has {len(own)} rows, expected {len(users) * pictures}")
        unknown = {str(name) for name in own["user"]} - set(index)
        if unknown:
            raise RecordError(f"{folder}: unknown user {min(unknown)!r}")
        failed = own["failure"].to_numpy() != ""
        score = own["score"].to_numpy(np.float64)
        if scorer in PROBABILITY_SCORERS and ((score < 0) | (score > 1)).any():
            raise RecordError(f"{folder}: scorer '{scorer}' has a probability outside [0, 1]")
        user = own["user"].map(index).to_numpy()
        known = np.isfinite(score) & ~failed
        count = np.bincount(user[known], minlength=len(users))
        total = np.bincount(user[known], weights=score[known], minlength=len(users))
        values[scorer] = np.divide(total, count, out=np.full(len(users), np.nan), where=count > 0)
        counts = np.bincount(user[~failed], minlength=len(users))
    one = scores[scores["scorer"] == scores["scorer"].iloc[0]]
    for name, replicate, seed in zip(one["user"], one["replicate"], one["seed"], strict=True):
        if seeds.picture(name, int(replicate), generator["noise_group"]) != int(seed):
            raise RecordError(f"{folder}: user {name!r}, picture {replicate}: the seed is not this picture's")
    made = [[u, int(k), d] for u, k, d in zip(one["user"], one["replicate"], one["digest"], strict=True)]
    if digest_of(made) != record["pictures"]["digest"]:
        raise RecordError(f"{folder}: the pictures' digests are not those of the record")
    measures: dict[str, Floats] = {}
    worst: dict[str, Floats] = {}
    for measure, own in stored.groupby("measure", sort=False):
        if list(own["user"]) != users:
            raise RecordError(f"{folder}: users.parquet: measure '{measure}' is not about everybody once")
        measures[str(measure)] = own["value"].to_numpy(np.float64)
        worst[str(measure)] = own["worst"].to_numpy(np.float64)
    for scorer, recomputed in values.items():
        if not np.allclose(recomputed, measures[scorer], rtol=MATCHES, atol=MATCHES, equal_nan=True):
            raise RecordError(f"{folder}: users.parquet: '{scorer}' does not follow from scores.parquet")
    pairs = _pairs(folder, len(users), values)
    ranked = not generator["needs"]
    if ranked != generator["ranked"]:
        raise RecordError(f"{folder}: 'ranked' contradicts 'needs'")
    return Rows(generator["id"], ranked, measures, worst, frozenset(values), pairs, counts)


def _pairs(folder: Path, people: int, values: dict[str, Floats]) -> dict[str, Floats]:
    table = pd.read_parquet(folder / "pairs.parquet")
    if table.duplicated(["scorer", "judge", "target"]).any():
        raise RecordError(f"{folder}: pairs.parquet: a pair is given twice")
    out: dict[str, Floats] = {}
    for scorer, own in table.groupby("scorer", sort=False):
        full = np.full((people, people), np.nan)
        full[own["judge"].to_numpy(), own["target"].to_numpy()] = own["mean"].to_numpy()
        diagonal = np.diag(full)
        if not np.allclose(diagonal, values[str(scorer)], rtol=1e-7, atol=1e-7, equal_nan=True):
            raise RecordError(f"{folder}: pairs.parquet: own sets of '{scorer}' do not agree with scores.parquet")
        out[str(scorer)] = full
    return out


def _same(found: Any, expected: Any, where: str) -> int:
    """How many numbers were compared.

    Raises:
        RecordError: At the first difference.
    """
    if isinstance(expected, dict):
        if not isinstance(found, dict) or set(found) != set(expected):
            raise RecordError(f"{where}: fields differ")
        return sum(_same(found[key], expected[key], f"{where}.{key}") for key in expected)
    if isinstance(expected, list | tuple):
        if not isinstance(found, list) or len(found) != len(expected):
            raise RecordError(f"{where}: {len(found) if isinstance(found, list) else 'no'} entries")
        return sum(_same(f, e, f"{where}[{i}]") for i, (f, e) in enumerate(zip(found, expected, strict=True)))
    if isinstance(expected, bool | str) or expected is None:
        if expected != found:
            raise RecordError(f"{where}: recorded {found!r}, recomputed {expected!r}")
        return 0
    value = float(expected)
    if not np.isfinite(value):
        if found is not None:
            raise RecordError(f"{where}: recorded {found!r}, recomputed none")
        return 1
    if (
        not isinstance(found, int | float)
        or isinstance(found, bool)
        or not np.isclose(found, value, rtol=1e-7, atol=1e-12)
    ):
        raise RecordError(f"{where}: recorded {found!r}, recomputed {value!r}")
    return 1
