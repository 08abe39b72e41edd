"""Records: what a task leaves behind, complete enough to recompute every number of the leaderboard.

``<root>/<task id>/v<version>/<generator id>/`` holds ``record.json``, the rows (see benchmark/records/rows.py) and
``images.parquet``; ``_task/`` holds ``comparison.json``, ``verifier.parquet``, ``ratings.parquet`` (where ratings of
retrieved items are observed) and ``images.parquet``. All fields: benchmark/records/schema.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.analysis.analyse import analyse
from benchmark.analysis.inputs import HeldOutRatings, Rows
from benchmark.analysis.judges import judge_report
from benchmark.analysis.measures import range_of, worst_of_sets
from benchmark.analysis.numbers import PermutationTest
from benchmark.analysis.results import GeneratorResults
from benchmark.disk import absent_beside, replace_folder
from benchmark.records.costs import ANALYSE_STAGE
from benchmark.records.files import TASK_FOLDER, UNSET, read_comparison, write_comparison, write_record
from benchmark.records.gallery import gallery_users, pack_examples, pack_images, shown_images, taste_of
from benchmark.records.ratings import RATINGS, reads_ratings, write_ratings
from benchmark.records.rows import HELD_OUT, image_digests, read_held_out, write_rows
from benchmark.records.schema import (
    PUBLISHED_PERMUTATIONS,
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
    Users,
    plan_of,
)
from benchmark.runner.addresses import Addresses, GeneratorAddress
from benchmark.runner.decode import GeneratorImages
from benchmark.runner.fits import read_report
from benchmark.runner.images import failures_by_kind
from benchmark.runner.scoring import GeneratorScores, ImageScores
from benchmark.runner.stages import Stages
from benchmark.runner.store import Store
from benchmark.runner.world import World
from benchmark.scorers.observed import ratings_of_images
from benchmark.stats.groups import Groups
from benchmark.stats.intervals import Bounds
from benchmark.stats.personalisation import comparable, image_shuffle, pair_means
from benchmark.stats.random import stream
from benchmark.task.resolved import ResolvedGenerator, Task
from rebeca.arrays import Bools, Floats, Ints
from rebeca.errors import RecordError
from rebeca.interfaces import ScoredImages
from rebeca.spans import Part, span


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The results of a run, before they are analysed.

    Attributes:
        scored: Every generator with a row.
        failed: Those without one.
        held_out: ``verifier.parquet``.
        fits: By generator, in the order of their numbers.
        frozen: Whether the task was written down before the first image.
        address: Changes whenever the records could.
        origin: Where the numbers come from.
    """

    scored: Sequence[GeneratorScores]
    failed: Sequence[FailedGenerator]
    held_out: Path
    fits: Mapping[str, tuple[Fit, ...]]
    frozen: bool
    address: str
    origin: Provenance


def replace_records(target: Path, private: Path, task: Task, world: World, outcome: Outcome, stages: Stages) -> None:
    """Analyses the scores of a run and writes its records in the place of earlier ones.

    Args:
        target: The version folder of the records.
        private: Folder for images that may not be republished; ``site build --images`` shows them.
        task: The task.
        world: Its data.
        outcome: The results of the run.
        stages: The store, and the reporter.
    """
    temporary = absent_beside(target)
    with stages.reporter.stage(ANALYSE_STAGE):
        write_records(temporary, temporary if world.dataset.redistribute else private, task, world, outcome)
    if _holds_another_task(target, task):
        stages.reporter.info(
            f"  {target} held another task with the same id and version, which is replaced;"
            " give one of them an id of its own to keep both"
        )
    replace_folder(temporary, target)


def _holds_another_task(target: Path, task: Task) -> bool:
    try:
        return read_comparison(target).task.hash != task.hash()
    except RecordError:  # absent, of another schema, or damaged: nothing is lost
        return False


