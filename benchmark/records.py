"""Records: what a task leaves behind, complete enough to recompute every number of the board.

``<root>/<task id>/v<version>/<generator id>/`` holds ``record.json``, ``scores.parquet`` (a row a picture and scorer),
``users.parquet`` (a row a person and measure), ``pairs.parquet`` (scorer, judging person, target person, mean, n) and
``pictures/``; ``_task/`` holds ``comparison.json`` and ``verifier.parquet``. Fields are described in docs/records.md.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark import registry
from benchmark.analysis import Plan, Rows, analyse
from benchmark.diagnostics import judge_report, read_rows, verifier_rows
from benchmark.pictures import png
from benchmark.provenance import provenance
from benchmark.runner import Run, read_report
from benchmark.scoring import GeneratorScores, pair_means, person_means, score_generator
from benchmark.spec import Task
from benchmark.stats.personalisation import picture_shuffle
from benchmark.stats.random import stream
from benchmark.store import STAGE_VERSIONS, file_digest, write_atomically
from rebeca.arrays import Floats, Ints
from rebeca.errors import GeneratorError, RecordError
from rebeca.interfaces import Generator, ScorerCard
from rebeca.seeds import digest_of

SCHEMA = 1
TASK_FOLDER = "_task"
PUBLISHED_PERMUTATIONS = 1000
GALLERY_USERS = 24
GALLERY_PICTURES = 4
MATCHES = 1e-9
"""Recomputed numbers must agree to this, relative."""


def record_root(root: Path, task: Task) -> Path:
    """Where a task's records lie below a root; those of a modified task never take the place of the task's own."""
    version = f"v{task.file.version}"
    return root / task.file.id / (f"{version}-modified-{task.hash()[:8]}" if task.modified else version)


def newest_records(task: Path) -> Path | None:
    """A task's records of the highest version; a modified task's, the last written, where there is nothing else."""
    found = [path.parent.parent for path in task.glob("v*/_task/comparison.json")]
    own = [folder for folder in found if folder.name[1:].isdigit()]
    if own:
        return max(own, key=lambda folder: int(folder.name[1:]))
    return max(found, key=lambda folder: (folder.stat().st_mtime_ns, folder.name), default=None)


def plan_of(spec: dict[str, Any], name: str) -> Plan:
    """The analysis that a resolved spec declares."""
    a = spec["analysis"]
    return Plan(
        name, a["primary"]["scorer"], a["reference"], a["family"], a["alpha"], a["equivalence_margin"],
        a["permutations"], a["bootstrap"], spec["failures"],
    )  # fmt: skip


def make_records(run: Run, command: Sequence[str]) -> Path:
    """Runs whatever is missing and writes the records of a task.

    Returns:
        The folder of the records.
    """
    task, world = run.task, run.world
    target = record_root(run.store.root / "records", task)
    key = _address(run)
    if _is_current(target, key):
        return target
    scored = []
    for spec in task.generators:
        scored.append(score_generator(run, spec))
        _stop_on_failure(task, scored[-1])
        _name_failures(run, scored[-1])
    rows_folder, _ = verifier_rows(run)
    rows = [_rows(run, one) for one in scored]
    block = world.dataset.block_of_user[world.users]
    strata = _bootstrap_strata(task, block, world.division.cold[world.users])
    plan = plan_of(task.to_json(), task.analysis_hash())
    run.reporter.say("  analyse ...")
    results = analyse(plan, rows, block, strata)
    judges = judge_report(
        read_rows(rows_folder / "verifier.parquet"), world.dataset.ratings.num_users, plan.bootstrap, plan.name
    )
    origin = provenance(run, command)
    temporary = target.with_name(f".{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    for one, row in zip(scored, rows, strict=True):
        _write_generator(run, temporary / one.spec.id, one, row, results, origin)
    _write_task(run, temporary / TASK_FOLDER, results, judges, scored, rows_folder, block, strata, origin, key)
    if target.exists():
        _warn_of_another(run, target)
        shutil.rmtree(target)
    temporary.rename(target)
    return target


def _warn_of_another(run: Run, target: Path) -> None:
    """Two task files with one id and version would take turns in one place: that is said."""
    path = target / TASK_FOLDER / "comparison.json"
    if path.is_file() and read_json(path)["task"]["hash"] != run.task.hash():
        run.reporter.say(
            f"  {target} held another task with the same id and version, which is replaced;"
            " give one of them an id of its own to keep both"
        )


def _name_failures(run: Run, one: GeneratorScores) -> None:
    """Says how many pictures failed, why, and which was the first."""
    failed = [row for row in one.made if row.failure]
    if failed:
        kinds = ", ".join(
            f"{sum(row.failure == kind for row in failed)} {kind}" for kind in sorted({r.failure for r in failed})
        )
        first = failed[0]
        where = f"user '{first.user}', picture {first.replicate} is {first.failure}"
        run.reporter.say(f"  {one.spec.id}: {len(failed)} of {len(one.made)} pictures failed ({kinds}), first {where}")


def _address(run: Run) -> str:
    """Changes whenever a record could: spec, data, and everything that pictures and judges rest on."""
    return digest_of(
        [
            SCHEMA,
            STAGE_VERSIONS,
            run.task.to_json(),
            run.task.modified,
            run.world.fingerprint,
            [run.picture_keys(spec) for spec in run.task.generators],
            {role: judge.fingerprint for role, judge in run.judges.items()},
            [[entry.use, run.scorer(entry).fingerprint] for entry in run.task.scorers],
        ]
    )


def _is_current(target: Path, key: str) -> bool:
    path = target / TASK_FOLDER / "comparison.json"
    if not path.is_file():
        return False
    try:
        comparison = read_json(path)
    except RecordError:
        return False
    if comparison.get("address") != key:
        return False
    return all(
        (target / name / file).is_file() and file_digest(target / name / file) == digest
        for name, files in comparison["records"].items()
        for file, digest in files.items()
    )


def _stop_on_failure(task: Task, one: GeneratorScores) -> None:
    failed = [row for row in one.made if row.failure]
    if failed and task.file.failures == "abort":
        row = failed[0]
        raise GeneratorError(
            f"generator '{one.spec.id}': {len(failed)} of {len(one.made)} pictures failed, the first for user"
            f" '{row.user}', picture {row.replicate}: {row.failure}",
            hint="failures: abort is set; use exclude or worst to count them instead",
        )


def _bootstrap_strata(task: Task, block: Ints, cold: Any) -> Ints:
    strata = np.zeros(len(block), np.int64)
    for name in task.file.analysis.strata:
        strata = strata * (int(block.max()) + 2) + (block if name == "block" else cold.astype(np.int64))
    return strata


def _rows(run: Run, one: GeneratorScores) -> Rows:
    people = len(run.world.users)
    index = {name: i for i, name in enumerate(run.world.user_ids)}
    failed = np.bincount([index[row.user] for row in one.made if row.failure], minlength=people)
    values: dict[str, Floats] = dict(one.by_person)
    worst: dict[str, Floats] = {}
    pairs: dict[str, Floats] = {}
    block = run.world.dataset.block_of_user[run.world.users]
    for scorer, scores in one.by_picture.items():
        mean, count = person_means(scores.own, one.owner, people)
        values[scorer] = mean
        if np.isfinite(scores.worst).all():
            total = np.where(count > 0, mean * count, 0.0) + failed * scores.worst
            with np.errstate(invalid="ignore"):
                worst[scorer] = np.where(count + failed > 0, total / (count + failed), np.nan)
        if scores.everyone is not None:
            table = pair_means(scores, one.owner, people)
            table[block[:, None] != block[None, :]] = np.nan
            if np.isfinite(table).any():  # a scorer of catalogue pictures has no answer to made ones
                pairs[scorer] = table
    kind = registry.load("generators", one.spec.use)
    generator: Generator = kind(one.spec.params)
    counts = np.bincount(one.owner, minlength=people)
    return Rows(one.spec.id, not generator.needs, values, {**values, **worst}, frozenset(one.by_picture), pairs, counts)


def _published_scheme(run: Run, one: GeneratorScores, scorer: str) -> dict[str, Any] | None:
    scores = one.by_picture[scorer]
    if scores.everyone is None or not np.isfinite(scores.everyone).all():
        return None
    rng = stream(run.task.analysis_hash(), "picture-shuffle", scorer)
    full = scores.everyone[:, scores.position]
    result = picture_shuffle(full, one.owner, PUBLISHED_PERMUTATIONS, rng)
    return result.to_json() | {"note": "anti-conservative: rejects too often; kept for reproduction"}


def _write_generator(
    run: Run, folder: Path, one: GeneratorScores, row: Rows, results: dict[str, Any], origin: dict[str, Any]
) -> None:
    folder.mkdir(parents=True)
    _write_scores(folder / "scores.parquet", run, one)
    _write_users(folder / "users.parquet", run, one, row)
    _write_pairs(folder / "pairs.parquet", run, row)
    shown = _write_pictures(folder / "pictures", run, one)
    generator: Generator = registry.load("generators", one.spec.use)(one.spec.params)
    failures: dict[str, int] = {}
    for made in one.made:
        if made.failure:
            failures[made.failure] = failures.get(made.failure, 0) + 1
    digests = sorted(made.digest for made in one.made)
    result = results["generators"][one.spec.id]
    personal = {
        scorer: {**found, "published_scheme": _published_scheme(run, one, scorer)}
        for scorer, found in result["personal"].items()
    }
    fit = run.store.find("fit", run.fit_key(one.spec))
    record = {
        "schema": SCHEMA,
        "kind": "generator",
        "task": _task_header(run.task),
        "generator": one.spec.to_json()
        | {
            "family": generator.family,
            "needs": sorted(generator.needs),
            "ranked": row.ranked,
            "claims_personal": generator.claims_personal,
        },
        "pictures": {
            "requested": len(one.made),
            "valid": len(one.owner),
            "failures": failures,
            "different": len({made.digest for made in one.made if made.digest}),
            "from_catalogue": sum(made.item >= 0 for made in one.made),
            "digest": digest_of([[m.user, m.replicate, m.digest] for m in one.made]),
            "set_digest": digest_of(digests),
            "shown": shown,
        },
        "summary": {m: {"card": _card(one, m), **s} for m, s in result["summary"].items()},
        "personal": personal,
        "fit": {"key": run.fit_key(one.spec), "report": read_report(fit) if fit is not None else {}},
        "provenance": origin,
    }
    _write_json(folder / "record.json", record)


def _write_task(
    run: Run,
    folder: Path,
    results: dict[str, Any],
    judges: dict[str, Any],
    scored: Sequence[GeneratorScores],
    rows_folder: Path,
    block: Ints,
    strata: Ints,
    origin: dict[str, Any],
    key: str,
) -> None:
    folder.mkdir(parents=True)
    shutil.copyfile(rows_folder / "verifier.parquet", folder / "verifier.parquet")
    world = run.world
    root = folder.parent
    names = [one.spec.id for one in scored]
    comparison = {
        "schema": SCHEMA,
        "kind": "task",
        "task": _task_header(run.task),
        "spec": run.task.to_json(),
        "analysis_hash": run.task.analysis_hash(),
        "address": key,
        "data": {
            "title": world.dataset.title,
            "licence": world.dataset.licence,
            "redistribute": world.dataset.redistribute,
            "fingerprint": world.fingerprint,
            "people": world.dataset.ratings.num_users,
            "pictures": len(world.dataset.catalogue),
            "ratings": len(world.dataset.ratings),
            "test_ratings": len(world.division.test),
            "blocks": int(world.dataset.block_of_user.max()) + 1,
            "exact": _exact(run),
        },
        "users": {"id": list(world.user_ids), "block": block.tolist(), "stratum": strata.tolist()},
        "user_ids": list(world.dataset.ratings.user_ids),
        "order": names,
        "results": {k: v for k, v in results.items() if k != "generators"},
        "judges": judges,
        "provenance": origin,
        "records": {
            name: {
                str(p.relative_to(root / name)): file_digest(p) for p in sorted((root / name).rglob("*")) if p.is_file()
            }
            for name in names
        }
        | {TASK_FOLDER: {"verifier.parquet": file_digest(folder / "verifier.parquet")}},
    }
    _write_json(folder / "comparison.json", comparison)


def _exact(run: Run) -> dict[str, Any] | None:
    """In a made world: what an exact sampler of a person's likes would reach, by measure."""
    truth = run.world.dataset.truth
    return dict(truth.exact) if truth is not None else None


