"""Records: what a task leaves behind, complete enough to recompute every number of the board.

``<root>/<task id>/v<version>/<generator id>/`` holds ``record.json``, the rows (see benchmark/records/rows.py) and
``images.parquet``; ``_task/`` holds ``comparison.json``, ``verifier.parquet`` and ``images.parquet``. All fields:
benchmark/records/schema.py.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import Rows
from benchmark.analysis.judges import judge_report
from benchmark.analysis.results import GeneratorResults
from benchmark.disk import replace_folder
from benchmark.records.files import (
    TASK_FOLDER,
    UNSET,
    file_digests,
    read_comparison,
    write_comparison,
    write_record,
)
from benchmark.records.gallery import gallery_users, pack_examples, pack_images, shown_images, taste_of
from benchmark.records.rows import HELD_OUT, image_digests, read_held_out, write_rows
from benchmark.records.schema import (
    SCHEMA,
    AnalysisRecord,
    Data,
    FailedGenerator,
    Fit,
    GeneratorInfo,
    GeneratorRecord,
    Images,
    MeasureInfo,
    Provenance,
    ShownImage,
    TaskHeader,
    TaskRecord,
    Taste,
    Users,
    plan_of,
)
from benchmark.runner.held_out_scores import verifier_rows
from benchmark.runner.images import Made
from benchmark.runner.isolation import make_in_child
from benchmark.runner.plugins import build_generator
from benchmark.runner.progress import Reporter
from benchmark.runner.provenance import provenance, without_folders
from benchmark.runner.run import Run
from benchmark.runner.score_rows import bootstrap_strata, published_scheme, rows_of
from benchmark.runner.scoring import GeneratorScores, score_generator
from benchmark.runner.store import STAGE_VERSIONS
from benchmark.runner.world import World
from benchmark.stats.levels import FEWEST_USERS, smallest_p
from benchmark.task import registry
from benchmark.task.resolve import ResolvedGenerator, Task
from rebeca.arrays import Pixels
from rebeca.data.catalogue import Catalogue
from rebeca.errors import GeneratorError, RecordError, SpecError, printable
from rebeca.seeds import digest_of

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Places:
    """Where the records of a run and its images go.

    Attributes:
        records: The version folder of the records.
        images: As ``records``; elsewhere where the data may not be republished.
    """

    records: Path
    images: Path


def record_root(root: Path, task: Task) -> Path:
    """Where a task's records lie below a root; those of a modified task never take the place of the task's own."""
    version = f"v{task.file.version}"
    return root / task.file.id / (f"{version}-modified-{task.hash()[:8]}" if task.modified else version)


def private_images(root: Path, task: Task) -> Path:
    """Where a run keeps images of data that may not be republished; ``site build --images`` shows them."""
    return record_root(root / "private-images", task)


def make_records(run: Run, command: Sequence[str]) -> Path:
    """Runs whatever is missing and writes the records of a task.

    Returns:
        The folder of the records.
    """
    task, world = run.task, run.world
    check_reach(task, len(world.users))
    target = record_root(run.store.root / "records", task)
    declaration = run.freezer.declare(run.has_pictures())
    if declaration.why_not:
        run.reporter.say(f"  {declaration.why_not}: every comparison is exploratory until the task's version is raised")
    address = _address(run, declaration.frozen)
    if is_current(target, address):
        return target
    scored: list[GeneratorScores] = []
    failed: list[FailedGenerator] = []
    for spec in task.generators:
        error = make_in_child(run, spec)
        if error is not None:
            failed.append(without_a_row(task, spec, error, run.reporter))
            continue
        scored.append(score_generator(run, spec))
        stop_on_failure(task, scored[-1])
        name_failures(run.reporter, scored[-1])
    held_out = verifier_rows(run)[0] / HELD_OUT
    fits = {scores.spec.id: fit_of(run, scores.spec) for scores in scored}
    run.reporter.say("  analyse ...")
    temporary = target.with_name(f".{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    private = None if world.dataset.redistribute else private_images(run.store.root, task)
    write_records(
        Places(temporary, private or temporary),
        task,
        world,
        scored,
        failed,
        held_out,
        fits,
        AnalysisRecord(hash=task.analysis_hash(), frozen=declaration.frozen),
        address,
        provenance(run, command, declaration),
    )
    if target.exists():
        warn_of_another(task, target, run.reporter)
    replace_folder(temporary, target)
    return target


def write_records(
    places: Places,
    task: Task,
    world: World,
    scored: Sequence[GeneratorScores],
    failed: Sequence[FailedGenerator],
    held_out: Path,
    fits: Mapping[str, Fit],
    declared: AnalysisRecord,
    address: str,
    origin: Provenance,
) -> TaskRecord:
    """Analyses scores and writes the records of a task.

    Args:
        places: Where to.
        task: The task.
        world: Its data.
        scored: Every generator with a row, scored.
        failed: Those without one.
        held_out: ``verifier.parquet``.
        fits: By generator.
        declared: Hash of the declaration, and whether it was frozen.
        address: Changes whenever the records could.
        origin: Where the numbers come from.
    """
    rows = [rows_of(scores, world, task) for scores in scored]
    block = world.dataset.block_of_user[world.users]
    strata = bootstrap_strata(task, block, world.division.cold[world.users])
    plan = plan_of(task.spec(), declared.frozen)
    analysis = analyse(plan, rows, block, strata)
    users = world.dataset.ratings.num_users
    judges = judge_report(read_held_out(held_out, users), users, plan.bootstrap, plan.name)
    for scores, row in zip(scored, rows, strict=True):
        name = scores.spec.id
        record = generator_record(scores, row, task, world, analysis.generators[name], fits[name], origin)
        write_generator(places, record, scores, row, world.user_ids, task)
    (places.records / TASK_FOLDER).mkdir(parents=True)
    shutil.copyfile(held_out, places.records / TASK_FOLDER / HELD_OUT)
    comparison = TaskRecord(
        schema=SCHEMA,
        kind="task",
        task=header_of(task),
        spec=task.spec(),
        analysis=declared,
        address=address,
        data=data_of(world),
        users=Users(id=world.user_ids, block=tuple(block.tolist()), stratum=tuple(strata.tolist())),
        user_ids=tuple(world.dataset.ratings.user_ids),
        order=tuple(scores.spec.id for scores in scored),
        failed=tuple(failed),
        results=analysis.task,
        judges=judges,
        taste=write_taste(places, task, world),
        provenance=origin,
        records={},
        digest=UNSET,
    )
    return write_comparison(places.records, comparison)


def write_taste(places: Places, task: Task, world: World) -> Taste:
    """How users rated in training; writes the items that it shows."""
    gallery = gallery_users(task.seeds, world.user_ids)
    taste = taste_of(world.dataset, world.division, world.users, gallery)
    pack_examples(places.images / TASK_FOLDER, taste, world.dataset.catalogue)
    return taste


def check_reach(task: Task, users: int) -> None:
    """A family of tests that can never reject is a mistake in the task file.

    Raises:
        SpecError: If the smallest p of so many users lies above the level.
    """
    analysis = task.file.analysis
    smallest = smallest_p(users, analysis.permutations)
    if users >= FEWEST_USERS and smallest > analysis.alpha:
        raise SpecError(
            f"{task.source}: {users} users and {analysis.permutations} flips give no p below {smallest:.2g}, so that"
            f" nothing can be found at alpha {analysis.alpha:g}",
            hint="use more users, or a larger analysis.alpha",
        )


def warn_of_another(task: Task, target: Path, reporter: Reporter) -> None:
    """Two task files with one id and version would take turns in one place: that is said."""
    try:
        other = read_comparison(target).task.hash
    except RecordError:  # of another schema, or damaged: there is nothing to keep apart
        return
    if other != task.hash():
        reporter.say(
            f"  {target} held another task with the same id and version, which is replaced;"
            " give one of them an id of its own to keep both"
        )


def name_failures(reporter: Reporter, scores: GeneratorScores) -> None:
    """Says how many images failed, why, and which was the first."""
    failed = [image for image in scores.made if image.failure]
    if failed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(_failures(scores.made).items()))
        first = failed[0]
        where = f"user '{first.user}', image {first.replicate} is {first.failure}"
        reporter.say(f"  {scores.spec.id}: {len(failed)} of {len(scores.made)} images failed ({kinds}), first {where}")


def _address(run: Run, frozen: bool) -> str:
    """Changes whenever a record could: spec, data, and everything that images and judges rest on."""
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
            [[entry.use, run.scorer(entry).fingerprint] for entry in run.task.scorers],
        ]
    )


def without_a_row(task: Task, spec: ResolvedGenerator, error: GeneratorError, reporter: Reporter) -> FailedGenerator:
    """What the record says of a generator that failed in its own process; it is tried again by the next run.

    Raises:
        GeneratorError: If it is the one that all others are compared with.
    """
    reporter.warn(f"{error.message}; the board is without it")
    if spec.id == task.file.analysis.reference:
        raise error
    return FailedGenerator(
        id=spec.id, title=spec.title, reason=printable(without_folders(error.message))[:LONGEST_REASON]
    )


def is_current(target: Path, address: str) -> bool:
    """Whether intact records of this address lie at ``target``."""
    try:
        record = read_comparison(target)
        return (
            record.address == address
            and not record.failed
            and all(file_digests(target / name) == files for name, files in record.records.items())
        )
    except RecordError:
        return False


def stop_on_failure(task: Task, scores: GeneratorScores) -> None:
    """Ends a run whose task says ``failures: abort``.

    Raises:
        GeneratorError: If an image failed.
    """
    failed = [image for image in scores.made if image.failure]
    if failed and task.file.failures == "abort":
        first = failed[0]
        raise GeneratorError(
            f"generator '{scores.spec.id}': {len(failed)} of {len(scores.made)} images failed, the first for user"
            f" '{first.user}', image {first.replicate}: {first.failure}",
            hint="failures: abort is set; use exclude or worst to count them instead",
        )


def generator_record(
    scores: GeneratorScores,
    row: Rows,
    task: Task,
    world: World,
    results: GeneratorResults,
    fit: Fit,
    origin: Provenance,
) -> GeneratorRecord:
    """The record of one generator."""
    schemes = {scorer: published_scheme(scores, scorer, task.analysis_hash()) for scorer in results.personal}
    shown = shown_images(row, task.seeds, world.user_ids) if world.dataset.redistribute else ()
    return GeneratorRecord(
        schema=SCHEMA,
        kind="generator",
        task=header_of(task),
        generator=generator_info(scores.spec),
        images=images_of(scores, row, world.user_ids, world.dataset.catalogue, shown),
        measures={measure: measure_info(scores, measure) for measure in results.summary},
        summary=results.summary,
        personal=results.personal,
        published_schemes={scorer: test for scorer, test in schemes.items() if test is not None},
        gap=results.gap,
        fit=fit,
        provenance=origin,
    )


def write_generator(
    places: Places, record: GeneratorRecord, scores: GeneratorScores, row: Rows, users: Sequence[str], task: Task
) -> None:
    """Writes a generator's record, rows and images."""
    folder = places.records / record.generator.id
    folder.mkdir(parents=True)
    seeds = np.array([image.seed for image in scores.made], np.uint64)
    write_rows(folder, row, users, seeds, [image.failure for image in scores.made])
    valid = [image for image in scores.made if not image.failure]
    position = {(image.user, image.replicate): i for i, image in enumerate(valid)}

    def pixels(image: ShownImage) -> Pixels:
        return scores.pictures.pixels_of(position[image.user, image.replicate])

    pack_images(places.images / record.generator.id, shown_images(row, task.seeds, users), pixels)
    write_record(folder, record)