def write_records(records: Path, images: Path, task: Task, world: World, outcome: Outcome) -> TaskRecord:
    """Writes records into the version folder ``records``, and their images below ``images``."""
    scored, origin = outcome.scored, outcome.origin
    block = world.dataset.block_of_user[world.users]
    strata = bootstrap_strata(task, block, world.division.cold[world.users])
    plan = plan_of(task.spec(), outcome.frozen)
    groups = Groups.of(plan.groups(block))
    with span(Part.STATISTICS, "rows_of"):
        rows = [rows_of(scores, world, task, groups, outcome.fits[scores.images.spec.id]) for scores in scored]
    ratings = ratings_of(world) if any(reads_ratings(row.cards) for row in rows) else None
    with span(Part.STATISTICS, "analyse"):
        analysis = analyse(plan, rows, block, strata, ratings)
    users = world.dataset.ratings.num_users
    with span(Part.STATISTICS, "judge_report"):
        judges = judge_report(read_held_out(outcome.held_out, users), users, plan.bootstrap, plan.name)
    for scores, row in zip(scored, rows, strict=True):
        name = scores.images.spec.id
        shown = shown_images(row, task.seeds, world.user_ids)
        counts = images_of(scores, row, world, shown)
        results = analysis.generators[name]
        record = generator_record(scores, row.ranges, counts, task, results, outcome.fits[name], origin)
        write_generator(records / name, record, scores, row, world.user_ids)
        pack_shown(images / name, shown, scores.scored)
    (records / TASK_FOLDER).mkdir(parents=True)
    shutil.copyfile(outcome.held_out, records / TASK_FOLDER / HELD_OUT)
    if ratings is not None:
        write_ratings(records / TASK_FOLDER / RATINGS, ratings)
    taste = taste_of(world.dataset, world.division, world.users, gallery_users(task.seeds, world.user_ids))
    pack_examples(images / TASK_FOLDER, taste, world.dataset.catalogue)
    comparison = TaskRecord(
        schema=SCHEMA,
        kind="task",
        task=header_of(task),
        spec=task.spec(),
        analysis=AnalysisRecord(hash=task.analysis_hash(), frozen=outcome.frozen),
        address=outcome.address,
        data=data_of(world),
        users=Users(id=world.user_ids, block=tuple(block.tolist()), stratum=tuple(strata.tolist())),
        user_ids=tuple(world.dataset.ratings.user_ids),
        order=tuple(scores.images.spec.id for scores in scored),
        failed=tuple(outcome.failed),
        results=analysis.task,
        judges=judges,
        taste=taste,
        provenance=origin,
        records={},
        digest=UNSET,
    )
    return write_comparison(records, comparison)


def pack_shown(folder: Path, shown: Sequence[ShownImage], images: ScoredImages) -> None:
    index = {digest: i for i, digest in enumerate(images.digest)}
    pack_images(folder, shown, lambda digest: images.pixels_of(index[digest]))


def fit_records(images: Sequence[GeneratorImages], addresses: Addresses, store: Store) -> dict[str, tuple[Fit, ...]]:
    """What every fit says about itself, by generator."""
    return {each.spec.id: tuple(_fits_of(addresses.generators[each.spec.id], store)) for each in images}


def _fits_of(generator: GeneratorAddress, store: Store) -> Iterator[Fit]:
    for fit in generator.fits:
        report = read_report(store.folder(fit.address))
        yield Fit(number=fit.number, key=fit.address.key, seed=fit.seed, report=report)


def generator_record(
    scores: GeneratorScores,
    ranges: Mapping[str, Bounds],
    images: Images,
    task: Task,
    results: GeneratorResults,
    fits: tuple[Fit, ...],
    origin: Provenance,
) -> GeneratorRecord:
    in_groups = task.file.analysis.most_compared is not None
    lifted = [] if in_groups else results.personal
    schemes = {scorer: published_scheme(scores, scorer, task.analysis_hash()) for scorer in lifted}
    return GeneratorRecord(
        schema=SCHEMA,
        kind="generator",
        task=header_of(task),
        generator=generator_info(scores.images.spec),
        images=images,
        measures={measure: measure_info(scores, measure, ranges.get(measure)) for measure in results.summary},
        summary=results.summary,
        personal=results.personal,
        published_schemes={scorer: test for scorer, test in schemes.items() if test is not None},
        gap=results.gap,
        excess=results.excess,
        fits=fits,
        provenance=origin,
    )