def _card(one: GeneratorScores, measure: str) -> dict[str, Any]:
    if measure in one.by_picture:
        scores = one.by_picture[measure]
        return asdict(scores.card) | {"is_truth": scores.is_truth, "everyone": scores.everyone is not None}
    card: ScorerCard = one.cards[measure]
    return asdict(card) | {"is_truth": False, "everyone": False}


def _task_header(task: Task) -> dict[str, Any]:
    return {
        "id": task.file.id,
        "version": task.file.version,
        "title": task.file.title,
        "hash": task.hash(),
        "modified": task.modified,
    }


def _write_scores(path: Path, run: Run, one: GeneratorScores) -> None:
    made = one.made
    valid = np.array([not row.failure for row in made])
    tables = []
    for scorer, scores in one.by_picture.items():
        full = np.full(len(made), np.nan)
        full[valid] = scores.own
        tables.append(
            pa.table(
                {
                    "user": pa.array([row.user for row in made]),
                    "replicate": pa.array([row.replicate for row in made], pa.int32()),
                    "seed": pa.array([row.seed for row in made], pa.uint64()),
                    "digest": pa.array([row.digest for row in made]),
                    "item": pa.array([row.item for row in made], pa.int32()),
                    "failure": pa.array([row.failure for row in made]),
                    "scorer": pa.array([scorer] * len(made)),
                    "score": pa.array(full, from_pandas=True),
                }
            )
        )
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")