def generator_info(spec: ResolvedGenerator) -> GeneratorInfo:
    """The generator's entry in the spec, and what it says of itself."""
    generator = build_generator(spec)
    own = {
        "family": generator.family,
        "needs": tuple(sorted(generator.needs)),
        "ranked": not generator.needs,
        "claims_personal": generator.claims_personal,
    }
    return GeneratorInfo.model_validate(spec.to_json() | own)


def images_of(
    scores: GeneratorScores, row: Rows, users: Sequence[str], catalogue: Catalogue, shown: Sequence[ShownImage]
) -> Images:
    """How many images, and which."""
    images = scores.made
    new = [image for image in images if image.item < 0]
    items = {catalogue.digest(i) for i in range(len(catalogue))} if new else set()
    digest, set_digest = image_digests(users, row.digest)
    return Images(
        requested=len(images),
        valid=len(scores.owner),
        failures=_failures(images),
        different=len({image.digest for image in images if image.digest}),
        from_catalogue=len(images) - len(new),
        copies=sum(image.digest in items for image in new),
        digest=digest,
        set_digest=set_digest,
        shown=tuple(shown),
    )


def _failures(images: Sequence[Made]) -> Counter[str]:
    return Counter(image.failure for image in images if image.failure)


def measure_info(scores: GeneratorScores, measure: str) -> MeasureInfo:
    """What a measure is."""
    single = scores.by_picture.get(measure)
    if single is None:
        return MeasureInfo(card=scores.cards[measure], of_images=False, everyone=False)
    return MeasureInfo(card=single.card, of_images=True, everyone=single.everyone is not None)