def write_generator(
    folder: Path, record: GeneratorRecord, scores: GeneratorScores, row: Rows, users: Sequence[str]
) -> None:
    folder.mkdir(parents=True)
    seeds = np.array([image.seed for image in scores.images.rows], np.uint64)
    write_rows(folder, row, users, seeds, [image.failure for image in scores.images.rows])
    write_record(folder, record)


def generator_info(spec: ResolvedGenerator) -> GeneratorInfo:
    flags = spec.flags()
    return GeneratorInfo.model_validate(spec.to_json() | flags.recorded() | {"ranked": not flags.needs})


def images_of(scores: GeneratorScores, row: Rows, world: World, shown: tuple[ShownImage, ...]) -> Images:
    """Counts and digests of a generator's images; the shown ones are listed where the data may be republished."""
    images, catalogue = scores.images.rows, world.dataset.catalogue
    new = [image for image in images if image.item < 0]
    items = {catalogue.digest(i) for i in range(len(catalogue))} if new else set()
    digest, set_digest = image_digests(world.user_ids, row.digest)
    return Images(
        requested=len(images),
        valid=len(scores.owner),
        failures=failures_by_kind(images),
        different=len({image.digest for image in images if image.digest}),
        from_catalogue=len(images) - len(new),
        copies=sum(image.digest in items for image in new),
        digest=digest,
        set_digest=set_digest,
        shown=shown if world.dataset.redistribute else (),
    )


def measure_info(scores: GeneratorScores, measure: str, limits: Bounds | None) -> MeasureInfo:
    single = scores.by_image.get(measure)
    card = scores.cards[measure] if single is None else single.card
    everyone = single is not None and single.everyone is not None
    return MeasureInfo(card=card, of_images=single is not None, everyone=everyone, range=limits)


def data_of(world: World) -> Data:
    dataset = world.dataset
    return Data(
        title=dataset.title,
        licence=dataset.licence,
        redistribute=dataset.redistribute,
        fingerprint=world.fingerprint,
        users=dataset.ratings.num_users,
        items=len(dataset.catalogue),
        equal_items=len(dataset.catalogue) - len(np.unique(dataset.catalogue.originals())),
        ratings=len(dataset.ratings),
        test_ratings=len(world.division.test),
        blocks=int(dataset.block_of_user.max()) + 1,
        exact=None if dataset.ground_truth is None else dict(dataset.ground_truth.exact),
        notes=world.notes,
    )


def header_of(task: Task) -> TaskHeader:
    file = task.file
    return TaskHeader(id=file.id, version=file.version, title=file.title, hash=task.hash(), modified=task.modified)


def bootstrap_strata(task: Task, block: Ints, cold: Bools) -> Ints:
    """Int [users]; the bootstrap resamples users within these strata.

    Args:
        task: Names the columns that make up the strata.
        block: int [users].
        cold: bool [users].
    """
    strata = np.zeros(len(block), np.int64)
    for name in task.file.analysis.strata:
        strata = strata * (int(block.max()) + 2) + (block if name == "block" else cold.astype(np.int64))
    return strata


def ratings_of(world: World) -> HeldOutRatings:
    """Held-out ratings by the users that images were made for."""
    table = ratings_of_images(world.division.test, world.dataset.catalogue.originals())[world.users]
    user, item = np.nonzero(np.isfinite(table))
    return HeldOutRatings(user, item, table[user, item])