def _write_users(path: Path, run: Run, one: GeneratorScores, row: Rows) -> None:
    tables = []
    for measure, values in row.values.items():
        count = row.pictures
        if measure in one.by_picture:
            _, count = person_means(one.by_picture[measure].own, one.owner, len(run.world.users))
        tables.append(
            pa.table(
                {
                    "user": list(run.world.user_ids),
                    "measure": [measure] * len(values),
                    "value": pa.array(values, from_pandas=True),
                    "worst": pa.array(row.worst[measure], from_pandas=True),
                    "pictures": pa.array(count, pa.int32()),
                }
            )
        )
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")


def _write_pairs(path: Path, run: Run, row: Rows) -> None:
    tables = []
    for scorer, pairs in row.pairs.items():
        judge, target = np.nonzero(np.isfinite(pairs))
        tables.append(
            pa.table(
                {
                    "scorer": pa.array([scorer] * len(judge), pa.string()),
                    "judge": pa.array(judge, pa.int32()),
                    "target": pa.array(target, pa.int32()),
                    "mean": pa.array(pairs[judge, target]),
                    "n": pa.array(row.pictures[target], pa.int32()),
                }
            )
        )
    empty = pa.schema(
        [
            ("scorer", pa.string()),
            ("judge", pa.int32()),
            ("target", pa.int32()),
            ("mean", pa.float64()),
            ("n", pa.int32()),
        ]
    )
    pq.write_table(pa.concat_tables(tables) if tables else empty.empty_table(), path, compression="zstd")


