"""Records: what a task leaves behind, complete enough to recompute every number of the board.

``<root>/<task id>/v<version>/<generator id>/`` holds ``record.json``, the rows (see benchmark/records/rows.py) and
``pictures/``; ``_task/`` holds ``comparison.json`` and ``verifier.parquet``. All fields: benchmark/records/schema.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.analysis.analyse import Plan, Rows, analyse
from benchmark.analysis.judges import judge_report, read_judged
from benchmark.disk import replace_folder
from benchmark.records.files import TASK_FOLDER, file_digests, read_comparison, write_comparison, write_record
from benchmark.records.gallery import taste_of, write_examples
from benchmark.records.rows import write_rows
from benchmark.records.schema import SCHEMA
from benchmark.runner.held_out_scores import verifier_rows
from benchmark.runner.images import png
from benchmark.runner.isolation import make_in_child
from benchmark.runner.provenance import provenance, without_folders
from benchmark.runner.reports import read_report
from benchmark.runner.run import Run
from benchmark.runner.scorers import scorer_inputs
from benchmark.runner.scoring import GeneratorScores, pair_means, score_generator
from benchmark.runner.store import STAGE_VERSIONS
from benchmark.stats.levels import FEWEST_USERS, smallest_p
from benchmark.stats.personalisation import picture_shuffle
from benchmark.stats.random import stream
from benchmark.task.registry import identity
from benchmark.task.resolve import ResolvedGenerator, Task
from rebeca.arrays import Floats, Ints
from rebeca.errors import PluginError, RecordError, SpecError, printable
from rebeca.interfaces import ScorerCard
from rebeca.seeds import SeedScheme, digest_of

PUBLISHED_PERMUTATIONS = 1000
GALLERY_USERS = 24
GALLERY_PICTURES = 4
LONGEST_REASON = 500


def record_root(root: Path, task: Task) -> Path:
    """Where a task's records lie below a root; those of a modified task never take the place of the task's own."""
    version = f"v{task.file.version}"
    return root / task.file.id / (f"{version}-modified-{task.hash()[:8]}" if task.modified else version)


def private_pictures(root: Path, task: Task) -> Path:
    """Where a run keeps pictures of data that may not be republished; ``site build --pictures`` shows them."""
    return root / "private-pictures" / task.file.id


def plan_of(spec: dict[str, Any], name: str, frozen: bool) -> Plan:
    """The analysis that a resolved spec declares."""
    a = spec["analysis"]
    return Plan(
        name, a["primary"]["scorer"], a["reference"], a["family"], a["alpha"], a["equivalence_margin"],
        a["permutations"], a["bootstrap"], a["interval"], spec["failures"], frozen,
    )  # fmt: skip


def make_records(run: Run, command: Sequence[str]) -> Path:
    """Runs whatever is missing and writes the records of a task.

    Returns:
        The folder of the records.
    """
    task, world = run.task, run.world
    _check_reach(task, len(world.users))
    target = record_root(run.store.root / "records", task)
    declaration = run.freezer.declare(run.has_pictures())
    if declaration.why_not:
        run.reporter.say(f"  {declaration.why_not}: every comparison is exploratory until the task's version is raised")
    key = _address(run, declaration.frozen)
    if _is_current(target, key):
        return target
    scored: list[GeneratorScores] = []
    failed: list[dict[str, str]] = []
    for spec in task.generators:
        error = make_in_child(run, spec)
        if error is not None:
            failed.append(_without_a_row(run, spec, error))
            continue
        scored.append(score_generator(run, spec))
        _stop_on_failure(task, scored[-1])
        _name_failures(run, scored[-1])
    rows_folder, _ = verifier_rows(run)
    rows = [_rows(run, one) for one in scored]
    block = world.dataset.block_of_user[world.users]
    strata = _bootstrap_strata(task, block, world.division.cold[world.users])
    plan = plan_of(task.to_json(), task.analysis_hash(), declaration.frozen)
    run.reporter.say("  analyse ...")
    results = analyse(plan, rows, block, strata)
    people = world.dataset.ratings.num_users
    judges = judge_report(read_judged(rows_folder / "verifier.parquet", people), people, plan.bootstrap, plan.name)
    origin = provenance(run, command, declaration)
    temporary = target.with_name(f".{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    for one, row in zip(scored, rows, strict=True):
        _write_generator(run, temporary / one.spec.id, one, row, results, origin)
    (temporary / TASK_FOLDER).mkdir()
    shutil.copyfile(rows_folder / "verifier.parquet", temporary / TASK_FOLDER / "verifier.parquet")
    taste = taste_of(world, gallery_people(task.seeds, world.user_ids))
    write_examples(
        temporary / TASK_FOLDER / "pictures" if world.dataset.redistribute else private_pictures(run.store.root, task),
        taste, world.dataset.catalogue,
    )  # fmt: skip
    comparison = {
        "schema": SCHEMA,
        "kind": "task",
        "task": _task_header(task),
        "spec": task.to_json(),
        "analysis": {"hash": task.analysis_hash(), "frozen": declaration.frozen},
        "address": key,
        "data": _data(run),
        "users": {"id": list(world.user_ids), "block": block.tolist(), "stratum": strata.tolist()},
        "user_ids": list(world.dataset.ratings.user_ids),
        "order": [one.spec.id for one in scored],
        "failed": failed,
        "results": {name: value for name, value in results.items() if name != "generators"},
        "judges": judges,
        "taste": taste,
        "provenance": origin,
    }
    write_comparison(temporary, comparison)
    if target.exists():
        _warn_of_another(run, target)
    replace_folder(temporary, target)
    return target


def _check_reach(task: Task, people: int) -> None:
    """A family of tests that can never reject is a mistake in the task file.

    Raises:
        SpecError: If the smallest p of so many people lies above the level.
    """
    analysis = task.file.analysis
    smallest = smallest_p(people, analysis.permutations)
    if people >= FEWEST_USERS and smallest > analysis.alpha:
        raise SpecError(
            f"{task.source}: {people} people and {analysis.permutations} flips give no p below {smallest:.2g}, so that"
            f" nothing can be found at alpha {analysis.alpha:g}",
            hint="use more people, or a larger analysis.alpha",
        )


def with_numbers(record: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """A generator's record with the numbers of an analysis; cards and the published scheme stay as they are."""
    summary = {m: {"card": record["summary"][m]["card"], **numbers} for m, numbers in found["summary"].items()}
    personal = {
        scorer: {**numbers, "published_scheme": record["personal"].get(scorer, {}).get("published_scheme")}
        for scorer, numbers in found["personal"].items()
    }
    return record | {"summary": summary, "personal": personal, "gap": found["gap"]}