def rows_of(scores: GeneratorScores, world: World, task: Task, groups: Groups, fits: Sequence[Fit]) -> Rows:
    spec, asked = scores.images.spec, task.file.fits
    shape, scale = (len(world.users), task.images_of(spec)), world.dataset.scale
    failed = np.array([bool(image.failure) for image in scores.images.rows]).reshape(shape)
    by_scorer: dict[str, Floats] = {}
    opinions, shared = Opinions(scores, world, groups, asked), None
    if not opinions.all_judged:
        shared = opinions.of(None)[1]
    pairs: dict[str, Floats] = {}
    for scorer, single in scores.by_image.items():
        by_scorer[scorer] = np.full(shape, np.nan)
        by_scorer[scorer][~failed] = single.own
        if single.everyone is not None:
            table, _ = opinions.of(single)
            if np.isfinite(table).any():  # a scorer of items has no scores of generated images
                pairs[scorer] = table
    cards = {scorer: single.card for scorer, single in scores.by_image.items()}
    ranges = {name: limits for name, card in {**cards, **scores.cards}.items() if (limits := range_of(card, scale))}
    lowest = {scorer: single.worst for scorer, single in scores.by_image.items()}
    of_sets = {name: worst_of_sets(card, ranges.get(name)) for name, card in scores.cards.items()}
    return Rows(
        id=spec.id,
        ranked=not spec.flags().needs,
        digest=np.array([image.digest for image in scores.images.rows], np.str_).reshape(shape),
        item=np.array([image.item for image in scores.images.rows], np.int64).reshape(shape),
        failed=failed,
        scores=by_scorer,
        lowest=lowest | {name: np.full(len(world.users), worst) for name, worst in of_sets.items()},
        cards=cards,
        ranges=ranges,
        sets=scores.by_user,
        pairs=pairs,
        procedure=generator_info(spec).procedure,
        fits=asked,
        fit_keys=tuple(each.key for each in fits),
        shared=shared,
        group=groups.label,
    )


class Opinions:
    """What users think of the images of their group.

    Args:
        scores: Of one generator.
        world: Says which items may be shown to whom.
        groups: Of users.
        fits: Number of fits; image k of a user is of fit k modulo this number.
    """

    def __init__(self, scores: GeneratorScores, world: World, groups: Groups, fits: int) -> None:
        self._groups, self._fits, self._fit = groups, fits, scores.scored.replicate % fits
        self._parts: list[tuple[Ints, Ints, Ints, Bools]] = []
        for label, users in enumerate(groups.each()):
            images = np.flatnonzero(groups.label[scores.owner] == label)
            item, owner = scores.scored.item[images], np.searchsorted(users, scores.owner[images])
            may_show = np.ones((len(users), len(images)), bool)
            may_show[:, item >= 0] = world.candidates.may_show(world.users[users], item[item >= 0])
            self._parts.append((users, images, owner, comparable(may_show, owner)))

    @property
    def all_judged(self) -> bool:
        """Whether every user judges all images of the group."""
        return all(judged.all() for *_, judged in self._parts)

    def of(self, single: ImageScores | None) -> tuple[Floats, Ints]:
        """Mean scores of sets of images, and over how many images each mean is, [F, users, m] each.

        Args:
            single: The scorer, which can be asked for every user; None where only the numbers of images are wanted.
        """
        shape = (self._fits, *self._groups.targets.shape)
        means, counts = np.full(shape, np.nan), np.zeros(shape, np.int64)
        for users, images, owner, judged in self._parts:
            opinion = np.zeros(judged.shape)
            if single is not None and single.everyone is not None:
                opinion = single.everyone[np.ix_(users, single.position[images])]
            known, of_fit = np.where(judged, opinion, np.nan), self._fit[images]
            for f in range(self._fits):
                own = of_fit == f
                means[f, users, : len(users)], counts[f, users, : len(users)] = pair_means(known[:, own], owner[own])
        return means, counts


def published_scheme(scores: GeneratorScores, scorer: str, name: str) -> PermutationTest | None:
    """The published test, anti-conservative and kept for reproduction; None unless all users score all images."""
    single = scores.by_image[scorer]
    if single.everyone is None or not np.isfinite(single.everyone).all():
        return None
    table = single.everyone[:, single.position] * (1 if single.card.higher_is_better else -1)
    rng = stream(name, "picture-shuffle", scorer)
    with span(Part.STATISTICS, "published scheme"):
        return PermutationTest.of(image_shuffle(table, scores.owner, PUBLISHED_PERMUTATIONS, rng))