def _write_pictures(folder: Path, run: Run, one: GeneratorScores) -> list[dict[str, Any]]:
    """The first pictures of some people, where the data set allows it; always the same people for every generator."""
    if not run.world.dataset.redistribute:
        return []
    ids = run.world.user_ids
    chosen = np.random.default_rng(run.task.seeds.fit("gallery")).permutation(len(ids))[:GALLERY_USERS]
    people = {ids[int(i)] for i in chosen}
    folder.mkdir()
    shown = []
    valid = [row for row in one.made if not row.failure]
    for position, row in enumerate(valid):
        if row.user in people and row.replicate < GALLERY_PICTURES:
            path = folder / f"{row.digest}.png"
            if not path.exists():
                path.write_bytes(png(one.pictures.pixels_of(position)))
            shown.append({"user": row.user, "replicate": row.replicate, "digest": row.digest})
    return shown


def _write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(_finite(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode() + b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else bool(value) if isinstance(value, np.bool_) else value


def read_json(path: Path) -> dict[str, Any]:
    """Reads a record's JSON.

    Raises:
        RecordError: If it is missing, no JSON, or of another schema version.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        found = raw.get("schema") if isinstance(raw, dict) else None
        raise RecordError(f"{path}: record schema {found}, this version reads {SCHEMA}")
    return raw