def _warn_of_another(run: Run, target: Path) -> None:
    """Two task files with one id and version would take turns in one place: that is said."""
    try:
        other = read_comparison(target)["task"]["hash"]
    except RecordError:  # of an older schema, or damaged: there is nothing to keep apart
        return
    if other != run.task.hash():
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


def _address(run: Run, frozen: bool) -> str:
    """Changes whenever a record could: spec, data, and everything that pictures and judges rest on."""
    return digest_of(
        [
            SCHEMA,
            STAGE_VERSIONS,
            run.task.to_json(),
            run.task.modified,
            frozen,
            run.world.fingerprint,
            [run.picture_keys(spec) for spec in run.task.generators],
            {role: judge.fingerprint for role, judge in run.judges.items()},
            [[entry.id, scorer_inputs(run, entry)] for entry in run.task.scorers],
        ]
    )


def _without_a_row(run: Run, spec: ResolvedGenerator, error: PluginError) -> dict[str, str]:
    """What the record says of a generator that failed in its own process; it is tried again by the next run.

    Raises:
        PluginError: If it is the one that all others are compared with.
    """
    run.reporter.warn(f"{error.message}; the board is without it")
    if spec.id == run.task.file.analysis.reference:
        raise error
    reason = printable(without_folders(error.message))[:LONGEST_REASON]
    return {"id": spec.id, "title": spec.title, "reason": reason}


def _is_current(target: Path, key: str) -> bool:
    try:
        comparison = read_comparison(target)
    except RecordError:
        return False
    return (
        comparison["address"] == key
        and not comparison.get("failed")
        and all(file_digests(target / name) == files for name, files in comparison["records"].items())
    )