def data_of(world: World) -> Data:
    """The data set."""
    dataset = world.dataset
    return Data(
        title=dataset.title,
        licence=dataset.licence,
        redistribute=dataset.redistribute,
        fingerprint=world.fingerprint,
        users=dataset.ratings.num_users,
        items=len(dataset.catalogue),
        ratings=len(dataset.ratings),
        test_ratings=len(world.division.test),
        blocks=int(dataset.block_of_user.max()) + 1,
        exact=None if dataset.ground_truth is None else dict(dataset.ground_truth.exact),
    )


def header_of(task: Task) -> TaskHeader:
    """Which task."""
    file = task.file
    return TaskHeader(id=file.id, version=file.version, title=file.title, hash=task.hash(), modified=task.modified)


def fit_of(run: Run, spec: ResolvedGenerator) -> Fit:
    """What a fit says about itself; fitted again where the images are cached and the fit was lost."""
    key = run.fit_key(spec)
    folder = run.store.find("fit", key)
    if folder is None and not registry.is_foreign("generators", spec.use):
        run.fitted(spec)
        folder = run.store.find("fit", key)
    path = None if folder is None else folder / "prior.json"
    if path is None or not path.is_file():
        return Fit(key=key, report={})
    return Fit(key=key, report=json.loads(path.read_text(encoding="utf-8")).get("report", {}))
