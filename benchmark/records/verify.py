"""Checks records: hashes, completeness, ranges, and every number recomputed from the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from benchmark.analysis.analyse import Rows, analyse
from benchmark.analysis.judges import judge_report, read_judged
from benchmark.records.attestation import ATTESTATION
from benchmark.records.files import TASK_FOLDER, file_digests, own_digest, read_comparison, read_record
from benchmark.records.gallery import examples
from benchmark.records.rows import read_rows
from benchmark.records.verify_cross import check_judges, check_people, check_together
from benchmark.runner.write_records import GALLERY_PICTURES, gallery_people, plan_of, with_numbers
from benchmark.task import registry
from benchmark.task.declared import generator_flags
from benchmark.task.file import TaskFile
from benchmark.task.resolve import analysis_hash
from rebeca.errors import DataError, RecordError, SpecError
from rebeca.params import make_params
from rebeca.pixels import decode_image, pixels_digest
from rebeca.seeds import SeedScheme, canonical_json, digest_of

GENERATOR_FILES = {"record.json", "scores.parquet", "users.parquet", "pairs.parquet"}
MATCHES = 1e-7
"""Recomputed numbers must agree to this, relative; sums in another order differ by less."""
MATCHES_NEAR_ZERO = 1e-12


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
    try:
        return _verified(folder)
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        OSError,
        pa.ArrowException,
    ) as error:
        raise RecordError(f"{folder}: is no record ({type(error).__name__}: {error})") from error


def _verified(folder: Path) -> dict[str, Any]:
    comparison = read_comparison(folder)
    _check_files(folder, comparison)
    _check_task(folder, comparison)
    rows, records = [], {}
    for name in comparison["order"]:
        record = read_record(folder / name)
        _check_generator(folder / name, name, record, comparison)
        rows.append(read_rows(folder / name, record, comparison["spec"], comparison["users"]["id"]))
        _check_published_scheme(folder / name, record, rows[-1])
        _check_shown(folder / name, record, comparison, rows[-1])
        records[name] = record
    check_together(folder, comparison, records, rows)
    _check_taste(folder, comparison)
    again = recomputed(folder, comparison, rows)
    checked = 0
    for name, record in records.items():
        found = with_numbers(record, again["generators"][name])
        for part in ("summary", "personal", "gap"):
            checked += _same(record[part], found[part], f"{name}: {part}")
    if "validity" not in comparison["results"]:  # records that were written before the board's order was checked
        del again["results"]["validity"]
    checked += _same(comparison["results"], again["results"], "comparison: results")
    checked += _same(comparison["judges"], again["judges"], "comparison: judges")
    files = sum(len(f) for f in comparison["records"].values())
    return {"generators": len(records), "files": files, "numbers": checked}


def recomputed(folder: Path, comparison: dict[str, Any], rows: list[Rows]) -> dict[str, Any]:
    """``generators``, ``results`` and ``judges`` as the rows give them."""
    spec, users = comparison["spec"], comparison["users"]
    plan = plan_of(spec, comparison["analysis"]["hash"], comparison["analysis"]["frozen"])
    found = analyse(plan, rows, np.array(users["block"]), np.array(users["stratum"]))
    people = len(comparison["user_ids"])
    columns = read_judged(folder / TASK_FOLDER / "verifier.parquet", people)
    check_judges(folder, comparison, columns)
    return {
        "generators": found["generators"],
        "results": {name: value for name, value in found.items() if name != "generators"},
        "judges": judge_report(columns, people, plan.bootstrap, plan.name),
    }


def _check_files(folder: Path, comparison: dict[str, Any]) -> None:
    if comparison["digest"] != own_digest(comparison):
        raise RecordError(f"{folder / TASK_FOLDER}: comparison.json was changed (its digest is another)")
    expected = {*comparison["order"], TASK_FOLDER}
    if set(comparison["records"]) != expected:
        raise RecordError(f"{folder}: the list of files does not cover exactly the generators of the task")
    added = sorted({path.name for path in folder.iterdir()} - expected - {ATTESTATION})
    if added:
        raise RecordError(f"{folder}: {added[0]} belongs to no generator of the task")
    for name, files in comparison["records"].items():
        own = {"verifier.parquet"} if name == TASK_FOLDER else GENERATOR_FILES
        strange = sorted(file for file in files if file not in own and not file.startswith("pictures/"))
        if strange or not own <= set(files):
            raise RecordError(f"{folder / name}: files are missing or added: {strange or sorted(own - set(files))}")
        if not (folder / name).is_dir():
            raise RecordError(f"{folder / name}: is missing")
        found = file_digests(folder / name)
        if set(found) != set(files):
            raise RecordError(f"{folder / name}: files are missing or added: {sorted(set(found) ^ set(files))[:3]}")
        for file, digest in files.items():
            if found[file] != digest:
                raise RecordError(f"{folder / name / file}: was changed (its SHA-256 is another)")


def _check_task(folder: Path, comparison: dict[str, Any]) -> None:
    spec, header = comparison["spec"], comparison["task"]
    try:
        resolved = TaskFile.model_validate(spec).to_json()
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise RecordError(f"{folder}: the spec is no task file: {key}: {error.errors()[0]['msg']}") from error
    for key in (key for key in resolved if key not in ("generators", "scorers")):
        if canonical_json(spec.get(key)) != canonical_json(resolved[key]):
            raise RecordError(f"{folder}: the spec is not resolved: {key}")
    if header["hash"] != digest_of(spec):
        raise RecordError(f"{folder}: the task hash does not belong to the spec")
    if comparison["analysis"]["hash"] != analysis_hash(spec):
        raise RecordError(f"{folder}: the analysis hash does not belong to the spec")
    if [header[key] for key in ("id", "version", "title")] != [spec[key] for key in ("id", "version", "title")]:
        raise RecordError(f"{folder}: the task's id, version or title is not that of the spec")
    failed = _failed(folder, comparison)
    if comparison["order"] != [one["id"] for one in spec["generators"] if one["id"] not in failed]:
        raise RecordError(f"{folder}: the records are of other generators than the spec's")
    if len(set(comparison["order"])) != len(comparison["order"]):
        raise RecordError(f"{folder}: a generator is given twice")
    origin = comparison["provenance"]
    if origin["seed"] != spec["seed"]:
        raise RecordError(f"{folder}: the provenance has another seed than the spec")
    if comparison["analysis"]["frozen"] and not (origin["declared"] and origin["declared"] <= origin["made"]):
        raise RecordError(f"{folder}: frozen, but not declared before the record was made")
    unknown = set(origin.get("added", [])) - {one["id"] for one in spec["generators"]}
    if unknown:
        raise RecordError(f"{folder}: generators are called added that the spec does not have: {sorted(unknown)}")
    people = len(comparison["users"]["id"])
    most = {one["id"]: people * (one.get("images") or spec["images"]) for one in spec["generators"]}
    for name, count in origin.get("painted", {}).items():
        if count > most.get(name, 0):
            raise RecordError(f"{folder}: {count} pictures of '{name}' are called painted, of {most.get(name, 0)}")
    check_people(folder, comparison)


def _failed(folder: Path, comparison: dict[str, Any]) -> list[str]:
    """Ids of generators without a row; those of the project cannot be among them."""
    entries = {one["id"]: one for one in comparison["spec"]["generators"]}
    failed = comparison.get("failed", [])
    for one in failed:
        entry = entries.get(one["id"], {})
        use = entry.get("use")
        if entry.get("title") != one["title"] or (
            use in registry.names("generators") and not registry.is_foreign("generators", use)
        ):
            raise RecordError(f"{folder}: '{one['id']}' cannot have failed: only a generator of another package can")
    return [one["id"] for one in failed]


def _check_generator(folder: Path, name: str, record: dict[str, Any], comparison: dict[str, Any]) -> None:
    for part in ("task", "provenance"):
        if record[part] != comparison[part]:
            raise RecordError(f"{folder}: '{part}' is not that of the task's record")
    generator = record["generator"]
    entry = next(one for one in comparison["spec"]["generators"] if one["id"] == name)
    if {key: generator.get(key) for key in entry} != entry:
        raise RecordError(f"{folder}: the generator is not the one of the spec")
    if generator["use"] in registry.names("generators"):  # one that is not installed here is taken at its word
        kind = registry.plugin_class("generator", generator["use"])
        try:
            flags = generator_flags(generator["use"], make_params(kind.Params, generator["params"], str(folder)), name)
        except SpecError as error:
            raise RecordError(f"{folder}: {error.message}") from error
        said = {"needs": sorted(flags.needs), "family": flags.family, "claims_personal": flags.claims_personal}
        for key, value in said.items():
            if generator[key] != value:
                raise RecordError(f"{folder}: '{key}' is {generator[key]}, the generator says {value}")
    if generator["ranked"] == bool(generator["needs"]):
        raise RecordError(f"{folder}: 'ranked' contradicts 'needs'")


def _check_published_scheme(folder: Path, record: dict[str, Any], rows: Rows) -> None:
    """What follows from the rows: the observed value, p from b and B, z. The null needs every single score of all."""
    for scorer, personal in record["personal"].items():
        found = personal["published_scheme"]
        if found is None:
            continue
        values = rows.values("exclude")[scorer] * (1 if rows.higher[scorer] else -1)
        expected = {
            "statistic": float(np.median(values[np.isfinite(values)])),
            "p": (found["at_least"] + 1) / (found["permutations"] + 1),
            "z": (found["statistic"] - found["null_mean"]) / found["null_sd"] if found["null_sd"] > 0 else None,
        }
        if found["at_least"] > found["permutations"]:
            raise RecordError(f"{folder}: published scheme of '{scorer}': b is larger than B")
        _same({key: found[key] for key in expected}, expected, f"{folder}: published scheme of '{scorer}'")


def _check_shown(folder: Path, record: dict[str, Any], comparison: dict[str, Any], rows: Rows) -> None:
    """Exactly the pictures that a record of this seed carries, and each the one that its name says."""
    spec, users = comparison["spec"], comparison["users"]["id"]
    people = gallery_people(SeedScheme(spec["id"], spec["version"], spec["seed"]), users)
    expected = [
        {"user": user, "replicate": k, "digest": str(rows.digest[u, k])}
        for u, user in enumerate(users)
        for k in range(min(GALLERY_PICTURES, rows.digest.shape[1]))
        if comparison["data"]["redistribute"] and user in people and not rows.failed[u, k]
    ]
    if record["pictures"]["shown"] != expected:
        raise RecordError(f"{folder}: pictures.shown: not the first pictures of the people drawn by the task's seed")
    _check_pictures(folder, {picture["digest"] for picture in expected})


def _check_taste(folder: Path, comparison: dict[str, Any]) -> None:
    """Of everybody once; shown of the galleries' people only; never a held-out rating; each picture is what it says."""
    taste, users, spec = comparison["taste"], comparison["users"]["id"], comparison["spec"]
    where = folder / TASK_FOLDER
    if taste is None:
        _check_pictures(where, set())
        return
    if len(taste["counts"]) != len(users) or {len(row) for row in taste["counts"]} > {len(taste["levels"])}:
        raise RecordError(f"{where}: taste.counts: not one number a person and level")
    people = gallery_people(SeedScheme(spec["id"], spec["version"], spec["seed"]), users)
    if [one["user"] for one in taste["shown"]] != [user for user in users if user in people]:
        raise RecordError(f"{where}: taste.shown: not the people drawn by the task's seed")
    index = {name: i for i, name in enumerate(comparison["user_ids"])}
    judged = read_judged(where / "verifier.parquet", len(index))
    held_out = judged["split"] == "test"
    hidden = set(zip(judged["user"][held_out].tolist(), judged["item"][held_out].tolist(), strict=True))
    for person in taste["shown"]:
        for one in (*person["liked"], *person["disliked"]):
            if (index[person["user"]], one["item"]) in hidden:
                raise RecordError(f"{where}: taste.shown: picture {one['item']} is held out for '{person['user']}'")
    public = comparison["data"]["redistribute"]
    _check_pictures(where, {one["digest"] for one in examples(taste)} if public else set())


def _check_pictures(folder: Path, digests: set[str]) -> None:
    """``pictures/`` holds exactly these, each the one that its name says."""
    below = sorted((folder / "pictures").iterdir()) if (folder / "pictures").is_dir() else []
    if {path.name for path in below} != {f"{digest}.png" for digest in digests}:
        raise RecordError(f"{folder}: pictures/ does not hold exactly the pictures that are shown")
    for path in below:
        try:
            found = pixels_digest(decode_image(path.read_bytes(), str(path)))
        except DataError as error:
            raise RecordError(error.message) from error
        if found != path.stem:
            raise RecordError(f"{path}: is another picture")


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
        or not np.isclose(found, value, rtol=MATCHES, atol=MATCHES_NEAR_ZERO)
    ):
        raise RecordError(f"{where}: recorded {found!r}, recomputed {value!r}")
    return 1