def _stop_on_failure(task: Task, one: GeneratorScores) -> None:
    failed = [row for row in one.made if row.failure]
    if failed and task.file.failures == "abort":
        row = failed[0]
        raise PluginError(
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
    people, k = len(run.world.users), run.task.images_of(one.spec)
    failed = np.array([bool(row.failure) for row in one.made]).reshape(people, k)
    block = run.world.dataset.block_of_user[run.world.users]
    scores: dict[str, Floats] = {}
    pairs: dict[str, Floats] = {}
    for scorer, found in one.by_picture.items():
        scores[scorer] = np.full((people, k), np.nan)
        scores[scorer][~failed] = found.own
        if found.everyone is not None:
            table = pair_means(found, one.owner, people)
            table[block[:, None] != block[None, :]] = np.nan
            if np.isfinite(table).any():  # a scorer of catalogue pictures has no answer to made ones
                pairs[scorer] = table
    return Rows(
        id=one.spec.id,
        ranked=not one.spec.flags().needs,
        digest=np.array([row.digest for row in one.made], np.str_).reshape(people, k),
        item=np.array([row.item for row in one.made], np.int64).reshape(people, k),
        failed=failed,
        scores=scores,
        lowest={scorer: found.worst for scorer, found in one.by_picture.items()},
        higher={scorer: found.card.higher_is_better for scorer, found in one.by_picture.items()},
        sets=one.by_person,
        pairs=pairs,
        ground_truths=frozenset(scorer for scorer, found in one.by_picture.items() if found.is_ground_truth),
    )


def _published_scheme(run: Run, one: GeneratorScores, scorer: str) -> dict[str, Any] | None:
    scores = one.by_picture[scorer]
    if scores.everyone is None or not np.isfinite(scores.everyone).all():
        return None
    rng = stream(run.task.analysis_hash(), "picture-shuffle", scorer)
    full = scores.everyone[:, scores.position] * (1 if scores.card.higher_is_better else -1)
    result = picture_shuffle(full, one.owner, PUBLISHED_PERMUTATIONS, rng)
    return result.to_json() | {"note": "anti-conservative: rejects too often; kept for reproduction"}


def _write_generator(
    run: Run, folder: Path, one: GeneratorScores, row: Rows, results: dict[str, Any], origin: dict[str, Any]
) -> None:
    folder.mkdir(parents=True)
    seeds = np.array([made.seed for made in one.made], np.uint64)
    write_rows(folder, row, tuple(run.world.user_ids), seeds, [made.failure for made in one.made])
    shown = _write_pictures(folder / "pictures", run, one)
    flags = one.spec.flags()
    failures: dict[str, int] = {}
    for made in one.made:
        if made.failure:
            failures[made.failure] = failures.get(made.failure, 0) + 1
    catalogue = run.world.dataset.catalogue
    existing = {catalogue.digest(i) for i in range(len(catalogue))} if any(m.item < 0 for m in one.made) else set()
    fit = run.store.find("fit", run.fit_key(one.spec))
    if fit is None and identity("generator", one.spec.use).is_own:
        run.fitted(one.spec)  # the pictures are there, but what the fit says about itself was lost
        fit = run.store.find("fit", run.fit_key(one.spec))
    found = results["generators"][one.spec.id]
    record = {
        "schema": SCHEMA,
        "kind": "generator",
        "task": _task_header(run.task),
        "generator": one.spec.to_json()
        | {
            "family": flags.family,
            "needs": sorted(flags.needs),
            "ranked": row.ranked,
            "claims_personal": flags.claims_personal,
        },
        "pictures": {
            "requested": len(one.made),
            "valid": len(one.owner),
            "failures": failures,
            "different": len({made.digest for made in one.made if made.digest}),
            "from_catalogue": sum(made.item >= 0 for made in one.made),
            "copies": sum(made.item < 0 and made.digest in existing for made in one.made),
            "digest": digest_of([[m.user, m.replicate, m.digest] for m in one.made]),
            "set_digest": digest_of(sorted(made.digest for made in one.made)),
            "shown": shown,
        },
        "summary": {measure: {"card": _card(one, measure)} for measure in found["summary"]},
        "personal": {s: {"published_scheme": _published_scheme(run, one, s)} for s in found["personal"]},
        "fit": {"key": run.fit_key(one.spec), "report": dict(read_report(fit)) if fit is not None else {}},
        "provenance": origin,
    }
    write_record(folder, with_numbers(record, found))


def _data(run: Run) -> dict[str, Any]:
    world = run.world
    ground_truth = world.dataset.ground_truth
    return {
        "title": world.dataset.title,
        "licence": world.dataset.licence,
        "redistribute": world.dataset.redistribute,
        "fingerprint": world.fingerprint,
        "people": world.dataset.ratings.num_users,
        "pictures": len(world.dataset.catalogue),
        "ratings": len(world.dataset.ratings),
        "test_ratings": len(world.division.test),
        "blocks": int(world.dataset.block_of_user.max()) + 1,
        "exact": dict(ground_truth.exact) if ground_truth is not None else None,
    }


def _card(one: GeneratorScores, measure: str) -> dict[str, Any]:
    if measure in one.by_picture:
        scores = one.by_picture[measure]
        return asdict(scores.card) | {"everyone": scores.everyone is not None}
    card: ScorerCard = one.cards[measure]
    return asdict(card) | {"everyone": False}


def _task_header(task: Task) -> dict[str, Any]:
    return {
        "id": task.file.id,
        "version": task.file.version,
        "title": task.file.title,
        "hash": task.hash(),
        "modified": task.modified,
    }


def gallery_people(seeds: SeedScheme, ids: Sequence[str]) -> set[str]:
    """The people whose first pictures a record carries: drawn by the task's seed, the same for every generator."""
    chosen = np.random.default_rng(seeds.fit("gallery")).permutation(len(ids))[:GALLERY_USERS]
    return {ids[int(i)] for i in chosen}


def _write_pictures(folder: Path, run: Run, one: GeneratorScores) -> list[dict[str, Any]]:
    """The first pictures of some people; always the same people for every generator.

    Pictures of data that may not be republished stay in the work folder, and the record is silent about them.
    """
    people = gallery_people(run.task.seeds, run.world.user_ids)
    public = run.world.dataset.redistribute
    if not public:
        folder = private_pictures(run.store.root, run.task)
    folder.mkdir(parents=True, exist_ok=True)
    shown = []
    valid = [row for row in one.made if not row.failure]
    for position, row in enumerate(valid):
        if row.user in people and row.replicate < GALLERY_PICTURES:
            path = folder / f"{row.digest}.png"
            if not path.exists():
                path.write_bytes(png(one.pictures.pixels_of(position)))
            if public:
                shown.append({"user": row.user, "replicate": row.replicate, "digest": row.digest})
    return shown
